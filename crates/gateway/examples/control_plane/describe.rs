//! How long `DescribePushTasks` takes with few and with many targets in the ledger.
//!
//! Both ledgers are open at the same time and asked in turn, so that both see the same load of the
//! machine. Of the targets three quarters are done, one in ten was refused by the origin and one in
//! 5,000 failed otherwise; the others are waiting.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use stoker_domain::{
    area::AreaScope,
    outcome::{OriginFault, Outcome},
    placement::NodeSet,
    quota::Product,
    task::{FetchOptions, Task, TaskId},
    time::Timestamp,
};
use stoker_ledger::{NewTask, PlannedTarget, Submissions, suite::fixture::nodes_named};
use tokio::task::JoinSet;

use crate::{
    app::{App, NODES, START, call, host, p99, url},
    remove,
};

/// Targets of a task.
const EACH: u64 = 500;
const FEW: u64 = 10_000;
/// Seconds from one task to the next.
const STEP: u64 = 3;
const ROUNDS: usize = 1000;

/// Makes the content of a call, given a number that differs from call to call.
type Make = fn(&Ledgers, tasks: u64, number: u64) -> Value;

const CASES: [(&str, Make); 8] = [
    ("of a task", |_, tasks, n| json!({ "TaskId": name(n % tasks), "Offset": n % 480 })),
    ("in a range of time", |all, tasks, n| all.range(n % tasks, n / 7 % tasks)),
    ("at offset 9,980", |all, _, _| with(all.whole(), "Offset", 9_980.into())),
    ("of a host", |all, _, n| with(all.whole(), "Keyword", host(n).into())),
    ("of a URL", |all, tasks, n| with(all.whole(), "Keyword", url(n % tasks, n % EACH).into())),
    ("that failed", |all, _, _| with(all.whole(), "Status", "fail".into())),
    ("that failed, of a host", |all, _, n| {
        with(with(all.whole(), "Status", "fail".into()), "Keyword", host(n).into())
    }),
    ("that wait", |all, _, _| with(all.whole(), "Status", "process".into())),
];

fn with(mut content: Value, name: &str, value: Value) -> Value {
    content[name] = value;
    content
}

/// The time that the tasks span, in the vendor's words.
struct Ledgers {
    tasks: u64,
}

impl Ledgers {
    fn whole(&self) -> Value {
        self.range(0, self.tasks)
    }

    fn range(&self, a: u64, b: u64) -> Value {
        let moment = |task: u64| time(at(task));
        json!({ "StartTime": moment(a.min(b)), "EndTime": moment(a.max(b)) })
    }
}

/// As the vendor writes it, in UTC+8.
fn time(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_second(at.as_seconds() + 8 * 3600).expect("not far away");
    moment.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn at(task: u64) -> Timestamp {
    Timestamp::from_seconds(START) + Duration::from_secs(task * STEP)
}

fn name(task: u64) -> String {
    format!("task-{task}")
}

pub(crate) async fn run(dir: &Path, most: u64) {
    let paths = ["few.db", "many.db"].map(|name| dir.join(name));
    paths.iter().for_each(|path| remove(path));
    let sizes = [FEW, most].map(|targets| targets / EACH);
    let apps = [open(&paths[0], sizes[0]).await, open(&paths[1], sizes[1]).await];
    let bytes = fs::metadata(&paths[1]).map_or(0, |file| file.len());
    println!("{} targets in {} MiB", sizes[1] * EACH, bytes >> 20);
    println!("targets | p50 and p99 with {FEW} | p50 and p99 with {most} | ratio of p99");
    for (title, make) in CASES {
        let mut times = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
        for round in 0..ROUNDS {
            for ((app, tasks), times) in apps.iter().zip(sizes).zip(&mut times) {
                // neighbours in time are far from each other in the ledger
                let number = round as u64 * 7919;
                let content = make(&Ledgers { tasks }, tasks, number).to_string().into_bytes();
                let request = app.request("DescribePushTasks", content);
                let mut router = app.router.clone();
                let started = Instant::now();
                let reply = call(&mut router, request).await;
                times.push(started.elapsed());
                let is_page = reply.windows(12).any(|window| window == b"\"TotalCount\"");
                assert!(is_page, "{}", String::from_utf8_lossy(&reply));
            }
        }
        let [few, many] = times.map(|mut times| (p99(&mut times), times[times.len() / 2]));
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        println!(
            "{title:>24} | {:>6.0} {:>6.0} us | {:>6.0} {:>6.0} us | {:.2}",
            micros(few.1),
            micros(few.0),
            micros(many.1),
            micros(many.0),
            micros(many.0) / micros(few.0),
        );
    }
    drop(apps);
    paths.iter().for_each(|path| remove(path));
}

/// A new ledger with so many tasks, eight of them written at a time.
async fn open(path: &Path, tasks: u64) -> App {
    let app = App::open(path).await;
    let mut writing = JoinSet::new();
    for number in 0..tasks {
        if writing.len() == 8 {
            writing.join_next().await;
        }
        let (ledger, new) = (Arc::clone(&app.ledger), new_task(&app, number));
        writing.spawn(async move { ledger.submit(new).await.expect("a free disk") });
    }
    writing.join_all().await;
    app
}

fn new_task(app: &App, number: u64) -> NewTask {
    let task = Task {
        id: TaskId(name(number)),
        account: app.account.id,
        product: Product::DomainPrefetch,
        areas: AreaScope::Mainland,
        tier: None,
        options: FetchOptions::default(),
        created_at: at(number),
    };
    let targets = (0..EACH).map(|n| {
        let settled = match (number + n) % 100 {
            _ if n == 0 && number.is_multiple_of(10) => {
                Some(Outcome::OriginError(OriginFault::Connect))
            }
            0..75 => Some(Outcome::Filled),
            75..85 => Some(Outcome::OriginStatus(404)),
            _ => None,
        };
        let nodes = if settled.is_none() { nodes_named(&NODES[..1]) } else { NodeSet::default() };
        PlannedTarget { url: url(number, n), host: host(number), levels: 0, nodes, settled }
    });
    NewTask { task, charges: Vec::new(), targets: targets.collect(), retry_of: None }
}
