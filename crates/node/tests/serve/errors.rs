//! Errors that are kept, or were met a moment ago, and a prefetch of what was published since.

use std::time::Duration;

use stoker_domain::{
    job::ItemReport,
    outcome::{Outcome, Uncacheable},
    task::FetchOptions,
    time::Clock,
};
use stoker_testkit::{Script, content};

use crate::support::{HOST, Net};

const EDGES: [&str; 2] = ["edge-mainland", "edge-overseas"];
const NODES: [&str; 4] = ["edge-mainland", "edge-overseas", "middle-mainland", "middle-overseas"];

/// Prefetches `path` for a task that is accepted now, on all nodes at once.
async fn prefetch(net: &Net, id: i64, path: &str) -> Vec<ItemReport> {
    net.clock.advance(Duration::from_millis(1));
    let url = format!("http://{HOST}{path}");
    for node in NODES {
        net.sources[node].accept_at(net.clock.now());
        net.sources[node].put(id, &[&url], 0, FetchOptions::default());
    }
    let mut reports = Vec::new();
    for node in NODES {
        reports.push(net.sources[node].ended(id).await.remove(0));
    }
    reports
}

/// Viewers in both areas meet the error, so that every node keeps or remembers it.
async fn meet(net: &Net, path: &str, status: u16) {
    for edge in EDGES {
        assert_eq!(net.get(edge, path, &[]).await.status, status, "{path}");
    }
}

/// Errors as origins give them: kept for a while, for ever, or not at all.
fn errors() -> Vec<(&'static str, u16, Script)> {
    let kept = |status| Script::status(status).field("cache-control", "max-age=600");
    let moved = Script::status(301).field("location", "/elsewhere");
    vec![
        ("/404-kept", 404, kept(404)),
        ("/404-tagged", 404, kept(404).etag("\"v1\"")),
        ("/410-kept", 410, kept(410)),
        ("/500-kept", 500, kept(500)),
        ("/503-kept", 503, kept(503)),
        ("/302-kept", 302, kept(302).field("location", "/elsewhere")),
        ("/301-by-default", 301, moved),
        ("/404-not-kept", 404, Script::status(404)),
        ("/404-private", 404, Script::status(404).field("cache-control", "no-store")),
    ]
}

#[tokio::test]
async fn what_is_published_after_an_error_is_prefetched_and_the_origin_is_asked_once() {
    let net = Net::full().await;
    for (id, (path, status, error)) in (1..).zip(errors()) {
        net.origin.on(path, error);
        meet(&net, path, status).await;
        net.origin.on(path, Script::new(content(5000, 1)).etag("\"v2\""));
        let before = net.origin.requests_for(path).len();
        for report in prefetch(&net, id, path).await {
            let there = [Outcome::Filled, Outcome::AlreadyFresh];
            assert!(there.contains(&report.outcome), "{path}: {report:?}");
        }
        assert_eq!(net.origin.requests_for(path).len() - before, 1, "{path}");
        for edge in EDGES {
            let reply = net.get(edge, path, &[]).await;
            assert_eq!((reply.status, reply.status_is_hit()), (200, true), "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_still_missing_is_asked_for_once_by_all_nodes_of_a_task() {
    let net = Net::full().await;
    for (id, (path, status, error)) in (1..).zip(errors()) {
        net.origin.on(path, error);
        meet(&net, path, status).await;
        for again in [100, 200] {
            let before = net.origin.requests_for(path).len();
            for report in prefetch(&net, again + id, path).await {
                assert_eq!(report.outcome, Outcome::OriginStatus(status), "{path}: {report:?}");
            }
            assert_eq!(net.origin.requests_for(path).len() - before, 1, "{path}");
        }
    }
}

#[tokio::test]
async fn content_that_may_not_be_kept_takes_the_place_of_an_error_that_is() {
    let net = Net::full().await;
    net.origin.on("/a", Script::status(404).field("cache-control", "max-age=600"));
    meet(&net, "/a", 404).await;
    for node in NODES {
        net.until_hit(node, "/a", &[]).await;
    }
    net.origin.on("/a", Script::new("content").field("cache-control", "no-store"));
    for report in prefetch(&net, 1, "/a").await {
        assert_eq!(report.outcome, Outcome::Uncacheable(Uncacheable::NoStore), "{report:?}");
    }
    for edge in EDGES {
        let reply = net.get(edge, "/a", &[]).await;
        assert_eq!((reply.status, reply.text()), (200, "content".to_owned()));
    }
}
