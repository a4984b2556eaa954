//! What the callers of an account that is not active are answered: each action has a code of its own.

use super::{
    action::Action,
    cdn::{domain::Action as Domain, purge::Action as Purge, push::Action as Push},
    teo::Action as Teo,
};
use crate::auth::account::NotActive;

/// For actions whose own lists have no code for it.
const COMMON: &str = "UnauthorizedOperation";

/// The code for a call of `action`: each has a list of its own.
pub(super) const fn code(error: NotActive, action: Action) -> &'static str {
    match action {
        Action::Teo(Teo::DescribePrefetchTasks | Teo::DescribePurgeTasks) => "OperationDenied",
        Action::Teo(_) => "UnauthorizedOperation.NoPermission",
        Action::CdnPurge(Purge::DescribePurgeTasks | Purge::DescribePurgeQuota) => COMMON,
        Action::CdnPush(_) | Action::CdnDomain(_) | Action::CdnPurge(_) => match (error, action) {
            (NotActive::Suspended, Action::CdnDomain(Domain::DeleteCdnDomain))
            | (NotActive::AwaitingApproval, Action::CdnPush(Push::DescribePushQuota)) => COMMON,
            (NotActive::Suspended, _) => "UnauthorizedOperation.CdnUserIsSuspended",
            (NotActive::AwaitingApproval, _) => "UnauthorizedOperation.CdnUserAuthWait",
        },
    }
}
