//! What an action on prefetches answers when the engine refuses: code, sentence and log line.

use stoker_domain::target;
use stoker_engine::SubmitError;

use super::Error;
use crate::tencent::{
    cdn::{domain::lock_code, error::EngineRefusal},
    message::{self, Message},
};

impl From<SubmitError> for Error {
    fn from(error: SubmitError) -> Self {
        Self::Engine(error)
    }
}

impl EngineRefusal for SubmitError {
    const DATE_CODE: &'static str = "InvalidParameter.CdnStatInvalidDate";
    const KEYWORD_CODE: &'static str = "InvalidParameter.CdnHostInvalidParam";

    fn code(&self) -> &'static str {
        submit_code(self)
    }

    fn message(&self) -> Message {
        match self {
            Self::Ledger(_) => message::try_again(),
            _ => message::with_hint(self),
        }
    }

    fn for_log(&self) -> String {
        Self::for_log(self)
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
        E::FeatureDisabled { .. } => "UnauthorizedOperation.CdnUserNoWhitelist",
        E::OverQuota { .. } => "LimitExceeded.CdnPushExceedDayLimit",
        E::NoNode { .. } => "InternalError.CdnConfigError",
        E::Ledger(_) => "InternalError.CdnDbError",
    }
}
