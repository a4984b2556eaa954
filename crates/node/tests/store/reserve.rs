//! Room that a store leaves to others on its disk.

use std::{sync::Arc, time::Duration};

use rand::{SeedableRng, rngs::StdRng};
use stoker_node::store::{Config, Disk, Files, Freed, Store, free_space, held_bytes};
use stoker_testkit::{FakeClock, eventually};

use crate::{
    model::{Demand, Model},
    open,
    sim::SimDisk,
    with_seed,
};

const SEGMENT: u64 = 256 << 10;
const RESERVE: u64 = 8 * SEGMENT;

#[test]
fn a_store_leaves_the_reserve_free_and_gives_back_what_others_take() {
    with_seed(1, async {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(1, None);
        disk.set_room(20 * SEGMENT);
        let config = Config {
            segment_bytes: SEGMENT,
            reserve_bytes: RESERVE,
            reserve_interval: Duration::from_millis(5),
            ..Config::new(dir.path(), 64 << 20)
        };
        let store =
            Store::open(config, Arc::new(disk.clone()), Arc::new(FakeClock::default())).unwrap();
        let mut model = Model::new(30_000, 20_000);
        let mut random = StdRng::seed_from_u64(1);
        for name in 0..300 {
            model.put_whole(&store, &mut random, name).await;
            assert_eq!(model.settle().await, []);
            assert!(disk.free() >= RESERVE, "{} are free", disk.free());
        }
        assert!(store.stats().segments >= 10, "it uses what it may: {:?}", store.stats());

        disk.set_room(14 * SEGMENT);
        let gives_back = || async { (disk.free() >= RESERVE).then_some(()) };
        eventually(Duration::from_secs(120), "room given back", gives_back).await;
        assert!(store.stats().segments >= 5, "and no more than that: {:?}", store.stats());

        disk.set_room(4 * SEGMENT);
        let is_small = || async { (store.stats().segments == 1).then_some(()) };
        eventually(Duration::from_secs(120), "one segment", is_small).await;
        for name in 300..400 {
            model.put_whole(&store, &mut random, name).await;
        }
        assert_eq!(model.settle().await, [], "it still takes writes");
        assert!(model.check(&store, Demand::DurableUnlessEvicted).await > 0);
        assert!(store.stats().segments <= 2, "{:?}", store.stats());
    });
}

#[test]
fn room_is_made_from_the_oldest_segments_of_the_store_that_holds_most() {
    with_seed(2, async {
        let dir = tempfile::tempdir().unwrap();
        let dirs: Vec<_> = ["a", "b", "absent"].map(|name| dir.path().join(name)).into();
        let mut models = Vec::new();
        for (dir, count) in dirs.iter().zip([60, 120]) {
            std::fs::create_dir(dir).unwrap();
            let store = open(dir, Arc::new(Files::new(dir)), 16 << 20, SEGMENT).unwrap();
            let mut model = Model::new(30_000, 20_000);
            let mut random = StdRng::seed_from_u64(2);
            for name in 0..count {
                model.put_whole(&store, &mut random, name).await;
            }
            assert_eq!(model.settle().await, []);
            models.push(model);
            if count == 60 {
                assert_eq!(free_space(&dirs[..1], u64::MAX).unwrap(), Freed::default(), "in use");
            }
            store.close().await;
        }
        let held = dirs.iter().map(|dir| held_bytes(dir)).collect::<Vec<_>>();
        assert!(held[0] > 0 && held[1] > held[0] && held[2] == 0, "{held:?}");
        assert_eq!(free_space(&dirs, 0).unwrap(), Freed::default(), "there is enough");
        let freed = free_space(&dirs[..1], u64::MAX).unwrap();
        assert_eq!((freed.bytes, held_bytes(&dirs[0])), (held[0], 0));
        let store = open(&dirs[1], Arc::new(Files::new(&dirs[1])), 16 << 20, SEGMENT).unwrap();
        models[1].check(&store, Demand::Durable).await;
    });
}
