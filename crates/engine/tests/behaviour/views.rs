//! What is shown of tasks and targets.

use stoker_domain::{
    area::{AreaScope, Tier},
    job::{Heartbeat, ItemProgress, ItemReport},
    outcome::{OriginFault, Outcome},
    quota::{Limits, Product},
};
use stoker_engine::Submission;

use crate::stage::{Stage, item, submission};

#[tokio::test]
async fn heartbeats_show_until_the_lease_ends_and_never_say_all() {
    let stage = Stage::new().await;
    let urls = ["http://www.example.com/a", "http://www.example.com/b"];
    let task = stage.submit(&urls).await.task;
    let shown = async || {
        let rows = stage.targets(&task).await;
        rows.iter().map(|row| (row.percent, row.done_bytes, row.total_bytes)).collect::<Vec<_>>()
    };
    assert_eq!(shown().await, [(0, 0, None), (0, 0, None)]);
    let job = stage.lease().await.remove(0);
    let moving =
        |position, done_bytes, total_bytes| ItemProgress { position, done_bytes, total_bytes };
    let items = vec![moving(0, 1000, Some(1000)), moving(1, 300, None)];
    let beat = Heartbeat { job: job.id, token: job.token, items };
    assert!(stage.engine.heartbeat(beat).await.unwrap());
    assert_eq!(shown().await, [(99, 1000, Some(1000)), (0, 300, None)]);
    assert_eq!(stage.task(&task).await.percent, 50);
    stage.report(&job, vec![item(0, Outcome::Filled)]).await;
    assert_eq!(shown().await, [(100, 1000, Some(1000)), (0, 0, None)], "the lease is over");
    let job = stage.lease().await.remove(0);
    stage.report(&job, vec![item(1, Outcome::AlreadyFresh)]).await;
    let view = stage.task(&task).await;
    assert_eq!((view.percent, view.done_bytes, view.total_bytes), (100, 2000, Some(2000)));
    assert_eq!(view.pulled_bytes, 1000);
}

#[tokio::test]
async fn what_failed_keeps_what_it_had_reached() {
    let stage = Stage::new().await;
    let both_edges = Submission {
        areas: AreaScope::Global,
        tier: Some(Tier::Edge),
        ..submission(&["http://www.example.com/a"])
    };
    let task = stage.engine.submit(&stage.account, both_edges).await.unwrap().task;
    for (edge, report) in [
        ("edge-mainland", item(0, Outcome::Filled)),
        (
            "edge-overseas",
            ItemReport {
                size_bytes: Some(1000),
                pulled_bytes: 500,
                ..item(0, Outcome::OriginError(OriginFault::Length))
            },
        ),
    ] {
        let job = stage.engine.lease(edge, 1, std::time::Duration::ZERO).await.unwrap().remove(0);
        assert!(stage.report(&job, vec![report]).await);
    }
    let view = stage.targets(&task).await.remove(0);
    assert_eq!((view.percent, view.done_bytes, view.total_bytes), (75, 750, Some(1000)));
    assert_eq!(stage.task(&task).await.percent, 0, "no target of it is done");
}

#[tokio::test]
async fn a_task_of_any_size_tells_its_bytes_and_a_large_one_its_size_at_the_end() {
    let stage = Stage::new().await;
    let urls: Vec<String> = (0..700).map(|n| format!("http://www.example.com/{n}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let limits = Limits { batch: 1000, daily: 1000 };
    stage.engine.set_limits(stage.account.id, Product::DomainPrefetch, None, limits).await.unwrap();
    let large = Submission { batch_limit: 1000, ..submission(&urls) };
    let task = stage.engine.submit(&stage.account, large).await.unwrap().task;
    let shown = async || {
        let view = stage.task(&task).await;
        (view.done_bytes, view.total_bytes, view.pulled_bytes)
    };
    assert_eq!(shown().await, (0, None, 0));
    let jobs = stage.lease().await;
    let moving = ItemProgress { position: 1, done_bytes: 300, total_bytes: Some(1000) };
    let beat = Heartbeat { job: jobs[0].id, token: jobs[0].token, items: vec![moving] };
    assert!(stage.engine.heartbeat(beat).await.unwrap());
    assert_eq!(shown().await, (300, None, 0), "what moves");
    for job in jobs {
        let items = job.items.iter().map(|leased| item(leased.position, Outcome::Filled));
        stage.report(&job, items.collect()).await;
        let (done, ..) = shown().await;
        assert!(done >= 200_000, "{done}");
    }
    assert_eq!(shown().await, (700_000, Some(700_000), 700_000));
}
