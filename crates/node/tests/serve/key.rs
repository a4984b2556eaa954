//! What a stored response answers: every spelling of its URL, and one life of its host.

use stoker_domain::{
    account::AccountId,
    outcome::{Block, Outcome},
    purge::{Method, Scope},
    task::FetchOptions,
};
use stoker_testkit::{Script, content, eventually};

use crate::support::{HOST, Net, SOON};

fn url(path: &str) -> String {
    format!("http://{HOST}{path}")
}

#[tokio::test]
async fn targets_viewers_children_and_purges_know_every_spelling_of_a_url() {
    let net = Net::full().await;
    let edge = &net.sources["edge-mainland"];
    const NORMAL: &str = "/caf%C3%A9/~1.ts?q=%E4";
    net.origin.on(NORMAL, Script::new("segment").etag("\"v1\""));
    let report = edge.run(1, &url("/caf%c3%a9/x/../%7e1.ts?q=%e4"), 0).await;
    assert_eq!(report.outcome, Outcome::Filled, "{:?}", report.detail);
    let mut id = 10;
    for spelling in [
        NORMAL,
        "/caf%c3%a9/%7E1.t%73?q=%e4",
        "/./%63af%C3%A9/~1.ts?%71=%E4",
        "/../caf\u{e9}/~1.ts?q=%e4",
    ] {
        let reply = net.get("edge-mainland", spelling, &[]).await;
        assert!(reply.status_is_hit(), "{spelling}: {}", reply.cache_status());
        id += 1;
        let report = edge.run(id, &url(&spelling.replace('\u{e9}', "%c3%a9")), 0).await;
        assert_eq!(report.outcome, Outcome::AlreadyFresh, "{spelling}");
    }
    // what a playlist names is resolved first
    net.origin.on("/caf%C3%A9/p.m3u8", Script::new("#EXTM3U\n#EXTINF:1,\n%7e1.ts?q=%e4\n"));
    let playlist = edge.run(3, &url("/caf%C3%a9/p.m3u8"), 1).await;
    let child = &playlist.children[0].url;
    assert_eq!(edge.run(4, child, 0).await.outcome, Outcome::AlreadyFresh, "{child}");
    assert_eq!(net.origin.requests_for(NORMAL).len(), 1);
    // and a purge of any spelling removes it
    for (number, (scope, spelling)) in
        (1..).zip([(Scope::Url, "/caf%c3%A9/%7e1.ts?q=%E4"), (Scope::Path, "/x/../ca%66%C3%a9/")])
    {
        edge.purge(number, scope, Method::Delete, &url(spelling)).await;
        let only_cached = [("cache-control", "only-if-cached")];
        assert!(
            !net.get("edge-mainland", NORMAL, &only_cached).await.status_is_hit(),
            "{spelling}"
        );
        net.get("edge-mainland", NORMAL, &[]).await;
        net.until_hit("edge-mainland", NORMAL, &[]).await;
    }
}

#[tokio::test]
async fn what_was_stored_in_a_former_life_of_a_host_is_never_served() {
    let net = Net::full().await;
    let edge = &net.sources["edge-mainland"];
    let live = |epoch| net.put_domain(|domain| domain.content_epoch = epoch);
    let kept_error = || Script::status(404).field("Cache-Control", "max-age=3600");
    live(1);
    net.origin.on("/x", Script::new("former").etag("\"v1\""));
    net.origin.on("/gone", kept_error());
    edge.run(1, &url("/x"), 0).await;
    net.get("edge-mainland", "/gone", &[]).await;
    assert!(net.get("edge-mainland", "/x", &[]).await.status_is_hit());
    live(2);
    // the same validator, so that a conditional request would be answered by 304
    net.origin.on("/x", Script::new("latter").etag("\"v1\""));
    net.origin.on("/gone", Script::new("here").etag("\"v1\""));
    let only_cached = [("cache-control", "only-if-cached")];
    for node in ["edge-mainland", "middle-mainland", "middle-overseas"] {
        assert!(!net.get(node, "/x", &only_cached).await.status_is_hit(), "{node}");
    }
    let report = edge.run(2, &url("/x"), 0).await;
    assert_eq!(report.outcome, Outcome::Filled, "{:?}", report.detail);
    assert_eq!(net.origin.requests_for("/x")[1].field("if-none-match"), "");
    assert_eq!(net.get("edge-mainland", "/x", &[]).await.text(), "latter");
    assert_eq!(net.get("edge-mainland", "/gone", &[]).await.text(), "here");
    // purges reach what has an epoch
    edge.purge(1, Scope::Path, Method::Delete, &url("/")).await;
    assert!(!net.get("edge-mainland", "/x", &only_cached).await.status_is_hit());
}

#[tokio::test]
async fn a_target_of_a_former_owner_is_not_fetched_from_the_new_owners_origin() {
    let net = Net::single().await;
    net.origin.on("/x", Script::new("latter").etag("\"v1\""));
    net.put_domain(|domain| domain.account = AccountId(2));
    let report = net.sources["edge"].run(1, &url("/x"), 0).await;
    assert_eq!(report.outcome, Outcome::Blocked(Block::Ownership));
    assert!(net.origin.requests_for("/x").is_empty());
}

#[tokio::test]
async fn a_fill_of_a_former_life_is_joined_by_nobody_and_its_content_not_served() {
    let net = Net::single().await;
    let edge = &net.sources["edge"];
    let former = content(3_000_000, 1);
    net.put_domain(|domain| domain.content_epoch = 1);
    net.origin.on("/x", Script::new(former).etag("\"v1\"").hold_after(1000));
    edge.put(1, &[&url("/x")], 0, FetchOptions::default());
    eventually(SOON, "the origin is asked", || async {
        (!net.origin.requests_for("/x").is_empty()).then_some(())
    })
    .await;
    net.put_domain(|domain| domain.content_epoch = 2);
    net.origin.on("/x", Script::new("latter").etag("\"v2\""));
    assert_eq!(net.get("edge", "/x", &[]).await.text(), "latter");
    net.origin.release();
    edge.ended(1).await;
    assert_eq!(net.until_hit("edge", "/x", &[]).await.text(), "latter");
}
