//! What nobody finishes ends, what finished long ago goes.

use std::time::Duration;

use stoker_domain::{
    area::{Area, Tier},
    job::{Heartbeat, LeasedJob},
    outcome::Outcome,
    purge::Scope,
    quota::Product,
    retry::MAX_LEASES,
    task::{Progress, TaskId},
    view::{PurgeFilter, TaskFilter},
};
use stoker_engine::{Config, PurgeSubmission, Swept};

use crate::fixture::{Fixture, MIDDLE, item, node};

const BUDGET: Duration = Duration::from_secs(60);
const TURN: Duration = Duration::from_secs(300);
const HOUR: u32 = 12;
const DAY: Duration = Duration::from_secs(86_400);
const PAGE: [&str; 2] = ["http://www.example.com/a", "http://www.example.com/b"];

/// Takes turns of five minutes; what all of them swept.
async fn turns(fixture: &Fixture, turns: u32) -> Swept {
    let before = fixture.engine.swept();
    for _ in 0..turns {
        fixture.clock.advance(TURN);
        fixture.engine.sweep(BUDGET).await.unwrap();
    }
    let all = fixture.engine.swept();
    Swept { jobs: all.jobs - before.jobs, timeouts: all.timeouts - before.timeouts, ..all }
}

async fn outcomes(fixture: &Fixture, task: &TaskId) -> Vec<(Progress, Option<Outcome>)> {
    let views = fixture.targets(task).await;
    views.into_iter().map(|view| (view.row.progress, view.row.outcome)).collect()
}

fn beat(job: &LeasedJob) -> Heartbeat {
    Heartbeat { job: job.id, token: job.token, items: Vec::new() }
}

#[tokio::test]
async fn targets_of_a_node_that_never_returns_time_out() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&PAGE).await.task;
    let job = fixture.lease().await.remove(0);
    fixture.report(&job, vec![item(0, Outcome::Filled)]).await;
    fixture.lease().await;
    assert_eq!(turns(&fixture, 24 * HOUR).await.jobs, 0);
    let open = (Progress::Processing, None);
    assert_eq!(outcomes(&fixture, &task).await[1], open);
    // a day after the end of its last lease
    let swept = turns(&fixture, 1).await;
    assert_eq!((swept.jobs, swept.timeouts), (1, 1));
    let late = (Progress::Failed, Some(Outcome::Timeout));
    let there = (Progress::Done, Some(Outcome::Filled));
    assert_eq!(outcomes(&fixture, &task).await, [there, late]);
    assert!(fixture.task(&task).await.row.finished_at.is_some());
    let target = fixture.targets(&task).await[1].row.id;
    let told = fixture.engine.outcomes(&task, &[target]).await.unwrap();
    let detail = told[0].1[0].report.as_ref().unwrap().detail.clone().unwrap();
    assert_eq!(detail, "middle-mainland gave no sign of life for 86400 s");
    // it comes back all the same
    assert!(!fixture.report(&job, vec![item(1, Outcome::Filled)]).await);
    assert!(fixture.lease().await.is_empty());
    assert_eq!(outcomes(&fixture, &task).await, [there, late]);
    assert_eq!(turns(&fixture, 1).await.jobs, 0);
}

#[tokio::test]
async fn a_node_that_lives_keeps_its_jobs_for_as_long_as_it_takes() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&PAGE).await.task;
    let job = fixture.lease().await.remove(0);
    for _ in 0..49 {
        assert!(fixture.engine.heartbeat(beat(&job)).await.unwrap());
        assert_eq!(turns(&fixture, HOUR).await, Swept::default());
    }
    // what it gets after a long silence has its own day
    turns(&fixture, 20 * HOUR).await;
    let later = fixture.submit(&["http://www.example.com/later"]).await.task;
    assert_eq!(turns(&fixture, 4 * HOUR).await.jobs, 1);
    assert_eq!(outcomes(&fixture, &task).await[0].1, Some(Outcome::Timeout));
    assert_eq!(outcomes(&fixture, &later).await[0].0, Progress::Processing);
    assert_eq!(turns(&fixture, 21 * HOUR).await.jobs, 1);
    assert_eq!(outcomes(&fixture, &later).await[0].1, Some(Outcome::Timeout));
}

#[tokio::test]
async fn a_machine_that_slept_and_a_clock_that_was_set_end_nothing() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&PAGE).await.task;
    let noon = fixture.engine.quota_resets_at();
    fixture.clock.advance(DAY * 10);
    assert_eq!(turns(&fixture, 23 * HOUR).await.jobs, 0);
    fixture.clock.jump(noon);
    assert_eq!(turns(&fixture, 23 * HOUR).await.jobs, 0);
    assert_eq!(outcomes(&fixture, &task).await[0].0, Progress::Processing);
    assert_eq!(turns(&fixture, 2 * HOUR).await.jobs, 1);
}

#[tokio::test]
async fn a_target_that_ends_its_node_every_time_is_given_up() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&PAGE).await.task;
    for session in 0..=MAX_LEASES {
        assert_eq!(fixture.engine.sweep(BUDGET).await.unwrap(), Swept::default());
        let middle = node(Area::Mainland, Tier::Middle);
        fixture.engine.register(middle, 100 + u64::from(session)).await.unwrap();
        assert_eq!(fixture.lease().await.len(), 1);
    }
    let swept = fixture.engine.sweep(BUDGET).await.unwrap();
    assert_eq!((swept.jobs, swept.timeouts), (1, 2));
    let late = (Progress::Failed, Some(Outcome::Timeout));
    assert_eq!(outcomes(&fixture, &task).await, [late, late]);
}

#[tokio::test]
async fn records_are_kept_as_long_as_they_should_be() {
    let config = Config { retention: DAY * 3, job_patience: DAY * 99, ..Config::default() };
    let fixture = Fixture::with(config).await;
    let old = fixture.submit(&PAGE).await.task;
    let job = fixture.lease().await.remove(0);
    let both = vec![item(0, Outcome::Filled), item(1, Outcome::TooLarge)];
    assert!(fixture.report(&job, both).await);
    let targets = vec!["http://www.example.com/a".into()];
    let purge = PurgeSubmission::new(Product::DomainPurgeUrl, Scope::Url, targets);
    fixture.engine.purge(&fixture.account, purge).await.unwrap();
    let names = ["middle-mainland", "middle-overseas", "edge-mainland", "edge-overseas"];
    for name in names.iter().chain(&names).chain(&names) {
        for order in fixture.engine.purge_orders(name, Duration::ZERO).await.unwrap() {
            fixture.engine.purged(name, order.number).await.unwrap();
        }
    }
    let running = fixture.submit(&["http://www.example.com/c"]).await.task;
    let tasks = async || {
        let filter = TaskFilter { limit: 9, ..TaskFilter::default() };
        let page = fixture.engine.tasks(&filter).await.unwrap();
        assert_eq!(page.total, page.rows.len() as u64);
        page.rows.into_iter().map(|view| view.row.task.id).collect::<Vec<_>>()
    };
    let purges = async || {
        let filter = PurgeFilter { limit: 9, ..PurgeFilter::default() };
        fixture.engine.purges(&filter).await.unwrap().total
    };
    fixture.clock.advance(DAY * 3);
    assert_eq!(fixture.engine.sweep(BUDGET).await.unwrap(), Swept::default());
    assert_eq!((tasks().await, purges().await), (vec![running.clone(), old], 1));
    fixture.clock.advance(Duration::from_millis(1));
    let swept = Swept { tasks: 1, targets: 2, purges: 1, ..Swept::default() };
    assert_eq!(fixture.engine.sweep(BUDGET).await.unwrap(), swept);
    assert_eq!((tasks().await, purges().await), (vec![running], 0));
    fixture.clock.advance(DAY * 50);
    assert_eq!(fixture.engine.sweep(BUDGET).await.unwrap(), Swept::default(), "it still runs");
    assert_eq!(fixture.engine.swept(), swept);
    assert_eq!(fixture.engine.lease(MIDDLE, 9, Duration::ZERO).await.unwrap().len(), 1);
}

#[tokio::test]
async fn temporary_keys_go_when_they_have_ended() {
    let fixture = Fixture::new().await;
    let account = fixture.account.id;
    let lasting = fixture.engine.create_key(account, None).await.unwrap();
    let life = Duration::from_secs(600);
    let issued = fixture.engine.issue_key(account, None, life, None).await.unwrap();
    let is_there = async |id: &str| fixture.engine.caller(id).await.unwrap().is_some();
    fixture.engine.sweep(BUDGET).await.unwrap();
    assert!(is_there(&issued.key.secret_id).await);
    turns(&fixture, HOUR).await;
    fixture.engine.enable_key(account, &lasting.secret_id, true).await.unwrap();
    assert!(!is_there(&issued.key.secret_id).await);
    assert!(is_there(&lasting.secret_id).await);
}
