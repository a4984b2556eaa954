//! Many callers at once: the sums hold.

use std::{collections::BTreeSet, sync::Arc};

use stoker_domain::{area::Area, area::AreaScope, outcome::Outcome, view::TaskFilter};
use tokio::task::JoinSet;

use super::fixture::{Fixture, T0, at, charges, targets, urls};
use crate::{ErrorKind, Ledger, NewTask};

const CALLERS: usize = 100;

pub async fn sums_hold_under_concurrent_submits_and_reports(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let mut submits = JoinSet::new();
    for number in 0..CALLERS {
        let fixture = fixture.clone();
        submits.spawn(async move {
            let urls = urls(&format!("host-{}.example", number % 7), 1 + number % 20);
            fixture.submit(&number.to_string(), &urls, &["edge-1", "edge-2"]).await
        });
    }
    let submitted = submits.join_all().await;
    let targets: u64 = submitted.iter().map(|submitted| submitted.targets).sum();
    assert_eq!(fixture.used(Area::Mainland).await, targets);
    let mut workers = JoinSet::new();
    for number in 0..CALLERS {
        let fixture = fixture.clone();
        workers.spawn(async move {
            let node = if number % 2 == 0 { "edge-1" } else { "edge-2" };
            let mut leased = Vec::new();
            for job in fixture.lease(node, 2, at(number as u64)).await {
                let applied = fixture.settle_all(&job, Outcome::Filled, at(100)).await;
                assert!(applied.job_is_final);
                leased.push(job.id);
            }
            leased
        });
    }
    let leased: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = leased.iter().collect();
    assert_eq!((leased.len(), distinct.len()), (2 * CALLERS, 2 * CALLERS), "each job once");
    let filter = TaskFilter { limit: 1000, ..TaskFilter::default() };
    let page = fixture.ledger.tasks(&filter).await.expect("tasks");
    assert_eq!(page.total, CALLERS as u64);
    assert_eq!(page.rows.iter().map(|row| row.done).sum::<u64>(), targets);
    assert!(page.rows.iter().all(|row| row.done == row.targets && row.finished_at.is_some()));
}

pub async fn a_quota_is_never_passed_by_concurrent_submits(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let mut submits = JoinSet::new();
    for number in 0..CALLERS {
        let fixture = fixture.clone();
        submits.spawn(async move {
            let task = NewTask {
                task: fixture.task(&number.to_string()),
                charges: charges(AreaScope::Mainland, 250),
                targets: targets(&urls("a.example", 10), &["edge"]),
                retry_of: None,
            };
            fixture.ledger.submit(task).await
        });
    }
    let (accepted, refused): (Vec<_>, Vec<_>) =
        submits.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((accepted.len(), refused.len()), (25, 75));
    for refusal in refused {
        let error = refusal.expect_err("refused");
        assert!(matches!(error.kind, ErrorKind::OverQuota { available: 0, needed: 10, .. }));
    }
    assert_eq!(fixture.used(Area::Mainland).await, 250);
    assert_eq!(fixture.lease("edge", 1000, T0).await.len(), 25);
}

pub async fn no_area_is_passed_when_calls_for_one_and_for_both_race(ledger: Arc<dyn Ledger>) {
    const DAILY: u64 = 300;
    let fixture = Fixture::new(ledger).await;
    let mut submits = JoinSet::new();
    for number in 0..CALLERS {
        let fixture = fixture.clone();
        submits.spawn(async move {
            let areas = [AreaScope::Mainland, AreaScope::Overseas, AreaScope::Global][number % 3];
            let count = 3 + number % 8;
            let task = NewTask {
                task: fixture.task(&number.to_string()),
                charges: charges(areas, DAILY),
                targets: targets(&urls("a.example", count), &["edge"]),
                retry_of: None,
            };
            fixture.ledger.submit(task).await.map(|_| (areas, count as u64))
        });
    }
    let mut charged = [0, 0];
    let mut refused = 0;
    for submit in submits.join_all().await {
        match submit {
            Ok((areas, count)) => {
                for area in areas.areas() {
                    charged[*area as usize] += count;
                }
            }
            Err(error) => {
                let kind = error.kind;
                assert!(
                    matches!(kind, ErrorKind::OverQuota { available, needed, .. } if available < needed),
                    "{kind:?}"
                );
                refused += 1;
            }
        }
    }
    let used = [fixture.used(Area::Mainland).await, fixture.used(Area::Overseas).await];
    assert_eq!(used, charged, "what was accepted is charged, and nothing else");
    assert!(
        refused > 0 && used.iter().all(|used| *used <= DAILY && *used > DAILY - 10),
        "{used:?}"
    );
}
