//! Zones: groups of an account's domains under one registrable name.
//!
//! Decides what the registrable domain of a host is; makes no names and knows nobody's list but the
//! short one below.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    account::AccountId,
    area::AreaScope,
    domain::{Kept, Status},
    time::Timestamp,
};

/// The public name of a zone: `zone-` and 12 lower-case letters or digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ZoneId(pub String);

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A zone. Which domains are in it, the domains say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Public name.
    pub id: ZoneId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name, mostly a registrable domain; unique within the account.
    pub name: String,
    /// Areas that it was made for.
    pub area: AreaScope,
    /// Whether it is in use.
    pub status: Status,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Settings that are stored and answered back, nothing more.
    #[serde(default)]
    pub kept: Kept,
}

/// Second labels under which names are registered beneath a country's top level, as in `co.uk`.
const SECOND_LEVELS: &[&str] =
    &["ac", "co", "com", "edu", "gov", "idv", "ltd", "mil", "ne", "net", "nom", "or", "org", "plc"];

/// The name that somebody registered, of which `host` is a part: the last two labels, or three
/// where the last has two letters and the one before is a customary second level (`co.uk`,
/// `com.cn`).
///
/// Not the Public Suffix List: that is large and changes weekly, and a zone may be named by hand.
/// Nothing for a single label (`localhost`) and for IP literals.
pub fn registrable(host: &str) -> Option<&str> {
    let host = host.strip_prefix("*.").unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_literal = host.starts_with('[') || last.bytes().all(|byte| byte.is_ascii_digit());
    let starts: Vec<usize> = host.rmatch_indices('.').map(|(dot, _)| dot + 1).collect();
    if is_literal || starts.is_empty() {
        return None;
    }
    let second = host[..starts[0] - 1].rsplit('.').next().unwrap_or_default();
    let deep = last.len() == 2 && SECOND_LEVELS.contains(&second);
    match (deep, starts.len()) {
        // a public suffix itself is nobody's
        (true, 1) => None,
        (true, 2) | (false, 1) => Some(host),
        (true, _) => Some(&host[starts[2]..]),
        (false, _) => Some(&host[starts[1]..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrable_domain_has_two_labels_or_three() {
        for (host, name) in [
            ("www.example.com", Some("example.com")),
            ("example.com", Some("example.com")),
            ("a.b.c.example.net", Some("example.net")),
            ("www.example.co.uk", Some("example.co.uk")),
            ("a.b.example.com.cn", Some("example.com.cn")),
            ("example.com.cn", Some("example.com.cn")),
            ("com.cn", None),
            ("x.com.io", Some("x.com.io")),
            ("www.t.co", Some("t.co")),
            ("localhost", None),
            ("127.0.0.1", None),
            ("[::1]", None),
            ("", None),
        ] {
            assert_eq!(registrable(host), name, "{host}");
        }
    }
}
