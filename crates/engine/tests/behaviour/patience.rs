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

use crate::fixture::{Fixture, HOST, item, submission};

const AWAY: Outcome = Outcome::OriginError(OriginFault::Connect);
const BUSY: Outcome = Outcome::OriginStatus(503);
const MINUTE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(500);

/// The next job that is leased, and after how long.
async fn next(fixture: &Fixture) -> (LeasedJob, Duration) {
    let began = fixture.clock.now();
    loop {
        if let Some(job) = fixture.lease().await.pop() {
            return (job, fixture.clock.now().since(began));
        }
        let waited = fixture.clock.now().since(began);
        assert!(waited < MINUTE * 10, "nothing is leased any more");
        fixture.clock.advance(STEP);
    }
}

/// Reports `outcome` of every item of `job`.
async fn report(fixture: &Fixture, job: &LeasedJob, outcome: Outcome) {
    let reported = |at: &stoker_domain::job::JobItem| ItemReport {
        detail: Some("it did not work".into()),
        ..item(at.position, outcome)
    };
    assert!(fixture.report(job, job.items.iter().map(reported).collect()).await);
}

async fn progress(fixture: &Fixture, task: &TaskId) -> Vec<Progress> {
    fixture.targets(task).await.iter().map(|view| view.row.progress).collect()
}

/// Fails whatever is leased with `outcome` until the task is over; the pauses, and how many items
/// were handed out.
async fn fail_to_the_end(
    fixture: &Fixture,
    task: &TaskId,
    outcome: Outcome,
) -> (Vec<Duration>, usize) {
    let (mut pauses, mut items) = (Vec::new(), 0);
    while fixture.task(task).await.row.finished_at.is_none() {
        let began = fixture.clock.now();
        let job = loop {
            if let Some(job) = fixture.lease().await.pop() {
                break Some(job);
            }
            if fixture.task(task).await.row.finished_at.is_some() {
                break None;
            }
            fixture.clock.advance(STEP);
        };
        pauses.push(fixture.clock.now().since(began));
        if let Some(job) = job {
            items += job.items.len();
            report(fixture, &job, outcome).await;
        }
    }
    (pauses, items)
}

#[tokio::test]
async fn what_may_pass_is_tried_for_ten_minutes_with_growing_pauses() {
    for outcome in [BUSY, AWAY] {
        let fixture = Fixture::new().await;
        let task = fixture.submit(&["http://www.example.com/a"]).await.task;
        let began = fixture.clock.now();
        let (pauses, items) = fail_to_the_end(&fixture, &task, outcome).await;
        let took = fixture.clock.now().since(began);
        assert!((MINUTE * 8..=MINUTE * 10).contains(&took), "{took:?}");
        assert!((12..=30).contains(&items), "{items}");
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(63)), "{pauses:?}");
        let (first, last) = (&pauses[1..4], &pauses[pauses.len() - 4..]);
        assert!(first.iter().all(|pause| *pause <= Duration::from_secs(7)), "{pauses:?}");
        assert!(last.iter().all(|pause| *pause >= Duration::from_secs(30)), "{pauses:?}");
        let target = &fixture.targets(&task).await[0].row;
        assert_eq!((target.progress, target.outcome), (Progress::Failed, Some(outcome)));
        let told = fixture.engine.outcomes(&task, &[target.id]).await.unwrap();
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
        let fixture = Fixture::with(Config { patience, ..Config::default() }).await;
        let set = |known: &mut Domain| -> Result<(), DomainError> {
            known.patience_seconds = domain;
            Ok(())
        };
        fixture.engine.change_domain(fixture.account.id, HOST, set).await.unwrap();
        let mut new: Submission = submission(&["http://www.example.com/a"]);
        new.options.patience_seconds = task;
        let id = fixture.engine.submit(&fixture.account, new).await.unwrap().task;
        let began = fixture.clock.now();
        let (_, items) = fail_to_the_end(&fixture, &id, BUSY).await;
        let took = fixture.clock.now().since(began);
        assert!(took <= longest && took >= longest / 4, "{took:?} of {longest:?}");
        assert_eq!(items == 1, longest.is_zero(), "{items}");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_ends_no_patience() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&["http://www.example.com/a"]).await.task;
    for _ in 0..3 {
        let (job, _) = next(&fixture).await;
        report(&fixture, &job, BUSY).await;
        fixture.clock.advance(Duration::from_secs(24 * 3600));
    }
    assert_eq!(progress(&fixture, &task).await, [Progress::Processing]);
    let (job, _) = next(&fixture).await;
    report(&fixture, &job, Outcome::Filled).await;
    assert_eq!(progress(&fixture, &task).await, [Progress::Done]);
}

#[tokio::test]
async fn one_target_tries_an_origin_that_is_away_and_the_others_follow_when_it_is_back() {
    let fixture = Fixture::new().await;
    let urls = ["http://www.example.com/a", "http://www.example.com/b", "http://www.example.com/c"];
    let task = fixture.submit(&urls).await.task;
    let (job, _) = next(&fixture).await;
    assert_eq!(job.items.len(), 3);
    report(&fixture, &job, AWAY).await;
    // a task that comes meanwhile waits too
    let later = fixture.submit(&["http://www.example.com/d"]).await.task;
    assert!(fixture.lease().await.is_empty());
    let view = fixture.targets(&later).await.remove(0);
    let waiting = view.waiting.expect("it waits for its origin");
    assert_eq!(waiting.outcome, AWAY);
    let ahead = waiting.next_attempt.since(fixture.clock.now());
    assert!(!ahead.is_zero() && ahead <= Duration::from_secs(1), "{ahead:?}");
    assert_eq!(fixture.task(&later).await.waiting.map(|waiting| waiting.outcome), Some(AWAY));
    assert_eq!(fixture.task(&task).await.waiting.map(|waiting| waiting.outcome), Some(AWAY));
    let mut tried = Vec::new();
    for _ in 0..4 {
        let (job, _) = next(&fixture).await;
        assert_eq!(job.items.len(), 1, "one goes first");
        assert!(fixture.lease().await.is_empty(), "and nobody else");
        tried.push(job.items[0].url.clone());
        report(&fixture, &job, AWAY).await;
    }
    tried.sort();
    tried.dedup();
    assert!(tried.len() > 1, "not always the same: {tried:?}");
    let (job, _) = next(&fixture).await;
    report(&fixture, &job, Outcome::Filled).await;
    let mut left = 0;
    for job in fixture.lease().await {
        left += job.items.len();
        report(&fixture, &job, Outcome::Filled).await;
    }
    assert_eq!(left, 3, "all others at once");
    assert_eq!(fixture.task(&task).await.row.done, 3);
    assert_eq!(fixture.task(&later).await.row.done, 1);
    assert_eq!(fixture.task(&task).await.waiting, None);
}

#[tokio::test]
async fn targets_of_an_origin_that_stays_away_end_with_its_reason() {
    let fixture = Fixture::new().await;
    let first = fixture.submit(&["http://www.example.com/0"]).await.task;
    let (job, _) = next(&fixture).await;
    report(&fixture, &job, AWAY).await;
    let urls: Vec<String> = (1..9).map(|n| format!("http://www.example.com/{n}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let task = fixture.submit(&urls).await.task;
    let (_, items) = fail_to_the_end(&fixture, &task, AWAY).await;
    assert!(items < 40, "{items} attempts for an origin that is away");
    for view in fixture.targets(&task).await {
        assert_eq!(view.row.outcome, Some(AWAY));
        let told = fixture.engine.outcomes(&task, &[view.row.id]).await.unwrap();
        let detail = told[0].1[0].report.as_ref().unwrap().detail.clone().unwrap();
        assert!(detail.starts_with("it did not work; "), "{detail}");
    }
    fail_to_the_end(&fixture, &first, AWAY).await;
}

#[tokio::test]
async fn an_origin_that_answers_in_no_time_is_away_after_three_targets() {
    let silent = Outcome::OriginError(OriginFault::Timeout);
    let fixture = Fixture::new().await;
    let urls: Vec<String> = (0..6).map(|n| format!("http://www.example.com/{n}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    fixture.submit(&urls).await;
    let (job, _) = next(&fixture).await;
    // two that are slow say nothing of the others
    let some = [(0, silent), (1, silent), (2, Outcome::Filled), (3, silent), (4, silent)];
    let items = some.map(|(position, outcome)| item(position, outcome));
    assert!(fixture.report(&job, items.into()).await);
    let free = fixture.lease().await.remove(0);
    assert_eq!(free.items.iter().map(|item| item.position).collect::<Vec<_>>(), [5]);
    report(&fixture, &free, silent).await;
    let (job, _) = next(&fixture).await;
    assert_eq!(job.items.len(), 1);
}

#[tokio::test]
async fn an_origin_that_asks_to_be_left_alone_is_with_all_its_targets() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&["http://www.example.com/a"]).await.task;
    let job = fixture.lease().await.remove(0);
    fixture.submit(&["http://www.example.com/b"]).await;
    let refused = ItemReport { retry_after_seconds: Some(6), ..item(0, BUSY) };
    assert!(fixture.report(&job, vec![refused.clone()]).await);
    let (job, waited) = next(&fixture).await;
    assert!(waited >= Duration::from_secs(6) && waited <= Duration::from_secs(7), "{waited:?}");
    assert!(fixture.lease().await.is_empty(), "one goes first");
    assert!(fixture.report(&job, vec![refused]).await);
    let (job, waited) = next(&fixture).await;
    assert!(waited >= Duration::from_secs(6) && waited <= Duration::from_secs(9), "{waited:?}");
    report(&fixture, &job, Outcome::Filled).await;
    let (job, _) = next(&fixture).await;
    report(&fixture, &job, Outcome::Filled).await;
    assert_eq!(progress(&fixture, &task).await, [Progress::Done]);
}

#[tokio::test]
async fn nobody_is_left_alone_for_longer_than_five_minutes() {
    let fixture = Fixture::new().await;
    fixture.submit(&["http://www.example.com/a"]).await;
    let job = fixture.lease().await.remove(0);
    let refused = ItemReport { retry_after_seconds: Some(86_400), ..item(0, BUSY) };
    assert!(fixture.report(&job, vec![refused]).await);
    let (_, waited) = next(&fixture).await;
    assert!(waited >= MINUTE * 5 - STEP && waited <= MINUTE * 5 + STEP, "{waited:?}");
}

#[tokio::test]
async fn a_report_that_comes_twice_is_one_attempt() {
    let fixture = Fixture::new().await;
    let url = "http://www.example.com/a";
    let task = fixture.submit(&[url, "http://www.example.com/b"]).await.task;
    let job = fixture.lease().await.remove(0);
    let once = stoker_domain::job::Report {
        job: job.id,
        token: job.token,
        items: vec![item(0, BUSY)],
        is_last: false,
    };
    for _ in 0..3 {
        assert!(fixture.engine.report(once.clone()).await.unwrap());
    }
    let next_attempt = fixture.targets(&task).await[0].waiting.unwrap().next_attempt;
    assert!(next_attempt.since(fixture.clock.now()) <= Duration::from_secs(1));
}
