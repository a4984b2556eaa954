//! One reading of the rules: what refuses a URL of a prefetch refuses it in every kind of list, and
//! what refuses a target of a purge likewise.

use stoker_domain::{
    area::{Area, AreaScope},
    domain::{Domain, Lock},
    purge::Scope,
    quota::Product,
    setting::Status,
};
use stoker_engine::{
    BatchLimit, DomainError, PurgeError, PurgeSubmission, Submission, SubmitError, ZoneChoice,
};

use crate::fixture::{Fixture, HOST, domain};

const FINE: &str = "http://www.example.com/fine";

/// Besides `HOST`, which is fine: one domain for each rule that refuses.
async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    let (engine, account) = (&fixture.engine, fixture.account.id);
    for host in ["offline.example.com", "locked.example.com"] {
        engine.add_domain(account, domain(host, AreaScope::Global)).await.unwrap();
    }
    let mainland = domain("mainland.example.com", AreaScope::Mainland);
    engine.add_domain(account, mainland).await.unwrap();
    let apart = domain("apart.example.com", AreaScope::Global);
    let zone = ZoneChoice::Named("apart".into());
    engine.add_domain_to(account, apart, zone, Default::default()).await.unwrap();
    let stop = |domain: &mut Domain| -> Result<(), DomainError> {
        domain.status = Status::Offline;
        Ok(())
    };
    engine.change_domain(account, "offline.example.com", stop).await.unwrap();
    engine.lock_domain(account, "locked.example.com", Some(Lock::Locked)).await.unwrap();
    fixture
}

/// A word for the rule that was broken.
fn rule(error: &SubmitError) -> &'static str {
    match error {
        SubmitError::Url { .. } => "url",
        SubmitError::DomainUnknown { .. } => "unknown",
        SubmitError::OtherZone { .. } => "zone",
        SubmitError::DomainOffline { .. } => "offline",
        SubmitError::DomainLocked { .. } => "locked",
        SubmitError::AreaNotEnabled { area: Area::Overseas, .. } => "area",
        other => panic!("{other}"),
    }
}

fn purge_rule(error: &PurgeError) -> &'static str {
    let PurgeError::Refused(error) = error else { panic!("{error}") };
    rule(error)
}

const CASES: [(&str, &str); 7] = [
    ("nonsense", "url"),
    ("http://*.example.com/", "url"),
    ("http://stranger.example.org/", "unknown"),
    ("http://apart.example.com/", "zone"),
    ("http://offline.example.com/", "offline"),
    ("http://mainland.example.com/", "area"),
    ("http://locked.example.com/", "locked"),
];

#[tokio::test]
async fn every_kind_of_prefetch_refuses_by_the_same_rules() {
    let fixture = fixture().await;
    let (engine, account) = (&fixture.engine, &fixture.account);
    let zone = engine.domain(account.id, HOST).unwrap().zone.clone();
    for (url, expected) in CASES {
        let submission = Submission {
            zone: zone.clone(),
            areas: Some(AreaScope::Global),
            ..Submission::new(Product::DomainPrefetch, vec![FINE.into(), url.into()])
        };
        let whole = engine.submit(account, submission.clone()).await.unwrap_err();
        assert_eq!(rule(&whole), expected, "{url}");
        let split = engine.submit_by_domain(account, submission.clone()).await.unwrap_err();
        assert_eq!(rule(&split), expected, "{url}");
        assert_eq!(fixture.used().await, (0, 0), "{url} was charged");
        let parts = engine.submit_what_can_be(account, submission).await.unwrap();
        assert_eq!(parts.receipt.unwrap().targets, 1, "{url}");
        let [(refused, error)] = &parts.refused[..] else { panic!("{:?}", parts.refused) };
        assert_eq!((refused.as_str(), rule(error)), (url, expected));
        // what was accepted is charged: each case begins with a quota of its own
        fixture.clock.advance(std::time::Duration::from_secs(24 * 3600));
    }
}

#[tokio::test]
async fn every_kind_of_purge_refuses_by_the_same_rules() {
    let fixture = fixture().await;
    let (engine, account) = (&fixture.engine, &fixture.account);
    let zone = engine.domain(account.id, HOST).unwrap().zone.clone();
    for (url, expected) in CASES {
        let targets = vec![FINE.to_owned(), url.to_owned()];
        let submission = PurgeSubmission {
            zone: zone.clone(),
            areas: Some(AreaScope::Global),
            ..PurgeSubmission::new(Product::DomainPurgeUrl, Scope::Url, targets)
        };
        let whole = engine.purge(account, submission.clone()).await;
        let parts = engine.purge_what_can_be(account, submission).await.unwrap();
        if expected == "locked" {
            // what is stored of a locked domain may still be removed
            assert_eq!(whole.unwrap().targets, 2);
            assert!(parts.refused.is_empty());
            continue;
        }
        assert_eq!(purge_rule(&whole.unwrap_err()), expected, "{url}");
        assert_eq!(parts.receipt.unwrap().targets, 1, "{url}");
        let [(1, error)] = &parts.refused[..] else { panic!("{:?}", parts.refused) };
        assert_eq!(purge_rule(error), expected, "{url}");
    }
}

#[tokio::test]
async fn without_areas_each_url_goes_where_its_domain_is_enabled() {
    let fixture = fixture().await;
    let (engine, account) = (&fixture.engine, &fixture.account);
    let urls = vec![FINE.to_owned(), "http://mainland.example.com/1".to_owned()];
    let everywhere = Submission::new(Product::DomainPrefetch, urls);
    let receipt = engine.submit(account, everywhere.clone()).await.unwrap();
    let rows = fixture.targets(&receipt.task).await;
    assert_eq!(rows.iter().map(|target| target.row.nodes).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(rows[0].row.task.areas, AreaScope::Global);
    let only = Submission { urls: everywhere.urls[1..].to_vec(), ..everywhere };
    let receipt = engine.submit(account, only).await.unwrap();
    let rows = fixture.targets(&receipt.task).await;
    assert_eq!(rows[0].row.task.areas, AreaScope::Mainland, "nothing of it goes overseas");
}

#[tokio::test]
async fn the_limit_of_a_call_counts_entries_and_not_targets() {
    let fixture = fixture().await;
    let (engine, account) = (&fixture.engine, &fixture.account);
    let two = Submission {
        areas: Some(AreaScope::Mainland),
        batch_limit: BatchLimit::AtMost(2),
        ..Submission::new(Product::DomainPrefetch, vec![FINE.into(); 2])
    };
    let receipt = engine.submit(account, two.clone()).await.unwrap();
    assert_eq!((receipt.targets, receipt.merged), (1, 1));
    let three = Submission { urls: vec![FINE.into(); 3], ..two };
    let given_and_limit = |error: SubmitError| match error {
        SubmitError::TooManyUrls { given, limit } => (given, limit),
        other => panic!("{other}"),
    };
    let error = engine.submit(account, three.clone()).await.unwrap_err();
    assert_eq!(given_and_limit(error), (3, 2));
    let error = engine.submit_by_domain(account, three.clone()).await.unwrap_err();
    assert_eq!(given_and_limit(error), (3, 2));
    let error = engine.submit_what_can_be(account, three).await.unwrap_err();
    assert_eq!(given_and_limit(error), (3, 2));
    let purge = PurgeSubmission::new(Product::DomainPurgeUrl, Scope::Url, vec![FINE.into(); 3]);
    let purge = PurgeSubmission { batch_limit: BatchLimit::AtMost(2), ..purge };
    let PurgeError::Refused(error) = engine.purge(account, purge).await.unwrap_err() else {
        panic!("a purge has the same limit");
    };
    assert_eq!(given_and_limit(error), (3, 2));
}

#[tokio::test]
async fn what_a_log_may_hold_names_no_url() {
    let fixture = fixture().await;
    let (engine, account) = (&fixture.engine, &fixture.account);
    let secret = "?token=secret";
    for host in ["http://stranger.example.org/", "http://*.example.com/"] {
        let url = format!("{host}{secret}");
        let submission = Submission::new(Product::DomainPrefetch, vec![url.clone()]);
        let error = engine.submit(account, submission).await.unwrap_err();
        assert!(error.to_string().contains(secret), "{error}");
        assert!(!error.for_log().contains(secret), "{}", error.for_log());
        let purge = PurgeSubmission::new(Product::DomainPurgePath, Scope::Path, vec![url]);
        let error = engine.purge(account, purge).await.unwrap_err();
        assert!(!error.for_log().contains(secret), "{}", error.for_log());
    }
    let offline =
        Submission::new(Product::DomainPrefetch, vec!["http://offline.example.com/".into()]);
    let error = engine.submit(account, offline).await.unwrap_err();
    assert_eq!(error.for_log(), "domain `offline.example.com` is offline");
}
