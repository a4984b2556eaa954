//! Prefetches read the origin no faster than the limit; viewers are never slowed.
//!
//! Judged by what left the origin. There is no engine here unless a test says so: a node alone holds
//! itself to its equal share of the limit, after it has waited for a word as long as a grant counts.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use stoker_domain::{
    area::{Area, Tier},
    directory::Directory,
    domain::{NodeDomain, Shield},
    outcome::Outcome,
    pace::{LEASE, bytes_per_second},
    placement::{Fleet, Node},
};
use stoker_node::request::Intent;
use stoker_testkit::{Script, content};
use tokio::{
    io::AsyncWriteExt,
    net::TcpSocket,
    time::{Instant, sleep, timeout_at},
};

use crate::fixture::{Fixture, HOST, SLICE, directory, fills, node, range};

/// Megabits per second.
const LIMIT: u32 = 16;
/// What the system may hold ahead of the reader.
const AHEAD: u64 = 512 << 10;
/// What the origin's system holds of one transfer; it has not left the origin.
const UNSENT: u32 = 16 << 10;
/// How long an origin without ranges is watched.
const TIME: Duration = Duration::from_secs(3);

impl Fixture {
    fn limit(&mut self, megabits: u32, change: impl FnOnce(&mut Directory)) {
        let mut directory = directory(&self.domain, None);
        directory.set_task_limits(HashMap::from([(HOST.into(), megabits)]));
        change(&mut directory);
        self.fills = fills(&self.store, &self.clock, self.time_outs, directory);
    }
}

#[tokio::test]
async fn one_prefetch_reads_at_the_limit() {
    let mut fixture = Fixture::new().await;
    fixture.limit(LIMIT, |_| ());
    fixture.origin.on("/x", Script::new(content(6 * SLICE, 1)).etag("\"a\""));
    let began = Instant::now();
    let prefetch = fixture.read("/x", Intent::Prefetch).await;
    let prefetch = stoker_testkit::spawn(prefetch.durable());
    while !prefetch.is_finished() {
        let reading = began.elapsed().saturating_sub(LEASE);
        let allowed = reading.as_secs_f64() * bytes_per_second(LIMIT) as f64;
        let sent = fixture.origin.sent_for("/x");
        assert!(sent as f64 <= allowed + AHEAD as f64, "{sent} of {allowed}");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(prefetch.await.unwrap().outcome, Outcome::Filled);
    let due = 6.0 * SLICE as f64 / bytes_per_second(LIMIT) as f64;
    let took = (began.elapsed() - LEASE).as_secs_f64();
    assert!((0.93 * due..5.0 * due).contains(&took), "{took} s for {due} s");
}

#[tokio::test]
async fn many_small_ones_together_keep_to_the_limit() {
    let mut fixture = Fixture::new().await;
    fixture.limit(LIMIT, |_| ());
    let paths: Vec<String> = (0..400).map(|number| format!("/{number}")).collect();
    let mut running = tokio::task::JoinSet::new();
    let began = Instant::now();
    for path in &paths {
        fixture.origin.on(path, Script::new(content(10_000, 2)).etag("\"a\""));
    }
    for path in &paths {
        running.spawn(fixture.read(path, Intent::Prefetch).await.durable());
    }
    let filled = running.join_all().await;
    assert!(filled.iter().all(|filled| filled.outcome == Outcome::Filled));
    let due = 4e6 / bytes_per_second(LIMIT) as f64;
    let took = (began.elapsed() - LEASE).as_secs_f64();
    assert!((0.9 * due..5.0 * due).contains(&took), "{took} s for {due} s");
}

#[tokio::test]
async fn without_a_word_of_the_engine_a_node_reads_its_equal_share() {
    let mut fixture = Fixture::new().await;
    fixture.limit(4 * LIMIT, |directory| {
        // the node under test is one of four that may ask the origin
        let mut others: Vec<_> =
            (0..4).map(|n| node(&format!("m{n}"), Tier::Middle, "127.0.0.1:1")).collect();
        others.iter_mut().for_each(|other| Arc::make_mut(other).area = Area::Overseas);
        directory.set_fleet(Fleet::new(others.iter().map(|node| Node::clone(node))));
        let mut domain = NodeDomain::clone(directory.named(HOST).unwrap());
        domain.shield = Shield::PerArea;
        directory.put_domain(domain);
    });
    fixture.origin.on("/x", Script::new(content(4 * SLICE, 3)).etag("\"a\""));
    let mut request = fixture.request("/x", Intent::Prefetch);
    Arc::make_mut(&mut request.domain).shield = Shield::PerArea;
    let began = Instant::now();
    let filled = fixture.fills.get_or_start(request, None).durable().await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    let due = 4.0 * SLICE as f64 / bytes_per_second(LIMIT) as f64;
    let took = (began.elapsed() - LEASE).as_secs_f64();
    assert!((0.9 * due..5.0 * due).contains(&took), "{took} s for {due} s");
}

#[tokio::test]
async fn a_viewer_is_not_slowed_whether_it_comes_first_or_joins_a_prefetch() {
    let mut fixture = Fixture::new().await;
    // at this pace a prefetch would take over a minute
    fixture.limit(1, |_| ());
    let bytes = content(12 * SLICE, 4);
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\""));
    fixture.origin.on("/y", Script::new(bytes.clone()).etag("\"a\""));
    let began = Instant::now();
    let (_, read) = fixture.get("/y").await.unwrap();
    assert!(read == bytes);
    let prefetch = fixture.read("/x", Intent::Prefetch).await;
    sleep(Duration::from_millis(300)).await;
    assert!(fixture.origin.sent_for("/x") < SLICE as u64, "the prefetch is held back");
    let (start, end) = (5 * SLICE as u64 + 7, 6 * SLICE as u64);
    let mut viewer = fixture.read("/x", Intent::Demand(range(start, end))).await;
    viewer.head().await.unwrap();
    let read = viewer.body(Some((start, end))).collect().await.unwrap().to_bytes();
    assert!(read == bytes.slice(start as usize..=end as usize));
    let (_, read) = fixture.get("/x").await.unwrap();
    assert!(read == bytes);
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert_eq!(prefetch.durable().await.outcome, Outcome::Filled);
}

#[tokio::test]
async fn an_origin_without_ranges_is_held_by_its_connection_alone() {
    let mut fixture = Fixture::new().await;
    // the scripted origin's system takes megabytes at once; this one's takes little
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(UNSENT).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap();
    Arc::make_mut(&mut fixture.domain).origin.port = listener.local_addr().unwrap().port();
    fixture.limit(1, |_| ());
    let prefetch = stoker_testkit::spawn(fixture.read("/x", Intent::Prefetch).await.durable());
    let (mut stream, _) = listener.accept().await.unwrap();
    let head = format!("HTTP/1.1 200 OK\r\netag: \"a\"\r\ncontent-length: {}\r\n\r\n", 8 * SLICE);
    stream.write_all(head.as_bytes()).await.unwrap();
    let (began, mut sent) = (Instant::now(), 0);
    let mut most = 0.0_f64;
    while let Ok(written) = timeout_at(began + TIME, stream.write(&[7; 4096])).await {
        sent += written.unwrap();
        let allowed = began.elapsed().as_secs_f64() * bytes_per_second(1) as f64;
        most = most.max(sent as f64 - allowed);
    }
    println!("{sent} bytes in {TIME:?}, at most {most} ahead");
    // the system doubles its buffer, and the last write is not taken yet
    let within = f64::from(2 * UNSENT) + 4096.0 + 0.02 * 10.0 * bytes_per_second(1) as f64;
    assert!(most <= within, "{most}, more than 2 % over ten seconds");
    assert!(sent as f64 >= 0.9 * TIME.as_secs_f64() * bytes_per_second(1) as f64, "{sent}");
    prefetch.abort();
}
