//! What an action on purges answers when the engine refuses: each of the two has codes of its own.

use stoker_domain::{purge::Scope, target};
use stoker_engine::{PurgeError, SubmitError, with_causes};

use crate::tencent::{
    cdn::error::EngineRefusal,
    message::{self, Message},
};

const PARAM_ERROR: &str = "InvalidParameter.CdnParamError";

/// A purge that the engine refused.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(crate) struct RefusedPurge {
    /// Which of the two actions.
    pub(crate) scope: Scope,
    /// Why.
    pub(crate) error: PurgeError,
}

impl EngineRefusal for RefusedPurge {
    const DATE_CODE: &'static str = PARAM_ERROR;
    const KEYWORD_CODE: &'static str = PARAM_ERROR;

    fn code(&self) -> &'static str {
        match &self.error {
            PurgeError::Query { .. } | PurgeError::Tag { .. } => PARAM_ERROR,
            PurgeError::Refused(error) => submit_code(self.scope, error),
        }
    }

    fn message(&self) -> Message {
        match &self.error {
            PurgeError::Refused(SubmitError::Ledger(_)) => message::try_again(),
            error => message::purge(error),
        }
    }

    fn for_log(&self) -> String {
        match &self.error {
            PurgeError::Refused(SubmitError::Ledger(error)) => with_causes(error),
            _ => self.code().into(),
        }
    }
}

fn submit_code(scope: Scope, error: &SubmitError) -> &'static str {
    use SubmitError as E;
    match (error, scope) {
        (E::NoUrls, _) => PARAM_ERROR,
        (E::TooManyUrls { .. }, Scope::Url) => "LimitExceeded.CdnPurgeUrlExceedBatchLimit",
        (E::TooManyUrls { .. }, Scope::Path | Scope::Tag) => {
            "LimitExceeded.CdnPurgePathExceedBatchLimit"
        }
        (E::Url { error, .. }, _) => match error {
            target::Error::WildcardHost => "InvalidParameter.CdnPurgeWildcardNotAllowed",
            target::Error::TooLong(_) => "InvalidParameter.CdnUrlExceedLength",
            target::Error::Host
            | target::Error::Scheme
            | target::Error::UserInfo
            | target::Error::NotAscii
            | target::Error::Character => PARAM_ERROR,
        },
        (E::DomainUnknown { .. } | E::OtherZone { .. }, _) => "ResourceNotFound.CdnHostNotExists",
        (E::DomainOffline { .. } | E::AreaNotEnabled { .. }, Scope::Url) => {
            "ResourceUnavailable.CdnHostIsNotOnline"
        }
        // the other action's code is not published for this one
        (E::DomainOffline { .. } | E::AreaNotEnabled { .. }, Scope::Path | Scope::Tag) => {
            "InvalidParameter.CdnHostInvalidStatus"
        }
        // purges are taken on locked domains, and have no features
        (E::DomainLocked { .. } | E::FeatureDisabled { .. }, _) => {
            "InvalidParameter.CdnHostInvalidStatus"
        }
        (E::OverQuota { .. }, Scope::Url) => "LimitExceeded.CdnPurgeUrlExceedDayLimit",
        (E::OverQuota { .. }, Scope::Path | Scope::Tag) => {
            "LimitExceeded.CdnPurgePathExceedDayLimit"
        }
        (E::NoNode { .. }, _) => "InternalError.CdnConfigError",
        (E::Ledger(_), _) => "InternalError.CdnDbError",
    }
}

#[cfg(test)]
mod tests {
    use stoker_domain::area::{Area, Tier};

    use super::*;

    #[test]
    fn every_refusal_has_a_code_that_is_published_for_its_action() {
        let (area, host, url) = (Area::Mainland, || "a.example".to_owned(), String::new);
        let at = |error| E::Url { index: 0, url: url(), error };
        use SubmitError as E;
        let text: String = [
            E::NoUrls,
            E::TooManyUrls { given: 2, limit: 1 },
            at(target::Error::Scheme),
            at(target::Error::Host),
            at(target::Error::TooLong(5000)),
            at(target::Error::WildcardHost),
            E::DomainUnknown { host: host(), url: url() },
            E::DomainOffline { host: host() },
            E::AreaNotEnabled { host: host(), area },
            E::OverQuota { area, available: 0, needed: 1, limit: 1 },
            E::NoNode { area, tier: Tier::Edge },
        ]
        .iter()
        .map(|error| {
            format!("{}\n{}\n", submit_code(Scope::Url, error), submit_code(Scope::Path, error))
        })
        .collect();
        let published = "InvalidParameter.CdnParamError InvalidParameter.CdnUrlExceedLength \
             InvalidParameter.CdnPurgeWildcardNotAllowed InvalidParameter.CdnHostInvalidStatus \
             LimitExceeded.CdnPurgeUrlExceedBatchLimit LimitExceeded.CdnPurgeUrlExceedDayLimit \
             LimitExceeded.CdnPurgePathExceedBatchLimit LimitExceeded.CdnPurgePathExceedDayLimit \
             ResourceNotFound.CdnHostNotExists ResourceUnavailable.CdnHostIsNotOnline \
             InternalError.CdnConfigError";
        for code in text.lines() {
            assert!(published.split_whitespace().any(|known| known == code), "{code}");
        }
    }
}
