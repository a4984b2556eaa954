//! The one place that writes to the terminal: results to standard output, errors to standard error.
//!
//! A closed pipe (`stoker task list | head`) is no error: the rest of the output is dropped.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// Writes one line of the result.
pub(crate) fn line(text: impl AsRef<str>) {
    let _ = writeln!(io::stdout().lock(), "{}", text.as_ref());
}

/// Writes a result for programs: indented JSON and a line end.
pub(crate) fn json(value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).expect("our own values are plain JSON");
    line(text);
}

/// Writes what a command changed: `value` for a program that asked for JSON, else `sentence`.
pub(crate) fn result(json: bool, value: &impl Serialize, sentence: impl AsRef<str>) {
    if json { self::json(value) } else { line(sentence) }
}

/// Writes `error: …`.
pub(crate) fn error(text: &str) {
    note(&format!("error: {text}"));
}

/// Writes `hint: …`.
pub(crate) fn hint(text: &str) {
    note(&format!("hint: {text}"));
}

/// Writes a line to standard error, apart from the result.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether standard output and standard error are a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}
