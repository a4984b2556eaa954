//! The process is killed at random instants while it writes; what it had reported is there.
//!
//! The test starts this very binary again with a directory to work in, reads the acknowledgements
//! from its standard output, and kills it after a random number of them. It stands apart from the
//! other tests of the store because a process that is being started holds, for an instant, the lock
//! files of whatever else runs in this one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

#[path = "store/model.rs"]
#[expect(dead_code, reason = "only the content of the model is needed here")]
mod model;

use std::{
    env, fs,
    io::{BufRead, BufReader, Write, stdout},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use stoker_node::store::{Config, Files, Store};
use stoker_testkit::FakeClock;
use tokio::runtime::Builder;

use crate::model::{content, key, read_all};

/// Names the directory to the child; without it the child's test does nothing.
const DIRECTORY: &str = "STOKER_STORE_KILL_TEST";

fn opened(dir: &Path) -> Store {
    let config = Config { segment_bytes: 1 << 20, ..Config::new(dir, 64 << 20) };
    Store::open(config, Arc::new(Files::new(dir)), Arc::new(FakeClock::default())).unwrap()
}

fn run(test: impl Future<Output = ()>) {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn a_child_of_the_next_test_writes_until_it_is_killed() {
    let Some(dir) = env::var_os(DIRECTORY) else { return };
    run(async {
        let store = opened(Path::new(&dir));
        let first = 1_000_000 * store.begin(key(0).0, "").generation();
        for batch in 0.. {
            let mut tickets = Vec::new();
            for name in (first + batch * 8)..(first + batch * 8 + 8) {
                let (key, url) = key(name);
                let parts = vec![content(name, 0, name % 5_000)];
                let ticket = store.begin(key, &url).whole(Bytes::from(url.clone()), parts).await;
                tickets.push((name, ticket));
            }
            for (name, ticket) in tickets {
                ticket.durable().await.unwrap();
                writeln!(stdout(), "durable {name}").unwrap();
            }
        }
    });
}

#[test]
fn a_killed_process_has_lost_nothing_that_it_reported() {
    let seed = 11;
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mut random = StdRng::seed_from_u64(seed);
        let mut reported: Vec<u64> = Vec::new();
        let mut epoch = None;
        for round in 0..10 {
            let mut child = Command::new(env::current_exe().unwrap())
                .args([
                    "--exact",
                    "a_child_of_the_next_test_writes_until_it_is_killed",
                    "--nocapture",
                ])
                .env(DIRECTORY, dir.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let most = random.random_range(1..200);
            let acks = lines.map_while(Result::ok);
            let acks = acks.filter_map(|line| line.strip_prefix("durable ")?.parse::<u64>().ok());
            reported.extend(acks.take(most));
            child.kill().unwrap();
            child.wait().unwrap();

            let store = opened(dir.path());
            let now = fs::read_to_string(dir.path().join("epoch")).unwrap();
            assert_eq!(*epoch.get_or_insert(now.clone()), now, "round {round}");
            for &name in &reported {
                let (key, url) = key(name);
                let found = store.lookup(key, &url).await;
                let found =
                    found.unwrap_or_else(|| panic!("{name} is lost, seed {seed}, round {round}"));
                let size = name % 5_000;
                assert!(read_all(&found, 0, size).await.unwrap() == content(name, 0, size));
            }
        }
        assert!(reported.len() > 100);
    });
}
