//! Readers share one fill; none of them slows, cancels or spoils it for the others.

use std::time::Duration;

use http_body_util::BodyExt;
use stoker_domain::{
    http::ByteRange,
    outcome::{OriginFault, Outcome},
};
use stoker_node::request::{Intent, Want};
use stoker_testkit::{Script, content, eventually};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, SLICE, all_of, range, sent_once};

#[tokio::test]
async fn twenty_viewers_and_a_prefetch_cost_the_origin_every_byte_once() {
    let fixture = Fixture::new().await;
    let bytes = content(20 * SLICE + 1234, 11);
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\""));
    let mut viewers = JoinSet::new();
    let mut collapsed = 0;
    for number in 0..20_u64 {
        // some want all, some a range; the first is one of these
        let wanted = if number % 2 == 0 {
            (number * 777_777, number * 777_777 + 3_000_000)
        } else {
            (0, bytes.len() as u64 - 1)
        };
        let mut reader = fixture.read("/x", Intent::Demand(range(wanted.0, wanted.1))).await;
        collapsed += u32::from(reader.is_collapsed());
        let bytes = bytes.clone();
        viewers.spawn(async move {
            reader.head().await.unwrap();
            let body = reader.body(Some(wanted)).collect().await.unwrap().to_bytes();
            assert!(body == bytes.slice(wanted.0 as usize..=wanted.1 as usize));
        });
    }
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert_eq!(filled.pulled_bytes, bytes.len() as u64);
    viewers.join_all().await;
    assert_eq!(collapsed, 19);
    assert_eq!(sent_once(&fixture.origin.requests()), [(0, bytes.len() as u64)]);
    assert!(fixture.content_of("/x").await == bytes);
}

#[tokio::test]
async fn viewers_who_leave_do_not_cancel_a_prefetch() {
    let fixture = Fixture::new().await;
    let bytes = content(3 * SLICE, 12);
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\"").hold_after(100_000));
    let mut viewer = fixture.read("/x", Intent::Demand(Want::All)).await;
    viewer.head().await.unwrap();
    let prefetch = fixture.read("/x", Intent::Prefetch).await;
    assert!(prefetch.is_collapsed());
    let mut body = viewer.body(None);
    body.frame().await.unwrap().unwrap();
    drop(body);
    fixture.origin.release();
    assert_eq!(prefetch.durable().await.outcome, Outcome::Filled);
    assert_eq!(sent_once(&fixture.origin.requests()), [(0, bytes.len() as u64)]);
}

#[tokio::test]
async fn a_prefetch_that_is_stopped_leaves_the_fill_to_another_and_stops_it_when_it_is_the_last() {
    let fixture = Fixture::new().await;
    let bytes = content(64 * SLICE, 19);
    let script =
        || Script::new(bytes.clone()).etag("\"a\"").pace(16 << 10, Duration::from_millis(1));
    fixture.origin.on("/x", script());
    fixture.origin.on("/y", script());
    let (stopped, other) =
        (fixture.read("/x", Intent::Prefetch).await, fixture.read("/x", Intent::Prefetch).await);
    let alone = fixture.read("/y", Intent::Prefetch).await;
    let limit = Duration::from_secs(60);
    let has_begun = async || {
        let sent = |path: &str| fixture.origin.sent_for(path) > 2 * SLICE as u64;
        (sent("/x") && sent("/y")).then_some(())
    };
    eventually(limit, "both are read", has_begun).await;
    drop((stopped, alone));
    eventually(limit, "one fill ends", async || (fixture.fills.running() == 1).then_some(())).await;
    let sent = fixture.origin.sent_for("/y");
    assert!(sent < bytes.len() as u64, "it was read to its end");
    assert_eq!(other.durable().await.outcome, Outcome::Filled);
    // what was read of it stays, and the rest comes with the next prefetch
    assert_eq!(fixture.prefetch("/y").await.outcome, Outcome::Filled);
    assert!(fixture.content_of("/y").await == bytes && fixture.content_of("/x").await == bytes);
}

#[tokio::test]
async fn a_prefetch_that_is_stopped_before_the_origin_answers_asks_no_more() {
    let fixture = Fixture::new().await;
    fixture.origin.on("/x", Script::silent());
    let stopped = fixture.read("/x", Intent::Prefetch).await;
    let limit = Duration::from_secs(60);
    let is_asked = async || (fixture.origin.requests_for("/x").len() == 1).then_some(());
    eventually(limit, "the origin is asked", is_asked).await;
    drop(stopped);
    fixture.idle().await;
    assert_eq!(fixture.origin.requests_for("/x").len(), 1);
    // a viewer who comes later asks anew
    fixture.origin.on("/x", Script::new("hallo").etag("\"a\""));
    assert_eq!(fixture.get("/x").await.unwrap().1, "hallo");
}

#[tokio::test]
async fn a_fill_that_nobody_wants_any_more_stops() {
    let fixture = Fixture::new().await;
    let script = Script::new(content(64 * SLICE, 13)).etag("\"a\"");
    fixture.origin.on("/x", script.pace(64 << 10, Duration::from_millis(1)));
    let mut viewer = fixture.read("/x", Intent::Demand(Want::All)).await;
    viewer.head().await.unwrap();
    let mut body = viewer.body(None);
    body.frame().await.unwrap().unwrap();
    drop(body);
    fixture.idle().await;
    let sent = fixture.origin.sent_for("/x");
    assert!(sent < 48 * SLICE as u64, "{sent}");
}

#[tokio::test]
async fn a_range_costs_only_its_slices_and_a_prefetch_only_the_rest() {
    let fixture = Fixture::new().await;
    let bytes = content(10 * SLICE + 3, 14);
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\""));
    let (start, end) = (5 * SLICE as u64 + 10, 6 * SLICE as u64 + 10);
    let body = fixture.get_range("/x", start, end).await;
    assert!(body == bytes.slice(start as usize..=end as usize));
    fixture.idle().await;
    let slices = (5 * SLICE as u64, 7 * SLICE as u64);
    assert_eq!(sent_once(&fixture.origin.requests()), [slices]);
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert_eq!(filled.pulled_bytes, 8 * SLICE as u64 + 3);
    assert_eq!(sent_once(&fixture.origin.requests()), [(0, bytes.len() as u64)]);
    assert!(fixture.content_of("/x").await == bytes);
}

#[tokio::test]
async fn a_suffix_costs_a_probe_and_its_slices() {
    let fixture = Fixture::new().await;
    let bytes = content(30 * SLICE, 15);
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\""));
    let want = Want::Range(ByteRange::Suffix(100));
    let mut reader = fixture.read("/x", Intent::Demand(want)).await;
    let size = reader.head().await.unwrap().size.unwrap();
    let body = reader.body(Some((size - 100, size - 1))).collect().await.unwrap().to_bytes();
    assert!(body == bytes.slice(bytes.len() - 100..));
    assert!(fixture.origin.sent_for("/x") <= 2 * SLICE as u64);
}

#[tokio::test]
async fn a_head_alone_costs_one_slice() {
    let fixture = Fixture::new().await;
    fixture.origin.on("/x", Script::new(content(30 * SLICE, 18)).etag("\"a\""));
    let mut reader = fixture.read("/x", Intent::Demand(Want::Head)).await;
    assert_eq!(reader.head().await.unwrap().size, Some(30 * SLICE as u64));
    drop(reader);
    fixture.idle().await;
    assert!(fixture.origin.sent_for("/x") <= SLICE as u64);
}

#[tokio::test]
async fn what_is_not_kept_goes_to_its_reader_and_the_others_ask_themselves() {
    let fixture = Fixture::new().await;
    let bytes = content(2 * SLICE, 16);
    let script = Script::new(bytes.clone()).etag("\"a\"").field("cache-control", "no-store");
    fixture.origin.on("/x", script);
    let readers: Vec<_> = [fixture.read("/x", Intent::Demand(Want::All)).await]
        .into_iter()
        .chain([
            fixture.read("/x", Intent::Demand(Want::All)).await,
            fixture.read("/x", Intent::Demand(range(0, 99))).await,
        ])
        .collect();
    let prefetch = fixture.read("/x", Intent::Prefetch).await;
    for (number, mut reader) in readers.into_iter().enumerate() {
        let head = reader.head().await.unwrap();
        assert!(!reader.is_collapsed(), "{number} asked itself in the end");
        assert!(head.not_kept.is_some());
        let range = (number == 2).then_some((0, 99));
        let body = reader.body(range).collect().await.unwrap().to_bytes();
        assert!(body == if number == 2 { bytes.slice(..100) } else { bytes.clone() });
    }
    let filled = prefetch.durable().await;
    assert_eq!(filled.outcome.to_string(), "uncacheable:no-store");
    assert!(fixture.stored("/x").await.is_none());
}

#[tokio::test]
async fn a_response_selected_by_other_request_fields_is_not_shared() {
    let fixture = Fixture::new().await;
    fixture.origin.on("/x", Script::new("hallo").etag("\"a\"").field("vary", "accept-language"));
    let ask = |language: &'static str| {
        let mut request = fixture.request("/x", Intent::Demand(Want::All));
        let value = http::HeaderValue::from_static(language);
        request.fields.insert(http::header::ACCEPT_LANGUAGE, value);
        fixture.fills.get_or_start(request, None)
    };
    let (german, english) = (ask("de"), ask("en"));
    assert!(english.is_collapsed());
    all_of(german).await.unwrap();
    all_of(english).await.unwrap();
    let mut languages: Vec<_> = fixture
        .origin
        .requests()
        .iter()
        .map(|seen| seen.field("accept-language").to_owned())
        .collect();
    languages.sort();
    assert_eq!(languages, ["", "de", "en"], "first without, for nobody knew that it matters");
}

#[tokio::test]
async fn a_slow_reader_of_a_large_one_gets_the_rest_from_the_store() {
    let fixture = Fixture::new().await;
    let bytes = content(12 * SLICE, 17);
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\""));
    let mut viewer = fixture.read("/x", Intent::Demand(Want::All)).await;
    viewer.head().await.unwrap();
    let mut body = viewer.body(None);
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(fixture.prefetch("/x").await.outcome, Outcome::Filled);
    let rest = body.collect().await.unwrap().to_bytes();
    assert!([first, rest].concat() == bytes);
    assert_eq!(sent_once(&fixture.origin.requests()), [(0, bytes.len() as u64)]);
}

#[tokio::test]
async fn an_origin_that_did_not_answer_is_not_asked_by_everybody() {
    let mut fixture = Fixture::new().await;
    fixture.time_outs.head = Duration::from_millis(50);
    fixture.restart_fills();
    fixture.origin.on("/x", Script::silent());
    let silence = Outcome::OriginError(OriginFault::Timeout);
    assert_eq!(fixture.prefetch("/x").await.outcome, silence);
    let again = fixture.prefetch("/x").await;
    assert_eq!((again.outcome, again.pulled_bytes), (silence, 0));
    // that it does not answer counts for all, whatever they ask with
    let mut request = fixture.request("/x", Intent::Demand(Want::All));
    request.fields.insert(http::header::ACCEPT, http::HeaderValue::from_static("text/html"));
    let fault = all_of(fixture.fills.get_or_start(request, None)).await.unwrap_err();
    assert_eq!(fault.outcome(), silence);
    assert_eq!(fixture.origin.requests_for("/x").len(), 1);
    // another target is another question
    assert_eq!(fixture.prefetch("/y").await.outcome, Outcome::OriginStatus(404));
}
