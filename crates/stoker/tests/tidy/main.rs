//! Rules that no compiler checks: headers, sizes, arrows between crates and folders, words.
//!
//! Each test walks the whole tree and names every offence at once. It reads files and `cargo
//! metadata`; it never builds anything and never changes a file.

mod folders;
mod imports;
mod tokens;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Most lines of a source file, tests not counted.
const MAX_LINES: usize = 600;

/// Which of our crates each crate may import (ARCHITECTURE.md, "Code map").
const ARROWS: &[(&str, &[&str])] = &[
    ("stoker-agent", &["stoker-domain"]),
    ("stoker-domain", &[]),
    ("stoker-listen", &[]),
    ("stoker-ledger", &["stoker-domain"]),
    ("stoker-engine", &["stoker-domain", "stoker-ledger"]),
    ("stoker-node", &["stoker-agent", "stoker-domain", "stoker-listen"]),
    ("stoker-gateway", &["stoker-domain", "stoker-engine", "stoker-listen"]),
    ("stoker-testkit", &["stoker-domain"]),
    (
        "stoker",
        &[
            "stoker-agent",
            "stoker-domain",
            "stoker-engine",
            "stoker-gateway",
            "stoker-ledger",
            "stoker-listen",
            "stoker-node",
        ],
    ),
];

/// What tests may import beyond that; all of them `testkit`. The gateway's run on a real ledger.
const DEV_ARROWS: &[(&str, &str)] = &[("stoker-gateway", "stoker-ledger")];

/// What makes functions depend on more than their arguments.
const NOT_FOR_DOMAIN: &[&str] = &[
    "async-trait",
    "axum",
    "hyper",
    "hyper-util",
    "rand",
    "rusqlite",
    "rustix",
    "tokio",
    "tracing",
];

/// Where the vendor may be named: its adapter and what is about or uses its clients.
const VENDOR_PLACES: &[&str] = &[
    "crates/gateway/src/tencent",
    // test vectors of its clients
    "crates/gateway/src/auth/tc3/tests.rs",
    "crates/gateway/src/auth/v1",
    "crates/gateway/tests",
    "crates/stoker/tests/e2e",
    "crates/stoker/tests/tidy",
    "docs/compat",
    "examples",
    "bench",
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "check.sh",
];

#[test]
fn every_file_says_what_it_is_for() {
    let missing: Vec<_> = rust_files()
        .into_iter()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| format!("{} does not begin with a `//!` header", file.path))
        .collect();
    assert_none(&missing);
}

#[test]
fn no_file_is_longer_than_600_lines_without_its_tests() {
    let long: Vec<_> = rust_files()
        .into_iter()
        .filter(|file| !file.is_test())
        .map(|file| (lines_outside_tests(&file.text), file))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .map(|(lines, file)| format!("{} has {lines} lines", file.path))
        .collect();
    assert_none(&long);
}

#[test]
fn only_the_arrows_of_the_design_exist() {
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().expect("name");
        let Some(allowed) = arrows.get(name) else {
            wrong.push(format!("crate `{name}` is not in the list of this test"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = dependency["name"].as_str().expect("name");
            let is_dev = dependency["kind"].as_str() == Some("dev");
            let is_ours = to == "stoker" || to.starts_with("stoker-");
            let is_for_tests = to == "stoker-testkit" || DEV_ARROWS.contains(&(name, to));
            let is_allowed = allowed.contains(&to) || (is_dev && is_for_tests);
            if is_ours && !is_allowed {
                wrong.push(format!("`{name}` may not import `{to}`"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_engine_hands_on_no_type_of_the_ledger() {
    let mut wrong = Vec::new();
    for file in rust_files().into_iter().filter(|file| file.path.starts_with("crates/engine/")) {
        for (number, line) in file.lines() {
            if line.trim_start().starts_with("pub use stoker_ledger") {
                wrong.push(format!("{}:{number} re-exports: {line}", file.path));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_rules_know_no_runtime_no_network_and_no_database() {
    let packages = packages();
    let domain = packages.iter().find(|package| package["name"] == "stoker-domain");
    let dependencies = domain.expect("the crate is there")["dependencies"].as_array();
    let wrong: Vec<_> = dependencies
        .expect("dependencies")
        .iter()
        .filter_map(|dependency| dependency["name"].as_str())
        .filter(|name| NOT_FOR_DOMAIN.contains(name))
        .map(|name| format!("`stoker-domain` may not import `{name}`"))
        .collect();
    assert_none(&wrong);
}

#[test]
fn nothing_is_imported_by_glob_except_preludes_and_the_module_under_test() {
    let mut wrong = Vec::new();
    for file in rust_files() {
        for (number, line) in file.lines() {
            let import = line.trim_start().trim_start_matches("pub ");
            let is_glob = import.starts_with("use ") && import.contains("::*");
            if is_glob && !import.contains("prelude::*") && import.trim() != "use super::*;" {
                wrong.push(format!("{}:{number} imports by glob: {line}", file.path));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_vendor_is_named_only_at_the_edge() {
    let mut wrong = Vec::new();
    for file in text_files() {
        if VENDOR_PLACES.iter().any(|place| file.path.starts_with(place)) {
            continue;
        }
        for (number, line) in file.lines() {
            let line = line.to_ascii_lowercase();
            // the gateway may speak of its module, and everybody of the folders
            let mut rest = line.replace("src/tencent", "").replace("compat/tencent", "");
            if file.path.starts_with("crates/gateway/src/") {
                rest = rest
                    .replace("mod tencent", "")
                    .replace("tencent::", "")
                    .replace("tencent/", "");
            }
            if rest.contains("tencent") {
                wrong.push(format!("{}:{number} names the vendor: {line}", file.path));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn nothing_is_left_for_later_and_no_test_is_switched_off() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[", "ignore")];
    find_words(&marks, |file| file.path.starts_with("crates/") || file.path == "check.sh");
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let paths = [
        concat!("/ro", "ot/."),
        concat!("/ho", "me/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
    ];
    find_words(&paths, |_| true);
}

fn packages() -> Vec<Value> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

fn find_words(words: &[&str], is_searched: impl Fn(&File) -> bool) {
    let mut found = Vec::new();
    for file in text_files().into_iter().filter(is_searched) {
        for (number, line) in file.lines() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{number} contains `{word}`: {line}", file.path));
            }
        }
    }
    assert_none(&found);
}

fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

/// A text file of the repository.
struct File {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
}

impl File {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.contains("/suite/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("/suite.rs")
    }
}

fn rust_files() -> Vec<File> {
    text_files().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

fn text_files() -> Vec<File> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the tree is readable") {
            let path = entry.expect("the tree is readable").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                let is_ours = !name.starts_with('.') || name == ".ci";
                if is_ours && name != "target" && name != "node_modules" && name != "stoker-data" {
                    folders.push(path);
                }
            } else if is_text(&path) {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let path = path.strip_prefix(&root).expect("found below the root");
                found.push(File { path: path.to_string_lossy().into_owned(), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 20, "the walk found the repository");
    found
}

fn is_text(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    [".rs", ".toml", ".md", ".sh", ".py", ".snap", ".sql", ".json", ".yml", ".yaml"]
        .iter()
        .any(|ending| name.ends_with(ending))
        || path.parent().and_then(Path::file_name).is_some_and(|folder| folder == ".ci")
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders below the root").into()
}

/// Lines of `text` without those of `#[cfg(test)] mod … { … }` blocks.
fn lines_outside_tests(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens = |next: &&str| next.starts_with("mod ") && next.ends_with('{');
        if line == "#[cfg(test)]" && lines.peek().is_some_and(opens) {
            lines.by_ref().find(|line| *line == "}");
        } else {
            count += 1;
        }
    }
    count
}

#[test]
fn test_blocks_do_not_count_as_lines() {
    assert_eq!(lines_outside_tests("a\n#[cfg(test)]\nmod tests {\n    b\n}\nc\n"), 2);
    assert_eq!(lines_outside_tests("#[cfg(test)]\nmod tests;\nc\n"), 3);
}
