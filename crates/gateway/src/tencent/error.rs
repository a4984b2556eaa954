//! Every way in which a call at `/` fails, and what its caller is told: one match, pinned by a
//! snapshot, shown in `docs/compat`.
//!
//! What the caller reads and what the log reads are two texts: URLs and names of parameters, which
//! may carry tokens, never reach the log.

use stoker_domain::target;
use stoker_engine::{Error as LedgerError, SubmitError};

use super::{
    Action,
    access::{self, inactive},
    cdn,
    message::{self, Language, Message, missing, type_error},
    params, teo,
};
use crate::{
    auth::{
        account::NotActive,
        rate, signed, token,
        v1::{caller, pairs, read::Unread},
    },
    content,
};

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
    /// The account is not active.
    #[error("{error}")]
    NotActive {
        /// Why.
        error: NotActive,
        /// What was called.
        action: Action,
    },
    /// The caller may not do this.
    #[error(transparent)]
    Access(#[from] Box<access::Refused>),
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

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Method => Self::Method,
            Unread::LongQuery => Self::LongQuery,
            Unread::Content(content::Error::TooLarge { .. }) => Self::LongForm,
            Unread::Content(error) => signed::Error::Content(error).into(),
            Unread::Pairs(pairs::Error::Type(name)) => params::Error::Type(name).into(),
            Unread::Pairs(pairs::Error::Multipart(why)) => params::Error::Multipart(why).into(),
            Unread::Pairs(pairs::Error::TooMany) => params::Error::TooMany.into(),
        }
    }
}

impl Error {
    /// The vendor's code and the public sentence.
    pub(crate) fn answer(&self, language: Language) -> Answer {
        let (code, message) = self.told();
        Answer { code, message: message.text(language) }
    }

    fn told(&self) -> Told {
        match self {
            Self::Method => (
                "UnsupportedProtocol",
                Message::new(
                    "The request method must be `GET` or `POST`.",
                    "请求方法必须是 `GET` 或 `POST`。",
                ),
            ),
            Self::LongQuery => (
                "RequestSizeLimitExceeded",
                Message::new(
                    "The query of a GET request exceeds the limit of 32 KB.",
                    "GET 请求的查询串超过了 32 KB 的上限。",
                ),
            ),
            Self::LongForm => (
                "AuthFailure.SignatureFailure",
                Message::new(
                    "The provided credentials could not be validated because of exceeding request \
                     size limit, please use new signature method `TC3-HMAC-SHA256`.",
                    "请求大小超过上限，无法验证签名，请使用新的签名方法 `TC3-HMAC-SHA256`。",
                ),
            ),
            Self::Caller(error) => caller_told(error),
            Self::Signed(error) => signed_told(error),
            Self::MissingCommon(name) => ("MissingParameter", missing(name)),
            Self::Version(version) => (
                "NoSuchVersion",
                Message::new(
                    format!(
                        "The version `{version}` is not served here; `2018-06-06` and `2022-09-01` \
                         are."
                    ),
                    format!("不支持版本 `{version}`，支持的版本为 `2018-06-06` 和 `2022-09-01`。"),
                ),
            ),
            Self::Action => (
                "InvalidAction",
                Message::new(
                    "The request `Action` is invalid or not found.",
                    "请求的 `Action` 无效或不存在。",
                ),
            ),
            Self::Rate(error) => ("RequestLimitExceeded", too_often(error)),
            Self::ContentType => (
                "InvalidRequest",
                Message::new(
                    "The Content-Type must be `application/json` or `multipart/form-data`.",
                    "Content-Type 必须是 `application/json` 或 `multipart/form-data`。",
                ),
            ),
            Self::Params(error) => params_told(error),
            Self::NotActive { error, action } => {
                (inactive::code(*error, *action), message::not_active(*error))
            }
            Self::Access(refused) => (refused.code(), refused.message()),
            Self::Cdn(error) => (cdn_code(error), error.message()),
            Self::CdnDomain(error) => (error.code(), error.message()),
            Self::CdnPurge(error) => (error.code(), error.message()),
            Self::Teo(error) => (error.code(), error.message()),
            Self::Submit(SubmitError::Ledger(_)) | Self::Ledger(_) => {
                ("InternalError.CdnDbError", message::try_again())
            }
            Self::Submit(error) => (submit_code(error), message::with_hint(error)),
        }
    }

    /// Whether the same call may be taken later, because of the memory that it takes now.
    pub(crate) const fn is_busy(&self) -> bool {
        match self {
            Self::Signed(signed::Error::Content(error))
            | Self::Caller(caller::Error::Content(error)) => error.is_busy(),
            _ => false,
        }
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
            Self::Access(refused) => refused.for_log(),
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

/// The vendor's code and the public sentence in both languages.
type Told = (&'static str, Message);

fn signed_told(error: &signed::Error) -> Told {
    use signed::Error as E;
    match error {
        // a call without any credentials, as the vendor answers it
        E::Unsigned | E::NoTimestamp => ("MissingParameter", missing("Timestamp")),
        E::Authorization(error) => {
            ("AuthFailure.InvalidAuthorization", message::authorization(error))
        }
        E::SecretId => (
            "AuthFailure.SecretIdNotFound",
            Message::new(
                "The SecretId is not found, please ensure that your SecretId is correct.",
                "SecretId 不存在，请检查您的 SecretId 是否正确。",
            ),
        ),
        E::Timestamp => ("InvalidParameter", type_error("Timestamp")),
        E::Expired => (
            "AuthFailure.SignatureExpire",
            Message::new(
                "The signature is expired, please request again.",
                "签名已过期，请重新请求。",
            ),
        ),
        E::Content(error) => content_told(*error),
        E::Signature => (
            "AuthFailure.SignatureFailure",
            Message::new(
                "The provided credentials could not be validated. Please check your signature is \
                 correct.",
                "请求签名验证失败，请检查您的签名计算是否正确。",
            ),
        ),
        E::Token(error) => token_told(*error),
        // before any product is known
        E::Ledger(_) => ("InternalError", message::try_again()),
    }
}

fn content_told(error: content::Error) -> Told {
    use content::Error as E;
    match error {
        E::TooLarge { limit } => (
            "RequestSizeLimitExceeded",
            Message::new(
                format!("The request body exceeds the limit of {limit} bytes."),
                format!("请求体超过了 {limit} 字节的上限。"),
            ),
        ),
        E::Broken | E::Slow => {
            ("InvalidRequest", Message::new("The request body is incomplete.", "请求体不完整。"))
        }
        E::Full(_) | E::Suspect => ("RequestLimitExceeded", message::busy(error)),
    }
}

fn token_told(error: token::Error) -> Told {
    ("AuthFailure.TokenFailure", message::token(error))
}

fn caller_told(error: &caller::Error) -> Told {
    use caller::Error as E;
    match error {
        E::Missing(name) => ("MissingParameter", missing(name)),
        E::Number(name) => ("InvalidParameter", type_error(name)),
        E::SecretId => signed_told(&signed::Error::SecretId),
        E::Expired => signed_told(&signed::Error::Expired),
        E::Signature => signed_told(&signed::Error::Signature),
        E::Token(error) => token_told(*error),
        E::Content(error) => content_told(*error),
        E::Ledger(_) => ("InternalError", message::try_again()),
    }
}

fn params_told(error: &params::Error) -> Told {
    use params::Error as E;
    match error {
        E::Json => (
            "InvalidParameter",
            Message::new("The request body is not a JSON object.", "请求体不是 JSON 对象。"),
        ),
        E::Multipart(why) => (
            "InvalidRequest",
            Message::new(
                format!("The request body is not valid multipart/form-data: {why}."),
                "请求体不是合法的 multipart/form-data。",
            ),
        ),
        E::TooMany => (
            "InvalidParameter",
            Message::new("The request has too many parameters.", "请求参数过多。"),
        ),
        E::Unknown(name) => (
            "UnknownParameter",
            Message::new(
                format!("The parameter `{name}` is not recognized."),
                format!("无法识别参数 `{name}`。"),
            ),
        ),
        E::Type(name) => ("InvalidParameter", type_error(name)),
        E::Missing(name) => ("MissingParameter", missing(name)),
    }
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
        E::DomainUnknown { .. } | E::OtherZone { .. } => "ResourceNotFound.CdnHostNotExists",
        // not online at all, or not in the area asked for (the vendor names no code for it)
        E::DomainOffline { .. } | E::AreaNotEnabled { .. } => {
            "ResourceUnavailable.CdnHostIsNotOnline"
        }
        E::DomainLocked { lock, .. } => cdn::domain::lock_code(*lock),
        E::FeatureClosed { .. } => "UnauthorizedOperation.CdnUserNoWhitelist",
        E::OverQuota { .. } => "LimitExceeded.CdnPushExceedDayLimit",
        E::NoNode { .. } => "InternalError.CdnConfigError",
        E::Ledger(_) => "InternalError.CdnDbError",
    }
}

/// The vendor's sentences.
pub(crate) fn too_often(error: &rate::Exceeded) -> Message {
    let rate::Exceeded { calls, limit, period } = error;
    let (word, zh) = match period {
        rate::Period::Second => ("second", "秒"),
        rate::Period::Minute => ("minute", "分钟"),
    };
    Message::new(
        format!(
            "Your current request times equals to `{calls}` in a {word}, which exceeds the \
             frequency limit `{limit}` for a {word}. Please reduce the frequency of calls."
        ),
        format!("您当前每{zh}请求 `{calls}` 次，超过了每{zh}频率上限 `{limit}`，请稍后重试。"),
    )
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
#[path = "error/tests.rs"]
pub(crate) mod tests;
