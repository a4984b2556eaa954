//! Every way in which an action on a domain refuses, and its code.

use stoker_domain::{area::UnknownWord, domain::Lock};
use stoker_engine::{DomainError, OwnershipError, ZoneError};

use crate::{
    request_fields,
    tencent::message::{self, Message},
};

/// The code for a domain that the operator has locked, or is changing.
pub(crate) const fn lock_code(lock: Lock) -> &'static str {
    match lock {
        Lock::Locked => "ResourceUnavailable.CdnHostIsLocked",
        Lock::Changing => "ResourceInUse.CdnOpInProgress",
    }
}

const UNCLAIMABLE: &str = "InvalidParameter.CdnHostInternalHost";
const NOT_VERIFIED: &str = "UnauthorizedOperation.CdnDomainRecordNotVerified";

/// Why an action was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A parameter or filter that is not taken; the rule.
    #[error("parameter {0}")]
    Param(Message),
    /// Not one of a closed list.
    #[error("parameter `{name}`: {error}")]
    Word {
        /// The parameter.
        name: &'static str,
        /// What was given and what is taken.
        error: UnknownWord,
    },
    /// `ServerName`.
    #[error(transparent)]
    Fields(#[from] request_fields::Error),
    /// Started though online, or stopped though offline.
    #[error("domain `{0}` is in that state already")]
    Status(String),
    /// Deleted though online.
    #[error("domain `{0}` must be stopped before it is deleted")]
    NotOffline(String),
    /// The engine refused.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// It is not proved that a domain is the account's own.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
}

impl Error {
    /// The vendor's code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Param(_) | Self::Word { .. } | Self::Fields(_) => {
                "InvalidParameter.CdnParamError"
            }
            Self::Status(_) => "InvalidParameter.CDNStatusInvalidDomain",
            Self::NotOffline(_) => "ResourceUnavailable.CdnHostIsNotOffline",
            Self::Domain(error) => match error {
                DomainError::InvalidHost { .. } => "InvalidParameter.CdnConfigInvalidHost",
                DomainError::Port { .. } => "InvalidParameter.CdnParamError",
                DomainError::Exists { .. } => "ResourceInUse.CdnHostExists",
                DomainError::TooMany { .. } => "LimitExceeded.CdnUserTooManyHosts",
                DomainError::Taken { .. } => "UnauthorizedOperation.CdnHostIsUsedByOther",
                DomainError::Related { .. } | DomainError::Zone(ZoneError::Related { .. }) => {
                    "ResourceInUse.CdnConflictHostExists"
                }
                DomainError::Unclaimable { .. } => UNCLAIMABLE,
                DomainError::Unverified { .. } => NOT_VERIFIED,
                DomainError::Unknown { .. } => "ResourceNotFound.CdnHostNotExists",
                DomainError::Locked { lock, .. } => lock_code(*lock),
                DomainError::Ledger { .. } | DomainError::Zone(ZoneError::Ledger { .. }) => {
                    "InternalError.CdnDbError"
                }
                DomainError::Zone(ZoneError::TooMany { .. }) => "LimitExceeded.CdnUserTooManyHosts",
                // the zone is found or made: nothing else can be wrong with it
                DomainError::Zone(_) => "InternalError.CdnConfigError",
            },
            Self::Ownership(error) => match error {
                OwnershipError::InvalidHost { .. } => "InvalidParameter.CdnConfigInvalidHost",
                OwnershipError::Unclaimable { .. } => UNCLAIMABLE,
                OwnershipError::NoFile { .. } => "InvalidParameter.CdnParamError",
                OwnershipError::NoRecord { .. } => NOT_VERIFIED,
                OwnershipError::Unfound { .. } => "UnauthorizedOperation.CdnTxtRecordValueNotMatch",
                OwnershipError::TooMany { .. }
                | OwnershipError::TooOften { .. }
                | OwnershipError::Busy => "LimitExceeded.CdnHostOpTooOften",
                OwnershipError::Ledger(_) => "InternalError.CdnDbError",
            },
        }
    }

    /// What the caller reads.
    pub(crate) fn message(&self) -> Message {
        let zh = match self {
            Self::Param(rule) => return rule.clone().after("parameter ", "参数 "),
            Self::Word { name, error } => return message::unknown_word(name, error),
            Self::Fields(error) => return message::fields(error),
            Self::Status(host) => format!("域名 `{host}` 已处于该状态"),
            Self::NotOffline(host) => format!("删除域名 `{host}` 前请先停用"),
            Self::Domain(error) => return message::domain(error),
            Self::Ownership(error) => return message::ownership(error),
        };
        Message::new(self.to_string(), zh)
    }

    /// Whether somebody has to act: the server failed, not the caller.
    pub(crate) fn is_internal(&self) -> bool {
        self.code().starts_with("InternalError")
    }
}
