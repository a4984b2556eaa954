//! Rules of the domain by path: what is kept, for how long, and what is handed on unkept.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    domain::{CachePolicy, CacheRule, Cookies, Paths, RuleLifetime},
    outcome::{Outcome, Uncacheable},
    time::Clock,
};
use stoker_testkit::{Script, content};

use crate::fixture::Fixture;

fn rule(paths: Paths, lifetime: RuleLifetime) -> CacheRule {
    CacheRule { paths, policy: CachePolicy { lifetime, ..CachePolicy::default() } }
}

fn suffix(text: &str) -> Paths {
    Paths::Suffixes(vec![text.into()])
}

async fn fixture(rules: Vec<CacheRule>) -> Fixture {
    let mut fixture = Fixture::new().await;
    Arc::make_mut(&mut fixture.domain).cache.rules = rules;
    fixture.restart_fills();
    fixture
}

async fn lifetime_of(fixture: &Fixture, path: &str) -> Duration {
    let now = fixture.clock.now();
    let filled = fixture.prefetch(path).await;
    assert_eq!(filled.outcome, Outcome::Filled, "{path}: {:?}", filled.detail);
    filled.fresh_until.unwrap().since(now)
}

#[tokio::test]
async fn the_lifetime_is_that_of_the_last_rule_for_the_path() {
    let fixture = fixture(vec![
        rule(suffix("jpg"), RuleLifetime::Exactly(600)),
        rule(Paths::Directories(vec!["/short".into()]), RuleLifetime::AtMost(10)),
        rule(Paths::Exact(vec!["/short/x.jpg".into()]), RuleLifetime::default()),
    ])
    .await;
    for (path, seconds) in [
        ("/a", 60),
        ("/a.jpg", 600),
        ("/a.jpg?b.png", 600),
        ("/short/a.jpg", 10),
        ("/short/x.jpg", 60),
    ] {
        let script = Script::new(content(9_000, 1)).etag("\"a\"");
        fixture.origin.on(path, script.field("cache-control", "max-age=60"));
        assert_eq!(lifetime_of(&fixture, path).await, Duration::from_secs(seconds), "{path}");
    }
}

#[tokio::test]
async fn what_a_rule_forbids_to_keep_reaches_the_viewer_and_is_not_kept() {
    let fixture = fixture(vec![rule(suffix("php"), RuleLifetime::Never)]).await;
    let bytes = content(3_000_000, 2);
    let script = Script::new(bytes.clone()).etag("\"a\"").field("cache-control", "max-age=60");
    fixture.origin.on("/a.php", script);
    let filled = fixture.prefetch("/a.php").await;
    assert_eq!(filled.outcome, Outcome::Uncacheable(Uncacheable::Rule));
    assert_eq!(filled.outcome.to_string(), "uncacheable:rule");
    let asked = fixture.origin.requests().len();
    let (_, body) = fixture.get("/a.php").await.unwrap();
    assert_eq!(body, bytes);
    assert_eq!(fixture.get_range("/a.php", 5, 9).await, bytes.slice(5..10));
    assert_eq!(fixture.origin.requests().len(), asked + 2, "each viewer costs one request");
    assert!(fixture.stored("/a.php").await.is_none());
}

#[tokio::test]
async fn no_store_is_kept_where_a_rule_ignores_it_and_the_cookies_are_not() {
    let policy = CachePolicy {
        lifetime: RuleLifetime::Exactly(600),
        ignores_cache_control: true,
        cookies: Cookies::Drop,
    };
    let fixture = fixture(vec![CacheRule { paths: suffix("jpg"), policy }]).await;
    for path in ["/a.jpg", "/a.png"] {
        let script = Script::new(content(9_000, 3)).field("cache-control", "no-store");
        fixture.origin.on(path, script.field("set-cookie", "a=b"));
    }
    assert_eq!(lifetime_of(&fixture, "/a.jpg").await, Duration::from_secs(600));
    let (head, _) = fixture.get("/a.jpg").await.unwrap();
    assert!(!head.response.fields.contains_key("set-cookie"));
    assert_eq!(fixture.origin.requests_for("/a.jpg").len(), 1, "the viewer is answered from it");
    let refused = fixture.prefetch("/a.png").await.outcome;
    assert_eq!(refused, Outcome::Uncacheable(Uncacheable::NoStore));
}

#[tokio::test]
async fn a_new_rule_counts_once_the_response_is_fetched_or_confirmed_again() {
    let mut fixture = fixture(vec![rule(Paths::All, RuleLifetime::Exactly(60))]).await;
    fixture.origin.on("/a", Script::new(content(9_000, 4)).etag("\"a\""));
    assert_eq!(lifetime_of(&fixture, "/a").await, Duration::from_secs(60));
    let rules = vec![rule(Paths::All, RuleLifetime::Exactly(600))];
    Arc::make_mut(&mut fixture.domain).cache.rules = rules;
    fixture.restart_fills();
    let now = fixture.clock.now();
    let filled = fixture.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::AlreadyFresh);
    assert_eq!(filled.fresh_until.unwrap().since(now), Duration::from_secs(60));
    fixture.clock.advance(Duration::from_secs(61));
    let now = fixture.clock.now();
    let filled = fixture.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::Revalidated);
    assert_eq!(filled.fresh_until.unwrap().since(now), Duration::from_secs(600));
}
