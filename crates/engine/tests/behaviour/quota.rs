//! Limits that change, and days that begin at another instant.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    area::{Area, AreaScope},
    quota::{Limits, Product, Reset},
    time::{Clock, Timestamp},
};
use stoker_engine::{BatchLimit, Config, Engine, Submission, SubmitError};
use stoker_ledger::Sqlite;
use stoker_testkit::FakeClock;
use tempfile::TempDir;

use crate::fixture::{Fixture, HOST, domain, node, submission};

fn urls(name: &str, count: usize, areas: AreaScope) -> Submission {
    let urls = (0..count).map(|n| format!("http://{HOST}/{name}/{n}")).collect();
    Submission { urls, areas: Some(areas), ..submission(&[]) }
}

async fn submit(
    fixture: &Fixture,
    name: &str,
    count: usize,
    areas: AreaScope,
) -> Result<(), SubmitError> {
    let submission = urls(name, count, areas);
    fixture.engine.submit(&fixture.account, submission).await.map(|_| ())
}

#[tokio::test]
async fn a_limit_counts_from_the_next_call_on_in_its_own_area() {
    let fixture = Fixture::new().await;
    let (engine, account) = (&fixture.engine, fixture.account.id);
    submit(&fixture, "a", 6, AreaScope::Global).await.unwrap();
    let set = Limits { batch: 500, daily: 4 };
    engine.set_limits(account, Product::DomainPrefetch, Some(Area::Overseas), set).await.unwrap();
    let usages = engine.quota(account, Product::DomainPrefetch).await.unwrap();
    assert_eq!((usages[0].available(), usages[1].available()), (4, 0));
    let error = submit(&fixture, "b", 1, AreaScope::Global).await.unwrap_err();
    let over = |error: SubmitError| match error {
        SubmitError::OverQuota { area, available, needed, limit } => {
            (area, available, needed, limit)
        }
        other => panic!("{other}"),
    };
    assert_eq!(over(error), (Area::Overseas, 0, 1, 4));
    submit(&fixture, "c", 4, AreaScope::Mainland).await.unwrap();
    // raised again, it is there at once
    engine.change_limits(account, Product::DomainPrefetch, None, (None, Some(11))).await.unwrap();
    submit(&fixture, "d", 1, AreaScope::Global).await.unwrap();
    let error = submit(&fixture, "e", 1, AreaScope::Global).await.unwrap_err();
    assert_eq!(over(error), (Area::Mainland, 0, 1, 11));
    assert_eq!(fixture.used().await, (11, 7));
}

#[tokio::test]
async fn the_batch_limit_is_that_of_the_areas_asked_for() {
    let fixture = Fixture::new().await;
    let (engine, account) = (&fixture.engine, fixture.account.id);
    engine
        .change_limits(account, Product::DomainPrefetch, Some(Area::Overseas), (Some(3), None))
        .await
        .unwrap();
    for (areas, batch) in
        [(AreaScope::Mainland, 500), (AreaScope::Overseas, 3), (AreaScope::Global, 3)]
    {
        for (batch_limit, batch) in [
            (BatchLimit::OfAccount, batch),
            (BatchLimit::OfAccountUpTo(4), batch.min(4)),
            (BatchLimit::AtMost(7), 7),
        ] {
            let many = Submission { batch_limit, ..urls("x", 501, areas) };
            let error = engine.submit(&fixture.account, many).await.unwrap_err();
            let SubmitError::TooManyUrls { given: 501, limit } = error else { panic!("{error}") };
            assert_eq!(limit, batch, "{areas:?} {batch_limit:?}");
        }
    }
}

#[tokio::test]
async fn the_owner_keeps_what_was_set_and_gets_what_was_not() {
    let fixture = Fixture::new().await;
    let (engine, account) = (&fixture.engine, fixture.account.id);
    let set = Limits { batch: 2, daily: 5 };
    engine.set_limits(account, Product::DomainPurgePath, Some(Area::Mainland), set).await.unwrap();
    for _ in 0..2 {
        engine.add_owner_limits(account).await.unwrap();
        let paths = engine.quota(account, Product::DomainPurgePath).await.unwrap();
        assert_eq!((paths[0].limits, paths[1].limits.daily), (set, 1_000_000));
        let urls = engine.quota(account, Product::DomainPurgeUrl).await.unwrap();
        assert_eq!(urls[0].limits, Limits { batch: 1000, daily: 10_000_000 });
        let prefetch = engine.quota(account, Product::DomainPrefetch).await.unwrap();
        assert_eq!(prefetch[0].limits.daily, 10, "set when the account was made");
    }
    assert!(engine.is_owner(&fixture.account).await.unwrap());
    let other = engine.create_account("100000000002".into(), 2, set).await.unwrap();
    assert!(!engine.is_owner(&other).await.unwrap());
}

#[tokio::test]
async fn two_changes_at_once_both_count() {
    let fixture = Fixture::new().await;
    let account = fixture.account.id;
    for round in 1..20 {
        let expected = Limits { batch: round, daily: u64::from(round) * 100 };
        let change =
            |limits| fixture.engine.change_limits(account, Product::DomainPrefetch, None, limits);
        let (batch, daily) =
            tokio::join!(change((Some(round), None)), change((None, Some(expected.daily))));
        batch.and(daily).unwrap();
        for usage in fixture.engine.quota(account, Product::DomainPrefetch).await.unwrap() {
            assert_eq!(usage.limits, expected);
        }
    }
}

/// An engine that is started again and again on one ledger.
struct Restarts {
    dir: TempDir,
    clock: FakeClock,
}

impl Restarts {
    async fn start(&self, reset: &str) -> Arc<Engine> {
        self.start_with(Some(reset.parse().unwrap())).await
    }

    async fn start_with(&self, quota_reset: Option<Reset>) -> Arc<Engine> {
        let ledger = Arc::new(Sqlite::open(self.dir.path().join("ledger.sqlite")).unwrap());
        let config = Config { quota_reset, ..Config::default() };
        let engine = Engine::open(ledger, Arc::new(self.clock.clone()), 1, config).await.unwrap();
        engine.register(node(Area::Mainland, stoker_domain::area::Tier::Middle), 1).await.unwrap();
        engine
    }
}

#[tokio::test]
async fn a_restart_with_another_reset_gives_nothing_twice() {
    let restarts = Restarts { dir: tempfile::tempdir().unwrap(), clock: FakeClock::default() };
    let engine = restarts.start(&Reset::DEFAULT.to_string()).await;
    let limits = Limits { batch: 500, daily: 10 };
    let account = engine.create_account("100000000001".into(), 1, limits).await.unwrap();
    engine.add_domain(account.id, domain(HOST, AreaScope::Global)).await.unwrap();
    let end = engine.quota_resets_at();
    drop(engine);
    // whatever the operator writes, the day that runs goes on and ends once
    let mut accepted: Vec<Timestamp> = Vec::new();
    let resets = ["06:00+00:00", "00:00+08:00", "23:30-03:00", "12:00+00:00", "18:15+05:30"];
    for hour in 0..120 {
        let engine = restarts.start(resets[hour % resets.len()]).await;
        let submission = urls(&hour.to_string(), 5, AreaScope::Mainland);
        match engine.submit(&account, submission).await {
            Ok(_) => accepted.push(restarts.clock.now()),
            Err(SubmitError::OverQuota { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        restarts.clock.advance(Duration::from_secs(3600));
    }
    // 2 calls fill a day: the third of any three comes in another day, the fifth in yet another,
    // and between the days of the first and the fifth lies one that lasted 24 hours
    let day = Duration::from_secs(24 * 3600);
    for calls in accepted.windows(5) {
        assert!(calls[4].since(calls[0]) >= day, "{calls:?}");
    }
    assert!(accepted[2] >= end, "the first day ended when it had to: {accepted:?}");
    assert!(accepted.len() >= 4, "a new day came: {accepted:?}");
}

#[tokio::test]
async fn a_new_reset_counts_after_the_day_that_runs_and_is_remembered() {
    let restarts = Restarts { dir: tempfile::tempdir().unwrap(), clock: FakeClock::default() };
    let engine = restarts.start("00:00+00:00").await;
    let ends = engine.quota_resets_at();
    assert_eq!(ends.as_seconds() % 86_400, 0, "nothing was charged before: at once");
    engine.create_account("100000000001".into(), 1, Limits::OWNER).await.unwrap();
    drop(engine);
    let engine = restarts.start("01:00+00:00").await;
    let later = engine.quota_resets_at();
    assert_eq!(later, ends + Duration::from_secs(3600));
    drop(engine);
    let engine = restarts.start("01:00+00:00").await;
    assert_eq!(engine.quota_resets_at(), later);
    restarts.clock.advance(Duration::from_secs(26 * 3600));
    assert_eq!(engine.quota_resets_at(), later + Duration::from_secs(24 * 3600));
}

#[tokio::test]
async fn a_reset_is_changed_while_all_is_running_and_stays_when_none_is_named() {
    let restarts = Restarts { dir: tempfile::tempdir().unwrap(), clock: FakeClock::default() };
    let engine = restarts.start_with(None).await;
    let limits = Limits { batch: 500, daily: 10 };
    let account = engine.create_account("100000000001".into(), 1, limits).await.unwrap();
    engine.add_domain(account.id, domain(HOST, AreaScope::Global)).await.unwrap();
    let end = engine.quota_resets_at();
    assert_eq!(end.as_seconds() % 86_400, 16 * 3600, "00:00 UTC+8");
    engine.submit(&account, urls("a", 10, AreaScope::Mainland)).await.unwrap();
    engine.set_quota_reset("18:00Z".parse().unwrap()).await.unwrap();
    let later = end + Duration::from_secs(2 * 3600);
    assert_eq!(engine.quota_resets_at(), later);
    drop(engine);
    let engine = restarts.start_with(None).await;
    assert_eq!(engine.quota_resets_at(), later);
    // the day does not end where it would have ended
    restarts.clock.advance(end.since(restarts.clock.now()));
    let error = engine.submit(&account, urls("b", 1, AreaScope::Mainland)).await.unwrap_err();
    assert!(matches!(error, SubmitError::OverQuota { available: 0, .. }), "{error}");
    restarts.clock.advance(Duration::from_secs(2 * 3600));
    engine.submit(&account, urls("c", 10, AreaScope::Mainland)).await.unwrap();
    assert_eq!(engine.quota_resets_at(), later + Duration::from_secs(24 * 3600));
}
