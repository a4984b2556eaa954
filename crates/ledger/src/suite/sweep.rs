//! What nobody finishes ends; what finished long ago goes, and everything else stays as it was.

use std::{collections::BTreeMap, sync::Arc};

use stoker_domain::{
    area::{Area, AreaScope},
    outcome::Outcome,
    plan::CHUNK,
    purge::{Method, Scope},
    quota::{self, Product},
    retry::MAX_LEASES,
    task::{Progress, Task, TaskId},
    time::Timestamp,
    view::{PurgeFilter, PurgeTarget, TargetFilter, TargetRow, TargetState, TaskFilter, TaskRow},
};

use super::fixture::{Dice, Fixture, T0, at, counter, target, targets, urls};
use crate::{EndJobs, EndReason, EndedJobs, ItemDecision, Ledger, NewPurge, Removed, ReportWrite};

const DAY: u64 = 86_400;

async fn end(fixture: &Fixture, reason: EndReason, limit: usize, now: Timestamp) -> EndedJobs {
    let end = EndJobs { reason, detail: "nobody came".into(), limit, now };
    fixture.ledger.end_jobs(end).await.expect("end jobs")
}

fn silent(node: &str, due_before: Timestamp) -> EndReason {
    EndReason::Silent { node: node.into(), due_before }
}

pub async fn jobs_of_a_silent_node_end_as_timeouts_and_late_reports_are_stale(
    ledger: Arc<dyn Ledger>,
) {
    let fixture = Fixture::new(ledger).await;
    let both = ["edge", "gone"];
    fixture.submit("1", &urls("a.example", 3), &both).await;
    fixture.submit("2", &urls("b.example", 700), &["gone"]).await;
    let task = Task { created_at: at(900), ..fixture.task("3") };
    let later = targets(&urls("c.example", 1), &["gone"]);
    fixture.ledger.submit(fixture.new_task(task, later)).await.expect("submit");
    let kept = fixture.lease_one("edge", T0).await;
    fixture.settle_all(&kept, Outcome::Filled, at(1)).await;
    let lost = fixture.lease("gone", 1, T0).await.remove(0);
    assert_eq!(lost.task.0, "1");
    fixture.settle(&lost, &[(0, Outcome::Filled)], at(2)).await;

    let overdue = async |before| fixture.ledger.overdue_nodes(before).await.expect("overdue");
    assert_eq!(overdue(T0).await, Vec::<String>::new());
    assert_eq!(overdue(at(1)).await, ["gone"]);
    // what waits for longest first, bounded; the lease that is out is due when it ends
    let open = async || fixture.ledger.open_jobs().await.expect("open jobs");
    assert_eq!(open().await, 4);
    let first = end(&fixture, silent("gone", at(900)), 2, at(DAY)).await;
    assert_eq!((first.jobs.len(), first.finished_targets), (2, 700));
    assert_eq!(open().await, 2);
    assert_eq!(first.finished_tasks, [TaskId("2".into())]);
    let second = end(&fixture, silent("gone", at(900)), 2, at(DAY)).await;
    assert_eq!((second.jobs.as_slice(), second.finished_targets), (&[lost.id][..], 2));
    assert_eq!(second.finished_tasks, [TaskId("1".into())]);
    assert_eq!(end(&fixture, silent("gone", at(900)), 2, at(DAY)).await, EndedJobs::default());
    assert_eq!(end(&fixture, silent("edge", at(900)), 2, at(DAY)).await, EndedJobs::default());
    assert_eq!(end(&fixture, silent("never", at(900)), 2, at(DAY)).await, EndedJobs::default());

    assert!(fixture.settle(&lost, &[(1, Outcome::Filled)], at(DAY + 1)).await.is_stale);
    let row = fixture.row("1").await;
    assert_eq!((row.done, row.failed, row.finished_at), (1, 2, Some(at(DAY))));
    let rows = fixture.targets("1").await;
    let ends: Vec<_> = rows.iter().map(|row| (row.progress, row.outcome)).collect();
    let late = (Progress::Failed, Some(Outcome::Timeout));
    assert_eq!(ends, [(Progress::Done, Some(Outcome::Filled)), late, late]);
    let told = fixture.ledger.outcomes(&TaskId("1".into()), &[rows[1].id]).await.expect("told");
    let nodes = &told[0].1;
    assert_eq!(nodes.len(), 2);
    let (edge, gone) = (&nodes[0], &nodes[1]);
    assert_eq!(edge.report.as_ref().map(|report| report.outcome), Some(Outcome::Filled));
    let report = gone.report.as_ref().expect("it was ended");
    assert_eq!((report.outcome, report.detail.as_deref()), (Outcome::Timeout, Some("nobody came")));
    let filter = TargetFilter {
        account: Some(fixture.account),
        states: Some(vec![TargetState::FailedByTimeout]),
        limit: 1,
        ..TargetFilter::default()
    };
    assert_eq!(fixture.ledger.targets(&filter).await.expect("targets").total, 702);
    // the young one still waits
    assert_eq!(fixture.lease("gone", 9, at(DAY)).await.len(), 1);
    assert_eq!(fixture.ledger.next_due("edge").await.expect("next due"), None);
}

pub async fn a_job_that_is_always_lost_is_given_up(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 3), &["edge"]).await;
    let mut now = T0;
    let lose = async |now: &mut Timestamp| {
        let job = fixture.lease_one("edge", *now).await;
        *now = *now + super::fixture::LEASE;
        job
    };
    for _ in 0..MAX_LEASES {
        lose(&mut now).await;
    }
    assert_eq!(end(&fixture, EndReason::NoProgress, 9, now).await, EndedJobs::default());
    // something moves: it begins anew
    let job = lose(&mut now).await;
    fixture.settle(&job, &[(1, Outcome::Filled)], now).await;
    assert_eq!(end(&fixture, EndReason::NoProgress, 9, now).await, EndedJobs::default());
    // so it does where something is heard that is not the end of it
    for _ in 0..2 * MAX_LEASES {
        let job = lose(&mut now).await;
        let report = super::fixture::item(0, Outcome::OriginStatus(503));
        let items = vec![ItemDecision { report, is_final: false }];
        let write = ReportWrite {
            job: job.id,
            token: job.token,
            items,
            is_last: true,
            not_before: now,
            now,
        };
        fixture.ledger.report(write).await.expect("report");
    }
    assert_eq!(end(&fixture, EndReason::NoProgress, 9, now).await, EndedJobs::default());
    for _ in 0..MAX_LEASES {
        lose(&mut now).await;
    }
    assert_eq!(end(&fixture, EndReason::NoProgress, 9, now).await, EndedJobs::default());
    let job = lose(&mut now).await;
    let ended = end(&fixture, EndReason::NoProgress, 9, now).await;
    assert_eq!((ended.jobs, ended.finished_targets), (vec![job.id], 2));
    assert!(fixture.settle(&job, &[(0, Outcome::Filled)], now).await.is_stale);
    assert_eq!(fixture.row("1").await.finished_at, Some(now));
    assert_eq!(fixture.lease("edge", 9, now + super::fixture::LEASE).await, vec![]);
}

/// All tasks and targets, by task.
async fn everything(fixture: &Fixture) -> BTreeMap<String, (TaskRow, Vec<TargetRow>)> {
    let filter = TaskFilter { limit: u64::MAX, ..TaskFilter::default() };
    let page = fixture.ledger.tasks(&filter).await.expect("tasks");
    assert_eq!(page.total, page.rows.len() as u64);
    let mut all = BTreeMap::new();
    for row in page.rows {
        let rows = fixture.targets(&row.task.id.0).await;
        all.insert(row.task.id.0.clone(), (row, rows));
    }
    all
}

/// Every total that comes from a sum is the number of rows there are, and every page is whole.
async fn agrees(fixture: &Fixture) {
    let all = everything(fixture).await;
    for (row, rows) in all.values() {
        let count = |progress| rows.iter().filter(|row| row.progress == progress).count() as u64;
        assert_eq!(row.targets, rows.len() as u64);
        assert_eq!((row.done, row.failed), (count(Progress::Done), count(Progress::Failed)));
    }
    let rows = || all.values().flat_map(|(_, rows)| rows);
    for account in [None, Some(fixture.account), Some(fixture.stranger)] {
        let tasks = TaskFilter { account, limit: 0, ..TaskFilter::default() };
        let owned = all.values().filter(|(row, _)| account.is_none_or(|id| row.task.account == id));
        let total = fixture.ledger.tasks(&tasks).await.expect("tasks").total;
        assert_eq!(total, owned.count() as u64);
        for host in [None, Some("a.example"), Some("b.example")] {
            for state in [None, Some(TargetState::FailedByTimeout), Some(TargetState::Done)] {
                let matches = |row: &&TargetRow| {
                    account.is_none_or(|account| row.task.account == account)
                        && host.is_none_or(|host| row.url.contains(host))
                        && state.is_none_or(|state| match state {
                            TargetState::Done => row.progress == Progress::Done,
                            _ => row.outcome == Some(Outcome::Timeout),
                        })
                };
                let filter = TargetFilter {
                    account,
                    hosts: host.map(|host| vec![host.to_owned()]),
                    states: state.map(|state| vec![state]),
                    limit: u64::MAX,
                    ..TargetFilter::default()
                };
                let page = fixture.ledger.targets(&filter).await.expect("targets");
                assert_eq!(page.total, rows().filter(matches).count() as u64, "{filter:?}");
                assert_eq!(page.rows.len() as u64, page.total, "{filter:?}");
            }
        }
    }
}

/// Twelve tasks of one to three chunks, created and finished at various times, four of them still
/// running.
async fn twelve_tasks(fixture: &Fixture, dice: &mut Dice) {
    for id in 0..12u64 {
        let task = Task {
            account: if id % 3 == 0 { fixture.stranger } else { fixture.account },
            areas: if id % 2 == 0 { AreaScope::Global } else { AreaScope::Overseas },
            created_at: at(id * 100),
            ..fixture.task(&format!("{id}"))
        };
        let mut given = urls("a.example", 1 + dice.below(700) as usize);
        given.extend(urls("b.example", dice.below(700) as usize));
        let new = fixture.new_task(task, targets(&given, &["edge", "middle"]));
        fixture.ledger.submit(new).await.expect("submit");
    }
    for node in ["edge", "middle"] {
        for job in fixture.lease(node, 100, at(2000)).await {
            let id: u64 = job.task.0.parse().expect("a number");
            if id % 4 == 3 && node == "middle" {
                continue;
            }
            let outcomes = [Outcome::Filled, Outcome::Timeout, Outcome::OriginStatus(404)];
            let items: Vec<_> = job
                .items
                .iter()
                .map(|item| (item.position, outcomes[usize::from(item.position % 3)]))
                .collect();
            // the later it was submitted, the sooner it finished
            fixture.settle(&job, &items, at(5000 - id * 100)).await;
        }
    }
}

pub async fn finished_tasks_are_removed_by_parts_and_every_view_stays_right(
    ledger: Arc<dyn Ledger>,
) {
    let fixture = Fixture::new(ledger).await;
    twelve_tasks(&fixture, &mut Dice(11)).await;
    agrees(&fixture).await;
    let before = everything(&fixture).await;
    let remove = async |finished_before| {
        fixture.ledger.remove_tasks(finished_before, 400).await.expect("remove tasks")
    };
    assert_eq!(remove(at(3900)).await, Removed::default(), "none finished by then");
    // tasks 6, 8, 9 and 10: 7 and 11 are running, the others finished later
    let cut = at(4401);
    let mut sum = Removed::default();
    loop {
        let removed = remove(cut).await;
        sum.finished += removed.finished;
        sum.targets += removed.targets;
        agrees(&fixture).await;
        if !removed.is_more {
            break;
        }
    }
    let gone = ["6", "8", "9", "10"];
    let targets: u64 = gone.iter().map(|id| before[*id].0.targets).sum();
    assert_eq!((sum.finished, sum.targets), (4, targets));
    let mut expected = before;
    expected.retain(|id, _| !gone.contains(&id.as_str()));
    assert_eq!(everything(&fixture).await, expected);
    assert_eq!(remove(cut).await, Removed::default(), "a repeat changes nothing");
    // what still runs ends as if nothing had happened
    for job in fixture.lease("middle", 100, at(6000)).await {
        fixture.settle_all(&job, Outcome::Filled, at(6000)).await;
    }
    agrees(&fixture).await;
    while remove(at(6001)).await.is_more {}
    agrees(&fixture).await;
    assert_eq!(everything(&fixture).await, BTreeMap::new());
}

pub async fn what_is_removed_belongs_to_nobody_else(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("old", &urls("a.example", 2), &["edge"]).await;
    let old = fixture.lease_one("edge", T0).await;
    let last = fixture.settle_all(&old, Outcome::Filled, at(1)).await;
    assert!(last.finished_task.is_some());
    assert_eq!(fixture.ledger.remove_tasks(at(2), 400).await.expect("remove").finished, 1);
    // the name is free, the charge stays, and a report of a job that is gone reaches no other
    assert_eq!(fixture.used(Area::Mainland).await, 2);
    fixture.submit("old", &urls("a.example", 3), &["edge"]).await;
    let new = fixture.lease_one("edge", at(3)).await;
    assert!(fixture.settle_all(&old, Outcome::TooLarge, at(4)).await.is_stale);
    assert_eq!(fixture.targets("old").await.len(), 3);
    assert!(fixture.settle_all(&new, Outcome::Filled, at(5)).await.finished_task.is_some());
    assert_eq!(fixture.row("old").await.done, 3);
    agrees(&fixture).await;
}

pub async fn what_is_left_of_a_task_has_the_bytes_of_its_targets(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let nodes = ["edge", "middle"];
    fixture.submit("1", &urls("a.example", CHUNK + 3), &nodes).await;
    for node in nodes {
        for job in fixture.lease(node, 9, T0).await {
            let outcomes = [Outcome::Filled, Outcome::TooLarge, Outcome::Revalidated];
            let outcome = |position| outcomes[usize::from(position) % 3];
            let positions = job.items.iter().map(|item| item.position);
            let items: Vec<_> = positions.map(|position| (position, outcome(position))).collect();
            fixture.settle(&job, &items, at(1)).await;
        }
    }
    let whole = fixture.row("1").await;
    let removed = fixture.ledger.remove_tasks(at(2), 1).await.expect("remove");
    assert!(removed.is_more, "{removed:?}");
    assert_eq!(removed.finished, 0);
    assert!((1..whole.targets).contains(&removed.targets), "{removed:?}");
    let (row, rows) = (fixture.row("1").await, fixture.targets("1").await);
    assert_eq!(row.targets, whole.targets - removed.targets);
    let done = rows.iter().filter(|row| row.progress == Progress::Done);
    assert_eq!(row.done_bytes, done.filter_map(|row| row.size_bytes).sum::<u64>());
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let told = fixture.ledger.outcomes(&row.task.id, &ids).await.expect("outcomes");
    let reports =
        || told.iter().flat_map(|(_, nodes)| nodes).filter_map(|node| node.report.as_ref());
    assert_eq!(row.held_bytes, reports().filter_map(|report| report.size_bytes).sum::<u64>());
    assert_eq!(row.pulled_bytes, reports().map(|report| report.pulled_bytes).sum::<u64>());
}

pub async fn tasks_without_targets_are_removed_by_parts(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    for id in ["1", "2", "3"] {
        fixture.submit(id, &[""; 0], &["edge"]).await;
    }
    let remove = async || fixture.ledger.remove_tasks(at(1), 2).await.expect("remove");
    assert_eq!(remove().await, Removed { finished: 2, targets: 0, is_more: true });
    assert_eq!(remove().await, Removed { finished: 1, targets: 0, is_more: false });
}

fn purge(fixture: &Fixture, id: &str, count: usize) -> NewPurge {
    let url = |number| PurgeTarget {
        url: target(&format!("http://a.example/{number}"), &[]).url,
        host: "a.example".into(),
    };
    NewPurge {
        id: TaskId(id.into()),
        account: fixture.account,
        product: Product::DomainPurgeUrl,
        scope: Scope::Url,
        method: Method::Delete,
        areas: AreaScope::Mainland,
        created_at: T0,
        targets: (0..count).map(url).collect(),
        charges: Vec::new(),
        phases: vec![vec!["edge".into()]],
    }
}

pub async fn finished_purges_and_old_quotas_are_removed(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let ledger = &fixture.ledger;
    for (id, count) in [("1", 5), ("2", 2), ("3", 2)] {
        ledger.submit_purge(purge(&fixture, id, count)).await.expect("submit");
    }
    for (second, order) in (1..).zip(ledger.purge_orders("edge", 2).await.expect("orders")) {
        ledger.purged("edge", order.number, at(second)).await.expect("confirm");
    }
    let left = async || {
        let filter = PurgeFilter { limit: 99, ..PurgeFilter::default() };
        let page = ledger.purges(&filter).await.expect("purges");
        assert_eq!(page.total, page.rows.len() as u64);
        page.rows.into_iter().map(|row| row.id.0).collect::<String>()
    };
    let remove = async |before, most| ledger.remove_purges(before, most).await.expect("remove");
    assert_eq!(remove(at(1), 9).await, Removed::default());
    assert_eq!(left().await, "332211111");
    let part = Removed { finished: 0, targets: 3, is_more: true };
    assert_eq!(remove(at(2), 3).await, part);
    assert_eq!(left().await, "332211");
    assert_eq!(remove(at(2), 9).await, Removed { finished: 1, targets: 2, is_more: false });
    assert_eq!(left().await, "3322");
    assert_eq!(remove(at(DAY), 9).await, Removed { finished: 1, targets: 2, is_more: false });
    assert_eq!(left().await, "33", "it still runs");
    assert_eq!(ledger.purge_orders("edge", 9).await.expect("orders").len(), 1);

    fixture.submit("t", &urls("a.example", 2), &["edge"]).await;
    let day = quota::day(T0);
    assert_eq!(counter(Area::Mainland).day, day);
    assert_eq!(ledger.forget_quotas(day).await.expect("forget"), 0);
    assert_eq!(fixture.used(Area::Mainland).await, 2);
    assert_eq!(ledger.forget_quotas(day + 1).await.expect("forget"), 1);
    assert_eq!(fixture.used(Area::Mainland).await, 0);
}

pub async fn the_rows_of_a_purge_count_when_purges_are_removed_by_parts(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let ledger = &fixture.ledger;
    for id in ["1", "2", "3"] {
        ledger.submit_purge(purge(&fixture, id, 1)).await.expect("submit");
    }
    for order in ledger.purge_orders("edge", 9).await.expect("orders") {
        ledger.purged("edge", order.number, at(1)).await.expect("confirm");
    }
    let remove = async |most| ledger.remove_purges(at(2), most).await.expect("remove");
    // each has a row of its own, a target and an order
    assert_eq!(remove(3).await, Removed { finished: 1, targets: 1, is_more: true });
    assert_eq!(remove(6).await, Removed { finished: 2, targets: 2, is_more: false });
    assert_eq!(remove(0).await, Removed::default(), "no bound stands before nothing");
}
