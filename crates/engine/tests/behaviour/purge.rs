//! Purges: who gets orders in which turn, what waits for them, what is refused.

use std::time::Duration;

use stoker_domain::{
    area::AreaScope,
    domain::Shield,
    purge::{Method, Scope},
    quota::Product,
    view::{PurgeFilter, PurgeState},
};
use stoker_engine::{NewDomain, PartialPurge, PurgeError, PurgeSubmission, SubmitError};

use crate::stage::{HOST, MIDDLE, Stage, domain};

const NODES: [&str; 4] = ["edge-mainland", "edge-overseas", "middle-mainland", "middle-overseas"];

fn submission(scope: Scope, targets: &[&str]) -> PurgeSubmission {
    PurgeSubmission {
        targets: targets.iter().map(|target| (*target).into()).collect(),
        scope,
        method: Method::Delete,
        areas: None,
        encode: false,
        product: if scope == Scope::Url {
            Product::DomainPurgeUrl
        } else {
            Product::DomainPurgePath
        },
        batch_limit: 3,
    }
}

/// Lets every node carry out what it has; which nodes had something.
async fn turn(stage: &Stage) -> Vec<&'static str> {
    let mut open = Vec::new();
    for node in NODES {
        let orders = stage.engine.purge_orders(node, Duration::ZERO).await.unwrap();
        open.extend(orders.into_iter().map(|order| (node, order.number)));
    }
    for (node, number) in &open {
        stage.engine.purged(node, *number).await.unwrap();
    }
    open.into_iter().map(|(node, _)| node).collect()
}

async fn is_done(stage: &Stage) -> bool {
    let filter = PurgeFilter { limit: 1, ..PurgeFilter::default() };
    stage.engine.purges(&filter).await.unwrap().rows[0].finished_at.is_some()
}

#[tokio::test]
async fn middle_nodes_have_two_turns_and_then_the_edges_of_the_areas_one() {
    let stage = Stage::new().await;
    let middles = ["middle-mainland", "middle-overseas"];
    let one = PurgeSubmission {
        areas: Some(AreaScope::Mainland),
        ..submission(Scope::Path, &["http://www.example.com/x/"])
    };
    stage.engine.purge(&stage.account, one).await.unwrap();
    assert_eq!(turn(&stage).await, middles, "the shield may stand overseas");
    assert_eq!(turn(&stage).await, middles);
    assert!(!is_done(&stage).await);
    assert_eq!(turn(&stage).await, ["edge-mainland"]);
    assert!(is_done(&stage).await);
    // a domain that crosses no border needs nobody beyond it
    let new = NewDomain {
        shield: Shield::PerArea,
        ..domain("mainland.example.com", AreaScope::Mainland)
    };
    stage.engine.add_domain(stage.account.id, new).await.unwrap();
    let one = submission(Scope::Url, &["http://mainland.example.com/1"]);
    stage.engine.purge(&stage.account, one).await.unwrap();
    assert_eq!(turn(&stage).await, ["middle-mainland"]);
    assert_eq!(turn(&stage).await, ["edge-mainland"]);
    assert!(is_done(&stage).await);
}

#[tokio::test]
async fn a_purge_that_a_node_leaves_open_is_overdue_until_the_node_comes_back() {
    let stage = Stage::new().await;
    let one = submission(Scope::Path, &["http://www.example.com/x/"]);
    stage.engine.purge(&stage.account, one).await.unwrap();
    let found = async |state| {
        let states = Some(vec![state]);
        let filter = PurgeFilter { states, limit: 9, ..PurgeFilter::default() };
        let rows = stage.engine.purges(&filter).await.unwrap().rows;
        rows.iter().all(|row| row.state == state) && rows.len() == 1
    };
    stage.clock.advance(Duration::from_secs(600));
    assert!(found(PurgeState::Processing).await, "it has ten minutes");
    stage.clock.advance(Duration::from_millis(1));
    assert!(found(PurgeState::Overdue).await && !found(PurgeState::Processing).await);
    for _ in 0..3 {
        assert!(!found(PurgeState::Done).await);
        turn(&stage).await;
    }
    assert!(found(PurgeState::Done).await && !found(PurgeState::Overdue).await);
}

#[tokio::test]
async fn edges_purge_past_a_silent_middle_node_and_again_when_it_is_back() {
    let stage = Stage::new().await;
    let one = submission(Scope::Path, &["http://www.example.com/x/"]);
    stage.engine.purge(&stage.account, one).await.unwrap();
    let purge = async |node: &str| {
        let orders = stage.engine.purge_orders(node, Duration::ZERO).await.unwrap();
        for order in &orders {
            stage.engine.purged(node, order.number).await.unwrap();
        }
        orders.len()
    };
    let budget = Duration::from_secs(1);
    assert_eq!(purge("middle-mainland").await, 1);
    stage.engine.sweep(budget).await.unwrap();
    assert_eq!(purge("edge-mainland").await, 0, "the other one may be slow");
    stage.clock.advance(Duration::from_secs(31));
    for name in &NODES[..3] {
        stage.engine.purged(name, 0).await.unwrap();
    }
    stage.engine.sweep(budget).await.unwrap();
    for edge in &NODES[..2] {
        assert_eq!(purge(edge).await, 1, "{edge}");
    }
    assert_eq!(purge("middle-mainland").await, 0);
    stage.engine.sweep(budget).await.unwrap();
    assert!(turn(&stage).await == ["middle-overseas"] && !is_done(&stage).await);
    assert_eq!(turn(&stage).await, NODES[2..]);
    assert!(!is_done(&stage).await);
    assert_eq!(turn(&stage).await, NODES[..2]);
    assert!(is_done(&stage).await);
}

fn partial(scope: Scope, targets: &[&str]) -> PartialPurge {
    PartialPurge {
        targets: targets.iter().map(|target| (*target).into()).collect(),
        scope,
        hosts: vec![HOST.into(), "stranger.example.org".into()],
        zone: None,
        method: Method::Invalidate,
        encode: false,
        product: Product::ZonePurgeTag,
        units: None,
        batch_limit: 9,
    }
}

#[tokio::test]
async fn what_can_be_purged_is_and_the_rest_is_named() {
    let stage = Stage::new().await;
    let url = "http://www.example.com/1";
    let list = [url, "ftp://x", url, "http://stranger.example.org/", "http://www.example.com/2"];
    let purge = PartialPurge { product: Product::ZonePurgeUrl, ..partial(Scope::Url, &list) };
    let done = stage.engine.purge_what_can_be(&stage.account, purge).await.unwrap();
    let receipt = done.receipt.unwrap();
    assert_eq!((receipt.targets, receipt.merged), (2, 1));
    let refused: Vec<usize> = done.refused.iter().map(|(index, _)| *index).collect();
    assert_eq!(refused, [1, 3]);
    let quota = stage.engine.quota(stage.account.id, Product::ZonePurgeUrl).await.unwrap();
    assert_eq!(quota[0].used, 2, "counted once, wherever it goes");
    let none = partial(Scope::Url, &["ftp://x"]);
    let done = stage.engine.purge_what_can_be(&stage.account, none).await.unwrap();
    assert!(done.receipt.is_none() && done.refused.len() == 1);
}

#[tokio::test]
async fn a_tag_goes_to_the_domains_of_the_caller_and_costs_one() {
    let stage = Stage::new().await;
    let purge = partial(Scope::Tag, &["news", "a b", "news"]);
    let done = stage.engine.purge_what_can_be(&stage.account, purge).await.unwrap();
    assert_eq!(done.receipt.unwrap().targets, 1);
    assert!(matches!(done.refused[..], [(1, PurgeError::Tag { .. })]));
    let orders = stage.engine.purge_orders(MIDDLE, Duration::ZERO).await.unwrap();
    assert_eq!(orders[0].targets, [format!("{HOST} news")]);
    let whole = PartialPurge { units: Some(1), ..partial(Scope::Tag, &["x", "y"]) };
    stage.engine.purge_what_can_be(&stage.account, whole).await.unwrap();
    let quota = stage.engine.quota(stage.account.id, Product::ZonePurgeTag).await.unwrap();
    assert_eq!(quota[0].used, 2);
}

#[tokio::test]
async fn a_prefetch_after_a_purge_is_leased_when_its_node_has_purged() {
    let stage = Stage::new().await;
    let target = format!("http://{HOST}/1");
    let one = submission(Scope::Url, &[&target, &target]);
    let receipt = stage.engine.purge(&stage.account, one).await.unwrap();
    assert_eq!((receipt.targets, receipt.merged), (1, 1));
    stage.submit(&[&target]).await;
    assert!(stage.lease().await.is_empty());
    turn(&stage).await;
    assert!(stage.lease().await.is_empty(), "{MIDDLE} has another turn");
    turn(&stage).await;
    assert_eq!(stage.lease().await.len(), 1);
}

#[tokio::test]
async fn a_node_that_waits_is_woken_by_a_purge_and_by_its_turn() {
    let stage = Stage::new().await;
    let wait = Duration::from_secs(60);
    let purge = async {
        let one = submission(Scope::Path, &["http://www.example.com/"]);
        stage.engine.purge(&stage.account, one).await.unwrap();
        turn(&stage).await;
        turn(&stage).await;
    };
    let started = tokio::time::Instant::now();
    let edge = stage.engine.purge_orders("edge-overseas", wait);
    let (orders, ()) = tokio::join!(edge, purge);
    assert_eq!(orders.unwrap().len(), 1);
    assert!(started.elapsed() < wait);
}

#[tokio::test]
async fn each_refusal_is_told_and_costs_nothing() {
    let stage = Stage::new().await;
    let owner = stage.account.id;
    let mainland = domain("mainland.example.com", AreaScope::Mainland);
    stage.engine.add_domain(owner, mainland).await.unwrap();
    let fine = "http://www.example.com/x/";
    let overseas = PurgeSubmission {
        areas: Some(AreaScope::Overseas),
        ..submission(Scope::Path, &["http://mainland.example.com/"])
    };
    for (case, expected) in [
        (submission(Scope::Path, &[]), "without URLs"),
        (submission(Scope::Path, &[fine, fine, fine, fine]), "the limit is 3"),
        (submission(Scope::Path, &[fine, "http://www.example.com/?x"]), "path 2"),
        (submission(Scope::Url, &["www.example.com/"]), "must begin with"),
        (submission(Scope::Url, &["http://stranger.example.org/"]), "not in this account"),
        (overseas, "not enabled in area `overseas`"),
    ] {
        let error = stage.engine.purge(&stage.account, case).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
    assert!(turn(&stage).await.is_empty());
    // each area is charged for the targets that go there
    let both = submission(Scope::Path, &[fine, "http://mainland.example.com/"]);
    stage.engine.purge(&stage.account, both).await.unwrap();
    let product = Product::DomainPurgePath;
    let quota = stage.engine.quota(owner, product).await.unwrap();
    assert_eq!((quota[0].used, quota[1].used), (2, 1));
    let many: Vec<String> = (0..99).map(|number| format!("{fine}{number}/")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let many = PurgeSubmission { batch_limit: 500, ..submission(Scope::Path, &many) };
    let error = stage.engine.purge(&stage.account, many).await.unwrap_err();
    let PurgeError::Refused(SubmitError::OverQuota { available, needed, .. }) = error else {
        panic!("{error}");
    };
    assert_eq!((available, needed), (98, 99));
}
