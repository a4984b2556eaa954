//! What may be stored is stored, whole and durable, whatever way the origin sends it.

use std::time::Duration;

use http::StatusCode;
use stoker_domain::{outcome::Outcome, time::Clock};
use stoker_testkit::{Script, content};

use crate::fixture::{Fixture, SLICE, sent_once};

#[tokio::test]
async fn a_small_representation_takes_one_request_and_is_durable() {
    let fixture = Fixture::new().await;
    let bytes = content(16 << 10, 1);
    fixture.origin.on("/small?x=1", Script::new(bytes.clone()).etag("\"a\""));
    let filled = fixture.prefetch("/small?x=1").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert_eq!((filled.size, filled.pulled_bytes), (Some(16 << 10), 16 << 10));
    assert_eq!(filled.validator.as_deref(), Some("\"a\""));
    assert_eq!(
        filled.fresh_until,
        Some(fixture.clock.now() + Duration::from_secs(30 * 86_400)),
        "the domain's default"
    );
    assert!(filled.stored.unwrap().is_durable());
    assert_eq!(fixture.content_of("/small?x=1").await, bytes);
    let seen = fixture.origin.requests();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].field("host"), "www.example.com");
    assert!(seen[0].field("via").starts_with("1.1 stoker-"));
    assert!(seen[0].field("user-agent").starts_with("Stoker/"));
    assert_eq!(seen[0].field("accept-encoding"), "");
}

#[tokio::test]
async fn a_large_one_is_pulled_in_parallel_runs_with_every_byte_once() {
    let fixture = Fixture::new().await;
    let bytes = content(40 * SLICE + 77, 2);
    fixture.origin.on("/large", Script::new(bytes.clone()).etag("\"a\""));
    let filled = fixture.prefetch("/large").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert_eq!(filled.pulled_bytes, bytes.len() as u64);
    assert!(filled.stored.unwrap().is_durable());
    assert!(fixture.content_of("/large").await == bytes);
    let seen = fixture.origin.requests();
    assert_eq!(sent_once(&seen), [(0, bytes.len() as u64)]);
    assert_eq!(seen.len(), 3, "runs of 16 slices");
    assert_eq!(seen[0].field("if-range"), "");
    assert!(seen[1..].iter().all(|seen| seen.field("if-range") == "\"a\""));
}

#[tokio::test]
async fn an_origin_without_ranges_is_read_in_one_stream() {
    let fixture = Fixture::new().await;
    for (path, length) in [("/3", 3 * SLICE + 5), ("/2", 2 * SLICE), ("/1", SLICE), ("/0", 0)] {
        let bytes = content(length, 3);
        fixture.origin.on(path, Script::new(bytes.clone()).etag("\"a\"").without_ranges());
        assert_eq!(fixture.prefetch(path).await.outcome, Outcome::Filled, "{path}");
        assert!(fixture.content_of(path).await == bytes, "{path}");
        assert_eq!(fixture.origin.requests_for(path).len(), 1, "{path}");
    }
}

#[tokio::test]
async fn content_of_unknown_length_ends_where_it_ends() {
    let fixture = Fixture::new().await;
    for (path, length) in
        [("/0", 0), ("/s", 999), ("/1", SLICE), ("/1+", SLICE + 1), ("/3", 3 * SLICE)]
    {
        let bytes = content(length, 4);
        fixture.origin.on(path, Script::new(bytes.clone()).without_ranges().chunked());
        let filled = fixture.prefetch(path).await;
        assert_eq!(filled.outcome, Outcome::Filled, "{path} {:?}", filled.detail);
        assert_eq!(filled.size, Some(length as u64), "{path}");
        assert!(fixture.content_of(path).await == bytes, "{path}");
        let (head, body) = fixture.get(path).await.unwrap();
        assert!(body == bytes, "{path}");
        assert_eq!(head.response.size, length as u64, "{path}");
    }
}

#[tokio::test]
async fn a_viewer_streams_content_of_unknown_length_while_it_is_filled() {
    let fixture = Fixture::new().await;
    let bytes = content(2 * SLICE + 9, 5);
    fixture.origin.on("/x", Script::new(bytes.clone()).without_ranges().chunked());
    let (head, body) = fixture.get("/x").await.unwrap();
    assert_eq!((head.size, head.not_kept), (None, None));
    assert!(body == bytes);
}

#[tokio::test]
async fn an_empty_representation_and_an_unsatisfied_range_are_handled() {
    let fixture = Fixture::new().await;
    fixture.origin.on("/empty", Script::new("").etag("\"a\""));
    let filled = fixture.prefetch("/empty").await;
    assert_eq!((filled.outcome, filled.size), (Outcome::Filled, Some(0)));
    fixture.origin.on("/short", Script::new("short").etag("\"a\""));
    let want = crate::fixture::range(5 * SLICE as u64, 6 * SLICE as u64);
    let mut reader = fixture.read("/short", stoker_node::request::Intent::Demand(want)).await;
    assert_eq!(reader.head().await.unwrap().size, Some(5));
}

#[tokio::test]
async fn without_a_strong_validator_parts_are_not_joined() {
    let fixture = Fixture::new().await;
    for (path, etag) in [("/weak", Some("W/\"a\"")), ("/none", None)] {
        let bytes = content(20 * SLICE, 6);
        let script = Script::new(bytes.clone());
        fixture.origin.on(
            path,
            match etag {
                Some(etag) => script.etag(etag),
                None => script,
            },
        );
        assert_eq!(fixture.prefetch(path).await.outcome, Outcome::Filled, "{path}");
        assert!(fixture.content_of(path).await == bytes, "{path}");
        let seen = fixture.origin.requests_for(path);
        assert_eq!(seen.len(), 2, "{path}: one part that cannot be used, then the whole");
        assert_eq!((seen[0].status, seen[1].status), (206, 200), "{path}");
    }
}

#[tokio::test]
async fn a_task_may_forbid_ranges_and_choose_fields() {
    let fixture = Fixture::new().await;
    let bytes = content(18 * SLICE, 7);
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\""));
    let mut request = fixture.request("/x", stoker_node::request::Intent::Prefetch);
    request.options = std::sync::Arc::new(stoker_domain::task::FetchOptions {
        user_agent: Some("Agent/1".into()),
        headers: vec![("X-A".into(), "1".into()), ("Host".into(), "evil.example".into())],
        disable_range: true,
        ..Default::default()
    });
    let filled = fixture.fills.get_or_start(request, None).durable().await;
    assert_eq!(filled.outcome, Outcome::Filled);
    let seen = fixture.origin.requests();
    assert_eq!((seen.len(), seen[0].status), (2, 200));
    // whether it would be the same for all
    assert_eq!((seen[1].status, seen[1].field("x-a")), (304, ""));
    assert_eq!((seen[0].field("user-agent"), seen[0].field("x-a")), ("Agent/1", "1"));
    assert_eq!((seen[0].field("host"), seen[0].field("range")), ("www.example.com", ""));
}

#[tokio::test]
async fn a_stale_response_is_confirmed_without_content() {
    let fixture = Fixture::new().await;
    for (path, length) in [("/small", 1000), ("/large", 3 * SLICE)] {
        let bytes = content(length, 8);
        let script = Script::new(bytes.clone()).etag("\"a\"").field("cache-control", "max-age=10");
        fixture.origin.on(path, script);
        assert_eq!(fixture.prefetch(path).await.outcome, Outcome::Filled, "{path}");
        let again = fixture.prefetch(path).await;
        assert_eq!(again.outcome, Outcome::AlreadyFresh, "{path}");
        fixture.clock.advance(Duration::from_secs(20));
        let (head, body) = fixture.get(path).await.unwrap();
        assert!(head.is_revalidated && body == bytes, "{path}");
        assert_eq!(head.forward_status, StatusCode::NOT_MODIFIED);
        fixture.clock.advance(Duration::from_secs(20));
        let filled = fixture.prefetch(path).await;
        assert_eq!((filled.outcome, filled.pulled_bytes), (Outcome::Revalidated, 0), "{path}");
        assert_eq!(filled.fresh_until, Some(fixture.clock.now() + Duration::from_secs(10)));
        assert!(fixture.content_of(path).await == bytes, "{path}");
        let statuses: Vec<_> =
            fixture.origin.requests_for(path).iter().map(|seen| seen.status).collect();
        assert_eq!(statuses, [206, 304, 304], "{path}");
    }
}

#[tokio::test]
async fn a_stale_response_that_changed_is_replaced() {
    let fixture = Fixture::new().await;
    let (old, new) = (content(2 * SLICE, 9), content(3 * SLICE, 10));
    let script = Script::new(old).etag("\"a\"").changes(1, new.clone(), "\"b\"");
    fixture.origin.on("/x", script.field("cache-control", "max-age=10"));
    assert_eq!(fixture.prefetch("/x").await.outcome, Outcome::Filled);
    fixture.clock.advance(Duration::from_secs(20));
    let filled = fixture.prefetch("/x").await;
    assert_eq!((filled.outcome, filled.validator.as_deref()), (Outcome::Filled, Some("\"b\"")));
    assert!(fixture.content_of("/x").await == new);
    assert_eq!(fixture.origin.requests().len(), 2, "the reply to the condition is used");
}
