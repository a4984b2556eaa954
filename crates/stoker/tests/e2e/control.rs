//! Tasks are paused, resumed, canceled and tried again while a slow origin counts what it sends, across
//! `kill -9`.

#![expect(clippy::print_stdout, reason = "figures of a test")]

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use stoker_testkit::{Origin, Script, content};
use tokio::runtime::Runtime;

use crate::running::{EXECUTABLE, Ports, Stoker, eventually, pause};

const HOST: &str = "www.example.com";
const SIZE: usize = 24 << 20;
/// What must have come before anything is stopped.
const BEGUN: u64 = 3 << 20;
const LIMIT: Duration = Duration::from_secs(120);
/// An origin that sends nothing for so long is left alone: it rests for far less between two pieces.
const STILL: Duration = Duration::from_secs(2);

struct House {
    stoker: Stoker,
    origin: Origin,
    folder: tempfile::TempDir,
    _runtime: Runtime,
}

impl House {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let origin = runtime.block_on(Origin::start());
        for (seed, path) in (1..).zip(["/a", "/b", "/c", "/shared"]) {
            let slow = Script::new(content(SIZE, seed)).etag("\"a\"");
            origin.on(path, slow.pace(32 << 10, Duration::from_millis(20)));
        }
        let folder = tempfile::tempdir().unwrap();
        let stoker = Stoker::start_with(&folder.path().join("data"), Ports::free(), &[]);
        stoker.add_domain(HOST, &origin.url(), &[]);
        Self { stoker, origin, folder, _runtime: runtime }
    }

    fn submit(&self, paths: &[&str]) -> String {
        let urls: Vec<_> = paths.iter().map(|path| format!("http://{HOST}{path}")).collect();
        let mut command = vec!["prefetch"];
        command.extend(urls.iter().map(String::as_str));
        text(&self.stoker.json(&command)[0]["task_id"])
    }

    fn until_begun(&self, path: &str) {
        let before = self.origin.sent_for(path);
        eventually(LIMIT, "the origin is read", || {
            (self.origin.sent_for(path) >= before + BEGUN).then_some(())
        });
    }

    /// Runs a command on a task, and waits until the origin sends nothing more of `path`.
    fn stop(&self, verb: &str, task: &str, path: &str) -> u64 {
        let ran = self.stoker.cli(&["task", verb, task]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let answered = Instant::now();
        let mut last = (self.origin.sent_for(path), answered);
        eventually(LIMIT, "the origin is left alone", || {
            let sent = self.origin.sent_for(path);
            if sent != last.0 {
                last = (sent, Instant::now());
            }
            (last.1.elapsed() >= STILL).then_some(())
        });
        println!("{verb}: last byte {:?} after the answer", last.1 - answered);
        assert!(last.0 < SIZE as u64, "{path} was read to its end");
        last.0
    }

    /// Kills the server with SIGKILL and starts it again.
    fn kill(self) -> Self {
        let Self { stoker, origin, folder, _runtime } = self;
        let ports = stoker.ports();
        stoker.kill();
        let stoker = Stoker::start_with(&folder.path().join("data"), ports, &[]);
        Self { stoker, origin, folder, _runtime }
    }

    fn task(&self, id: &str) -> Value {
        self.stoker.json(&["task", "show", id])
    }

    fn charged(&self) -> u64 {
        self.stoker.json(&["quota", "show"])["prefetch"][0]["used"].as_u64().unwrap()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("`{value}` is no text")).to_owned()
}

#[test]
fn a_paused_task_leaves_the_origin_alone_and_goes_on_after_a_kill() {
    let house = House::new();
    let task = house.submit(&["/a", "/shared"]);
    let other = house.submit(&["/shared"]);
    house.until_begun("/a");
    let sent = house.stop("pause", &task, "/a");
    assert_eq!(house.task(&task)["task"]["status"], "paused");
    let watched = house.stoker.cli(&["task", "watch", &other]);
    assert_eq!(watched.code, Some(0), "another task goes on: {watched:?}");
    let house = house.kill();
    let shown = house.task(&task);
    assert_eq!((&shown["task"]["status"], &shown["task"]["done"]), (&"paused".into(), &0.into()));
    assert_eq!(house.origin.sent_for("/a"), sent);
    let resumed = house.stoker.cli(&["task", "resume", &task]);
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    let watched = house.stoker.cli(&["task", "watch", &task]);
    assert_eq!(watched.code, Some(0), "{watched:?}");
    assert_eq!(house.charged(), 3, "nothing is charged again");
    for path in ["/a", "/shared"] {
        let read = house.origin.sent_for(path) as f64 / SIZE as f64;
        println!("{path}: the origin gave {read:.2} times its bytes");
        assert!(read < 1.6, "{path} was fetched again");
    }
}

#[test]
fn a_canceled_task_leaves_the_origin_alone_and_is_tried_again_after_a_kill() {
    let house = House::new();
    let task = house.submit(&["/b", "/missing"]);
    house.until_begun("/b");
    house.stop("cancel", &task, "/b");
    // one that is killed as soon as it has answered
    let killed = house.submit(&["/c"]);
    house.until_begun("/c");
    let ran = house.stoker.cli(&["task", "cancel", &killed, "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let house = house.kill();
    for task in [&task, &killed] {
        let shown = eventually(LIMIT, "the task is over", || {
            let shown = house.task(task);
            shown["task"]["finished_at"].is_string().then_some(shown)
        });
        assert_eq!(shown["task"]["status"], "canceled");
        let slow = &shown["targets"][0];
        assert_eq!((&slow["status"], &slow["outcome"]), (&"canceled".into(), &"canceled".into()));
    }
    let sent = house.origin.sent_for("/c");
    pause(STILL);
    assert_eq!(house.origin.sent_for("/c"), sent);
    let resume = house.stoker.cli(&["task", "resume", &task]);
    assert_eq!(resume.code, Some(1), "{resume:?}");
    let before = house.charged();
    let retried = house.stoker.cli(&["task", "retry", &killed, "--wait", "--json"]);
    assert_eq!(retried.code, Some(0), "{retried:?}");
    let retried: Value = serde_json::from_str(&retried.stdout).unwrap();
    assert_eq!(retried[0]["retry_of"], killed.as_str());
    assert_eq!(retried[0]["task"]["status"], "done");
    assert_eq!(house.charged(), before + 1);
}

#[test]
fn a_command_that_waits_for_a_task_says_that_it_was_paused_and_canceled() {
    let house = House::new();
    let waiting: Child = Command::new(EXECUTABLE)
        .args(["prefetch", "--wait", &format!("http://{HOST}/a"), "--data"])
        .arg(house.stoker.data())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = eventually(LIMIT, "the task is there", || {
        house.stoker.json(&["task", "list"])[0]["id"].as_str().map(String::from)
    });
    house.until_begun("/a");
    house.stop("pause", &id, "/a");
    // it prints a line every two seconds
    pause(Duration::from_secs(3));
    let canceled = house.stoker.cli(&["task", "cancel", &id]);
    assert_eq!(canceled.code, Some(0), "{canceled:?}");
    let output = waiting.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains(", paused, "), "{printed}");
    assert!(
        printed.contains(&format!("task {id}: canceled, 0 of 1 done, 1 canceled")),
        "{printed}"
    );
}
