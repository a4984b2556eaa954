//! `kill -9` at random instants: nothing that was accepted is lost, nothing is charged twice, and
//! `done` is true right after each restart.

use std::{collections::HashSet, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;

use crate::{
    harness::{Content, Nginx, Sdk, sha256},
    running::{EXECUTABLE, Http, Ports, Stoker, pause},
};

const HOST: &str = "www.example.com";
const EDGES: [&str; 2] = ["edge-mainland", "edge-overseas"];
/// URLs of one call.
const BATCH: usize = 40;
/// A kill comes so many milliseconds after a call began, at most: half of them while the call is
/// being accepted, half while its content travels.
const LATEST: [u64; 2] = [50, 800];
/// Of every so many restarts, one is killed too, so many milliseconds after its start, at most.
const RESTARTS: (u32, u64) = (4, 200);

#[test]
fn killed_at_random_instants_it_finishes_every_task_and_charges_each_target_once() {
    let seed = 20_260_801;
    let kills = kills();
    println!("{kills} kills, seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let nginx = Nginx::start();
    let contents: Vec<_> = (0..kills * BATCH)
        .map(|n| {
            let size = if n % BATCH == 0 { 5_000_000 } else { 100 + n * 17 % 60_000 };
            Content::write(&nginx.www(), &format!("/{n}"), size, n as u64)
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ports = Ports::free();
    let mut answered = HashSet::new();
    let mut checked = 0;

    let mut stoker = Stoker::start_with(&data, ports, &[]);
    stoker.add_domain(HOST, &nginx.url(), &[]);
    for batch in contents.chunks(BATCH) {
        let push = Push::begin(&stoker, batch);
        let latest = LATEST[random.random_range(0..LATEST.len())];
        pause(Duration::from_millis(random.random_range(0..=latest)));
        stoker.kill();
        answered.extend(push.task());
        if random.random_ratio(1, RESTARTS.0) {
            let instant = Duration::from_millis(random.random_range(0..=RESTARTS.1));
            Stoker::kill_while_starting(&data, ports, instant);
        }
        stoker = Stoker::start_with(&data, ports, &[]);
        checked += check_done(&stoker, &contents);
    }

    let mut targets = 0;
    let tasks = stoker.json(&["task", "list", "--limit", "1000"]);
    let listed: HashSet<_> =
        tasks.as_array().unwrap().iter().map(|task| text(&task["id"])).collect();
    assert!(listed.is_superset(&answered), "a task that was answered is there");
    for task in &listed {
        let watched = stoker.cli(&["task", "watch", task]);
        assert_eq!(watched.code, Some(0), "{watched:?}");
        targets += stoker.json(&["task", "show", task])["task"]["targets"].as_u64().unwrap();
    }
    assert_eq!(targets as usize, listed.len() * BATCH);
    assert_eq!(Sdk::of(&stoker).charged(), (targets, targets), "each target was charged once");

    stoker.kill();
    let stoker = Stoker::start_with(&data, ports, &[]);
    let held = check_content(&stoker, &contents);
    assert_eq!(held as u64, targets * EDGES.len() as u64, "all that is done is there");
    let pulled: u64 = nginx.pulled().values().map(|pulled| pulled.bytes).sum();
    let whole: u64 = contents.iter().map(|content| content.size).sum();
    println!(
        "{} of {kills} calls were answered, {} accepted; {checked} times `done` was checked right \
         after a restart; the origin gave {:.2} times its bytes",
        answered.len(),
        listed.len(),
        pulled as f64 / whole as f64
    );
}

/// For the newest tasks: whatever says `done` of a node is a hit on that node, byte for byte.
fn check_done(stoker: &Stoker, contents: &[Content]) -> usize {
    let http = Http::new();
    let mut checked = 0;
    let list = stoker.json(&["task", "list", "--limit", "3"]);
    for task in list.as_array().unwrap() {
        let shown = stoker.json(&["task", "show", &text(&task["id"]), "--limit", "1000"]);
        for target in shown["targets"].as_array().unwrap() {
            if target["status"] != "done" {
                continue;
            }
            let url = text(&target["url"]);
            let path = url.strip_prefix("http://www.example.com/").unwrap();
            let content = &contents[path.parse::<usize>().unwrap()];
            for outcome in target["outcomes"].as_array().unwrap() {
                let node = text(&outcome["node"]);
                let port = stoker.ports().node(&node);
                let reply = http.get_cached(port, HOST, &content.path).unwrap();
                let fields = &reply.fields;
                assert!(reply.is_hit(), "{url} is done, but {node} says {fields:?}");
                assert_eq!(sha256(&reply.body), content.sha256, "{url} on {node}");
                checked += 1;
            }
        }
    }
    checked
}

/// How many pieces of content the edges hold, each with the origin's bytes.
fn check_content(stoker: &Stoker, contents: &[Content]) -> usize {
    let http = Http::new();
    let mut held = 0;
    for content in contents {
        for edge in EDGES {
            let reply = http.get_cached(stoker.ports().node(edge), HOST, &content.path).unwrap();
            if reply.is_hit() {
                assert_eq!(sha256(&reply.body), content.sha256, "{edge} {}", content.path);
                held += 1;
            }
        }
    }
    held
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("`{value}` is no text")).to_owned()
}

#[expect(clippy::disallowed_methods, reason = "`check.sh --long` asks for more")]
fn kills() -> usize {
    std::env::var("STOKER_E2E_KILLS").map_or(50, |kills| kills.parse().unwrap())
}

/// A call that may be cut off by the kill.
struct Push(std::process::Child);

impl Push {
    fn begin(stoker: &Stoker, batch: &[Content]) -> Self {
        use std::{
            io::Write,
            process::{Command, Stdio},
        };
        let mut child = Command::new(EXECUTABLE)
            .args(["prefetch", "--list", "-", "--area", "global", "--tier", "edge", "--json"])
            .arg("--data")
            .arg(stoker.data())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let list: String =
            batch.iter().map(|content| format!("http://{HOST}{}\n", content.path)).collect();
        child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
        Self(child)
    }

    /// The task, if the call was answered.
    fn task(self) -> Option<String> {
        let output = self.0.wait_with_output().unwrap();
        let printed: Value = serde_json::from_slice(&output.stdout).ok()?;
        Some(text(&printed[0]["task_id"]))
    }
}
