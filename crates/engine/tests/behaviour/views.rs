//! What is shown of tasks and targets.

use stoker_domain::{
    area::{AreaScope, Tier},
    job::{Heartbeat, ItemProgress, ItemReport},
    outcome::{OriginFault, Outcome},
    quota::{Limits, Product},
};
use stoker_engine::{BatchLimit, Submission};

use crate::fixture::{Fixture, item, submission};

#[tokio::test]
async fn heartbeats_show_until_the_lease_ends_and_never_say_all() {
    let fixture = Fixture::new().await;
    let urls = ["http://www.example.com/a", "http://www.example.com/b"];
    let task = fixture.submit(&urls).await.task;
    let shown = async || {
        let rows = fixture.targets(&task).await;
        rows.iter().map(|row| (row.percent, row.done_bytes, row.total_bytes)).collect::<Vec<_>>()
    };
    assert_eq!(shown().await, [(0, 0, None), (0, 0, None)]);
    let job = fixture.lease().await.remove(0);
    let moving =
        |position, done_bytes, total_bytes| ItemProgress { position, done_bytes, total_bytes };
    let items = vec![moving(0, 1000, Some(1000)), moving(1, 300, None)];
    let beat = Heartbeat { job: job.id, token: job.token, items };
    assert!(fixture.engine.heartbeat(beat).await.unwrap());
    assert_eq!(shown().await, [(99, 1000, Some(1000)), (0, 300, None)]);
    assert_eq!(fixture.task(&task).await.percent, 50);
    fixture.report(&job, vec![item(0, Outcome::Filled)]).await;
    assert_eq!(shown().await, [(100, 1000, Some(1000)), (0, 0, None)], "the lease is over");
    let job = fixture.lease().await.remove(0);
    fixture.report(&job, vec![item(1, Outcome::AlreadyFresh)]).await;
    let view = fixture.task(&task).await;
    assert_eq!((view.percent, view.done_bytes, view.total_bytes), (100, 2000, Some(2000)));
    assert_eq!(view.pulled_bytes, 1000);
}

#[tokio::test]
async fn what_failed_keeps_what_it_had_reached() {
    let fixture = Fixture::new().await;
    let both_edges = Submission {
        areas: Some(AreaScope::Global),
        tier: Some(Tier::Edge),
        ..submission(&["http://www.example.com/a"])
    };
    let task = fixture.engine.submit(&fixture.account, both_edges).await.unwrap().task;
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
        let job = fixture.engine.lease(edge, 1, std::time::Duration::ZERO).await.unwrap().remove(0);
        assert!(fixture.report(&job, vec![report]).await);
    }
    let view = fixture.targets(&task).await.remove(0);
    assert_eq!((view.percent, view.done_bytes, view.total_bytes), (75, 750, Some(1000)));
    assert_eq!(fixture.task(&task).await.percent, 0, "no target of it is done");
}

#[tokio::test]
async fn a_task_of_any_size_tells_its_bytes_and_a_large_one_its_size_at_the_end() {
    let fixture = Fixture::new().await;
    let urls: Vec<String> = (0..700).map(|n| format!("http://www.example.com/{n}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let limits = Limits { batch: 1000, daily: 1000 };
    fixture
        .engine
        .set_limits(fixture.account.id, Product::DomainPrefetch, None, limits)
        .await
        .unwrap();
    let large = Submission { batch_limit: BatchLimit::AtMost(1000), ..submission(&urls) };
    let task = fixture.engine.submit(&fixture.account, large).await.unwrap().task;
    let shown = async || {
        let view = fixture.task(&task).await;
        (view.done_bytes, view.total_bytes, view.pulled_bytes)
    };
    assert_eq!(shown().await, (0, None, 0));
    let jobs = fixture.lease().await;
    let moving = ItemProgress { position: 1, done_bytes: 300, total_bytes: Some(1000) };
    let beat = Heartbeat { job: jobs[0].id, token: jobs[0].token, items: vec![moving] };
    assert!(fixture.engine.heartbeat(beat).await.unwrap());
    assert_eq!(shown().await, (300, None, 0), "what moves");
    for job in jobs {
        let items = job.items.iter().map(|leased| item(leased.position, Outcome::Filled));
        fixture.report(&job, items.collect()).await;
        let (done, ..) = shown().await;
        assert!(done >= 200_000, "{done}");
    }
    assert_eq!(shown().await, (700_000, Some(700_000), 700_000));
}
