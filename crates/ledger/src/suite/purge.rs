//! Purges: their orders, their phases, and what waits for them.

use std::sync::Arc;

use stoker_domain::{
    area::{Area, AreaScope},
    purge::{Method, PurgeOrder, Scope},
    quota::{self, Counter, Product},
    task::TaskId,
    view::{PurgeFilter, PurgeState, PurgeTarget},
};

use super::fixture::{Fixture, LEASE, T0, at, urls};
use crate::{Charge, ErrorKind, Ledger, NewPurge};

fn counter(area: Area) -> Counter {
    Counter { product: Product::DomainPurgePath, area, day: quota::day(T0) }
}

fn purge(fixture: &Fixture, id: &str, urls: &[&str], phases: &[&[&str]]) -> NewPurge {
    let charge = Charge { counter: counter(Area::Mainland), daily: 3 };
    let target = |url: &&str| PurgeTarget {
        url: (*url).into(),
        host: url.split('/').nth(2).unwrap_or_default().into(),
    };
    NewPurge {
        id: TaskId(id.into()),
        account: fixture.account,
        product: Product::DomainPurgePath,
        scope: Scope::Path,
        method: Method::Invalidate,
        areas: AreaScope::Mainland,
        created_at: T0,
        targets: urls.iter().map(target).collect(),
        charges: vec![(charge, urls.len() as u64)],
        phases: phases
            .iter()
            .map(|nodes| nodes.iter().map(|node| (*node).into()).collect())
            .collect(),
    }
}

async fn orders(ledger: &Arc<dyn Ledger>, node: &str) -> Vec<PurgeOrder> {
    ledger.purge_orders(node, 9).await.expect("orders")
}

/// Confirms the one order of `node`; the nodes that have one now, and whether the purge is done.
async fn confirm(ledger: &Arc<dyn Ledger>, node: &str) -> (Vec<String>, bool) {
    let open = orders(ledger, node).await;
    assert_eq!(open.len(), 1, "{node}");
    let purged = ledger.purged(node, open[0].number, at(1)).await.expect("confirm");
    assert!(purged.is_new);
    (purged.released, purged.finished.is_some())
}

pub async fn a_purge_is_done_when_every_node_of_every_phase_has_confirmed(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let ledger = &fixture.ledger;
    let phases: [&[&str]; 3] = [&["m1", "m2"], &["m1", "m2"], &["e1"]];
    let urls = ["http://a.example/x/", "http://a.example/y/"];
    ledger.submit_purge(purge(&fixture, "p", &urls, &phases)).await.expect("submit");
    let seen = orders(ledger, "m1").await;
    assert_eq!((seen[0].scope, seen[0].method), (Scope::Path, Method::Invalidate));
    assert_eq!(seen[0].targets, urls);
    assert!(orders(ledger, "e1").await.is_empty(), "it would fetch the old again");
    assert_eq!(confirm(ledger, "m1").await, (vec![], false));
    assert!(orders(ledger, "m1").await.is_empty(), "the other one is not done");
    assert_eq!(confirm(ledger, "m2").await, (vec!["m1".into(), "m2".into()], false));
    assert_eq!(confirm(ledger, "m2").await, (vec![], false));
    assert_eq!(confirm(ledger, "m1").await, (vec!["e1".into()], false));
    let page = ledger.purges(&PurgeFilter { limit: 9, ..PurgeFilter::default() }).await;
    assert_eq!(page.expect("purges").rows[0].finished_at, None);
    assert_eq!(confirm(ledger, "e1").await, (vec![], true));
    let page = ledger.purges(&PurgeFilter { limit: 9, ..PurgeFilter::default() }).await;
    assert_eq!(page.expect("purges").rows[0].finished_at, Some(at(1)));
    let nodes = ledger.purge_nodes(&TaskId("p".into())).await.expect("nodes");
    let named: Vec<_> = nodes.iter().map(|node| (&*node.node, node.phase)).collect();
    assert_eq!(named, [("m1", 0), ("m2", 0), ("m1", 1), ("m2", 1), ("e1", 2)]);
    assert!(nodes.iter().all(|node| node.done_at == Some(at(1))));
}

pub async fn the_edges_are_ordered_early_and_again_where_a_silent_node_is_waited_for(
    ledger: Arc<dyn Ledger>,
) {
    let fixture = Fixture::new(ledger).await;
    let ledger = &fixture.ledger;
    let phases: [&[&str]; 3] = [&["m1", "m2"], &["m1", "m2"], &["e1", "e2"]];
    let new = purge(&fixture, "p", &["http://a.example/x/"], &phases);
    ledger.submit_purge(new).await.expect("submit");
    let silent = ["m2".to_owned(), "e2".to_owned()];
    let past = async || ledger.release_phase_early(&silent, at(2)).await.expect("early orders");
    assert_eq!(past().await, [""; 0], "m1 lives and has not confirmed");
    confirm(ledger, "m1").await;
    assert_eq!(past().await, ["e1"]);
    assert_eq!(past().await, [""; 0], "once");
    assert_eq!(confirm(ledger, "e1").await, (vec![], false));
    assert_eq!(past().await, [""; 0]);
    // back again: all turns are taken, that of e1 too
    assert_eq!(confirm(ledger, "m2").await, (vec!["m1".into(), "m2".into()], false));
    assert_eq!(confirm(ledger, "m2").await, (vec![], false));
    assert_eq!(confirm(ledger, "m1").await, (vec!["e1".into(), "e2".into()], false));
    assert_eq!(confirm(ledger, "e1").await, (vec![], false));
    assert_eq!(confirm(ledger, "e2").await, (vec![], true));
}

pub async fn orders_are_numbered_upwards_and_confirmed_once(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let ledger = &fixture.ledger;
    for id in ["p", "q", "r"] {
        let purge = purge(&fixture, id, &["http://a.example/"], &[&["e1"]]);
        ledger.submit_purge(purge).await.expect("submit");
    }
    let open = orders(ledger, "e1").await;
    let numbers: Vec<u64> = open.iter().map(|order| order.number).collect();
    assert!(numbers.is_sorted() && numbers.len() == 3 && numbers[0] < numbers[1], "{numbers:?}");
    assert!(numbers[0] >= T0.as_millis().unsigned_abs() * 1000, "above those of an older ledger");
    assert_eq!(ledger.purge_orders("e1", 2).await.expect("orders"), open[..2]);
    assert!(ledger.purged("e1", numbers[1], at(1)).await.expect("confirm").finished.is_some());
    for (node, number) in [("e1", numbers[1]), ("e1", 7), ("e2", numbers[0])] {
        let again = ledger.purged(node, number, at(2)).await.expect("confirm");
        assert!(!again.is_new && again.finished.is_none(), "{node} {number}");
    }
    assert_eq!(orders(ledger, "e1").await.len(), 2);
}

pub async fn an_unconfirmed_order_holds_back_the_jobs_of_its_account_and_node(
    ledger: Arc<dyn Ledger>,
) {
    let fixture = Fixture::new(ledger).await;
    let ledger = &fixture.ledger;
    let phases: [&[&str]; 2] = [&["m1"], &["e1"]];
    ledger
        .submit_purge(purge(&fixture, "p", &["http://a.example/"], &phases))
        .await
        .expect("submit");
    fixture.submit("t", &urls("a.example", 2), &["m1", "e1", "e2"]).await;
    let stranger = Fixture { account: fixture.stranger, ..fixture.clone() };
    stranger.submit("s", &urls("b.example", 2), &["e1"]).await;
    let leased = async |node: &str| -> Vec<String> {
        let jobs = ledger.lease(node, 9, at(1), at(1) + LEASE, 1).await.expect("lease");
        jobs.into_iter().map(|job| job.task.0).collect()
    };
    assert_eq!(leased("m1").await, [""; 0]);
    assert_eq!(ledger.next_due("m1").await.expect("next due"), None);
    assert_eq!(leased("e2").await, ["t"], "the purge does not concern it");
    assert_eq!(leased("e1").await, ["s"], "nor this account");
    confirm(ledger, "m1").await;
    assert_eq!(leased("m1").await, ["t"]);
    assert_eq!(leased("e1").await, [""; 0], "its order is out and not confirmed");
    confirm(ledger, "e1").await;
    assert!(ledger.next_due("e1").await.expect("next due").is_some());
    assert_eq!(leased("e1").await, ["t"]);
}

pub async fn a_purge_over_quota_writes_nothing(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let ledger = &fixture.ledger;
    let urls = ["http://a.example/x/", "http://a.example/y/"];
    let new = |id| purge(&fixture, id, &urls, &[&["e1"]]);
    ledger.submit_purge(new("p")).await.expect("submit");
    let error = ledger.submit_purge(new("q")).await.expect_err("one is left");
    let counter = counter(Area::Mainland);
    assert_eq!(error.kind, ErrorKind::OverQuota { counter, available: 1, needed: 2 });
    assert_eq!(ledger.used(fixture.account, counter).await.expect("used"), 2);
    assert_eq!(orders(ledger, "e1").await.len(), 1);
    let nobody = NewPurge { charges: vec![], ..purge(&fixture, "r", &urls, &[]) };
    let error = ledger.submit_purge(nobody).await.expect_err("no node");
    assert_eq!(error.kind, ErrorKind::NotFound);
}

pub async fn purges_are_listed_newest_first_by_every_condition(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let ledger = &fixture.ledger;
    let new = |id, urls: &[&str], node| NewPurge {
        charges: vec![],
        ..purge(&fixture, id, urls, &[&[node]])
    };
    let first = new("p", &["http://a.example/x/", "http://b.example/x/"], "e1");
    let second = NewPurge {
        product: Product::ZonePurgeUrl,
        scope: Scope::Url,
        method: Method::Delete,
        areas: AreaScope::Global,
        created_at: at(10),
        ..new("q", &["http://a.example/1"], "e2")
    };
    let third = NewPurge { account: fixture.stranger, ..new("r", &["http://c.example/"], "e1") };
    for purge in [first, second, third] {
        ledger.submit_purge(purge).await.expect("submit");
    }
    confirm(ledger, "e2").await;
    let found = async |filter: PurgeFilter| -> Vec<String> {
        let page = ledger.purges(&PurgeFilter { limit: 9, ..filter }).await.expect("purges");
        assert_eq!(page.total, page.rows.len() as u64);
        page.rows.into_iter().map(|row| row.url.split_once("//").expect("a URL").1.into()).collect()
    };
    let own = || PurgeFilter { account: Some(fixture.account), ..PurgeFilter::default() };
    let all = ["a.example/1", "a.example/x/", "b.example/x/"];
    assert_eq!(found(own()).await, all);
    let one = PurgeFilter { offset: 1, limit: 1, ..own() };
    let page = ledger.purges(&one).await.expect("purges");
    assert_eq!((page.total, &*page.rows[0].url), (3, "http://a.example/x/"));
    let per_purge = PurgeFilter { is_per_purge: true, limit: 1, offset: 1, ..own() };
    let page = ledger.purges(&per_purge).await.expect("purges");
    let row = &page.rows[0];
    assert_eq!((page.total, &*row.id.0, row.targets), (2, "p", Some(2)));
    let id = Some(TaskId("q".into()));
    assert_eq!(found(PurgeFilter { id, ..own() }).await, all[..1]);
    assert_eq!(found(PurgeFilter { from: Some(at(1)), ..own() }).await, all[..1]);
    assert_eq!(found(PurgeFilter { to: Some(at(1)), ..own() }).await, all[1..]);
    let of = |hosts: &[&str]| Some(hosts.iter().map(|host| (*host).into()).collect());
    assert_eq!(found(PurgeFilter { hosts: of(&["b.example"]), ..own() }).await, all[2..]);
    let hosts = of(&["b.example", "c.example", "a.example"]);
    assert_eq!(found(PurgeFilter { hosts, ..own() }).await, all);
    assert!(found(PurgeFilter { hosts: of(&[]), ..own() }).await.is_empty());
    let urls = Some(vec!["http://a.example/1".into(), "http://b.example/x/".into()]);
    assert_eq!(found(PurgeFilter { urls, ..own() }).await, ["a.example/1", "b.example/x/"]);
    assert_eq!(found(PurgeFilter { text: Some("e/x".into()), ..own() }).await, all[1..]);
    let products = Some(vec![Product::ZonePurgeUrl, Product::ZonePurgeHost]);
    assert_eq!(found(PurgeFilter { products, ..own() }).await, all[..1]);
    assert_eq!(found(PurgeFilter { area: Some(Area::Overseas), ..own() }).await, all[..1]);
    assert_eq!(found(PurgeFilter { scope: Some(Scope::Path), ..own() }).await, all[1..]);
    let of = async |states: &[PurgeState], overdue| {
        found(PurgeFilter { states: Some(states.into()), overdue, ..own() }).await
    };
    use PurgeState::{Done, Overdue, Processing};
    assert_eq!(of(&[Done], Some(at(99))).await, all[..1], "what is done is never overdue");
    assert_eq!(of(&[Processing], None).await, all[1..]);
    assert!(of(&[Overdue], None).await.is_empty());
    assert_eq!(of(&[Overdue], Some(at(1))).await, all[1..]);
    assert!(of(&[Processing], Some(at(1))).await.is_empty());
    assert_eq!(of(&[Processing], Some(T0)).await, all[1..], "it has its whole time");
    assert_eq!(of(&[Overdue, Done], Some(at(1))).await, all);
    assert!(of(&[], None).await.is_empty());
    let overdue = PurgeFilter { overdue: Some(at(1)), limit: 9, ..own() };
    let rows = ledger.purges(&overdue).await.expect("purges").rows;
    let told: Vec<_> = rows.iter().map(|row| (row.state, row.product, &*row.host)).collect();
    let path = Product::DomainPurgePath;
    let first = (Done, Product::ZonePurgeUrl, "a.example");
    assert_eq!(told, [first, (Overdue, path, "a.example"), (Overdue, path, "b.example")]);
}

pub async fn an_order_for_tags_names_the_host_of_each(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let ledger = &fixture.ledger;
    let target = |host: &str| PurgeTarget { url: "news".into(), host: host.into() };
    let purge = NewPurge {
        product: Product::ZonePurgeTag,
        scope: Scope::Tag,
        targets: vec![target("a.example"), target("b.example")],
        ..purge(&fixture, "p", &[], &[&["e1"]])
    };
    ledger.submit_purge(purge).await.expect("submit");
    let open = orders(ledger, "e1").await;
    assert_eq!((open[0].scope, &open[0].targets[..]), (Scope::Tag, &named()[..]));
    let page = ledger.purges(&PurgeFilter { limit: 9, ..PurgeFilter::default() }).await;
    let rows = page.expect("purges").rows;
    assert_eq!((&*rows[1].url, &*rows[1].host, rows[1].scope), ("news", "b.example", Scope::Tag));
}

fn named() -> [String; 2] {
    ["a.example news".into(), "b.example news".into()]
}
