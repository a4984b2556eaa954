//! What goes into the verbs of users and keys and what comes out.

use stoker_domain::account::{AccessKey, Account, User};

/// Who stands behind a key, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account that the key belongs to.
    pub account: Account,
    /// The user whose key it is; absent = the root user.
    pub user: Option<User>,
    /// The key, its secret half as it is kept.
    pub key: AccessKey,
    /// The policies of the user and of all its groups, each once, by name: name and text.
    pub policies: Vec<(String, String)>,
}
