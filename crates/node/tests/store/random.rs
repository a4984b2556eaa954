//! Random operations, compared with the model step by step, over closings and openings.

use std::sync::Arc;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use stoker_node::store::{Disk, Files, SLICE};

use crate::{
    epoch,
    model::{Demand, Model},
    open,
    sim::SimDisk,
    with_seed,
};

async fn run(seed: u64, disk: Arc<dyn Disk>, sizes: (u64, u64), model: Model, demand: Demand) {
    let dir = tempfile::tempdir().unwrap();
    let disk = if demand == Demand::Newest { Arc::new(Files::new(dir.path())) } else { disk };
    let mut random = StdRng::seed_from_u64(seed);
    let mut model = model;
    let mut store = open(dir.path(), disk.clone(), sizes.0, sizes.1).unwrap();
    let first = epoch(&*disk);
    for _ in 0..12 {
        for _ in 0..random.random_range(5..30) {
            model.step(&store, &mut random, 12).await;
            assert!(store.stats().disk_bytes <= sizes.0);
        }
        model.settle().await;
        model.check(&store, demand).await;
        if random.random_bool(0.5) {
            store.close().await;
            drop(store);
            store = open(dir.path(), disk.clone(), sizes.0, sizes.1).unwrap();
            assert_eq!(epoch(&*disk), first, "nothing was lost");
            model.check(&store, demand).await;
        }
    }
}

#[test]
fn the_store_agrees_with_a_map_on_a_real_directory() {
    for seed in 0..4 {
        let model = Model::new(100_000, 2 * SLICE + 10);
        let unused: Arc<dyn Disk> = Arc::new(SimDisk::new(seed, None));
        with_seed(seed, run(seed, unused, (1 << 30, 8 << 20), model, Demand::Newest));
    }
}

#[test]
fn what_is_evicted_is_a_miss_and_never_an_older_version() {
    for seed in 100..130 {
        let model = Model::new(12_000, 8_000);
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(seed, None));
        let demand = Demand::DurableUnlessEvicted;
        with_seed(seed, run(seed, disk, (256 << 10, 64 << 10), model, demand));
    }
}

#[test]
fn a_store_that_is_opened_a_hundred_times_loses_and_invents_nothing() {
    let seed = 7;
    with_seed(seed, async {
        let dir = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(Files::new(dir.path()));
        let mut random = StdRng::seed_from_u64(seed);
        let mut model = Model::new(3_000, 5_000);
        for _ in 0..100 {
            let store = open(dir.path(), disk.clone(), 16 << 20, 1 << 20).unwrap();
            model.check(&store, Demand::Newest).await;
            for _ in 0..3 {
                model.step(&store, &mut random, 40).await;
            }
            store.close().await;
            model.settle().await;
        }
    });
}
