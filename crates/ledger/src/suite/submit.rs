//! Accepting a task: all of it or nothing.

use std::sync::Arc;

use stoker_domain::{
    area::{Area, AreaScope, Tier},
    outcome::{Block, Outcome},
    quota::Counter,
    task::{FetchOptions, MediaPolicy, Progress, Task, TaskId},
    view::TaskFilter,
};

use super::fixture::{
    DAILY, Fixture, T0, at, charges, counter, nodes_named, target, targets, urls,
};
use crate::{Charge, ErrorKind, Ledger, NewTask, Submitted};

pub async fn equal_urls_are_merged_and_charged_once(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let given = ["http://a.example/x", "http://a.example/y", "http://a.example/x"];
    let submitted = fixture.submit("1", &given, &["edge"]).await;
    assert_eq!(submitted, Submitted { targets: 2, merged: 1, over_quota: 0, jobs: 1, left_out: 0 });
    assert_eq!(fixture.used(Area::Mainland).await, 2);
    assert_eq!(fixture.used(Area::Overseas).await, 0);
    let rows = fixture.targets("1").await;
    let kept: Vec<_> = rows.iter().map(|row| row.url.as_str()).collect();
    assert_eq!(kept, given[..2]);
    // another task may have the same URLs, and pays for them
    fixture.submit("2", &given, &["edge"]).await;
    assert_eq!(fixture.used(Area::Mainland).await, 4);
}

pub async fn over_quota_writes_nothing_and_names_the_counter(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let submit = async |id: &str, count, daily| {
        let targets = targets(&urls("a.example", count), &["edge"]);
        let charges = charges(AreaScope::Mainland, daily);
        let task = fixture.task(id);
        fixture.ledger.submit(NewTask { task, charges, targets, retry_of: None }).await
    };
    submit("1", 3, 5).await.expect("3 of 5");
    let error = submit("2", 3, 5).await.expect_err("2 are left");
    let over = ErrorKind::OverQuota { counter: counter(Area::Mainland), available: 2, needed: 3 };
    assert_eq!(error.kind, over);
    assert_eq!(fixture.used(Area::Mainland).await, 3);
    let page = fixture.ledger.tasks(&TaskFilter { limit: 9, ..TaskFilter::default() }).await;
    assert_eq!(page.expect("tasks").total, 1);
    assert_eq!(fixture.lease("edge", 10, T0).await.len(), 1);
    // what is left is still there, and a limit lowered below what was used is no debt
    submit("3", 2, 5).await.expect("the last 2");
    let error = submit("4", 1, 4).await.expect_err("none are left");
    let over = ErrorKind::OverQuota { counter: counter(Area::Mainland), available: 0, needed: 1 };
    assert_eq!(error.kind, over);
}

pub async fn several_tasks_are_accepted_together_or_not_at_all(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let new = |id: &str, host, count, nodes: &[&str]| NewTask {
        task: fixture.task(id),
        charges: charges(AreaScope::Mainland, 5),
        targets: targets(&urls(host, count), nodes),
        retry_of: None,
    };
    let submit_all = async |tasks| fixture.ledger.submit_all(tasks).await;
    let (a, b) = ("a.example", "b.example");
    // the first alone would fit
    let error = submit_all(vec![new("1", a, 4, &["edge"]), new("2", b, 2, &["edge"])]).await;
    let over = ErrorKind::OverQuota { counter: counter(Area::Mainland), available: 5, needed: 6 };
    assert_eq!(error.expect_err("6 of 5").kind, over);
    let error = submit_all(vec![new("1", a, 1, &["edge"]), new("2", b, 1, &[])]).await;
    assert_eq!(error.expect_err("an orphan").kind, ErrorKind::NotFound);
    let none = TaskFilter { limit: 9, ..TaskFilter::default() };
    assert_eq!(fixture.ledger.tasks(&none).await.expect("tasks").total, 0);
    assert_eq!(fixture.used(Area::Mainland).await, 0);
    assert_eq!(fixture.lease("edge", 10, T0).await.len(), 0);
    let both = vec![new("1", a, 3, &["edge"]), new("2", b, 2, &["edge", "other"])];
    let submitted = submit_all(both).await.expect("5 of 5");
    let expected = [(3, 1), (2, 2)].map(|(targets, jobs)| Submitted {
        targets,
        jobs,
        merged: 0,
        over_quota: 0,
        left_out: 0,
    });
    assert_eq!(submitted, expected);
    assert_eq!(fixture.used(Area::Mainland).await, 5);
    assert_eq!((fixture.row("1").await.targets, fixture.row("2").await.targets), (3, 2));
    assert_eq!(submit_all(Vec::new()).await.expect("nothing"), []);
}

pub async fn a_global_task_charges_both_areas_or_none(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let global = |id: &str| Task { areas: AreaScope::Global, ..fixture.task(id) };
    let submit = async |task: Task, overseas| {
        let [mainland, mut other] = charges(AreaScope::Global, DAILY)[..] else { return None };
        other = Charge { daily: overseas, ..other };
        let targets = targets(&urls("a.example", 4), &["edge"]);
        let task = NewTask { task, charges: vec![mainland, other], targets, retry_of: None };
        Some(fixture.ledger.submit(task).await)
    };
    submit(global("1"), 6).await.expect("two charges").expect("4 of 6");
    let error = submit(global("2"), 6).await.expect("two charges").expect_err("2 are left");
    let over = ErrorKind::OverQuota { counter: counter(Area::Overseas), available: 2, needed: 4 };
    assert_eq!(error.kind, over);
    assert_eq!(fixture.used(Area::Mainland).await, 4);
    assert_eq!(fixture.used(Area::Overseas).await, 4);
}

pub async fn another_day_is_another_counter(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let today = counter(Area::Mainland);
    let tomorrow = Counter { day: today.day + 1, ..today };
    for (id, counter) in [("1", today), ("2", tomorrow)] {
        let charges = vec![Charge { counter, daily: 3 }];
        let targets = targets(&urls("a.example", 3), &["edge"]);
        let task = NewTask { task: fixture.task(id), charges, targets, retry_of: None };
        fixture.ledger.submit(task).await.expect("a whole day is left");
        assert_eq!(fixture.ledger.used(fixture.account, counter).await.expect("used"), 3);
    }
    assert_eq!(fixture.ledger.used(fixture.stranger, today).await.expect("used"), 0);
}

pub async fn a_task_id_is_taken_once(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 2), &["edge"]).await;
    let again = fixture.new_task(fixture.task("1"), targets(&urls("b.example", 5), &["edge"]));
    let error = fixture.ledger.submit(again).await.expect_err("taken");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(fixture.used(Area::Mainland).await, 2);
    assert_eq!(fixture.row("1").await.targets, 2);
}

pub async fn the_last_number_is_the_largest_whenever_its_task_was_created(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    assert_eq!(fixture.ledger.last_number().await.expect("last number"), None);
    // names of another form stand before and behind
    let names = ["1800000000000002000", "1800000000000001000", "9zzz00000001", "900000000000", "z"];
    for (name, created_at) in names.into_iter().zip([at(0), at(60), at(120), at(180), at(240)]) {
        let task = Task { created_at, ..fixture.task(name) };
        let new = fixture.new_task(task, targets(&urls("a.example", 1), &["edge"]));
        fixture.ledger.submit(new).await.expect("submit");
    }
    let last = fixture.ledger.last_number().await.expect("last number");
    assert_eq!(last, Some(TaskId(names[0].into())));
}

pub async fn targets_settled_at_once_need_no_node(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let mut planned = targets(&urls("a.example", 3), &[]);
    planned[0].settled = Some(Outcome::Blocked(Block::Ownership));
    planned[1].settled = Some(Outcome::AlreadyFresh);
    planned[2].nodes = nodes_named(&["edge"]);
    let task = fixture.new_task(fixture.task("1"), planned.clone());
    let submitted = fixture.ledger.submit(task).await.expect("submit");
    assert_eq!(submitted, Submitted { targets: 3, merged: 0, over_quota: 0, jobs: 1, left_out: 0 });
    let rows = fixture.targets("1").await;
    assert_eq!(rows[0].progress, Progress::Failed);
    assert_eq!(rows[0].outcome, Some(Outcome::Blocked(Block::Ownership)));
    assert_eq!((rows[0].nodes, rows[0].finished_at), (0, Some(T0)));
    assert_eq!(rows[1].progress, Progress::Done);
    assert_eq!((rows[2].progress, rows[2].outcome), (Progress::Processing, None));
    assert_eq!((rows[2].nodes, rows[2].settled_nodes), (1, 0));
    let row = fixture.row("1").await;
    assert_eq!((row.targets, row.done, row.failed, row.finished_at), (3, 1, 1, None));
    let positions: Vec<_> =
        fixture.lease_one("edge", T0).await.items.iter().map(|item| item.position).collect();
    assert_eq!(positions, vec![2]);
    // a task without anything to fetch is finished when it is accepted
    let task = fixture.new_task(fixture.task("2"), planned[..2].to_vec());
    assert_eq!(fixture.ledger.submit(task).await.expect("submit").jobs, 0);
    assert_eq!(fixture.row("2").await.finished_at, Some(T0));
}

pub async fn a_target_that_nobody_must_hold_is_refused(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let planned = vec![target("http://a.example/x", &["edge"]), target("http://a.example/y", &[])];
    let task = fixture.new_task(fixture.task("1"), planned);
    let error = fixture.ledger.submit(task).await.expect_err("it would never end");
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(fixture.used(Area::Mainland).await, 0);
}

pub async fn one_job_is_made_for_each_node_and_five_hundred_targets(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let urls = urls("a.example", 1201);
    let mut planned = targets(&urls, &["edge-1", "edge-2"]);
    planned[1200].nodes = nodes_named(&["edge-2", "edge-3"]);
    planned[7].levels = 3;
    let options = FetchOptions {
        user_agent: Some("Agent/1".into()),
        default_user_agent: Some("Agent/0".into()),
        headers: vec![("X-A".into(), "1".into())],
        header_domains: Some(vec!["a.example".into()]),
        disable_range: true,
        media: MediaPolicy::Segments,
        limit_mbps: Some(8),
        patience_seconds: Some(60),
        playlist_hosts: None,
        areas_of_domains: true,
    };
    let task = Task { tier: Some(Tier::Edge), options: options.clone(), ..fixture.task("1") };
    let submitted = fixture.ledger.submit(fixture.new_task(task.clone(), planned)).await;
    assert_eq!(submitted.expect("submit").jobs, 3 + 3 + 1);
    // what may be secret is for the nodes alone
    let shown = FetchOptions { headers: Vec::new(), user_agent: None, ..options.clone() };
    assert_eq!(fixture.row("1").await.task, Task { options: shown, ..task });
    let jobs = fixture.lease("edge-1", 10, T0).await;
    let sizes: Vec<_> = jobs.iter().map(|job| job.items.len()).collect();
    assert_eq!(sizes, vec![500, 500, 200]);
    assert_eq!(jobs[0].options, options);
    assert_eq!(jobs[0].task, TaskId("1".into()));
    assert_eq!(jobs[0].items[7].levels, 3);
    let given: Vec<_> =
        jobs.iter().flat_map(|job| &job.items).map(|item| item.url.clone()).collect();
    assert_eq!(given, urls[..1200]);
    let last = fixture.lease_one("edge-3", T0).await;
    assert_eq!((last.items[0].position, &last.items[0].url), (200, &urls[1200]));
    let rows = fixture.targets("1").await;
    assert_eq!(rows.iter().map(|row| row.url.clone()).collect::<Vec<_>>(), urls);
    assert!(rows.iter().all(|row| row.nodes == 2 && row.settled_nodes == 0));
}

pub async fn request_fields_are_there_as_long_as_the_task_runs(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let options = |value: &str, agent: Option<&str>| FetchOptions {
        headers: vec![("X-A".into(), value.into())],
        user_agent: agent.map(Into::into),
        ..FetchOptions::default()
    };
    let mut tasks = Vec::new();
    for (id, options) in [
        ("1", options("a", None)),
        ("2", FetchOptions::default()),
        ("3", options("b", Some("Agent/1"))),
        ("4", FetchOptions { user_agent: Some("Agent/2".into()), ..FetchOptions::default() }),
    ] {
        let task = Task { options, ..fixture.task(id) };
        let new = fixture.new_task(task.clone(), targets(&urls("a.example", 2), &["edge"]));
        fixture.ledger.submit(new).await.expect("submit");
        tasks.push(task);
    }
    let known = async |after: i64, most: u32| {
        fixture.ledger.task_fields_after(after, most).await.expect("request fields")
    };
    let ids = |tasks: &[(i64, Task)]| -> Vec<String> {
        tasks.iter().map(|(_, task)| task.id.0.clone()).collect()
    };
    let all = known(i64::MIN, 10).await;
    assert_eq!(ids(&all), ["1", "3", "4"]);
    assert_eq!(all[1].1, tasks[2]);
    assert_eq!(known(i64::MIN, 2).await, all[..2]);
    assert_eq!(known(all[1].0, 2).await, all[2..]);

    fixture.ledger.reseal_tasks(vec![(all[0].0, options("other", None))]).await.expect("reseal");
    let jobs = fixture.lease("edge", 10, T0).await;
    assert_eq!(jobs[0].options, options("other", None));
    assert_eq!([&jobs[1].options, &jobs[2].options], [&tasks[1].options, &tasks[2].options]);

    let done = [(0, Outcome::Filled), (1, Outcome::Filled)];
    fixture.settle(&jobs[0], &done[..1], at(1)).await;
    assert_eq!(ids(&known(i64::MIN, 10).await), ["1", "3", "4"], "one target is left");
    fixture.settle(&jobs[0], &done[1..], at(2)).await;
    fixture.settle(&jobs[3], &[(0, Outcome::OriginStatus(404)), (1, Outcome::Filled)], at(2)).await;
    assert_eq!(ids(&known(i64::MIN, 10).await), ["3"]);
    // what is finished has nothing that could be replaced
    fixture.ledger.reseal_tasks(vec![(all[0].0, options("late", None))]).await.expect("reseal");
    assert_eq!(ids(&known(i64::MIN, 10).await), ["3"]);
}
