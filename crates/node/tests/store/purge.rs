//! Purging by path: what is purged stays away, whatever was under way and however the store ended.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use stoker_domain::{key::Key, purge::Method};
use stoker_node::store::{Config, Disk, Files, SLICE, Store, WriteError};
use stoker_testkit::FakeClock;

use crate::{
    open,
    sim::{Fault, SimDisk},
};

const SIZES: (u64, u64) = (16 << 20, 1 << 20);

fn named(path: &str) -> (Key, String) {
    (Key::new("a.example", path), format!("a.example{path}"))
}

async fn put(store: &Store, path: &str, content: &'static str) {
    let (key, url) = named(path);
    let writer = store.begin(key, &url);
    let ticket = writer.whole(Bytes::from_static(b"h"), vec![content.into()]).await;
    ticket.durable().await.unwrap();
}

async fn is_there(store: &Store, path: &str) -> bool {
    let (key, url) = named(path);
    store.lookup(key, &url).await.is_some()
}

async fn is_invalidated(store: &Store, path: &str) -> bool {
    let (key, url) = named(path);
    store.lookup(key, &url).await.unwrap().is_invalidated()
}

#[tokio::test]
async fn what_is_below_a_purged_path_is_gone_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(Files::new(dir.path()));
    let store = open(dir.path(), disk.clone(), SIZES.0, SIZES.1).unwrap();
    for path in ["/x/1", "/x/2/3", "/x", "/y/1"] {
        put(&store, path, "old").await;
    }
    store.purge("a.example/x/", Method::Delete).durable().await.unwrap();
    put(&store, "/x/1", "new").await;
    let check = async |store: &Store| {
        assert!(is_there(store, "/x/1").await, "stored after the purge");
        assert!(!is_there(store, "/x/2/3").await);
        assert!(is_there(store, "/x").await && is_there(store, "/y/1").await);
        assert_eq!(store.stats().purge_rules, 1);
    };
    check(&store).await;
    // killed, then closed: without a footer and with one
    drop(store);
    for _ in 0..2 {
        let store = open(dir.path(), disk.clone(), SIZES.0, SIZES.1).unwrap();
        check(&store).await;
        store.close().await;
    }
}

#[tokio::test]
async fn rules_beyond_the_bound_of_a_host_hold_after_a_restart() {
    const MOST: usize = 1000;
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(Files::new(dir.path()));
    let store = open(dir.path(), disk.clone(), SIZES.0, SIZES.1).unwrap();
    for path in ["/1/1", "/1000/1", "/other"] {
        put(&store, path, "old").await;
    }
    let purge = |n: usize| store.purge(&format!("a.example/{n}/"), Method::Delete);
    let tickets: Vec<_> = (1..=MOST).map(purge).collect();
    assert_eq!(store.stats().purge_rules, MOST);
    assert!(is_there(&store, "/other").await);
    purge(MOST + 1).durable().await.unwrap();
    for ticket in tickets {
        ticket.durable().await.unwrap();
    }
    put(&store, "/1/2", "new").await;
    let check = async |store: &Store| {
        let stats = store.stats();
        assert_eq!((stats.purge_rules, stats.merged_rules), (MOST / 2 + 2, MOST as u64 / 2 - 1));
        assert!(!is_there(store, "/1/1").await && !is_there(store, "/1000/1").await);
        assert!(!is_there(store, "/other").await, "older than what was merged");
        assert!(is_there(store, "/1/2").await, "stored after all of them");
    };
    check(&store).await;
    drop(store);
    for _ in 0..2 {
        let store = open(dir.path(), disk.clone(), SIZES.0, SIZES.1).unwrap();
        check(&store).await;
        store.close().await;
    }
}

#[tokio::test]
async fn a_writer_that_began_before_a_purge_brings_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Arc::new(Files::new(dir.path())), SIZES.0, 8 << 20).unwrap();
    let (key, url) = named("/x/1");
    let (small, large) = (store.begin(key, &url), store.begin(named("/x/2").0, &named("/x/2").1));
    let head = Bytes::from_static(b"h");
    let size = 2 * SLICE;
    large.head(head.clone(), Some(size)).await.durable().await.unwrap();
    large.slice(0, vec![vec![1; SLICE as usize].into()]).await.durable().await.unwrap();
    let resumed = store.lookup(named("/x/2").0, &named("/x/2").1).await.unwrap();
    drop(store.purge("a.example/", Method::Delete));
    let late = small.whole(head.clone(), vec!["old".into()]).await;
    assert_eq!(late.durable().await, Err(WriteError::Superseded));
    // a slice says nothing of where it belongs, but nobody finds it
    let _ = large.slice(1, vec![vec![1; SLICE as usize].into()]).await.durable().await;
    assert!(!is_there(&store, "/x/1").await && !is_there(&store, "/x/2").await);
    let complete = large.complete(head.clone(), size).await;
    assert_eq!(complete.durable().await, Err(WriteError::Superseded));
    let refreshed = store.refresh(&resumed, head).durable().await;
    assert_eq!(refreshed, Err(WriteError::Superseded));
    assert!(!is_there(&store, "/x/2").await);
    put(&store, "/x/1", "new").await;
    assert!(is_there(&store, "/x/1").await);
}

#[tokio::test]
async fn what_is_invalidated_waits_for_a_confirmation_that_was_asked_for_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(Files::new(dir.path()));
    let mut store = open(dir.path(), disk.clone(), SIZES.0, SIZES.1).unwrap();
    put(&store, "/x/1", "old").await;
    let (key, url) = named("/x/1");
    let before = store.begin(key, &url).generation();
    store.purge("a.example/x/", Method::Invalidate).durable().await.unwrap();
    for _ in 0..2 {
        assert!(is_invalidated(&store, "/x/1").await);
        store.close().await;
        drop(store);
        store = open(dir.path(), disk.clone(), SIZES.0, SIZES.1).unwrap();
    }
    let stored = store.lookup(key, &url).await.unwrap();
    let refresh = store.refresh_confirmed(&stored, Bytes::from_static(b"early"), before);
    refresh.durable().await.unwrap();
    assert!(is_invalidated(&store, "/x/1").await, "asked for before the purge");
    let after = store.begin(key, &url).generation();
    let refresh = store.refresh_confirmed(&stored, Bytes::from_static(b"late"), after);
    refresh.durable().await.unwrap();
    for _ in 0..2 {
        assert!(!is_invalidated(&store, "/x/1").await);
        store.close().await;
        drop(store);
        store = open(dir.path(), disk.clone(), SIZES.0, SIZES.1).unwrap();
    }
    let stored = store.lookup(key, &url).await.unwrap();
    store.refresh(&stored, Bytes::from_static(b"again")).durable().await.unwrap();
    assert!(!is_invalidated(&store, "/x/1").await, "a new head alone changes nothing");
}

#[tokio::test]
async fn rules_go_with_the_oldest_segment_once_they_are_old_and_orders_are_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FakeClock::default());
    let config = Config { segment_bytes: 64 << 10, ..Config::new(dir.path(), 256 << 10) };
    let opened = || {
        let disk = Arc::new(Files::new(dir.path()));
        Store::open(config.clone(), disk, clock.clone()).unwrap()
    };
    let store = opened();
    clock.advance(Duration::from_secs(10 * 86_400));
    put(&store, "/x/1", "old").await;
    store.purge("a.example/x/", Method::Delete).durable().await.unwrap();
    store.order_done(7).await.unwrap();
    let (key, url) = named("/x/late");
    let slow = store.begin(key, &url);
    let turn_over = async |store: &Store| {
        for number in 0..100 {
            let (key, url) = named(&format!("/fill/{number}"));
            let content = vec![Bytes::from(vec![7; 8_000])];
            let ticket = store.begin(key, &url).whole(Bytes::new(), content).await;
            ticket.durable().await.unwrap();
        }
    };
    turn_over(&store).await;
    assert_eq!(store.stats().purge_rules, 1, "it is young: a slow fill may be older");
    drop(slow);
    drop(store);
    let store = opened();
    assert_eq!((store.stats().purge_rules, store.order()), (1, 7));
    clock.advance(Duration::from_secs(2 * 86_400));
    turn_over(&store).await;
    assert_eq!(store.stats().purge_rules, 0, "nothing is older than it");
    assert!(!is_there(&store, "/x/1").await);
    drop(store);
    let store = opened();
    assert_eq!((store.stats().purge_rules, store.order()), (0, 7));
    assert!(!is_there(&store, "/x/1").await);
}

#[tokio::test]
async fn an_order_counts_as_carried_out_only_when_the_disk_has_it() {
    let dir = tempfile::tempdir().unwrap();
    for call in 0..20 {
        let disk = SimDisk::new(call, None);
        let store = open(dir.path(), Arc::new(disk.clone()), SIZES.0, SIZES.1).unwrap();
        put(&store, "/x/1", "old").await;
        disk.set_fault(Some(Fault::PowerCut(disk.calls() + call)));
        let purged = store.purge("a.example/", Method::Delete).durable().await.is_ok();
        let done = purged && store.order_done(3).await.is_ok();
        assert_eq!(store.order() == 3, done);
        drop(store);
        let after = disk.after_power_cut(call);
        let store = open(dir.path(), Arc::new(after), SIZES.0, SIZES.1).unwrap();
        assert!(!purged || !is_there(&store, "/x/1").await, "cut at call {call}");
        assert!(!done || store.order() == 3, "cut at call {call}");
        assert!(store.order() != 3 || !is_there(&store, "/x/1").await, "done before it was");
    }
}
