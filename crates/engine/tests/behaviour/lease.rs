//! Who gets a job, when, and who loses it.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    area::{Area, Tier},
    job::{Heartbeat, LeaseToken, LeasedJob, Report},
    outcome::Outcome,
};
use stoker_engine::{Config, Engine};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, MIDDLE, item, node};

#[tokio::test]
async fn a_lease_call_that_waits_is_woken_by_a_submission() {
    let fixture = Fixture::new().await;
    // the wakeups of the registration are used up first
    fixture.engine.lease(MIDDLE, 1, Duration::from_millis(1)).await.unwrap();
    let engine = Arc::clone(&fixture.engine);
    let mut waits = JoinSet::new();
    waits.spawn(async move { engine.lease(MIDDLE, 1, Duration::from_secs(3600)).await.unwrap() });
    // it has asked the ledger and waits by the time that others were answered several times
    for _ in 0..5 {
        fixture.engine.lease("edge-mainland", 1, Duration::ZERO).await.unwrap();
    }
    assert!(waits.try_join_next().is_none());
    fixture.submit(&["http://www.example.com/a"]).await;
    let jobs = tokio::time::timeout(Duration::from_secs(60), waits.join_next()).await;
    let jobs = jobs.unwrap().unwrap().unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].attempt, 1);
}

#[tokio::test]
async fn with_nothing_to_do_it_comes_back_empty_after_the_wait() {
    let fixture = Fixture::new().await;
    assert!(fixture.engine.lease(MIDDLE, 1, Duration::from_millis(20)).await.unwrap().is_empty());
    assert!(fixture.engine.lease("unheard-of", 1, Duration::ZERO).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lease_lasts_as_long_as_it_is_renewed() {
    let fixture = Fixture::new().await;
    fixture.submit(&["http://www.example.com/a"]).await;
    let job = fixture.lease().await.remove(0);
    let beat = Heartbeat { job: job.id, token: job.token, items: Vec::new() };
    for _ in 0..5 {
        fixture.clock.advance(Duration::from_secs(29));
        assert!(fixture.engine.heartbeat(beat.clone()).await.unwrap());
        assert!(fixture.lease().await.is_empty());
    }
    fixture.clock.advance(Duration::from_secs(31));
    let again = fixture.lease().await.remove(0);
    assert_eq!((again.id, again.attempt), (job.id, 2));
    assert!(!fixture.engine.heartbeat(beat).await.unwrap(), "the first lease is lost");
    assert!(!fixture.report(&job, vec![item(0, Outcome::Filled)]).await);
    assert!(fixture.report(&again, vec![item(0, Outcome::Filled)]).await);
}

/// A heartbeat of a job whose items are at their beginning.
fn beat(job: &LeasedJob) -> Heartbeat {
    Heartbeat { job: job.id, token: job.token, items: Vec::new() }
}

#[tokio::test]
async fn a_lease_is_written_anew_when_a_third_of_it_has_passed() {
    let fixture = Fixture::new().await;
    fixture.submit(&["http://www.example.com/a"]).await;
    let job = fixture.lease().await.remove(0);
    let ends = async || fixture.ledger.next_due(MIDDLE).await.unwrap().unwrap();
    let first = ends().await;
    for seconds in 1..=10 {
        fixture.clock.advance(Duration::from_secs(1));
        assert!(fixture.engine.heartbeat(beat(&job)).await.unwrap());
        assert_eq!(ends().await, first, "after {seconds} s");
    }
    fixture.clock.advance(Duration::from_millis(1));
    assert!(fixture.engine.heartbeat(beat(&job)).await.unwrap());
    assert_eq!(ends().await, first + Duration::from_millis(10_001));
    // also while nothing is written the node is known to be alive
    fixture.clock.advance(Duration::from_secs(9));
    assert!(fixture.engine.heartbeat(beat(&job)).await.unwrap());
    fixture.clock.advance(Duration::from_secs(25));
    let alive = fixture.engine.nodes().into_iter().filter(|node| node.is_alive);
    assert!(alive.map(|node| node.node.name.clone()).any(|name| name == MIDDLE));
}

#[tokio::test]
async fn a_heartbeat_learns_at_once_that_its_lease_is_lost() {
    let fixture = Fixture::new().await;
    fixture.submit(&["http://www.example.com/a"]).await;
    let job = fixture.lease().await.remove(0);
    assert!(fixture.engine.heartbeat(beat(&job)).await.unwrap());
    let forged = Heartbeat { token: LeaseToken(job.token.0 ^ 1), ..beat(&job) };
    assert!(!fixture.engine.heartbeat(forged).await.unwrap(), "another token");
    assert!(fixture.engine.heartbeat(beat(&job)).await.unwrap(), "which changed nothing");
    fixture.engine.register(node(Area::Mainland, Tier::Middle), 2).await.unwrap();
    assert!(!fixture.engine.heartbeat(beat(&job)).await.unwrap(), "its node has started anew");
    let job = fixture.lease().await.remove(0);
    assert!(fixture.report(&job, vec![item(0, Outcome::Filled)]).await);
    assert!(!fixture.engine.heartbeat(beat(&job)).await.unwrap(), "it is done");
}

#[tokio::test]
async fn a_lease_outlives_the_engine_that_gave_it() {
    let fixture = Fixture::new().await;
    fixture.submit(&["http://www.example.com/a"]).await;
    let job = fixture.lease().await.remove(0);
    let clock = Arc::new(fixture.clock.clone());
    let ledger = Arc::clone(&fixture.ledger);
    let next = Engine::open(Arc::clone(&ledger), clock, 2, Config::default()).await.unwrap();
    fixture.clock.advance(Duration::from_secs(5));
    let ends = async || ledger.next_due(MIDDLE).await.unwrap().unwrap();
    let first = ends().await;
    assert!(next.heartbeat(beat(&job)).await.unwrap());
    let second = ends().await;
    assert!(first < second, "it does not know until when the lease was given");
    assert!(next.heartbeat(beat(&job)).await.unwrap());
    assert_eq!(ends().await, second, "and knows it from then on");
    let report = |items| Report { job: job.id, token: job.token, items, is_last: true };
    assert!(next.report(report(vec![item(0, Outcome::Filled)])).await.unwrap());
    assert!(!next.heartbeat(beat(&job)).await.unwrap());
}

#[tokio::test]
async fn a_node_that_starts_anew_gets_its_jobs_back_at_once() {
    let fixture = Fixture::new().await;
    fixture.submit(&["http://www.example.com/a"]).await;
    let before = fixture.lease().await.remove(0);
    let middle = node(Area::Mainland, Tier::Middle);
    fixture.engine.register(middle.clone(), 1).await.unwrap();
    assert!(fixture.lease().await.is_empty(), "the same session keeps its leases");
    fixture.engine.register(middle, 2).await.unwrap();
    let after = fixture.lease().await.remove(0);
    assert_eq!(before.id, after.id);
    assert!(!fixture.report(&before, vec![item(0, Outcome::Filled)]).await);
}

#[tokio::test]
async fn a_node_that_falls_silent_is_shown_as_such_and_keeps_its_place() {
    let fixture = Fixture::new().await;
    fixture.clock.advance(Duration::from_secs(31));
    fixture.lease().await;
    let alive: Vec<_> = fixture.engine.nodes().into_iter().filter(|node| node.is_alive).collect();
    assert_eq!(alive.len(), 1);
    assert_eq!(alive[0].node.name, MIDDLE);
    assert_eq!(fixture.engine.directory().borrow().fleet().nodes().len(), 4);
}
