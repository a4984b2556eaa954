//! API 3.0 `cdn`, version 2018-06-06: its actions and what their parameters may not be.
//!
//! One file per action. Receives parameters of verified callers, returns the fields of the reply.

pub(crate) mod domain;
pub(crate) mod purge;

mod describe_push_quota;
mod describe_push_tasks;
mod push_urls_cache;

use serde_json::{Map, Value};
use stoker_domain::{account::Account, area::UnknownWord};

use super::{
    error,
    message::{self, Message},
    params::{OutOfBounds, Params},
};
use crate::{Gateway, request_fields};

/// The version that names this product.
pub(crate) const VERSION: &str = "2018-06-06";

/// The actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Submits URLs.
    PushUrlsCache,
    /// Shows how far they are.
    DescribePushTasks,
    /// Shows what may still be submitted today.
    DescribePushQuota,
}

/// A value that an action does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Not one of a closed list.
    #[error("parameter `{name}`: {error}")]
    Word {
        /// The parameter.
        name: &'static str,
        /// What was given and what is taken.
        error: UnknownWord,
    },
    /// A number out of bounds.
    #[error(transparent)]
    Range(#[from] OutOfBounds),
    /// `Headers` or `UserAgent`.
    #[error(transparent)]
    Fields(#[from] request_fields::Error),
    /// Neither `TaskId` nor `StartTime`.
    #[error("one of `TaskId` and `StartTime` must be given")]
    NoSelection,
    /// Not a time.
    #[error("parameter `{name}` is not a time of the form `YYYY-MM-DD HH:MM:SS`")]
    Date {
        /// The parameter.
        name: &'static str,
    },
    /// The range ends before it begins.
    #[error("`EndTime` lies before `StartTime`")]
    DateOrder,
    /// Neither a domain nor a URL.
    #[error("parameter `Keyword` must be a domain or a full URL")]
    Keyword,
}

impl Error {
    /// What the caller reads.
    pub(crate) fn message(&self) -> Message {
        let zh = match self {
            Self::Word { name, error } => return message::unknown_word(name, error),
            Self::Range(bounds) => return message::range(*bounds),
            Self::Fields(error) => return message::fields(error),
            Self::NoSelection => "`TaskId` 和 `StartTime` 必须填写其中之一".into(),
            Self::Date { name } => format!("参数 `{name}` 不是 `YYYY-MM-DD HH:MM:SS` 格式的时间"),
            Self::DateOrder => "`EndTime` 早于 `StartTime`".into(),
            Self::Keyword => "参数 `Keyword` 必须是域名或完整的 URL".into(),
        };
        Message::new(self.to_string(), zh)
    }

    /// The rule that is broken, without what was given.
    pub(crate) fn for_log(&self) -> &'static str {
        match self {
            Self::Word { name, .. }
            | Self::Range(OutOfBounds { name, .. })
            | Self::Date { name } => name,
            Self::Fields(_) => "Headers",
            Self::NoSelection => "neither TaskId nor StartTime",
            Self::DateOrder => "EndTime before StartTime",
            Self::Keyword => "Keyword",
        }
    }
}

impl Action {
    pub(crate) const ALL: [Self; 3] =
        [Self::PushUrlsCache, Self::DescribePushTasks, Self::DescribePushQuota];

    /// The action with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Its name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::PushUrlsCache => "PushUrlsCache",
            Self::DescribePushTasks => "DescribePushTasks",
            Self::DescribePushQuota => "DescribePushQuota",
        }
    }

    /// Carries the action out for `account`.
    pub(crate) async fn call(
        self,
        gateway: &Gateway,
        account: &Account,
        params: Params,
    ) -> Result<Map<String, Value>, error::Error> {
        match self {
            Self::PushUrlsCache => push_urls_cache::call(gateway, account, params).await,
            Self::DescribePushTasks => describe_push_tasks::call(gateway, account, params).await,
            Self::DescribePushQuota => describe_push_quota::call(gateway, account, params).await,
        }
    }
}

/// Takes an optional word of a closed list.
fn word<T>(params: &mut Params, name: &'static str) -> Result<Option<T>, error::Error>
where
    T: std::str::FromStr<Err = UnknownWord>,
{
    let text = params.text(name)?.filter(|text| !text.is_empty());
    let read = text.map(|text| text.parse().map_err(|error| Error::Word { name, error }));
    Ok(read.transpose()?)
}
