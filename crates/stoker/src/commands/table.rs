//! Output for people: tables, whose columns are as wide as their widest cell, and values by name.

use serde::Serialize;
use serde_json::Value;

use crate::output;

/// Prints a list: an array for `json`, otherwise a table with a row for each item, or `none` if there
/// are no items.
pub(super) fn list<T: Serialize, const N: usize>(
    json: bool,
    items: &[T],
    none: &str,
    head: [&str; N],
    row: impl Fn(&T) -> [String; N],
) {
    if json {
        output::json(&items);
    } else if items.is_empty() {
        output::note(none);
    } else {
        print(head, &items.iter().map(row).collect::<Vec<_>>());
    }
}

/// Writes a line per value, after its name.
pub(super) fn values<'a>(values: impl IntoIterator<Item = (&'a str, String)>) {
    for (name, value) in values {
        output::line(format!("{name:<18}{value}").trim_end());
    }
}

/// Writes `rows` under `head`; the last column is not padded.
pub(super) fn print<const N: usize>(head: [&str; N], rows: &[[String; N]]) {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    output::line(line(&head.map(String::from), &widths));
    for row in rows {
        output::line(line(row, &widths));
    }
}

fn line<const N: usize>(row: &[String; N], widths: &[usize; N]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    cells.collect::<Vec<_>>().join("  ").trim_end().into()
}

/// The word by which JSON represents a value of a closed list.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => "-".into(),
    }
}

/// The word for whether something is enabled.
pub(super) const fn state(is_enabled: bool) -> &'static str {
    if is_enabled { "enabled" } else { "disabled" }
}

/// Names with commas between them, or a dash.
pub(super) fn names(names: &[String]) -> String {
    if names.is_empty() { "-".into() } else { names.join(",") }
}

/// The value, or a dash if there is none.
pub(super) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}
