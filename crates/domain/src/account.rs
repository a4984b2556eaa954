//! Who calls: accounts and the keys that sign for them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The ledger's number of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub i64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A root user: owns domains, tasks, quotas and keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The ledger's number.
    pub id: AccountId,
    /// The vendor-style user number, 12 digits.
    pub uin: String,
    /// The vendor-style application number.
    pub app_id: i64,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A key pair with which an account signs its calls.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Public half, sent with every call.
    pub secret_id: String,
    /// Secret half. Never printed: `Debug` leaves it out.
    pub secret_key: String,
    /// Whose key it is.
    pub account: AccountId,
    /// A disabled key is answered like an unknown one.
    pub is_enabled: bool,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("secret_id", &self.secret_id)
            .field("account", &self.account)
            .field("is_enabled", &self.is_enabled)
            .finish_non_exhaustive()
    }
}
