//! Every way in which an action of this API refuses.

use serde_json::{Map, Value};
use stoker_domain::account::Feature;
use stoker_engine::{
    DomainError, Error as EngineError, OwnershipError, PurgeError, SubmitError, ZoneError,
};

use super::rule::{FilterRule, OriginRule};
use crate::{
    request_fields,
    tencent::{
        common::{Refusal, refusal::from_refusals},
        params::{self, shape},
    },
};

/// The fields of a reply.
pub(crate) type Reply = Result<Map<String, Value>, Error>;

/// Why an action was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A parameter has a wrong value.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The range ends before it begins, or is too long.
    #[error("`EndTime` must not lie before `StartTime`, nor more than 7 days after it")]
    Span,
    /// Neither a range nor a job.
    #[error("a range of time or the filter `job-id` must be given")]
    NoSelection,
    /// A filter that the action does not have, or not so.
    #[error("filter {0}")]
    Filter(#[from] FilterRule),
    /// A filter with too many values, where a code of its own tells so.
    #[error("filter `{0}` has more than 20 values")]
    TooManyFilterValues(String),
    /// An origin that cannot be asked.
    #[error("`OriginInfo` {0}")]
    Origin(#[from] OriginRule),
    /// The caller has no zone with this id; it may have one with this name.
    #[error("`{0}` is not the id of a zone of this account")]
    ZoneForeign(String),
    /// The same, where another code tells so.
    #[error("`{0}` is not the id of a zone of this account")]
    ZoneDenied(String),
    /// `*` where one zone must be named.
    #[error("parameter `ZoneId` must name one zone, not `*`")]
    EveryZone,
    /// The caller has no domain at all.
    #[error("this account has no domain")]
    DomainEmpty,
    /// The zone has no such domain.
    #[error("domain `{0}` is not in this zone")]
    DomainNotFound(String),
    /// The domain's name does not end like the zone's.
    #[error("domain `{host}` does not belong under the zone `{zone}`")]
    DomainNotMatchZone {
        /// The domain.
        host: String,
        /// The zone's name.
        zone: String,
    },
    /// None of the targets was accepted; the reason of the first.
    #[error("no task was made: {0}")]
    NoneAccepted(#[source] SubmitError),
    /// None of the targets was accepted to be purged; the reason of the first.
    #[error("no task was made: {0}")]
    NonePurged(#[source] PurgeError),
    /// The first of the hosts to be purged is none, and no other was accepted.
    #[error("no task was made: target {place} `{given}` must be a host without scheme and path")]
    NotAHost {
        /// Its place in the list, from 1.
        place: usize,
        /// What was given.
        given: String,
    },
    /// There is no domain on which to purge.
    #[error("no task was made: there is no domain that is online")]
    NoneOnline,
    /// The limit's area does not exist.
    #[error("`Area` must be `Overseas` or `MainlandChina`")]
    LimitArea,
    /// The limit is neither set nor deleted.
    #[error("`Enabled` must be `on` or `off`")]
    LimitEnabled,
    /// The limit is below 100 Mbps.
    #[error("`Bandwidth` must be at least 100 Mbps")]
    LimitTooSmall,
    /// The limit is above 100000 Mbps.
    #[error("`Bandwidth` must be at most 100000 Mbps")]
    LimitTooLarge,
    /// The zone is not made for that area.
    #[error("the zone is not made for that area")]
    LimitZoneArea,
    /// The domain is not served in that area.
    #[error("the domain is not served in that area")]
    LimitDomainArea,
    /// There is no limit to delete.
    #[error("the domain has no limit in that area")]
    LimitNotFound,
    /// The account has 100 limits.
    #[error("an account has at most 100 limits")]
    LimitCount,
    /// The day's quota does not suffice for all targets.
    #[error("cannot accept {needed} targets: {available} of {limit} are left today")]
    DailyQuota {
        /// What is left of the day.
        available: u64,
        /// Distinct targets of the call.
        needed: u64,
        /// The day's limit.
        limit: u64,
    },
    /// Limits of origins are closed to the account.
    #[error("feature `{}` is closed to this account", Feature::OriginLimit)]
    LimitClosed,
    /// The engine refused the whole list.
    #[error("{0}")]
    Submit(#[source] SubmitError),
    /// The engine refused a domain.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// The engine refused a zone.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// It is not proved that a name is the account's own.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    /// The ledger did not answer.
    #[error("the request cannot be carried out now; try again")]
    Ledger(#[from] EngineError),
    /// Any of these, where the action publishes no more than the first word of its code.
    #[error(transparent)]
    Plain(Box<Self>),
}

impl From<SubmitError> for Error {
    fn from(error: SubmitError) -> Self {
        match error {
            // counted once, wherever it goes: the area does not matter here
            SubmitError::OverQuota { available, needed, limit, .. } => {
                Self::DailyQuota { available, needed, limit }
            }
            other => Self::Submit(other),
        }
    }
}

from_refusals!(Error: params::Error, request_fields::Error);

impl From<shape::Error> for Error {
    fn from(error: shape::Error) -> Self {
        match error {
            shape::Error::Type(path) => params::Error::Type(path).into(),
            shape::Error::Word { name, error, .. } => Refusal::Word { name, error }.into(),
        }
    }
}

impl Error {
    /// A filter with too many values, where no code of its own tells so.
    pub(crate) fn too_many_values(name: String) -> Self {
        FilterRule::TooManyValues(name).into()
    }
}
