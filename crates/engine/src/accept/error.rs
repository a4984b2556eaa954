//! Why a prefetch or a purge was refused, and what the caller can do about it.
//!
//! Texts name the thing and the limit; the `hint` says what to do; `for_log` leaves out what may be a
//! secret. Codes of vendors and HTTP statuses are decided in the gateway, never here.

use stoker_domain::{
    account::Feature,
    area::{Area, Tier},
    domain::Lock,
    quota::{AreaLimits, Counter},
    target,
};
use stoker_ledger::{Error as LedgerError, ErrorKind};

use crate::{Error, catalog::unlock, with_causes};

/// When the quota is full again differs between installations.
const QUOTA_DAY: &str = "`stoker quota show` tells when the next day begins";

/// Why a submission was refused. Nothing of it was written or charged.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The list is empty.
    #[error("cannot accept a task without URLs")]
    NoUrls,
    /// More URLs than one call may have.
    #[error("cannot accept {given} URLs in one call: the limit is {limit}")]
    TooManyUrls {
        /// How many were given.
        given: usize,
        /// How many may be.
        limit: u64,
    },
    /// One of the URLs is not a target URI.
    #[error("URL {} `{}` {error}", .index + 1, shown(.url))]
    Url {
        /// Its place in the list, from 0.
        index: usize,
        /// The text as given.
        url: String,
        /// The rule that is broken.
        error: target::Error,
    },
    /// The account has no such domain; whether another account has it stays hidden.
    #[error("domain `{host}` of URL `{}` is not in this account", shown(.url))]
    DomainUnknown {
        /// The host.
        host: String,
        /// The first URL with it.
        url: String,
    },
    /// The account has the domain, and not in the zone that was named.
    #[error("domain `{host}` is not in the zone that was named")]
    OtherZone {
        /// The host.
        host: String,
    },
    /// The domain is stopped.
    #[error("domain `{host}` is offline")]
    DomainOffline {
        /// The host.
        host: String,
    },
    /// The operator has locked the domain, or is changing it.
    #[error("domain `{host}` is {}", .lock.as_str())]
    DomainLocked {
        /// The host.
        host: String,
        /// Which of the two.
        lock: Lock,
    },
    /// The operator has closed the feature to the account.
    #[error("feature `{feature}` is closed to this account")]
    FeatureDisabled {
        /// Which.
        feature: Feature,
    },
    /// The domain is not served in an area that was asked for.
    #[error("domain `{host}` is not enabled in area `{area}`")]
    AreaNotEnabled {
        /// The host.
        host: String,
        /// The first area that is missing.
        area: Area,
    },
    /// The day's quota does not suffice for all URLs.
    #[error("cannot accept {needed} URLs: {available} of {limit} left today in area `{area}`")]
    OverQuota {
        /// Where it does not suffice.
        area: Area,
        /// What is left of the day.
        available: u64,
        /// Distinct URLs of the call.
        needed: u64,
        /// The day's limit.
        limit: u64,
    },
    /// No node of the tier is known in the area.
    #[error("no {tier} node is known in area `{area}`")]
    NoNode {
        /// The area.
        area: Area,
        /// The tier.
        tier: Tier,
    },
    /// The ledger did not take it.
    #[error("cannot accept the task")]
    Ledger(#[source] Error),
}

impl SubmitError {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoUrls => "name at least one URL".into(),
            Self::TooManyUrls { limit, .. } => format!("split the list into calls of {limit}"),
            Self::Url { .. } => "nothing was accepted; correct the URL and send all again".into(),
            Self::DomainUnknown { host, .. } => {
                format!("add it first: `stoker domain add {host} --origin URL`")
            }
            Self::OtherZone { host } => format!("name the zone of `{host}`, or none"),
            Self::DomainOffline { host } => format!("bring `{host}` online first"),
            Self::DomainLocked { host, .. } => unlock(host),
            Self::FeatureDisabled { feature } => format!(
                "the owner of the installation can open it: `stoker account feature UIN {feature} on`"
            ),
            Self::AreaNotEnabled { host, area } => {
                format!("enable `{area}` for `{host}` or ask for an area that it has")
            }
            Self::OverQuota { available: 0, .. } => QUOTA_DAY.into(),
            Self::OverQuota { available, .. } => {
                format!("send at most {available} URLs; {QUOTA_DAY}")
            }
            Self::NoNode { tier, area } => {
                let article = if *tier == Tier::Edge { "an" } else { "a" };
                format!("start {article} {tier} node in `{area}`, or ask for another area or tier")
            }
            Self::Ledger(_) => return None,
        })
    }

    /// What a log may hold, with its causes: never a URL, for its query may be a secret.
    pub fn for_log(&self) -> String {
        match self {
            Self::Url { index, error, .. } => format!("URL {} {error}", index + 1),
            Self::DomainUnknown { host, .. } => format!("domain `{host}` is not in this account"),
            Self::Ledger(_) => with_causes(self),
            _ => self.to_string(),
        }
    }

    /// What it means that the ledger did not answer, whatever it was asked.
    pub(crate) fn ledger(error: LedgerError) -> Self {
        Self::Ledger(error.into())
    }

    /// What it means that the ledger did not accept, for an account with `limits`.
    pub(crate) fn of_ledger(error: LedgerError, limits: &AreaLimits) -> Self {
        match error.kind {
            ErrorKind::OverQuota { counter: Counter { area, .. }, available, needed } => {
                Self::OverQuota { area, available, needed, limit: limits.of(area).daily }
            }
            _ => Self::ledger(error),
        }
    }
}

/// Why a purge was refused. Nothing of it was written or charged.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// As a prefetch would have been.
    #[error(transparent)]
    Refused(#[from] SubmitError),
    /// A directory with a query.
    #[error("path {} `{path}` has a query; name a directory", .index + 1)]
    Query {
        /// Its place in the list, from 0.
        index: usize,
        /// The text as given.
        path: String,
    },
    /// Not a tag.
    #[error("tag {} `{tag}` is not one word of 1 to 128 printable characters", .index + 1)]
    Tag {
        /// Its place in the list, from 0.
        index: usize,
        /// The text as given.
        tag: String,
    },
}

impl PurgeError {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(error) => error.hint(),
            Self::Query { .. } => Some("to purge one URL with its query, purge it as a URL".into()),
            Self::Tag { .. } => Some("give the tags as the origin names them, one by one".into()),
        }
    }

    /// What a log may hold: never a target, for its query may be a secret.
    pub fn for_log(&self) -> String {
        match self {
            Self::Refused(error) => error.for_log(),
            Self::Query { index, .. } => format!("path {} has a query", index + 1),
            Self::Tag { index, .. } => format!("tag {} is none", index + 1),
        }
    }
}

/// A URL as it may appear in a message: cut to a length that a person reads.
fn shown(url: &str) -> String {
    const LONGEST: usize = 200;
    match url.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &url[..end]),
        None => url.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_that_is_refused_has_a_way_out_and_no_target_in_the_log() {
        let query = PurgeError::Query { index: 0, path: "http://a/b?secret".into() };
        assert_eq!(query.hint().unwrap(), "to purge one URL with its query, purge it as a URL");
        assert_eq!(query.for_log(), "path 1 has a query");
        let tag = PurgeError::Tag { index: 1, tag: "a secret".into() };
        assert_eq!(tag.hint().unwrap(), "give the tags as the origin names them, one by one");
        assert_eq!(tag.for_log(), "tag 2 is none");
    }
}
