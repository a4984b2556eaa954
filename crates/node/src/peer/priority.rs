//! How urgent a request between nodes is, as a `Priority` field (RFC 9218).

use http::{HeaderMap, HeaderValue};

use super::fields::PRIORITY;
use crate::request::Priority;

/// RFC 9218 section 4.1: for delayed or background work, such as software updates.
const BACKGROUND: HeaderValue = HeaderValue::from_static("u=7");

/// Writes `priority` to the `fields` of a request to another node.
pub(super) fn write(priority: Priority, fields: &mut HeaderMap) {
    match priority {
        Priority::Interactive => fields.remove(PRIORITY),
        Priority::Background => fields.insert(PRIORITY, BACKGROUND),
    };
}

/// What [`write()`] wrote. Anything else is interactive: nobody is slowed by mistake.
pub(super) fn read(fields: &HeaderMap) -> Priority {
    match fields.get(PRIORITY) {
        Some(value) if *value == BACKGROUND => Priority::Background,
        _ => Priority::Interactive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_read_as_it_was_written_and_nothing_else_is_background() {
        for priority in [Priority::Interactive, Priority::Background] {
            let mut fields = HeaderMap::new();
            fields.insert(PRIORITY, HeaderValue::from_static("u=3, i"));
            write(priority, &mut fields);
            assert_eq!(read(&fields), priority);
            assert_eq!(fields.contains_key(PRIORITY), priority.is_background());
        }
        for value in ["", "u=6", "i", "u=77", "u", "7"] {
            let mut fields = HeaderMap::new();
            fields.insert(PRIORITY, HeaderValue::from_static(value));
            assert_eq!(read(&fields), Priority::Interactive, "{value}");
        }
    }
}
