//! Accounts, their users and groups, and the keys that sign their calls.
//!
//! An account is a root user and all that belongs to it. Its users may do what the policies attached
//! to them and to their groups allow ([`crate::policy`]). Nothing here looks anybody up.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Characters that the name of a user, group or policy may have.
pub const MAX_NAME: usize = 64;

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
    /// What people call it; may be empty, and need not be unique.
    pub name: String,
    /// No key of a disabled account is accepted, neither the root user's nor another's.
    pub is_enabled: bool,
    /// Whether its calls are carried out. Its keys are accepted either way.
    #[serde(default)]
    pub service: Service,
    /// Features that are disabled for it; it may use all others.
    #[serde(default)]
    pub closed: BTreeSet<Feature>,
    /// Whether it may have hosts without a proof that they are its own.
    #[serde(default)]
    pub is_verification_waived: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Account {
    /// An account that may use everything, without a name and a waiver. The ledger gives it its number.
    pub fn new(uin: impl Into<String>, app_id: i64, now: Timestamp) -> Self {
        Self {
            id: AccountId(0),
            uin: uin.into(),
            app_id,
            name: String::new(),
            is_enabled: true,
            service: Service::default(),
            closed: BTreeSet::new(),
            is_verification_waived: false,
            created_at: now,
        }
    }
}

/// Whether an account is served: its calls are carried out. Viewers are served in any case, and what
/// was accepted goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// It is.
    #[default]
    Active,
    /// The operator has suspended it.
    Suspended,
    /// The operator has yet to approve it.
    AwaitingApproval,
}

impl Service {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::AwaitingApproval => "awaiting approval",
        }
    }
}

/// What an operator may disable for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Prefetches to the edges that are charged to an allotment of their own.
    EdgePrefetch,
    /// Following playlists to their segments, in the same API.
    MediaSegments,
    /// Prefetches that ask the origin without ranges.
    DisableRange,
    /// Limits of origins, in the API that has actions for them.
    OriginLimit,
}

impl Feature {
    /// Every one.
    pub const ALL: [Self; 4] =
        [Self::EdgePrefetch, Self::MediaSegments, Self::DisableRange, Self::OriginLimit];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdgePrefetch => "edge-prefetch",
            Self::MediaSegments => "media-segments",
            Self::DisableRange => "disable-range",
            Self::OriginLimit => "origin-limit",
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The ledger's number of a user; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sub-user: may do in its account what policies allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The ledger's number.
    pub id: UserId,
    /// Where it belongs.
    pub account: AccountId,
    /// Its own vendor-style user number, 12 digits.
    pub uin: String,
    /// Unique in the account.
    pub name: String,
    /// No key of a disabled user is accepted.
    pub is_enabled: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Users who share policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Where it belongs.
    pub account: AccountId,
    /// Unique in the account.
    pub name: String,
    /// Its users, by number.
    pub members: Vec<UserId>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A policy as it is kept: a name and a text that was found to be a policy document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedPolicy {
    /// Where it belongs.
    pub account: AccountId,
    /// Unique in the account.
    pub name: String,
    /// The document, as it was given.
    pub text: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its text last changed.
    pub updated_at: Timestamp,
}

/// To whom a policy is attached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// A user.
    User(UserId),
    /// All members of the group with this name.
    Group(String),
}

/// A policy that is attached to somebody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attachment {
    /// The policy's name.
    pub policy: String,
    /// To whom.
    pub to: Principal,
}

/// A key pair with which a user signs its calls.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Public half, sent with every call.
    pub secret_id: String,
    /// Secret half. Never printed: `Debug` leaves it out. In the ledger it is sealed; empty in
    /// lists.
    pub secret_key: String,
    /// The account that it belongs to.
    pub account: AccountId,
    /// Whose key it is; absent = the root user's.
    pub user: Option<UserId>,
    /// A disabled key is answered like an unknown one.
    pub is_enabled: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When a call was last signed with it, about to the minute.
    pub last_used_at: Option<Timestamp>,
    /// What only a temporary key has.
    pub temporary: Option<Temporary>,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("secret_id", &self.secret_id)
            .field("account", &self.account)
            .field("user", &self.user)
            .field("is_enabled", &self.is_enabled)
            .field("created_at", &self.created_at)
            .field("last_used_at", &self.last_used_at)
            .field("temporary", &self.temporary)
            .finish_non_exhaustive()
    }
}

/// What only a temporary key has.
#[derive(Clone, PartialEq, Eq)]
pub struct Temporary {
    /// SHA-256 of the token that must come with every call. Not printed either.
    pub token_hash: [u8; 32],
    /// From then on the key is not accepted.
    pub expires_at: Timestamp,
    /// A policy document that narrows: it must allow what the user's own policies allow.
    pub policy: Option<String>,
}

impl fmt::Debug for Temporary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Temporary")
            .field("expires_at", &self.expires_at)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Whether users, groups and policies may be called so: 1 to [`MAX_NAME`] ASCII letters, digits and
/// `-_.@`.
pub fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "ops-team_1.x@example", &"x".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", " ", "a b", "a/b", "ü", "a\n", &"x".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn what_is_secret_of_a_key_is_not_printed() {
        let at = Timestamp::from_seconds(0);
        let temporary = Temporary { token_hash: [77; 32], expires_at: at, policy: None };
        let key = AccessKey {
            secret_id: "public".into(),
            secret_key: "hidden".into(),
            account: AccountId(1),
            user: Some(UserId(2)),
            is_enabled: true,
            created_at: at,
            last_used_at: None,
            temporary: Some(temporary),
        };
        let shown = format!("{key:?} {key:#?}");
        assert!(shown.contains("public") && !shown.contains("hidden") && !shown.contains("77"));
    }
}
