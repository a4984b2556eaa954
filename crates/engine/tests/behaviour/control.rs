//! Tasks that are paused, resumed, canceled and tried again.

use std::time::Duration;

use stoker_domain::{
    account::AccountId,
    job::{Heartbeat, ItemReport, LeasedJob, Report},
    media::Child,
    outcome::{OriginFault, Outcome},
    task::{Progress, TaskCommand, TaskId, TaskState},
};
use stoker_engine::{Config, ControlError, RetryError, Submission, SubmitError};

use crate::fixture::{Fixture, MIDDLE, item, submission};

const PAGE: [&str; 2] = ["http://www.example.com/a", "http://www.example.com/b"];

async fn control(fixture: &Fixture, task: &TaskId, command: TaskCommand) -> bool {
    fixture.engine.control(fixture.account.id, task, command).await.unwrap()
}

fn beat(job: &LeasedJob) -> Heartbeat {
    Heartbeat { job: job.id, token: job.token, items: Vec::new() }
}

async fn outcomes(fixture: &Fixture, task: &TaskId) -> Vec<(Progress, Option<Outcome>)> {
    let views = fixture.targets(task).await;
    views.into_iter().map(|view| (view.row.progress, view.row.outcome)).collect()
}

const CANCELED: (Progress, Option<Outcome>) = (Progress::Failed, Some(Outcome::Canceled));
const DONE: (Progress, Option<Outcome>) = (Progress::Done, Some(Outcome::Filled));

#[tokio::test]
async fn a_canceled_task_loses_its_leases_at_once_and_ends() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&PAGE).await.task;
    let job = fixture.lease().await.remove(0);
    let part = vec![item(0, Outcome::Filled)];
    let report = Report { job: job.id, token: job.token, items: part, is_last: false };
    assert!(fixture.engine.report(report).await.unwrap());
    assert!(fixture.engine.heartbeat(beat(&job)).await.unwrap());
    assert!(control(&fixture, &task, TaskCommand::Cancel).await);
    // answered from memory, a heartbeat would keep the lease for seconds
    assert!(!fixture.engine.heartbeat(beat(&job)).await.unwrap());
    assert!(!fixture.report(&job, vec![item(1, Outcome::Filled)]).await);
    assert!(fixture.lease().await.is_empty());
    assert_eq!(outcomes(&fixture, &task).await, [DONE, CANCELED]);
    let row = fixture.task(&task).await.row;
    assert_eq!((row.done, row.failed, row.canceled), (1, 1, 1));
    assert!(row.finished_at.is_some() && matches!(row.state, TaskState::Canceled(_)));
    assert!(!control(&fixture, &task, TaskCommand::Cancel).await);
    assert_eq!(fixture.task(&task).await.row, row);
    assert_eq!(fixture.used().await.0, 2);
}

#[tokio::test]
async fn the_node_is_told_of_a_lost_lease_while_it_waits() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&PAGE).await.task;
    let job = fixture.lease().await.remove(0);
    let wait = Duration::from_secs(60);
    let (lost, _) = tokio::join!(
        fixture.engine.lost_leases(MIDDLE, wait),
        fixture.engine.control(fixture.account.id, &task, TaskCommand::Pause)
    );
    assert_eq!(lost, [(job.id, job.token)]);
    assert!(fixture.engine.lost_leases(MIDDLE, Duration::ZERO).await.is_empty());
    assert!(fixture.engine.lost_leases("edge-mainland", Duration::ZERO).await.is_empty());
}

#[tokio::test]
async fn a_paused_task_goes_on_where_it_was_and_wakes_its_nodes() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&PAGE).await.task;
    let job = fixture.lease().await.remove(0);
    let part =
        vec![item(0, Outcome::Filled), item(1, Outcome::OriginError(OriginFault::Truncated))];
    assert!(fixture.report(&job, part).await);
    assert!(control(&fixture, &task, TaskCommand::Pause).await);
    assert!(!control(&fixture, &task, TaskCommand::Pause).await);
    let view = fixture.task(&task).await;
    assert!(matches!(view.row.state, TaskState::Paused(_)) && view.row.finished_at.is_none());
    assert_eq!(view.waiting, None, "it waits for nothing but to be resumed");
    fixture.clock.advance(Duration::from_secs(7 * 86_400));
    fixture.engine.sweep(Duration::from_secs(60)).await.unwrap();
    assert!(fixture.lease().await.is_empty());
    let wait = Duration::from_secs(60);
    let (jobs, resumed) = tokio::join!(
        fixture.engine.lease(MIDDLE, 10, wait),
        fixture.engine.control(fixture.account.id, &task, TaskCommand::Resume)
    );
    assert!(resumed.unwrap());
    let jobs = jobs.unwrap();
    assert_eq!((jobs.len(), jobs[0].items.len(), jobs[0].items[0].position), (1, 1, 1));
    assert!(!control(&fixture, &task, TaskCommand::Resume).await);
    assert!(fixture.engine.heartbeat(beat(&jobs[0])).await.unwrap());
    assert!(fixture.report(&jobs[0], vec![item(1, Outcome::Filled)]).await);
    assert_eq!(outcomes(&fixture, &task).await, [DONE, DONE]);
    assert_eq!(fixture.used().await.0, 0, "nothing is charged again, days later");
}

#[tokio::test]
async fn states_outlive_the_engine_and_what_was_begun_goes_on() {
    let config = || Config { waives_verification: true, ..Config::default() };
    let fixture = Fixture::new().await;
    let [paused, resumed, canceled] = [
        fixture.submit(&PAGE).await.task,
        fixture.submit(&PAGE).await.task,
        fixture.submit(&PAGE).await.task,
    ];
    let jobs = fixture.lease().await;
    assert_eq!(jobs.len(), 3);
    for task in [&paused, &resumed] {
        assert!(control(&fixture, task, TaskCommand::Pause).await);
    }
    // as if the process had died after the state was written, before the jobs followed
    for (task, command) in [(&resumed, TaskCommand::Resume), (&canceled, TaskCommand::Cancel)] {
        let (account, task, now) = (fixture.account.id, task.clone(), fixture.now());
        let change = stoker_ledger::Control { account, task, command, now };
        fixture.ledger.control(change).await.unwrap();
    }
    let fixture = fixture.reopen(config()).await;
    for job in &jobs {
        assert!(!fixture.engine.heartbeat(beat(job)).await.unwrap());
    }
    let canceled_outcomes = outcomes(&fixture, &canceled).await;
    assert_eq!(canceled_outcomes[0].0, Progress::Processing, "nothing has followed yet");
    let engine = std::sync::Arc::clone(&fixture.engine);
    let follows = async {
        loop {
            if fixture.task(&canceled).await.row.finished_at.is_some() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = engine.keep_turning() => panic!("it never ends"),
        () = follows => {}
    }
    assert_eq!(outcomes(&fixture, &canceled).await, [CANCELED, CANCELED]);
    let leased = fixture.lease().await;
    assert_eq!(leased.iter().map(|job| &job.task).collect::<Vec<_>>(), [&resumed]);
    assert!(control(&fixture, &paused, TaskCommand::Resume).await);
    assert_eq!(fixture.lease().await[0].task, paused);
}

#[tokio::test]
async fn what_is_over_or_not_there_is_told() {
    let fixture = Fixture::new().await;
    let task = fixture.submit(&PAGE[..1]).await.task;
    let account = fixture.account.id;
    for (account, name) in [(AccountId(999), task.clone()), (account, TaskId("1".into()))] {
        let refused = fixture.engine.control(account, &name, TaskCommand::Cancel).await;
        assert!(matches!(refused, Err(ControlError::Unknown { .. })), "{refused:?}");
    }
    let job = fixture.lease().await.remove(0);
    assert!(fixture.report(&job, vec![item(0, Outcome::Filled)]).await);
    assert!(!control(&fixture, &task, TaskCommand::Cancel).await, "it is finished");
    let canceled = fixture.submit(&PAGE).await.task;
    assert!(control(&fixture, &canceled, TaskCommand::Cancel).await);
    for (task, is_canceled, text) in [(&task, false, "finished"), (&canceled, true, "canceled")] {
        for command in [TaskCommand::Pause, TaskCommand::Resume] {
            let error = fixture.engine.control(account, task, command).await.unwrap_err();
            assert_eq!(error.to_string(), format!("task `{task}` is {text}"));
            let told =
                matches!(error, ControlError::Over { is_canceled: is, .. } if is == is_canceled);
            assert!(told, "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_paused_playlist_keeps_its_children_and_a_canceled_one_gets_none() {
    let fixture = Fixture::new().await;
    let child = |n: u8| Child { url: format!("http://www.example.com/{n}.ts"), is_playlist: false };
    let playlist = || ItemReport { children: vec![child(0), child(1)], ..item(0, Outcome::Filled) };
    let task = fixture.submit(&["http://www.example.com/m.m3u8"]).await.task;
    let job = fixture.lease().await.remove(0);
    control(&fixture, &task, TaskCommand::Pause).await;
    assert!(!fixture.report(&job, vec![playlist()]).await);
    assert_eq!(fixture.targets(&task).await.len(), 1, "what comes too late changes nothing");
    control(&fixture, &task, TaskCommand::Resume).await;
    let job = fixture.lease().await.remove(0);
    assert!(fixture.report(&job, vec![playlist()]).await);
    assert_eq!(fixture.targets(&task).await.len(), 3);
    assert_eq!(fixture.used().await.0, 3);
    let children = fixture.lease().await.remove(0);
    control(&fixture, &task, TaskCommand::Cancel).await;
    assert!(!fixture.report(&children, vec![item(0, Outcome::Filled)]).await);
    assert_eq!(outcomes(&fixture, &task).await, [DONE, CANCELED, CANCELED]);
}

#[tokio::test]
async fn a_limit_counts_while_its_task_runs() {
    let fixture = Fixture::new().await;
    let mut limited = submission(&PAGE);
    limited.options.limit_mbps = Some(8);
    let task = fixture.engine.submit(&fixture.account, limited).await.unwrap().task;
    let is_limited = || fixture.engine.directory().borrow().limits("www.example.com").is_any();
    assert!(is_limited());
    control(&fixture, &task, TaskCommand::Pause).await;
    assert!(!is_limited());
    control(&fixture, &task, TaskCommand::Resume).await;
    assert!(is_limited());
    control(&fixture, &task, TaskCommand::Cancel).await;
    assert!(!is_limited());
}

#[tokio::test]
async fn only_what_failed_is_tried_again_and_charged() {
    let fixture = Fixture::new().await;
    let urls = ["a", "b", "c", "d"].map(|name| format!("http://www.example.com/{name}"));
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let mut first = submission(&urls);
    first.options.disable_range = true;
    let task = fixture.engine.submit(&fixture.account, first).await.unwrap().task;
    let retry = async || fixture.engine.retry(&fixture.account, &task).await;
    assert!(matches!(retry().await, Err(RetryError::Unfinished { is_paused: false, .. })));
    let job = fixture.lease().await.remove(0);
    let items = vec![
        item(0, Outcome::Filled),
        item(1, Outcome::OriginStatus(404)),
        item(2, Outcome::Filled),
    ];
    assert!(fixture.report(&job, items).await);
    control(&fixture, &task, TaskCommand::Pause).await;
    assert!(matches!(retry().await, Err(RetryError::Unfinished { is_paused: true, .. })));
    control(&fixture, &task, TaskCommand::Cancel).await;
    assert_eq!(fixture.used().await.0, 4);
    let retried = retry().await.unwrap();
    assert_eq!((retried.receipt.targets, retried.refused.len()), (2, 0));
    assert_eq!(fixture.used().await.0, 6);
    let again = retried.receipt.task;
    assert_eq!(again.0.len(), 19);
    let row = fixture.task(&again).await.row;
    assert_eq!(row.retry_of, Some(task.clone()));
    assert!(row.task.options.disable_range);
    let rows = fixture.targets(&again).await;
    let named: Vec<_> = rows.iter().map(|view| view.row.url.as_str()).collect();
    assert_eq!(named, [urls[1], urls[3]]);
    let job = fixture.lease().await.remove(0);
    assert!(fixture.report(&job, vec![item(0, Outcome::Filled), item(1, Outcome::Filled)]).await);
    let nothing = fixture.engine.retry(&fixture.account, &again).await;
    assert!(matches!(nothing, Err(RetryError::NothingFailed { .. })));
    let unknown = fixture.engine.retry(&fixture.account, &TaskId("1".into())).await;
    assert!(matches!(unknown, Err(RetryError::Unknown { .. })));
}

#[tokio::test]
async fn what_cannot_be_tried_again_is_told() {
    let fixture = Fixture::new().await;
    let mut secret = submission(&PAGE);
    secret.options.headers = vec![("authorization".into(), "Basic eDp5".into())];
    let secret = fixture.engine.submit(&fixture.account, secret).await.unwrap().task;
    control(&fixture, &secret, TaskCommand::Cancel).await;
    let gone = fixture.engine.retry(&fixture.account, &secret).await;
    assert!(matches!(gone, Err(RetryError::FieldsGone { .. })));
    // children of a playlist may lead anywhere
    let task = fixture.submit(&["http://www.example.com/m.m3u8"]).await.task;
    let job = fixture.lease().await.remove(0);
    let foreign = Child { url: "http://stranger.example.org/0.ts".into(), is_playlist: false };
    let playlist = ItemReport { children: vec![foreign], ..item(0, Outcome::Filled) };
    assert!(fixture.report(&job, vec![playlist]).await);
    let refused = fixture.engine.retry(&fixture.account, &task).await;
    let is_told =
        |refused| matches!(refused, Err(RetryError::Refused(SubmitError::DomainUnknown { .. })));
    assert!(is_told(refused));
    assert_eq!(fixture.used().await.0, 3);
    let seven: Vec<_> = (0..7).map(|n| format!("http://www.example.com/{n}")).collect();
    let many = Submission { urls: seven, ..submission(&[]) };
    let many = fixture.engine.submit(&fixture.account, many).await.unwrap().task;
    control(&fixture, &many, TaskCommand::Cancel).await;
    let over = fixture.engine.retry(&fixture.account, &many).await;
    assert!(matches!(over, Err(RetryError::Refused(SubmitError::OverQuota { .. }))));
    assert_eq!(fixture.used().await.0, 10);
}
