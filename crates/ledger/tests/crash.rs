//! `kill -9` at any instant: whatever was acknowledged is there, and charged once.
//!
//! The child is this test binary itself, started in a directory that holds the file [`ORDER`]; it
//! submits, leases and reports, and removes when it is told to, until it is killed and prints what
//! was acknowledged. A killed process loses what it had not handed to the system, so this shows that
//! answers follow commits and that a half-written log is recovered; it does not show what a power
//! cut does.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![expect(clippy::print_stdout, reason = "the child tells the parent what was acknowledged")]

use std::{
    collections::BTreeMap,
    env::current_exe,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use stoker_domain::{
    account::AccountId,
    area::Area,
    outcome::Outcome,
    task::Progress,
    view::{TargetFilter, TargetState, TaskFilter},
};
use stoker_ledger::{
    Ledger, Sqlite,
    suite::fixture::{Dice, Fixture, at, urls},
};
use tokio::task::JoinSet;

/// Tells the child what to do: the number of the round, and `remove` if it is to remove too.
const ORDER: &str = "round";
const LEDGER: &str = "ledger.db";
const ROUNDS: u64 = 10;
const SEED: u64 = 20_260_101;
/// Tasks submitted at once, so that commits carry several.
const CALLERS: usize = 6;
/// Precedes what was acknowledged, among what the test runner prints.
const ACCEPTED: &str = "\u{1}accepted ";
const DONE: &str = "\u{1}done ";
const REMOVED: &str = "\u{1}removed ";
/// Every so many tasks one has several chunks and is removed by parts.
const LARGE: usize = 20;

#[test]
fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut dice = Dice(SEED);
    println!("seed {SEED}");
    let mut accepted = BTreeMap::new();
    let mut done = 0;
    for round in 0..ROUNDS {
        fs::write(dir.path().join(ORDER), round.to_string()).unwrap();
        let after = 1 + dice.below(150);
        let told = run_child_until(dir.path(), after);
        assert!(told.len() as u64 >= after, "round {round}: the child ended by itself");
        for line in told {
            match line.split_once(' ') {
                Some(("\u{1}accepted", task)) => {
                    let (id, targets) = task.split_once(' ').unwrap();
                    accepted.insert(id.to_owned(), targets.parse::<u64>().unwrap());
                }
                _ => done += line.strip_prefix(DONE).unwrap().parse::<u64>().unwrap(),
            }
        }
        check(dir.path(), &accepted, done);
    }
}

#[test]
fn a_killed_process_has_removed_whole_parts_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut dice = Dice(SEED + 1);
    println!("seed {}", SEED + 1);
    let (mut accepted, mut removed) = (0, 0);
    for round in 0..ROUNDS / 2 {
        fs::write(dir.path().join(ORDER), format!("{round} remove")).unwrap();
        for line in run_child_until(dir.path(), 1 + dice.below(150)) {
            let number = line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
            if line.starts_with(ACCEPTED) {
                accepted += number;
            } else if line.starts_with(REMOVED) {
                removed += number;
            }
        }
        check_what_is_left(dir.path(), accepted, removed);
    }
    assert!(removed > 0);
}

/// Starts the child, kills it once it has acknowledged `after` verbs, and returns all it told.
fn run_child_until(dir: &Path, after: u64) -> Vec<String> {
    let mut child = Command::new(current_exe().unwrap())
        .args(["--exact", "submits_until_it_is_killed", "--nocapture", "--test-threads=1"])
        .current_dir(dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = Vec::new();
    // also what it had printed before the kill reached it
    for line in lines {
        let line = line.unwrap();
        if [ACCEPTED, DONE, REMOVED].iter().any(|told| line.starts_with(told)) {
            told.push(line);
            if told.len() as u64 == after {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    told
}

/// What was acknowledged is there; rows, counts, totals and quota agree with each other.
#[tokio::main(flavor = "current_thread")]
async fn check(dir: &Path, accepted: &BTreeMap<String, u64>, done: u64) {
    let fixture = reopen(dir).await;
    let (found, sums) = agree(&fixture).await;
    for (id, targets) in accepted {
        assert_eq!(found.get(id), Some(targets), "task {id} was acknowledged");
    }
    assert!(sums.1 >= done, "{} done, {done} acknowledged", sums.1);
    assert_eq!(fixture.used(Area::Mainland).await, sums.0, "each target is charged once");
}

/// What was removed is gone and what is left is whole.
#[tokio::main(flavor = "current_thread")]
async fn check_what_is_left(dir: &Path, accepted: u64, removed: u64) {
    let fixture = reopen(dir).await;
    let (_, (targets, _)) = agree(&fixture).await;
    let used = fixture.used(Area::Mainland).await;
    assert!(used >= accepted && targets + removed <= used, "{targets} {removed} {accepted} {used}");
    while fixture.ledger.remove_tasks(at(3), 1).await.unwrap().is_more {}
    let (found, _) = agree(&fixture).await;
    for id in found.keys() {
        assert_eq!(fixture.row(id).await.finished_at, None, "task {id} was left");
    }
}

async fn reopen(dir: &Path) -> Fixture {
    let ledger: Arc<dyn Ledger> = Arc::new(Sqlite::open(dir.join(LEDGER)).unwrap());
    let account = ledger.accounts().await.unwrap()[0].id;
    Fixture { ledger, account, stranger: AccountId(0) }
}

/// Rows, counts and totals agree with each other; targets by task, and all together with the done.
async fn agree(fixture: &Fixture) -> (BTreeMap<String, u64>, (u64, u64)) {
    let account = fixture.account;
    let filter = TaskFilter { limit: u64::MAX, ..TaskFilter::default() };
    let page = fixture.ledger.tasks(&filter).await.unwrap();
    assert_eq!(page.total, page.rows.len() as u64);
    let found: BTreeMap<_, _> =
        page.rows.iter().map(|row| (row.task.id.0.clone(), row.targets)).collect();
    let mut sums = (0, 0);
    for row in &page.rows {
        let rows = fixture.targets(&row.task.id.0).await;
        let ended = rows.iter().filter(|row| row.progress == Progress::Done).count() as u64;
        assert_eq!((rows.len() as u64, ended), (row.targets, row.done), "task {}", row.task.id);
        assert_eq!(row.finished_at.is_some(), row.done == row.targets);
        sums = (sums.0 + row.targets, sums.1 + ended);
    }
    for (states, total) in [(None, sums.0), (Some(vec![TargetState::Done]), sums.1)] {
        let filter =
            TargetFilter { account: Some(account), states, limit: 1, ..TargetFilter::default() };
        assert_eq!(fixture.ledger.targets(&filter).await.unwrap().total, total);
    }
    (found, sums)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submits_until_it_is_killed() {
    let Ok(round) = fs::read_to_string(ORDER) else {
        return; // not the child
    };
    let removes = round.ends_with("remove");
    let large = if removes { 600 } else { 0 };
    println!();
    let ledger: Arc<dyn Ledger> = Arc::new(Sqlite::open(LEDGER).unwrap());
    let fixture = match &*ledger.accounts().await.unwrap() {
        [] => Fixture::new(ledger).await,
        [account, ..] => Fixture { account: account.id, stranger: AccountId(0), ledger },
    };
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let name = format!("{}-{caller}", round.replace(' ', "-"));
        callers.spawn(submit_for_ever(fixture.clone(), name, large));
    }
    callers.spawn(work_for_ever(fixture.clone()));
    if removes {
        callers.spawn(remove_for_ever(fixture));
    }
    callers.join_all().await;
}

/// One in [`LARGE`] tasks has `large` targets more.
async fn submit_for_ever(fixture: Fixture, name: String, large: usize) {
    for number in 0.. {
        let id = format!("{name}-{number}");
        let count = 1 + number % 30 + if number % LARGE == 3 { large } else { 0 };
        let submitted = fixture.submit(&id, &urls("a.example", count), &["edge"]).await;
        println!("{ACCEPTED}{id} {}", submitted.targets);
    }
}

async fn work_for_ever(fixture: Fixture) {
    loop {
        for job in fixture.lease("edge", 3, at(1)).await {
            let applied = fixture.settle_all(&job, Outcome::Filled, at(2)).await;
            println!("{DONE}{}", applied.finished_targets);
        }
    }
}

async fn remove_for_ever(fixture: Fixture) {
    loop {
        let removed = fixture.ledger.remove_tasks(at(3), 20).await.unwrap();
        if removed.targets > 0 {
            println!("{REMOVED}{}", removed.targets);
        }
        tokio::task::yield_now().await;
    }
}
