//! Purges of the running product: nothing that was fetched before is served after, by any node, also
//! when the product is killed in between; and what is prefetched after a purge is fetched after it.

use std::time::Duration;

use serde_json::json;

use crate::{
    harness::{Content, Nginx, Sdk},
    running::{Http, Stoker, eventually, pause},
};

const HOST: &str = "www.example.com";
const PATH: &str = "/x/a.bin";
const NODES: [&str; 4] = ["edge-mainland", "edge-overseas", "middle-mainland", "middle-overseas"];

struct Fixture {
    nginx: Nginx,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> (Self, Stoker) {
        let (nginx, folder) = (Nginx::start(), tempfile::tempdir().unwrap());
        let stoker = Stoker::start(&folder.path().join("data"));
        stoker.add_domain(HOST, &nginx.url(), &[]);
        (Self { nginx, folder }, stoker)
    }

    /// Puts another representation on the origin.
    fn write(&self, version: usize) -> Content {
        // the size makes another ETag, however fast one follows the other
        Content::write(&self.nginx.www(), PATH, 300_000 + version, version as u64)
    }

    /// Brings it to both edges, and so through the middle nodes.
    fn prefetch(&self, stoker: &Stoker) {
        let url = format!("http://{HOST}{PATH}");
        let ran = stoker.cli(&["prefetch", &url, "--tier", "edge", "--wait"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }

    /// What a node holds.
    fn held(&self, stoker: &Stoker, node: &str) -> Option<Vec<u8>> {
        // a new viewer each time: the old one's connections ended with the process
        let reply = Http::new().get_cached(stoker.ports().node(node), HOST, PATH).unwrap();
        reply.is_hit().then(|| reply.body.to_vec())
    }
}

fn size(bytes: Option<Vec<u8>>) -> Option<usize> {
    bytes.map(|bytes| bytes.len())
}

#[test]
fn after_a_purge_no_node_serves_what_was_there_before() {
    let (fixture, stoker) = Fixture::new();
    let targets = [format!("http://{HOST}/x/"), format!("http://{HOST}{PATH}")];
    for (version, target) in targets.iter().enumerate() {
        fixture.write(version);
        fixture.prefetch(&stoker);
        fixture.write(version + 1);
        assert_eq!(size(fixture.held(&stoker, "edge-overseas")), Some(300_000 + version));
        let ran = stoker.cli(&["purge", target, "--wait"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for node in NODES {
            assert_eq!(size(fixture.held(&stoker, node)), None, "{node} {target}");
        }
        for node in &NODES[..2] {
            let reply = Http::new().get(stoker.ports().node(node), HOST, PATH).unwrap();
            assert_eq!(reply.body.len(), 300_000 + version + 1, "{node} {target}");
        }
    }
}

#[test]
fn a_purge_outlives_kills_and_a_prefetch_after_it_fetches_anew() {
    let (fixture, mut stoker) = Fixture::new();
    let ports = stoker.ports();
    let data = fixture.folder.path().join("data");
    fixture.write(0);
    fixture.prefetch(&stoker);
    for version in 1..=8 {
        fixture.write(version);
        let target = if version % 2 == 0 { "/x/" } else { PATH };
        let ran = stoker.cli(&["purge", &format!("http://{HOST}{target}")]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        pause(Duration::from_millis(3 * version as u64));
        stoker.kill();
        stoker = Stoker::start_with(&data, ports, &[]);
        fixture.prefetch(&stoker);
        for node in &NODES[..2] {
            assert_eq!(size(fixture.held(&stoker, node)), Some(300_000 + version), "{node}");
        }
        for node in &NODES[2..] {
            let held = size(fixture.held(&stoker, node));
            assert!(held.is_none() || held == Some(300_000 + version), "{node}: {held:?}");
        }
    }
}

#[test]
fn a_prefetch_that_purges_overtake_ends_as_done_all_the_same() {
    let (fixture, stoker) = Fixture::new();
    fixture.write(0);
    let url = format!("http://{HOST}{PATH}");
    for flags in [&["--invalidate"][..], &[]] {
        // 2.4 seconds of work
        let slow = ["prefetch", &url, "--tier", "edge", "--limit-rate", "1"];
        let submitted = stoker.json(&slow);
        let task = submitted[0]["task_id"].as_str().unwrap();
        eventually(Duration::from_secs(120), "some of it is there", || {
            let percent = stoker.json(&["task", "show", task])["task"]["percent"].as_u64();
            percent.is_some_and(|percent| (1..100).contains(&percent)).then_some(())
        });
        let purge = format!("http://{HOST}/x/");
        let ran = stoker.cli(&[&["purge", &purge, "--wait"], flags].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let ran = stoker.cli(&["task", "watch", task]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for node in &NODES[..2] {
            assert_eq!(size(fixture.held(&stoker, node)), Some(300_000), "{node}");
        }
        let ran = stoker.cli(&["purge", &url, "--wait"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}

#[test]
fn the_sdk_purges_and_sees_it_done() {
    let (fixture, stoker) = Fixture::new();
    let sdk = Sdk::of(&stoker);
    fixture.write(0);
    fixture.prefetch(&stoker);
    let paths = json!({ "Paths": [format!("http://{HOST}/x/")], "FlushType": "delete" });
    let purge = sdk.accepted("PurgePathCache", paths);
    let task = json!({ "TaskId": purge["TaskId"] });
    eventually(Duration::from_secs(120), "the purge is done", || {
        let logs = sdk.accepted("DescribePurgeTasks", task.clone());
        (logs["PurgeLogs"][0]["Status"] == "done").then_some(())
    });
    for node in NODES {
        assert_eq!(size(fixture.held(&stoker, node)), None, "{node}");
    }
    let left = sdk.accepted("DescribePurgeQuota", json!({}));
    let quota = |name: &str| left["PathPurge"][0][name].as_u64().unwrap();
    assert_eq!(quota("Total") - quota("Available"), 1);
    let wild = json!({ "Urls": ["http://*.example.com/"] });
    assert_eq!(sdk.refused("PurgeUrlsCache", wild), "InvalidParameter.CdnPurgeWildcardNotAllowed");
}
