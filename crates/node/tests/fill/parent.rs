//! What a node asks of its parent, and what it makes of the answers. The parent is scripted.

use std::sync::Arc;

use stoker_domain::{
    outcome::{OriginFault, Outcome, Uncacheable},
    task::FetchOptions,
};
use stoker_node::{
    peer::{FAULT, decode_options},
    request::Intent,
};
use stoker_testkit::{Script, content};

use crate::fixture::{Fixture, directory, fills, sent_once};

async fn fixture_with_parent() -> Fixture {
    let mut fixture = Fixture::new().await;
    let parent = fixture.origin.address().to_string();
    let directory = directory(&fixture.domain, Some(&parent));
    fixture.fills = fills(&fixture.store, &fixture.clock, fixture.time_outs, directory);
    fixture
}

#[tokio::test]
async fn a_parent_is_asked_for_the_viewers_host_with_secret_options_and_hops() {
    let fixture = fixture_with_parent().await;
    let bytes = content(20 << 20, 41);
    fixture.origin.on("/a?b=c", Script::new(bytes.clone()).etag("\"a\"").field("age", "100"));
    let options = FetchOptions {
        user_agent: Some("Agent/1".into()),
        headers: vec![("X-Token".into(), "t".into())],
        ..FetchOptions::default()
    };
    let mut request = fixture.request("/a?b=c", Intent::Prefetch);
    request.options = Arc::new(options.clone());
    request.hops = 1;
    let filled = fixture.fills.get_or_start(request, None).durable().await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    let seen = fixture.origin.requests();
    assert_eq!(sent_once(&seen), [(0, bytes.len() as u64)]);
    for seen in &seen {
        assert_eq!(seen.field("host"), "www.example.com");
        assert_eq!((seen.field("stoker-peer"), seen.field("stoker-hops")), ("secret", "2"));
        assert_eq!((seen.field("x-token"), seen.field("via")), ("", ""));
        assert_eq!(decode_options(&seen.fields["stoker-options"]), Some(options.clone()));
    }
    // the parent's age counts
    use stoker_domain::time::Clock;
    let until = filled.fresh_until.unwrap();
    let whole = std::time::Duration::from_secs(30 * 86_400 - 100);
    assert_eq!(until, fixture.clock.now() + whole);
}

#[tokio::test]
async fn a_parents_reason_becomes_the_outcome() {
    let fixture = fixture_with_parent().await;
    for told in [
        Outcome::OriginError(OriginFault::Timeout),
        Outcome::Uncacheable(Uncacheable::NoStore),
        Outcome::TooLarge,
    ] {
        let path = format!("/{told}");
        let script = Script::status(502).field(FAULT.as_str(), &told.to_string());
        fixture.origin.on(&path, script.field("stoker-fault-detail", "what the parent saw"));
        let filled = fixture.prefetch(&path).await;
        assert_eq!(filled.outcome, told);
        assert_eq!(filled.detail.as_deref(), Some("what the parent saw"));
    }
}

#[tokio::test]
async fn an_origin_cannot_speak_as_a_parent() {
    let fixture = Fixture::new().await;
    fixture.origin.on("/x", Script::status(502).field(FAULT.as_str(), "filled"));
    let (head, _) = fixture.get("/x").await.unwrap();
    assert_eq!(head.not_kept, Some(Outcome::OriginStatus(502)));
    assert!(!head.response.fields.contains_key(FAULT), "and its field does not travel on");
}

#[tokio::test]
async fn a_parent_that_does_not_answer_is_the_fault() {
    let mut fixture = fixture_with_parent().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let directory = directory(&fixture.domain, Some(&address));
    fixture.fills = fills(&fixture.store, &fixture.clock, fixture.time_outs, directory);
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::OriginError(OriginFault::Parent));
    assert!(filled.detail.unwrap().contains("middle"), "it is named");
}

#[tokio::test]
async fn what_a_parent_refuses_is_never_the_origins_status() {
    let fixture = fixture_with_parent().await;
    for (status, told, outcome) in [
        (403, "blocked:offline", "blocked:offline"),
        (421, "blocked:ownership", "blocked:ownership"),
        (400, "origin_error:parent", "origin_error:parent"),
        (405, "origin_error:parent", "origin_error:parent"),
        (508, "origin_error:parent", "origin_error:parent"),
        (504, "origin_error:timeout", "origin_error:timeout"),
        (502, "origin_status:403", "origin_status:403"),
        // nothing told: whatever stands there knows nothing of nodes
        (403, "", "origin_error:parent"),
        (404, "", "origin_error:parent"),
        (431, "", "origin_error:parent"),
        (503, "what?", "origin_error:parent"),
    ] {
        let path = format!("/{status}-{told}");
        let script = Script::status(status).field("stoker-fault-detail", "the parent's words");
        let script = if told.is_empty() { script } else { script.field(FAULT.as_str(), told) };
        fixture.origin.on(&path, script);
        let filled = fixture.prefetch(&path).await;
        assert_eq!(filled.outcome.to_string(), outcome, "{path}");
        let detail = filled.detail.unwrap_or_default();
        let is_told = !told.is_empty() && told != "what?";
        assert!(detail.contains(if is_told { "the parent's words" } else { "itself answered" }));
    }
}

#[tokio::test]
async fn a_status_that_a_parent_passes_on_is_the_origins() {
    let fixture = fixture_with_parent().await;
    fixture.origin.on("/x", Script::status(404).field("stoker-answered", "1"));
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::OriginStatus(404), "{:?}", filled.detail);
}

#[tokio::test]
async fn a_parents_note_becomes_the_detail() {
    let fixture = fixture_with_parent().await;
    let script = Script::new("x").etag("\"a\"").field("stoker-note", "what the parent noted");
    fixture.origin.on("/x", script.field("cache-control", "max-age=9").field("age", "99"));
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::Filled);
    assert_eq!(filled.detail.as_deref(), Some("what the parent noted"));
    let (head, _) = fixture.get("/x").await.unwrap();
    assert!(!head.response.fields.contains_key("stoker-note"), "and travels no further");
}
