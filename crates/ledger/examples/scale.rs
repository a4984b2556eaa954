//! How fast SQLite takes and finds targets, with few and with many in the file.
//!
//! `cargo run --release -p stoker-ledger --example scale -- DIR TARGETS` fills a new ledger in DIR
//! with calls of 500 URLs for two nodes, works off three quarters, and prints rates and the 99th
//! percentile of each view at 10,000 targets and at TARGETS.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use stoker_domain::{
    area::Area,
    outcome::Outcome,
    task::{Progress, Task, TaskId},
    view::{TargetFilter, TargetState, TaskFilter},
};
use stoker_ledger::{
    Sqlite,
    suite::fixture::{Dice, Fixture, at, targets},
};
use tokio::task::JoinSet;

const CALL: u64 = 500;
const NODES: [&str; 2] = ["edge-1", "edge-2"];
const ROUNDS: usize = 300;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(dir), Some(most)) = (arguments.next(), arguments.next()) else {
        println!("usage: scale DIR TARGETS");
        return;
    };
    let most: u64 = most.parse().expect("TARGETS is a number");
    let sqlite = Sqlite::open(format!("{dir}/ledger.db")).expect("DIR holds no other ledger");
    let fixture = Fixture::new(Arc::new(sqlite)).await;
    submit_singly(&fixture, 20_000).await;
    let mut calls = 0;
    for end in [20, most / CALL] {
        let started = Instant::now();
        let before = calls;
        submit(&fixture, &mut calls, end).await;
        let rate = ((calls - before) * CALL) as f64 / started.elapsed().as_secs_f64();
        println!("at {} targets: accepted {rate:.0} URLs/s in calls of {CALL}", calls * CALL);
        let started = Instant::now();
        let settled = work(&fixture, (calls - before) * 3 / 4).await;
        let rate = settled as f64 / started.elapsed().as_secs_f64();
        println!("  settled {rate:.0} outcomes/s in reports of {CALL}");
        views(&fixture, calls).await;
    }
}

/// Calls of one URL, 64 at a time.
async fn submit_singly(fixture: &Fixture, calls: u64) {
    let started = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..64 {
        let fixture = fixture.clone();
        callers.spawn(async move {
            for number in 0..calls / 64 {
                let url = format!("http://single.example/{caller}/{number}");
                let mut task = fixture.task(&format!("single-{caller}-{number}"));
                task.account = fixture.stranger;
                let mut new = fixture.new_task(task, targets(&[url], &["elsewhere"]));
                new.charges.iter_mut().for_each(|charge| charge.daily = u64::MAX);
                fixture.ledger.submit(new).await.expect("submit");
            }
        });
    }
    callers.join_all().await;
    let rate = calls as f64 / started.elapsed().as_secs_f64();
    println!("accepted {rate:.0} calls/s of one URL");
}

/// Eight callers at a time.
async fn submit(fixture: &Fixture, calls: &mut u64, end: u64) {
    let mut callers = JoinSet::new();
    for number in *calls..end {
        if callers.len() == 8 {
            callers.join_next().await;
        }
        let fixture = fixture.clone();
        callers.spawn(async move {
            let host = format!("host-{}.example", number % 50);
            let urls: Vec<_> =
                (0..CALL).map(|n| format!("http://{host}/media/{number}/segment-{n}.ts")).collect();
            let task = Task { created_at: at(number / 20), ..fixture.task(&number.to_string()) };
            let mut new = fixture.new_task(task, targets(&urls, &NODES));
            new.charges.iter_mut().for_each(|charge| charge.daily = u64::MAX);
            fixture.ledger.submit(new).await.expect("submit");
        });
    }
    callers.join_all().await;
    *calls = end;
}

async fn work(fixture: &Fixture, jobs: u64) -> u64 {
    let mut settled = 0;
    for _ in 0..jobs.div_ceil(8) {
        for node in NODES {
            for job in fixture.lease(node, 8, at(1 << 30)).await {
                let outcome =
                    if job.id.0 % 97 == 0 { Outcome::OriginStatus(404) } else { Outcome::Filled };
                settled += fixture.settle_all(&job, outcome, at(1 << 30)).await.settled;
            }
        }
    }
    settled
}

/// Makes the filter of the next call.
type Make = Box<dyn FnMut() -> TargetFilter>;

async fn views(fixture: &Fixture, calls: u64) {
    let mut dice = Dice(1);
    let page =
        TargetFilter { account: Some(fixture.account), limit: 20, ..TargetFilter::default() };
    let failed = TargetFilter { states: Some(TargetState::of(Progress::Failed)), ..page.clone() };
    let host = |dice: &mut Dice| Some(vec![format!("host-{}.example", dice.below(50))]);
    let mut filters: Vec<(&str, Make)> = Vec::new();
    let mut add = |name, make: Make| filters.push((name, make));
    let (base, mut d) = (page.clone(), dice.clone());
    add(
        "of a task",
        Box::new(move || {
            let task = Some(TaskId(d.below(calls).to_string()));
            TargetFilter { task, offset: d.below(480), ..base.clone() }
        }),
    );
    let (base, mut d) = (page.clone(), dice.clone());
    add(
        "in a range of time",
        Box::new(move || {
            let from = d.below(calls / 20 + 1);
            let to = from + d.below(calls / 20 + 1);
            TargetFilter { from: Some(at(from)), to: Some(at(to)), ..base.clone() }
        }),
    );
    let (base, mut d) = (page.clone(), dice.clone());
    add(
        "of a host and area",
        Box::new(move || TargetFilter {
            hosts: host(&mut d),
            area: Some(Area::Mainland),
            ..base.clone()
        }),
    );
    let (base, mut d) = (page.clone(), dice.clone());
    add(
        "of a URL",
        Box::new(move || {
            let number = d.below(calls);
            let url = format!("http://host-{}.example/media/{number}/segment-7.ts", number % 50);
            TargetFilter { url: Some(url), ..base.clone() }
        }),
    );
    let base = failed.clone();
    add("failed", Box::new(move || base.clone()));
    let mut d = dice.clone();
    add(
        "failed of a host",
        Box::new(move || TargetFilter { hosts: host(&mut d), ..failed.clone() }),
    );
    for (name, mut make) in filters {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let filter = make();
            let started = Instant::now();
            fixture.ledger.targets(&filter).await.expect("targets");
            times.push(started.elapsed());
        }
        print(name, times);
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let filter = TaskFilter {
            account: Some(fixture.account),
            offset: dice.below(calls),
            limit: 20,
            ..TaskFilter::default()
        };
        let started = Instant::now();
        fixture.ledger.tasks(&filter).await.expect("tasks");
        times.push(started.elapsed());
    }
    print("tasks", times);
}

fn print(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("  targets {name}: median {median:?}, p99 {p99:?}");
}
