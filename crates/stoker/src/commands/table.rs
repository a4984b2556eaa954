//! Columns for people: as wide as their widest cell, two spaces apart.

use serde::Serialize;
use serde_json::Value;

use crate::output;

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
