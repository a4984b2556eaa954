//! What is accepted of a list with bad URLs, what it costs, and where it goes.

use stoker_domain::{
    area::{AreaScope, Tier},
    quota::{Limits, Product},
    task::FetchOptions,
    view::TargetFilter,
};
use stoker_engine::{BatchLimit, Config, Engine, Submission, SubmitError, ZoneChoice};

use crate::fixture::{Fixture, HOST, domain};

fn submission(urls: &[&str]) -> Submission {
    Submission {
        urls: urls.iter().map(|url| (*url).into()).collect(),
        areas: None,
        zone: None,
        tier: Some(Tier::Middle),
        options: FetchOptions::default(),
        encode: false,
        product: Product::ZonePrefetch,
        batch_limit: BatchLimit::AtMost(5),
        retry_of: None,
    }
}

async fn used(engine: &Engine, fixture: &Fixture, product: Product) -> [u64; 2] {
    let quota = engine.quota(fixture.account.id, product).await.unwrap();
    [quota[0].used, quota[1].used]
}

#[tokio::test]
async fn what_can_be_accepted_is_and_the_rest_is_named() {
    let fixture = Fixture::with(Config::default()).await;
    let (engine, owner) = (&fixture.engine, fixture.account.id);
    let mainland = domain("cn.example.com", AreaScope::Mainland);
    engine.add_domain_to(owner, mainland, ZoneChoice::Outside, Default::default()).await.unwrap();
    let urls = [
        "http://cn.example.com/1",
        "nonsense",
        "http://other.example/",
        "http://www.example.com/2",
    ];
    let done = engine.submit_what_can_be(&fixture.account, submission(&urls)).await.unwrap();
    let receipt = done.receipt.unwrap();
    assert_eq!((receipt.task.0.len(), receipt.targets), (12, 2));
    assert!(matches!(done.refused[0], (ref url, SubmitError::Url { .. }) if url == "nonsense"));
    assert!(matches!(done.refused[1].1, SubmitError::DomainUnknown { .. }));
    let nodes: Vec<_> = fixture.targets(&receipt.task).await.iter().map(|t| t.row.nodes).collect();
    assert_eq!(nodes, [1, 2], "each goes where its own domain is served");
    assert_eq!(
        used(engine, &fixture, Product::ZonePrefetch).await,
        [2, 0],
        "one unit, wherever it goes"
    );
    assert_eq!(used(engine, &fixture, Product::DomainPrefetch).await, [0, 0]);
    let zone = engine.domain(owner, HOST).unwrap().zone.clone();
    let within = Submission { zone, ..submission(&urls) };
    let done = engine.submit_what_can_be(&fixture.account, within).await.unwrap();
    assert_eq!(done.receipt.unwrap().targets, 1, "only what is in the zone");
}

#[tokio::test]
async fn a_list_without_a_good_url_makes_no_task_and_quota_is_all_or_nothing() {
    let fixture = Fixture::new().await;
    let engine = &fixture.engine;
    let done = engine.submit_what_can_be(&fixture.account, submission(&["x"])).await.unwrap();
    assert!(done.receipt.is_none() && done.refused.len() == 1);
    let error = engine.submit_what_can_be(&fixture.account, submission(&[])).await.unwrap_err();
    assert!(matches!(error, SubmitError::NoUrls));
    let six = ["x"; 6];
    let error = engine.submit_what_can_be(&fixture.account, submission(&six)).await.unwrap_err();
    assert!(matches!(error, SubmitError::TooManyUrls { given: 6, limit: 5 }));
    let edge = Submission {
        product: Product::ZoneEdgePrefetch,
        tier: Some(Tier::Edge),
        batch_limit: BatchLimit::AtMost(100),
        ..submission(&[])
    };
    let urls: Vec<String> = (0..11).map(|n| format!("http://{HOST}/{n}")).collect();
    let eleven = Submission { urls: urls.clone(), ..edge.clone() };
    let error = engine.submit_what_can_be(&fixture.account, eleven).await.unwrap_err();
    assert!(matches!(error, SubmitError::OverQuota { available: 10, needed: 11, .. }), "{error}");
    let ten = Submission { urls: urls[..10].to_vec(), ..edge };
    engine.submit_what_can_be(&fixture.account, ten).await.unwrap();
    assert_eq!(used(engine, &fixture, Product::ZoneEdgePrefetch).await, [10, 0]);
    assert_eq!(
        used(engine, &fixture, Product::ZonePrefetch).await,
        [0, 0],
        "the edge has its own allotment"
    );
    let stranger =
        engine.create_account("100000000009".into(), 9, Limits::PREFETCH_DEFAULT).await.unwrap();
    let foreign = submission(&["http://www.example.com/"]);
    let done = engine.submit_what_can_be(&stranger, foreign).await.unwrap();
    assert!(done.receipt.is_none());
}

#[tokio::test]
async fn targets_of_several_hosts_are_one_list() {
    let fixture = Fixture::new().await;
    let engine = &fixture.engine;
    let hosts = ["a.example.com", "b.example.com"];
    for host in hosts {
        engine.add_domain(fixture.account.id, domain(host, AreaScope::Global)).await.unwrap();
    }
    for round in 0..3 {
        for host in hosts {
            let url = format!("http://{host}/{round}");
            engine.submit_what_can_be(&fixture.account, submission(&[&url])).await.unwrap();
            fixture.clock.advance(std::time::Duration::from_secs(1));
        }
    }
    let hosts = Some(hosts.map(String::from).to_vec());
    let filter = TargetFilter { hosts, offset: 1, limit: 3, ..TargetFilter::default() };
    let page = engine.targets(&filter).await.unwrap();
    let urls: Vec<_> = page.rows.iter().map(|view| view.row.url.as_str()).collect();
    let expected = ["http://a.example.com/2", "http://b.example.com/1", "http://a.example.com/1"];
    assert_eq!((page.total, urls), (6, expected.to_vec()));
}
