//! A wildcard domain, from the command line to the origin's log: each host below it is prefetched,
//! proven and purged by its own name.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;

use crate::{
    harness::{Content, Nginx, Sdk},
    running::{Http, Stoker, eventually},
};

const WILD: &str = "*.wild.test";
const PATH: &str = "/x.bin";
const NODES: [&str; 4] = ["edge-mainland", "edge-overseas", "middle-mainland", "middle-overseas"];

#[test]
fn each_host_of_a_wildcard_is_prefetched_proven_and_purged_by_its_own_name() {
    let (nginx, folder) = (Nginx::start(), tempfile::tempdir().unwrap());
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(WILD, &nginx.url(), &[]);
    Content::write(&nginx.www(), PATH, 3_000_000, 1);
    let hosts = ["a.wild.test", "b.wild.test"];
    let urls = hosts.map(|host| format!("http://{host}{PATH}"));
    let prefetch = ["prefetch", &urls[0], &urls[1], "--tier", "edge", "--wait"];
    let run = |args: &[&str]| {
        let ran = stoker.cli(args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stdout
    };
    run(&prefetch);
    // `check` asks every node that must hold it, and fails if one does not
    run(&["check", &urls[0], &urls[1], "--tier", "all"]);
    let asked: BTreeSet<_> = hosts.map(|host| (host.to_owned(), PATH.to_owned())).into();
    assert_eq!(nginx.hosts(), asked, "the origin was asked by the names that were requested");

    let shown = run(&["domain", "show", WILD]);
    assert!(shown.contains("the requested host"), "{shown}");
    assert!(run(&["doctor"]).contains("origin of `*.wild.test` answers"));

    run(&["purge", &urls[0], "--wait"]);
    let is_held = |node: &str, host: &str| {
        Http::new().get_cached(stoker.ports().node(node), host, PATH).unwrap().is_hit()
    };
    for node in NODES {
        assert!(!is_held(node, hosts[0]) && is_held(node, hosts[1]), "{node}");
    }
    assert_ne!(stoker.cli(&["check", &urls[0]]).code, Some(0));
    run(&["check", &urls[1], "--tier", "all"]);
    assert_ne!(stoker.cli(&["purge", "http://*.wild.test/"]).code, Some(0));

    // the whole zone, and with it what lies below the wildcard
    run(&prefetch);
    let sdk = Sdk::of(&stoker).with_teo();
    let zone = sdk.accepted("DescribeZones", json!({}))["Zones"][0]["ZoneId"].clone();
    let all = json!({ "ZoneId": zone, "Type": "purge_all", "Method": "delete" });
    let purge = sdk.accepted("CreatePurgeTask", all);
    let filter = json!([{ "Name": "job-id", "Values": [purge["JobId"]] }]);
    let task = eventually(Duration::from_secs(120), "the purge is done", || {
        let reply = sdk.accepted("DescribePurgeTasks", json!({ "Filters": filter }));
        let task = reply["Tasks"][0].clone();
        (task["Status"] == "success").then_some(task)
    });
    assert_eq!(task["Target"], WILD);
    for (node, host) in NODES.iter().flat_map(|node| hosts.map(|host| (node, host))) {
        assert!(!is_held(node, host), "{node} {host}");
    }
    run(&["domain", "remove", WILD]);
    assert_ne!(stoker.cli(&["prefetch", &urls[0]]).code, Some(0));
}
