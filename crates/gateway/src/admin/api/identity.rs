//! The shapes of the admin API for accounts, users, groups, keys and policies.
//!
//! As [`super`]; only fields that say so are secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stoker_domain::account::{Feature, Service};

/// Body of `POST /admin/v1/accounts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// What people call it; need not be unique.
    #[serde(default)]
    pub name: String,
}

/// Body of `POST /admin/v1/accounts/{uin}`; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether any key of it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_enabled: Option<bool>,
    /// Whether it is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Features that are opened to it (true) or closed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<Feature, bool>,
    /// Whether it may have hosts without a proof that they are its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_verification_waived: Option<bool>,
}

/// An account, as `GET /admin/v1/accounts/{uin}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Its number, 12 digits.
    pub uin: String,
    /// Its number in some APIs.
    pub app_id: i64,
    /// What people call it.
    pub name: String,
    /// Whether its keys are known.
    pub is_enabled: bool,
    /// Whether it is served: `active`, `suspended` or `awaiting-approval`.
    #[serde(default)]
    pub service: Service,
    /// Features that may be closed, and whether each is open to it.
    #[serde(default)]
    pub features: BTreeMap<Feature, bool>,
    /// Whether it may have hosts without a proof that they are its own.
    #[serde(default)]
    pub is_verification_waived: bool,
    /// When it was created.
    pub created_at: String,
}

/// Answer of `GET /admin/v1/accounts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// All accounts, oldest first; the first one owns the installation.
    pub accounts: Vec<AccountView>,
    /// What `after` names the next page by; absent when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Answer of `POST /admin/v1/accounts`. Not printable: it is secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountMade {
    /// The account.
    #[serde(flatten)]
    pub account: AccountView,
    /// Public half of the root user's first key.
    pub secret_id: String,
    /// Secret half, shown only here.
    pub secret_key: String,
}

/// Body of `POST /admin/v1/users` and `POST /admin/v1/groups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewName {
    /// Its name, unique in the account: 1 to 64 letters, digits and the characters `-_.@`.
    pub name: String,
}

/// Body of `POST /admin/v1/users/{user}` and `POST /admin/v1/keys/{secret_id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// Whether it is enabled.
    pub is_enabled: bool,
}

/// A user, as `GET /admin/v1/users/{user}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserView {
    /// Its number, 12 digits.
    pub uin: String,
    /// Its name.
    pub name: String,
    /// Whether its keys are known.
    pub is_enabled: bool,
    /// Names of the groups that it is in.
    pub groups: Vec<String>,
    /// Names of the policies that are attached to itself.
    pub policies: Vec<String>,
    /// When it was created.
    pub created_at: String,
}

/// Answer of `GET /admin/v1/users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    /// The account's users, oldest first.
    pub users: Vec<UserView>,
    /// What `after` names the next page by; absent when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Body of `POST /admin/v1/groups/{group}/members`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Name or number of the user.
    pub user: String,
}

/// A group, as `GET /admin/v1/groups/{group}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Names of its users.
    pub members: Vec<String>,
    /// Names of the policies that are attached to it.
    pub policies: Vec<String>,
    /// When it was created.
    pub created_at: String,
}

/// Answer of `GET /admin/v1/groups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// The account's groups, by name.
    pub groups: Vec<GroupView>,
    /// What `after` names the next page by; absent when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Body of `POST /admin/v1/keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Name or number of the user; absent = the root user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Body of `POST /admin/v1/keys/{secret_id}/rotate`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Whether the old key stays enabled, until somebody disables it.
    #[serde(default)]
    pub keep_old: bool,
}

/// Body of `POST /admin/v1/keys/temporary`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTemporaryKey {
    /// Name or number of the user; absent = the root user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Lifetime in seconds: 60 to 129,600; absent = 1,800.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
    /// A policy document that narrows it: what the user may do and the document allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// A key, as `GET /admin/v1/keys/{secret_id}` shows it: never with its secret half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// Public half.
    pub secret_id: String,
    /// Name of the user; absent = the root user.
    pub user: Option<String>,
    /// Whether it is known.
    pub is_enabled: bool,
    /// When it was created.
    pub created_at: String,
    /// When a call was last signed with it, about to the minute.
    pub last_used_at: Option<String>,
    /// When it ends by itself; absent = never.
    pub expires_at: Option<String>,
}

/// Answer of `GET /admin/v1/keys` and `GET /admin/v1/keys/temporary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The account's lasting keys, oldest first; or its temporary ones that have not ended, the
    /// soonest to end first.
    pub keys: Vec<KeyView>,
    /// What `after` names the next page by; absent when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Answer of the calls that make a key. Not printable: it is secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyMade {
    /// Number of the user that it is for; the root user's is the account's.
    pub uin: String,
    /// Name of the user; absent = the root user.
    pub user: Option<String>,
    /// Public half.
    pub secret_id: String,
    /// Secret half, shown only here.
    pub secret_key: String,
    /// The token that every call with a temporary key must carry, shown only here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When a temporary key ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// Body of `POST /admin/v1/policies`: creates a policy, or replaces the document of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    /// Its name, unique in the account.
    pub name: String,
    /// The document, as text.
    pub document: String,
}

/// Body of `POST /admin/v1/policies/{policy}/attach` and `/detach`: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Name or number of a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Name of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// A policy, as `GET /admin/v1/policies/{policy}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyView {
    /// Its name.
    pub name: String,
    /// Names of the users that it is attached to.
    pub users: Vec<String>,
    /// Names of the groups that it is attached to.
    pub groups: Vec<String>,
    /// The document as it was given; absent in lists.
    pub document: Option<String>,
    /// When it was created.
    pub created_at: String,
    /// When its document last changed.
    pub updated_at: String,
}

/// Answer of `GET /admin/v1/policies`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policies {
    /// The account's policies, by name.
    pub policies: Vec<PolicyView>,
    /// What `after` names the next page by; absent when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Body of `POST /admin/v1/policies/test`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTest {
    /// Name or number of the user that would call; absent = one who has `document` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A policy document that the caller has besides those that are attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The operation, such as `cdn:PushUrlsCache`.
    pub action: String,
    /// What it touches: whole resources, or their last part, such as `domain/www.example.com`.
    /// Empty = an operation that names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Address of the caller; absent = not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// When it calls, RFC 3339; absent = now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Values of further condition keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, Vec<String>>,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A statement allows it, and none denies it.
    Allowed,
    /// A statement denies it.
    Denied,
    /// No statement is about it: that is a refusal.
    NoMatch,
    /// Only the root user may do that, whatever policies say.
    RootOnly,
}

/// What is decided about one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// The resource; absent for an operation that names none.
    pub resource: Option<String>,
    /// What decided.
    pub verdict: Verdict,
    /// Name of the policy that decided; `(document)` for the one of the call.
    pub policy: Option<String>,
    /// Number of its statement that decided; the first is 1.
    pub statement: Option<usize>,
    /// That statement.
    pub text: Option<Value>,
}

/// Answer of `POST /admin/v1/policies/test`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// Whether the call would go on: every decision allows.
    pub is_allowed: bool,
    /// The decisions, in the order of the resources.
    pub decisions: Vec<DecisionView>,
}
