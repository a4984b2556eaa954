//! The cache key: which stored response a request may be answered from.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A cache key: the first 16 bytes of SHA-256 over host and path with query.
///
/// The host is always part of it, so no domain can answer for another; the scheme is not, so
/// `http` and `https` viewers share. A cryptographic hash, because viewers choose the paths.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub [u8; 16]);

impl Key {
    /// The key of `host` (lower case, without port) and `path_and_query` (in the
    /// normal form of [`crate::uri`]).
    pub fn new(host: &str, path_and_query: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(b"stoker key 1\0")
            .chain_update(host.as_bytes())
            .chain_update(b"\0")
            .chain_update(path_and_query.as_bytes())
            .finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_scopes_the_key() {
        assert_ne!(Key::new("a.example", "/x"), Key::new("b.example", "/x"));
        assert_ne!(Key::new("a.example", "/x"), Key::new("a.example", "/x?"));
        assert_ne!(Key::new("a", "b/x"), Key::new("ab", "/x"));
    }

    #[test]
    fn the_key_is_stable_because_stored_segments_carry_it() {
        // computed with another SHA-256
        assert_eq!(
            format!("{:?}", Key::new("www.example.com", "/a?b=c")),
            "08f03791a73ef3d58748f7126f1ea389"
        );
    }
}
