//! What is accepted, what is refused, and in which words.

use stoker_domain::{
    account::Feature,
    area::{AreaScope, Tier},
    quota::{Limits, Product},
    task::{FetchOptions, MediaPolicy},
};
use stoker_engine::{BatchLimit, Engine, Submission, SubmitError};

use crate::fixture::{Fixture, domain, submission};

async fn refusal(fixture: &Fixture, submission: Submission) -> SubmitError {
    let error = fixture.engine.submit(&fixture.account, submission).await.unwrap_err();
    assert_eq!(fixture.used().await, (0, 0), "{error} was charged");
    error
}

#[tokio::test]
async fn a_feature_that_is_disabled_for_an_account_is_refused_where_it_is_used() {
    let fixture = Fixture::new().await;
    let prefetch = |product, media, disable_range| Submission {
        product,
        options: FetchOptions { media, disable_range, ..FetchOptions::default() },
        ..submission(&["http://www.example.com/a"])
    };
    let (off, segments) = (MediaPolicy::Off, MediaPolicy::Segments);
    let (domain, zone) = (Product::DomainPrefetch, Product::ZonePrefetch);
    let edge = Product::ZoneEdgePrefetch;
    for (closed, new, is_refused) in [
        (Feature::EdgePrefetch, prefetch(edge, off, false), true),
        (Feature::EdgePrefetch, prefetch(zone, segments, true), false),
        (Feature::MediaSegments, prefetch(zone, segments, false), true),
        (Feature::MediaSegments, prefetch(edge, segments, false), true),
        (Feature::MediaSegments, prefetch(zone, off, true), false),
        (Feature::MediaSegments, prefetch(domain, segments, true), false),
        (Feature::DisableRange, prefetch(domain, off, true), true),
        (Feature::DisableRange, prefetch(domain, segments, false), false),
    ] {
        let mut account = fixture.account.clone();
        account.closed = [closed].into();
        let what = format!("{closed} {:?} {:?}", new.product, new.options);
        let refused = fixture.engine.submit(&account, new).await.err();
        let is_meant = matches!(&refused, Some(SubmitError::FeatureDisabled { feature })
            if *feature == closed);
        assert_eq!(is_meant, is_refused, "{what}: {refused:?}");
    }
}

#[tokio::test]
async fn without_areas_a_task_reaches_those_of_its_domains() {
    let fixture = Fixture::new().await;
    let add = |host: &'static str, areas| {
        fixture.engine.add_domain(fixture.account.id, domain(host, areas))
    };
    add("m.example.net", AreaScope::Mainland).await.unwrap();
    add("o.example.net", AreaScope::Overseas).await.unwrap();
    let (mainland, overseas) = ("http://m.example.net/", "http://o.example.net/");
    for (urls, areas) in [
        (&[mainland][..], AreaScope::Mainland),
        (&[overseas], AreaScope::Overseas),
        (&[mainland, overseas], AreaScope::Global),
        (&[mainland, "http://m.example.net/b"], AreaScope::Mainland),
    ] {
        let new = Submission { areas: None, ..submission(urls) };
        let task = fixture.engine.submit(&fixture.account, new).await.unwrap().task;
        assert_eq!(fixture.task(&task).await.row.task.areas, areas, "{urls:?}");
    }
}

#[tokio::test]
async fn each_refusal_names_the_thing_and_the_way_out_and_costs_nothing() {
    let fixture = Fixture::new().await;
    let owner = fixture.account.id;
    let mainland = domain("mainland.example.com", AreaScope::Mainland);
    fixture.engine.add_domain(owner, mainland).await.unwrap();
    let fine = "http://www.example.com/1";
    let eleven: Vec<_> = (0..11).map(|number| format!("http://www.example.com/{number}")).collect();
    let mut cases = vec![
        submission(&[]),
        Submission { batch_limit: BatchLimit::AtMost(1), ..submission(&[fine, fine]) },
        submission(&[fine, "www.example.com/2"]),
        submission(&[fine, "http://www.example.com/中"]),
        submission(&["http://*.example.com/"]),
        submission(&["http://stranger.example.org/x"]),
        Submission {
            areas: Some(AreaScope::Global),
            ..submission(&["http://mainland.example.com/"])
        },
        submission(&eleven.iter().map(String::as_str).collect::<Vec<_>>()),
    ];
    let mut told = String::new();
    for case in cases.drain(..) {
        let error = refusal(&fixture, case).await;
        told += &format!("{error}\n  hint: {}\n", error.hint().unwrap());
    }
    assert_eq!(
        told,
        "\
cannot accept a task without URLs
  hint: name at least one URL
cannot accept 2 URLs in one call: the limit is 1
  hint: split the list into calls of 1
URL 2 `www.example.com/2` must begin with `http://` or `https://`
  hint: nothing was accepted; correct the URL and send all again
URL 2 `http://www.example.com/中` has a character outside ASCII or a space; percent-encode it or ask for URL encoding
  hint: nothing was accepted; correct the URL and send all again
URL 1 `http://*.example.com/` has a wildcard host; name one host
  hint: nothing was accepted; correct the URL and send all again
domain `stranger.example.org` of URL `http://stranger.example.org/x` is not in this account
  hint: add it first: `stoker domain add stranger.example.org --origin URL`
domain `mainland.example.com` is not enabled in area `overseas`
  hint: enable `overseas` for `mainland.example.com` or ask for an area that it has
cannot accept 11 URLs: 10 of 10 left today in area `mainland`
  hint: send at most 10 URLs; `stoker quota show` tells when the next day begins
"
    );
}

#[tokio::test]
async fn a_domain_of_another_account_is_answered_like_an_unknown_one() {
    let fixture = Fixture::new().await;
    let other = fixture
        .engine
        .create_account("100000000002".into(), 2, Limits::PREFETCH_DEFAULT)
        .await
        .unwrap();
    let foreign = domain("foreign.example.com", AreaScope::Global);
    fixture.engine.add_domain(other.id, foreign).await.unwrap();
    let error = refusal(&fixture, submission(&["http://foreign.example.com/"])).await;
    assert!(matches!(error, SubmitError::DomainUnknown { .. }));
}

#[tokio::test]
async fn without_a_node_of_the_tier_nothing_is_accepted() {
    let fixture = Fixture::new().await;
    let dir = tempfile::tempdir().unwrap();
    let ledger = stoker_ledger::Sqlite::open(dir.path().join("ledger.sqlite")).unwrap();
    let clock = std::sync::Arc::new(fixture.clock.clone());
    let config = stoker_engine::Config::default();
    let engine = Engine::open(std::sync::Arc::new(ledger), clock, 1, config).await.unwrap();
    let account = engine.create_account("1".into(), 1, Limits::OWNER).await.unwrap();
    engine.add_domain(account.id, domain("a.example.com", AreaScope::Global)).await.unwrap();
    let error = engine.submit(&account, submission(&["http://a.example.com/"])).await.unwrap_err();
    assert_eq!(error.to_string(), "no middle node is known in area `mainland`");
    let hint = "start a middle node in `mainland`, or ask for another area or tier";
    assert_eq!(error.hint().unwrap(), hint);
}

#[tokio::test]
async fn equal_targets_are_merged_and_each_costs_one_unit_of_every_area() {
    let fixture = Fixture::new().await;
    let urls =
        ["http://www.example.com/a", "HTTP://WWW.EXAMPLE.COM/a#b", "http://www.example.com/b"];
    let global = Submission { areas: Some(AreaScope::Global), ..submission(&urls) };
    let receipt = fixture.engine.submit(&fixture.account, global).await.unwrap();
    assert_eq!((receipt.targets, receipt.merged), (2, 1));
    assert_eq!(receipt.task.0.len(), 19);
    assert_eq!(fixture.used().await, (2, 2));
    fixture.submit(&["http://www.example.com/a"]).await;
    assert_eq!(fixture.used().await, (3, 2), "another task costs again");
    let nine: Vec<_> = (0..8).map(|number| format!("http://www.example.com/{number}")).collect();
    let nine = submission(&nine.iter().map(String::as_str).collect::<Vec<_>>());
    let error = fixture.engine.submit(&fixture.account, nine).await.unwrap_err();
    assert!(matches!(error, SubmitError::OverQuota { available: 7, needed: 8, limit: 10, .. }));
    assert_eq!(fixture.used().await, (3, 2));
}

#[tokio::test]
async fn playlists_are_looked_into_only_when_asked_to() {
    let fixture = Fixture::new().await;
    let urls = ["http://www.example.com/a.M3U8?x=y", "http://www.example.com/b.ts"];
    let off = FetchOptions { media: MediaPolicy::Off, ..FetchOptions::default() };
    let off = Submission { options: off, ..submission(&urls) };
    fixture.engine.submit(&fixture.account, off).await.unwrap();
    let levels = |jobs: Vec<stoker_domain::job::LeasedJob>| -> Vec<u8> {
        jobs[0].items.iter().map(|item| item.levels).collect()
    };
    assert_eq!(levels(fixture.lease().await), [0, 0]);
    fixture.submit(&urls).await;
    // what the path does not tell, the media type may
    assert_eq!(levels(fixture.lease().await), [3, 3]);
}

#[tokio::test]
async fn a_task_remembers_whom_its_request_fields_are_for() {
    let fixture = Fixture::new().await;
    let headers = vec![("authorization".into(), "Basic eDp5".into())];
    let mut secret = submission(&["http://www.example.com/a.m3u8", "http://www.example.com/b"]);
    secret.options.headers = headers.clone();
    fixture.engine.submit(&fixture.account, secret).await.unwrap();
    let options = &fixture.lease().await[0].options;
    assert_eq!(options.header_domains.as_deref(), Some(&["www.example.com".to_owned()][..]));
    assert_eq!(options.for_domain("www.example.com").headers, headers);
    assert!(options.for_domain("cdn.example.com").headers.is_empty());
}

#[tokio::test]
async fn a_target_goes_to_one_node_of_each_area_at_the_tier_asked_for() {
    let fixture = Fixture::new().await;
    let global = Submission {
        areas: Some(AreaScope::Global),
        tier: Some(Tier::Edge),
        ..submission(&["http://www.example.com/a"])
    };
    let receipt = fixture.engine.submit(&fixture.account, global).await.unwrap();
    assert_eq!(fixture.targets(&receipt.task).await[0].row.nodes, 2);
    assert!(fixture.lease().await.is_empty());
    for edge in ["edge-mainland", "edge-overseas"] {
        let jobs = fixture.engine.lease(edge, 1, std::time::Duration::ZERO).await.unwrap();
        assert_eq!(jobs[0].items[0].url, "http://www.example.com/a");
    }
}
