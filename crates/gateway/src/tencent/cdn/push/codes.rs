//! What an action on prefetches answers when it refuses: code, sentence and log line.

use stoker_domain::target;
use stoker_engine::{SubmitError, with_causes};

use super::error::Error;
use crate::tencent::{
    cdn::{domain::lock_code, query},
    common::{Refusal, Refused},
    message::{self, Message},
};

impl Refused for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Refusal(Refusal::Params(error)) => error.code(),
            Self::Refusal(Refusal::Date { .. }) | Self::Query(query::Error::DateOrder) => {
                "InvalidParameter.CdnStatInvalidDate"
            }
            Self::Refusal(_) | Self::Query(query::Error::NoSelection) => {
                "InvalidParameter.CdnParamError"
            }
            Self::Query(query::Error::Keyword) => "InvalidParameter.CdnHostInvalidParam",
            Self::Submit(error) => submit_code(error),
            Self::Ledger(_) => "InternalError.CdnDbError",
        }
    }

    fn message(&self) -> Message {
        match self {
            Self::Refusal(error) => error.message(),
            Self::Query(error) => error.message(),
            Self::Submit(SubmitError::Ledger(_)) | Self::Ledger(_) => message::try_again(),
            Self::Submit(error) => message::with_hint(error),
        }
    }

    fn for_log(&self) -> String {
        match self {
            Self::Refusal(error) => error.for_log().into(),
            Self::Query(error) => error.for_log().into(),
            Self::Submit(error) => error.for_log(),
            Self::Ledger(_) => with_causes(self),
        }
    }
}

fn submit_code(error: &SubmitError) -> &'static str {
    use SubmitError as E;
    match error {
        E::NoUrls => "InvalidParameter.CdnParamError",
        E::TooManyUrls { .. } => "LimitExceeded.CdnPushExceedBatchLimit",
        E::Url { error, .. } => match error {
            target::Error::WildcardHost => "InvalidParameter.CdnPushWildcardNotAllowed",
            target::Error::Host => "InvalidParameter.CdnHostInvalidParam",
            target::Error::Scheme
            | target::Error::TooLong(_)
            | target::Error::UserInfo
            | target::Error::NotAscii
            | target::Error::Character => "InvalidParameter.CdnParamError",
        },
        E::DomainUnknown { .. } | E::OtherZone { .. } => "ResourceNotFound.CdnHostNotExists",
        // not online at all, or not in the area asked for (the vendor names no code for it)
        E::DomainOffline { .. } | E::AreaNotEnabled { .. } => {
            "ResourceUnavailable.CdnHostIsNotOnline"
        }
        E::DomainLocked { lock, .. } => lock_code(*lock),
        E::FeatureClosed { .. } => "UnauthorizedOperation.CdnUserNoWhitelist",
        E::OverQuota { .. } => "LimitExceeded.CdnPushExceedDayLimit",
        E::NoNode { .. } => "InternalError.CdnConfigError",
        E::Ledger(_) => "InternalError.CdnDbError",
    }
}
