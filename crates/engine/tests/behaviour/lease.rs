//! Who gets a job, when, and who loses it.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    area::{Area, Tier},
    job::Heartbeat,
    outcome::Outcome,
};

use crate::stage::{MIDDLE, Stage, item, node};

#[tokio::test]
async fn a_lease_call_that_waits_is_woken_by_a_submission() {
    let stage = Stage::new().await;
    // the rings of the registration are spent first
    stage.engine.lease(MIDDLE, 1, Duration::from_millis(1)).await.unwrap();
    let engine = Arc::clone(&stage.engine);
    let waits = stoker_testkit::spawn(async move {
        engine.lease(MIDDLE, 1, Duration::from_secs(3600)).await.unwrap()
    });
    // it has asked the ledger and waits by the time that others were answered several times
    for _ in 0..5 {
        stage.engine.lease("edge-mainland", 1, Duration::ZERO).await.unwrap();
    }
    assert!(!waits.is_finished());
    stage.submit(&["http://www.example.com/a"]).await;
    let jobs = tokio::time::timeout(Duration::from_secs(20), waits).await.unwrap().unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].attempt, 1);
}

#[tokio::test]
async fn with_nothing_to_do_it_comes_back_empty_after_the_wait() {
    let stage = Stage::new().await;
    assert!(stage.engine.lease(MIDDLE, 1, Duration::from_millis(20)).await.unwrap().is_empty());
    assert!(stage.engine.lease("unheard-of", 1, Duration::ZERO).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lease_lasts_as_long_as_it_is_renewed() {
    let stage = Stage::new().await;
    stage.submit(&["http://www.example.com/a"]).await;
    let job = stage.lease().await.remove(0);
    let beat = Heartbeat { job: job.id, token: job.token, items: Vec::new() };
    for _ in 0..5 {
        stage.clock.advance(Duration::from_secs(29));
        assert!(stage.engine.heartbeat(beat.clone()).await.unwrap());
        assert!(stage.lease().await.is_empty());
    }
    stage.clock.advance(Duration::from_secs(31));
    let again = stage.lease().await.remove(0);
    assert_eq!((again.id, again.attempt), (job.id, 2));
    assert!(!stage.engine.heartbeat(beat).await.unwrap(), "the first lease is lost");
    assert!(!stage.report(&job, vec![item(0, Outcome::Filled)]).await);
    assert!(stage.report(&again, vec![item(0, Outcome::Filled)]).await);
}

#[tokio::test]
async fn a_node_that_starts_anew_gets_its_jobs_back_at_once() {
    let stage = Stage::new().await;
    stage.submit(&["http://www.example.com/a"]).await;
    let before = stage.lease().await.remove(0);
    let middle = node(Area::Mainland, Tier::Middle);
    stage.engine.register(middle.clone(), 1).await.unwrap();
    assert!(stage.lease().await.is_empty(), "the same session keeps its leases");
    stage.engine.register(middle, 2).await.unwrap();
    let after = stage.lease().await.remove(0);
    assert_eq!(before.id, after.id);
    assert!(!stage.report(&before, vec![item(0, Outcome::Filled)]).await);
}

#[tokio::test]
async fn a_node_that_falls_silent_is_shown_as_such_and_keeps_its_place() {
    let stage = Stage::new().await;
    stage.clock.advance(Duration::from_secs(31));
    stage.lease().await;
    let alive: Vec<_> = stage.engine.nodes().into_iter().filter(|node| node.is_alive).collect();
    assert_eq!(alive.len(), 1);
    assert_eq!(alive[0].node.name, MIDDLE);
    assert_eq!(stage.engine.directory().borrow().fleet().nodes().len(), 4);
}
