//! Where one more or one less makes the difference: moments, chunks, pages, bounds.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    account::{AccessKey, Temporary},
    area::{Area, AreaScope},
    outcome::Outcome,
    plan::CHUNK,
    quota::{self, Counter},
    task::{FetchOptions, Progress, Task, TaskId},
    time::Timestamp,
    view::{PurgeFilter, PurgeState, TargetFilter, TaskFilter},
};

use super::fixture::{Fixture, LEASE, T0, at, charges, counter, targets, urls};
use crate::{EndJobs, EndReason, Ledger, NewPurge};

const MILLISECOND: Duration = Duration::from_millis(1);

/// The part of a URL that tells targets of `urls` apart.
fn number(url: &str) -> usize {
    url.rsplit('/').next().and_then(|last| last.parse().ok()).expect("URLs end in a number")
}

pub async fn chunks_do_not_show_in_pages(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let count = 2 * CHUNK + 1;
    fixture.submit("older", &urls("b.example", 3), &["edge"]).await;
    fixture.submit("1", &urls("a.example", count), &["edge"]).await;
    for task in [None, Some(TaskId("1".into()))] {
        for offset in [0, CHUNK - 2, CHUNK - 1, CHUNK, 2 * CHUNK - 1, 2 * CHUNK, count] {
            let filter = TargetFilter {
                task: task.clone(),
                account: Some(fixture.account),
                offset: offset as u64,
                limit: 3,
                ..TargetFilter::default()
            };
            let page = fixture.ledger.targets(&filter).await.expect("targets");
            let in_task = page.rows.iter().filter(|row| row.task.id.0 == "1");
            let found: Vec<_> = in_task.map(|row| number(&row.url)).collect();
            let expected: Vec<_> = (offset..count.min(offset + 3)).collect();
            assert_eq!(found, expected, "{task:?} {offset}");
            let of_older = if task.is_none() { 3 } else { 0 };
            assert_eq!(page.total, (count + of_older) as u64);
            let all = 3.min(count + of_older - offset);
            assert_eq!(page.rows.len(), all, "{task:?} {offset}");
        }
    }
}

pub async fn the_first_and_the_last_of_a_chunk_settle_like_others(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", CHUNK + 1), &["edge"]).await;
    let jobs = fixture.lease("edge", 10, T0).await;
    let sizes: Vec<_> = jobs.iter().map(|job| job.items.len()).collect();
    assert_eq!(sizes, [CHUNK, 1]);
    let last = u16::try_from(CHUNK - 1).expect("a position");
    let positions: Vec<_> = jobs[0].items.iter().map(|item| item.position).collect();
    assert_eq!(positions, (0..=last).collect::<Vec<_>>());
    assert_eq!(number(&jobs[1].items[0].url), CHUNK);
    fixture.settle(&jobs[0], &[(0, Outcome::Filled), (last, Outcome::TooLarge)], at(1)).await;
    // the position after the last belongs to the next chunk, and to no item of this job
    let beyond = fixture.settle(&jobs[0], &[(last + 1, Outcome::Filled)], at(1)).await;
    assert_eq!(beyond.settled, 0);
    let rows = fixture.targets("1").await;
    for (at, row) in rows.iter().enumerate() {
        let expected = match at {
            0 => Progress::Done,
            at if at == CHUNK - 1 => Progress::Failed,
            _ => Progress::Processing,
        };
        assert_eq!((number(&row.url), row.progress), (at, expected));
    }
    let row = fixture.row("1").await;
    assert_eq!((row.done, row.failed), (1, 1));
}

pub async fn limited_tasks_are_told_with_the_hosts_that_are_open(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let submit = async |id: &str, limit_mbps, urls: &[String]| {
        let options = FetchOptions { limit_mbps, ..FetchOptions::default() };
        let task = Task { options, ..fixture.task(id) };
        let new = fixture.new_task(task.clone(), targets(urls, &["edge"]));
        fixture.ledger.submit(new).await.expect("submit");
        task
    };
    let mut two = urls("b.example", CHUNK);
    two.extend(urls("a.example", 1));
    submit("free", None, &two).await;
    let task = submit("limited", Some(8), &two).await;
    let limited = async || fixture.ledger.limited_tasks().await.expect("limited tasks");
    assert_eq!(limited().await, [(task.clone(), vec!["a.example".into(), "b.example".into()])]);
    let jobs = fixture.lease("edge", 10, T0).await;
    let of_limited: Vec<_> = jobs.iter().filter(|job| job.task.0 == "limited").collect();
    let almost: Vec<_> = of_limited[0].items[1..].iter().map(|item| item.position).collect();
    let settled: Vec<_> = almost.into_iter().map(|at| (at, Outcome::Filled)).collect();
    fixture.settle(of_limited[0], &settled, at(1)).await;
    assert_eq!(limited().await[0].1, ["a.example", "b.example"], "one target is open");
    fixture.settle_all(of_limited[0], Outcome::Filled, at(2)).await;
    assert_eq!(limited().await, [(task, vec!["a.example".into()])]);
    fixture.settle_all(of_limited[1], Outcome::Timeout, at(3)).await;
    assert_eq!(limited().await, []);
    assert!(fixture.row("free").await.finished_at.is_none());
}

pub async fn moments_beyond_all_bounds_keep_their_order(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let moments = [i64::MIN / 4, -1, 0, T0.as_millis(), i64::MAX / 4];
    for (name, millis) in moments.into_iter().enumerate() {
        let created_at = Timestamp::from_millis(millis);
        let task = Task { created_at, ..fixture.task(&name.to_string()) };
        let new = fixture.new_task(task, targets(&urls("a.example", 2), &["edge"]));
        fixture.ledger.submit(new).await.expect("submit");
    }
    let tasks = TaskFilter { limit: 9, ..TaskFilter::default() };
    let page = fixture.ledger.tasks(&tasks).await.expect("tasks");
    let listed: Vec<_> = page.rows.iter().map(|row| row.task.created_at.as_millis()).collect();
    assert_eq!(listed, moments.into_iter().rev().collect::<Vec<_>>());
    for host in [None, Some(vec!["a.example".to_owned()])] {
        for (index, from) in moments.into_iter().enumerate() {
            for (end, to) in moments.into_iter().enumerate() {
                let filter = TargetFilter {
                    from: Some(Timestamp::from_millis(from)),
                    to: Some(Timestamp::from_millis(to)),
                    hosts: host.clone(),
                    limit: 99,
                    ..TargetFilter::default()
                };
                let page = fixture.ledger.targets(&filter).await.expect("targets");
                let expected = 2 * (end + 1).saturating_sub(index) as u64;
                assert_eq!(
                    (page.total, page.rows.len() as u64),
                    (expected, expected),
                    "{filter:?}"
                );
            }
        }
    }
}

pub async fn pages_of_tasks_begin_and_end_where_they_are_told(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    for id in ["1", "2", "3", "4"] {
        fixture.submit(id, &urls("a.example", 1), &["edge"]).await;
    }
    let list = async |filter: TaskFilter| {
        let page = fixture.ledger.tasks(&filter).await.expect("tasks");
        let ids: Vec<_> = page.rows.into_iter().map(|row| row.task.id.0).collect();
        (ids.join(" "), page.total)
    };
    let id = |name: &str| Some(TaskId(name.into()));
    let all = TaskFilter { limit: 9, ..TaskFilter::default() };
    let mine = TaskFilter { account: Some(fixture.account), ..all.clone() };
    let theirs = TaskFilter { account: Some(fixture.stranger), ..all.clone() };
    for (filter, expected) in [
        (TaskFilter { offset: 1, limit: 2, ..all.clone() }, ("3 2", 4)),
        (TaskFilter { offset: 4, ..mine.clone() }, ("", 4)),
        (TaskFilter { limit: 0, ..mine.clone() }, ("", 4)),
        (TaskFilter { after: id("3"), ..mine.clone() }, ("2 1", 4)),
        (TaskFilter { after: id("3"), offset: 1, ..all.clone() }, ("1", 4)),
        (TaskFilter { after: id("1"), ..all.clone() }, ("", 4)),
        (TaskFilter { after: id("404"), ..all.clone() }, ("", 4)),
        (TaskFilter { after: id("3"), ..theirs.clone() }, ("", 0)),
        (TaskFilter { id: id("3"), ..mine.clone() }, ("3", 1)),
        (TaskFilter { id: id("3"), offset: 1, ..all.clone() }, ("", 1)),
        (TaskFilter { id: id("3"), limit: 0, ..all.clone() }, ("", 1)),
        (TaskFilter { id: id("3"), ..theirs }, ("", 0)),
        (TaskFilter { id: id("404"), ..all }, ("", 0)),
    ] {
        let described = format!("{filter:?}");
        assert_eq!(list(filter).await, (expected.0.to_owned(), expected.1), "{described}");
    }
}

pub async fn what_is_due_or_old_is_so_to_the_millisecond(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 1), &["edge"]).await;
    fixture.submit("2", &urls("a.example", 1), &["edge"]).await;
    let overdue = async |before| fixture.ledger.overdue_nodes(before).await.expect("overdue");
    assert_eq!(overdue(T0).await, [""; 0]);
    assert_eq!(overdue(T0 + MILLISECOND).await, ["edge"]);
    let end = async |due_before, limit| {
        let reason = EndReason::Silent { node: "edge".into(), due_before };
        let end = EndJobs { reason, detail: "silent".into(), limit, now: at(10) };
        fixture.ledger.end_jobs(end).await.expect("end jobs").finished_tasks
    };
    assert_eq!(end(T0, 9).await, []);
    assert_eq!(end(T0 + MILLISECOND, 0).await, []);
    assert_eq!(end(T0 + MILLISECOND, 1).await, [TaskId("1".into())]);
    let job = fixture.lease_one("edge", T0).await;
    assert_eq!(end(T0 + LEASE, 9).await, [], "its lease ends then, and not before");
    assert_eq!(fixture.lease("edge", 9, T0 + LEASE - MILLISECOND).await, []);
    assert_eq!(fixture.lease_one("edge", T0 + LEASE).await.id, job.id);
    assert_eq!(end(T0 + LEASE + LEASE + MILLISECOND, 9).await, [TaskId("2".into())]);

    let remove = async |before| fixture.ledger.remove_tasks(before, 99).await.expect("remove");
    assert_eq!(remove(at(10)).await.finished, 0);
    let removed = remove(at(10) + MILLISECOND).await;
    assert_eq!((removed.finished, removed.targets, removed.is_more), (2, 2, false));
}

pub async fn quotas_and_keys_end_with_their_day_and_moment(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let day = quota::day(T0);
    fixture.submit("0", &[""; 0], &["edge"]).await;
    assert_eq!(fixture.ledger.forget_quotas(day + 1).await.expect("forget"), 0, "nothing charged");
    fixture.submit("1", &urls("a.example", 3), &["edge"]).await;
    assert_eq!(fixture.ledger.forget_quotas(day).await.expect("forget"), 0);
    assert_eq!(fixture.used(Area::Mainland).await, 3);
    assert_eq!(fixture.ledger.forget_quotas(day + 1).await.expect("forget"), 1);
    assert_eq!(fixture.used(Area::Mainland).await, 0);

    for end in [5, 6, 7] {
        let key = AccessKey {
            secret_id: end.to_string(),
            secret_key: "sealed".into(),
            account: fixture.account,
            user: None,
            is_enabled: true,
            created_at: T0,
            last_used_at: None,
            temporary: Some(Temporary { token_hash: [1; 32], expires_at: at(end), policy: None }),
        };
        fixture.ledger.put_key(key).await.expect("put");
    }
    let listed = async |now| {
        let keys = fixture.ledger.temporary_keys(fixture.account, now).await.expect("keys");
        keys.into_iter().map(|key| key.secret_id).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(listed(at(5) - MILLISECOND).await, "5 6 7");
    assert_eq!(listed(at(5)).await, "6 7");
    let sweep = async |now, most| {
        fixture.ledger.sweep_keys(fixture.account, now, most).await.expect("sweep")
    };
    assert_eq!(sweep(at(5) - MILLISECOND, 9).await, 3);
    assert_eq!(sweep(at(6), 0).await, 3);
    assert_eq!(sweep(at(6), 1).await, 2, "the one that ended first");
    assert_eq!(listed(T0).await, "6 7");
    assert_eq!(sweep(at(6), 1).await, 1);
}

pub async fn purges_are_listed_and_removed_to_the_millisecond(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    for (id, created_at) in [("1", T0), ("2", at(1))] {
        let new = fixture.purge(id, &urls("a.example", 2), vec![vec!["edge".into()]]);
        fixture.ledger.submit_purge(NewPurge { created_at, ..new }).await.expect("submit");
    }
    let list = async |filter: PurgeFilter| {
        let filter = PurgeFilter { is_per_purge: true, limit: 9, ..filter };
        let page = fixture.ledger.purges(&filter).await.expect("purges");
        let states = page.rows.iter().map(|row| (row.id.0.clone(), row.state));
        states.map(|(id, state)| format!("{id} {state:?}")).collect::<Vec<_>>()
    };
    let both = ["2 Processing", "1 Processing"];
    assert_eq!(
        list(PurgeFilter { from: Some(T0), to: Some(at(1)), ..Default::default() }).await,
        both
    );
    let later = PurgeFilter { from: Some(T0 + MILLISECOND), ..Default::default() };
    assert_eq!(list(later).await, both[..1]);
    let sooner = PurgeFilter { to: Some(at(1) - MILLISECOND), ..Default::default() };
    assert_eq!(list(sooner).await, both[1..]);
    for (overdue, expected) in [(T0, 0), (T0 + MILLISECOND, 1), (at(1), 1), (at(2), 2)] {
        let overdue = PurgeFilter { overdue: Some(overdue), ..Default::default() };
        let late = PurgeFilter { states: Some(vec![PurgeState::Overdue]), ..overdue.clone() };
        assert_eq!(list(late).await.len(), expected, "{overdue:?}");
        let in_time = PurgeFilter { states: Some(vec![PurgeState::Processing]), ..overdue.clone() };
        assert_eq!(list(in_time).await.len(), 2 - expected, "{overdue:?}");
        let told = list(overdue).await.iter().filter(|one| one.ends_with("Overdue")).count();
        assert_eq!(told, expected);
    }

    let orders = async |limit| fixture.ledger.purge_orders("edge", limit).await.expect("orders");
    assert_eq!((orders(0).await.len(), orders(1).await.len(), orders(9).await.len()), (0, 1, 2));
    for order in orders(9).await {
        let purged = fixture.ledger.purged("edge", order.number, at(5)).await.expect("confirm");
        assert!(purged.is_new && purged.finished.is_some());
    }
    let remove = async |before, most| {
        let removed = fixture.ledger.remove_purges(before, most).await.expect("remove");
        (removed.finished, removed.targets, removed.is_more)
    };
    assert_eq!(remove(at(5), 99).await, (0, 0, false));
    let late = at(5) + MILLISECOND;
    assert_eq!(remove(late, 0).await, (0, 0, true));
    assert_eq!(remove(late, 1).await, (0, 1, true), "a part of the first");
    assert_eq!(remove(late, 99).await, (2, 3, false));
    assert_eq!(list(PurgeFilter::default()).await, [""; 0]);
}

pub async fn a_quota_lasts_to_its_last_unit(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let submit = async |id: &str, count, daily| {
        let mut new =
            fixture.new_task(fixture.task(id), targets(&urls("a.example", count), &["e"]));
        new.charges = charges(AreaScope::Mainland, daily);
        fixture.ledger.submit(new).await.is_ok()
    };
    assert!(!submit("1", 4, 3).await);
    assert!(submit("1", 3, 3).await, "as many as there are");
    assert!(!submit("2", 1, 3).await);
    assert!(submit("2", 1, 4).await);
    assert!(!submit("3", 1, 0).await, "a limit that was lowered below what is used");
    assert_eq!(fixture.used(Area::Mainland).await, 4);
    let tomorrow = Counter { day: quota::day(T0) + 1, ..counter(Area::Mainland) };
    assert_eq!(fixture.ledger.used(fixture.account, tomorrow).await.expect("used"), 0);
    assert_eq!(
        fixture.ledger.used(fixture.stranger, counter(Area::Mainland)).await.expect("used"),
        0
    );
}
