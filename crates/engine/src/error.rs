//! What a caller of the engine can do wrong, and the way out of it.
//!
//! Texts name the thing and the limit; [`SubmitError::hint`] and [`DomainError::hint`] say what to
//! do. Codes of vendors and HTTP statuses are decided in the gateway, never here.

use stoker_domain::{
    account::Feature,
    area::{Area, Tier},
    domain::Lock,
    ownership::{Record, Unclaimable, has_file},
    target,
};
use stoker_ledger::Error as LedgerError;

use crate::ownership::{HOST_HINT, WAIVE_HINT, instructions};

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
    /// The account has no such domain; whether another account has it is not told.
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
    FeatureClosed {
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
    Ledger(#[source] LedgerError),
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
            Self::FeatureClosed { feature } => format!(
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
}

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
    /// Another account has it; which one is not told.
    #[error("domain `{host}` is used by another account")]
    Taken {
        /// The host.
        host: String,
    },
    /// Another account has a domain or a zone above it or below it; which one is not told.
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
        record: Option<Box<Record>>,
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
        /// What the ledger said.
        #[source]
        source: LedgerError,
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

fn unlock(host: &str) -> String {
    format!("the owner of the installation lifts it: `stoker domain unlock {host}`")
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
    /// Another account has a domain or a zone at its name, above it or below it; which one is not told.
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
        /// What the ledger said.
        #[source]
        source: LedgerError,
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

/// A URL as it may appear in a message: cut to a length that a person reads.
fn shown(url: &str) -> String {
    const LONGEST: usize = 200;
    match url.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &url[..end]),
        None => url.into(),
    }
}
