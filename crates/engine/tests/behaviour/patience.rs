//! How long failures are tried again, and that an origin which is away, or wants to be left alone, is
//! left alone.

use std::time::Duration;

use stoker_domain::{
    domain::Domain,
    job::{ItemReport, LeasedJob},
    outcome::{OriginFault, Outcome},
    task::{Progress, TaskId},
    time::Clock,
};
use stoker_engine::{Config, DomainError, Submission};

use crate::stage::{HOST, Stage, item, submission};

const AWAY: Outcome = Outcome::OriginError(OriginFault::Connect);
const BUSY: Outcome = Outcome::OriginStatus(503);
const MINUTE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(500);

/// The next job that is leased, and after how long.
async fn next(stage: &Stage) -> (LeasedJob, Duration) {
    let began = stage.clock.now();
    loop {
        if let Some(job) = stage.lease().await.pop() {
            return (job, stage.clock.now().since(began));
        }
        let waited = stage.clock.now().since(began);
        assert!(waited < MINUTE * 10, "nothing is leased any more");
        stage.clock.advance(STEP);
    }
}

/// Reports `outcome` of every item of `job`.
async fn report(stage: &Stage, job: &LeasedJob, outcome: Outcome) {
    let told = |at: &stoker_domain::job::JobItem| ItemReport {
        detail: Some("it did not work".into()),
        ..item(at.position, outcome)
    };
    assert!(stage.report(job, job.items.iter().map(told).collect()).await);
}

async fn progress(stage: &Stage, task: &TaskId) -> Vec<Progress> {
    stage.targets(task).await.iter().map(|view| view.row.progress).collect()
}

/// Fails whatever is leased with `outcome` until the task is over; the pauses, and how many items
/// were handed out.
async fn fail_to_the_end(stage: &Stage, task: &TaskId, outcome: Outcome) -> (Vec<Duration>, usize) {
    let (mut pauses, mut items) = (Vec::new(), 0);
    while stage.task(task).await.row.finished_at.is_none() {
        let began = stage.clock.now();
        let job = loop {
            if let Some(job) = stage.lease().await.pop() {
                break Some(job);
            }
            if stage.task(task).await.row.finished_at.is_some() {
                break None;
            }
            stage.clock.advance(STEP);
        };
        pauses.push(stage.clock.now().since(began));
        if let Some(job) = job {
            items += job.items.len();
            report(stage, &job, outcome).await;
        }
    }
    (pauses, items)
}

#[tokio::test]
async fn what_may_pass_is_tried_for_ten_minutes_with_growing_pauses() {
    for outcome in [BUSY, AWAY] {
        let stage = Stage::new().await;
        let task = stage.submit(&["http://www.example.com/a"]).await.task;
        let began = stage.clock.now();
        let (pauses, items) = fail_to_the_end(&stage, &task, outcome).await;
        let took = stage.clock.now().since(began);
        assert!((MINUTE * 8..=MINUTE * 10).contains(&took), "{took:?}");
        assert!((12..=30).contains(&items), "{items}");
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(63)), "{pauses:?}");
        let (first, last) = (&pauses[1..4], &pauses[pauses.len() - 4..]);
        assert!(first.iter().all(|pause| *pause <= Duration::from_secs(7)), "{pauses:?}");
        assert!(last.iter().all(|pause| *pause >= Duration::from_secs(30)), "{pauses:?}");
        let target = &stage.targets(&task).await[0].row;
        assert_eq!((target.progress, target.outcome), (Progress::Failed, Some(outcome)));
        let told = stage.engine.outcomes(&task, &[target.id]).await.unwrap();
        let detail = told[0].1[0].report.as_ref().unwrap().detail.clone().unwrap();
        assert!(detail.starts_with("it did not work; tried "), "{detail}");
    }
}

#[tokio::test]
async fn patience_is_the_tasks_or_else_the_domains() {
    let seconds = Duration::from_secs;
    for (installation, domain, task, longest) in [
        (20, None, None, seconds(20)),
        (600, Some(20), None, seconds(20)),
        (600, Some(0), None, Duration::ZERO),
        (600, Some(600), Some(20), seconds(20)),
        (0, Some(0), Some(20), seconds(20)),
        (600, Some(600), Some(0), Duration::ZERO),
    ] {
        let patience = Duration::from_secs(installation);
        let stage = Stage::with(Config { patience, ..Config::default() }).await;
        let set = |known: &mut Domain| -> Result<(), DomainError> {
            known.patience_seconds = domain;
            Ok(())
        };
        stage.engine.change_domain(stage.account.id, HOST, set).await.unwrap();
        let mut new: Submission = submission(&["http://www.example.com/a"]);
        new.options.patience_seconds = task;
        let id = stage.engine.submit(&stage.account, new).await.unwrap().task;
        let began = stage.clock.now();
        let (_, items) = fail_to_the_end(&stage, &id, BUSY).await;
        let took = stage.clock.now().since(began);
        assert!(took <= longest && took >= longest / 4, "{took:?} of {longest:?}");
        assert_eq!(items == 1, longest.is_zero(), "{items}");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_ends_no_patience() {
    let stage = Stage::new().await;
    let task = stage.submit(&["http://www.example.com/a"]).await.task;
    for _ in 0..3 {
        let (job, _) = next(&stage).await;
        report(&stage, &job, BUSY).await;
        stage.clock.advance(Duration::from_secs(24 * 3600));
    }
    assert_eq!(progress(&stage, &task).await, [Progress::Processing]);
    let (job, _) = next(&stage).await;
    report(&stage, &job, Outcome::Filled).await;
    assert_eq!(progress(&stage, &task).await, [Progress::Done]);
}

#[tokio::test]
async fn one_target_tries_an_origin_that_is_away_and_the_others_follow_when_it_is_back() {
    let stage = Stage::new().await;
    let urls = ["http://www.example.com/a", "http://www.example.com/b", "http://www.example.com/c"];
    let task = stage.submit(&urls).await.task;
    let (job, _) = next(&stage).await;
    assert_eq!(job.items.len(), 3);
    report(&stage, &job, AWAY).await;
    // a task that comes meanwhile waits too
    let later = stage.submit(&["http://www.example.com/d"]).await.task;
    assert!(stage.lease().await.is_empty());
    let view = stage.targets(&later).await.remove(0);
    let waiting = view.waiting.expect("it waits for its origin");
    assert_eq!(waiting.outcome, AWAY);
    let ahead = waiting.next_attempt.since(stage.clock.now());
    assert!(!ahead.is_zero() && ahead <= Duration::from_secs(1), "{ahead:?}");
    assert_eq!(stage.task(&later).await.waiting.map(|waiting| waiting.outcome), Some(AWAY));
    assert_eq!(stage.task(&task).await.waiting.map(|waiting| waiting.outcome), Some(AWAY));
    let mut tried = Vec::new();
    for _ in 0..4 {
        let (job, _) = next(&stage).await;
        assert_eq!(job.items.len(), 1, "one goes first");
        assert!(stage.lease().await.is_empty(), "and nobody else");
        tried.push(job.items[0].url.clone());
        report(&stage, &job, AWAY).await;
    }
    tried.sort();
    tried.dedup();
    assert!(tried.len() > 1, "not always the same: {tried:?}");
    let (job, _) = next(&stage).await;
    report(&stage, &job, Outcome::Filled).await;
    let mut left = 0;
    for job in stage.lease().await {
        left += job.items.len();
        report(&stage, &job, Outcome::Filled).await;
    }
    assert_eq!(left, 3, "all others at once");
    assert_eq!(stage.task(&task).await.row.done, 3);
    assert_eq!(stage.task(&later).await.row.done, 1);
    assert_eq!(stage.task(&task).await.waiting, None);
}

#[tokio::test]
async fn targets_of_an_origin_that_stays_away_end_with_its_reason() {
    let stage = Stage::new().await;
    let first = stage.submit(&["http://www.example.com/0"]).await.task;
    let (job, _) = next(&stage).await;
    report(&stage, &job, AWAY).await;
    let urls: Vec<String> = (1..9).map(|n| format!("http://www.example.com/{n}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let task = stage.submit(&urls).await.task;
    let (_, items) = fail_to_the_end(&stage, &task, AWAY).await;
    assert!(items < 40, "{items} attempts for an origin that is away");
    for view in stage.targets(&task).await {
        assert_eq!(view.row.outcome, Some(AWAY));
        let told = stage.engine.outcomes(&task, &[view.row.id]).await.unwrap();
        let detail = told[0].1[0].report.as_ref().unwrap().detail.clone().unwrap();
        assert!(detail.starts_with("it did not work; "), "{detail}");
    }
    fail_to_the_end(&stage, &first, AWAY).await;
}

#[tokio::test]
async fn an_origin_that_answers_in_no_time_is_away_after_three_targets() {
    let silent = Outcome::OriginError(OriginFault::Timeout);
    let stage = Stage::new().await;
    let urls: Vec<String> = (0..6).map(|n| format!("http://www.example.com/{n}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    stage.submit(&urls).await;
    let (job, _) = next(&stage).await;
    // two that are slow say nothing of the others
    let some = [(0, silent), (1, silent), (2, Outcome::Filled), (3, silent), (4, silent)];
    let items = some.map(|(position, outcome)| item(position, outcome));
    assert!(stage.report(&job, items.into()).await);
    let free = stage.lease().await.remove(0);
    assert_eq!(free.items.iter().map(|item| item.position).collect::<Vec<_>>(), [5]);
    report(&stage, &free, silent).await;
    let (job, _) = next(&stage).await;
    assert_eq!(job.items.len(), 1);
}

#[tokio::test]
async fn an_origin_that_asks_to_be_left_alone_is_with_all_its_targets() {
    let stage = Stage::new().await;
    let task = stage.submit(&["http://www.example.com/a"]).await.task;
    let job = stage.lease().await.remove(0);
    stage.submit(&["http://www.example.com/b"]).await;
    let refused = ItemReport { retry_after_seconds: Some(6), ..item(0, BUSY) };
    assert!(stage.report(&job, vec![refused.clone()]).await);
    let (job, waited) = next(&stage).await;
    assert!(waited >= Duration::from_secs(6) && waited <= Duration::from_secs(7), "{waited:?}");
    assert!(stage.lease().await.is_empty(), "one goes first");
    assert!(stage.report(&job, vec![refused]).await);
    let (job, waited) = next(&stage).await;
    assert!(waited >= Duration::from_secs(6) && waited <= Duration::from_secs(9), "{waited:?}");
    report(&stage, &job, Outcome::Filled).await;
    let (job, _) = next(&stage).await;
    report(&stage, &job, Outcome::Filled).await;
    assert_eq!(progress(&stage, &task).await, [Progress::Done]);
}

#[tokio::test]
async fn nobody_is_left_alone_for_longer_than_five_minutes() {
    let stage = Stage::new().await;
    stage.submit(&["http://www.example.com/a"]).await;
    let job = stage.lease().await.remove(0);
    let refused = ItemReport { retry_after_seconds: Some(86_400), ..item(0, BUSY) };
    assert!(stage.report(&job, vec![refused]).await);
    let (_, waited) = next(&stage).await;
    assert!(waited >= MINUTE * 5 - STEP && waited <= MINUTE * 5 + STEP, "{waited:?}");
}

#[tokio::test]
async fn a_report_that_comes_twice_is_one_attempt() {
    let stage = Stage::new().await;
    let url = "http://www.example.com/a";
    let task = stage.submit(&[url, "http://www.example.com/b"]).await.task;
    let job = stage.lease().await.remove(0);
    let once = stoker_domain::job::Report {
        job: job.id,
        token: job.token,
        items: vec![item(0, BUSY)],
        is_last: false,
    };
    for _ in 0..3 {
        assert!(stage.engine.report(once.clone()).await.unwrap());
    }
    let next_attempt = stage.targets(&task).await[0].waiting.unwrap().next_attempt;
    assert!(next_attempt.since(stage.clock.now()) <= Duration::from_secs(1));
}
