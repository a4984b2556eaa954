//! Tags: what the origin names with `Cache-Tag` leaves every node when the tag is purged, and
//! nothing else does.

use std::time::Duration;

use serde_json::json;

use crate::{
    harness::{Content, Nginx, Sdk},
    running::{Http, Stoker, eventually},
};

const HOST: &str = "www.example.com";
const TAGGED: &str = "/tagged/a.bin";
const PLAIN: &str = "/plain/a.bin";
const NODES: [&str; 4] = ["edge-mainland", "edge-overseas", "middle-mainland", "middle-overseas"];

#[test]
fn a_purged_tag_leaves_every_node_and_takes_nothing_else_along() {
    let (nginx, folder) = (Nginx::start(), tempfile::tempdir().unwrap());
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &nginx.url(), &[]);
    for path in [TAGGED, PLAIN] {
        Content::write(&nginx.www(), path, 3_000_000, 1);
    }
    let urls = [TAGGED, PLAIN].map(|path| format!("http://{HOST}{path}"));
    let ran = stoker.cli(&["prefetch", &urls[0], &urls[1], "--tier", "edge", "--wait"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let is_held = |node: &str, path: &str| {
        let reply = Http::new().get_cached(stoker.ports().node(node), HOST, path).unwrap();
        assert!(!reply.fields.contains_key("cache-tag"), "tags are no viewer's business");
        reply.is_hit()
    };
    assert!(NODES[..2].iter().all(|node| is_held(node, TAGGED) && is_held(node, PLAIN)));

    let sdk = Sdk::of(&stoker).with_teo();
    let zone = sdk.accepted("DescribeZones", json!({}))["Zones"][0]["ZoneId"].clone();
    let purge = json!({ "ZoneId": zone, "Type": "purge_cache_tag", "Method": "delete",
        "Targets": ["front"], "CacheTag": { "Domains": [HOST] } });
    let purge = sdk.accepted("CreatePurgeTask", purge);
    assert_eq!(purge["FailedList"], json!([]));
    let filter = json!([{ "Name": "job-id", "Values": [purge["JobId"]] }]);
    let task = eventually(Duration::from_secs(120), "the purge is done", || {
        let reply = sdk.accepted("DescribePurgeTasks", json!({ "Filters": filter }));
        let task = reply["Tasks"][0].clone();
        (task["Status"] == "success").then_some(task)
    });
    assert_eq!((&task["Target"], &task["Type"]), (&json!("front"), &json!("purge_cache_tag")));
    for node in NODES {
        assert!(!is_held(node, TAGGED), "{node} forgot what was tagged");
    }
    for node in &NODES[..2] {
        assert!(is_held(node, PLAIN), "{node} keeps what was not");
    }
}
