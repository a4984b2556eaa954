//! What is there is not pulled again: after a broken transfer, and after a restart.

use stoker_domain::outcome::Outcome;
use stoker_node::request::{Intent, Want};
use stoker_testkit::{Script, content};

use crate::fixture::{Fixture, SLICE, all_of, sent_once};

#[tokio::test]
async fn a_broken_transfer_goes_on_at_the_byte_where_it_broke() {
    let fixture = Fixture::new().await;
    for (path, length, cut) in [("/large", 5 * SLICE, 2_500_000), ("/small", 90_000, 70_000)] {
        let bytes = content(length, 21);
        fixture.origin.on(path, Script::new(bytes.clone()).etag("\"a\"").cut(1, cut));
        let viewer = fixture.read(path, Intent::Demand(Want::All)).await;
        let filled = fixture.prefetch(path).await;
        assert_eq!(filled.outcome, Outcome::Filled, "{path} {:?}", filled.detail);
        assert_eq!(filled.pulled_bytes, length as u64, "{path}: nothing came twice");
        let (_, body) = all_of(viewer).await.unwrap();
        assert!(body == bytes, "{path}");
        assert!(fixture.content_of(path).await == bytes, "{path}");
        let seen = fixture.origin.requests_for(path);
        let again = seen[1].range.unwrap().0;
        assert!(again > cut / 2 && again <= cut, "{path}: from {again} on");
        assert_eq!(seen[1].field("if-range"), "\"a\"", "{path}");
    }
}

#[tokio::test]
async fn a_stream_without_ranges_that_broke_keeps_what_came() {
    let fixture = Fixture::new().await;
    let bytes = content(3 * SLICE, 22);
    let script = Script::new(bytes.clone()).etag("\"a\"").without_ranges();
    fixture.origin.on("/x", script.cut(1, 2_500_000));
    let (_, body) = fixture.get("/x").await.unwrap();
    assert!(body == bytes);
    assert_eq!(fixture.origin.requests().len(), 2);
}

#[tokio::test]
async fn without_a_validator_a_broken_transfer_begins_anew() {
    let fixture = Fixture::new().await;
    let bytes = content(3 * SLICE, 23);
    fixture.origin.on("/x", Script::new(bytes.clone()).without_ranges().cut(2, 2_500_000));
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert!(fixture.content_of("/x").await == bytes);
    assert!(filled.pulled_bytes > 4_000_000 + 3 * SLICE as u64, "all that came is counted");
}

#[tokio::test]
async fn an_origin_that_fails_for_a_moment_is_asked_again_for_the_rest() {
    let fixture = Fixture::new().await;
    let bytes = content(4 * SLICE, 24);
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\""));
    fixture.get_range("/x", 0, 9).await;
    fixture.idle().await;
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\"").cut(3, 1_200_000));
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert!(fixture.content_of("/x").await == bytes);
}

#[tokio::test]
async fn a_restart_pulls_only_what_was_missing() {
    let mut fixture = Fixture::new().await;
    let bytes = content(8 * SLICE + 5, 25);
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\""));
    fixture.get_range("/x", 2 * SLICE as u64, 4 * SLICE as u64 - 1).await;
    fixture.reopen().await;
    let stored = fixture.stored("/x").await.expect("slices outlive a restart");
    assert!(!stored.is_complete() && stored.has_slice(2) && stored.has_slice(3));
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert!(fixture.content_of("/x").await == bytes);
    assert_eq!(sent_once(&fixture.origin.requests()), [(0, bytes.len() as u64)]);
    let ranged = &fixture.origin.requests()[1..];
    assert!(ranged.iter().all(|seen| seen.field("if-range") == "\"a\""));
}

#[tokio::test]
async fn a_partly_stored_response_that_changed_is_pulled_anew() {
    let fixture = Fixture::new().await;
    let (old, new) = (content(6 * SLICE, 26), content(6 * SLICE, 27));
    fixture.origin.on("/x", Script::new(old).etag("\"a\"").changes(1, new.clone(), "\"b\""));
    fixture.get_range("/x", 0, 9).await;
    fixture.idle().await;
    let (head, body) = fixture.get("/x").await.unwrap();
    assert_eq!(head.response.etag().unwrap(), "\"b\"");
    assert!(body == new);
    assert_eq!(fixture.origin.requests().len(), 2, "the reply to If-Range is used");
}

#[tokio::test]
async fn a_run_that_was_cut_by_a_restart_goes_on_at_the_first_missing_slice() {
    let mut fixture = Fixture::new().await;
    let bytes = content(8 * SLICE + 5, 28);
    let held = 3 * SLICE + 1000;
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\"").hold_after(held as u64));
    let prefetch = fixture.read("/x", Intent::Prefetch).await;
    let limit = std::time::Duration::from_secs(120);
    stoker_testkit::eventually(limit, "three slices", async || {
        fixture.stored("/x").await.filter(|stored| (0..3).all(|n| stored.has_slice(n))).map(|_| ())
    })
    .await;
    drop(prefetch);
    fixture.reopen().await;
    fixture.origin.release();
    let stored = fixture.stored("/x").await.expect("slices outlive a restart");
    assert!(!stored.is_complete());
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert_eq!(filled.pulled_bytes, (5 * SLICE + 5) as u64);
    let again = &fixture.origin.requests()[1..];
    assert!(again.iter().all(|seen| seen.start >= 3 * SLICE as u64), "{again:?}");
    assert!(fixture.content_of("/x").await == bytes);
}
