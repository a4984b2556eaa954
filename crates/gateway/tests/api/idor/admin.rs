//! What an attacker may try through each call of the admin API: the rows of `admin.txt`.

use super::{Expected, rows};

const NEW: &str = r#"{"host":"new.example","origin":"http://192.0.2.1"}"#;
const ALLOW: &str = r#"{\"version\":\"2.0\",\"statement\":[{\"effect\":\"allow\",\"action\":\"*\",\"resource\":\"*\"}]}"#;

/// One attempt: method and path of the call, its target below `/admin/v1/`, its content, and what
/// becomes of it.
pub(crate) type Attempt = (&'static str, &'static str, &'static str, String, Expected);

/// All attempts.
pub(crate) fn attempts() -> Vec<Attempt> {
    let attempt = |(expected, [call, target, content]): (Expected, [&'static str; 3])| {
        let (method, path) = call.split_once(' ').unwrap();
        let content = content.replace("NEW", NEW).replace("ALLOW", ALLOW);
        (method, path, target, content, expected)
    };
    rows(include_str!("admin.txt")).map(attempt).collect()
}
