//! How urgent a request between nodes is, as a `Priority` field (RFC 9218).

use http::{HeaderMap, HeaderValue};

use super::fields::PRIORITY;

/// RFC 9218 section 4.1: for delayed or background work, such as software updates.
const BACKGROUND: HeaderValue = HeaderValue::from_static("u=7");

/// Who waits for a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// A viewer: never slowed.
    #[default]
    Interactive,
    /// Only a prefetch: it waits for its turn and keeps to the limits of the domain.
    Background,
}

impl Priority {
    /// Whether only a prefetch waits.
    pub fn is_background(self) -> bool {
        self == Self::Background
    }

    pub(super) fn write(self, fields: &mut HeaderMap) {
        match self {
            Self::Interactive => fields.remove(PRIORITY),
            Self::Background => fields.insert(PRIORITY, BACKGROUND),
        };
    }

    /// Anything but what [`Self::write`] writes is interactive: nobody is slowed by mistake.
    pub(super) fn read(fields: &HeaderMap) -> Self {
        match fields.get(PRIORITY) {
            Some(value) if *value == BACKGROUND => Self::Background,
            _ => Self::Interactive,
        }
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
            priority.write(&mut fields);
            assert_eq!(Priority::read(&fields), priority);
            assert_eq!(fields.contains_key(PRIORITY), priority.is_background());
        }
        for value in ["", "u=6", "i", "u=77", "u", "7"] {
            let mut fields = HeaderMap::new();
            fields.insert(PRIORITY, HeaderValue::from_static(value));
            assert_eq!(Priority::read(&fields), Priority::Interactive, "{value}");
        }
    }
}
