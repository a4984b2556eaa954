//! Bytes that rot on the disk of a node, while it runs and while it is stopped: what viewers get, what
//! a prefetch says, and what the origin is asked for.

use std::{fs, path::Path};

use stoker_domain::outcome::Outcome;
use stoker_testkit::{Script, content};

use crate::support::{HOST, Net};

const SLICE: usize = 1 << 20;

fn url(path: &str) -> String {
    format!("http://{HOST}{path}")
}

/// Flips a bit of `bytes[at]` in each segment of `node` that holds what is around it; how many do.
fn flip(net: &Net, node: &str, bytes: &[u8], at: usize) -> usize {
    // its surroundings in the same slice
    let (first, end) = (at / SLICE * SLICE, bytes.len().min((at / SLICE + 1) * SLICE));
    let from = at.saturating_sub(16).max(first);
    let (needle, within) = (&bytes[from..end.min(at + 16)], at - from);
    let dir = net.dir.path().join(node);
    let mut flips = 0;
    for entry in fs::read_dir(dir).expect("the folder of a node") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|end| end == "segment") {
            flips += flip_in(&path, needle, within);
        }
    }
    flips
}

fn flip_in(path: &Path, needle: &[u8], within: usize) -> usize {
    use std::os::unix::fs::FileExt;
    let found = fs::read(path).expect("a segment");
    let begins = found.iter().enumerate().filter(|(_, byte)| **byte == needle[0]);
    let starts: Vec<_> =
        begins.map(|(at, _)| at).filter(|&at| found[at..].starts_with(needle)).collect();
    let file = fs::OpenOptions::new().write(true).open(path).expect("a segment");
    for start in &starts {
        let at = start + within;
        file.write_all_at(&[found[at] ^ 4], at as u64).expect("room in place");
    }
    starts.len()
}

async fn holding(lengths: &[usize]) -> (Net, Vec<(String, Vec<u8>)>) {
    let net = Net::single().await;
    let mut files = Vec::new();
    for (number, &length) in (1..).zip(lengths) {
        let path = format!("/{length}");
        let bytes = content(length, number).to_vec();
        let script =
            Script::new(bytes.clone()).etag("\"v1\"").field("cache-control", "max-age=600");
        net.origin.on(&path, script);
        let report = net.sources["edge"].run(number as i64, &url(&path), 0).await;
        assert_eq!(report.outcome, Outcome::Filled, "{path}");
        files.push((path, bytes));
    }
    (net, files)
}

const LENGTHS: [usize; 7] =
    [900, 40_000, 100_000, 300_000, SLICE, SLICE + 100, 3 * SLICE + 500_000];

#[tokio::test]
async fn what_rots_while_the_node_runs_never_reaches_a_viewer() {
    let (net, files) = holding(&LENGTHS).await;
    for (path, bytes) in &files {
        // the first reads are of what was just written, the last come from memory
        for round in 0..4 {
            let places = [0, bytes.len() / 2, bytes.len() - 1];
            let at = places[round % places.len()];
            assert!(flip(&net, "edge", bytes, at) > 0 || round == 3, "{path}, round {round}");
            for _ in 0..2 {
                let reply = net.get("edge", path, &[]).await;
                assert!(reply.is_whole && reply.body == *bytes, "{path}, round {round}");
            }
            // what came from memory is not on the disk any more, and whoever asks for that is told so
            let only = [("cache-control", "only-if-cached")];
            if net.get("edge", path, &only).await.status == 504 {
                assert!(net.get("edge", path, &[]).await.body == *bytes, "{path}, round {round}");
            }
            net.until_hit("edge", path, &[]).await;
        }
    }
    // what is short is in memory by now
    assert!(net.running("edge").stats().store.corrupt >= 5);
}

#[tokio::test]
async fn each_bad_slice_is_filled_again_by_itself_while_the_viewer_reads_on() {
    let (net, files) = holding(&[9 * SLICE]).await;
    let (path, bytes) = &files[0];
    let bad = [2, 3, 5, 8];
    for number in bad {
        assert_eq!(flip(&net, "edge", bytes, number * SLICE + 77_777), 1);
    }
    let reply = net.get("edge", path, &[]).await;
    assert!(reply.status_is_hit(), "its head was sent before: {}", reply.cache_status());
    assert!(reply.is_whole && reply.body == *bytes);
    let sent = net.origin.sent_for(path) as usize;
    assert_eq!(sent, bytes.len() + bad.len() * SLICE, "{:?}", net.origin.requests_for(path));
    net.until_hit("edge", path, &[]).await;
    assert_eq!(net.origin.sent_for(path) as usize, sent);
}

#[tokio::test]
async fn a_range_and_a_first_slice_that_rotted_are_filled_again_before_the_head_is_sent() {
    let (net, files) = holding(&[4 * SLICE]).await;
    let (path, bytes) = &files[0];
    assert_eq!(flip(&net, "edge", bytes, 10), 1);
    let reply = net.get("edge", path, &[]).await;
    assert!(reply.is_whole && reply.body == *bytes);
    assert!(reply.cache_status().contains("fwd=partial"), "{}", reply.cache_status());
    assert_eq!(flip(&net, "edge", bytes, 3 * SLICE + 10), 1);
    let range = format!("bytes={}-{}", 3 * SLICE, 3 * SLICE + 99);
    let reply = net.get("edge", path, &[("range", &range)]).await;
    assert_eq!((reply.status, &reply.body[..]), (206, &bytes[3 * SLICE..3 * SLICE + 100]));
    assert_eq!(net.origin.sent_for(path) as usize, bytes.len() + 2 * SLICE);
}

#[tokio::test]
async fn a_prefetch_after_damage_fills_the_bad_slices_alone_and_then_all_is_there() {
    let (mut net, files) = holding(&LENGTHS).await;
    let (path, bytes) = &files[6];
    for restarts in 0..2 {
        if restarts == 1 {
            net.restart("edge").await;
        }
        for number in 0..3 {
            assert_eq!(flip(&net, "edge", bytes, number * SLICE + 300_000), 1, "{number}");
        }
        let before = net.origin.sent_for(path) as usize;
        let only = [("cache-control", "only-if-cached")];
        assert_eq!(net.get("edge", path, &only).await.status, 504, "not all of it is there");
        let report = net.sources["edge"].run(100, &url(path), 0).await;
        assert_eq!((report.outcome, report.pulled_bytes), (Outcome::Filled, 3 << 20));
        assert_eq!(net.origin.sent_for(path) as usize, before + 3 * SLICE);
        let reply = net.get("edge", path, &only).await;
        assert!(reply.status_is_hit() && reply.is_whole && reply.body == *bytes);
    }
}

#[tokio::test]
async fn what_is_stale_is_confirmed_and_its_bad_slices_are_filled_again() {
    let (net, files) = holding(&[300_000, 3 * SLICE]).await;
    for ((path, bytes), id) in files.iter().zip(10..) {
        assert_eq!(flip(&net, "edge", bytes, bytes.len() - 5), 1);
        net.clock.advance(std::time::Duration::from_secs(601));
        let report = net.sources["edge"].run(id, &url(path), 0).await;
        assert_eq!(report.outcome, Outcome::Filled, "{path}: {:?}", report.detail);
        let reply = net.get("edge", path, &[("cache-control", "only-if-cached")]).await;
        assert!(reply.status_is_hit() && reply.is_whole && reply.body == *bytes);
        let again = bytes.len().min(SLICE);
        assert_eq!(net.origin.sent_for(path) as usize, bytes.len() + again);
    }
}
