//! The examples of the README, run as they are printed but for the port.

use std::{
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use crate::{
    harness::{Content, Nginx, node, python, venv},
    running::Stoker,
};

const README: &str = include_str!("../../../../README.md");
const DEFAULT_PORT: &str = "127.0.0.1:7700";

/// The only example of the README that is in `language` and names `word`.
fn example(language: &str, word: &str) -> String {
    let fence = format!("```{language}\n");
    let blocks = README.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    let blocks: Vec<_> = blocks.filter(|block| block.contains(word)).collect();
    assert_eq!(blocks.len(), 1, "examples in {language} that name {word}");
    blocks[0].to_owned()
}

fn stdout_of(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn run(mut command: Command, arguments: &[&str], folder: &Path) -> String {
    // these clients would ask a proxy even for the loopback address
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"] {
        command.env_remove(name);
    }
    stdout_of(&command.args(arguments).current_dir(folder).env("HOME", folder).output().unwrap())
}

#[test]
fn each_example_of_a_client_submits_a_task() {
    let nginx = Nginx::start();
    Content::write(&nginx.www(), "/a.jpg", 1000, 1);
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain("www.example.com", &nginx.url(), &[]);
    symlink(stoker.data(), folder.path().join("stoker-data")).unwrap();
    let endpoint = format!("127.0.0.1:{}", stoker.ports().api());
    let example = |language, word| {
        let text = example(language, word);
        assert!(text.contains(DEFAULT_PORT), "{text}");
        text.replace(DEFAULT_PORT, &endpoint)
    };

    let in_python = run(python(), &["-c", &example("python", "PushUrlsCache")], folder.path());
    let in_node = run(node(), &["-e", &example("js", "PushUrlsCache")], folder.path());
    let script = example("sh", "tccli");
    let mut shell = Command::new("bash");
    shell.env("PATH", format!("{}:/usr/bin:/bin", venv().display()));
    let in_shell = run(shell, &["-euc", &script], folder.path());
    let in_shell: serde_json::Value = serde_json::from_str(&in_shell).unwrap();

    let ids = [in_python.trim(), in_node.trim(), in_shell["TaskId"].as_str().unwrap()];
    for id in ids {
        let shown = stoker.cli(&["task", "show", id]);
        assert_eq!(shown.code, Some(0), "{id}: {}", shown.stderr);
    }
}
