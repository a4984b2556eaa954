//! Every way in which a call at `/` fails, and what its caller is told: one match, pinned by a
//! snapshot, shown in `docs/compat`.
//!
//! What the caller reads and what the log reads are two texts: URLs and names of parameters, which
//! may carry tokens, never reach the log.

use stoker_domain::target;
use stoker_engine::{Error as LedgerError, SubmitError};

use super::{cdn, params, rate, signed, teo, v1::caller};
use crate::content;

/// The language of messages (X-TC-Language).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// `zh-CN`, the default.
    Chinese,
    /// `en-US`.
    English,
}

/// Why a call at `/` was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Neither GET nor POST.
    #[error("the method is not supported")]
    Method,
    /// The query is longer than a GET call may have.
    #[error("the query is too long")]
    LongQuery,
    /// A form, which is signed with signature v1, larger than such a call may be.
    #[error("the form is too large")]
    LongForm,
    /// The caller of a call with signature v1 is refused.
    #[error(transparent)]
    Caller(#[from] caller::Error),
    /// The caller is refused.
    #[error(transparent)]
    Signed(#[from] signed::Error),
    /// Carries a token, and there are no temporary credentials.
    #[error("the token is not valid")]
    Token,
    /// A common parameter is absent.
    #[error("the common parameter `{0}` is missing")]
    MissingCommon(&'static str),
    /// A version that is not served.
    #[error("the version is not served")]
    Version(String),
    /// An action that the version does not have.
    #[error("the action is unknown")]
    Action,
    /// The account has called the action too often.
    #[error(transparent)]
    Rate(#[from] rate::Exceeded),
    /// Content of a type that is not taken.
    #[error("the Content-Type is not supported")]
    ContentType,
    /// The parameters cannot be read.
    #[error("the parameters cannot be read")]
    Params(#[from] params::Error),
    /// A parameter of a `cdn` action has a wrong value.
    #[error(transparent)]
    Cdn(#[from] cdn::Error),
    /// An action on a domain of `cdn` refused.
    #[error(transparent)]
    CdnDomain(#[from] cdn::domain::Error),
    /// An action on purges of `cdn` refused.
    #[error(transparent)]
    CdnPurge(#[from] cdn::purge::Error),
    /// An action of `teo` refused.
    #[error(transparent)]
    Teo(#[from] teo::Error),
    /// The engine refused the task.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The ledger did not answer.
    #[error("the ledger does not answer")]
    Ledger(#[from] LedgerError),
}

/// What the caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The vendor's code.
    pub(crate) code: &'static str,
    /// The public sentence.
    pub(crate) message: String,
}

impl Error {
    /// The vendor's code and the public sentence.
    pub(crate) fn answer(&self, language: Language) -> Answer {
        let (code, message) = match self {
            Self::Method => {
                ("UnsupportedProtocol", "The request method must be `GET` or `POST`.".into())
            }
            Self::LongQuery => (
                "RequestSizeLimitExceeded",
                "The query of a GET request exceeds the limit of 32 KB.".into(),
            ),
            Self::LongForm => (
                "AuthFailure.SignatureFailure",
                "The provided credentials could not be validated because of exceeding request size \
                 limit, please use new signature method `TC3-HMAC-SHA256`."
                    .into(),
            ),
            Self::Caller(error) => return caller_answer(error, language),
            Self::Signed(error) => return signed_answer(error, language),
            Self::Token => (
                "AuthFailure.TokenFailure",
                "The token is not valid: there are no temporary credentials here.".into(),
            ),
            Self::MissingCommon(name) => ("MissingParameter", missing(name)),
            Self::Version(version) => (
                "NoSuchVersion",
                format!(
                    "The version `{version}` is not served here; `2018-06-06` and `2022-09-01` are."
                ),
            ),
            Self::Action => {
                ("InvalidAction", "The request `Action` is invalid or not found.".into())
            }
            Self::Rate(error) => ("RequestLimitExceeded", too_often(error, language)),
            Self::ContentType => (
                "InvalidRequest",
                "The Content-Type must be `application/json` or `multipart/form-data`.".into(),
            ),
            Self::Params(error) => return params_answer(error),
            Self::Cdn(error) => (cdn_code(error), error.to_string()),
            Self::CdnDomain(error) => (error.code(), error.to_string()),
            Self::CdnPurge(error) => (error.code(), error.message()),
            Self::Teo(error) => (error.code(), error.to_string()),
            Self::Submit(SubmitError::Ledger(_)) | Self::Ledger(_) => return internal(),
            Self::Submit(error) => (submit_code(error), with_hint(error)),
        };
        Answer { code, message }
    }

    /// What the log is told: never a URL, a query or the name of a parameter.
    pub(crate) fn for_log(&self) -> String {
        match self {
            Self::Submit(SubmitError::Url { index, error, .. }) => {
                format!("URL {} {error}", index + 1)
            }
            Self::Submit(SubmitError::DomainUnknown { host, .. }) => {
                format!("domain `{host}` is not in this account")
            }
            Self::Cdn(error) => error.for_log().into(),
            Self::CdnDomain(error) if !error.is_internal() => error.code().into(),
            Self::CdnPurge(error) => error.for_log(),
            Self::Teo(error) => error.for_log(),
            Self::Params(_) => "the parameters cannot be read".into(),
            _ => chain(self),
        }
    }

    /// Whether somebody has to act: the server failed, not the caller.
    pub(crate) fn is_internal(&self) -> bool {
        matches!(self, Self::Teo(error) if error.is_internal())
            || matches!(self, Self::CdnDomain(error) if error.is_internal())
            || matches!(self, Self::CdnPurge(error) if error.is_internal())
            || matches!(
                self,
                Self::Ledger(_)
                    | Self::Submit(SubmitError::Ledger(_) | SubmitError::NoNode { .. })
                    | Self::Signed(signed::Error::Ledger(_))
                    | Self::Caller(caller::Error::Ledger(_))
            )
    }
}

fn signed_answer(error: &signed::Error, language: Language) -> Answer {
    use signed::Error as E;
    let (code, message) = match error {
        // a call without any credentials, as the vendor answers it
        E::Unsigned | E::NoTimestamp => ("MissingParameter", missing("Timestamp")),
        E::Authorization(error) => (
            "AuthFailure.InvalidAuthorization",
            format!("The request `Authorization` header is not valid: {error}."),
        ),
        E::SecretId => (
            "AuthFailure.SecretIdNotFound",
            "The SecretId is not found, please ensure that your SecretId is correct.".into(),
        ),
        E::Timestamp => ("InvalidParameter", type_error("Timestamp")),
        E::Expired => (
            "AuthFailure.SignatureExpire",
            "The signature is expired, please request again.".into(),
        ),
        E::Content(content::Error::TooLarge { limit }) => (
            "RequestSizeLimitExceeded",
            format!("The request body exceeds the limit of {limit} bytes."),
        ),
        E::Content(content::Error::Broken | content::Error::Slow) => {
            ("InvalidRequest", "The request body is incomplete.".into())
        }
        E::Signature => (
            "AuthFailure.SignatureFailure",
            match language {
                Language::Chinese => "请求签名验证失败，请检查您的签名计算是否正确。".into(),
                Language::English => "The provided credentials could not be validated. Please \
                                      check your signature is correct."
                    .into(),
            },
        ),
        E::Ledger(_) => return internal(),
    };
    Answer { code, message }
}

fn caller_answer(error: &caller::Error, language: Language) -> Answer {
    use caller::Error as E;
    let (code, message) = match error {
        E::Missing(name) => ("MissingParameter", missing(name)),
        E::Number(name) => ("InvalidParameter", type_error(name)),
        E::SecretId => return signed_answer(&signed::Error::SecretId, language),
        E::Expired => return signed_answer(&signed::Error::Expired, language),
        E::Signature => return signed_answer(&signed::Error::Signature, language),
        E::Token => return Error::Token.answer(language),
        E::Ledger(_) => return internal(),
    };
    Answer { code, message }
}

fn params_answer(error: &params::Error) -> Answer {
    use params::Error as E;
    let (code, message) = match error {
        E::Json => ("InvalidParameter", "The request body is not a JSON object.".into()),
        E::Multipart(why) => {
            ("InvalidRequest", format!("The request body is not valid multipart/form-data: {why}."))
        }
        E::Unknown(name) => {
            ("UnknownParameter", format!("The parameter `{name}` is not recognized."))
        }
        E::Type(name) => ("InvalidParameter", type_error(name)),
        E::Missing(name) => ("MissingParameter", missing(name)),
    };
    Answer { code, message }
}

fn cdn_code(error: &cdn::Error) -> &'static str {
    use cdn::Error as E;
    match error {
        E::Word { .. } | E::Range { .. } | E::Fields(_) | E::NoSelection => {
            "InvalidParameter.CdnParamError"
        }
        E::Date { .. } | E::DateOrder => "InvalidParameter.CdnStatInvalidDate",
        E::Keyword => "InvalidParameter.CdnHostInvalidParam",
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
        E::DomainUnknown { .. } => "ResourceNotFound.CdnHostNotExists",
        // not online at all, or not in the area asked for (wire.md 3.9 leaves the code open)
        E::DomainOffline { .. } | E::AreaNotEnabled { .. } => {
            "ResourceUnavailable.CdnHostIsNotOnline"
        }
        E::OverQuota { .. } => "LimitExceeded.CdnPushExceedDayLimit",
        E::NoNode { .. } => "InternalError.CdnConfigError",
        E::Ledger(_) => "InternalError.CdnDbError",
    }
}

fn with_hint(error: &SubmitError) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; hint: {hint}"),
        None => error.to_string(),
    }
}

fn internal() -> Answer {
    Answer {
        code: "InternalError.CdnDbError",
        message: "The request cannot be carried out now; try again.".into(),
    }
}

/// The vendor's sentences, which callers look for.
pub(crate) fn too_often(error: &rate::Exceeded, language: Language) -> String {
    let rate::Exceeded { calls, limit, period } = error;
    match (language, period) {
        (Language::English, period) => {
            let period = period.word();
            format!(
                "Your current request times equals to `{calls}` in a {period}, which exceeds the \
                 frequency limit `{limit}` for a {period}. Please reduce the frequency of calls."
            )
        }
        (Language::Chinese, rate::Period::Second) => {
            format!("您当前每秒请求 `{calls}` 次，超过了每秒频率上限 `{limit}`，请稍后重试。")
        }
        (Language::Chinese, rate::Period::Minute) => {
            format!("您当前每分钟请求 `{calls}` 次，超过了每分钟频率上限 `{limit}`，请稍后重试。")
        }
    }
}

fn missing(name: &str) -> String {
    format!("The request is missing a required parameter `{name}`.")
}

fn type_error(name: &str) -> String {
    format!("Parameter `{name}` type error.")
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
#[path = "error/tests.rs"]
mod tests;
