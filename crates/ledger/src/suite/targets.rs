//! Pages of targets.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    area::{Area, AreaScope},
    outcome::{OriginFault, Outcome},
    task::{Progress, Task, TaskId},
    time::Timestamp,
    view::{TargetFilter, TargetRow, TargetState},
};

use super::fixture::{Dice, Fixture, T0, at, targets, urls};
use crate::Ledger;

const ALL: TargetFilter = TargetFilter {
    account: None,
    task: None,
    from: None,
    to: None,
    hosts: None,
    url: None,
    area: None,
    states: None,
    offset: 0,
    limit: 100,
};

/// `task-number` of each row, from a URL like `http://host/number`, and the total.
async fn found(fixture: &Fixture, filter: TargetFilter) -> (String, u64) {
    let page = fixture.ledger.targets(&filter).await.expect("targets");
    let name = |row: &TargetRow| {
        let number = row.url.rsplit('/').next().unwrap_or_default();
        format!("{}-{number}", row.task.id)
    };
    (page.rows.iter().map(name).collect::<Vec<_>>().join(" "), page.total)
}

async fn submit(fixture: &Fixture, task: Task, host: &str, count: usize) {
    let new = fixture.new_task(task, targets(&urls(host, count), &["edge"]));
    fixture.ledger.submit(new).await.expect("submit");
}

/// Tasks `1` (mainland), `2` (overseas, other host) and `3` (global, a stranger's), a minute apart.
async fn three_tasks(ledger: Arc<dyn Ledger>) -> Fixture {
    let fixture = Fixture::new(ledger).await;
    submit(&fixture, fixture.task("1"), "a.example", 3).await;
    let task = Task { areas: AreaScope::Overseas, created_at: at(60), ..fixture.task("2") };
    submit(&fixture, task, "b.example", 2).await;
    let task = Task {
        areas: AreaScope::Global,
        created_at: at(120),
        account: fixture.stranger,
        ..fixture.task("3")
    };
    submit(&fixture, task, "a.example", 1).await;
    fixture
}

pub async fn every_condition_of_a_filter_holds(ledger: Arc<dyn Ledger>) {
    let fixture = three_tasks(ledger).await;
    let job = fixture.lease("edge", 1, at(120)).await.remove(0);
    fixture.settle(&job, &[(0, Outcome::Filled), (2, Outcome::TooLarge)], at(121)).await;
    let (mine, stranger) = (Some(fixture.account), Some(fixture.stranger));
    let task = |id: &str| Some(TaskId(id.into()));
    let a = || Some(vec!["a.example".to_owned()]);
    let c = || Some(vec!["c.example".to_owned()]);
    let ab =
        || Some(["c.example", "b.example", "a.example", "b.example"].map(String::from).to_vec());
    let url = || Some("http://a.example/0".to_owned());
    let (open, done, failed) = (
        Some(TargetState::of(Progress::Processing)),
        Some(TargetState::of(Progress::Done)),
        Some(TargetState::of(Progress::Failed)),
    );
    let settled = Some(vec![TargetState::Done, TargetState::FailedOtherwise]);
    let (mainland, overseas) = (Some(Area::Mainland), Some(Area::Overseas));
    let table: Vec<(TargetFilter, &str)> = vec![
        (ALL, "3-0 2-0 2-1 1-0 1-1 1-2"),
        (TargetFilter { account: mine, ..ALL }, "2-0 2-1 1-0 1-1 1-2"),
        (TargetFilter { account: stranger, ..ALL }, "3-0"),
        (TargetFilter { task: task("1"), ..ALL }, "1-0 1-1 1-2"),
        (TargetFilter { task: task("404"), ..ALL }, ""),
        (TargetFilter { task: task("1"), account: stranger, ..ALL }, ""),
        (TargetFilter { task: task("1"), hosts: a(), account: mine, ..ALL }, "1-0 1-1 1-2"),
        (TargetFilter { task: task("2"), hosts: a(), ..ALL }, ""),
        (TargetFilter { task: task("1"), states: done.clone(), ..ALL }, "1-0"),
        (TargetFilter { task: task("1"), states: open.clone(), hosts: a(), ..ALL }, "1-1"),
        (TargetFilter { task: task("1"), url: url(), ..ALL }, "1-0"),
        (TargetFilter { task: task("1"), area: overseas, ..ALL }, ""),
        (TargetFilter { task: task("2"), from: Some(at(61)), ..ALL }, ""),
        (TargetFilter { from: Some(at(60)), ..ALL }, "3-0 2-0 2-1"),
        (TargetFilter { to: Some(at(60)), ..ALL }, "2-0 2-1 1-0 1-1 1-2"),
        (TargetFilter { from: Some(at(1)), to: Some(at(119)), ..ALL }, "2-0 2-1"),
        (TargetFilter { from: Some(at(119)), to: Some(at(1)), ..ALL }, ""),
        (TargetFilter { hosts: a(), ..ALL }, "3-0 1-0 1-1 1-2"),
        (TargetFilter { hosts: a(), account: mine, ..ALL }, "1-0 1-1 1-2"),
        (TargetFilter { hosts: a(), to: Some(at(119)), states: failed.clone(), ..ALL }, "1-2"),
        (TargetFilter { hosts: a(), account: mine, states: failed.clone(), ..ALL }, "1-2"),
        (TargetFilter { hosts: c(), ..ALL }, ""),
        (TargetFilter { url: url(), ..ALL }, "3-0 1-0"),
        (TargetFilter { url: url(), account: stranger, ..ALL }, "3-0"),
        (TargetFilter { url: url(), states: done.clone(), ..ALL }, "1-0"),
        (TargetFilter { url: url(), hosts: a(), to: Some(at(9)), area: mainland, ..ALL }, "1-0"),
        (TargetFilter { url: Some("http://a.example/".into()), ..ALL }, ""),
        (TargetFilter { area: mainland, ..ALL }, "3-0 1-0 1-1 1-2"),
        (TargetFilter { area: overseas, ..ALL }, "3-0 2-0 2-1"),
        (TargetFilter { area: overseas, account: mine, ..ALL }, "2-0 2-1"),
        (TargetFilter { area: overseas, account: mine, hosts: a(), ..ALL }, ""),
        (TargetFilter { states: open.clone(), ..ALL }, "3-0 2-0 2-1 1-1"),
        (TargetFilter { states: open.clone(), account: mine, ..ALL }, "2-0 2-1 1-1"),
        (TargetFilter { states: done.clone(), account: mine, area: mainland, ..ALL }, "1-0"),
        (TargetFilter { states: failed.clone(), account: stranger, ..ALL }, ""),
        (TargetFilter { hosts: ab(), ..ALL }, "3-0 2-0 2-1 1-0 1-1 1-2"),
        (TargetFilter { hosts: ab(), account: mine, ..ALL }, "2-0 2-1 1-0 1-1 1-2"),
        (TargetFilter { hosts: ab(), task: task("1"), ..ALL }, "1-0 1-1 1-2"),
        (TargetFilter { hosts: ab(), url: url(), ..ALL }, "3-0 1-0"),
        (TargetFilter { hosts: ab(), states: settled.clone(), ..ALL }, "1-0 1-2"),
        (TargetFilter { hosts: Some(Vec::new()), ..ALL }, ""),
        (TargetFilter { hosts: Some(Vec::new()), url: url(), ..ALL }, ""),
        (TargetFilter { states: settled.clone(), ..ALL }, "1-0 1-2"),
        (TargetFilter { states: settled.clone(), account: mine, ..ALL }, "1-0 1-2"),
        (TargetFilter { states: settled, task: task("1"), ..ALL }, "1-0 1-2"),
        (TargetFilter { states: Some(Vec::new()), ..ALL }, ""),
    ];
    for (filter, expected) in table {
        let total = expected.split_whitespace().count() as u64;
        assert_eq!(found(&fixture, filter.clone()).await, (expected.into(), total), "{filter:?}");
    }
}

pub async fn pages_are_newest_task_first_and_in_the_order_submitted(ledger: Arc<dyn Ledger>) {
    let fixture = three_tasks(ledger).await;
    let rows = ["3-0", "2-0", "2-1", "1-0", "1-1", "1-2"];
    for offset in 0..8 {
        for limit in 0..8 {
            let page = rows.iter().skip(offset).take(limit).copied().collect::<Vec<_>>().join(" ");
            let filter = TargetFilter { offset: offset as u64, limit: limit as u64, ..ALL };
            assert_eq!(found(&fixture, filter).await, (page, 6), "{offset} {limit}");
        }
    }
    // many chunks
    let big = Task { created_at: at(600), ..fixture.task("4") };
    submit(&fixture, big, "c.example", 1203).await;
    for (offset, limit, numbers) in [(0, 2, 0..2), (499, 3, 499..502), (1000, 1, 1000..1001)] {
        let task = Some(TaskId("4".into()));
        let whole = TargetFilter { task, offset, limit, ..ALL };
        let expected: Vec<_> = numbers.map(|number| format!("4-{number}")).collect();
        let hosts = Some(vec!["c.example".to_owned()]);
        let states = Some(TargetState::of(Progress::Processing));
        for filter in [
            TargetFilter { hosts, ..whole.clone() },
            TargetFilter { states, ..whole.clone() },
            whole,
        ] {
            let found = found(&fixture, filter.clone()).await;
            assert_eq!(found, (expected.join(" "), 1203), "{filter:?}");
        }
    }
}

pub async fn failures_are_told_apart_by_their_kind(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    submit(&fixture, fixture.task("1"), "a.example", 6).await;
    let job = fixture.lease_one("edge", T0).await;
    let words = [
        (0, Outcome::OriginStatus(404)),
        (1, Outcome::OriginError(OriginFault::Connect)),
        (2, Outcome::OriginStatus(503)),
        (3, Outcome::Filled),
        (4, Outcome::Timeout),
        (5, Outcome::OriginStatus(204)),
    ];
    fixture.settle(&job, &words, at(1)).await;
    let (refused, otherwise) = (TargetState::FailedByOrigin, TargetState::FailedOtherwise);
    let late = TargetState::FailedByTimeout;
    for (states, rows, total) in [
        (vec![refused, otherwise, late], "1-0 1-1 1-2 1-4 1-5", 5),
        (vec![refused, otherwise], "1-0 1-1 1-2 1-5", 4),
        (vec![refused], "1-0 1-2", 2),
        (vec![late], "1-4", 1),
        (vec![otherwise], "1-1 1-5", 2),
        (vec![TargetState::Done, late], "1-3 1-4", 2),
    ] {
        for (account, task, host) in [
            (None, None, None),
            (Some(fixture.account), None, None),
            (None, Some("1"), None),
            (Some(fixture.account), None, Some("a.example")),
            (None, Some("1"), Some("a.example")),
        ] {
            let filter = TargetFilter {
                account,
                task: task.map(|task| TaskId(task.into())),
                hosts: host.map(|host| vec![String::from(host)]),
                states: Some(states.clone()),
                ..ALL
            };
            assert_eq!(found(&fixture, filter.clone()).await, (rows.into(), total));
            for (offset, row) in (0..).zip(rows.split(' ')) {
                let filter = TargetFilter { offset, limit: 1, ..filter.clone() };
                assert_eq!(
                    found(&fixture, filter.clone()).await,
                    (row.into(), total),
                    "{filter:?}"
                );
            }
        }
    }
}

pub async fn ranges_of_time_are_exact_to_the_millisecond(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let moments = [-1, 0, 1, 59_999, 60_000, 3_599_999, 3_600_000, 90_000_000]
        .map(|millis| Timestamp::from_millis(1_700_002_800_000 + millis));
    for (id, created_at) in (0..).zip(moments) {
        let task = Task { created_at, ..fixture.task(&format!("{id}")) };
        submit(&fixture, task, "a.example", 1).await;
    }
    let tick = Duration::from_millis(1);
    let edges: Vec<_> = moments.iter().flat_map(|at| [*at - tick, *at, *at + tick]).collect();
    for hosts in [None, Some(vec!["a.example".to_owned()])] {
        for (from, to) in edges.iter().flat_map(|from| edges.iter().map(move |to| (*from, *to))) {
            let within = moments.iter().enumerate().filter(|(_, at)| (from..=to).contains(at));
            let expected: Vec<_> = within.rev().map(|(id, _)| format!("{id}-0")).collect();
            let total = expected.len() as u64;
            let hosts = hosts.clone();
            let filter = TargetFilter { from: Some(from), to: Some(to), hosts, ..ALL };
            assert_eq!(found(&fixture, filter).await, (expected.join(" "), total), "{from} {to}");
        }
    }
}

/// Thirty tasks over three hours, some of their targets ended.
async fn many_tasks(fixture: &Fixture, dice: &mut Dice) {
    for id in 0..30 {
        let areas = [AreaScope::Mainland, AreaScope::Overseas, AreaScope::Global];
        let task = Task {
            areas: dice.pick(areas),
            account: dice.pick([fixture.account, fixture.account, fixture.stranger]),
            created_at: at(dice.below(3 * 3600)),
            ..fixture.task(&format!("{id}"))
        };
        let hosts = ["a.example", "a.example", "b.example"];
        let mut given = urls(dice.pick(hosts), dice.below(9) as usize);
        given.extend(urls(dice.pick(hosts), dice.below(9) as usize));
        let new = fixture.new_task(task, targets(&given, &["edge"]));
        fixture.ledger.submit(new).await.expect("submit");
    }
    for job in fixture.lease("edge", 100, at(9999)).await {
        for leased in &job.items {
            let outcome = dice.pick([
                Outcome::Filled,
                Outcome::Revalidated,
                Outcome::TooLarge,
                Outcome::OriginStatus(404),
                Outcome::OriginStatus(204),
                Outcome::Timeout,
            ]);
            if dice.below(3) > 0 {
                fixture.settle(&job, &[(leased.position, outcome)], at(9999)).await;
            }
        }
    }
}

const STATES: [TargetState; 5] = [
    TargetState::Processing,
    TargetState::Done,
    TargetState::FailedByOrigin,
    TargetState::FailedByTimeout,
    TargetState::FailedOtherwise,
];

fn state(row: &TargetRow) -> TargetState {
    match (row.progress, row.outcome) {
        (Progress::Processing, _) => TargetState::Processing,
        (Progress::Done, _) => TargetState::Done,
        (Progress::Failed, Some(Outcome::Timeout)) => TargetState::FailedByTimeout,
        (Progress::Failed, Some(outcome)) if outcome.is_refusal() => TargetState::FailedByOrigin,
        (Progress::Failed, _) => TargetState::FailedOtherwise,
    }
}

fn any_filter(fixture: &Fixture, dice: &mut Dice) -> TargetFilter {
    let mut filter = TargetFilter { limit: 1 + dice.below(40), offset: dice.below(30), ..ALL };
    filter.account = dice.maybe(|dice| dice.pick([fixture.account, fixture.stranger]));
    filter.task = dice.maybe(|dice| TaskId(format!("{}", dice.below(31)))).filter(|_| dice.coin());
    filter.from = dice.maybe(|dice| at(dice.below(3 * 3600)));
    filter.to = dice.maybe(|dice| at(dice.below(3 * 3600)));
    filter.hosts = dice.maybe(|dice| {
        let hosts = 1 + dice.below(3);
        (0..hosts).map(|_| dice.pick(["a.example", "b.example", "c.example"]).into()).collect()
    });
    filter.url = dice.maybe(|dice| format!("http://a.example/{}", dice.below(9)));
    filter.url = filter.url.filter(|_| dice.coin());
    filter.area = dice.maybe(|dice| dice.pick(Area::ALL));
    filter.states = dice.maybe(|dice| {
        let states = 1 + dice.below(3);
        (0..states).map(|_| dice.pick(STATES)).collect()
    });
    filter
}

fn matches(filter: &TargetFilter, row: &TargetRow) -> bool {
    let host = row.url.split('/').nth(2).unwrap_or_default();
    filter.account.is_none_or(|account| row.task.account == account)
        && filter.task.as_ref().is_none_or(|task| row.task.id == *task)
        && filter.from.is_none_or(|from| row.task.created_at >= from)
        && filter.to.is_none_or(|to| row.task.created_at <= to)
        && filter.hosts.as_ref().is_none_or(|hosts| hosts.iter().any(|wanted| wanted == host))
        && filter.url.as_ref().is_none_or(|url| row.url == *url)
        && filter.area.is_none_or(|area| row.task.areas.contains(area))
        && filter.states.as_ref().is_none_or(|states| states.contains(&state(row)))
}

pub async fn pages_match_a_plain_model(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let mut dice = Dice(2);
    many_tasks(&fixture, &mut dice).await;
    let filter = TargetFilter { limit: u64::MAX, ..ALL };
    let all = fixture.ledger.targets(&filter).await.expect("targets").rows;
    assert!(all.len() > 100);
    assert!(all.is_sorted_by_key(|row| std::cmp::Reverse(row.task.created_at)));
    for round in 0..600 {
        let filter = any_filter(&fixture, &mut dice);
        let expected: Vec<_> = all.iter().filter(|row| matches(&filter, row)).cloned().collect();
        let page = fixture.ledger.targets(&filter).await.expect("targets");
        assert_eq!(page.total, expected.len() as u64, "round {round}: {filter:?}");
        let (offset, limit) = (filter.offset as usize, filter.limit as usize);
        let rows: Vec<_> = expected.into_iter().skip(offset).take(limit).collect();
        assert_eq!(page.rows, rows, "round {round}: {filter:?}");
    }
}
