//! Results of commands against a running server, for people and as `--json`.

use std::fs;

use insta::assert_snapshot;
use stoker_testkit::{Origin, Script, content};
use tokio::runtime::Runtime;

use crate::{
    running::{Ran, Stoker},
    steady, transcript,
};

const URL: &str = "http://www.example.com";

#[test]
fn commands_say_what_they_did_and_json_is_stable() {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::start());
    origin.on(
        "/a",
        Script::new(content(1000, 1)).etag("\"a\"").field("cache-control", "max-age=3600"),
    );
    origin.on("/gone", Script::status(404));
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    let ports = stoker.ports();
    let listen = format!("127.0.0.1:{}", ports.api());
    let mut nodes = Vec::new();
    for name in ["edge-mainland", "edge-overseas", "middle-mainland", "middle-overseas"] {
        nodes.push((format!("127.0.0.1:{}", ports.node(name)), format!("[{name}]")));
    }
    let mut names =
        vec![(listen.as_str(), "[API]"), (&origin.url()["http://".len()..], "[ORIGIN]")]
            .into_iter()
            .map(|(value, name)| (value.to_owned(), name.to_owned()))
            .collect::<Vec<_>>();
    names.extend(nodes);
    let record = |text: &mut String, args: &[&str], ran: &Ran, names: &[(String, String)]| {
        let names: Vec<_> = names.iter().map(|(v, n)| (v.as_str(), n.as_str())).collect();
        text.push_str(&steady(&transcript(args, ran), stoker.data(), &names));
        text.push('\n');
    };

    let mut text = String::new();
    let origin_url = origin.url();
    let private = ["--allow-private-origin"];
    let add = ["domain", "add", "www.example.com", "--origin", &origin_url, "--area", "overseas"];
    let run = |args: &[&str]| stoker.cli(args);
    let add = [&add[..], &private[..]].concat();
    record(&mut text, &add, &run(&add), &names);
    for args in [
        &["domain", "list"][..],
        &["domain", "list", "--json"],
        &["domain", "show", "www.example.com"],
        &["domain", "show", "www.example.com", "--json"],
        &["domain", "show", "other.example.com"],
        &["task", "list"],
        &["task", "list", "--json"],
    ] {
        record(&mut text, args, &run(args), &names);
    }
    assert_snapshot!("domains", text);

    let mut text = String::new();
    let (good, gone) = (format!("{URL}/a"), format!("{URL}/gone"));
    let prefetch = ["prefetch", &good, &gone, "--layer", "edge", "--wait", "--json"];
    let ran = run(&prefetch);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let printed: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let task = printed[0]["task_id"].as_str().unwrap().to_owned();
    names.push((task.clone(), "[TASK]".into()));
    record(&mut text, &prefetch, &ran, &names);
    for args in [
        &["task", "show", &task][..],
        &["task", "show", &task, "--json"],
        &["task", "show", &task, "--status", "failed"],
        &["task", "list", "--json"],
        &["task", "show", "1"],
    ] {
        record(&mut text, args, &run(args), &names);
    }
    // the size of a page that says 404 depends on which of two nodes wrote it
    for (size, name) in [("14", "[ERROR PAGE]"), ("24", "[ERROR PAGE]")] {
        text =
            text.replace(&format!("\"size_bytes\": {size},"), &format!("\"size_bytes\": {name},"));
        text = text.replace(&format!("\"total_bytes\": 10{size},"), "\"total_bytes\": [SUM],");
        text = text.replace(&format!("404  {size} B "), "404  -    ");
    }
    assert_snapshot!("tasks", text);

    let mut text = String::new();
    for args in [
        &["check", &good, "--layer", "edge"][..],
        &["check", &gone],
        &["check", &gone, "--json"],
        &["check", "http://other.example.com/"],
        &["domain", "remove", "www.example.com"],
        &["domain", "remove", "www.example.com"],
    ] {
        record(&mut text, args, &run(args), &names);
    }
    // seconds go by
    let text = text.replace("59m 59s", "60m").replace("59m 58s", "60m").replace("1h 0m", "60m");
    assert_snapshot!("check", text);
}

#[test]
fn doctor_finds_what_is_well_and_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain("dead.example.com", "http://127.0.0.1:1", &[]);
    let ran = stoker.cli(&["doctor"]);
    assert_eq!(ran.code, Some(1));
    let said = |word: &str, part: &str| {
        let found = ran.stdout.lines().any(|line| line.starts_with(word) && line.contains(part));
        assert!(found, "`{word}` … `{part}` is not in\n{}", ran.stdout);
    };
    said("ok", "is readable");
    said("ok", "is its owner's alone");
    said("ok", "disk space left");
    said("ok", "clocks");
    said("ok", "is ready");
    said("ok", "the key is accepted");
    for node in ["edge-mainland", "edge-overseas", "middle-mainland", "middle-overseas"] {
        said("ok", &format!("node `{node}` answers"));
    }
    said("fail", "origin of `dead.example.com`");

    let credentials = stoker.data().join("credentials.json");
    let text =
        fs::read_to_string(&credentials).unwrap().replace("secret_key\": \"", "secret_key\": \"x");
    fs::write(&credentials, text).unwrap();
    let ran = stoker.cli(&["doctor"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("fail"), "{}", ran.stdout);
}
