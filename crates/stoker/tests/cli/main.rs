//! What the command line says, pinned word by word: help, errors and `--json`.
//!
//! A changed snapshot is a changed promise: scripts read these texts.

#![expect(clippy::unwrap_used, clippy::panic, reason = "all of this is tests")]

mod errors;
mod help;
mod identity;
mod lists;
mod ownership;
mod private;
mod purges;
mod results;
#[path = "../running/mod.rs"]
#[expect(dead_code, reason = "end to end uses the rest")]
mod running;
mod tls;

use std::{
    path::Path,
    process::{Command, Output},
};

use running::{EXECUTABLE, Ran};

/// Runs a command in an empty directory with an empty environment and these variables.
fn stoker_with(args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(EXECUTABLE);
    command.args(args).current_dir(folder.path()).env_clear().envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    Ran {
        code: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

fn stoker(args: &[&str]) -> Ran {
    stoker_with(args, &[])
}

/// Exit code and output, as a person would describe it.
fn transcript(args: &[&str], ran: &Ran) -> String {
    let mut text = format!("$ stoker {}\n", args.join(" "));
    text.push_str(&ran.stdout);
    if !ran.stderr.is_empty() {
        text.push_str("--- stderr\n");
        text.push_str(&ran.stderr);
    }
    text.push_str(&format!("--- exit code {}\n", ran.code.unwrap_or(-1)));
    text
}

/// Replaces what differs from run to run: the data directory, `names`, moments, and the width of
/// columns with moments in them.
fn steady(text: &str, data: &Path, names: &[(String, String)]) -> String {
    let mut text = text.replace(&*data.to_string_lossy(), "[DATA]");
    for (value, name) in names {
        text = text.replace(value, name);
    }
    let lines = hide_moments(&text);
    let narrow = |line: &str| {
        let is_row_or_head = line.contains("[MOMENT]  ") || line.contains("VERIFIED");
        let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        if is_row_or_head { cells.collect::<Vec<_>>().join("  ") } else { line.into() }
    };
    lines.lines().map(|line| narrow(line) + "\n").collect()
}

/// `2026-08-01T12:00:00.123Z` becomes `[MOMENT]`.
fn hide_moments(text: &str) -> String {
    let is_moment = |text: &str| {
        let shape: String =
            text.chars().take(11).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        shape == "0000-00-00T"
    };
    let mut steady = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match rest.find('Z').filter(|_| is_moment(rest)) {
            Some(end) => {
                steady.push_str("[MOMENT]");
                rest = &rest[end + 1..];
            }
            None => {
                steady.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    steady
}
