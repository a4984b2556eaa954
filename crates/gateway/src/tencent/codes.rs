//! What a call of API 3.0 is answered when it fails: one match, pinned by a snapshot, shown in
//! `docs/compat`. Errors of a product are answered as the product's own `codes` say.
//!
//! What the caller reads and what the log reads are two texts: URLs and names of parameters, which
//! may carry tokens, never reach the log.

use stoker_engine::with_causes;

use super::{
    common::Refused,
    error::Error,
    inactive,
    message::{self, Message, missing, type_error},
};
use crate::{
    auth::{signed, token, v1::caller},
    content,
    frame::Failure,
};

/// The vendor's code and the public sentence in both languages.
pub(crate) type Answer = (&'static str, Message);

impl Error {
    /// The vendor's code and the sentence for the caller.
    pub(crate) fn answer(&self) -> Answer {
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
            Self::Caller(error) => caller_answer(error),
            Self::Signed(error) => signed_answer(error),
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
            Self::Rate(error) => ("RequestLimitExceeded", message::too_often(error)),
            Self::ContentType => (
                "InvalidRequest",
                Message::new(
                    "The Content-Type must be `application/json` or `multipart/form-data`.",
                    "Content-Type 必须是 `application/json` 或 `multipart/form-data`。",
                ),
            ),
            Self::Params(error) => (error.code(), message::params(error)),
            Self::NotActive { error, action } => {
                (inactive::code(*error, *action), message::not_active(*error))
            }
            Self::Access(refused) => (refused.code(), refused.message()),
            Self::CdnPush(error) => of_product(error),
            Self::CdnDomain(error) => of_product(error),
            Self::CdnPurge(error) => of_product(error),
            Self::Teo(error) => of_product(error),
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

    /// The product's own error, if it is one.
    fn product(&self) -> Option<&dyn Refused> {
        match self {
            Self::CdnPush(error) => Some(error),
            Self::CdnDomain(error) => Some(error),
            Self::CdnPurge(error) => Some(error),
            Self::Teo(error) => Some(error),
            _ => None,
        }
    }
}

impl Failure for Error {
    fn label(&self) -> &'static str {
        self.answer().0
    }

    fn for_log(&self) -> String {
        match (self, self.product()) {
            (_, Some(error)) => error.for_log(),
            (Self::Access(refused), _) => refused.for_log(),
            (Self::Params(_), _) => "the parameters cannot be read".into(),
            _ => with_causes(self),
        }
    }

    fn is_internal(&self) -> bool {
        match (self, self.product()) {
            (_, Some(error)) => error.is_internal(),
            (
                Self::Signed(signed::Error::Ledger(_)) | Self::Caller(caller::Error::Ledger(_)),
                _,
            ) => true,
            _ => false,
        }
    }
}

fn of_product(error: &dyn Refused) -> Answer {
    (error.code(), error.message())
}

fn signed_answer(error: &signed::Error) -> Answer {
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
        E::Content(error) => content_answer(*error),
        E::Signature => (
            "AuthFailure.SignatureFailure",
            Message::new(
                "The provided credentials could not be validated. Please check your signature is \
                 correct.",
                "请求签名验证失败，请检查您的签名计算是否正确。",
            ),
        ),
        E::Token(error) => token_answer(*error),
        // before any product is known
        E::Ledger(_) => ("InternalError", message::try_again()),
    }
}

fn content_answer(error: content::Error) -> Answer {
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

fn token_answer(error: token::Error) -> Answer {
    ("AuthFailure.TokenFailure", message::token(error))
}

fn caller_answer(error: &caller::Error) -> Answer {
    use caller::Error as E;
    match error {
        E::Missing(name) => ("MissingParameter", missing(name)),
        E::Number(name) => ("InvalidParameter", type_error(name)),
        E::SecretId => signed_answer(&signed::Error::SecretId),
        E::Expired => signed_answer(&signed::Error::Expired),
        E::Signature => signed_answer(&signed::Error::Signature),
        E::Token(error) => token_answer(*error),
        E::Content(error) => content_answer(*error),
        E::Ledger(_) => ("InternalError", message::try_again()),
    }
}

#[cfg(test)]
#[path = "codes/tests.rs"]
pub(crate) mod tests;
