//! What nodes report, and how it rolls up.

use std::{collections::BTreeMap, sync::Arc};

use stoker_domain::{
    job::{ItemReport, LeaseToken, LeasedJob},
    media::{Kind, NotFollowed},
    outcome::{OriginFault, Outcome},
    task::{Progress, TaskId},
};

use super::fixture::{Fixture, T0, at, item, target, urls};
use crate::{Applied, Ledger};

const MISSING: Outcome = Outcome::OriginStatus(404);
const BROKEN: Outcome = Outcome::OriginError(OriginFault::Truncated);

pub async fn a_stale_token_changes_nothing(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 1), &["edge"]).await;
    let job = fixture.lease_one("edge", T0).await;
    let forged = LeasedJob { token: LeaseToken(!job.token.0), ..job.clone() };
    let stale = Applied { is_stale: true, ..Applied::default() };
    assert_eq!(fixture.settle_all(&forged, Outcome::Filled, at(1)).await, stale);
    assert_eq!(fixture.row("1").await.updated_at, T0);
    assert_eq!(fixture.targets("1").await[0].settled_nodes, 0);
    assert!(!fixture.settle_all(&job, Outcome::Filled, at(1)).await.is_stale);
}

pub async fn a_repeated_report_changes_nothing(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 3), &["edge"]).await;
    let job = fixture.lease_one("edge", T0).await;
    let items = [(0, Outcome::Filled), (1, MISSING)];
    let first = fixture.settle(&job, &items, at(1)).await;
    assert_eq!((first.settled, first.finished_targets, first.job_is_final), (2, 2, false));
    assert_eq!((first.failed_targets, first.task_has_failures), (1, false));
    let rows = fixture.targets("1").await;
    let row = fixture.row("1").await;
    // the same again, and with other words for the same items
    for items in [items, [(0, BROKEN), (1, Outcome::Filled)]] {
        assert_eq!(fixture.settle(&job, &items, at(9)).await, Applied::default());
        assert_eq!(fixture.targets("1").await, rows);
        assert_eq!(fixture.row("1").await, row);
    }
    // twice in one report
    let last = fixture.settle(&job, &[(2, Outcome::Filled), (2, MISSING)], at(10)).await;
    assert_eq!((last.settled, last.finished_targets, last.job_is_final), (1, 1, true));
    assert_eq!((last.failed_targets, last.task_has_failures), (0, true));
    assert_eq!(last.finished_task, Some(TaskId("1".into())));
    assert!(fixture.settle(&job, &[(2, Outcome::Filled)], at(11)).await.is_stale);
    let row = fixture.row("1").await;
    assert_eq!((row.done, row.failed, row.finished_at), (2, 1, Some(at(10))));
}

pub async fn a_target_is_done_when_its_last_node_settles(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let both = ["edge-1", "edge-2"];
    let planned =
        vec![target("http://a.example/both", &both), target("http://a.example/second", &both[1..])];
    let task = fixture.new_task(fixture.task("1"), planned);
    assert_eq!(fixture.ledger.submit(task).await.expect("submit").jobs, 2);
    let first = fixture.lease_one("edge-1", T0).await;
    let second = fixture.lease_one("edge-2", T0).await;
    let applied = fixture.settle_all(&first, Outcome::AlreadyFresh, at(1)).await;
    assert!(applied.job_is_final);
    assert_eq!((applied.settled, applied.finished_targets), (1, 0));
    let row = &fixture.targets("1").await[0];
    assert_eq!((row.progress, row.outcome), (Progress::Processing, None));
    assert_eq!((row.nodes, row.settled_nodes, row.finished_at), (2, 1, None));
    let applied = fixture.settle_all(&second, Outcome::Filled, at(2)).await;
    assert_eq!((applied.settled, applied.finished_targets), (2, 2));
    assert_eq!(applied.finished_task, Some(TaskId("1".into())));
    let row = &fixture.targets("1").await[0];
    assert_eq!((row.progress, row.outcome), (Progress::Done, Some(Outcome::Filled)));
    assert_eq!((row.settled_nodes, row.size_bytes, row.finished_at), (2, Some(1000), Some(at(2))));
    let row = fixture.row("1").await;
    assert_eq!((row.targets, row.done, row.failed), (2, 2, 0));
    assert_eq!((row.updated_at, row.finished_at), (at(2), Some(at(2))));
}

pub async fn the_first_failure_is_the_outcome_of_a_target(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let nodes = ["edge-1", "edge-2", "edge-3"];
    fixture.submit("1", &urls("a.example", 3), &nodes).await;
    let words = [
        [Outcome::Filled, MISSING, BROKEN],
        [BROKEN, MISSING, Outcome::Filled],
        [Outcome::Filled, Outcome::Filled, MISSING],
    ];
    for (second, node) in (1..).zip(nodes) {
        let job = fixture.lease_one(node, T0).await;
        let column = usize::try_from(second).expect("small") - 1;
        let items: Vec<_> = (0..).zip(words.map(|row| row[column])).collect();
        let applied = fixture.settle(&job, &items, at(second)).await;
        assert_eq!(applied.finished_targets, if second == 3 { 3 } else { 0 });
        let rows = fixture.targets("1").await;
        let is_open = rows.iter().all(|row| row.outcome.is_none());
        assert_eq!(is_open, second < 3, "no outcome while a node is out");
    }
    let rows = fixture.targets("1").await;
    let ends: Vec<_> = rows.iter().map(|row| (row.progress, row.outcome)).collect();
    assert_eq!(ends, [MISSING, BROKEN, MISSING].map(|word| (Progress::Failed, Some(word))));
    assert_eq!(rows[0].size_bytes, None, "no failure told a size at the end");
    assert_eq!(rows[1].size_bytes, Some(1001));
    let row = fixture.row("1").await;
    assert_eq!((row.done, row.failed, row.finished_at), (0, 3, Some(at(3))));
}

pub async fn what_is_not_settled_waits_until_not_before(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 3), &["edge"]).await;
    let job = fixture.lease_one("edge", T0).await;
    let told = [(item(0, Outcome::Filled), true), (item(1, BROKEN), false)];
    let applied = fixture.report(&job, told, true, at(1)).await.expect("report");
    assert_eq!((applied.settled, applied.job_is_final), (1, false));
    assert!(fixture.settle(&job, &[(1, Outcome::Filled)], at(2)).await.is_stale, "it was the last");
    assert_eq!(fixture.ledger.next_due("edge").await.expect("next due"), Some(at(11)));
    assert_eq!(fixture.lease("edge", 10, at(10)).await, vec![]);
    let again = fixture.lease_one("edge", at(11)).await;
    assert_eq!(again.attempt, 2);
    let positions: Vec<_> = again.items.iter().map(|item| item.position).collect();
    assert_eq!(positions, [1, 2]);
    let applied = fixture.settle_all(&again, Outcome::Filled, at(12)).await;
    assert!(applied.job_is_final);
    assert_eq!(fixture.row("1").await.done, 3);
    assert_eq!(fixture.ledger.next_due("edge").await.expect("next due"), None);
}

pub async fn an_unfinal_report_is_kept_as_what_is_known_so_far(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 1), &["edge"]).await;
    let target = fixture.targets("1").await[0].id;
    let known = async || {
        let task = TaskId("1".into());
        let mut told = fixture.ledger.outcomes(&task, &[target]).await.expect("outcomes");
        told.remove(0).1.remove(0).report
    };
    assert_eq!(known().await, None);
    let job = fixture.lease_one("edge", T0).await;
    for outcome in [BROKEN, MISSING] {
        let told = [(item(0, outcome), false)];
        let applied = fixture.report(&job, told, false, at(1)).await.expect("report");
        assert_eq!(applied, Applied::default());
        assert_eq!(known().await, Some(item(0, outcome)));
    }
    let row = &fixture.targets("1").await[0];
    assert_eq!((row.progress, row.outcome, row.settled_nodes), (Progress::Processing, None, 0));
    fixture.settle_all(&job, Outcome::Revalidated, at(2)).await;
    assert_eq!(known().await, Some(item(0, Outcome::Revalidated)));
}

pub async fn positions_of_others_are_ignored(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let planned =
        vec![target("http://a.example/1", &["edge-1"]), target("http://a.example/2", &["edge-2"])];
    let task = fixture.new_task(fixture.task("1"), planned);
    fixture.ledger.submit(task).await.expect("submit");
    let job = fixture.lease_one("edge-1", T0).await;
    let applied =
        fixture.settle(&job, &[(1, MISSING), (2, MISSING), (u16::MAX, MISSING)], T0).await;
    assert_eq!(applied, Applied::default());
    assert_eq!(fixture.row("1").await.failed, 0);
    assert!(fixture.settle(&job, &[(0, Outcome::Filled)], T0).await.job_is_final);
}

pub async fn what_is_not_followed_is_told_by_node_and_summed_up_by_task(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let nodes = ["edge-1", "edge-2"];
    fixture.submit("1", &urls("a.example", 2), &nodes).await;
    let not_followed = |count| NotFollowed {
        counts: BTreeMap::from([(Kind::MediaSegment, count), (Kind::Key, 1)]),
        first: vec![format!("http://a.example/{count}.m4s")],
    };
    let naming = |position, count| ItemReport {
        not_followed: not_followed(count),
        ..item(position, Outcome::Filled)
    };
    for (second, node) in (1..).zip(nodes) {
        let job = fixture.lease_one(node, T0).await;
        let items = [(naming(0, 7), true), (naming(1, 5), true)];
        fixture.report(&job, items, true, at(second)).await.expect("report");
        let row = fixture.row("1").await;
        let sum = if second == 1 { NotFollowed::default() } else { both(&not_followed) };
        // a target counts once, when its last node settles
        assert_eq!(row.not_followed, sum, "{node}");
    }
    let ids: Vec<_> = fixture.targets("1").await.iter().map(|row| row.id).collect();
    let outcomes = fixture.ledger.outcomes(&TaskId("1".into()), &ids).await.expect("outcomes");
    for ((_, nodes), count) in outcomes.iter().zip([7, 5]) {
        for node in nodes {
            let report = node.report.as_ref().expect("reported");
            assert_eq!(report.not_followed, not_followed(count), "{}", node.node);
        }
    }
}

fn both(not_followed: &impl Fn(u64) -> NotFollowed) -> NotFollowed {
    let mut sum = not_followed(7);
    sum.add(&not_followed(5));
    assert_eq!(sum.counts[&Kind::MediaSegment], 12);
    sum
}
