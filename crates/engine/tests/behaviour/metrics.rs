//! What the engine counts: each step of a task moves its counters, once.

use std::{sync::Arc, time::Duration};

use prometheus_client::{encoding::prometheus_text, registry::Registry};
use stoker_domain::{
    job::Heartbeat,
    outcome::{OriginFault, Outcome},
    pace::Demand,
    purge::Scope,
    quota::Product,
    task::FetchOptions,
};
use stoker_engine::{Metrics, PurgeSubmission, Submission};
use stoker_testkit::{documented_metrics, exposed_metrics};

use crate::fixture::{Fixture, HOST, MIDDLE, item, submission};

fn page(fixture: &Fixture) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Metrics::new(Arc::clone(&fixture.engine))));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).unwrap();
    text
}

/// The page has these values, each behind `stoker_engine_`.
#[track_caller]
fn assert_shows(fixture: &Fixture, lines: &[&str]) {
    let page = page(fixture);
    for line in lines {
        let line = format!("stoker_engine_{line}");
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
}

#[tokio::test]
async fn the_reference_lists_these_metrics_and_no_others() {
    let page = page(&Fixture::new().await);
    let reference = include_str!("../../../../docs/reference/metrics.md");
    for prefix in ["stoker_engine_", "stoker_sweep_"] {
        assert_eq!(exposed_metrics(&page, prefix), documented_metrics(reference, prefix));
    }
    assert_eq!(exposed_metrics(&page, "").len(), exposed_metrics(&page, "stoker_").len());
}

#[tokio::test]
async fn outcomes_are_counted_from_the_start_under_words_that_the_reference_lists() {
    let page = page(&Fixture::new().await);
    let reference = include_str!("../../../../docs/reference/metrics.md");
    for outcome in Outcome::all() {
        let kind = outcome.kind();
        assert!(page.contains(&format!("stoker_engine_outcomes_total{{outcome=\"{kind}\"}} 0")));
        assert!(reference.contains(&format!("`{kind}`")), "{kind}");
    }
}

#[tokio::test]
async fn a_task_moves_the_counters_from_its_acceptance_to_its_end() {
    let fixture = Fixture::new().await;
    fixture.submit(&["http://www.example.com/a", "http://www.example.com/b"]).await;
    fixture.engine.sweep(Duration::from_secs(60)).await.unwrap();
    assert_shows(
        &fixture,
        &[
            "tasks_accepted_total{product=\"cdn\"} 1",
            "targets_accepted_total{product=\"cdn\"} 2",
            "jobs{state=\"waiting\"} 1",
            "jobs{state=\"leased\"} 0",
            "tasks_finished_total{result=\"failed\"} 0",
        ],
    );
    let lost = fixture.lease().await.remove(0);
    fixture.clock.advance(Duration::from_secs(29));
    let beat = Heartbeat { job: lost.id, token: lost.token, items: Vec::new() };
    assert!(fixture.engine.heartbeat(beat).await.unwrap());
    fixture.engine.sweep(Duration::from_secs(60)).await.unwrap();
    assert_shows(&fixture, &["jobs{state=\"leased\"} 1", "jobs{state=\"waiting\"} 0"]);
    fixture.clock.advance(Duration::from_secs(31));
    let job = fixture.lease().await.remove(0);
    let items = vec![item(0, Outcome::Filled), item(1, Outcome::OriginStatus(404))];
    assert!(fixture.report(&job, items.clone()).await);
    fixture.report(&job, items).await;
    assert_shows(
        &fixture,
        &[
            "leases_granted_total 2",
            "leases_renewed_total 1",
            "leases_expired_total 1",
            "outcomes_total{outcome=\"filled\"} 1",
            "outcomes_total{outcome=\"origin_status\"} 1",
            "targets_finished_total{result=\"done\"} 1",
            "targets_finished_total{result=\"failed\"} 1",
            "tasks_finished_total{result=\"failed\"} 1",
            "tasks_finished_total{result=\"done\"} 0",
            "jobs{state=\"leased\"} 0",
        ],
    );
}

#[tokio::test]
async fn what_is_tried_again_is_no_outcome_yet() {
    let fixture = Fixture::new().await;
    fixture.submit(&["http://www.example.com/a"]).await;
    let job = fixture.lease().await.remove(0);
    let fault = Outcome::OriginError(OriginFault::Truncated);
    assert!(fixture.report(&job, vec![item(0, fault)]).await);
    assert_shows(&fixture, &["outcomes_total{outcome=\"origin_error\"} 0"]);
}

#[tokio::test]
async fn purges_are_counted_under_their_product() {
    let fixture = Fixture::new().await;
    let urls = vec!["http://www.example.com/a".into()];
    let purge = PurgeSubmission::new(Product::DomainPurgeUrl, Scope::Url, urls);
    fixture.engine.purge(&fixture.account, purge).await.unwrap();
    assert_shows(
        &fixture,
        &[
            "tasks_accepted_total{product=\"cdn-purge-url\"} 1",
            "targets_accepted_total{product=\"cdn-purge-url\"} 1",
            "tasks_accepted_total{product=\"cdn\"} 0",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn grants_are_counted_by_how_much_of_the_demand_they_cover() {
    let fixture = Fixture::new().await;
    let options = FetchOptions { limit_mbps: Some(8), ..FetchOptions::default() };
    let limited = Submission { options, ..submission(&["http://www.example.com/a"]) };
    fixture.engine.submit(&fixture.account, limited).await.unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    for (node, wanted) in [(MIDDLE, 1), (MIDDLE, u64::MAX), ("middle-overseas", 1)] {
        let grants = fixture.engine.pace(node, &[Demand { host: HOST.into(), wanted, used: 0 }]);
        assert_eq!(grants.len(), 1);
    }
    assert_shows(
        &fixture,
        &[
            "pace_grants_total{size=\"whole\"} 1",
            "pace_grants_total{size=\"part\"} 1",
            "pace_grants_total{size=\"none\"} 1",
        ],
    );
}
