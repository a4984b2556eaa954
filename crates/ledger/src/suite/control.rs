//! Tasks that are paused, resumed and canceled.

use std::sync::Arc;

use stoker_domain::{
    area::{Area, AreaScope},
    job::Heartbeat,
    outcome::Outcome,
    plan::Positions,
    task::{Progress, TaskCommand, TaskId, TaskState},
    time::Timestamp,
    view::{TargetFilter, TargetState},
};

use super::fixture::{DAILY, Fixture, T0, at, charges, item, targets, urls};
use crate::{ChildPlan, Control, Controlled, ErrorKind, Ledger, Submitted, Turned};

async fn control(
    fixture: &Fixture,
    task: &str,
    command: TaskCommand,
    now: Timestamp,
) -> Controlled {
    let change = Control { account: fixture.account, task: TaskId(task.into()), command, now };
    fixture.ledger.control(change).await.expect("control")
}

async fn turn(fixture: &Fixture, most: usize, now: Timestamp) -> Turned {
    fixture.ledger.turn_jobs(most, now, now).await.expect("turn jobs")
}

pub async fn a_paused_task_waits_outside_the_queue_until_it_is_resumed(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 3), &["edge", "middle"]).await;
    fixture.submit("2", &urls("b.example", 1), &["edge"]).await;
    let job = fixture.lease("edge", 1, T0).await.remove(0);
    fixture.settle(&job, &[(0, Outcome::Filled)], at(1)).await;
    assert_eq!(control(&fixture, "1", TaskCommand::Pause, at(2)).await, Controlled::Changed);
    let is_paused = async |turns: usize| {
        let row = fixture.row("1").await;
        assert_eq!((row.state, row.finished_at), (TaskState::Paused(at(2)), None), "{turns}");
        let beat = Heartbeat { job: job.id, token: job.token, items: Vec::new() };
        assert!(!fixture.ledger.renew(&beat, at(99)).await.expect("renew"), "{turns}");
        assert!(fixture.settle(&job, &[(1, Outcome::Filled)], at(3)).await.is_stale, "{turns}");
        let all: Positions = (0..3).collect();
        let leased = fixture.ledger.leased(job.id, job.token, &all).await.expect("leased");
        assert_eq!(leased, None, "{turns}");
        assert_eq!(fixture.lease("middle", 9, at(4)).await, vec![], "{turns}");
        assert_eq!(fixture.ledger.next_due("middle").await.expect("next due"), None, "{turns}");
    };
    // before its jobs follow as well as after
    is_paused(0).await;
    let turned = turn(&fixture, 9999, at(4)).await;
    assert_eq!((turned.jobs.len(), turned.settled, turned.is_more), (2, 0, false));
    assert_eq!(turn(&fixture, 9999, at(4)).await, Turned::default());
    is_paused(1).await;
    assert_eq!(fixture.ledger.overdue_nodes(at(9999)).await.expect("overdue"), ["edge"]);
    fixture.ledger.hasten(vec![job.id], at(5)).await.expect("hasten");
    assert_eq!(fixture.ledger.release("edge", at(5)).await.expect("release"), 0);
    assert_eq!(fixture.lease_one("edge", at(5)).await.task.0, "2");

    assert_eq!(control(&fixture, "1", TaskCommand::Resume, at(6)).await, Controlled::Changed);
    assert_eq!(fixture.row("1").await.state, TaskState::Running);
    let turned = turn(&fixture, 9999, at(6)).await;
    assert_eq!((turned.jobs.len(), turned.nodes), (2, vec!["edge".into(), "middle".into()]));
    let again = fixture.lease_one("edge", at(6)).await;
    let positions: Vec<_> = again.items.iter().map(|item| item.position).collect();
    assert_eq!((again.id, positions), (job.id, vec![1, 2]), "what was there stays");
    assert!(fixture.settle(&job, &[(1, Outcome::Filled)], at(7)).await.is_stale);
    fixture.settle_all(&again, Outcome::Filled, at(8)).await;
    let middle = fixture.lease_one("middle", at(6)).await;
    assert!(fixture.settle_all(&middle, Outcome::Filled, at(9)).await.finished_task.is_some());
    let row = fixture.row("1").await;
    assert_eq!((row.done, row.failed, row.finished_at), (3, 0, Some(at(9))));
    assert_eq!(fixture.used(Area::Mainland).await, 4, "nothing is charged again");
}

pub async fn a_canceled_task_ends_with_what_is_there(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 4), &["edge", "middle"]).await;
    let (edge, middle) =
        (fixture.lease_one("edge", T0).await, fixture.lease_one("middle", T0).await);
    fixture.settle_all(&edge, Outcome::Filled, at(1)).await;
    fixture.settle(&middle, &[(0, Outcome::Filled), (1, Outcome::TooLarge)], at(2)).await;
    fixture
        .report(&middle, [(item(2, Outcome::Timeout), false)], false, at(3))
        .await
        .expect("told");
    let before = fixture.row("1").await;
    assert_eq!(control(&fixture, "1", TaskCommand::Cancel, at(4)).await, Controlled::Changed);
    assert!(fixture.settle_all(&middle, Outcome::Filled, at(5)).await.is_stale);
    assert_eq!(fixture.lease("middle", 9, at(999)).await, vec![], "also when its lease is over");
    let turned = turn(&fixture, 9999, at(6)).await;
    let expected = Turned {
        jobs: vec![middle.id],
        settled: 2,
        finished_targets: 2,
        finished_tasks: vec![TaskId("1".into())],
        ..Turned::default()
    };
    assert_eq!(turned, expected);
    assert_eq!(turn(&fixture, 9999, at(7)).await, Turned::default());
    assert!(fixture.settle_all(&middle, Outcome::Filled, at(7)).await.is_stale);
    assert_eq!(fixture.lease("middle", 9, at(999)).await, vec![]);
    let row = fixture.row("1").await;
    assert_eq!((row.state, row.finished_at), (TaskState::Canceled(at(4)), Some(at(6))));
    assert_eq!((row.targets, row.done, row.failed, row.canceled), (4, 1, 3, 2));
    assert_eq!(row.done_bytes, before.done_bytes);
    let rows = fixture.targets("1").await;
    let ends: Vec<_> = rows.iter().map(|row| (row.progress, row.outcome)).collect();
    let canceled = (Progress::Failed, Some(Outcome::Canceled));
    let (done, large) = ((Progress::Done, Some(Outcome::Filled)), Some(Outcome::TooLarge));
    assert_eq!(ends, [done, (Progress::Failed, large), canceled, canceled]);
    let told = fixture.ledger.outcomes(&TaskId("1".into()), &[rows[3].id]).await.expect("told");
    let outcomes: Vec<_> = told[0].1.iter().map(|node| node.report.clone()).collect();
    let outcomes: Vec<_> = outcomes.into_iter().flatten().map(|report| report.outcome).collect();
    assert_eq!(outcomes, [Outcome::Filled, Outcome::Canceled]);
    assert_eq!(fixture.used(Area::Mainland).await, 4);
    assert!(!fixture.ledger.remove_tasks(at(7), 999).await.expect("remove").is_more);
    assert_eq!(fixture.targets("1").await, vec![]);
}

pub async fn jobs_follow_in_steps_that_go_on_where_they_ended(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    // four chunks, eight jobs
    fixture.submit("large", &urls("a.example", 1700), &["edge", "middle"]).await;
    fixture.submit("small", &urls("b.example", 2), &["edge"]).await;
    control(&fixture, "large", TaskCommand::Cancel, at(1)).await;
    let first = turn(&fixture, 1500, at(2)).await;
    assert_eq!((first.jobs.len(), first.settled, first.is_more), (3, 1500, true));
    assert_eq!(first.finished_targets, 500);
    let row = fixture.row("large").await;
    assert_eq!((row.failed, row.canceled, row.finished_at), (500, 500, None));
    // one that is paused meanwhile does not wait for it
    control(&fixture, "small", TaskCommand::Pause, at(3)).await;
    assert_eq!(control(&fixture, "small", TaskCommand::Resume, at(3)).await, Controlled::Busy);
    let turned = turn(&fixture, 1, at(3)).await;
    assert_eq!((turned.jobs.len(), turned.settled, turned.is_more), (1, 0, true));
    let mut sum = (first.settled, first.finished_targets, 0);
    loop {
        let turned = turn(&fixture, 1000, at(4)).await;
        assert!(turned.jobs.len() <= 2);
        sum.0 += turned.settled;
        sum.1 += turned.finished_targets;
        sum.2 += turned.finished_tasks.len();
        if !turned.is_more {
            break;
        }
    }
    assert_eq!(sum, (3400, 1700, 1));
    let row = fixture.row("large").await;
    assert_eq!((row.failed, row.canceled, row.finished_at.is_some()), (1700, 1700, true));
    assert_eq!(control(&fixture, "small", TaskCommand::Resume, at(5)).await, Controlled::Changed);
    turn(&fixture, 1, at(5)).await;
    assert_eq!(fixture.lease_one("edge", at(5)).await.task.0, "small");
}

pub async fn a_wish_that_changes_nothing_says_so(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 1), &["edge"]).await;
    let row = fixture.row("1").await;
    assert_eq!(control(&fixture, "1", TaskCommand::Resume, at(1)).await, Controlled::Already);
    assert_eq!(fixture.row("1").await, row);
    for (account, task) in [(fixture.stranger, "1"), (fixture.account, "2")] {
        for command in [TaskCommand::Pause, TaskCommand::Resume, TaskCommand::Cancel] {
            let change = Control { account, task: TaskId(task.into()), command, now: at(1) };
            let error = fixture.ledger.control(change).await.expect_err("it is not there");
            assert_eq!(error.kind, ErrorKind::NotFound);
        }
    }
    control(&fixture, "1", TaskCommand::Pause, at(2)).await;
    assert_eq!(control(&fixture, "1", TaskCommand::Pause, at(3)).await, Controlled::Already);
    assert_eq!(fixture.row("1").await.state, TaskState::Paused(at(2)));
    control(&fixture, "1", TaskCommand::Cancel, at(4)).await;
    for (command, expected) in [
        (TaskCommand::Cancel, Controlled::Already),
        (TaskCommand::Pause, Controlled::Over),
        (TaskCommand::Resume, Controlled::Over),
    ] {
        assert_eq!(control(&fixture, "1", command, at(5)).await, expected, "before its jobs end");
    }
    turn(&fixture, 9999, at(6)).await;
    assert_eq!(control(&fixture, "1", TaskCommand::Cancel, at(7)).await, Controlled::Already);
    fixture.submit("2", &urls("a.example", 1), &["edge"]).await;
    let job = fixture.lease_one("edge", at(7)).await;
    fixture.settle_all(&job, Outcome::Filled, at(8)).await;
    let row = fixture.row("2").await;
    for command in [TaskCommand::Pause, TaskCommand::Resume, TaskCommand::Cancel] {
        assert_eq!(control(&fixture, "2", command, at(9)).await, Controlled::Over);
    }
    assert_eq!(fixture.row("2").await, row);
    assert_eq!(turn(&fixture, 9999, at(9)).await, Turned::default());
}

pub async fn children_of_a_paused_task_wait_and_those_of_a_canceled_one_are_left_out(
    ledger: Arc<dyn Ledger>,
) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 1), &["edge"]).await;
    let parent = fixture.targets("1").await[0].id;
    let plan = |host: &str| ChildPlan {
        task: TaskId("1".into()),
        parent,
        charges: charges(AreaScope::Mainland, DAILY),
        targets: targets(&urls(host, 3), &["edge"]),
        most_targets: 100,
        now: at(3),
    };
    control(&fixture, "1", TaskCommand::Pause, at(1)).await;
    let added = fixture.ledger.add_children(plan("b.example")).await.expect("children");
    assert_eq!((added.targets, added.jobs), (3, 1));
    assert_eq!(fixture.lease("edge", 9, at(4)).await, vec![]);
    turn(&fixture, 9999, at(4)).await;
    let added = fixture.ledger.add_children(plan("c.example")).await.expect("children");
    assert_eq!((added.targets, added.jobs), (3, 1));
    assert_eq!(fixture.lease("edge", 9, at(4)).await, vec![]);
    assert_eq!(fixture.ledger.next_due("edge").await.expect("next due"), None);
    control(&fixture, "1", TaskCommand::Resume, at(5)).await;
    turn(&fixture, 9999, at(5)).await;
    assert_eq!(fixture.lease("edge", 9, at(5)).await.len(), 3);
    control(&fixture, "1", TaskCommand::Cancel, at(6)).await;
    let added = fixture.ledger.add_children(plan("d.example")).await.expect("children");
    assert_eq!(added, Submitted::default());
    turn(&fixture, 9999, at(6)).await;
    let row = fixture.row("1").await;
    assert_eq!((row.targets, row.canceled, row.finished_at), (7, 7, Some(at(6))));
    assert_eq!(fixture.used(Area::Mainland).await, 7);
}

pub async fn failed_targets_are_listed_in_order(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("0", &urls("b.example", 1), &["edge"]).await;
    fixture.submit("1", &urls("a.example", 502), &["edge"]).await;
    for job in fixture.lease("edge", 9, T0).await {
        let outcome = |position| match position {
            0 => Outcome::OriginStatus(404),
            1 => Outcome::Timeout,
            _ => Outcome::Filled,
        };
        let items = job.items.iter().map(|item| (item.position, outcome(item.position)));
        let items: Vec<_> = items.collect();
        fixture.settle(&job, &items, at(1)).await;
    }
    let id = TaskId("1".into());
    let page = async |after| fixture.ledger.failed_urls(&id, after, 3).await.expect("failed");
    let first = page(i64::MIN).await;
    let names = |page: &[(i64, String)]| -> Vec<String> {
        page.iter().map(|(_, url)| url.rsplit('/').next().unwrap_or_default().into()).collect()
    };
    assert_eq!(names(&first), ["0", "1", "500"]);
    let rest = page(first[2].0).await;
    assert_eq!(names(&rest), ["501"]);
    assert_eq!(page(rest[0].0).await, vec![]);
    let none = fixture.ledger.failed_urls(&TaskId("404".into()), i64::MIN, 3).await;
    assert_eq!(none.expect("failed"), vec![]);
}

pub async fn canceled_targets_are_counted_and_found_apart(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 3), &["edge"]).await;
    let mut retry = fixture.new_task(fixture.task("2"), targets(&urls("a.example", 2), &["edge"]));
    retry.retry_of = Some(TaskId("1".into()));
    retry.task.options.headers = vec![("x".into(), "y".into())];
    fixture.ledger.submit(retry).await.expect("submit");
    let row = fixture.row("2").await;
    assert_eq!((row.retry_of, row.had_fields), (Some(TaskId("1".into())), true));
    assert_eq!((fixture.row("1").await.retry_of, fixture.row("1").await.had_fields), (None, false));
    let job = fixture.lease("edge", 1, T0).await.remove(0);
    fixture.settle(&job, &[(0, Outcome::Timeout)], at(1)).await;
    control(&fixture, "1", TaskCommand::Cancel, at(2)).await;
    turn(&fixture, 9999, at(2)).await;
    for account in [None, Some(fixture.account)] {
        for hosts in [None, Some(vec!["a.example".to_owned()])] {
            for (state, total) in [
                (TargetState::Canceled, 2),
                (TargetState::FailedByTimeout, 1),
                (TargetState::FailedOtherwise, 0),
                (TargetState::Processing, 2),
            ] {
                let (hosts, states) = (hosts.clone(), Some(vec![state]));
                let filter =
                    TargetFilter { account, hosts, states, limit: 9, ..TargetFilter::default() };
                let page = fixture.ledger.targets(&filter).await.expect("targets");
                assert_eq!((page.total, page.rows.len()), (total, total as usize), "{filter:?}");
            }
        }
    }
}
