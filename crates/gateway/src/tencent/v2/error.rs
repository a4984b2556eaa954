//! Every way in which a call of API v2 fails, and what its caller is answered: one
//! match, pinned by a snapshot, shown in `docs/compat`.
//!
//! The sentences that were seen of the vendor stand as they were seen: Chinese of the caller, of a
//! missing parameter and of a wrong date; English of what a sub-user may not, in either language.

use http::StatusCode;
use stoker_domain::{domain::Lock, purge::Scope, target};
use stoker_engine::{Error as EngineError, PurgeError, SubmitError, with_causes};

use crate::{
    auth::{
        account::NotActive,
        rate,
        v1::{caller, pairs, read::Unread},
    },
    content,
    frame::Failure,
    tencent::{
        access::{self, Kind},
        message::{self, Language, Message},
        params,
    },
};

/// Why a call was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Neither GET nor POST.
    #[error("the method is not supported")]
    Method,
    /// The query or the content is too large.
    #[error("the request is too large")]
    TooLarge,
    /// The content would take too much memory now.
    #[error("the content cannot be taken")]
    Busy(#[source] content::Error),
    /// The content broke off.
    #[error("the content is incomplete")]
    Incomplete,
    /// The parameters cannot be read.
    #[error("the parameters cannot be read")]
    Pairs(#[from] pairs::Error),
    /// A parameter is absent or has another type.
    #[error("the parameters cannot be read")]
    Params(#[from] params::Error),
    /// The caller is refused.
    #[error(transparent)]
    Caller(#[from] caller::Error),
    /// The account is not active.
    #[error(transparent)]
    NotActive(#[from] NotActive),
    /// The caller may not do this.
    #[error("{refused}")]
    Access {
        /// What.
        refused: Box<access::Refused>,
        /// Stands in the answer and in the log.
        request_id: String,
    },
    /// The call was made before.
    #[error("the call was made before")]
    Replay,
    /// The account has called the action too often.
    #[error(transparent)]
    Rate(#[from] rate::Exceeded),
    /// No such action.
    #[error("the action is unknown")]
    Action,
    /// The engine refused the purge.
    #[error("{error}")]
    Purge {
        /// What it named.
        scope: Scope,
        /// Why.
        error: PurgeError,
    },
    /// A value that is not taken.
    #[error("parameter `{0}` has a value that is not taken")]
    Value(&'static str),
    /// Not a date, or a range without the task.
    #[error("the date is not valid")]
    Date,
    /// The account has no such task.
    #[error("the task does not exist")]
    TaskUnknown,
    /// The engine refused the task.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The ledger did not answer.
    #[error("the ledger does not answer")]
    Ledger(#[source] EngineError),
}

/// What the caller is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) code: u16,
    /// `codeDesc`.
    pub(super) desc: &'static str,
    pub(super) message: String,
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Method => Self::Method,
            Unread::LongQuery | Unread::Content(content::Error::TooLarge { .. }) => Self::TooLarge,
            Unread::Content(content::Error::Broken | content::Error::Slow) => Self::Incomplete,
            Unread::Content(error) => Self::Busy(error),
            Unread::Pairs(error) => Self::Pairs(error),
        }
    }
}

impl Error {
    /// That a required parameter is absent.
    pub(super) fn missing(name: &str) -> Self {
        Self::Params(params::Error::Missing(name.into()))
    }

    /// The vendor's codes and the public sentence.
    pub(super) fn answer(&self, language: Language) -> Answer {
        let invalid = "InvalidParameter";
        let (code, desc, message) = match self {
            Self::Method => {
                (4600, "UnsupportedProtocol", Message::new("use GET or POST", "请使用 GET 或 POST"))
            }
            Self::TooLarge => (
                4000,
                invalid,
                Message::new(
                    "the request is larger than 1 MB, or 32 KB for GET",
                    "请求超过了 1 MB（GET 为 32 KB）的上限",
                ),
            ),
            Self::Busy(error) => busy(*error),
            Self::Incomplete => {
                (4000, invalid, Message::new("the request body is incomplete", "请求体不完整"))
            }
            Self::Pairs(error) => (4000, invalid, of_pairs(error)),
            Self::Params(error) => (4000, invalid, of_params(error)),
            Self::Caller(error) => caller_answer(error),
            Self::NotActive(error) => {
                module(4000, inactive_code(*error), message::not_active(*error))
            }
            Self::Access { refused, request_id } => access_answer(refused, request_id),
            Self::Replay => (
                4500,
                "ReplayAttack",
                Message::new(
                    "the pair of Nonce and Timestamp was used before",
                    "Nonce 与 Timestamp 的组合已被使用过",
                ),
            ),
            Self::Rate(error) => (4400, "RequestLimitExceeded", message::too_often(error)),
            Self::Action => {
                (4000, "InvalidAction", Message::new("the Action does not exist", "Action 不存在"))
            }
            Self::Purge { scope, error } => purge_answer(*scope, error),
            Self::Value(name) => module(
                4000,
                "9003",
                Message::new(
                    format!("parameter `{name}` is not valid"),
                    format!("参数 `{name}` 不合法"),
                ),
            ),
            Self::Date => module(4000, "9150", Message::new("the date is not valid", "日期不合法")),
            Self::TaskUnknown => {
                module(4000, "21001", Message::new("task_id does not exist", "task_id 不存在"))
            }
            Self::Submit(SubmitError::NoUrls) => (4000, invalid, missing("urls")),
            Self::Submit(SubmitError::Ledger(_)) | Self::Ledger(_) => internal(),
            Self::Submit(error @ SubmitError::NoNode { .. }) => {
                module(6000, "9000", message::submit(error))
            }
            Self::Submit(error) => module(4000, submit_code(error), message::submit(error)),
        };
        let status = match self {
            Self::TooLarge => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::OK,
        };
        Answer { status, code, desc, message: message.text(language) }
    }

    /// Whether the same call may be taken later, because of the memory that it takes now.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Caller(caller::Error::Content(_)))
    }
}

impl Failure for Error {
    fn label(&self) -> &'static str {
        // the same in every language
        self.answer(Language::English).desc
    }

    fn for_log(&self) -> String {
        match self {
            Self::Submit(error) => error.for_log(),
            Self::Access { refused, request_id } => {
                format!("request {request_id}: {}", refused.for_log())
            }
            Self::Purge { scope, error } if !is_ours(error) => {
                format!("({}) a purge is refused", purge_answer(*scope, error).1)
            }
            Self::Pairs(_) | Self::Params(_) => "the parameters cannot be read".into(),
            _ => with_causes(self),
        }
    }

    fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Ledger(_)
                | Self::Submit(SubmitError::Ledger(_) | SubmitError::NoNode { .. })
                | Self::Caller(caller::Error::Ledger(_))
        ) || matches!(self, Self::Purge { error, .. } if is_ours(error))
    }
}

type Fields = (u16, &'static str, Message);

fn of_pairs(error: &pairs::Error) -> Message {
    match error {
        pairs::Error::Type(name) => of_params(&params::Error::Type(name.clone())),
        pairs::Error::TooMany => of_params(&params::Error::TooMany),
        pairs::Error::Multipart(_) => {
            Message::new(error.to_string(), "请求体不是合法的 `multipart/form-data`")
        }
    }
}

fn of_params(error: &params::Error) -> Message {
    use params::Error as E;
    let zh = match error {
        E::Missing(name) => return missing(name),
        E::Json => "请求体不是 JSON 对象".into(),
        E::Multipart(_) => "请求体不是合法的 `multipart/form-data`".into(),
        E::TooMany => "请求参数过多".into(),
        E::Unknown(name) => format!("无法识别参数 `{name}`"),
        E::Type(name) => format!("参数 `{name}` 类型错误"),
    };
    Message::new(error.to_string(), zh)
}

fn busy(error: content::Error) -> Fields {
    (4400, "RequestLimitExceeded", message::busy(error))
}

fn caller_answer(error: &caller::Error) -> Fields {
    use caller::Error as E;
    match error {
        E::Missing(name) => (4000, "InvalidParameter", missing(name)),
        E::Number(name) => {
            (4000, "InvalidParameter", of_params(&params::Error::Type((*name).into())))
        }
        E::SecretId => (
            4104,
            "SecretidNotExit",
            Message::new("the SecretId does not exist", "SecretId 不存在"),
        ),
        E::Expired => {
            (4200, "RequestExpired", Message::new("the request is expired", "请求已过期"))
        }
        E::Signature => (
            4100,
            "AuthFailure",
            Message::new(
                "authentication failed; see the documentation on signatures",
                "鉴权失败，请参考文档中鉴权部分。",
            ),
        ),
        E::Token(error) => (4105, "SendTokenError", message::token(*error)),
        E::Content(error) => busy(*error),
        E::Ledger(_) => internal(),
    }
}

/// The sentence is the vendor's, seen in English alone.
fn access_answer(refused: &access::Refused, request_id: &str) -> Fields {
    let text = format!("[request id:{request_id}]{refused}");
    let message = Message::new(text.clone(), text);
    match refused.kind {
        Kind::Action => (4101, "SecretidNotAuthAccessResource", message),
        Kind::Resource => (4102, "SecretidNotAuthAccessResource", message),
        Kind::User => (4103, "UnauthorizedOperation", message),
    }
}

/// Whether the server failed, not the caller.
fn is_ours(error: &PurgeError) -> bool {
    use SubmitError as E;
    matches!(error, PurgeError::Refused(E::Ledger(_) | E::NoNode { .. }))
}

fn purge_answer(scope: Scope, error: &PurgeError) -> Fields {
    use SubmitError as E;
    let code = match (error, scope) {
        (PurgeError::Query { .. } | PurgeError::Tag { .. }, _) => "9003",
        (PurgeError::Refused(E::Ledger(_)), _) => return internal(),
        (PurgeError::Refused(E::NoNode { .. }), _) => {
            return module(6000, "9000", message::bare_purge(error));
        }
        (PurgeError::Refused(E::NoUrls), _) => {
            return (4000, "InvalidParameter", missing("urls"));
        }
        (PurgeError::Refused(E::TooManyUrls { .. }), Scope::Url) => "22043",
        (PurgeError::Refused(E::OverQuota { .. }), Scope::Url) => "22044",
        (PurgeError::Refused(E::TooManyUrls { .. }), Scope::Path | Scope::Tag) => "22045",
        (PurgeError::Refused(E::OverQuota { .. }), Scope::Path | Scope::Tag) => "22046",
        (PurgeError::Refused(E::DomainOffline { .. }), _) => "28007",
        (PurgeError::Refused(error), _) => submit_code(error),
    };
    module(4000, code, message::bare_purge(error))
}

fn submit_code(error: &SubmitError) -> &'static str {
    use SubmitError as E;
    match error {
        E::TooManyUrls { .. } => "23100",
        E::Url { error, .. } => match error {
            target::Error::Host | target::Error::WildcardHost => "9107",
            target::Error::TooLong(_) => "21002",
            target::Error::Scheme
            | target::Error::UserInfo
            | target::Error::NotAscii
            | target::Error::Character => "9003",
        },
        E::DomainUnknown { .. } | E::OtherZone { .. } => "9110",
        E::DomainOffline { .. } => "28006",
        E::AreaNotEnabled { .. } => "9112",
        E::DomainLocked { lock: Lock::Locked, .. } => "9161",
        E::DomainLocked { lock: Lock::Changing, .. } => "9135",
        E::FeatureDisabled { .. } => "23103",
        E::OverQuota { .. } => "23101",
        E::NoUrls | E::NoNode { .. } | E::Ledger(_) => "9000",
    }
}

const fn inactive_code(error: NotActive) -> &'static str {
    match error {
        NotActive::Suspended => "9169",
        NotActive::AwaitingApproval => "9111",
    }
}

/// A module code stands in `codeDesc` and in front of the message.
fn module(code: u16, desc: &'static str, message: Message) -> Fields {
    let front = format!("({desc})");
    (code, desc, message.after(&front, &front))
}

fn internal() -> Fields {
    let again = "the request cannot be carried out now; try again";
    module(6000, "9000", Message::new(again, "请求暂时无法完成，请稍后重试"))
}

fn missing(name: &str) -> Message {
    Message::new(
        format!("the request failed: parameter [{name}] must not be empty."),
        format!("请求失败，参数[{name}]不能为空。"),
    )
}

#[cfg(test)]
#[path = "error/tests.rs"]
mod tests;
