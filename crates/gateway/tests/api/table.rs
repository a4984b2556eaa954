//! The table of compatibility is true: every code that was published is either answered, and then
//! some recorded reply or some test shows it, or listed with the reason why it never is.

use std::{collections::BTreeSet, fs, path::Path};

const TABLE: &str = include_str!("../../../../docs/compat/tencent.md");
/// Codes that were published for the actions of API 3.0 that are served, and for all actions.
const PUBLISHED: &str = include_str!("../published/codes-3.0.txt");
/// Common codes and codes of the module `cdn` of API v2.
const PUBLISHED_V2: &str = include_str!("../published/codes-v2.txt");
const NEVER: &str = "Published for these actions and never answered";
const NEVER_V2: &str = "Published and never answered";

#[test]
fn a_published_code_is_answered_or_has_a_reason_never_to_be() {
    let (answered, never) = (answered(), never(NEVER));
    let twice: Vec<_> = answered.intersection(&never).collect();
    assert!(twice.is_empty(), "answered, and never answered: {twice:?}");
    for code in PUBLISHED.lines() {
        let is_named = answered.contains(code) || never.contains(code);
        assert!(is_named, "docs/compat/tencent.md says nothing of `{code}`");
    }
}

#[test]
fn a_published_code_of_api_v2_is_answered_or_has_a_reason_never_to_be() {
    let section = section("API v2");
    let (answers, _) = section.split_once(NEVER_V2).unwrap();
    let never = never(NEVER_V2);
    let answered: BTreeSet<_> = first_column(answers);
    for code in PUBLISHED_V2.lines().filter(|code| *code != "0") {
        let is_once = answered.contains(code) != never.contains(code);
        assert!(is_once, "docs/compat/tencent.md must name `{code}` of API v2 in one table");
    }
}

#[test]
fn a_code_that_is_answered_is_shown_by_a_recorded_reply_or_a_test() {
    let shown = shown();
    let mut missing: Vec<_> = answered().into_iter().collect();
    missing.retain(|code| !shown.contains(&format!("{code}\"")));
    for row in section("API v2").lines().filter(|row| row.starts_with("| `") && is_answer(row)) {
        let codes = quoted(row.split(" | ").next().unwrap()).skip(1).step_by(2);
        missing.extend(codes.filter(|code| {
            !shown.contains(&format!("{code}\"")) && !shown.contains(&format!("({code})"))
        }));
    }
    assert!(missing.is_empty(), "no reply and no test shows {missing:?}");
}

#[test]
fn a_file_that_the_table_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in
        quoted(TABLE).filter(|name| name.contains('/') && !name.contains(['…', '*', ' ', '<']))
    {
        let is_file = name.starts_with("tests/") || name.starts_with("src/");
        let place = if is_file { root.join(name) } else { root.join("../..").join(name) };
        if is_file || name.starts_with("crates/") {
            assert!(place.exists(), "docs/compat/tencent.md names {name}, which is not there");
        }
    }
    for row in TABLE.lines().filter(|row| row.contains("golden `")) {
        let name = quoted(row.split("golden ").nth(1).unwrap()).next().unwrap();
        if !name.contains(['…', '*']) && name.contains('/') {
            let (action, case) = name.split_once('/').unwrap();
            let cases = fs::read_to_string(root.join(format!("tests/golden/{action}.json")));
            let is_there = cases.unwrap().contains(&format!("\"name\": \"{case}\""));
            assert!(is_there, "docs/compat/tencent.md names {name}, which is not there");
        }
    }
}

/// The codes of API 3.0 in the first column of the table of codes.
fn answered() -> BTreeSet<&'static str> {
    let codes = section("Codes").split(NEVER).next().unwrap();
    first_column(codes)
}

fn never(start: &str) -> BTreeSet<&'static str> {
    first_column(TABLE.split(start).nth(1).unwrap().split("\n## ").next().unwrap())
}

fn first_column(text: &'static str) -> BTreeSet<&'static str> {
    let rows = text.lines().filter(|row| row.starts_with("| `"));
    rows.flat_map(|row| quoted(row.split(" | ").next().unwrap())).collect()
}

/// Rows of the table of answers of API v2 begin with a code and the text of `codeDesc`.
fn is_answer(row: &str) -> bool {
    let first = row.split(" | ").next().unwrap();
    first.contains("` `")
}

fn section(title: &str) -> &'static str {
    let start = format!("\n## {title}\n");
    TABLE.split(&start).nth(1).unwrap().split("\n## ").next().unwrap()
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// All recorded replies and the sources of these tests.
fn shown() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut text = String::new();
    for folder in ["golden", "golden-v2", "api"] {
        read(&root.join(folder), &mut text);
    }
    text
}

fn read(place: &Path, text: &mut String) {
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, text);
        } else if !path.ends_with("table.rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}
