//! Whether an account is served at all: the operator may have suspended it, or have yet to approve it.
//! Looked at before the policies, for root and sub-users alike.

use stoker_domain::account::{Account, Service};

use crate::tencent::{
    Action, cdn,
    cdn::{domain::Action as Domain, purge::Action as Purge},
    message::Message,
    teo,
};

/// For actions whose own lists have no code for it.
const COMMON: &str = "UnauthorizedOperation";

/// That an account is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotServed {
    /// It is suspended.
    #[error("the service of this account is suspended")]
    Suspended,
    /// It is not approved yet.
    #[error("this account awaits approval")]
    AwaitingApproval,
}

/// Checks that `account` is served.
///
/// # Errors
/// Why it is not.
pub(crate) const fn check(account: &Account) -> Result<(), NotServed> {
    match account.service {
        Service::Active => Ok(()),
        Service::Suspended => Err(NotServed::Suspended),
        Service::AwaitingApproval => Err(NotServed::AwaitingApproval),
    }
}

impl NotServed {
    /// The code for a call of `action`: each has a list of its own.
    pub(in crate::tencent) const fn code(self, action: Action) -> &'static str {
        match action {
            Action::Teo(teo::Action::DescribePrefetchTasks | teo::Action::DescribePurgeTasks) => {
                "OperationDenied"
            }
            Action::Teo(_) => "UnauthorizedOperation.NoPermission",
            Action::CdnPurge(Purge::DescribePurgeTasks | Purge::DescribePurgeQuota) => COMMON,
            Action::Cdn(_) | Action::CdnDomain(_) | Action::CdnPurge(_) => match (self, action) {
                (Self::Suspended, Action::CdnDomain(Domain::DeleteCdnDomain))
                | (Self::AwaitingApproval, Action::Cdn(cdn::Action::DescribePushQuota)) => COMMON,
                (Self::Suspended, _) => "UnauthorizedOperation.CdnUserIsSuspended",
                (Self::AwaitingApproval, _) => "UnauthorizedOperation.CdnUserAuthWait",
            },
        }
    }

    /// The module code of API v2.
    pub(crate) const fn old_code(self) -> &'static str {
        match self {
            Self::Suspended => "9169",
            Self::AwaitingApproval => "9111",
        }
    }

    /// What the caller reads.
    pub(crate) fn message(self) -> Message {
        let zh = match self {
            Self::Suspended => "当前账号的服务已被停用",
            Self::AwaitingApproval => "当前账号尚待审核",
        };
        Message::new(self.to_string(), zh)
    }
}
