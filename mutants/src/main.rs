//! Puts the mutations that cargo-mutants lists into the sources of a crate, each behind a switch, so
//! that the crate is built once for all of them and not once for each.
//!
//! Usage: `stoker-mutants LIST ROOT LEFT_OUT CONSTANT`. LIST is the output of `cargo mutants --list
//! --json`; the files below ROOT are changed in place. LEFT_OUT holds the numbers of mutations, by
//! their place in the list, that did not compile; CONSTANT the names of functions that constants call,
//! which cannot ask for a switch. Prints the numbers of mutations that have no such form.
//!
//! A switch is `crate::m__(NUMBER)`. What was added stands between `/*G…*/` and `/*E*/`, and one
//! mutation alone between `/*A…*/` and `/*a*/`, for `run.py` to find the mutation that an error of the
//! compiler is about. No line break is added, so lines stay where they are.

mod edits;
mod visitor;

use std::{
    collections::{BTreeMap, HashSet},
    error::Error,
    fs,
};

use serde::Deserialize;
use syn::visit::Visit;

use self::visitor::Visitor;

/// Line and column, both from 1, as cargo-mutants counts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    line: usize,
    column: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Span {
    start: Position,
    end: Position,
}

/// One mutation, as cargo-mutants lists it.
#[derive(Clone, Debug, Deserialize)]
struct Mutation {
    #[serde(skip)]
    number: usize,
    file: String,
    genre: String,
    replacement: String,
    span: Span,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [list, root, left_out, constant] = &arguments[..] else {
        return Err("usage: stoker-mutants LIST ROOT LEFT_OUT CONSTANT".into());
    };
    let mut mutations: Vec<Mutation> = serde_json::from_str(&fs::read_to_string(list)?)?;
    let left_out: HashSet<usize> = serde_json::from_str(&fs::read_to_string(left_out)?)?;
    let constant: HashSet<String> = serde_json::from_str(&fs::read_to_string(constant)?)?;
    let mut by_file: BTreeMap<String, Vec<Mutation>> = BTreeMap::new();
    for (number, mutation) in mutations.iter_mut().enumerate() {
        mutation.number = number;
        if !left_out.contains(&number) {
            by_file.entry(mutation.file.clone()).or_default().push(mutation.clone());
        }
    }
    let mut without_form = Vec::new();
    for (file, mutations) in &by_file {
        let path = format!("{root}/{file}");
        let text = fs::read_to_string(&path)?;
        let mut visitor = Visitor::new(&text, mutations, &constant);
        visitor.visit_file(&syn::parse_file(&text)?);
        let numbers = mutations.iter().map(|mutation| mutation.number);
        without_form.extend(numbers.filter(|number| !visitor.is_placed(*number)));
        fs::write(&path, visitor.into_text())?;
    }
    println!("{}", serde_json::to_string(&without_form)?);
    Ok(())
}
