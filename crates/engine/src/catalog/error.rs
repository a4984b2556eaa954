//! Why a change of domains or zones was refused, and what the caller can do about it.
//!
//! Codes of vendors and HTTP statuses are decided in the gateway, never here.

use stoker_domain::{
    domain::Lock,
    ownership::{Unclaimable, VerificationRecord, has_file},
};

use super::ownership::{HOST_HINT, WAIVE_HINT, instructions};
use crate::Error;

/// Why a domain could not be added or removed.
#[derive(Debug, thiserror::Error)]
pub enum DomainError {
    /// Not a host name, IP literal or wildcard.
    #[error("`{host}` is not a host name or an IP address")]
    InvalidHost {
        /// The text as given.
        host: String,
    },
    /// The account has it already.
    #[error("domain `{host}` exists already")]
    Exists {
        /// The host.
        host: String,
    },
    /// The account has as many as it may have.
    #[error("the account has {limit} domains: that is the limit")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
    /// Another account has it; which one stays hidden.
    #[error("domain `{host}` is used by another account")]
    Taken {
        /// The host.
        host: String,
    },
    /// Another account has a domain or a zone above it or below it; which one stays hidden.
    #[error("domain `{host}` lies above or below what belongs to another account")]
    Related {
        /// The host.
        host: String,
    },
    /// This account may not have it whatever it proves.
    #[error("`{host}` {why}")]
    Unclaimable {
        /// The host.
        host: String,
        /// Why.
        why: Unclaimable,
    },
    /// The account has yet to prove that it is its own.
    #[error("domain `{host}` is not verified to be this account's own")]
    Unverified {
        /// The host.
        host: String,
        /// What is to be published; absent when too many others wait.
        record: Option<Box<VerificationRecord>>,
    },
    /// The account has no domain with this name; a wildcard of it may answer for the host.
    #[error("this account has no domain named `{host}`")]
    Unknown {
        /// The host.
        host: String,
    },
    /// The operator has locked it, or is changing it.
    #[error("domain `{host}` is {}", .lock.as_str())]
    Locked {
        /// The host.
        host: String,
        /// Which of the two.
        lock: Lock,
    },
    /// No origin is asked at this port without leave.
    #[error("no origin is asked at port `{port}`")]
    Port {
        /// The port.
        port: u16,
    },
    /// Its zone cannot be had.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// The ledger did not take it.
    #[error("cannot change domain `{host}`")]
    Ledger {
        /// The host.
        host: String,
        /// A failure of the ledger.
        #[source]
        source: Error,
    },
}

impl DomainError {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InvalidHost { .. } => {
                Some(format!("{HOST_HINT}; or all hosts below one: `*.HOST`"))
            }
            Self::Exists { host } => Some(format!("remove `{host}` first to add it anew")),
            Self::TooMany { .. } => Some(
                "remove domains that are no longer served, or add one wildcard for many: `*.HOST`"
                    .into(),
            ),
            Self::Taken { .. } | Self::Related { .. } => {
                Some("the owner of the installation knows whose it is".into())
            }
            Self::Unclaimable { .. } => Some(WAIVE_HINT.into()),
            Self::Unverified { host, record } => Some(match record {
                Some(record) => {
                    let file = has_file(host).then_some(host.as_str());
                    format!("{}; then `stoker domain verify {host}`", instructions(record, file))
                }
                None => "too many others wait to be verified; verify them first".into(),
            }),
            Self::Unknown { .. } => Some("`stoker domain list` shows what there is".into()),
            Self::Locked { host, .. } => Some(unlock(host)),
            Self::Port { .. } => Some(
                "use 80, 443 or a port from 1024 at which a web server may be; others are for the \
                 owner of the installation to allow: `--allow-private-origin`"
                    .into(),
            ),
            Self::Zone(error) => error.hint(),
            Self::Ledger { .. } => None,
        }
    }
}

/// Why a zone could not be added, found or removed.
#[derive(Debug, thiserror::Error)]
pub enum ZoneError {
    /// Not a name that a zone can have.
    #[error("`{name}` is not a name for a zone")]
    InvalidName {
        /// The text as given.
        name: String,
    },
    /// The account has one with this name.
    #[error("zone `{name}` exists already")]
    Exists {
        /// Its name.
        name: String,
    },
    /// The account has as many as it may have.
    #[error("the account has {limit} zones: that is the limit")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
    /// Another account has a domain or a zone at its name, above it or below it; which one stays hidden.
    #[error("zone `{name}` meets what belongs to another account")]
    Related {
        /// Its name.
        name: String,
    },
    /// The account has no such zone.
    #[error("zone `{zone}` is not in this account")]
    Unknown {
        /// The id or name as given.
        zone: String,
    },
    /// Domains are in it.
    #[error("zone `{name}` has {domains} domains")]
    InUse {
        /// Its name.
        name: String,
        /// How many.
        domains: usize,
    },
    /// The ledger did not take it.
    #[error("cannot change zone `{name}`")]
    Ledger {
        /// Its name.
        name: String,
        /// A failure of the ledger.
        #[source]
        source: Error,
    },
}

impl ZoneError {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InvalidName { .. } => Some("for example `example.com`".into()),
            Self::Related { .. } => Some("the owner of the installation knows whose it is".into()),
            Self::Exists { .. } | Self::Unknown { .. } => {
                Some("`stoker zone list` shows what there is".into())
            }
            Self::TooMany { .. } => {
                Some("remove zones that no domain is in, or add domains with `--no-zone`".into())
            }
            Self::InUse { .. } => {
                Some("remove its domains first, or put them into another zone".into())
            }
            Self::Ledger { .. } => None,
        }
    }
}

/// How a lock is lifted.
pub(crate) fn unlock(host: &str) -> String {
    format!("the owner of the installation lifts it: `stoker domain unlock {host}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_a_zone_has_a_way_out() {
        let name = || String::from("example.com");
        for (error, way_out) in [
            (ZoneError::InvalidName { name: name() }, "for example"),
            (ZoneError::Related { name: name() }, "owner of the installation"),
            (ZoneError::Exists { name: name() }, "`stoker zone list`"),
            (ZoneError::Unknown { zone: name() }, "`stoker zone list`"),
            (ZoneError::TooMany { limit: 1 }, "`--no-zone`"),
            (ZoneError::InUse { name: name(), domains: 1 }, "remove its domains first"),
        ] {
            let hint = error.hint().unwrap();
            assert!(hint.contains(way_out), "{error}: {hint}");
        }
        assert!(unlock("a.example").contains("`stoker domain unlock a.example`"));
    }
}
