//! Eviction among purge rules: what was purged is not carried forward, and does not come back when
//! the rule that removed it is gone.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use stoker_domain::{http::StoredResponse, key::Key, purge::Method, time::Timestamp};
use stoker_node::store::{Config, Files, SLICE, Store, Stored};
use stoker_testkit::FakeClock;

const HOST: &str = "a.example";
/// Rules of this age are dropped with their segment.
const OLD: Duration = Duration::from_secs(25 * 3600);

/// A store that is always full, and what it is opened with again.
struct Cache<'a> {
    dir: &'a Path,
    segment_bytes: u64,
    /// What was written less than this ago is carried as if it were in use.
    protection: Duration,
    clock: Arc<FakeClock>,
    store: Store,
    filled: u32,
}

impl<'a> Cache<'a> {
    fn new(dir: &'a Path, segment_bytes: u64) -> Self {
        Self::with_protection(dir, segment_bytes, Duration::ZERO)
    }

    fn with_protection(dir: &'a Path, segment_bytes: u64, protection: Duration) -> Self {
        let clock = Arc::new(FakeClock::default());
        let store = open(dir, segment_bytes, protection, &clock);
        Self { dir, segment_bytes, protection, clock, store, filled: 0 }
    }

    fn restart(self) -> Self {
        let Self { dir, segment_bytes, protection, clock, store, filled } = self;
        drop(store);
        let store = open(dir, segment_bytes, protection, &clock);
        Self { dir, segment_bytes, protection, clock, store, filled }
    }

    async fn put(&self, path: &str, tags: &[&'static str], content: &'static str) {
        let (key, url) = named(path);
        let content = vec![content.into()];
        let ticket = self.store.begin(key, &url).whole(head(tags), content).await;
        ticket.durable().await.unwrap();
    }

    /// What is stored under `path`, which is in use from now on.
    async fn get(&self, path: &str) -> Option<Stored> {
        let (key, url) = named(path);
        self.store.lookup(key, &url).await
    }

    async fn text(&self, path: &str) -> Option<Bytes> {
        let stored = self.get(path).await?;
        Some(stored.read(0, 100).await.unwrap())
    }

    /// Writes as much as the cache holds, in small parts, and uses `paths` all the time: what is
    /// readable there is carried past each segment that goes.
    async fn turn_over(&mut self, paths: &[&str]) {
        // a quarter of a segment each time
        for _ in 0..16 {
            for path in paths {
                let _ = self.get(path).await;
            }
            self.fill(2).await;
        }
    }

    /// Writes what nobody asks for.
    async fn fill(&mut self, count: u32) {
        let mut last = None;
        for _ in 0..count {
            self.filled += 1;
            let (key, url) = named(&format!("/fill/{}", self.filled));
            let content = vec![Bytes::from(vec![7; 8_000])];
            last = Some(self.store.begin(key, &url).whole(head(&[]), content).await);
        }
        // the log is synced in order
        last.unwrap().durable().await.unwrap();
    }
}

fn open(dir: &Path, segment_bytes: u64, protection: Duration, clock: &Arc<FakeClock>) -> Store {
    let config = Config { segment_bytes, protection, ..Config::new(dir, 4 * segment_bytes) };
    Store::open(config, Arc::new(Files::new(dir)), clock.clone()).unwrap()
}

fn named(path: &str) -> (Key, String) {
    (Key::new(HOST, path), format!("{HOST}{path}"))
}

/// The head of a response with these tags, as fills write it.
fn head(tags: &[&'static str]) -> Bytes {
    let mut fields = HeaderMap::new();
    for tag in tags {
        fields.append("cache-tag", HeaderValue::from_static(tag));
    }
    let response = StoredResponse {
        status: StatusCode::OK,
        fields,
        size: 3,
        vary: Vec::new(),
        response_time: Timestamp::from_seconds(0),
        corrected_initial_age_ms: 0,
        lifetime_ms: 0,
    };
    response.encode().into()
}

#[tokio::test]
async fn what_was_purged_does_not_come_back_when_its_rule_is_gone() {
    for rule in ["a.example news", "a.example/x/", "a.example/"] {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = Cache::new(dir.path(), 64 << 10);
        let both = ["/x/1", "/x/2"];
        for path in both {
            cache.put(path, &["sport, news"], "old").await;
        }
        // carried once before the purge, as what is in use
        cache.turn_over(&both).await;
        assert!(cache.get("/x/1").await.is_some() && cache.get("/x/2").await.is_some());
        cache.store.purge(rule, Method::Delete).durable().await.unwrap();
        // the other one with the same tag is new, and stays
        cache.put("/x/2", &["news"], "new").await;
        for is_old in [false, false, true, true] {
            if is_old {
                cache.clock.advance(OLD);
            }
            cache.turn_over(&both).await;
            assert!(cache.get("/x/1").await.is_none(), "{rule}");
            assert_eq!(cache.text("/x/2").await.unwrap(), "new", "{rule}");
            assert_eq!(cache.store.stats().purge_rules, usize::from(!is_old), "{rule}");
            cache = cache.restart();
            assert!(cache.get("/x/1").await.is_none(), "{rule}");
            assert_eq!(cache.text("/x/2").await.unwrap(), "new", "{rule}");
        }
    }
}

#[tokio::test]
async fn what_was_purged_and_nobody_asks_for_is_not_carried_past_its_rule() {
    for rule in ["a.example news", "a.example/x/", "a.example/"] {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = Cache::with_protection(dir.path(), 64 << 10, 100 * OLD);
        cache.put("/x/1", &["news"], "old").await;
        cache.store.purge(rule, Method::Delete).durable().await.unwrap();
        cache.put("/x/2", &["news"], "new").await;
        for _ in 0..2 {
            cache.turn_over(&[]).await;
            cache = cache.restart();
            cache.clock.advance(OLD);
        }
        while cache.store.stats().purge_rules > 0 {
            cache.fill(1).await;
        }
        assert!(cache.get("/x/1").await.is_none(), "{rule}");
        assert_eq!(cache.text("/x/2").await.unwrap(), "new", "{rule}: what is carried is like it");
    }
}

#[tokio::test]
async fn what_was_invalidated_is_not_fresh_again_when_its_rule_is_gone() {
    for rule in ["a.example news", "a.example/x/"] {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = Cache::new(dir.path(), 64 << 10);
        let all = ["/x/1", "/x/2", "/y"];
        for path in ["/x/1", "/x/2"] {
            cache.put(path, &["news"], "old").await;
        }
        cache.put("/y", &["sport"], "old").await;
        cache.store.purge(rule, Method::Invalidate).durable().await.unwrap();
        let stored = cache.get("/x/2").await.unwrap();
        let now = cache.store.begin(named("/x/2").0, "").generation();
        let confirmed = cache.store.refresh_confirmed(&stored, head(&["news"]), now);
        confirmed.durable().await.unwrap();
        drop(stored);
        for _ in 0..3 {
            let is_stale = |stored: Option<Stored>| stored.is_none_or(|one| one.is_invalidated());
            assert!(is_stale(cache.get("/x/1").await), "{rule}: nobody confirmed it");
            for path in ["/x/2", "/y"] {
                assert!(!is_stale(cache.get(path).await), "{rule}: {path} is fresh and in use");
            }
            cache.turn_over(&all).await;
            cache = cache.restart();
            cache.clock.advance(OLD);
        }
        cache.turn_over(&all).await;
        assert_eq!(cache.store.stats().purge_rules, 0);
        assert!(cache.get("/x/1").await.is_none_or(|stored| stored.is_invalidated()), "{rule}");
    }
}

#[tokio::test]
async fn what_a_slow_fill_stored_after_an_invalidation_does_not_outlive_its_rule() {
    let dir = tempfile::tempdir().unwrap();
    let mut cache = Cache::new(dir.path(), 64 << 10);
    let slow = cache.store.begin(named("/x/slow").0, &named("/x/slow").1);
    cache.store.purge("a.example/x/", Method::Invalidate).durable().await.unwrap();
    // it ends in a later segment than the rule
    cache.fill(12).await;
    slow.whole(head(&[]), vec!["old".into()]).await.durable().await.unwrap();
    cache.clock.advance(OLD);
    for _ in 0..100 {
        cache.fill(1).await;
        // looked at only now: what is in use is treated otherwise
        if cache.store.stats().purge_rules == 0 {
            assert!(cache.get("/x/slow").await.is_none(), "fresh, and nobody confirmed it");
            return;
        }
    }
    panic!("the rule stays for ever");
}

#[tokio::test]
async fn a_crowd_that_was_purged_does_not_push_out_what_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let mut cache = Cache::new(dir.path(), 64 << 10);
    let crowd: Vec<String> = (0..40).map(|number| format!("/x/{number}")).collect();
    let used: Vec<String> = (0..10).map(|number| format!("/y/{number}")).collect();
    for path in crowd.iter().chain(&used) {
        cache.put(path, &[], "old").await;
        assert!(cache.get(path).await.is_some());
    }
    cache.store.purge("a.example/x/", Method::Delete).durable().await.unwrap();
    cache.fill(40).await;
    assert!(cache.store.stats().evicted > 0);
    for path in &used {
        assert_eq!(cache.text(path).await.unwrap(), "old", "{path}");
    }
}

#[tokio::test]
async fn slices_go_with_their_purged_head() {
    for is_purged in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = Cache::new(dir.path(), 8 << 20);
        let writer = cache.store.begin(named("/x").0, &named("/x").1);
        drop(writer.head(head(&[]), Some(2 * SLICE)).await);
        for number in 0..2 {
            drop(writer.slice(number, vec![vec![1; SLICE as usize].into()]).await);
        }
        writer.complete(head(&[]), 2 * SLICE).await.durable().await.unwrap();
        let stored = cache.get("/x").await.unwrap();
        for number in 0..2 {
            stored.read(number * SLICE, 1).await.unwrap();
        }
        drop(stored);
        if is_purged {
            cache.store.purge("a.example/x", Method::Delete).durable().await.unwrap();
        }
        while cache.store.stats().evicted == 0 {
            cache.fill(100).await;
        }
        let is_carried = cache.store.stats().carried_bytes >= 2 * SLICE;
        assert_eq!(is_carried, !is_purged);
        assert_eq!(cache.get("/x").await.is_some(), !is_purged);
    }
}
