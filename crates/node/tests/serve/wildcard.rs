//! A wildcard domain: each host below it is its own to viewers, the origin and purges.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use stoker_domain::{
    domain::NodeDomain,
    outcome::Outcome,
    purge::{Method, Scope, root, tagged},
};
use stoker_testkit::{Script, content, eventually};

use crate::support::{HOST, Net, Reply, SOON};

const WILD: &str = "*.wild.test";
const A: &str = "a.wild.test";
const DEEP: &str = "b.a.wild.test";
const OWN: &str = "own.wild.test";

impl Net {
    /// Publishes the wildcard, and beside it a domain of its own below.
    fn put_wildcard(&self, host_header: Option<&str>) {
        self.directory.send_modify(|directory| {
            let directory = Arc::make_mut(directory);
            for name in [WILD, OWN] {
                let mut domain = NodeDomain::clone(directory.named(HOST).unwrap());
                domain.name = name.into();
                domain.origin.host_header = host_header.map(Into::into);
                directory.put_domain(domain);
            }
        });
    }

    async fn at(&self, host: &str, path: &str, only_cached: bool) -> Reply {
        let mut fields = vec![("Host", host)];
        if only_cached {
            fields.push(("cache-control", "only-if-cached"));
        }
        self.get("edge", path, &fields).await
    }

    async fn is_held(&self, host: &str, path: &str) -> bool {
        self.at(host, path, true).await.status_is_hit()
    }

    /// Prefetches the path of each host; all get the same content.
    async fn prefetch(&self, first_id: i64, hosts: &[&str], path: &str) {
        for (id, host) in (first_id..).zip(hosts) {
            let report = self.sources["edge"].run(id, &format!("http://{host}{path}"), 0).await;
            assert_eq!(report.outcome, Outcome::Filled, "{host}: {:?}", report.detail);
        }
    }

    /// The hosts by which the origin was asked.
    fn hosts_for(&self, path: &str) -> Vec<String> {
        self.origin.requests_for(path).iter().map(|one| one.field("host").to_owned()).collect()
    }
}

#[tokio::test]
async fn each_host_below_is_asked_for_and_kept_by_its_own_name() {
    let net = Net::single().await;
    net.put_wildcard(None);
    net.origin.on("/x", Script::new("content").etag("\"v1\""));
    net.prefetch(1, &[A, DEEP], "/x").await;
    assert_eq!(net.hosts_for("/x"), [A, DEEP]);
    for host in [A, DEEP, "A.Wild.TEST.:80"] {
        assert!(net.is_held(host, "/x").await, "{host}");
    }
    assert!(!net.is_held("c.wild.test", "/x").await);
    // a viewer's miss asks by the name that he used
    assert_eq!(net.at("C.wild.test:80", "/x", false).await.status, 200);
    assert_eq!(net.hosts_for("/x")[2], "c.wild.test");
    for host in ["wild.test", WILD, "*.a.wild.test", "x..wild.test", "www.example.com/.wild.test"] {
        assert_ne!(net.at(host, "/x", false).await.status, 200, "{host}");
    }
    assert_eq!(net.hosts_for("/x").len(), 3);
}

#[tokio::test]
async fn every_tier_passes_the_host_on() {
    let net = Net::full().await;
    net.put_wildcard(None);
    net.origin.on("/x", Script::new("content").etag("\"v1\""));
    let report = net.sources["edge-overseas"].run(1, &format!("http://{A}/x"), 0).await;
    assert_eq!(report.outcome, Outcome::Filled);
    assert_eq!(net.hosts_for("/x"), [A]);
}

#[tokio::test]
async fn a_host_header_that_was_set_is_that_of_all_hosts_and_they_stay_apart() {
    let net = Net::single().await;
    net.put_wildcard(Some("origin.test"));
    net.origin.on("/x", Script::new("content").etag("\"v1\""));
    net.prefetch(1, &[A, DEEP], "/x").await;
    assert_eq!(net.hosts_for("/x"), ["origin.test", "origin.test"], "two keys");
}

#[tokio::test]
async fn a_redirection_to_another_host_below_leads_to_ourselves_and_is_not_followed() {
    let net = Net::single().await;
    net.put_domain(|domain| domain.origin.pull.follows_redirects = true);
    net.put_wildcard(None);
    net.origin.on("/moved", Script::status(302).field("location", "http://b.wild.test/x"));
    net.origin.on("/named", Script::status(302).field("location", "http://a.wild.test/x"));
    net.origin.on("/x", Script::new("content").etag("\"v1\""));
    let run = async |id, path: &str| {
        net.sources["edge"].run(id, &format!("http://{A}{path}"), 0).await.outcome
    };
    assert_eq!(run(1, "/moved").await, Outcome::OriginStatus(302));
    // by its own name the origin means itself
    assert_eq!(run(2, "/named").await, Outcome::Filled);
    assert_eq!(net.hosts_for("/x"), [A]);
}

#[tokio::test]
async fn a_purge_of_one_host_leaves_the_others_and_one_of_the_wildcard_none_below_it() {
    let mut net = Net::single().await;
    net.put_wildcard(None);
    net.origin.on("/x", Script::new("content").etag("\"v1\"").field("cache-tag", "news"));
    net.prefetch(1, &[A, DEEP, HOST], "/x").await;
    let delete = Method::Delete;
    net.sources["edge"].purge(1, Scope::Url, delete, &format!("http://{A}/x")).await;
    assert!(!net.is_held(A, "/x").await && net.is_held(DEEP, "/x").await);
    net.prefetch(4, &[A], "/x").await;
    net.sources["edge"].purge(2, Scope::Path, delete, &root(DEEP)).await;
    assert!(net.is_held(A, "/x").await && !net.is_held(DEEP, "/x").await);
    net.prefetch(5, &[DEEP], "/x").await;
    net.sources["edge"].purge(3, Scope::Tag, delete, &tagged(A, "news")).await;
    assert!(!net.is_held(A, "/x").await && net.is_held(DEEP, "/x").await);
    net.prefetch(6, &[A], "/x").await;
    net.sources["edge"].purge(4, Scope::Tag, delete, &tagged(WILD, "other")).await;
    assert!(net.is_held(A, "/x").await && net.is_held(DEEP, "/x").await);
    net.sources["edge"].purge(5, Scope::Tag, delete, &tagged(WILD, "news")).await;
    assert!(!net.is_held(A, "/x").await && !net.is_held(DEEP, "/x").await);
    net.prefetch(7, &[A, DEEP], "/x").await;
    net.sources["edge"].purge(6, Scope::Path, delete, &root(WILD)).await;
    // the rule is on the disk
    net.restart("edge").await;
    assert!(!net.is_held(A, "/x").await && !net.is_held(DEEP, "/x").await);
    assert!(net.is_held(HOST, "/x").await, "what lies elsewhere stays");
}

#[tokio::test]
async fn a_fill_that_runs_during_a_purge_of_the_wildcard_is_not_kept() {
    let net = Net::single().await;
    net.put_wildcard(None);
    let (old, new) = (content(100_000, 1), content(100_000, 2));
    net.origin.on("/x", Script::new(old.clone()).etag("\"v1\"").hold_after(50_000));
    let meanwhile = async {
        eventually(SOON, "asked", || async {
            (!net.origin.requests_for("/x").is_empty()).then_some(())
        })
        .await;
        net.sources["edge"].purge(1, Scope::Path, Method::Delete, &root(WILD)).await;
        net.origin.on("/x", Script::new(new.clone()).etag("\"v2\""));
        assert!(net.at(A, "/x", false).await.body == new, "nobody joins it");
        net.origin.release();
    };
    let (first, ()) = tokio::join!(net.at(A, "/x", false), meanwhile);
    assert!(first.body == old);
    net.until_hit("edge", "/x", &[("Host", A)]).await;
    assert!(net.at(A, "/x", true).await.body == new, "resurrected");
}

#[tokio::test]
async fn a_limit_holds_for_all_hosts_together() {
    let net = Net::single().await;
    net.put_wildcard(None);
    net.directory.send_modify(|directory| {
        // a megabyte in a second
        Arc::make_mut(directory).set_task_limits(HashMap::from([(WILD.into(), 8)]));
    });
    net.origin.on("/x", Script::new(content(1_000_000, 1)).etag("\"v1\""));
    let began = Instant::now();
    let run = async |id, host: &str| {
        let report = net.sources["edge"].run(id, &format!("http://{host}/x"), 0).await;
        assert_eq!(report.outcome, Outcome::Filled, "{host}: {:?}", report.detail);
    };
    tokio::join!(run(1, A), run(2, DEEP));
    // each for itself would take one second
    assert!(began.elapsed() > Duration::from_millis(1500), "{:?}", began.elapsed());
}
