//! What can be wrong with a change of accounts, users, policies and keys, and the way out of it.

use std::fmt;

use stoker_domain::{account::MAX_NAME, policy};
use stoker_ledger::Error as LedgerError;

use super::Unopened;
use crate::Error;

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityKind {
    /// An account.
    Account,
    /// A user of an account.
    User,
    /// A group of users.
    Group,
    /// A policy.
    Policy,
    /// A key.
    Key,
}

impl IdentityKind {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Account => ("account", "accounts"),
            Self::User => ("user", "users"),
            Self::Group => ("group", "groups"),
            Self::Policy => ("policy", "policies"),
            Self::Key => ("key", "keys"),
        }
    }
}

impl fmt::Display for IdentityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().0)
    }
}

/// Why accounts, users, groups, policies or keys could not be changed. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Not a name.
    #[error("`{name}` is not a name for a {kind}")]
    InvalidName {
        /// Of what.
        kind: IdentityKind,
        /// The text as given.
        name: String,
    },
    /// There is one with this name or number.
    #[error("{kind} `{name}` exists already")]
    Exists {
        /// What.
        kind: IdentityKind,
        /// Its name.
        name: String,
    },
    /// There is none with this name or number.
    #[error("there is no {kind} `{name}`")]
    Unknown {
        /// What.
        kind: IdentityKind,
        /// The text as given.
        name: String,
    },
    /// As many as there may be.
    #[error("{of} has {limit} {}: that is the limit", .kind.words().1)]
    TooMany {
        /// Of what.
        kind: IdentityKind,
        /// Whose, in words.
        of: String,
        /// How many there may be.
        limit: usize,
    },
    /// Somebody has the policy.
    #[error("policy `{name}` is attached to {holders}")]
    Attached {
        /// The policy.
        name: String,
        /// To whom, in words.
        holders: String,
    },
    /// The text is not a policy.
    #[error("policy `{name}` cannot be used")]
    InvalidPolicy {
        /// The policy.
        name: String,
        /// What is wrong with it.
        #[source]
        source: policy::Error,
    },
    /// The text is longer than anything that could be a policy.
    #[error("policy `{name}` has {given} bytes: the limit is {limit}")]
    PolicyTooLong {
        /// The policy.
        name: String,
        /// How many were given.
        given: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A temporary key may not last so long or so short.
    #[error("a temporary key cannot last {seconds} seconds: it lasts {least} to {most}")]
    Lifetime {
        /// What was asked for.
        seconds: u64,
        /// The shortest.
        least: u64,
        /// The longest.
        most: u64,
    },
    /// The key is a temporary one.
    #[error("key `{secret_id}` is temporary")]
    Temporary {
        /// Its public half.
        secret_id: String,
    },
    /// The account owns the installation.
    #[error("account `{uin}` owns this installation and cannot be disabled or suspended")]
    Owner {
        /// Its number.
        uin: String,
    },
    /// The ledger did not take it.
    #[error(transparent)]
    Ledger(#[from] Error),
}

impl From<LedgerError> for IdentityError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error.into())
    }
}

impl IdentityError {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::InvalidName { kind: IdentityKind::Account, .. } => {
                format!("use at most {MAX_NAME} characters, and no control characters")
            }
            Self::InvalidName { .. } => {
                format!("use 1 to {MAX_NAME} letters, digits and the characters `-_.@`")
            }
            Self::Exists { kind, .. } | Self::Unknown { kind, .. } => {
                format!("`stoker {kind} list` shows what there is")
            }
            Self::TooMany { kind: IdentityKind::Key, .. } => {
                "remove a key that is no longer used; `stoker key list` shows when each was".into()
            }
            Self::TooMany { kind: IdentityKind::Policy, .. } => {
                "join policies, detach some, or attach them to groups".into()
            }
            Self::TooMany { kind: IdentityKind::Account, .. } => {
                "rename one that is no longer used, and give it new keys".into()
            }
            Self::TooMany { .. } => "remove what is no longer used".into(),
            Self::Attached { .. } => "detach it first".into(),
            Self::InvalidPolicy { .. } | Self::PolicyTooLong { .. } => {
                "correct the document; nothing was changed".into()
            }
            Self::Lifetime { least, most, .. } => {
                format!("name a number of seconds from {least} to {most}")
            }
            Self::Temporary { .. } => "it ends by itself; remove it, or disable its user".into(),
            Self::Owner { .. } => "disable its keys instead".into(),
            Self::Ledger(_) => return None,
        })
    }
}

/// Why an engine does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] Error),
    /// A secret in the ledger was sealed with a key that is not there, or is damaged.
    #[error("cannot open the secret of key `{secret_id}`")]
    Sealed {
        /// The public half of the key.
        secret_id: String,
        /// Why not.
        #[source]
        source: Unopened,
    },
    /// So was a request field of a task that is not finished.
    #[error("cannot open the request fields of task `{task}`")]
    Fields {
        /// The name of the task.
        task: String,
        /// Why not.
        #[source]
        source: Unopened,
    },
}

impl From<LedgerError> for OpenError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error.into())
    }
}
