//! API 3.0 `teo`, version 2022-09-01: its actions, which address domains through their zones.
//!
//! One file per subject. Receives parameters of verified callers, returns the fields of the reply.

mod clock;
mod codes;
mod create_prefetch_task;
mod create_purge_task;
mod describe_content_quota;
mod describe_prefetch_tasks;
mod describe_purge_tasks;
mod domains;
mod error;
mod filters;
mod listing;
mod origin;
mod origin_limit;
mod ownership;
mod purge_kind;
mod range;
mod rule;
mod zones;

pub(crate) use self::error::Error;
use self::error::Reply;
#[cfg(test)]
pub(crate) use self::rule::OriginRule;
use super::{
    common::{Call, Refused},
    params::Params,
};

/// The version that names this product.
pub(crate) const VERSION: &str = "2022-09-01";

/// Codes that these actions do not publish; of each the first word alone.
const PLAIN: &[(&str, &[Action])] = &[
    (
        "InvalidParameter.ParameterError",
        &[
            Action::DescribeZones,
            Action::DescribeAccelerationDomains,
            Action::DescribePrefetchOriginLimit,
        ],
    ),
    (
        "InternalError.BackendError",
        &[Action::DescribePrefetchTasks, Action::DescribePurgeTasks, Action::DescribeContentQuota],
    ),
];

macro_rules! actions {
    ($($action:ident => $call:path),+ $(,)?) => {
        /// The actions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Action {
            $(#[doc = concat!("`", stringify!($action), "`")] $action),+
        }

        impl Action {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$action),+];

            /// The action with this name.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($action) => Some(Self::$action),)+
                    _ => None,
                }
            }

            /// Its name on the wire.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$action => stringify!($action)),+ }
            }

            /// Carries the action out.
            pub(crate) async fn call(self, call: Call<'_>, params: Params) -> Reply {
                let reply = match self { $(Self::$action => $call(call, params).await),+ };
                reply.map_err(|error| self.published(error))
            }
        }
    };
}

actions! {
    CreatePrefetchTask => create_prefetch_task::call,
    DescribePrefetchTasks => describe_prefetch_tasks::call,
    CreatePurgeTask => create_purge_task::call,
    DescribePurgeTasks => describe_purge_tasks::call,
    DescribeContentQuota => describe_content_quota::call,
    ModifyPrefetchOriginLimit => origin_limit::modify,
    DescribePrefetchOriginLimit => origin_limit::describe,
    CreateZone => zones::create,
    DescribeZones => zones::describe,
    DeleteZone => zones::delete,
    IdentifyZone => ownership::identify,
    VerifyOwnership => ownership::verify,
    DescribeIdentifications => ownership::describe,
    CreateAccelerationDomain => domains::create,
    DescribeAccelerationDomains => domains::describe,
    ModifyAccelerationDomain => domains::modify,
    ModifyAccelerationDomainStatuses => domains::modify_statuses,
    DeleteAccelerationDomains => domains::delete,
}

impl Action {
    /// `error` as this action publishes it.
    pub(crate) fn published(self, error: Error) -> Error {
        let code = error.code();
        let is_plain = |(of, actions): &(&str, &[Self])| *of == code && actions.contains(&self);
        if PLAIN.iter().any(is_plain) { Error::Plain(Box::new(error)) } else { error }
    }
}
