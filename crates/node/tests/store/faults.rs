//! Writes and syncs that fail, disks that are full, bytes that rot.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use rand::{SeedableRng, rngs::StdRng};
use stoker_node::store::{Disk, ReadError, SLICE, Verified, WriteError};

use crate::{
    epoch, missing,
    model::{Demand, Model, content, key, read_all},
    open,
    sim::{Fault, SimDisk},
    with_seed,
};

const MAX: u64 = 16 << 20;
const SEGMENT: u64 = 256 << 10;

/// Lets call after call fail, and cuts the power at the end.
fn fail_everywhere(fault: fn(u64) -> Fault, expected: WriteError, demand: Demand, seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut failures = 0;
    for call in 0.. {
        let mut is_reached = false;
        with_seed(seed * 1_000_000 + call, async {
            let mut random = StdRng::seed_from_u64(seed);
            let disk = SimDisk::new(seed ^ call, Some(fault(call)));
            let mut model = Model::new(30_000, 20_000);
            // A disk that fails while the store is opened may make the opening fail.
            if let Ok(store) = open(dir.path(), Arc::new(disk.clone()), MAX, SEGMENT) {
                for _ in 0..40 {
                    model.step(&store, &mut random, 8).await;
                }
                model.settle().await;
                let failed = &model.failed;
                let superseded = failed.iter().filter(|&&error| error == WriteError::Superseded);
                let count = failed.iter().filter(|&&error| error == expected).count();
                assert_eq!(count + superseded.count(), failed.len(), "{failed:?}");
                failures += count;
                // Acknowledged ones are there, and the store still takes new ones.
                model.check(&store, demand).await;
                is_reached = disk.calls() > call;
                disk.set_fault(None);
                model.put_whole(&store, &mut random, 99).await;
                assert_eq!(model.settle().await, [], "usable after a failure");
                store.close().await;
            } else {
                is_reached = true;
            }
            let disk = disk.after_power_cut(seed ^ call);
            let store = open(dir.path(), Arc::new(disk), MAX, SEGMENT).unwrap();
            model.check(&store, demand).await;
        });
        if !is_reached {
            break;
        }
    }
    assert!(failures > 10, "the faults were not felt: {failures}");
}

#[test]
fn a_failed_sync_is_never_believed_later() {
    fail_everywhere(Fault::Sync, WriteError::Io, Demand::Durable, 1);
}

#[test]
fn a_write_that_fails_half_way_takes_nothing_with_it() {
    fail_everywhere(Fault::Write, WriteError::Io, Demand::Durable, 2);
}

#[test]
fn a_write_that_finds_the_disk_full_costs_the_oldest_segment_at_most() {
    let demand = Demand::DurableUnlessEvicted;
    fail_everywhere(Fault::Full, WriteError::NoSpace, demand, 3);
}

#[test]
fn after_a_failed_sync_the_record_is_withdrawn_and_the_older_one_shows_again() {
    with_seed(0, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(0, None);
        let store = open(dir.path(), Arc::new(disk.clone()), MAX, SEGMENT).unwrap();
        let (key, url) = key(1);
        let old = store.begin(key, &url).whole(Bytes::from_static(b"old"), vec![]).await;
        old.durable().await.unwrap();
        // The next changing call writes, the one after it syncs.
        disk.set_fault(Some(Fault::Sync(disk.calls() + 1)));
        let new = store.begin(key, &url).whole(Bytes::from_static(b"new"), vec![]).await;
        assert_eq!(new.durable().await, Err(WriteError::Io));
        let found = store.lookup(key, &url).await.unwrap();
        assert_eq!(&found.head()[..], b"old");
        assert!(found.is_durable());
        let again = store.begin(key, &url).whole(Bytes::from_static(b"again"), vec![]).await;
        again.durable().await.unwrap();
        assert_eq!(&store.lookup(key, &url).await.unwrap().head()[..], b"again");
        assert_eq!(store.stats().failures, 1);
    });
}

#[test]
fn a_full_disk_refuses_new_content_or_makes_room_and_the_store_goes_on() {
    with_seed(3, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(3, None);
        // Room for two of the 64 segments that the bound allows.
        disk.set_room(2 * SEGMENT);
        let store = open(dir.path(), Arc::new(disk.clone()), MAX, SEGMENT).unwrap();
        let mut model = Model::new(30_000, 20_000);
        let mut random = StdRng::seed_from_u64(3);
        for name in 0..100 {
            model.put_whole(&store, &mut random, name).await;
        }
        assert_eq!(model.settle().await, []);
        assert!(disk.peak() <= 2 * SEGMENT);
        assert!(model.check(&store, Demand::DurableUnlessEvicted).await > 5);

        disk.set_room(0);
        let mut refused = 0;
        for name in 100..200 {
            model.put_whole(&store, &mut random, name).await;
            let failed = model.settle().await;
            assert!(failed.iter().all(|&error| error == WriteError::NoSpace), "{failed:?}");
            refused += failed.len();
        }
        assert!(refused > 0, "nothing was refused");
        disk.set_room(u64::MAX);
        model.put_whole(&store, &mut random, 1_000).await;
        assert_eq!(model.settle().await, []);
        model.check(&store, Demand::DurableUnlessEvicted).await;
    });
}

#[test]
fn a_store_without_any_room_opens_and_says_so_at_each_write() {
    with_seed(4, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(4, None);
        disk.set_room(0);
        let store = open(dir.path(), Arc::new(disk.clone()), MAX, SEGMENT).unwrap();
        let (key, url) = key(1);
        let put = store.begin(key, &url).whole(Bytes::new(), vec![]).await;
        assert_eq!(put.durable().await, Err(WriteError::NoSpace));
        disk.set_room(SEGMENT);
        store.begin(key, &url).whole(Bytes::new(), vec![]).await.durable().await.unwrap();
    });
}

#[test]
fn a_rotten_byte_is_a_miss_after_a_restart_and_never_wrong_content() {
    with_seed(5, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(5, None);
        let store = open(dir.path(), Arc::new(disk.clone()), 64 << 20, 5 << 20).unwrap();
        let head = Bytes::from_static(b"head");
        let sizes = [2_000, 300_000];
        for (name, size) in (0..).zip(sizes) {
            let (key, url) = key(name);
            let parts = vec![content(name, 0, size)];
            store.begin(key, &url).whole(head.clone(), parts).await.durable().await.unwrap();
        }
        let (big, url) = key(9);
        let writer = store.begin(big, &url);
        writer.head(head.clone(), Some(2 * SLICE)).await;
        for number in 0..2 {
            let part = content(9, u64::from(number) * SLICE, SLICE);
            writer.slice(number, vec![part]).await;
        }
        writer.complete(head.clone(), 2 * SLICE).await.durable().await.unwrap();
        // Filled up and sealed, so that the restart believes the footer and reads no content.
        for name in 100..108 {
            let (key, url) = key(name);
            let parts = vec![content(name, 0, 1 << 20)];
            store.begin(key, &url).whole(head.clone(), parts).await.durable().await.unwrap();
        }
        store.close().await;
        drop(store);
        assert!(disk.damage(&content(0, 1_000, 64)));
        assert!(disk.damage(&content(1, 200_000, 64)));
        assert!(disk.damage(&content(9, SLICE + 999_936, 64)));

        let store = open(dir.path(), Arc::new(disk.clone()), 64 << 20, 5 << 20).unwrap();
        let (small, url) = key(0);
        assert!(store.lookup(small, &url).await.is_none());
        let (middle, url) = key(1);
        let found = store.lookup(middle, &url).await.unwrap();
        assert!(matches!(found.read(0, 100).await, Err(ReadError::Corrupt)));
        assert!(store.lookup(middle, &url).await.is_none());
        let (_, url) = key(9);
        let found = store.lookup(big, &url).await.unwrap();
        assert!(read_all(&found, 0, SLICE).await.unwrap() == content(9, 0, SLICE));
        assert!(matches!(found.read(SLICE, 100).await, Err(ReadError::Corrupt)));
        assert_eq!(missing(&found), [1]);
        assert_eq!(store.stats().corrupt, 3);
        // Only the slice is filled again.
        let part = content(9, SLICE, SLICE);
        found.writer().slice(1, vec![part.clone()]).await.durable().await.unwrap();
        assert!(found.is_complete());
        assert!(read_all(&found, SLICE, SLICE).await.unwrap() == part);
    });
}

#[test]
fn the_epoch_changes_when_segments_are_lost_and_only_then() {
    with_seed(6, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(6, None);
        let opened = || open(dir.path(), Arc::new(disk.clone()), MAX, SEGMENT).unwrap();
        let mut model = Model::new(30_000, 20_000);
        let mut random = StdRng::seed_from_u64(6);
        let store = opened();
        let first = epoch(&disk);
        for name in 0..80 {
            model.put_whole(&store, &mut random, name).await;
        }
        model.settle().await;
        store.close().await;
        drop(store);
        let store = opened();
        assert_eq!(epoch(&disk), first);
        drop(store);

        let mut names = disk.list().unwrap();
        names.retain(|name| name.ends_with(".segment"));
        names.sort();
        disk.lose(&names[1]);
        let store = opened();
        let second = epoch(&disk);
        assert!(second > first, "a segment was lost");
        model.check(&store, Demand::DurableUnlessEvicted).await;
        drop(store);

        disk.lose(".segment");
        let store = opened();
        let third = epoch(&disk);
        assert!(third > second, "all segments were lost");
        drop(store);
        assert_eq!(
            {
                let _store = opened();
                epoch(&disk)
            },
            third
        );
    });
}

/// A closed store of several segments, and what it was told.
async fn filled(dir: &Path, disk: &SimDisk, names: u64) -> Model {
    let store = open(dir, Arc::new(disk.clone()), MAX, SEGMENT).unwrap();
    let mut model = Model::new(30_000, 20_000);
    let mut random = StdRng::seed_from_u64(7);
    for name in 0..names {
        model.put_whole(&store, &mut random, name).await;
    }
    assert_eq!(model.settle().await, []);
    store.close().await;
    model
}

#[test]
fn a_segment_that_cannot_be_read_is_set_aside_and_the_others_are_served() {
    with_seed(7, async {
        for which in [0, 1, usize::MAX] {
            let dir = tempfile::tempdir().unwrap();
            let disk = SimDisk::new(7, None);
            let mut model = filled(dir.path(), &disk, 80).await;
            let segments = disk.segments();
            let name = &segments[which.min(segments.len() - 1)];
            disk.refuse(name);
            for opening in 0..2 {
                let store = open(dir.path(), Arc::new(disk.clone()), MAX, SEGMENT).unwrap();
                assert_eq!(store.stats().unreadable, 1, "{name}, opening {opening}");
                assert_eq!(store.health().unreadable_segments, 1);
                let found = model.check(&store, Demand::DurableUnlessEvicted).await;
                assert!(found > 20, "{found} are left without {name}");
                let mut random = StdRng::seed_from_u64(opening);
                model.put_whole(&store, &mut random, 1_000 + opening).await;
                assert_eq!(model.settle().await, [], "it takes writes without {name}");
                store.close().await;
            }
            assert!(disk.list().unwrap().contains(&format!("{name}.bad")));
        }
    });
}

#[test]
fn a_segment_that_lost_its_header_keeps_its_records() {
    with_seed(8, async {
        for which in [0, 1, usize::MAX] {
            let dir = tempfile::tempdir().unwrap();
            let disk = SimDisk::new(8, None);
            let mut model = filled(dir.path(), &disk, 80).await;
            let segments = disk.segments();
            disk.flip(&segments[which.min(segments.len() - 1)], 3);
            let store = open(dir.path(), Arc::new(disk.clone()), MAX, SEGMENT).unwrap();
            model.check(&store, Demand::Durable).await;
            let stats = store.stats();
            assert_eq!((stats.lost, stats.unreadable), (0, 0));
        }
    });
}

#[test]
fn damage_in_a_segment_without_a_footer_loses_the_damaged_records_alone_and_is_counted() {
    with_seed(9, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(9, None);
        let store = open(dir.path(), Arc::new(disk.clone()), 64 << 20, 8 << 20).unwrap();
        for name in 0..9 {
            let (key, url) = key(name);
            let parts = vec![content(name, 0, 90_000)];
            store.begin(key, &url).whole(Bytes::new(), parts).await.durable().await.unwrap();
        }
        store.close().await;
        drop(store);
        assert!(disk.damage(&content(2, 40_000, 64)));
        assert!(disk.damage(&content(6, 80_000, 64)));
        // the header of the one before it, and with it all that is known of that record
        let (_, url) = key(5);
        assert!(disk.damage(url.as_bytes()));
        let store = open(dir.path(), Arc::new(disk.clone()), 64 << 20, 8 << 20).unwrap();
        assert_eq!(store.stats().lost, 3);
        assert_eq!(store.health().lost_records, 3);
        for name in 0..9 {
            let (key, url) = key(name);
            let is_there = store.lookup(key, &url).await.is_some();
            assert_eq!(is_there, ![2, 5, 6].contains(&name), "{name}");
        }
    });
}

#[test]
fn a_folder_that_takes_no_files_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("probe")).unwrap();
    let error = open(dir.path(), Arc::new(SimDisk::new(10, None)), MAX, SEGMENT).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write in `{}`", dir.path().display()));
}

#[test]
fn bytes_that_rot_while_the_store_is_open_are_never_given_out() {
    with_seed(11, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(11, None);
        let mut opened = open(dir.path(), Arc::new(disk.clone()), 64 << 20, 8 << 20).unwrap();
        for round in 0..4 {
            let sizes = [5_000, 40_000, 70_000, 300_000, SLICE, 2 * SLICE + 5];
            for (name, size) in (round * 100..).zip(sizes) {
                let (key, url) = key(name);
                let writer = opened.begin(key, &url);
                let head = Bytes::from_static(b"head");
                if size <= SLICE {
                    let parts = vec![content(name, 0, size)];
                    writer.whole(head, parts).await.durable().await.unwrap();
                } else {
                    writer.head(head.clone(), Some(size)).await;
                    for number in 0..3 {
                        let start = u64::from(number) * SLICE;
                        let part = content(name, start, (size - start).min(SLICE));
                        writer.slice(number, vec![part]).await;
                    }
                    writer.complete(head, size).await.durable().await.unwrap();
                }
            }
            if round % 2 == 1 {
                opened.close().await;
                drop(opened);
                opened = open(dir.path(), Arc::new(disk.clone()), 64 << 20, 8 << 20).unwrap();
            }
            for (name, size) in (round * 100..).zip(sizes) {
                let (key, url) = key(name);
                for _ in 0..=round {
                    let found = opened.lookup(key, &url).await.unwrap();
                    assert!(read_all(&found, 0, size).await.unwrap() == content(name, 0, size));
                    let part = found.read(size - 3, 2).await.unwrap();
                    assert!(part == content(name, size - 3, 2));
                }
                let handle = opened.lookup(key, &url).await.unwrap();
                assert!(disk.damage(&content(name, size - 2_000, 64)));
                let all = match opened.lookup(key, &url).await {
                    Some(found) => read_all(&found, 0, size).await.ok(),
                    None => None,
                };
                // what was asked for often is in memory, as it was
                assert!(all.is_none() || round > 0, "{name}");
                assert!(all.is_none_or(|all| all == content(name, 0, size)), "{name}");
                assert_ne!(handle.verify().await, Verified::Sound, "{name}");
            }
        }
    });
}

#[test]
fn every_damaged_slice_is_found_at_once() {
    with_seed(12, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(12, None);
        let store = open(dir.path(), Arc::new(disk.clone()), 64 << 20, 8 << 20).unwrap();
        let (key, url) = key(1);
        let writer = store.begin(key, &url);
        writer.head(Bytes::new(), Some(9 * SLICE)).await;
        for number in 0..9 {
            let part = content(1, u64::from(number) * SLICE, SLICE);
            writer.slice(number, vec![part]).await;
        }
        writer.complete(Bytes::new(), 9 * SLICE).await.durable().await.unwrap();
        let found = store.lookup(key, &url).await.unwrap();
        assert_eq!(found.verify().await, Verified::Sound);
        for number in [0, 4, 8] {
            assert!(disk.damage(&content(1, number * SLICE + 600_000, 64)));
        }
        assert!(found.is_complete(), "nobody has looked");
        assert_eq!(found.verify().await, Verified::Damaged);
        assert_eq!(missing(&found), [0, 4, 8]);
        assert_eq!(store.health().damaged_records, 3);
        assert_eq!(found.verify().await, Verified::Missing, "what is left is sound");
    });
}
