//! Whether an account is active: the operator may have suspended it, or not approved it yet.
//!
//! Looked at after the signature and before the policies, for root and sub-users alike.

use stoker_domain::account::{Account, Service};

/// That an account is not active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotActive {
    /// It is suspended.
    #[error("the service of this account is suspended")]
    Suspended,
    /// It is not approved yet.
    #[error("this account awaits approval")]
    AwaitingApproval,
}

/// Checks that `account` is active.
///
/// # Errors
/// Why it is not.
pub(crate) const fn check(account: &Account) -> Result<(), NotActive> {
    match account.service {
        Service::Active => Ok(()),
        Service::Suspended => Err(NotActive::Suspended),
        Service::AwaitingApproval => Err(NotActive::AwaitingApproval),
    }
}
