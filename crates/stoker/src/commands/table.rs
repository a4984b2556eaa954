//! What people read: tables, whose columns are as wide as their widest cell, and values by name.

use serde::Serialize;
use serde_json::Value;

use crate::output;

/// Answers a command that lists: an array where `json` is asked for, else a table with a row per
/// item, or `none` beside an empty result.
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

/// The word that a value of a closed list has on the wire.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => "-".into(),
    }
}

/// What stands where there is nothing to show.
pub(super) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}
