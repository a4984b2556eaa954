//! Lists of tasks, and what became of their targets on each node.

use std::sync::Arc;

use stoker_domain::{
    job::{LeasedJob, NodeOutcome},
    outcome::Outcome,
    plan::Positions,
    task::{Task, TaskId},
    view::TaskFilter,
};

use super::fixture::{Fixture, LEASE, T0, at, item, targets, urls};
use crate::Ledger;

pub async fn tasks_are_listed_newest_first_with_their_counts(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    for (id, second) in [("2", 20), ("3", 30), ("1", 10), ("4", 30)] {
        let task = Task { created_at: at(second), ..fixture.task(id) };
        let new = fixture.new_task(task, targets(&urls("a.example", 2), &["edge"]));
        fixture.ledger.submit(new).await.expect("submit");
    }
    let task = Task { account: fixture.stranger, ..fixture.task("5") };
    let new = fixture.new_task(task, targets(&urls("b.example", 1), &["edge"]));
    fixture.ledger.submit(new).await.expect("submit");
    let list = async |account, id: Option<&str>, offset, limit| {
        let id = id.map(|id| TaskId(id.into()));
        let filter = TaskFilter { account, id, offset, limit, after: None };
        let page = fixture.ledger.tasks(&filter).await.expect("tasks");
        (page.rows.into_iter().map(|row| row.task.id.0).collect::<Vec<_>>().join(" "), page.total)
    };
    let (mine, stranger) = (Some(fixture.account), Some(fixture.stranger));
    assert_eq!(list(mine, None, 0, 10).await, ("4 3 2 1".into(), 4));
    assert_eq!(list(mine, None, 1, 2).await, ("3 2".into(), 4));
    assert_eq!(list(mine, None, 9, 2).await, (String::new(), 4));
    assert_eq!(list(None, None, 3, 9).await, ("1 5".into(), 5));
    assert_eq!(list(stranger, None, 0, 9).await, ("5".into(), 1));
    assert_eq!(list(mine, Some("2"), 0, 9).await, ("2".into(), 1));
    assert_eq!(list(stranger, Some("2"), 0, 9).await, (String::new(), 0));
    assert_eq!(list(mine, Some("404"), 0, 9).await, (String::new(), 0));
    let after = async |account, after: &str| {
        let after = Some(TaskId(after.into()));
        let filter = TaskFilter { account, after, limit: 2, ..TaskFilter::default() };
        let page = fixture.ledger.tasks(&filter).await.expect("tasks");
        page.rows.into_iter().map(|row| row.task.id.0).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(after(mine, "4").await, "3 2");
    assert_eq!(after(mine, "2").await, "1");
    assert_eq!(after(mine, "1").await, "");
    assert_eq!(after(None, "2").await, "1 5");
    // one of another account is as one that is not there
    assert_eq!((after(stranger, "4").await, after(mine, "404").await), Default::default());
    let row = fixture.row("2").await;
    assert_eq!((row.targets, row.done, row.failed), (2, 0, 0));
    assert_eq!((row.updated_at, row.finished_at), (at(20), None));
}

pub async fn outcomes_tell_what_each_node_reported(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 502), &["edge-2", "edge-1"]).await;
    fixture.submit("2", &urls("a.example", 1), &["edge-1"]).await;
    let rows = fixture.targets("1").await;
    let foreign = fixture.targets("2").await[0].id;
    let jobs = fixture.lease("edge-1", 2, T0).await;
    assert_eq!(jobs[1].items.len(), 2);
    fixture.settle(&jobs[0], &[(3, Outcome::Filled)], at(1)).await;
    fixture.settle(&jobs[0], &[(4, Outcome::TooLarge)], at(1)).await;
    fixture.settle(&jobs[1], &[(1, Outcome::Revalidated)], at(1)).await;
    let asked = [rows[501].id, rows[3].id, foreign, rows[4].id, rows[5].id, -1];
    let task = TaskId("1".into());
    let told = fixture.ledger.outcomes(&task, &asked).await.expect("outcomes");
    let node = |node: &str, report| NodeOutcome { node: node.into(), area: None, report };
    let expected = [
        (rows[501].id, Some(item(1, Outcome::Revalidated))),
        (rows[3].id, Some(item(3, Outcome::Filled))),
        (rows[4].id, Some(item(4, Outcome::TooLarge))),
        (rows[5].id, None),
    ];
    let expected: Vec<_> = expected
        .map(|(target, report)| (target, vec![node("edge-1", report), node("edge-2", None)]))
        .into();
    assert_eq!(told, expected);
    let lost = fixture.ledger.outcomes(&TaskId("404".into()), &asked).await.expect("outcomes");
    assert_eq!(lost, vec![]);
}

pub async fn the_bytes_of_a_task_are_summed_up_as_they_come(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 3), &["edge-1", "edge-2"]).await;
    let bytes = async || {
        let row = fixture.row("1").await;
        (row.done_bytes, row.held_bytes, row.pulled_bytes)
    };
    let (first, second) =
        (fixture.lease_one("edge-1", T0).await, fixture.lease_one("edge-2", T0).await);
    assert_eq!(bytes().await, (0, 0, 0));
    fixture.settle(&first, &[(0, Outcome::Filled), (1, Outcome::Filled)], at(1)).await;
    assert_eq!(bytes().await, (0, 2001, 14), "no target is done");
    let retried = [(item(2, Outcome::Timeout), false)];
    fixture.report(&first, retried, false, at(2)).await.expect("report");
    assert_eq!(bytes().await, (0, 2001, 14), "what is tried again counts when it is final");
    let settled = [(0, Outcome::AlreadyFresh), (1, Outcome::TooLarge), (2, Outcome::Filled)];
    fixture.settle(&second, &settled, at(3)).await;
    fixture.settle(&second, &settled, at(4)).await;
    assert_eq!(bytes().await, (1000, 4003, 35), "one is done, one has failed");
    fixture.settle_all(&first, Outcome::Revalidated, at(5)).await;
    assert_eq!(bytes().await, (2002, 5005, 42));
    assert_eq!(fixture.row("1").await.finished_at, Some(at(5)));
    let after = fixture.ledger.remove_tasks(at(6), 1).await.expect("remove");
    assert!(after.targets > 0, "{after:?}");
}

pub async fn a_job_is_there_with_what_is_unsettled_until_it_is_final(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 3), &["edge-1", "edge-2"]).await;
    fixture.submit("2", &urls("a.example", 1), &["edge-1"]).await;
    let rows = fixture.targets("1").await;
    let next = async |node| fixture.ledger.next_due(node).await.expect("next due");
    let all: Positions = (0..3).collect();
    let unsettled = async |job: &LeasedJob| {
        let leased = fixture.ledger.leased(job.id, job.token, &all).await.expect("leased");
        leased.map(|leased| {
            let items = leased.items.iter().map(|item| (item.position, item.target));
            (leased.node, leased.attempt, items.collect::<Vec<_>>())
        })
    };
    let items = |positions: &[u16]| -> Vec<(u16, i64)> {
        positions.iter().map(|at| (*at, rows[usize::from(*at)].id)).collect()
    };
    let first = fixture.lease("edge-1", 1, at(1)).await.remove(0);
    assert_eq!((&first.task.0[..], next("edge-1").await), ("1", Some(T0)), "the other one waits");
    fixture.settle(&first, &[(1, Outcome::Filled)], at(2)).await;
    assert_eq!(unsettled(&first).await, Some(("edge-1".into(), 1, items(&[0, 2]))));
    let other = fixture.lease_one("edge-1", at(2)).await;
    assert_eq!((&other.task.0[..], next("edge-1").await), ("2", Some(at(1) + LEASE)));
    fixture.settle_all(&first, Outcome::Filled, at(2)).await;
    assert_eq!((unsettled(&first).await, next("edge-1").await), (None, Some(at(2) + LEASE)));
    assert_eq!(next("edge-2").await, Some(T0), "one node's end is not another's");
    let waiting = fixture.lease_one("edge-2", at(3)).await;
    assert_eq!(unsettled(&waiting).await, Some(("edge-2".into(), 1, items(&[0, 1, 2]))));
    fixture.settle_all(&waiting, Outcome::Filled, at(4)).await;
    assert_eq!((next("edge-2").await, next("nowhere").await), (None, None));
}
