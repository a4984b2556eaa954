//! Users and groups.

use stoker_domain::account::{AccountId, Group, User, UserId, is_name};
use stoker_ledger::ErrorKind;

use super::{IdentityError, IdentityKind};
use crate::{Engine, Error};

/// Users of one account at most.
pub const MAX_USERS: usize = 1000;
/// Groups of one account at most.
pub const MAX_GROUPS: usize = 300;

impl Engine {
    /// Creates a user with a new number. It may do nothing before a policy is attached to it.
    ///
    /// # Errors
    /// [`IdentityError::InvalidName`], [`IdentityError::Exists`], [`IdentityError::TooMany`], or
    /// a failure of the ledger.
    pub async fn create_user(&self, account: AccountId, name: &str) -> Result<User, IdentityError> {
        check_name(IdentityKind::User, name)?;
        let _turn = self.identities.turn.lock().await;
        let users = self.ledger.users(account).await?;
        if users.iter().any(|user| user.name == name) {
            return Err(IdentityError::Exists { kind: IdentityKind::User, name: name.into() });
        }
        check_room(IdentityKind::User, "the account", users.len(), MAX_USERS)?;
        // never an account's: with that it would be taken for the root user
        let accounts = self.ledger.accounts().await?;
        let uin = loop {
            let uin = self.identities.uin(2);
            if accounts.iter().all(|account| account.uin != uin) {
                break uin;
            }
        };
        let mut user = User {
            id: UserId(0),
            account,
            uin,
            name: name.into(),
            is_enabled: true,
            created_at: self.clock.now(),
        };
        user.id = self.ledger.create_user(&user).await?;
        Ok(user)
    }

    /// The users of an account, oldest first.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn users(&self, account: AccountId) -> Result<Vec<User>, Error> {
        Ok(self.ledger.users(account).await?)
    }

    /// The user of `account` with this name or, failing that, this user number.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn user(&self, account: AccountId, name_or_uin: &str) -> Result<User, IdentityError> {
        let users = self.ledger.users(account).await?;
        let found = users
            .iter()
            .find(|user| user.name == name_or_uin)
            .or_else(|| users.iter().find(|user| user.uin == name_or_uin));
        found.cloned().ok_or_else(|| IdentityError::Unknown {
            kind: IdentityKind::User,
            name: name_or_uin.into(),
        })
    }

    /// Enables or disables a user: all keys of a disabled one are refused.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn enable_user(
        &self,
        account: AccountId,
        name_or_uin: &str,
        is_enabled: bool,
    ) -> Result<User, IdentityError> {
        let _turn = self.identities.turn.lock().await;
        let user = User { is_enabled, ..self.user(account, name_or_uin).await? };
        let changed = self.ledger.change_user(&user).await;
        self.identities.callers.forget();
        changed?;
        Ok(user)
    }

    /// Removes a user with its keys, also temporary ones, and takes it out of its groups.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn remove_user(
        &self,
        account: AccountId,
        name_or_uin: &str,
    ) -> Result<User, IdentityError> {
        let _turn = self.identities.turn.lock().await;
        let user = self.user(account, name_or_uin).await?;
        let removed = self.ledger.remove_user(user.id).await;
        self.identities.callers.forget();
        removed?;
        Ok(user)
    }

    /// Creates a group without members.
    ///
    /// # Errors
    /// [`IdentityError::InvalidName`], [`IdentityError::Exists`], [`IdentityError::TooMany`], or
    /// a failure of the ledger.
    pub async fn create_group(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Group, IdentityError> {
        check_name(IdentityKind::Group, name)?;
        let _turn = self.identities.turn.lock().await;
        let groups = self.ledger.groups(account).await?;
        if groups.iter().any(|group| group.name == name) {
            return Err(IdentityError::Exists { kind: IdentityKind::Group, name: name.into() });
        }
        check_room(IdentityKind::Group, "the account", groups.len(), MAX_GROUPS)?;
        let created_at = self.clock.now();
        let group = Group { account, name: name.into(), members: Vec::new(), created_at };
        self.ledger.create_group(&group).await?;
        Ok(group)
    }

    /// The groups of an account, by name.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn groups(&self, account: AccountId) -> Result<Vec<Group>, Error> {
        Ok(self.ledger.groups(account).await?)
    }

    /// Removes a group; its members stay and lose its policies.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn remove_group(&self, account: AccountId, name: &str) -> Result<(), IdentityError> {
        let _turn = self.identities.turn.lock().await;
        let removed = self.ledger.remove_group(account, name).await;
        self.identities.callers.forget();
        if removed? { Ok(()) } else { Err(unknown_group(name)) }
    }

    /// Puts a user into a group, or takes it out; nothing happens when it is so already.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn set_member(
        &self,
        account: AccountId,
        group: &str,
        name_or_uin: &str,
        is_member: bool,
    ) -> Result<(), IdentityError> {
        let _turn = self.identities.turn.lock().await;
        let user = self.user(account, name_or_uin).await?;
        let set = self.ledger.set_member(account, group, user.id, is_member).await;
        self.identities.callers.forget();
        set.map_err(|error| match error.kind {
            ErrorKind::NotFound => unknown_group(group),
            _ => error.into(),
        })
    }
}

fn unknown_group(name: &str) -> IdentityError {
    IdentityError::Unknown { kind: IdentityKind::Group, name: name.into() }
}

pub(super) fn check_name(kind: IdentityKind, name: &str) -> Result<(), IdentityError> {
    if is_name(name) { Ok(()) } else { Err(IdentityError::InvalidName { kind, name: name.into() }) }
}

pub(super) fn check_room(
    kind: IdentityKind,
    of: &str,
    there_are: usize,
    limit: usize,
) -> Result<(), IdentityError> {
    if there_are < limit {
        return Ok(());
    }
    Err(IdentityError::TooMany { kind, of: of.into(), limit })
}
