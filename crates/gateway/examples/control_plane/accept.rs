//! How fast signed calls of `PushUrlsCache` are accepted. They are signed before the clock starts.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use axum::{Router, body::Body};
use http::Request;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    app::{App, call, p99, url},
    cost::{Cost, Start},
    peer::write,
    remove,
};

const CALLERS: [usize; 3] = [1, 16, 64];
/// URLs of a call, and calls for each number of callers.
const SIZES: [(u64, [u64; 3]); 3] =
    [(1, [1000, 8000, 16_000]), (20, [500, 2000, 4000]), (500, [100, 200, 400])];

/// What one measurement found.
#[derive(Clone, Copy, Debug)]
struct Found {
    calls: f64,
    accepted: Cost,
    p99: Duration,
    commits: u64,
    /// The same rows in as many commits.
    peer: Cost,
    /// The same rows in one commit.
    bulk: Cost,
}

pub(crate) async fn run(dir: &Path, rounds: u64, only: Option<u64>) {
    println!(
        "URLs callers | calls/s  URLs/s p99 | peer URLs/s ratio | in one commit ratio | commits | \
         CPU of a call, of the peer, ratio"
    );
    for (urls, calls) in SIZES.into_iter().filter(|(urls, _)| only.is_none_or(|only| only == *urls))
    {
        for (callers, calls) in CALLERS.into_iter().zip(calls) {
            let mut found = Vec::new();
            for _ in 0..rounds {
                found.push(measure(dir, urls, callers, calls).await);
            }
            print(urls, callers, &found);
        }
    }
}

fn print(urls: u64, callers: usize, found: &[Found]) {
    let median = |value: &dyn Fn(&Found) -> f64| {
        let mut values: Vec<f64> = found.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let rate = |found: &Found, cost: Cost| found.calls / cost.elapsed.as_secs_f64();
    let used = |found: &Found, cost: Cost| cost.used.as_secs_f64() * 1e6 / found.calls;
    let each = urls as f64;
    println!(
        "{urls:>4} {callers:>7} | {:>7.0} {:>7.0} {:>5.1} ms | {:>7.0} {:>5.2} | {:>7.0} {:>5.2} | \
         {:>6.0} | {:>5.0} us {:>5.0} us {:>5.2}",
        median(&|found| rate(found, found.accepted)),
        median(&|found| rate(found, found.accepted) * each),
        median(&|found| found.p99.as_secs_f64() * 1e3),
        median(&|found| rate(found, found.peer) * each),
        median(&|found| rate(found, found.accepted) / rate(found, found.peer)),
        median(&|found| rate(found, found.bulk) * each),
        median(&|found| rate(found, found.accepted) / rate(found, found.bulk)),
        median(&|found| found.commits as f64),
        median(&|found| used(found, found.accepted)),
        median(&|found| used(found, found.peer)),
        median(&|found| used(found, found.peer) / used(found, found.accepted)),
    );
}

async fn measure(dir: &Path, urls: u64, callers: usize, calls: u64) -> Found {
    let paths = ["ledger.db", "peer.db", "bulk.db"].map(|name| dir.join(name));
    paths.iter().for_each(|path| remove(path));
    let [ledger, peer, bulk] = &paths;
    let (mut times, accepted, commits) = accept(ledger, urls, callers, calls).await;
    let found = Found {
        calls: calls as f64,
        accepted,
        p99: p99(&mut times),
        commits,
        peer: write(ledger, peer, commits),
        bulk: write(ledger, bulk, 1),
    };
    paths.iter().for_each(|path| remove(path));
    found
}

/// Has all calls accepted: how long each took, what all took, and the commits.
async fn accept(path: &Path, urls: u64, callers: usize, calls: u64) -> (Vec<Duration>, Cost, u64) {
    let app = App::open(path).await;
    let mut queues: Vec<Vec<Request<Body>>> = (0..callers).map(|_| Vec::new()).collect();
    for (number, queue) in (0..calls).zip((0..callers).cycle()) {
        let urls: Vec<_> = (0..urls).map(|n| url(number, n)).collect();
        let content = json!({ "Urls": urls }).to_string().into_bytes();
        queues[queue].push(app.request("PushUrlsCache", content));
    }
    let before = app.ledger.stats().commits;
    let started = Start::now();
    let mut running = JoinSet::new();
    for queue in queues {
        running.spawn(send(app.router.clone(), queue));
    }
    let times = running.join_all().await.concat();
    let cost = started.cost();
    (times, cost, app.ledger.stats().commits - before)
}

async fn send(mut router: Router, queue: Vec<Request<Body>>) -> Vec<Duration> {
    let mut times = Vec::with_capacity(queue.len());
    for request in queue {
        let started = Instant::now();
        let reply = call(&mut router, request).await;
        times.push(started.elapsed());
        let is_accepted = reply.windows(8).any(|window| window == b"\"TaskId\"");
        assert!(is_accepted, "{}", String::from_utf8_lossy(&reply));
    }
    times
}
