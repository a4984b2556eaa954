//! What an action on a domain answers when it refuses.

use stoker_domain::domain::Lock;
use stoker_engine::{DomainError, OwnershipError, ZoneError, with_causes};

use super::error::Error;
use crate::tencent::{
    common::{Refusal, Refused},
    message::{self, Message},
};

const UNCLAIMABLE: &str = "InvalidParameter.CdnHostInternalHost";
const NOT_VERIFIED: &str = "UnauthorizedOperation.CdnDomainRecordNotVerified";

/// The code for a domain that the operator has locked, or is changing.
pub(crate) const fn lock_code(lock: Lock) -> &'static str {
    match lock {
        Lock::Locked => "ResourceUnavailable.CdnHostIsLocked",
        Lock::Changing => "ResourceInUse.CdnOpInProgress",
    }
}

impl Refused for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Refusal(error) => error.code("InvalidParameter.CdnParamError"),
            Self::Rule(_) => "InvalidParameter.CdnParamError",
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
                OwnershipError::ProofNotFound { .. } => {
                    "UnauthorizedOperation.CdnTxtRecordValueNotMatch"
                }
                OwnershipError::TooMany { .. }
                | OwnershipError::TooOften { .. }
                | OwnershipError::Busy => "LimitExceeded.CdnHostOpTooOften",
                OwnershipError::Ledger(_) => "InternalError.CdnDbError",
            },
        }
    }

    fn message(&self) -> Message {
        let zh = match self {
            Self::Refusal(error) => return error.message(),
            Self::Rule(rule) => return rule.message().after("parameter ", "参数 "),
            Self::Status(host) => format!("域名 `{host}` 已处于该状态"),
            Self::NotOffline(host) => format!("删除域名 `{host}` 前请先停用"),
            Self::Domain(error) => return message::domain(error),
            Self::Ownership(error) => return message::ownership(error),
        };
        Message::new(self.to_string(), zh)
    }

    fn for_log(&self) -> String {
        match self {
            Self::Refusal(error @ Refusal::Params(_)) => error.for_log().into(),
            _ if self.is_internal() => with_causes(self),
            _ => self.code().into(),
        }
    }
}
