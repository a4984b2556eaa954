//! What the callers of an account that is not active are told: each action has a code of its own.

use crate::{
    auth::account::NotActive,
    tencent::{
        Action, cdn,
        cdn::{domain::Action as Domain, purge::Action as Purge},
        teo,
    },
};

/// For actions whose own lists have no code for it.
const COMMON: &str = "UnauthorizedOperation";

/// The code for a call of `action`: each has a list of its own.
pub(in crate::tencent) const fn code(error: NotActive, action: Action) -> &'static str {
    match action {
        Action::Teo(teo::Action::DescribePrefetchTasks | teo::Action::DescribePurgeTasks) => {
            "OperationDenied"
        }
        Action::Teo(_) => "UnauthorizedOperation.NoPermission",
        Action::CdnPurge(Purge::DescribePurgeTasks | Purge::DescribePurgeQuota) => COMMON,
        Action::Cdn(_) | Action::CdnDomain(_) | Action::CdnPurge(_) => match (error, action) {
            (NotActive::Suspended, Action::CdnDomain(Domain::DeleteCdnDomain))
            | (NotActive::AwaitingApproval, Action::Cdn(cdn::Action::DescribePushQuota)) => COMMON,
            (NotActive::Suspended, _) => "UnauthorizedOperation.CdnUserIsSuspended",
            (NotActive::AwaitingApproval, _) => "UnauthorizedOperation.CdnUserAuthWait",
        },
    }
}
