//! What an attacker may try through each action of the vendor: the rows of `vendor.txt`.

use super::{Expected, rows};

pub(crate) const V2: &str = "v2";

const ORIGIN: &str = r#""Origin":{"OriginType":"ip","Origins":["192.0.2.1"]}"#;
const INFO: &str = r#""OriginInfo":{"OriginType":"IP_DOMAIN","Origin":"192.0.2.1"}"#;
const RANGE: &str = r#""StartTime":"2025-06-15 00:00:00","EndTime":"2025-06-16 00:00:00""#;
const DAYS: &str = r#""StartTime":"2025-06-15T00:00:00Z","EndTime":"2025-06-16T00:00:00Z""#;

/// One attempt: the version, the action, its parameters (for `v2` as a form), and what becomes of it.
pub(crate) type Attempt = (&'static str, &'static str, String, Expected);

/// All attempts.
pub(crate) fn attempts() -> Vec<Attempt> {
    let attempt = |(expected, [version, action, params]): (Expected, [&'static str; 3])| {
        let short = [("ORIGIN", ORIGIN), ("INFO", INFO), ("RANGE", RANGE), ("DAYS", DAYS)];
        let params =
            short.iter().fold(params.to_owned(), |params, (name, text)| params.replace(name, text));
        (version, action, params, expected)
    };
    rows(include_str!("vendor.txt")).map(attempt).collect()
}
