//! API 3.0 `teo`, version 2022-09-01: its actions, which address domains through their zones.
//!
//! One file per subject. Receives parameters of verified callers, returns the fields of the reply.

mod clock;
mod create_prefetch_task;
mod create_purge_task;
mod describe_content_quota;
mod describe_prefetch_tasks;
mod describe_purge_tasks;
mod domains;
mod error;
mod filters;
mod origin;
mod origin_limit;
mod ownership;
mod purge_kind;
mod range;
mod zones;

use serde_json::{Map, Value};
use stoker_domain::account::Account;

pub(crate) use self::error::Error;
use super::{error::Error as CallError, params::Params};
use crate::Gateway;

/// The version that names this product.
pub(crate) const VERSION: &str = "2022-09-01";

/// Under which name settings of this API are kept.
pub(crate) const KEPT: &str = "teo";

/// The fields of a reply.
type Reply = Result<Map<String, Value>, CallError>;

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

            /// Carries the action out for `account`.
            pub(crate) async fn call(
                self,
                gateway: &Gateway,
                account: &Account,
                params: Params,
            ) -> Reply {
                let reply = match self { $(Self::$action => $call(gateway, account, params).await),+ };
                reply.map_err(|error| match error {
                    CallError::Teo(error) => CallError::Teo(error.of(self)),
                    other => other,
                })
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
