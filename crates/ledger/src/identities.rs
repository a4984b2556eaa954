//! Who calls, and what it may take: accounts, users, policies, keys, quotas.

use async_trait::async_trait;
use stoker_domain::{
    account::{AccessKey, Account, AccountId, Attachment, Group, NamedPolicy, User, UserId},
    area::AreaScope,
    quota::{AreaLimits, Counter, Era, Limits, Product},
    replay::ReplayWindow,
    time::Timestamp,
};

use crate::Error;

/// Everything about callers.
pub trait Identities: Accounts + Quotas + Users + Policies + Keys + SignedCalls {}

impl<L: Accounts + Quotas + Users + Policies + Keys + SignedCalls> Identities for L {}

/// Accounts.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Creates an account; its `id` is ignored and the one given by the ledger is returned.
    async fn create_account(&self, account: Account) -> Result<AccountId, Error>;
    /// Writes the name of an account, whether it is enabled and served, and what is closed to it.
    async fn change_account(&self, account: &Account) -> Result<(), Error>;
    /// All accounts, oldest first.
    async fn accounts(&self) -> Result<Vec<Account>, Error>;
}

/// Limits of accounts, what was charged, and when days begin.
#[async_trait]
pub trait Quotas: Send + Sync {
    /// Sets limits of `account`.
    async fn set_limits(&self, account: AccountId, new: NewLimits) -> Result<(), Error>;
    /// The limits of `account` for `product`; [`Product::default_limits`] where none were set.
    async fn limits(&self, account: AccountId, product: Product) -> Result<AreaLimits, Error>;
    /// URLs charged to a counter so far.
    async fn used(&self, account: AccountId, counter: Counter) -> Result<u64, Error>;
    /// The eras of the quota days, by time; none while the days are those of UTC+8.
    async fn quota_eras(&self) -> Result<Vec<Era>, Error>;
    /// Replaces the eras of the quota days.
    async fn set_quota_eras(&self, eras: &[Era]) -> Result<(), Error>;
}

/// Users of an account, and groups of them.
#[async_trait]
pub trait Users: Send + Sync {
    /// Creates a user; its `id` is ignored and the one given by the ledger is returned.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when its name or its number is taken.
    async fn create_user(&self, user: &User) -> Result<UserId, Error>;
    /// Writes the name of a user and whether it is enabled.
    async fn change_user(&self, user: &User) -> Result<(), Error>;
    /// Removes a user with its keys, memberships and attachments; whether it was there.
    async fn remove_user(&self, user: UserId) -> Result<bool, Error>;
    /// The users of an account, oldest first.
    async fn users(&self, account: AccountId) -> Result<Vec<User>, Error>;
    /// Creates a group without members; those that are given are ignored.
    async fn create_group(&self, group: &Group) -> Result<(), Error>;
    /// Removes a group with its memberships and attachments; whether it was there.
    async fn remove_group(&self, account: AccountId, name: &str) -> Result<bool, Error>;
    /// The groups of an account, by name.
    async fn groups(&self, account: AccountId) -> Result<Vec<Group>, Error>;
    /// Puts a user into a group, or takes it out; not again if it is so already.
    async fn set_member(
        &self,
        account: AccountId,
        group: &str,
        user: UserId,
        is_member: bool,
    ) -> Result<(), Error>;
}

/// Policies, and to whom they are attached.
#[async_trait]
pub trait Policies: Send + Sync {
    /// Creates a policy, or replaces the text of the one with this name.
    async fn put_policy(&self, policy: &NamedPolicy) -> Result<(), Error>;
    /// Removes a policy; whether it was there.
    ///
    /// # Errors
    /// [`ErrorKind::InUse`](crate::ErrorKind::InUse) while it is attached: who it is attached to would lose it.
    async fn remove_policy(&self, account: AccountId, name: &str) -> Result<bool, Error>;
    /// The policies of an account, by name.
    async fn policies(&self, account: AccountId) -> Result<Vec<NamedPolicy>, Error>;
    /// Name and text of the policies of a user and of all its groups, each once, by name.
    async fn policies_of(&self, user: UserId) -> Result<Vec<(String, String)>, Error>;
    /// Attaches a policy, or detaches it; not again if it is so already.
    async fn set_attachment(
        &self,
        account: AccountId,
        attachment: &Attachment,
        is_attached: bool,
    ) -> Result<(), Error>;
    /// All attachments of an account, in order.
    async fn attachments(&self, account: AccountId) -> Result<Vec<Attachment>, Error>;
}

/// Keys. The ledger sees their secret halves sealed, and does not look inside.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Creates a key. Of one that is there, replaces the secret half, the owner and whether it is
    /// enabled, and keeps the rest.
    async fn put_key(&self, key: AccessKey) -> Result<(), Error>;
    /// The key with this public half.
    async fn key(&self, secret_id: &str) -> Result<Option<AccessKey>, Error>;
    /// The keys of an account that are not temporary, oldest first.
    async fn keys(&self, account: AccountId) -> Result<Vec<AccessKey>, Error>;
    /// The temporary keys of an account that end after `now`, the soonest first.
    async fn temporary_keys(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<AccessKey>, Error>;
    /// Removes a key; whether it was there.
    async fn remove_key(&self, secret_id: &str) -> Result<bool, Error>;
    /// Removes up to `most` temporary keys of an account that ended before `now`; how many
    /// temporary ones it has left, ended ones included.
    async fn sweep_keys(&self, account: AccountId, now: Timestamp, most: u32)
    -> Result<u64, Error>;
    /// Notes when keys were last used; of keys that are gone nothing.
    async fn keys_used(&self, uses: Vec<(String, Timestamp)>) -> Result<(), Error>;
    /// The key behind a public half with everything that decides what it may do.
    async fn identity(&self, secret_id: &str) -> Result<Option<Identity>, Error>;
    /// Up to `most` keys of all accounts after the public half `after`, by public half.
    async fn keys_after(&self, after: &str, most: u32) -> Result<Vec<AccessKey>, Error>;
    /// Replaces secret halves, given with the public ones, and leaves no byte of the old ones in the
    /// ledger's files: also none of those that were replaced before.
    async fn reseal_keys(&self, secrets: Vec<(String, String)>) -> Result<(), Error>;
}

/// Signed calls that are taken once.
#[async_trait]
pub trait SignedCalls: Send + Sync {
    /// Takes a signed call once; false when it was taken before. Calls that are remembered as long as
    /// this one and whose time lies before `forget_before` may be forgotten, the oldest first.
    async fn admit_once(&self, call: AdmittedCall, forget_before: i64) -> Result<bool, Error>;
}

/// One unit of `counter` for each target, up to `daily` in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What is charged.
    pub counter: Counter,
    /// The limit that must not be passed.
    pub daily: u64,
}

/// Limits to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLimits {
    /// Of this product.
    pub product: Product,
    /// In these areas.
    pub areas: AreaScope,
    /// The limits, in each of them.
    pub limits: Limits,
    /// Only where none were set before.
    pub is_default: bool,
}

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

/// A signed call that somebody makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmittedCall {
    /// How long it is remembered.
    pub window: ReplayWindow,
    /// Its timestamp, in seconds since 1970.
    pub time: i64,
    /// What tells it from others of that second.
    pub call: [u8; 16],
}
