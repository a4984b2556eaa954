//! Targets found in playlists.

use std::sync::Arc;

use stoker_domain::{
    area::{Area, AreaScope},
    job::LeasedJob,
    outcome::{Block, Outcome},
    task::{Progress, TaskId},
};

use super::fixture::{DAILY, Fixture, T0, at, charges, targets, urls};
use crate::{ChildPlan, ErrorKind, Ledger, Submitted};

/// `count` children of the first target of task `1`.
async fn plan(fixture: &Fixture, count: usize) -> ChildPlan {
    let parent = fixture.targets("1").await[0].id;
    ChildPlan {
        task: TaskId("1".into()),
        parent,
        charges: charges(AreaScope::Mainland, DAILY),
        targets: targets(&urls("media.example", count), &["edge"]),
        most_targets: 100_000,
        now: at(60),
    }
}

const PLAYLIST: [&str; 2] = ["http://media.example/a.m3u8", "http://media.example/1"];

pub async fn children_are_merged_into_the_task_and_a_repeat_changes_nothing(
    ledger: Arc<dyn Ledger>,
) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &PLAYLIST, &["edge"]).await;
    let mut plan = plan(&fixture, 4).await;
    plan.targets.push(plan.targets[3].clone());
    let added = fixture.ledger.add_children(plan.clone()).await.expect("children");
    // `/1` was submitted, `/3` is named twice
    assert_eq!(added, Submitted { targets: 3, merged: 2, over_quota: 0, jobs: 1, left_out: 0 });
    for _ in 0..2 {
        let repeated = fixture.ledger.add_children(plan.clone()).await.expect("children");
        assert_eq!(repeated, Submitted { merged: 5, ..Submitted::default() });
        assert_eq!(fixture.used(Area::Mainland).await, 5);
        let row = fixture.row("1").await;
        assert_eq!((row.targets, row.updated_at), (5, at(60)));
    }
    let rows = fixture.targets("1").await;
    let kept: Vec<_> = rows.iter().map(|row| (row.url.as_str(), row.parent)).collect();
    let parent = Some(plan.parent);
    assert_eq!(
        kept,
        vec![
            (PLAYLIST[0], None),
            (PLAYLIST[1], None),
            ("http://media.example/0", parent),
            ("http://media.example/2", parent),
            ("http://media.example/3", parent),
        ]
    );
    assert_eq!((rows[1].created_at, rows[2].created_at), (T0, at(60)));
    let lost = ChildPlan { task: TaskId("404".into()), ..plan };
    let error = fixture.ledger.add_children(lost).await.expect_err("no such task");
    assert_eq!(error.kind, ErrorKind::NotFound);
}

pub async fn children_are_charged_as_far_as_the_quota_goes(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &PLAYLIST, &["edge"]).await;
    let mut plan = plan(&fixture, 6).await;
    plan.charges = charges(AreaScope::Mainland, 5);
    let added = fixture.ledger.add_children(plan).await.expect("children");
    assert_eq!(added, Submitted { targets: 5, merged: 1, over_quota: 2, jobs: 1, left_out: 0 });
    assert_eq!(fixture.used(Area::Mainland).await, 5);
    let rows = fixture.targets("1").await;
    assert!(rows[..5].iter().all(|row| row.progress == Progress::Processing));
    for row in &rows[5..] {
        assert_eq!((row.progress, row.outcome), (Progress::Failed, Some(Outcome::OverQuota)));
        assert_eq!((row.nodes, row.finished_at), (0, Some(at(60))));
    }
    let row = fixture.row("1").await;
    assert_eq!((row.targets, row.failed, row.finished_at), (7, 2, None));
    let jobs = fixture.lease("edge", 10, at(60)).await;
    assert_eq!(jobs.iter().map(|job| job.items.len()).collect::<Vec<_>>(), vec![2, 3]);
}

pub async fn children_beyond_the_bound_are_written_and_not_charged(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &PLAYLIST, &["edge"]).await;
    let plan = ChildPlan { most_targets: 4, ..plan(&fixture, 6).await };
    let added = fixture.ledger.add_children(plan.clone()).await.expect("children");
    assert_eq!(added, Submitted { targets: 5, merged: 1, over_quota: 0, jobs: 1, left_out: 0 });
    assert_eq!(fixture.used(Area::Mainland).await, 4);
    let rows = fixture.targets("1").await;
    let beyond = Some(Outcome::Blocked(Block::TooManyChildren));
    assert_eq!(rows.iter().filter(|row| row.outcome == beyond).count(), 3);
    assert!(rows[4..].iter().all(|row| row.outcome == beyond));
    let repeated = fixture.ledger.add_children(plan.clone()).await.expect("children");
    assert_eq!(repeated, Submitted { merged: 6, ..Submitted::default() });

    // now it is full: of a further playlist nothing is written, charged or not
    let mut further = plan;
    for target in &mut further.targets {
        target.url = target.url.replace("http://", "http://further.");
    }
    for charges in [further.charges.clone(), Vec::new()] {
        let plan = ChildPlan { charges, ..further.clone() };
        let added = fixture.ledger.add_children(plan).await.expect("children");
        assert_eq!(added, Submitted { left_out: 6, ..Submitted::default() });
    }
    assert_eq!(fixture.targets("1").await.len(), rows.len());
    assert_eq!(fixture.used(Area::Mainland).await, 4);
}

pub async fn children_keep_a_task_open(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &PLAYLIST[..1], &["edge"]).await;
    let playlist = fixture.lease_one("edge", T0).await;
    fixture.ledger.add_children(plan(&fixture, 2).await).await.expect("children");
    let applied = fixture.settle_all(&playlist, Outcome::Filled, at(61)).await;
    assert_eq!((applied.finished_targets, applied.finished_task), (1, None));
    let segments = fixture.lease_one("edge", at(62)).await;
    let applied = fixture.settle_all(&segments, Outcome::Filled, at(63)).await;
    assert_eq!(applied.finished_targets, 2);
    assert_eq!(applied.finished_task, Some(TaskId("1".into())));
    let row = fixture.row("1").await;
    assert_eq!((row.targets, row.done, row.finished_at), (3, 3, Some(at(63))));
}

pub async fn children_of_a_final_task_are_left_out(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &PLAYLIST, &["edge"]).await;
    let job = fixture.lease_one("edge", T0).await;
    fixture.settle_all(&job, Outcome::Filled, at(1)).await;
    let plan = plan(&fixture, 3).await;
    let added = fixture.ledger.add_children(plan).await.expect("children");
    assert_eq!(added, Submitted { merged: 1, ..Submitted::default() });
    assert_eq!(fixture.row("1").await.targets, 2);
    assert_eq!(fixture.used(Area::Mainland).await, 2);
}

pub async fn a_job_tells_which_playlists_were_named_as_such(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    let mut submitted = targets(&PLAYLIST, &["middle"]);
    submitted[0].levels = 3;
    let task = fixture.new_task(fixture.task("1"), submitted);
    fixture.ledger.submit(task).await.expect("submit");
    let mut plan = plan(&fixture, 3).await;
    plan.targets[0].levels = 2;
    fixture.ledger.add_children(plan).await.expect("children");
    let levels = |job: &LeasedJob| -> Vec<_> {
        job.items.iter().map(|item| (item.levels, item.is_named)).collect()
    };
    let job = fixture.lease_one("middle", at(61)).await;
    assert_eq!(levels(&job), [(3, false), (0, false)]);
    let job = fixture.lease_one("edge", at(61)).await;
    assert_eq!(levels(&job), [(2, true), (0, false)]);
}
