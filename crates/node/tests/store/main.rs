//! The cache store against a model and a disk that fails.
//!
//! One binary: [`sim`] is the failing disk, [`model`] knows what must be found. Everything random
//! has a seed, and a failing test prints it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]
#![expect(clippy::print_stderr, reason = "a failing test prints its seed")]

mod crash;
mod evict;
mod faults;
mod limits;
mod model;
mod purge;
mod random;
mod reserve;
mod sim;

use std::{path::Path, sync::Arc};

use stoker_node::store::{Config, Disk, OpenError, SLICE, Store, Stored};
use stoker_testkit::FakeClock;

/// Opens a store of `max_bytes` with segments of `segment_bytes`.
fn open(
    dir: &Path,
    disk: Arc<dyn Disk>,
    max_bytes: u64,
    segment_bytes: u64,
) -> Result<Store, OpenError> {
    let config = Config { segment_bytes, ..Config::new(dir, max_bytes) };
    Store::open(config, disk, Arc::new(FakeClock::default()))
}

/// The number in the file `epoch` of the store on `disk`.
fn epoch(disk: &dyn Disk) -> u64 {
    let file = disk.open("epoch").unwrap();
    let mut text = vec![0; file.size().unwrap() as usize];
    let len = file.read(&mut text, 0, true).unwrap();
    std::str::from_utf8(&text[..len]).unwrap().trim().parse().unwrap()
}

/// The slices below its known size that are not there, ascending.
fn missing(stored: &Stored) -> Vec<u32> {
    let count = stored.size().unwrap().div_ceil(SLICE) as u32;
    (0..count).filter(|number| !stored.has_slice(*number)).collect()
}

/// Runs `test` on a runtime of its own and names `seed` should it panic.
fn with_seed(seed: u64, test: impl Future<Output = ()>) {
    struct Named(u64);
    impl Drop for Named {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("failed with seed {}", self.0);
            }
        }
    }
    let _named = Named(seed);
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}
