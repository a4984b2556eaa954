//! Who works on what, until when.

use std::sync::Arc;

use stoker_domain::{
    job::{Heartbeat, JobId, LeaseToken, LeasedJob},
    outcome::Outcome,
    plan::Positions,
    task::Task,
};

use super::fixture::{Fixture, LEASE, T0, at, targets, urls};
use crate::{LeasedItem, Ledger};

fn beat(job: &LeasedJob) -> Heartbeat {
    Heartbeat { job: job.id, token: job.token, items: Vec::new() }
}

pub async fn the_job_that_is_due_longest_is_leased_first(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    for (id, second) in [("b", 20), ("c", 20), ("a", 10)] {
        let task = Task { created_at: at(second), ..fixture.task(id) };
        let targets = targets(&urls("a.example", 1), &["edge"]);
        fixture.ledger.submit(fixture.new_task(task, targets)).await.expect("submit");
    }
    let next_due = async || fixture.ledger.next_due("edge").await.expect("next due");
    assert_eq!(next_due().await, Some(at(10)));
    assert_eq!(fixture.ledger.next_due("nowhere").await.expect("next due"), None);
    assert_eq!(fixture.lease("edge", 10, at(9)).await, vec![]);
    let order: Vec<_> =
        fixture.lease("edge", 10, at(20)).await.into_iter().map(|job| job.task.0).collect();
    assert_eq!(order, ["a", "b", "c"]);
    assert_eq!(next_due().await, Some(at(20) + LEASE));
}

pub async fn a_lease_takes_no_more_than_the_limit_and_only_its_own_node(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    for id in ["1", "2", "3"] {
        fixture.submit(id, &urls("a.example", 2), &["edge", "middle"]).await;
    }
    assert_eq!(fixture.lease("elsewhere", 10, T0).await, vec![]);
    assert_eq!(fixture.lease("edge", 0, T0).await, vec![]);
    let first = fixture.lease("edge", 2, T0).await;
    let second = fixture.lease("edge", 2, T0).await;
    assert_eq!((first.len(), second.len()), (2, 1));
    assert_eq!(fixture.lease("edge", 2, T0).await, vec![]);
    assert_eq!(fixture.lease("middle", 10, T0).await.len(), 3);
    let job = &first[0];
    assert_eq!((job.attempt, job.expires_at), (1, T0 + LEASE));
}

pub async fn tokens_follow_the_seed(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    for id in ["1", "2", "3"] {
        fixture.submit(id, &urls("a.example", 1), &["edge"]).await;
    }
    let seed = u64::MAX - 1;
    let jobs = fixture.ledger.lease("edge", 10, T0, at(30), seed).await.expect("lease");
    let tokens: Vec<_> = jobs.iter().map(|job| job.token.0).collect();
    assert_eq!(tokens, [u64::MAX - 1, u64::MAX, 0]);
    for job in &jobs {
        assert!(fixture.ledger.renew(&beat(job), at(40)).await.expect("renew"));
    }
}

pub async fn a_lease_that_ran_out_is_leased_again(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 2), &["edge"]).await;
    let lost = fixture.lease_one("edge", T0).await;
    fixture.settle(&lost, &[(0, Outcome::Filled)], at(1)).await;
    assert_eq!(fixture.lease("edge", 10, at(29)).await, vec![]);
    let again = fixture.lease_one("edge", at(30)).await;
    assert_eq!((again.id, again.attempt), (lost.id, 2));
    assert_ne!(again.token, lost.token);
    let positions: Vec<_> = again.items.iter().map(|item| item.position).collect();
    assert_eq!(positions, [1]);
    assert!(!fixture.ledger.renew(&beat(&lost), at(99)).await.expect("renew"));
    assert!(fixture.settle(&lost, &[(1, Outcome::Filled)], at(31)).await.is_stale);
    assert!(!fixture.settle(&again, &[(1, Outcome::Filled)], at(31)).await.is_stale);
    assert_eq!(fixture.ledger.next_due("edge").await.expect("next due"), None);
}

pub async fn a_renewed_lease_lasts(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 1), &["edge"]).await;
    let job = fixture.lease_one("edge", T0).await;
    assert!(fixture.ledger.renew(&beat(&job), at(50)).await.expect("renew"));
    assert_eq!(fixture.lease("edge", 10, at(49)).await, vec![]);
    // late, but nobody else has taken it
    assert!(fixture.ledger.renew(&beat(&job), at(70)).await.expect("renew"));
    assert_eq!(fixture.lease("edge", 10, at(60)).await, vec![]);
    let forged = Heartbeat { token: LeaseToken(!job.token.0), ..beat(&job) };
    assert!(!fixture.ledger.renew(&forged, at(999)).await.expect("renew"));
    fixture.settle_all(&job, Outcome::Filled, at(61)).await;
    assert!(!fixture.ledger.renew(&beat(&job), at(999)).await.expect("renew"), "it is final");
}

pub async fn a_deferred_job_waits_as_if_it_had_not_been_leased(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 1), &["edge"]).await;
    let lost = fixture.lease_one("edge", T0).await;
    let job = fixture.lease_one("edge", at(30)).await;
    for token in [lost.token, job.token] {
        let jobs = vec![(job.id, token, at(90))];
        fixture.ledger.defer(jobs).await.expect("defer");
        let is_held = fixture.ledger.renew(&beat(&job), at(60)).await.expect("renew");
        assert_eq!(is_held, token == lost.token, "only its holder gives it back");
    }
    assert!(fixture.settle_all(&job, Outcome::Filled, at(31)).await.is_stale);
    assert_eq!(fixture.ledger.next_due("edge").await.expect("next due"), Some(at(90)));
    assert_eq!(fixture.lease("edge", 10, at(89)).await, vec![]);
    fixture.ledger.hasten(vec![job.id, JobId(404)], at(40)).await.expect("hasten");
    let again = fixture.lease_one("edge", at(40)).await;
    assert_eq!((again.id, again.attempt), (job.id, 2), "what was deferred is no attempt");
    // a lease is no wait
    fixture.ledger.hasten(vec![job.id], at(41)).await.expect("hasten");
    assert_eq!(fixture.lease("edge", 10, at(41)).await, vec![]);
    // and one of the past is none either
    fixture.ledger.defer(vec![(job.id, again.token, at(42))]).await.expect("defer");
    fixture.ledger.hasten(vec![job.id], at(50)).await.expect("hasten");
    assert_eq!(fixture.ledger.next_due("edge").await.expect("next due"), Some(at(42)));
}

pub async fn a_node_that_starts_anew_releases_its_leases(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    for id in ["1", "2", "3"] {
        fixture.submit(id, &urls("a.example", 1), &["edge", "middle"]).await;
    }
    let jobs = fixture.lease("edge", 2, T0).await;
    let other = fixture.lease("middle", 1, T0).await;
    assert_eq!(fixture.ledger.release("edge", at(5)).await.expect("release"), 2);
    assert_eq!(fixture.ledger.release("edge", at(5)).await.expect("release"), 0);
    assert_eq!(fixture.ledger.release("nowhere", at(5)).await.expect("release"), 0);
    assert!(fixture.settle(&jobs[0], &[(0, Outcome::Filled)], at(6)).await.is_stale);
    assert!(!fixture.ledger.renew(&beat(&jobs[1]), at(99)).await.expect("renew"));
    let again = fixture.lease("edge", 10, at(5)).await;
    let attempts: Vec<_> = again.iter().map(|job| job.attempt).collect();
    assert_eq!(attempts, [1, 2, 2], "the one never leased is due longest");
    assert!(fixture.ledger.renew(&beat(&other[0]), at(99)).await.expect("renew"));
}

pub async fn the_engine_sees_what_stands_behind_a_lease(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    fixture.submit("1", &urls("a.example", 3), &["edge"]).await;
    let job = fixture.lease_one("edge", T0).await;
    fixture.settle(&job, &[(1, Outcome::Filled)], at(1)).await;
    let rows = fixture.targets("1").await;
    let all: Positions = (0..3).collect();
    let asked = fixture.ledger.leased(job.id, job.token, &all).await;
    let leased = asked.expect("leased").expect("a lease");
    assert_eq!(leased.task, fixture.task("1"));
    assert_eq!((leased.node.as_str(), leased.attempt), ("edge", 1));
    let expected: Vec<_> = [0u16, 2]
        .map(|position| LeasedItem {
            position,
            target: rows[usize::from(position)].id,
            url: rows[usize::from(position)].url.clone(),
            levels: 0,
            is_named: false,
        })
        .into();
    assert_eq!(leased.items, expected);
    let one: Positions = [1, 2].into_iter().collect();
    let asked = fixture.ledger.leased(job.id, job.token, &one).await;
    assert_eq!(asked.expect("leased").expect("a lease").items, expected[1..]);
    let none =
        async |id, token| fixture.ledger.leased(id, token, &all).await.expect("leased").is_none();
    assert!(none(job.id, LeaseToken(!job.token.0)).await);
    assert!(none(JobId(404), job.token).await);
    fixture.settle_all(&job, Outcome::Filled, at(2)).await;
    assert!(none(job.id, job.token).await);
}
