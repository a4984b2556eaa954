//! Purges: what viewers get after them, whatever was under way.

use std::sync::Arc;

use stoker_domain::{
    job::ItemReport,
    outcome::{OriginFault, Outcome},
    purge::{Method, Scope, tagged as tagged_as},
    retry::is_worth_retrying,
};
use stoker_testkit::{Script, content, eventually};

use crate::support::{HOST, Net, SOON, Source};

const DELETE: Method = Method::Delete;

fn url(path: &str) -> String {
    format!("http://{HOST}{path}")
}

fn page(text: &'static str, etag: &str) -> Script {
    Script::new(text).etag(etag)
}

#[tokio::test]
async fn after_a_purge_of_its_path_a_hit_is_a_miss_and_others_stay() {
    let net = Net::single().await;
    for path in ["/a/1", "/b/1"] {
        net.origin.on(path, page("old", "\"v1\""));
        net.get("edge", path, &[]).await;
        net.until_hit("edge", path, &[]).await;
        net.origin.on(path, page("new", "\"v2\""));
    }
    net.sources["edge"].purge(1, Scope::Path, DELETE, &url("/a/")).await;
    let reply = net.get("edge", "/a/1", &[]).await;
    assert_eq!((reply.text().as_str(), reply.status_is_hit()), ("new", false));
    assert_eq!(
        net.origin.requests_for("/a/1")[1].field("if-none-match"),
        "",
        "nothing is validated"
    );
    assert!(net.get("edge", "/b/1", &[]).await.status_is_hit());
    net.sources["edge"].purge(2, Scope::Url, DELETE, &url("/b/1")).await;
    assert_eq!(net.get("edge", "/b/1", &[]).await.text(), "new");
    net.until_hit("edge", "/a/1", &[]).await;
}

#[tokio::test]
async fn a_purge_of_a_tag_finds_what_the_origin_tagged_on_every_tier_and_after_a_restart() {
    let mut net = Net::full().await;
    let nodes = ["middle-mainland", "middle-overseas", "edge-mainland"];
    let tagged = |text, tags| page(text, "\"v1\"").field("Cache-Tag", tags);
    for (path, tags) in [("/1", "x, news"), ("/2", "new"), ("/3", "news")] {
        net.origin.on(path, tagged("old", tags));
        let reply = net.get("edge-mainland", path, &[]).await;
        assert_eq!(reply.field("cache-tag"), "", "no viewer sees it");
        net.until_hit("edge-mainland", path, &[]).await;
        net.origin.on(path, tagged("new", tags));
    }
    let tag = tagged_as(HOST, "news");
    net.sources[nodes[2]].purge(1, Scope::Tag, Method::Delete, &tag).await;
    net.restart(nodes[2]).await;
    assert!(net.get(nodes[2], "/2", &[]).await.status_is_hit());
    // a shield holds it too, under the same tag
    assert_eq!(net.get(nodes[2], "/1", &[]).await.text(), "old");
    for (number, node) in (2..).zip(nodes) {
        net.sources[node].purge(number, Scope::Tag, Method::Delete, &tag).await;
    }
    for (path, text) in [("/1", "new"), ("/2", "old"), ("/3", "new")] {
        assert_eq!(net.get(nodes[2], path, &[]).await.text(), text, "{path}");
    }
}

#[tokio::test]
async fn what_is_invalidated_by_its_tag_is_confirmed_and_a_hit_again() {
    let net = Net::single().await;
    net.origin.on("/a", page("same", "\"v1\"").field("Cache-Tag", "news"));
    net.get("edge", "/a", &[]).await;
    net.until_hit("edge", "/a", &[]).await;
    let tag = tagged_as(HOST, "news");
    net.sources["edge"].purge(1, Scope::Tag, Method::Invalidate, &tag).await;
    assert_eq!(net.get("edge", "/a", &[]).await.text(), "same");
    let seen = net.origin.requests_for("/a");
    assert_eq!((seen.len(), seen[1].field("if-none-match")), (2, "\"v1\""));
    net.until_hit("edge", "/a", &[]).await;
    assert_eq!(net.origin.requests_for("/a").len(), 2);
}

#[tokio::test]
async fn what_is_invalidated_is_confirmed_once_and_then_a_hit_again() {
    let net = Net::single().await;
    net.origin.on("/a/1", page("same", "\"v1\""));
    net.get("edge", "/a/1", &[]).await;
    net.until_hit("edge", "/a/1", &[]).await;
    net.sources["edge"].purge(1, Scope::Path, Method::Invalidate, &url("/")).await;
    let only = [("cache-control", "only-if-cached")];
    assert_eq!(net.get("edge", "/a/1", &only).await.status, 504);
    let reply = net.get("edge", "/a/1", &[]).await;
    assert_eq!(reply.text(), "same");
    let seen = net.origin.requests_for("/a/1");
    assert_eq!((seen.len(), seen[1].field("if-none-match"), seen[1].sent()), (2, "\"v1\"", 0));
    net.until_hit("edge", "/a/1", &[]).await;
    assert_eq!(net.origin.requests_for("/a/1").len(), 2);
    // and where the origin has something else, that
    net.sources["edge"].purge(2, Scope::Path, Method::Invalidate, &url("/")).await;
    net.origin.on("/a/1", page("other", "\"v2\""));
    assert_eq!(net.get("edge", "/a/1", &[]).await.text(), "other");
}

#[tokio::test]
async fn a_fill_that_runs_during_a_purge_is_not_kept_and_nobody_joins_it() {
    let tag = tagged_as(HOST, "news");
    for (scope, purged) in [(Scope::Path, url("/")), (Scope::Url, url("/a")), (Scope::Tag, tag)] {
        for size in [100_000, 5 << 20] {
            let net = Net::single().await;
            let old = content(size, 1);
            let new = content(size, 2);
            let script = Script::new(old.clone()).etag("\"v1\"").field("Cache-Tag", "news");
            net.origin.on("/a", script.hold_after(50_000));
            let first = net.get("edge", "/a", &[]);
            let meanwhile = async {
                eventually(SOON, "asked", || async {
                    (!net.origin.requests_for("/a").is_empty()).then_some(())
                })
                .await;
                net.sources["edge"].purge(1, scope, DELETE, &purged).await;
                net.origin.on("/a", Script::new(new.clone()).etag("\"v2\""));
                // whoever comes now does not join what began before
                let second = net.get("edge", "/a", &[]).await;
                assert!(second.is_whole && second.body == new, "{scope} {size}");
                net.origin.release();
            };
            let (first, ()) = tokio::join!(first, meanwhile);
            // a large one is cut short, for the rest of it would be asked of the store
            assert!(first.is_whole || size > 1 << 20, "{scope} {size}");
            assert!(old.starts_with(&first.body) || first.body == new, "{scope} {size}: mixed");
            let hit = net.until_hit("edge", "/a", &[]).await;
            assert!(hit.body == new, "{scope} {size}: resurrected");
        }
    }
}

/// What is reported of a prefetch of `/a` during which all is purged.
async fn overtaken(net: &Net, method: Method) -> ItemReport {
    let source = &net.sources["edge"];
    let target = url("/a");
    let prefetch = source.run(1, &target, 0);
    let meanwhile = async {
        eventually(SOON, "asked", || async {
            (!net.origin.requests_for("/a").is_empty()).then_some(())
        })
        .await;
        source.purge(1, Scope::Path, method, &url("/")).await;
        net.origin.release();
    };
    tokio::join!(prefetch, meanwhile).0
}

#[tokio::test]
async fn a_prefetch_that_a_purge_overtakes_says_so_and_the_next_attempt_fetches_anew() {
    for method in [DELETE, Method::Invalidate] {
        let net = Net::single().await;
        net.origin.on("/a", page("old", "\"v1\"").hold_after(1));
        let report = overtaken(&net, method).await;
        assert_eq!(report.outcome, Outcome::OriginError(OriginFault::Changed), "{method:?}");
        assert!(is_worth_retrying(report.outcome));
        net.origin.on("/a", page("new", "\"v2\""));
        assert_eq!(net.sources["edge"].run(2, &url("/a"), 0).await.outcome, Outcome::Filled);
        assert_eq!(net.until_hit("edge", "/a", &[]).await.text(), "new");
    }
}

#[tokio::test]
async fn a_prefetch_that_an_invalidation_overtakes_is_confirmed_by_the_next_attempt() {
    let net = Net::single().await;
    net.origin.on("/a", page("same", "\"v1\"").hold_after(1));
    let detail = overtaken(&net, Method::Invalidate).await.detail.unwrap_or_default();
    assert!(detail.contains("a purge came"), "{detail}");
    assert_eq!(net.sources["edge"].run(2, &url("/a"), 0).await.outcome, Outcome::Revalidated);
    let seen = net.origin.requests_for("/a");
    assert_eq!((seen.len(), seen[1].field("if-none-match"), seen[1].sent()), (2, "\"v1\"", 0));
}

#[tokio::test]
async fn an_order_that_comes_again_changes_nothing_also_after_a_restart() {
    let mut net = Net::single().await;
    net.origin.on("/a", page("old", "\"v1\""));
    net.get("edge", "/a", &[]).await;
    net.until_hit("edge", "/a", &[]).await;
    net.sources["edge"].lose_confirmations(1);
    net.sources["edge"].put_purge(7, Scope::Path, DELETE, &url("/"));
    let source = &net.sources["edge"];
    eventually(SOON, "carried out", || async { (!source.purged().is_empty()).then_some(()) }).await;
    net.origin.on("/a", page("new", "\"v2\""));
    net.get("edge", "/a", &[]).await;
    eventually(SOON, "told again", || async { (source.purged().len() == 2).then_some(()) }).await;
    net.until_hit("edge", "/a", &[]).await;
    net.restart("edge").await;
    net.sources["edge"].purge(7, Scope::Path, DELETE, &url("/")).await;
    let hit = net.until_hit("edge", "/a", &[]).await;
    assert_eq!(hit.text(), "new");
    assert_eq!(net.origin.requests_for("/a").len(), 2);
    net.sources["edge"].purge(8, Scope::Path, DELETE, &url("/")).await;
    assert!(!net.get("edge", "/a", &[]).await.status_is_hit());
}

#[tokio::test]
async fn purged_tier_by_tier_nothing_old_is_served_by_edge_or_middle() {
    let net = Net::full().await;
    let nodes = ["middle-mainland", "middle-overseas", "edge-mainland", "edge-overseas"];
    for path in ["/a/1", "/a/2", "/a/3", "/a/4"] {
        net.origin.on(path, page("old", "\"v1\""));
        for edge in &nodes[2..] {
            net.get(edge, path, &[]).await;
            net.until_hit(edge, path, &[]).await;
        }
        net.origin.on(path, page("new", "\"v2\""));
    }
    // viewers come at every moment, and draw old content back from whoever still has it
    let all = || async {
        for edge in &nodes[2..] {
            for path in ["/a/1", "/a/2", "/a/3", "/a/4"] {
                net.get(edge, path, &[]).await;
            }
        }
    };
    let mut number = 0;
    for phase in [&nodes[..2], &nodes[..2], &nodes[2..]] {
        for node in phase {
            all().await;
            number += 1;
            net.sources[*node].purge(number, Scope::Path, DELETE, &url("/a/")).await;
        }
    }
    for node in &nodes[2..] {
        for path in ["/a/1", "/a/2", "/a/3", "/a/4"] {
            assert_eq!(net.get(node, path, &[]).await.text(), "new", "{node} {path}");
        }
    }
}

/// A node that holds `/a` and was away when that was purged.
async fn away() -> (Net, Arc<Source>) {
    let net = Net::single().await;
    net.origin.on("/a", page("old", "\"v1\""));
    net.get("edge", "/a", &[]).await;
    net.until_hit("edge", "/a", &[]).await;
    net.origin.on("/a", page("new", "\"v2\""));
    let source = Arc::<Source>::default();
    source.put_purge(1, Scope::Path, DELETE, &url("/"));
    (net, source)
}

#[tokio::test]
async fn a_node_that_comes_back_forgets_first_and_serves_then() {
    let (mut net, source) = away().await;
    net.restart_with("edge", Arc::clone(&source)).await;
    assert_eq!(source.purged(), [1], "before the start is over");
    assert_eq!(net.get("edge", "/a", &[]).await.text(), "new");
}

#[tokio::test]
async fn a_node_whose_purges_are_not_confirmed_asks_to_come_later() {
    let (mut net, source) = away().await;
    source.lose_confirmations(usize::MAX);
    source.put(1, &[&url("/b")], 0, Default::default());
    net.restart_with("edge", Arc::clone(&source)).await;
    let reply = net.get("edge", "/a", &[]).await;
    assert_eq!((reply.status, reply.field("retry-after").as_str()), (503, "1"));
    assert!(reply.cache_status().contains("catching-up"), "{}", reply.cache_status());
    assert!(source.leased().is_empty(), "jobs wait too");
    source.lose_confirmations(0);
    eventually(SOON, "the gate", || async {
        (net.get("edge", "/a", &[]).await.text() == "new").then_some(())
    })
    .await;
    source.ended(1).await;
}

#[tokio::test]
async fn a_node_that_hears_nothing_serves_after_a_while_and_purges_when_it_does() {
    let (mut net, source) = away().await;
    source.be_deaf(true);
    net.restart_with("edge", Arc::clone(&source)).await;
    let only = [("cache-control", "only-if-cached")];
    let reply = eventually(SOON, "service", || async {
        let reply = net.get("edge", "/a", &only).await;
        (reply.status != 503).then_some(reply)
    })
    .await;
    assert_eq!(reply.text(), "old");
    source.be_deaf(false);
    eventually(SOON, "the purge", || async { source.purged().contains(&1).then_some(()) }).await;
    assert_eq!(net.get("edge", "/a", &[]).await.text(), "new");
}
