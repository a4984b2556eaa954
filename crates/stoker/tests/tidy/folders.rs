//! Folders inside the crates: no files of different folders import each other in a circle, and one
//! folder imports another only as ARCHITECTURE.md draws it.
//!
//! A folder is what stands at the top of `src/`, or has a `mod.rs`; other folders are parts of the
//! one around them. The root of a crate (`lib.rs`, `main.rs`) holds what all its folders share and
//! names them, so it is not counted. The drawing is the tables of ARCHITECTURE.md whose head says
//! "folder of `CRATE`"; what they draw and nobody imports is an offence too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::{File, assert_none, imports::Sources, root, rust_files};

/// By file: the files whose names it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// By folder: the folders that it imports.
type Arrows = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_files_of_different_folders_import_each_other_in_a_circle() {
    let mut wrong = Vec::new();
    for (name, texts) in crates() {
        let uses = uses(&texts);
        let folders = folders(&uses);
        for circle in circles(&uses) {
            let touched: BTreeSet<_> =
                circle.iter().map(|file| folder_of(file, &folders)).collect();
            if touched.len() > 1 {
                wrong.push(format!("`{name}`: {}", circle.join(", ")));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn folders_import_each_other_as_the_architecture_draws_it() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    let drawings = drawings(&text);
    let mut wrong = Vec::new();
    for (name, texts) in crates() {
        let uses = uses(&texts);
        let drawn = drawings.get(&name).cloned().unwrap_or_default();
        let real = arrows(&uses, &folders(&uses));
        let all: BTreeSet<_> = drawn.keys().chain(real.keys()).collect();
        for folder in all {
            let none = BTreeSet::new();
            match (drawn.get(folder), real.get(folder)) {
                (None, Some(_)) => wrong.push(format!("`{name}`: `{folder}` is not drawn")),
                (Some(_), None) => wrong.push(format!("`{name}`: `{folder}` does not exist")),
                (drawn, real) => {
                    let (drawn, real) = (drawn.unwrap_or(&none), real.unwrap_or(&none));
                    for to in real.difference(drawn) {
                        wrong.push(format!("`{name}`: `{folder}` may not import `{to}`"));
                    }
                    for to in drawn.difference(real) {
                        wrong.push(format!("`{name}`: `{folder}` is drawn to import `{to}`"));
                    }
                }
            }
        }
        wrong.extend(
            circles(&drawn)
                .into_iter()
                .map(|circle| format!("`{name}` draws the circle {}", circle.join(", "))),
        );
    }
    assert_none(&wrong);
}

/// By crate: its source files by their path from `src/`.
fn crates() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut crates: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for File { path, text } in rust_files() {
        let parts = path.strip_prefix("crates/").and_then(|path| path.split_once("/src/"));
        if let Some((name, file)) = parts {
            crates.entry(name.to_owned()).or_default().insert(file.to_owned(), text);
        }
    }
    crates
}

/// Which file uses which, without the root of the crate and without tests.
fn uses(texts: &BTreeMap<String, String>) -> Uses {
    let is_root = |file: &str| file == "lib.rs" || file == "main.rs";
    let sources = Sources::read(texts);
    let mut uses: Uses = sources.files().map(|file| (file.to_owned(), BTreeSet::new())).collect();
    uses.retain(|file, _| !is_root(file));
    for (from, to) in sources.uses() {
        if !is_root(&from) && !is_root(&to) {
            uses.entry(from).or_default().insert(to);
        }
    }
    uses
}

/// The folders that count, each from `src/`.
fn folders(uses: &Uses) -> BTreeSet<String> {
    let folders = uses.keys().filter_map(|file| file.rsplit_once('/'));
    folders
        .filter(|(folder, file)| !folder.contains('/') || *file == "mod.rs")
        .map(|(folder, _)| folder.to_owned())
        .collect()
}

/// The innermost folder that counts, or nothing for a file at the top. `store.rs` is of `store/`.
fn folder_of<'a>(file: &'a str, folders: &BTreeSet<String>) -> &'a str {
    let mut folder = file.strip_suffix(".rs").unwrap_or(file);
    while !folder.is_empty() && !folders.contains(folder) {
        folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    folder
}

/// The arrows between the folders at the top, and between those inside one of them.
fn arrows(uses: &Uses, folders: &BTreeSet<String>) -> Arrows {
    let mut arrows = Arrows::new();
    for (from, all) in uses {
        let from = folder_of(from, folders);
        if from.is_empty() {
            continue;
        }
        let arrows = arrows.entry(from.to_owned()).or_default();
        let others = all.iter().map(|to| folder_of(to, folders));
        arrows.extend(others.filter(|to| !to.is_empty() && *to != from).map(str::to_owned));
    }
    arrows
}

/// Reads the tables of ARCHITECTURE.md, by crate.
fn drawings(text: &str) -> BTreeMap<String, Arrows> {
    let mut drawings = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("| folder of `") else { continue };
        let name = name.split('`').next().unwrap_or_default();
        let rows = lines.by_ref().take_while(|line| line.starts_with('|')).skip(1);
        let arrows = rows.map(|row| {
            let words: Vec<_> = row.split('`').collect();
            let mut quoted = words.iter().skip(1).step_by(2).map(ToString::to_string);
            (quoted.next().expect("a row names a folder"), quoted.collect())
        });
        drawings.insert(name.to_owned(), arrows.collect());
    }
    drawings
}

/// The groups of two and more in which each leads to each.
fn circles(uses: &Uses) -> Vec<Vec<String>> {
    let reached = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut open = vec![from.to_owned()];
        while let Some(next) = open.pop() {
            for to in uses.get(&next).into_iter().flatten() {
                if reached.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        reached
    };
    let reach: BTreeMap<_, _> = uses.keys().map(|file| (file, reached(file))).collect();
    let mut circles = BTreeSet::new();
    for (file, others) in &reach {
        let circle: Vec<_> = others
            .iter()
            .filter(|other| reach.get(other).is_some_and(|back| back.contains(*file)))
            .cloned()
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

mod checked {
    use super::*;

    fn texts(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        files.iter().map(|(file, text)| (file.to_string(), text.to_string())).collect()
    }

    #[test]
    fn uses_are_followed_through_re_exports_to_the_file_that_defines() {
        let texts = texts(&[
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod inner; pub use inner::Thing; pub fn f() {}"),
            ("a/inner.rs", "pub struct Thing; fn g() -> impl Fn() + use<> { || () }"),
            ("b/mod.rs", "use crate::a::{self, Thing as Other}; fn g(_: a::Thing) {}"),
            ("b/late.rs", "fn g() { let s = \"crate::a::f\"; crate::a::f() } // crate::b::x()"),
        ]);
        let found = uses(&texts);
        assert_eq!(Vec::from_iter(&found["b/mod.rs"]), ["a/inner.rs"]);
        assert_eq!(Vec::from_iter(&found["b/late.rs"]), ["a/mod.rs"]);
    }

    #[test]
    fn tests_and_the_root_are_not_counted() {
        let texts = texts(&[
            ("lib.rs", "mod a; pub struct Root;"),
            (
                "a.rs",
                "use crate::Root; #[cfg(test)] mod tests; #[cfg(test)] mod more { use crate::b::B; }",
            ),
            ("a/tests.rs", "use crate::b::B;"),
            ("b.rs", "pub struct B;"),
        ]);
        assert!(uses(&texts).values().all(BTreeSet::is_empty));
        assert_eq!(Vec::from_iter(uses(&texts).keys()), ["a.rs", "b.rs"]);
    }

    #[test]
    fn a_circle_of_three_is_found_and_a_straight_line_is_none() {
        let texts = texts(&[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use super::b::B;"),
            ("b.rs", "use crate::c; fn f() { c::f() }"),
            ("c.rs", "use crate::{a::A, d::D};"),
            ("d.rs", ""),
        ]);
        assert_eq!(circles(&uses(&texts)), [["a.rs", "b.rs", "c.rs"]]);
    }

    #[test]
    fn a_drawing_is_a_row_for_each_folder() {
        let text = "x\n\n| folder of `node` | imports |\n|---|---|\n| `agent` | `fill`, `store` |\n| `fill` | – |\n\n";
        let drawn = &drawings(text)["node"];
        assert_eq!(Vec::from_iter(&drawn["agent"]), ["fill", "store"]);
        assert!(drawn["fill"].is_empty());
    }
}
