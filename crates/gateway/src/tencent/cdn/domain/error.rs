//! Every way in which an action on a domain refuses, and its code (wire.md 3.9).

use stoker_domain::{area::UnknownWord, domain::Lock};
use stoker_engine::{DomainError, ZoneError};

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
    /// Another account has the domain.
    #[error("domain `{0}` is used by another account")]
    OfAnother(String),
    /// Started though online, or stopped though offline.
    #[error("domain `{0}` is in that state already")]
    Status(String),
    /// Deleted though online.
    #[error("domain `{0}` must be stopped before it is deleted")]
    NotOffline(String),
    /// The engine refused.
    #[error(transparent)]
    Domain(#[from] DomainError),
}

impl Error {
    /// The vendor's code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Param(_) | Self::Word { .. } | Self::Fields(_) => {
                "InvalidParameter.CdnParamError"
            }
            Self::OfAnother(_) => "UnauthorizedOperation.CdnHostIsUsedByOther",
            Self::Status(_) => "InvalidParameter.CDNStatusInvalidDomain",
            Self::NotOffline(_) => "ResourceUnavailable.CdnHostIsNotOffline",
            Self::Domain(error) => match error {
                DomainError::InvalidHost { .. } => "InvalidParameter.CdnConfigInvalidHost",
                DomainError::Port { .. } => "InvalidParameter.CdnParamError",
                DomainError::Exists { .. } => "ResourceInUse.CdnHostExists",
                DomainError::TooMany { .. } => "LimitExceeded.CdnUserTooManyHosts",
                DomainError::Unknown { .. } => "ResourceNotFound.CdnHostNotExists",
                DomainError::Locked { lock, .. } => lock_code(*lock),
                DomainError::Ledger { .. } | DomainError::Zone(ZoneError::Ledger { .. }) => {
                    "InternalError.CdnDbError"
                }
                DomainError::Zone(ZoneError::TooMany { .. }) => "LimitExceeded.CdnUserTooManyHosts",
                // the zone is found or made: nothing else can be wrong with it
                DomainError::Zone(_) => "InternalError.CdnConfigError",
            },
        }
    }

    /// What the caller reads.
    pub(crate) fn message(&self) -> Message {
        let zh = match self {
            Self::Param(rule) => return rule.clone().after("parameter ", "参数 "),
            Self::Word { name, error } => return message::unknown_word(name, error),
            Self::Fields(error) => return message::fields(error),
            Self::OfAnother(host) => format!("域名 `{host}` 已被其他账号使用"),
            Self::Status(host) => format!("域名 `{host}` 已处于该状态"),
            Self::NotOffline(host) => format!("删除域名 `{host}` 前请先停用"),
            Self::Domain(error) => return message::domain(error),
        };
        Message::new(self.to_string(), zh)
    }

    /// Whether somebody has to act: the server failed, not the caller.
    pub(crate) fn is_internal(&self) -> bool {
        self.code().starts_with("InternalError")
    }
}
