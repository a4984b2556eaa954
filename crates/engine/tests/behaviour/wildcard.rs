//! Wildcard domains: whose they can be, what is theirs, and what counts under their one name.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    area::{Area, AreaScope},
    domain::{Domain, OriginLimit},
    media::Child,
    outcome::{Block, Outcome},
    pace::{Demand, bytes_per_second},
    purge::Scope,
    quota::{Limits, Product},
    setting::Status,
    task::FetchOptions,
    time::Timestamp,
    view::TargetFilter,
};
use stoker_engine::{BatchLimit, DomainError, PurgeSubmission, Submission, SubmitError};

use crate::fixture::{Fixture, MIDDLE, domain, item, submission};

const WILD: &str = "*.wild.test";

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    add(&fixture, WILD).await;
    fixture
}

async fn add(fixture: &Fixture, name: &str) {
    let new = domain(name, AreaScope::Global);
    fixture.engine.add_domain(fixture.account.id, new).await.unwrap();
}

fn partial(fixture: &Fixture, scope: Scope, targets: &[&str], hosts: &[&str]) -> PurgeSubmission {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).into()).collect();
    PurgeSubmission {
        hosts: texts(hosts),
        zone: fixture.engine.domain(fixture.account.id, "x.wild.test").unwrap().zone.clone(),
        batch_limit: BatchLimit::AtMost(9),
        ..PurgeSubmission::new(Product::ZonePurgeHost, scope, texts(targets))
    }
}

/// What the nodes are ordered to purge.
async fn ordered(fixture: &Fixture) -> Vec<String> {
    let orders = fixture.engine.purge_orders(MIDDLE, Duration::ZERO).await.unwrap();
    orders.into_iter().flat_map(|order| order.targets).collect()
}

#[tokio::test]
async fn a_wildcard_is_added_shown_changed_and_removed_by_its_own_name() {
    let fixture = fixture().await;
    let (engine, account) = (&fixture.engine, fixture.account.id);
    let own = engine.domain_named(account, "*.WILD.test").unwrap();
    assert_eq!(engine.domain(account, "a.b.wild.test").unwrap(), own);
    let zone = engine.zone(account, "wild.test").unwrap();
    assert_eq!(own.zone.as_ref(), Some(&zone.id), "that of the registrable domain");
    for host in ["a.wild.test", "wild.test"] {
        assert!(engine.domain_named(account, host).is_none());
        let stop = |domain: &mut Domain| -> Result<(), DomainError> {
            domain.status = Status::Offline;
            Ok(())
        };
        assert!(engine.change_domain(account, host, stop).await.is_err(), "{host}");
        assert!(engine.remove_domain(account, host).await.is_err(), "{host}");
    }
    engine.remove_domain(account, WILD).await.unwrap();
    assert!(engine.domain(account, "a.wild.test").is_none());
}

#[tokio::test]
async fn only_a_star_before_two_labels_is_a_wildcard() {
    let fixture = Fixture::new().await;
    for name in ["*", "*.test", "*wild.test", "a.*.wild.test", "*.*.wild.test", ".wild.test"] {
        let new = domain(name, AreaScope::Global);
        let error = fixture.engine.add_domain(fixture.account.id, new).await.unwrap_err();
        assert!(matches!(error, DomainError::InvalidHost { .. }), "{name}");
    }
}

#[tokio::test]
async fn what_a_wildcard_answers_for_belongs_to_its_account_alone() {
    let fixture = fixture().await;
    let engine = &fixture.engine;
    let other = engine.create_account("100000000002".into(), 2, Limits::OWNER).await.unwrap().id;
    let add = async |name: &str| engine.add_domain(other, domain(name, AreaScope::Global)).await;
    assert!(matches!(add(WILD).await, Err(DomainError::Taken { .. })));
    for name in ["wild.test", "a.wild.test", "b.a.wild.test", "*.a.wild.test", "*.example.com"] {
        assert!(matches!(add(name).await, Err(DomainError::Related { .. })), "{name}");
    }
    // what merely looks alike belongs to nobody yet
    for name in ["awild.test", "a.wild.test.example"] {
        add(name).await.unwrap();
    }
    // the account itself may have both
    let own = async |name: &str| {
        engine.add_domain(fixture.account.id, domain(name, AreaScope::Global)).await
    };
    for name in ["own.wild.test", "*.own.wild.test", "*.example.com", "wild.test"] {
        own(name).await.unwrap();
    }
    assert!(matches!(own(WILD).await, Err(DomainError::Exists { .. })));
    let account = fixture.account.id;
    assert_eq!(engine.domain(account, "own.wild.test").unwrap().name, "own.wild.test");
    assert_eq!(engine.domain(account, "a.own.wild.test").unwrap().name, "*.own.wild.test");
}

#[tokio::test]
async fn hosts_of_a_wildcard_are_one_domain_to_tasks_and_filters() {
    let fixture = fixture().await;
    let urls = ["http://a.wild.test/1", "http://b.wild.test/1", "http://www.example.com/1"];
    let submitted = submission(&urls);
    let split = fixture.engine.submit_by_domain(&fixture.account, submitted).await.unwrap();
    let counts: Vec<u64> = split.receipts.iter().map(|receipt| receipt.targets).collect();
    assert_eq!(counts, [2, 1], "one task for each domain");
    let urls: Vec<String> =
        fixture.lease().await.iter().flat_map(|job| &job.items).map(|i| i.url.clone()).collect();
    assert!(urls.contains(&"http://a.wild.test/1".into()), "{urls:?}");
    let found = async |host: &str| {
        let hosts = fixture.engine.names_of(fixture.account.id, vec![host.into()]);
        let filter = TargetFilter { hosts: Some(hosts), limit: 9, ..TargetFilter::default() };
        fixture.engine.targets(&filter).await.unwrap().total
    };
    assert_eq!((found(WILD).await, found("a.wild.test").await), (2, 2));
    assert_eq!((found("wild.test").await, found("www.example.com").await), (0, 1));
    for url in ["http://*.wild.test/1", "http://wild.test/1"] {
        assert!(
            fixture.engine.submit(&fixture.account, submission(&[url])).await.is_err(),
            "{url}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_a_wildcard_hold_for_all_its_hosts_together() {
    let fixture = fixture().await;
    let of = |url: &str, megabits| {
        let options = FetchOptions { limit_mbps: Some(megabits), ..FetchOptions::default() };
        Submission { options, ..submission(&[url]) }
    };
    for (url, megabits) in [("http://a.wild.test/1", 80), ("http://b.wild.test/1", 40)] {
        fixture.engine.submit(&fixture.account, of(url, megabits)).await.unwrap();
    }
    let limits = || fixture.engine.directory().borrow().limits(WILD);
    assert_eq!(limits().total, Some(bytes_per_second(40)), "the lowest of both");
    let limit = OriginLimit {
        area: Area::Mainland,
        megabits_per_second: 100,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    };
    let put = |domain: &mut Domain| -> Result<(), DomainError> {
        domain.origin_limits = vec![limit];
        Ok(())
    };
    fixture.engine.change_domain(fixture.account.id, WILD, put).await.unwrap();
    assert_eq!(limits().mainland, Some(bytes_per_second(100)));
    tokio::time::advance(Duration::from_secs(3)).await;
    let wanted = Demand { host: WILD.into(), wanted: u64::MAX, used: 0 };
    let granted = fixture.engine.pace(MIDDLE, &[wanted])[0].bytes_per_second.unwrap();
    assert!(granted <= bytes_per_second(40), "{granted}");
}

#[tokio::test]
async fn children_below_a_wildcard_follow_its_owner_and_its_name() {
    let fixture = fixture().await;
    for (allowed, expected) in [
        (None, None),
        (Some(WILD), None),
        (Some("www.example.com"), Some(Outcome::Blocked(Block::Policy))),
    ] {
        let mut submitted = submission(&["http://a.wild.test/list.m3u8"]);
        submitted.options.playlist_hosts = allowed.map(|name| vec![name.into()]);
        let receipt = fixture.engine.submit(&fixture.account, submitted).await.unwrap();
        let job = fixture.lease().await.remove(0);
        let mut report = item(0, Outcome::Filled);
        let child = |url: &str| Child { url: url.into(), is_playlist: false };
        report.children = vec![child("http://b.wild.test/1.ts"), child("http://wild.test/1.ts")];
        fixture.report(&job, vec![report]).await;
        let outcomes: Vec<_> =
            fixture.targets(&receipt.task).await.iter().map(|view| view.row.outcome).collect();
        let foreign = Some(Outcome::Blocked(Block::Ownership));
        assert!(outcomes.contains(&expected) && outcomes.contains(&foreign), "{outcomes:?}");
        for job in fixture.lease().await {
            let items = job.items.iter().map(|i| item(i.position, Outcome::Filled)).collect();
            fixture.report(&job, items).await;
        }
    }
}

#[tokio::test]
async fn one_host_of_a_wildcard_is_purged_and_all_of_them_by_its_name() {
    let fixture = fixture().await;
    let (engine, account) = (Arc::clone(&fixture.engine), &fixture.account);
    let targets = vec!["http://a.wild.test/x".into()];
    let purge = PurgeSubmission::new(Product::DomainPurgeUrl, Scope::Url, targets);
    engine.purge(account, purge.clone()).await.unwrap();
    let star = PurgeSubmission { targets: vec!["http://*.wild.test/x".into()], ..purge };
    assert!(engine.purge(account, star).await.is_err());
    let texts = ["http://a.wild.test/", "http://*.wild.test/", WILD];
    let done = engine.purge_what_can_be(account, partial(&fixture, Scope::Path, &texts, &[])).await;
    let refused: Vec<usize> = done.unwrap().refused.iter().map(|(index, _)| *index).collect();
    assert_eq!(refused, [1, 2], "only who says so means the wildcard");
    let whole = partial(&fixture, Scope::Path, &[WILD], &[WILD]);
    assert!(engine.purge_what_can_be(account, whole).await.unwrap().refused.is_empty());
    let tags = partial(&fixture, Scope::Tag, &["news"], &[WILD, "a.wild.test", "wild.test"]);
    engine.purge_what_can_be(account, tags).await.unwrap();
    let expected = [
        "http://a.wild.test/x",
        "http://a.wild.test/",
        "http://*.wild.test/",
        "*.wild.test news",
        "a.wild.test news",
    ];
    assert_eq!(ordered(&fixture).await, expected);
    let filter = stoker_domain::view::PurgeFilter {
        hosts: Some(vec![WILD.into()]),
        limit: 9,
        ..Default::default()
    };
    assert_eq!(engine.purges(&filter).await.unwrap().total, 5, "all under its name");
}

#[tokio::test]
async fn a_stopped_wildcard_is_stopped_for_all_its_hosts_but_not_for_those_with_a_domain() {
    let fixture = fixture().await;
    add(&fixture, "own.wild.test").await;
    let stop = |domain: &mut Domain| -> Result<(), DomainError> {
        domain.status = Status::Offline;
        Ok(())
    };
    fixture.engine.change_domain(fixture.account.id, WILD, stop).await.unwrap();
    let submit =
        async |url: &str| fixture.engine.submit(&fixture.account, submission(&[url])).await.err();
    let refused = submit("http://a.wild.test/1").await;
    assert!(matches!(refused, Some(SubmitError::DomainOffline { .. })), "{refused:?}");
    assert!(submit("http://own.wild.test/1").await.is_none());
}
