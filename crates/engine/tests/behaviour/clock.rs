//! A wall clock that was ahead and is set back, before and after a restart.

use std::time::Duration;

use stoker_domain::{outcome::Outcome, replay::ReplayWindow, time::Clock};
use stoker_engine::{Config, SignedCall};

use crate::fixture::{Fixture, MIDDLE, item};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn tasks_are_accepted_under_new_names_however_far_the_clock_was_ahead() {
    let mut fixture = Fixture::new().await;
    let past = fixture.clock.now();
    fixture.clock.advance(DAY);
    let mut names = vec![fixture.submit(&["http://www.example.com/0"]).await.task];
    fixture.clock.jump(past);
    // their rows stand before that of the first task, their names behind it
    for number in 1..4 {
        names.push(fixture.submit(&[&format!("http://www.example.com/{number}")]).await.task);
    }
    for number in 4..8 {
        fixture = fixture.reopen(Config::default()).await;
        names.push(fixture.submit(&[&format!("http://www.example.com/{number}")]).await.task);
    }
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    assert!(names.iter().all(|name| name.0.len() == 19 && name.0.ends_with("000")), "{names:?}");
}

#[tokio::test]
async fn jobs_of_a_clock_that_was_ahead_are_not_waited_for() {
    let fixture = Fixture::new().await;
    let past = fixture.clock.now();
    fixture.clock.advance(DAY);
    let task = fixture.submit(&["http://www.example.com/a"]).await.task;
    let job = fixture.lease().await.remove(0);
    fixture.report(&job, vec![item(0, Outcome::OriginStatus(503))]).await;
    fixture.clock.jump(past);
    let fixture = fixture.reopen(Config::default()).await;
    assert!(fixture.lease().await.is_empty(), "it is not known yet how far ahead it was");
    // nobody is put off for longer
    fixture.clock.advance(Duration::from_secs(300));
    let job = fixture.lease().await.remove(0);
    assert!(fixture.report(&job, vec![item(0, Outcome::Filled)]).await);
    assert_eq!(fixture.task(&task).await.row.done, 1);
}

#[tokio::test]
async fn no_node_is_alive_because_the_clock_was_set_back() {
    let fixture = Fixture::new().await;
    fixture.clock.advance(DAY);
    let ahead = fixture.clock.now();
    fixture.lease().await;
    fixture.clock.jump(ahead - DAY);
    let alive = || -> Vec<String> {
        let nodes = fixture.engine.nodes().into_iter().filter(|node| node.is_alive);
        nodes.map(|node| node.node.name.clone()).collect()
    };
    assert_eq!(alive(), [MIDDLE], "it was heard of a moment ago");
    fixture.clock.advance(Duration::from_secs(31));
    assert!(alive().is_empty(), "{:?}", alive());
}

#[tokio::test(start_paused = true)]
async fn a_call_is_taken_once_also_when_the_clock_goes_ahead_and_back() {
    const KEEP: u64 = 600;
    let fixture = Fixture::new().await;
    let start = fixture.clock.now();
    let take = async |nonce: u64, time: i64| {
        let call = SignedCall { secret_id: "key", nonce: &nonce.to_string(), time };
        fixture.engine.admit_once(&call, ReplayWindow::Minutes, KEEP).await.unwrap()
    };
    // steady for long enough that it would be forgotten
    tokio::time::advance(Duration::from_secs(KEEP)).await;
    fixture.clock.advance(Duration::from_secs(KEEP));
    let time = fixture.clock.now().as_seconds();
    assert!(take(1, time).await && !take(1, time).await);
    fixture.clock.jump(start + DAY);
    assert!(take(2, fixture.clock.now().as_seconds()).await);
    fixture.clock.jump(start + Duration::from_secs(KEEP));
    assert!(!take(1, time).await, "it was forgotten");
    // in the end it is forgotten all the same
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(KEEP)).await;
        fixture.clock.advance(Duration::from_secs(KEEP));
        take(3, fixture.clock.now().as_seconds()).await;
    }
    assert!(take(1, time).await);
}
