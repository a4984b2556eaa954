//! Bounds: of the disk, of the index, of memory; and the lock.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use stoker_node::store::{Config, Files, OpenError, ReadError, SLICE, Store, WriteError};
use stoker_testkit::FakeClock;

use crate::{
    missing,
    model::{Demand, Model, content, key, read_all},
    open,
    sim::SimDisk,
    with_seed,
};

/// What the segment files really take.
fn allocated(dir: &Path) -> u64 {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let segments = files.filter(|entry| entry.path().extension().is_some_and(|e| e == "segment"));
    segments.map(|entry| entry.metadata().unwrap().blocks() * 512).sum()
}

async fn put(store: &Store, name: u64, size: u64) -> Result<(), WriteError> {
    let (key, url) = key(name);
    let parts = vec![content(name, 0, size)];
    store.begin(key, &url).whole(Bytes::from_static(b"head"), parts).await.durable().await
}

async fn is_there(store: &Store, name: u64) -> bool {
    let (key, url) = key(name);
    store.lookup(key, &url).await.is_some()
}

#[test]
fn the_disk_stays_within_its_bound_when_three_times_as_much_is_stored() {
    with_seed(1, async {
        let dir = tempfile::tempdir().unwrap();
        let max = 24 << 20;
        let disk = Arc::new(Files::new(dir.path()));
        let store = open(dir.path(), disk.clone(), max, 1 << 20).unwrap();
        let mut model = Model::new(400_000, 0);
        let mut random = StdRng::seed_from_u64(1);
        // A viewer holds on to the first response while its segment goes.
        model.put_whole(&store, &mut random, 0).await;
        let (key, url) = key(0);
        let held = store.lookup(key, &url).await.unwrap();
        for name in 1..360 {
            model.put_whole(&store, &mut random, name).await;
            if name % 8 == 0 {
                model.settle().await;
                assert!(store.stats().disk_bytes <= max);
                assert!(allocated(dir.path()) <= max, "{} above {max}", allocated(dir.path()));
            }
        }
        model.settle().await;
        assert!(store.stats().written_bytes > 2 * max);
        let present = model.check(&store, Demand::DurableUnlessEvicted).await;
        assert!(present > 60, "only {present} left");
        let size = held.size().unwrap();
        match held.read(size - 1, 1).await {
            Ok(_) | Err(ReadError::Missing) => {}
            Err(error) => panic!("{error}"),
        }
        store.close().await;
        drop((held, store));
        let store = open(dir.path(), disk, max, 1 << 20).unwrap();
        assert_eq!(model.check(&store, Demand::DurableUnlessEvicted).await, present);
        assert!(allocated(dir.path()) <= max);
    });
}

#[test]
fn what_is_read_outlives_what_is_not() {
    with_seed(2, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(SimDisk::new(2, None));
        let config = Config {
            segment_bytes: 128 << 10,
            protection: Duration::ZERO,
            ..Config::new(dir.path(), 1 << 20)
        };
        let store = Store::open(config, disk, Arc::new(FakeClock::default())).unwrap();
        for name in 0..400 {
            put(&store, name, 8_000).await.unwrap();
            if name > 2 {
                assert!(is_there(&store, 2).await, "lost after {name}");
            }
        }
        assert!(!is_there(&store, 1).await);
        assert!(!is_there(&store, 3).await);
        let stats = store.stats();
        assert!(stats.carried >= 2 && stats.evicted > 200, "{stats:?}");
        let (key, url) = key(2);
        let kept = store.lookup(key, &url).await.unwrap();
        assert!(kept.is_durable());
        assert!(read_all(&kept, 0, 8_000).await.unwrap() == content(2, 0, 8_000));
    });
}

#[test]
fn a_viewer_goes_on_reading_a_response_that_eviction_carries_forward() {
    with_seed(3, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(SimDisk::new(3, None));
        let store = open(dir.path(), disk, 4 << 20, 512 << 10).unwrap();
        put(&store, 0, 200_000).await.unwrap();
        let (key, url) = key(0);
        let held = store.lookup(key, &url).await.unwrap();
        for name in 1..80 {
            put(&store, name, 100_000).await.unwrap();
            assert!(is_there(&store, 0).await);
        }
        assert!(store.stats().carried > 0);
        assert!(read_all(&held, 0, 200_000).await.unwrap() == content(0, 0, 200_000));
        assert!(held.is_durable());
    });
}

#[test]
fn readers_see_right_bytes_or_a_miss_while_eviction_moves_everything() {
    const NAMES: u64 = 60;
    let seed = 10;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Files::new(dir.path()));
    let store = open(dir.path(), disk, 4 << 20, 512 << 10).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = |number: u64| {
        let (store, is_over) = (store.clone(), is_over.clone());
        async move {
            let mut random = StdRng::seed_from_u64(seed + number);
            let mut hits = 0;
            while !is_over.load(Ordering::Relaxed) {
                let name = random.random_range(0..NAMES);
                let (key, url) = key(name);
                let Some(stored) = store.lookup(key, &url).await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                let size = stored.size().unwrap();
                // The head says which version it is.
                let version = u64::from_le_bytes(stored.head()[..].try_into().unwrap());
                match read_all(&stored, 0, size).await {
                    Ok(read) => assert!(read == content(version, 0, size), "seed {seed}"),
                    Err(ReadError::Missing) => {}
                    Err(error) => panic!("seed {seed}: {error}"),
                }
                hits += 1;
            }
            hits
        }
    };
    let readers: Vec<_> = (0..4).map(|number| runtime.spawn(reader(number))).collect();
    runtime.block_on(async {
        let mut random = StdRng::seed_from_u64(seed);
        for version in 0..400_u64 {
            let (key, url) = key(random.random_range(0..NAMES));
            let head = Bytes::copy_from_slice(&version.to_le_bytes());
            let size = random.random_range(0..150_000);
            let parts = vec![content(version, 0, size)];
            store.begin(key, &url).whole(head, parts).await.durable().await.unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.await.unwrap() > 20, "seed {seed}");
        }
    });
    let stats = store.stats();
    assert!(stats.carried > 10 && stats.corrupt == 0 && stats.failures == 0, "{stats:?}");
}

#[test]
fn a_large_response_loses_slices_to_eviction_and_gets_them_back() {
    with_seed(4, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(SimDisk::new(4, None));
        let config = Config {
            segment_bytes: 4 << 20,
            protection: Duration::ZERO,
            ..Config::new(dir.path(), 24 << 20)
        };
        let store = Store::open(config, disk, Arc::new(FakeClock::default())).unwrap();
        let (big, url) = key(0);
        let size = 5 * SLICE + 77;
        let writer = store.begin(big, &url);
        writer.head(Bytes::from_static(b"head"), None).await;
        for number in [3, 0, 5, 1, 4, 2] {
            let offset = u64::from(number) * SLICE;
            let part = content(0, offset, SLICE.min(size - offset));
            writer.slice(number, vec![part]).await;
        }
        writer.complete(Bytes::from_static(b"final"), size).await.durable().await.unwrap();
        let stored = store.lookup(big, &url).await.unwrap();
        assert!(stored.is_complete() && stored.is_durable());
        assert_eq!(&stored.head()[..], b"final");
        assert!(matches!(stored.read(size, 1).await, Err(ReadError::Missing)));
        let mut name = 1;
        while stored.is_complete() {
            put(&store, name, 900_000).await.unwrap();
            name += 1;
            assert!(name < 100, "never evicted");
        }
        let stored = store.lookup(big, &url).await.unwrap();
        assert!(!missing(&stored).is_empty());
        for number in missing(&stored) {
            let offset = u64::from(number) * SLICE;
            let part = content(0, offset, SLICE.min(size - offset));
            stored.writer().slice(number, vec![part]).await.durable().await.unwrap();
        }
        assert!(stored.is_complete());
        assert!(read_all(&stored, 0, size).await.unwrap() == content(0, 0, size));
    });
}

#[test]
fn the_index_stays_within_its_bound() {
    with_seed(5, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(SimDisk::new(5, None));
        let config = Config { max_entries: 50, ..Config::new(dir.path(), 64 << 20) };
        let store = Store::open(config, disk, Arc::new(FakeClock::default())).unwrap();
        for name in 0..300 {
            put(&store, name, 10).await.unwrap();
            assert!(store.stats().entries <= 50);
        }
        assert!(is_there(&store, 299).await);
    });
}

#[test]
fn what_is_too_large_is_refused_and_what_is_largest_is_taken() {
    with_seed(6, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(Files::new(dir.path()));
        let store = open(dir.path(), disk, 24 << 20, 3 << 20).unwrap();
        let (key, url) = key(1);
        let writer = store.begin(key, &url);
        let none = Bytes::new;
        let too_large = Err(WriteError::TooLarge);
        let whole = vec![content(1, 0, SLICE + 1)];
        assert_eq!(writer.whole(none(), whole).await.durable().await, too_large);
        let over = store.largest() + 1;
        assert_eq!(writer.head(none(), Some(over)).await.durable().await, too_large);
        assert_eq!(writer.complete(none(), over).await.durable().await, too_large);
        let beyond = u32::try_from(store.largest() / SLICE + 1).unwrap();
        let slice = vec![content(1, 0, 5)];
        assert_eq!(writer.slice(beyond, slice).await.durable().await, too_large);

        let size = store.largest();
        writer.head(none(), Some(size)).await;
        for number in 0..u32::try_from(size.div_ceil(SLICE)).unwrap() {
            let offset = u64::from(number) * SLICE;
            writer.slice(number, vec![content(1, offset, SLICE.min(size - offset))]).await;
        }
        writer.complete(none(), size).await.durable().await.unwrap();
        let stored = store.lookup(key, &url).await.unwrap();
        assert!(stored.is_complete());
        assert!(read_all(&stored, 0, size).await.unwrap() == content(1, 0, size));
    });
}

#[test]
fn a_second_store_in_the_same_directory_is_refused_until_the_first_is_closed() {
    with_seed(7, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(Files::new(dir.path()));
        let first = open(dir.path(), disk.clone(), 16 << 20, 1 << 20).unwrap();
        let second = open(dir.path(), disk.clone(), 16 << 20, 1 << 20);
        assert!(matches!(second, Err(OpenError::Locked(at)) if at == dir.path()));
        first.close().await;
        let (key, url) = key(1);
        let put = first.begin(key, &url).whole(Bytes::new(), vec![]).await;
        assert_eq!(put.durable().await, Err(WriteError::Closed));
        open(dir.path(), disk, 16 << 20, 1 << 20).unwrap();
    });
}

#[test]
fn a_url_with_the_same_key_is_not_served_anothers_content() {
    with_seed(8, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(SimDisk::new(8, None));
        let store = open(dir.path(), disk, 16 << 20, 1 << 20).unwrap();
        let (key, url) = key(1);
        put(&store, 1, 100).await.unwrap();
        assert!(store.lookup(key, &url).await.is_some());
        assert!(store.lookup(key, "http://cache.example/other").await.is_none());
    });
}

#[test]
fn a_generation_that_was_removed_or_replaced_cannot_be_written_any_more() {
    with_seed(9, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(SimDisk::new(9, None));
        let store = open(dir.path(), disk.clone(), 16 << 20, 1 << 20).unwrap();
        let (key, url) = key(1);
        let none = Bytes::new;
        let superseded = Err(WriteError::Superseded);
        let early = store.begin(key, &url);
        store.remove(key).durable().await.unwrap();
        assert_eq!(early.whole(none(), vec![]).await.durable().await, superseded);
        let sliced = store.begin(key, &url);
        sliced.head(none(), None).await.durable().await.unwrap();
        let newer = store.begin(key, &url);
        newer.whole(Bytes::from_static(b"newer"), vec![]).await.durable().await.unwrap();
        let slice = vec![content(1, 0, 5)];
        assert_eq!(sliced.slice(0, slice).await.durable().await, superseded);
        assert_eq!(sliced.complete(none(), 5).await.durable().await, superseded);
        let stored = store.lookup(key, &url).await.unwrap();
        store.remove(key).durable().await.unwrap();
        assert_eq!(store.refresh(&stored, none()).durable().await, superseded);
        assert!(store.lookup(key, &url).await.is_none());
        drop((early, sliced, newer, stored, store));
        let store = open(dir.path(), disk, 16 << 20, 1 << 20).unwrap();
        assert!(store.lookup(key, &url).await.is_none());
    });
}

#[test]
fn a_large_bound_on_a_small_disk_leaves_room_for_others() {
    with_seed(11, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(11, None);
        disk.set_room(100 << 20);
        // the nodes of one machine share its disk
        let config = |name: &str| Config::new(dir.path().join(name), 10 << 30);
        let clock = Arc::new(FakeClock::default());
        let store = Store::open(config("a"), Arc::new(disk.clone()), clock.clone()).unwrap();
        assert_eq!(store.stats().disk_bytes, 8 << 20);
        for name in 0..20 {
            put(&store, name, SLICE).await.unwrap();
        }
        assert!(store.largest() >= (10 << 30) / 5 * 2, "{}", store.largest());
        store.close().await;
        drop(store);

        // with more room the new segments are longer, and the old ones are still read
        disk.set_room(u64::MAX);
        let store = Store::open(config("a"), Arc::new(disk), clock).unwrap();
        for name in 0..60 {
            if name < 20 {
                assert!(is_there(&store, name).await, "{name}");
            }
            put(&store, 100 + name, SLICE).await.unwrap();
        }
        assert!(store.stats().disk_bytes > 80 << 20, "{:?}", store.stats());
        assert!(is_there(&store, 0).await);
    });
}

#[test]
fn the_first_segment_is_a_small_part_of_the_bound() {
    let dir = tempfile::tempdir().unwrap();
    for (max, segment) in [(24, 2), (64, 6), (1 << 10, 16), (10 << 10, 40), (1 << 20, 256)] {
        let config = Config::new(dir.path(), max << 20);
        assert_eq!(config.segment_bytes >> 20, segment, "of {max} MiB");
    }
}
