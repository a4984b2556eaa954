//! The speed of planning: how long it takes to place keys on nodes, beside what it replaced, one
//! SHA-256 for each key and node and a text for each holder. `bench/README.md` says what came out.
//!
//! `placement [KEYS]`: with 1,000,000 keys unless told otherwise, on 4 nodes that are alone in their
//! clusters and on 2,000 in clusters of ten. The old way is run with a thousandth of the keys where
//! there are many nodes, and its time is multiplied.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::{
    collections::HashMap,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use stoker_domain::{
    area::{Area, AreaScope, Tier},
    key::Key,
    placement::{Fleet, Node},
};

fn main() {
    let keys = std::env::args().nth(1).map_or(1_000_000, |keys| keys.parse().expect("a number"));
    for (nodes, per_cluster, part) in [(4, 1, 1), (2000, 10, 1000)] {
        let fleet = Arc::new(Fleet::new((0..nodes).map(|number| Node {
            name: format!("edge-{number:04}"),
            area: Area::Overseas,
            tier: Tier::Edge,
            cluster: format!("cluster-{}", number / per_cluster),
            address: String::new(),
        })));
        let now = measure(keys, |key| {
            black_box(fleet.holders(key, AreaScope::Overseas, None));
        });
        let before = measure(keys / part, |key| {
            black_box(by_digests(&fleet, key));
        }) * part as u32;
        let ratio = before.as_secs_f64() / now.as_secs_f64();
        println!("{keys} keys, {nodes} nodes: {now:.2?}, before {before:.2?}: {ratio:.0} times");
    }
}

fn measure(keys: u64, place: impl Fn(Key)) -> Duration {
    let began = Instant::now();
    for number in 0..u128::from(keys) {
        // any bytes do: both ways look at all of them
        place(Key(number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes()));
    }
    began.elapsed()
}

/// The names of the holders, as they were found before nodes had numbers and hashes.
fn by_digests(fleet: &Fleet, key: Key) -> Vec<String> {
    let mut clusters: HashMap<&str, (u64, &str)> = HashMap::new();
    for node in fleet.nodes() {
        let digest =
            Sha256::new().chain_update(key.0).chain_update(node.name.as_bytes()).finalize();
        let mut head = [0; 8];
        head.copy_from_slice(&digest[..8]);
        let score = (u64::from_be_bytes(head), node.name.as_str());
        let best = clusters.entry(&node.cluster).or_insert(score);
        *best = score.max(*best);
    }
    let mut names: Vec<_> = clusters.into_values().map(|(_, name)| name.to_owned()).collect();
    names.sort_unstable();
    names
}
