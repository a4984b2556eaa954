//! Prefetches of `cdn`: `PushUrlsCache`, what became of them and what is left of the day.

mod codes;
mod describe_push_quota;
mod describe_push_tasks;
mod push_urls_cache;

use stoker_engine::SubmitError;

use crate::tencent::{cdn::error, common::Call, params::Params};

/// Why an action was refused.
pub(crate) type Error = error::Error<SubmitError>;

type Reply = error::Reply<SubmitError>;

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

    /// Carries the action out.
    pub(crate) async fn call(self, call: Call<'_>, params: Params) -> Reply {
        match self {
            Self::PushUrlsCache => push_urls_cache::call(call, params).await,
            Self::DescribePushTasks => describe_push_tasks::call(call, params).await,
            Self::DescribePushQuota => describe_push_quota::call(call, params).await,
        }
    }
}
