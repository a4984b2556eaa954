//! `stoker check`: what is held and why not, errors that are kept, and lists.

use std::{fs, time::Duration};

use serde_json::Value;

use crate::{
    harness::{Content, Nginx},
    running::{Http, Stoker, eventually},
};

const HOST: &str = "www.example.com";
const NODES: [&str; 4] = ["edge-mainland", "edge-overseas", "middle-mainland", "middle-overseas"];

fn url(path: &str) -> String {
    format!("http://{HOST}{path}")
}

/// What the nodes say of each URL, and the exit code.
fn check(stoker: &Stoker, args: &[&str]) -> (Vec<Value>, Option<i32>) {
    let ran = stoker.cli(&[&["check", "--json"], args].concat());
    let printed: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    (printed.as_array().unwrap().clone(), ran.code)
}

/// Of each node that was asked, its name and why it does not hold the only URL.
fn lacks(found: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("held").to_owned();
    let nodes = found[0]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| (text(&node["node"]), text(&node["lack"]))).collect()
}

#[test]
fn a_kept_error_is_not_held_and_what_is_published_after_it_is_prefetched() {
    let (nginx, folder) = (Nginx::start(), tempfile::tempdir().unwrap());
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &nginx.url(), &[]);
    let (path, target) = ("/lasting/a.bin", url("/lasting/a.bin"));
    fs::create_dir(nginx.www().join("lasting")).unwrap();

    // viewers of both areas meet the error, and every node keeps it
    for edge in ["edge-mainland", "edge-overseas"] {
        let edge = stoker.ports().node(edge);
        assert_eq!(Http::new().get(edge, HOST, path).unwrap().status, 404);
    }
    let all = [target.as_str(), "--tier", "all"];
    let found = eventually(Duration::from_secs(120), "all nodes keep the error", || {
        let (found, code) = check(&stoker, &all);
        assert_eq!(code, Some(1), "{found:?}");
        lacks(&found).iter().all(|(_, lack)| lack == "kept-error").then_some(found)
    });
    assert_eq!(lacks(&found).len(), NODES.len());
    assert_eq!(found[0]["nodes"][0]["status"], 404);

    let content = Content::write(&nginx.www(), path, 3_000_000, 1);
    let before = nginx.log().len();
    let ran = stoker.cli(&["prefetch", &target, "--wait"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(nginx.log().len() > before);
    assert_eq!(nginx.pulled()[path].bytes, content.size, "the content was pulled once");
    // by default the same nodes are asked that a prefetch reaches
    let (found, code) = check(&stoker, &[&target]);
    assert_eq!(code, Some(0), "{found:?}");
    let asked: Vec<String> = lacks(&found).into_iter().map(|(node, _)| node).collect();
    assert_eq!(asked, ["edge-overseas", "middle-mainland"]);
}

#[test]
fn each_reason_is_told_also_after_a_kill() {
    let (nginx, folder) = (Nginx::start(), tempfile::tempdir().unwrap());
    let data = folder.path().join("data");
    let mut stoker = Stoker::start(&data);
    stoker.add_domain(HOST, &nginx.url(), &[]);
    for path in ["/no-store/a", "/cookie/a", "/purged"] {
        Content::write(&nginx.www(), path, 1000, 1);
    }
    let expected = [
        ("/no-store/a", "refused", "`Cache-Control: no-store`"),
        ("/cookie/a", "refused", "`Set-Cookie`"),
        ("/absent", "failed", "status 404"),
        ("/purged", "purged", "purged at 20"),
        ("/never", "never-asked", "never asked for"),
    ];
    let targets: Vec<String> = expected.iter().map(|(path, ..)| url(path)).collect();
    let asked: Vec<&str> = targets[..4].iter().map(String::as_str).collect();
    let ran = stoker.cli(&[&["prefetch", "--tier", "edge", "--wait"], &asked[..]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let ran = stoker.cli(&["purge", &targets[3], "--wait"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");

    let assert_reasons = |stoker: &Stoker| {
        for (target, (path, lack, reason)) in targets.iter().zip(expected) {
            let (found, code) = check(stoker, &[target, "--tier", "edge"]);
            assert_eq!((code, lacks(&found).len()), (Some(1), 2), "{path}");
            for node in found[0]["nodes"].as_array().unwrap() {
                assert_eq!(node["lack"], lack, "{path}: {node}");
                assert!(node["reason"].as_str().unwrap().contains(reason), "{path}: {node}");
            }
        }
    };
    assert_reasons(&stoker);
    // the last half second may be lost
    for edge in ["edge-mainland", "edge-overseas"] {
        let history = data.join("nodes").join(edge).join("history");
        eventually(Duration::from_secs(120), "it is written", || {
            let lines = |name: &str| fs::read_to_string(history.join(name)).unwrap_or_default();
            let is_there =
                lines("failures").lines().count() >= 3 && lines("losses").contains("purged");
            is_there.then_some(())
        });
    }
    let ports = stoker.ports();
    stoker.kill();
    stoker = Stoker::start_with(&data, ports, &[]);
    assert_reasons(&stoker);
}

#[test]
fn a_list_is_checked_whole_and_what_is_missing_is_shown() {
    let (nginx, folder) = (Nginx::start(), tempfile::tempdir().unwrap());
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &nginx.url(), &[]);
    Content::write(&nginx.www(), "/there", 1000, 1);
    let ran = stoker.cli(&["prefetch", &url("/there"), "--wait"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // more than one call takes
    let absent: String = (0..2499).map(|number| url(&format!("/{number}\n"))).collect();
    let list = format!("# mine\n{}\n{absent}", url("/there"));
    let ran = stoker.cli_with_input(&["check", "--list", "-"], &list);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.ends_with("1 of 2500 URLs are held\n"), "{ran:?}");
    assert!(ran.stdout.contains(&url("/2498\n")) && !ran.stdout.contains("/there"));
    let ran = stoker.cli_with_input(&["check", "--list", "-"], &url("/there"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "1 of 1 URLs are held\n"), "{ran:?}");

    let bad = format!("{}\nftp://x\n", url("/there"));
    let ran = stoker.cli_with_input(&["check", "--list", "-"], &bad);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("line 2"), "{ran:?}");
    assert_eq!(stoker.cli(&["check", "ftp://x"]).code, Some(2));
    let foreign = stoker.cli(&["check", "http://other.example/x"]);
    assert_eq!(foreign.code, Some(1), "{foreign:?}");
    assert!(foreign.stderr.contains("other.example"), "{foreign:?}");
}
