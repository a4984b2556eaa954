//! Why a verb failed, and what a caller can do about it.

use stoker_domain::quota::Counter;

/// What a caller can do about a failed verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A counter does not suffice; nothing was written.
    OverQuota {
        /// Which counter.
        counter: Counter,
        /// What it had left.
        available: u64,
        /// What was needed.
        needed: u64,
    },
    /// What was named is not there.
    NotFound,
    /// What was to be removed is attached to something; nothing was removed.
    InUse,
    /// What was to be created is there already; nothing was written.
    Conflict,
    /// The disk, or what this user may take of it, is full.
    Full,
    /// The file, its directory or its file system does not take writes.
    ReadOnly,
    /// The database cannot be written or read now: a lock, a device that fails.
    Unavailable,
    /// The database is damaged, or holds what this version cannot read.
    Corrupt,
}

impl ErrorKind {
    /// What is the matter with the ledger and the way out, where the matter is the ledger's and a
    /// person must act.
    pub const fn trouble(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Full => {
                ("the ledger's disk is full", "make room on the disk of the data directory")
            }
            Self::ReadOnly => (
                "the ledger cannot be written",
                "give its file and directory to the user who runs `stoker up`, and mount the file \
                 system for writing",
            ),
            Self::Corrupt => (
                "the ledger is damaged",
                "stop `stoker up`, keep a copy of the file, and put a backup in its place",
            ),
            Self::OverQuota { .. }
            | Self::NotFound
            | Self::InUse
            | Self::Conflict
            | Self::Unavailable => {
                return None;
            }
        })
    }
}

/// A verb that failed: its name, its kind and its cause.
#[derive(Debug, thiserror::Error)]
#[error("ledger cannot {verb}")]
pub struct Error {
    /// The verb, in words: `submit a task`.
    pub verb: &'static str,
    /// What a caller can do about it.
    pub kind: ErrorKind,
    /// The database's error.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_must_mend_is_named_with_the_way_out() {
        for (kind, matter, way_out) in [
            (ErrorKind::Full, "disk is full", "make room"),
            (ErrorKind::ReadOnly, "cannot be written", "mount the file system for writing"),
            (ErrorKind::Corrupt, "is damaged", "put a backup in its place"),
        ] {
            let (named, hint) = kind.trouble().unwrap();
            assert!(named.contains(matter) && hint.contains(way_out), "{named}; {hint}");
        }
        for kind in
            [ErrorKind::NotFound, ErrorKind::InUse, ErrorKind::Conflict, ErrorKind::Unavailable]
        {
            assert_eq!(kind.trouble(), None);
        }
    }
}
