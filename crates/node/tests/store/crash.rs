//! The power is cut at every call that changes the disk, one after the other.
//!
//! After each cut the store is opened on what the disk kept. Whatever was reported durable must be
//! there with the right bytes; whatever was not may be there, whole, or not. Then the store goes on
//! working and is cut once more. A missing key is no failure where eviction may have taken it; an
//! older version than the last durable one always is.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use stoker_node::store::{Config, SLICE, Store};
use stoker_testkit::FakeClock;
use tempfile::TempDir;

use crate::{
    model::{Demand, Model, content, key},
    open,
    sim::{Fault, SimDisk},
    with_seed,
};

struct Scenario {
    seed: u64,
    max_bytes: u64,
    segment_bytes: u64,
    whole: u64,
    sliced: u64,
    steps: u32,
    names: u64,
    demand: Demand,
}

/// Lives until the cut at `call`; false when the work was done before it.
async fn cut_at(scenario: &Scenario, dir: &TempDir, call: u64) -> bool {
    let seed = scenario.seed.wrapping_mul(1_000_003) ^ call;
    let mut random = StdRng::seed_from_u64(scenario.seed);
    let disk = SimDisk::new(seed, Some(Fault::PowerCut(call)));
    let mut model = Model::new(scenario.whole, scenario.sliced);
    let sizes = (scenario.max_bytes, scenario.segment_bytes);
    live(scenario, dir, &disk, &mut model, &mut random).await;
    let was_cut = disk.calls() > call;
    let mut disk = disk.after_power_cut(seed);
    // A second life with a cut at a random moment, and a third that only looks.
    for life in 0..2 {
        let Ok(store) = open(dir.path(), Arc::new(disk.clone()), sizes.0, sizes.1) else {
            panic!("cannot open after the cut at call {call}, life {life}");
        };
        model.check(&store, scenario.demand).await;
        model.adopt(&store).await;
        assert!(store.stats().disk_bytes <= scenario.max_bytes, "above the bound");
        drop(store);
        if life == 0 {
            let later = disk.calls() + random.random_range(0..40);
            disk.set_fault(Some(Fault::PowerCut(later)));
            live(scenario, dir, &disk, &mut model, &mut random).await;
            disk = disk.after_power_cut(seed ^ 77);
        }
    }
    was_cut
}

async fn live(
    scenario: &Scenario,
    dir: &TempDir,
    disk: &SimDisk,
    model: &mut Model,
    random: &mut StdRng,
) {
    let sizes = (scenario.max_bytes, scenario.segment_bytes);
    let Ok(store) = open(dir.path(), Arc::new(disk.clone()), sizes.0, sizes.1) else { return };
    for _ in 0..scenario.steps {
        model.step(&store, random, scenario.names).await;
    }
    model.settle().await;
    store.close().await;
    assert!(disk.peak() <= scenario.max_bytes, "above the bound");
}

fn cut_everywhere(scenario: &Scenario, stride: u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut call = 0;
    loop {
        let mut was_cut = false;
        with_seed(scenario.seed * 1_000_000 + call, async {
            was_cut = cut_at(scenario, &dir, call).await;
        });
        if !was_cut {
            assert!(call > 20, "the scenario did nothing");
            return;
        }
        call += stride;
    }
}

#[test]
fn no_cut_loses_what_was_reported_durable() {
    for seed in 1..4 {
        let scenario = Scenario {
            seed,
            max_bytes: 16 << 20,
            segment_bytes: 256 << 10,
            whole: 30_000,
            sliced: 20_000,
            steps: 60,
            names: 8,
            demand: Demand::Durable,
        };
        cut_everywhere(&scenario, 1);
    }
}

#[test]
fn no_cut_during_eviction_brings_an_older_version_back() {
    for seed in 10..13 {
        let scenario = Scenario {
            seed,
            max_bytes: 256 << 10,
            segment_bytes: 64 << 10,
            whole: 12_000,
            sliced: 8_000,
            steps: 80,
            names: 10,
            demand: Demand::DurableUnlessEvicted,
        };
        cut_everywhere(&scenario, 1);
    }
}

#[test]
fn no_cut_mixes_the_slices_of_two_generations() {
    let scenario = Scenario {
        seed: 20,
        max_bytes: 64 << 20,
        segment_bytes: 5 << 20,
        whole: 1_000,
        sliced: 2 * SLICE + 999,
        steps: 16,
        names: 2,
        demand: Demand::Durable,
    };
    cut_everywhere(&scenario, 3);
}

#[test]
fn a_record_behind_a_torn_one_does_not_come_back_when_the_gap_is_filled() {
    let dir = tempfile::tempdir().unwrap();
    let mut torn_first = 0;
    for seed in 0..40 {
        with_seed(seed, async {
            let config = Config {
                flush_delay: Duration::from_secs(3_600),
                segment_bytes: 1 << 20,
                ..Config::new(dir.path(), 16 << 20)
            };
            let opened = |disk: SimDisk| {
                Store::open(config.clone(), Arc::new(disk), Arc::new(FakeClock::default())).unwrap()
            };
            // All records have the same length.
            let put = async |store: &Store, name: u64| {
                let (key, url) = key(name);
                let parts = vec![content(name, 0, 3_000)];
                let mut ticket = store.begin(key, &url).whole(Bytes::new(), parts).await;
                ticket.written().await.unwrap();
                ticket
            };
            let is_there = async |store: &Store, name: u64| {
                let (key, url) = key(name);
                store.lookup(key, &url).await.is_some()
            };
            let disk = SimDisk::new(seed, None);
            let store = opened(disk.clone());
            put(&store, 1).await.durable().await.unwrap();
            put(&store, 2).await;
            put(&store, 3).await;
            let disk = disk.after_power_cut(seed);
            drop(store);
            let store = opened(disk.clone());
            assert!(is_there(&store, 1).await);
            if is_there(&store, 2).await {
                return;
            }
            torn_first += 1;
            assert!(!is_there(&store, 3).await, "found behind a torn record");
            put(&store, 4).await.durable().await.unwrap();
            drop(store);
            let store = opened(disk);
            assert!(is_there(&store, 4).await);
            assert!(!is_there(&store, 3).await, "a ghost");
        });
    }
    assert!(torn_first > 5, "the case never arose");
}
