//! Memory for content on its way is bounded, whoever wants how much of it, and everybody comes to an
//! end: with the content, or with a clear word.

use std::time::Duration;

use http_body_util::BodyExt;
use stoker_domain::outcome::{OriginFault, Outcome};
use stoker_node::{
    Shares,
    fill::{self, Body},
    request::{Intent, Want},
};
use stoker_testkit::{Script, content, eventually};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, SLICE, all_of};

const MIB: u64 = 1 << 20;
const LONG: Duration = Duration::from_secs(120);

async fn fixture(slices: u64, passing: u64, patience: Duration) -> Fixture {
    let mut fixture = Fixture::new().await;
    let memory = Shares { slices, passing, windows: 64 * MIB };
    let config = fill::Config { memory, memory_patience: patience, ..Fixture::config() };
    fixture.restart_fills_with(config);
    fixture
}

/// A reader who has taken the first piece and no more, and what it was.
async fn slow(fixture: &Fixture, path: &str) -> (Vec<u8>, Body) {
    let mut reader = fixture.read(path, Intent::Demand(Want::All)).await;
    reader.head().await.unwrap();
    let mut body = reader.body(None);
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    (first.to_vec(), body)
}

async fn rest(mut begun: Vec<u8>, mut body: Body) -> Vec<u8> {
    while let Some(frame) = body.frame().await {
        begun.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    begun
}

/// Many distinct fills of large content, half of them for readers who take nothing for as long as
/// the others are not done.
async fn many_fills(slices: u64) {
    let fixture = fixture(slices, MIB, LONG).await;
    let paths: Vec<String> = (0..24).map(|n| format!("/{n}")).collect();
    let length = |n: usize| [3 * SLICE + 17, 5 * SLICE, SLICE / 2, 1000][n % 4];
    for (n, path) in paths.iter().enumerate() {
        let script = Script::new(content(length(n), n as u64));
        // some can only be had whole
        let script = if n % 3 == 0 { script.without_ranges() } else { script.etag("\"a\"") };
        fixture.origin.on(path, script);
    }
    let (mut begun, mut prefetches) = (Vec::new(), JoinSet::new());
    for path in &paths[..12] {
        begun.push(slow(&fixture, path).await);
    }
    for path in &paths[12..] {
        let reader = fixture.read(path, Intent::Prefetch).await;
        prefetches.spawn(async move { reader.durable().await });
    }
    for filled in prefetches.join_all().await {
        assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    }
    for (n, (first, body)) in begun.into_iter().enumerate() {
        assert!(rest(first, body).await == content(length(n), n as u64), "{n}");
    }
    for (n, path) in paths.iter().enumerate().skip(12) {
        assert!(fixture.content_of(path).await == content(length(n), n as u64), "{n}");
    }
    fixture.idle().await;
    let stats = fixture.fills.memory_stats().slices;
    assert!(stats.most <= stats.limit && stats.limit <= slices, "{stats:?}");
    assert_eq!((stats.used, stats.waiting, stats.refused), (0, 0, 0), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_many_fills_keep_no_memory_from_others() {
    many_fills(8 * MIB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_less_memory_than_one_slice_fills_go_one_after_the_other() {
    many_fills(256 << 10).await;
}

#[tokio::test]
async fn a_broken_transfer_is_continued_where_memory_is_short() {
    let fixture = fixture(MIB, MIB, LONG).await;
    let bytes = content(6 * SLICE, 3);
    for path in ["/a", "/b", "/c"] {
        let script = Script::new(bytes.clone()).etag("\"a\"");
        fixture.origin.on(path, script.cut(2, SLICE as u64 / 2));
    }
    let mut fills = JoinSet::new();
    for path in ["/a", "/b", "/c"] {
        let reader = fixture.read(path, Intent::Demand(Want::All)).await;
        fills.spawn(async move { all_of(reader).await.unwrap().1 });
    }
    for read in fills.join_all().await {
        assert!(read == bytes);
    }
}

#[tokio::test]
async fn content_that_is_passed_on_is_bounded_and_who_finds_no_memory_is_told_when_to_come_again() {
    let fixture = fixture(8 * MIB, MIB, Duration::from_millis(20)).await;
    let bytes = content(40 * SLICE, 4);
    for path in ["/a", "/b"] {
        fixture.origin.on(path, Script::new(bytes.clone()).field("cache-control", "no-store"));
    }
    let first = slow(&fixture, "/a").await;
    let mut second = fixture.read("/b", Intent::Demand(Want::All)).await;
    let fault = second.head().await.unwrap_err();
    assert_eq!(fault.outcome(), Outcome::OriginError(OriginFault::Busy));
    assert!(fault.retry_after().is_some());
    assert_eq!(fixture.fills.memory_stats().passing.refused, 1);
    assert!(rest(first.0, first.1).await == bytes, "the first is not harmed");
    drop(second);
    let free = async || (fixture.fills.memory_stats().passing.used == 0).then_some(());
    eventually(LONG, "the memory is free again", free).await;
    assert!(fixture.get("/b").await.unwrap().1 == bytes);
}
