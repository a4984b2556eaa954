//! Results of commands against a running server, for people and as `--json`.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Command, Output, Stdio},
};

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stoker_testkit::{Origin, Script, content};
use tokio::runtime::Runtime;

use crate::{
    running::{EXECUTABLE, Ran, Stoker},
    steady, transcript,
};

const GOOD: &str = "http://www.example.com/a";
const GONE: &str = "http://www.example.com/gone";
const ENDLESS: &str = "http://www.example.com/silent";

#[test]
fn commands_say_what_they_did_and_json_is_stable() {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::start());
    let good = Script::new(content(1000, 1)).etag("\"a\"").field("cache-control", "max-age=3600");
    origin.on("/a", good);
    origin.on("/gone", Script::status(404));
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new(Stoker::start(&folder.path().join("data")));
    session.names.push((origin.address().to_string(), "[ORIGIN]".into()));
    domains(&mut session, &origin.url());
    tasks(&mut session);
    check(&mut session);
    quota(&mut session);
}

#[test]
fn tasks_are_paused_resumed_canceled_and_tried_again() {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::start());
    origin.on("/a", Script::new(content(1000, 1)).etag("\"a\""));
    origin.on("/gone", Script::status(404));
    origin.on("/silent", Script::silent());
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new(Stoker::start(&folder.path().join("data")));
    session.stoker.add_domain("www.example.com", &origin.url(), &["--area", "overseas"]);
    let [done, failed, endless] = [GOOD, GONE, ENDLESS].map(|url| {
        let submitted = session.stoker.json(&["prefetch", url, "--tier", "edge"]);
        submitted[0]["task_id"].as_str().unwrap().to_owned()
    });
    for (task, name) in [(&done, "[DONE]"), (&failed, "[FAILED]"), (&endless, "[ENDLESS]")] {
        session.names.push((task.clone(), name.into()));
    }
    for (task, code) in [(&done, 0), (&failed, 1)] {
        assert_eq!(session.stoker.cli(&["task", "watch", task]).code, Some(code));
    }
    session.record(&["task", "resume", &endless]);
    session.record(&["task", "pause", &endless]);
    session.record(&["task", "pause", &endless, &done, "1"]);
    session.record(&["task", "show", &endless]);
    session.record(&["task", "retry", &endless]);
    session.record(&["task", "resume", &endless]);
    session.record(&["task", "retry", &endless]);
    session.record(&["task", "cancel", &endless, &done]);
    session.record(&["task", "cancel", &endless, "--json"]);
    session.record(&["task", "resume", &endless]);
    session.record(&["task", "show", &endless, "--status", "canceled"]);
    session.record(&["task", "retry", &done]);
    let retry = ["task", "retry", &failed, "--wait", "--json"];
    let ran = session.stoker.cli(&retry);
    let again = session.stoker.json(&["task", "list", "--limit", "1"]);
    session.names.push((again[0]["id"].as_str().unwrap().into(), "[AGAIN]".into()));
    session.write(&retry, &ran);
    assert_snapshot!("control", session.taken());
}

fn quota(session: &mut Session) {
    let quota = session.stoker.cli(&["quota", "show", "--json"]).stdout;
    let quota: Value = serde_json::from_str(&quota).unwrap();
    session.names.push((quota["account"].as_str().unwrap().into(), "[UIN]".into()));
    session.record(&["quota", "show"]);
    session.record(&["quota", "set", "cdn", "--area", "overseas", "--daily", "1"]);
    session.record(&["quota", "set", "cdn-purge-path", "--batch", "7", "--daily", "8", "--json"]);
    session.record(&["quota", "set", "teo", "--area", "mainland", "--daily", "5"]);
    session.record(&["quota", "set", "teo", "--area", "overseas", "--daily", "5"]);
    session.record(&["quota", "show", "--account", "1"]);
    assert_snapshot!("quota", session.taken());
}

fn domains(session: &mut Session, origin: &str) {
    let add = ["domain", "add", "www.example.com", "--origin", origin, "--area", "overseas"];
    session.record(&[&add[..], &["--allow-private-origin"]].concat());
    let zones = session.stoker.cli(&["zone", "list", "--json"]).stdout;
    let zones: Value = serde_json::from_str(&zones).unwrap();
    session.names.push((zones[0]["zone_id"].as_str().unwrap().into(), "[ZONE]".into()));
    session.record(&["zone", "list"]);
    session.record(&["zone", "list", "--json"]);
    session.record(&["zone", "remove", "example.com"]);
    session.record(&["domain", "list"]);
    session.record(&["domain", "list", "--json"]);
    session.record(&["domain", "show", "www.example.com"]);
    session.record(&["domain", "show", "www.example.com", "--json"]);
    session.record(&["domain", "show", "other.example.com"]);
    session.record(&["domain", "stop", "www.example.com"]);
    session.record(&["domain", "set", "www.example.com"]);
    session.record(&["domain", "set", "www.example.com", "--shield", "per-area", "--no-zone"]);
    session.record(&["domain", "set", "www.example.com", "--shield", "global", "--json"]);
    session.record(&["domain", "start", "www.example.com"]);
    session.record(&["zone", "remove", "example.com"]);
    session.record(&["zone", "show", "example.com"]);
    session.record(&["task", "list"]);
    session.record(&["task", "list", "--json"]);
    assert_snapshot!("domains", session.taken());
}

fn tasks(session: &mut Session) {
    let prefetch = ["prefetch", GOOD, GONE, "--tier", "edge", "--wait", "--json"];
    let ran = session.stoker.cli(&prefetch);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
    let task = printed[0]["task_id"].as_str().unwrap().to_owned();
    session.names.push((task.clone(), "[TASK]".into()));
    session.write(&prefetch, &ran);
    session.record(&["task", "show", &task]);
    session.record(&["task", "show", &task, "--json"]);
    session.record(&["task", "show", &task, "--status", "failed"]);
    session.record(&["task", "list", "--json"]);
    session.record(&["task", "show", "1"]);
    assert_snapshot!("tasks", session.taken());
}

fn check(session: &mut Session) {
    session.record(&["check", GOOD, "--tier", "edge"]);
    session.record(&["check", GONE]);
    session.record(&["check", GONE, "--tier", "all", "--json"]);
    session.record(&["check", "http://other.example.com/"]);
    session.record(&["domain", "remove", "www.example.com"]);
    session.record(&["domain", "remove", "www.example.com"]);
    // seconds go by
    let text = ["59m 59s", "59m 58s", "1h 0m"]
        .iter()
        .fold(session.taken(), |text, time| text.replace(time, "[AN HOUR]"));
    assert_snapshot!("check", text);
}

/// A person at a terminal, and what they see.
pub(crate) struct Session {
    pub(crate) stoker: Stoker,
    /// What differs from run to run, and what stands for it.
    pub(crate) names: Vec<(String, String)>,
    text: String,
}

impl Session {
    pub(crate) fn new(stoker: Stoker) -> Self {
        let names = vec![(format!("127.0.0.1:{}", stoker.ports().api()), "[API]".into())];
        Self { stoker, names, text: String::new() }
    }

    pub(crate) fn record(&mut self, args: &[&str]) {
        self.feed(args, "");
    }

    /// As [`Self::record`], with text on standard input.
    pub(crate) fn feed(&mut self, args: &[&str], input: &str) {
        let ran = self.stoker.cli_with_input(args, input);
        self.write(args, &ran);
    }

    pub(crate) fn write(&mut self, args: &[&str], ran: &Ran) {
        let text = steady(&transcript(args, ran), self.stoker.data(), &self.names);
        self.text.push_str(&text);
        self.text.push('\n');
    }

    pub(crate) fn taken(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

#[test]
fn doctor_reports_what_is_well_and_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain("dead.example.com", "http://127.0.0.1:1", &[]);
    let ran = stoker.cli(&["doctor"]);
    assert_eq!(ran.code, Some(1));
    let reports = |word: &str, part: &str| {
        let found = ran.stdout.lines().any(|line| line.starts_with(word) && line.contains(part));
        assert!(found, "`{word}` … `{part}` is not in\n{}", ran.stdout);
    };
    reports("ok", "is readable");
    reports("ok", "only its owner can read");
    reports("ok", "of disk space are free");
    reports("ok", "clocks");
    reports("ok", "is ready");
    reports("ok", "ledger.sqlite` is intact");
    reports("ok", "the ledger accepts writes");
    reports("ok", "the cache folders of the nodes can be written");
    reports("ok", "the key is accepted");
    for node in ["edge-mainland", "edge-overseas", "middle-mainland", "middle-overseas"] {
        reports("ok", &format!("node `{node}` answers"));
    }
    reports("fail", "origin of `dead.example.com`");

    let credentials = stoker.data().join("credentials.json");
    let text =
        fs::read_to_string(&credentials).unwrap().replace("secret_key\": \"", "secret_key\": \"x");
    fs::write(&credentials, text).unwrap();
    let ran = stoker.cli(&["doctor"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("fail"), "{}", ran.stdout);
}

#[test]
fn a_private_origin_is_told_when_it_is_added_and_by_doctor() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    let ran = stoker.cli(&["domain", "add", "a.example.com", "--origin", "http://10.0.0.1"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("`10.0.0.1` has a private address"), "{ran:?}");
    assert!(ran.stderr.contains("hint: ") && ran.stderr.contains("--allow-private-origin"));

    let ran = stoker.cli(&["domain", "add", "b.example.com", "--origin", "http://localhost:1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("blocked:private-address"));
    let shown = stoker.json(&["domain", "show", "b.example.com"]);
    assert_eq!(shown["warnings"].as_array().map(Vec::len), Some(1), "{shown}");
    let ran = stoker.cli(&["doctor"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let is_told = |line: &str| line.starts_with("fail") && line.contains("private address");
    assert!(ran.stdout.lines().any(is_told), "{ran:?}");

    let set = ["domain", "set", "b.example.com"];
    let ran = stoker.cli(&[&set[..], &["--origin", "http://127.0.0.1:1"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let ran = stoker.cli(&[&set[..], &["--allow-private-origin"]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
}

#[test]
fn an_interrupted_wait_says_that_the_task_continues_and_exits_with_130() {
    // it takes connections and never answers
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    let origin = format!("http://{}", silent.local_addr().unwrap());
    stoker.add_domain("www.example.com", &origin, &[]);
    let interrupted = |args: &[&str]| {
        let mut command = Command::new(EXECUTABLE);
        command.args(args).arg("--data").arg(stoker.data());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // the first line of progress is written by whoever listens for Ctrl-C
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains('%') {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "{args:?} ended");
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        let Output { status, stderr, .. } = child.wait_with_output().unwrap();
        assert_eq!(status.code(), Some(130), "{args:?}");
        String::from_utf8(stderr).unwrap()
    };
    let told = interrupted(&["prefetch", "--wait", GOOD]);
    let id = stoker.json(&["task", "list"])[0]["id"].as_str().unwrap().to_owned();
    let expected = format!(
        "task {id} continues on the server\nhint: `stoker task watch {id}` shows it again\n"
    );
    assert_eq!(told, expected);
    assert_eq!(interrupted(&["task", "watch", &id]), expected);
    assert_eq!(stoker.json(&["task", "list"])[0]["status"], "processing");
}

#[test]
fn limits_and_what_was_used_survive_a_restart_with_another_reset() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let stoker = Stoker::start(&data);
    stoker.add_domain("www.example.com", "http://127.0.0.1:1", &[]);
    stoker.json(&["quota", "set", "cdn", "--area", "mainland", "--daily", "5"]);
    let prefetch = ["prefetch", "http://www.example.com/a", "--area", "mainland"];
    stoker.json(&prefetch);
    let before = stoker.json(&["quota", "show"]);
    assert_eq!(
        (&before["prefetch"][0]["daily"], &before["prefetch"][0]["used"]),
        (&5.into(), &1.into())
    );
    let ports = stoker.ports();
    stoker.terminate();
    let flags = ["--quota-reset", "09:30-03:00", "--calls-per-second", "0"];
    let stoker = Stoker::start_with(&data, ports, &flags);
    let after = stoker.json(&["quota", "show"]);
    assert_eq!(after["products"], before["products"]);
    assert!(after["resets_at"].as_str() > before["resets_at"].as_str(), "{before} {after}");
    assert!(after["resets_at"].as_str().unwrap().ends_with("T12:30:00.000Z"), "{after}");
    let changed = stoker.json(&["quota", "day", "13:00Z"]);
    assert!(changed["resets_at"].as_str().unwrap().ends_with("T13:00:00.000Z"), "{changed}");
    let ports = stoker.ports();
    stoker.terminate();
    let stoker = Stoker::start_with(&data, ports, &[]);
    assert_eq!(stoker.json(&["quota", "show"])["resets_at"], changed["resets_at"]);
}
