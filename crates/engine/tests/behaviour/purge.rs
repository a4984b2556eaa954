//! Purges: who gets orders in which turn, what waits for them, what is refused.

use std::time::Duration;

use stoker_domain::{
    area::AreaScope,
    domain::Shield,
    purge::{Method, Scope},
    quota::Product,
    view::{PurgeFilter, PurgeState},
};
use stoker_engine::{BatchLimit, NewDomain, PurgeError, PurgeSubmission, SubmitError};

use crate::fixture::{Fixture, HOST, MIDDLE, domain};

const NODES: [&str; 4] = ["edge-mainland", "edge-overseas", "middle-mainland", "middle-overseas"];

fn submission(scope: Scope, targets: &[&str]) -> PurgeSubmission {
    let targets = targets.iter().map(|target| (*target).into()).collect();
    let product =
        if scope == Scope::Url { Product::DomainPurgeUrl } else { Product::DomainPurgePath };
    PurgeSubmission {
        batch_limit: BatchLimit::AtMost(3),
        ..PurgeSubmission::new(product, scope, targets)
    }
}

/// Lets every node carry out what it has; which nodes had something.
async fn turn(fixture: &Fixture) -> Vec<&'static str> {
    let mut open = Vec::new();
    for node in NODES {
        let orders = fixture.engine.purge_orders(node, Duration::ZERO).await.unwrap();
        open.extend(orders.into_iter().map(|order| (node, order.number)));
    }
    for (node, number) in &open {
        fixture.engine.purged(node, *number).await.unwrap();
    }
    open.into_iter().map(|(node, _)| node).collect()
}

async fn is_done(fixture: &Fixture) -> bool {
    let filter = PurgeFilter { limit: 1, ..PurgeFilter::default() };
    fixture.engine.purges(&filter).await.unwrap().rows[0].finished_at.is_some()
}

#[tokio::test]
async fn middle_nodes_have_two_turns_and_then_the_edges_of_the_areas_one() {
    let fixture = Fixture::new().await;
    let middles = ["middle-mainland", "middle-overseas"];
    let one = PurgeSubmission {
        areas: Some(AreaScope::Mainland),
        ..submission(Scope::Path, &["http://www.example.com/x/"])
    };
    fixture.engine.purge(&fixture.account, one).await.unwrap();
    assert_eq!(turn(&fixture).await, middles, "the shield may stand overseas");
    assert_eq!(turn(&fixture).await, middles);
    assert!(!is_done(&fixture).await);
    assert_eq!(turn(&fixture).await, ["edge-mainland"]);
    assert!(is_done(&fixture).await);
    // a domain that crosses no border needs nobody beyond it
    let new = NewDomain {
        shield: Shield::PerArea,
        ..domain("mainland.example.com", AreaScope::Mainland)
    };
    fixture.engine.add_domain(fixture.account.id, new).await.unwrap();
    let one = submission(Scope::Url, &["http://mainland.example.com/1"]);
    fixture.engine.purge(&fixture.account, one).await.unwrap();
    assert_eq!(turn(&fixture).await, ["middle-mainland"]);
    assert_eq!(turn(&fixture).await, ["edge-mainland"]);
    assert!(is_done(&fixture).await);
}

#[tokio::test]
async fn a_purge_that_a_node_leaves_open_is_overdue_until_the_node_comes_back() {
    let fixture = Fixture::new().await;
    let one = submission(Scope::Path, &["http://www.example.com/x/"]);
    fixture.engine.purge(&fixture.account, one).await.unwrap();
    let found = async |state| {
        let states = Some(vec![state]);
        let filter = PurgeFilter { states, limit: 9, ..PurgeFilter::default() };
        let rows = fixture.engine.purges(&filter).await.unwrap().rows;
        rows.iter().all(|row| row.state == state) && rows.len() == 1
    };
    fixture.clock.advance(Duration::from_secs(600));
    assert!(found(PurgeState::Processing).await, "it has ten minutes");
    fixture.clock.advance(Duration::from_millis(1));
    assert!(found(PurgeState::Overdue).await && !found(PurgeState::Processing).await);
    for _ in 0..3 {
        assert!(!found(PurgeState::Done).await);
        turn(&fixture).await;
    }
    assert!(found(PurgeState::Done).await && !found(PurgeState::Overdue).await);
}

#[tokio::test]
async fn edges_purge_past_a_silent_middle_node_and_again_when_it_is_back() {
    let fixture = Fixture::new().await;
    let one = submission(Scope::Path, &["http://www.example.com/x/"]);
    fixture.engine.purge(&fixture.account, one).await.unwrap();
    let purge = async |node: &str| {
        let orders = fixture.engine.purge_orders(node, Duration::ZERO).await.unwrap();
        for order in &orders {
            fixture.engine.purged(node, order.number).await.unwrap();
        }
        orders.len()
    };
    let budget = Duration::from_secs(1);
    assert_eq!(purge("middle-mainland").await, 1);
    fixture.engine.sweep(budget).await.unwrap();
    assert_eq!(purge("edge-mainland").await, 0, "the other one may be slow");
    fixture.clock.advance(Duration::from_secs(31));
    for name in &NODES[..3] {
        fixture.engine.purged(name, 0).await.unwrap();
    }
    fixture.engine.sweep(budget).await.unwrap();
    for edge in &NODES[..2] {
        assert_eq!(purge(edge).await, 1, "{edge}");
    }
    assert_eq!(purge("middle-mainland").await, 0);
    fixture.engine.sweep(budget).await.unwrap();
    assert!(turn(&fixture).await == ["middle-overseas"] && !is_done(&fixture).await);
    assert_eq!(turn(&fixture).await, NODES[2..]);
    assert!(!is_done(&fixture).await);
    assert_eq!(turn(&fixture).await, NODES[..2]);
    assert!(is_done(&fixture).await);
}

fn partial(scope: Scope, targets: &[&str]) -> PurgeSubmission {
    let targets = targets.iter().map(|target| (*target).into()).collect();
    PurgeSubmission {
        hosts: vec![HOST.into(), "stranger.example.org".into()],
        method: Method::Invalidate,
        batch_limit: BatchLimit::AtMost(9),
        ..PurgeSubmission::new(Product::ZonePurgeTag, scope, targets)
    }
}

#[tokio::test]
async fn what_can_be_purged_is_and_the_rest_is_named() {
    let fixture = Fixture::new().await;
    let url = "http://www.example.com/1";
    let list = [url, "ftp://x", url, "http://stranger.example.org/", "http://www.example.com/2"];
    let purge = PurgeSubmission { product: Product::ZonePurgeUrl, ..partial(Scope::Url, &list) };
    let done = fixture.engine.purge_what_can_be(&fixture.account, purge).await.unwrap();
    let receipt = done.receipt.unwrap();
    assert_eq!((receipt.targets, receipt.merged), (2, 1));
    let refused: Vec<usize> = done.refused.iter().map(|(index, _)| *index).collect();
    assert_eq!(refused, [1, 3]);
    let quota = fixture.engine.quota(fixture.account.id, Product::ZonePurgeUrl).await.unwrap();
    assert_eq!(quota[0].used, 2, "counted once, wherever it goes");
    let none = partial(Scope::Url, &["ftp://x"]);
    let done = fixture.engine.purge_what_can_be(&fixture.account, none).await.unwrap();
    assert!(done.receipt.is_none() && done.refused.len() == 1);
}

#[tokio::test]
async fn a_tag_goes_to_the_domains_of_the_caller_and_costs_one() {
    let fixture = Fixture::new().await;
    let purge = partial(Scope::Tag, &["news", "a b", "news"]);
    let done = fixture.engine.purge_what_can_be(&fixture.account, purge).await.unwrap();
    assert_eq!(done.receipt.unwrap().targets, 1);
    assert!(matches!(done.refused[..], [(1, PurgeError::Tag { .. })]));
    let orders = fixture.engine.purge_orders(MIDDLE, Duration::ZERO).await.unwrap();
    assert_eq!(orders[0].targets, [format!("{HOST} news")]);
    let whole = PurgeSubmission { units: Some(1), ..partial(Scope::Tag, &["x", "y"]) };
    fixture.engine.purge_what_can_be(&fixture.account, whole).await.unwrap();
    let quota = fixture.engine.quota(fixture.account.id, Product::ZonePurgeTag).await.unwrap();
    assert_eq!(quota[0].used, 2);
}

#[tokio::test]
async fn a_prefetch_after_a_purge_is_leased_when_its_node_has_purged() {
    let fixture = Fixture::new().await;
    let target = format!("http://{HOST}/1");
    let one = submission(Scope::Url, &[&target, &target]);
    let receipt = fixture.engine.purge(&fixture.account, one).await.unwrap();
    assert_eq!((receipt.targets, receipt.merged), (1, 1));
    fixture.submit(&[&target]).await;
    assert!(fixture.lease().await.is_empty());
    turn(&fixture).await;
    assert!(fixture.lease().await.is_empty(), "{MIDDLE} has another turn");
    turn(&fixture).await;
    assert_eq!(fixture.lease().await.len(), 1);
}

#[tokio::test]
async fn a_node_that_waits_is_woken_by_a_purge_and_by_its_turn() {
    let fixture = Fixture::new().await;
    let wait = Duration::from_secs(60);
    let purge = async {
        let one = submission(Scope::Path, &["http://www.example.com/"]);
        fixture.engine.purge(&fixture.account, one).await.unwrap();
        turn(&fixture).await;
        turn(&fixture).await;
    };
    let started = tokio::time::Instant::now();
    let edge = fixture.engine.purge_orders("edge-overseas", wait);
    let (orders, ()) = tokio::join!(edge, purge);
    assert_eq!(orders.unwrap().len(), 1);
    assert!(started.elapsed() < wait);
}

#[tokio::test]
async fn each_refusal_is_told_and_costs_nothing() {
    let fixture = Fixture::new().await;
    let owner = fixture.account.id;
    let mainland = domain("mainland.example.com", AreaScope::Mainland);
    fixture.engine.add_domain(owner, mainland).await.unwrap();
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
        let error = fixture.engine.purge(&fixture.account, case).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
    assert!(turn(&fixture).await.is_empty());
    // each area is charged for the targets that go there
    let both = submission(Scope::Path, &[fine, "http://mainland.example.com/"]);
    fixture.engine.purge(&fixture.account, both).await.unwrap();
    let product = Product::DomainPurgePath;
    let quota = fixture.engine.quota(owner, product).await.unwrap();
    assert_eq!((quota[0].used, quota[1].used), (2, 1));
    let many: Vec<String> = (0..99).map(|number| format!("{fine}{number}/")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let many =
        PurgeSubmission { batch_limit: BatchLimit::AtMost(500), ..submission(Scope::Path, &many) };
    let error = fixture.engine.purge(&fixture.account, many).await.unwrap_err();
    let PurgeError::Refused(SubmitError::OverQuota { available, needed, .. }) = error else {
        panic!("{error}");
    };
    assert_eq!((available, needed), (98, 99));
}
