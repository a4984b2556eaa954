//! Policies: kept, attached, and asked what they decide.

use stoker_domain::{
    account::{Account, AccountId, Attachment, NamedPolicy, Principal},
    policy::{Document, Policy},
};
use stoker_ledger::ErrorKind;

use super::{
    Caller, IdentityError, IdentityKind, caller,
    users::{check_name, check_room},
};
use crate::{Engine, Error};

/// Policies of one account at most.
pub const MAX_POLICIES: usize = 1000;
/// Policies attached to one user or one group at most.
pub const MAX_ATTACHED: usize = 50;
/// Bytes of a policy at most, blanks included.
pub const MAX_POLICY_BYTES: usize = 32 << 10;

impl Engine {
    /// Creates a policy, or replaces the text of the one with this name, which then holds for
    /// whoever has it.
    ///
    /// # Errors
    /// [`IdentityError::InvalidName`], [`IdentityError::InvalidPolicy`],
    /// [`IdentityError::PolicyTooLong`], [`IdentityError::TooMany`], or a failure of the ledger.
    pub async fn put_policy(
        &self,
        account: AccountId,
        name: &str,
        text: &str,
    ) -> Result<NamedPolicy, IdentityError> {
        check_name(IdentityKind::Policy, name)?;
        parse(name, text)?;
        let _turn = self.identities.turn.lock().await;
        let policies = self.ledger.policies(account).await?;
        let old = policies.iter().find(|policy| policy.name == name);
        if old.is_none() {
            check_room(IdentityKind::Policy, "the account", policies.len(), MAX_POLICIES)?;
        }
        let updated_at = self.clock.now();
        let created_at = old.map_or(updated_at, |old| old.created_at);
        let policy =
            NamedPolicy { account, name: name.into(), text: text.into(), created_at, updated_at };
        let put = self.ledger.put_policy(&policy).await;
        self.identities.callers.forget();
        put?;
        Ok(policy)
    }

    /// The policies of an account, by name.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn policies(&self, account: AccountId) -> Result<Vec<NamedPolicy>, Error> {
        Ok(self.ledger.policies(account).await?)
    }

    /// The policy of `account` with this name.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn policy(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<NamedPolicy, IdentityError> {
        let policies = self.ledger.policies(account).await?;
        policies.into_iter().find(|policy| policy.name == name).ok_or_else(|| unknown(name))
    }

    /// Removes a policy that is not attached.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], [`IdentityError::Attached`], or a failure of the ledger.
    pub async fn remove_policy(&self, account: AccountId, name: &str) -> Result<(), IdentityError> {
        let _turn = self.identities.turn.lock().await;
        let mut holders = Vec::new();
        for attachment in self.ledger.attachments(account).await? {
            if attachment.policy == name {
                holders.push(self.in_words(account, &attachment.to).await?);
            }
        }
        if !holders.is_empty() {
            let holders = holders.join(", ");
            return Err(IdentityError::Attached { name: name.into(), holders });
        }
        let removed = self.ledger.remove_policy(account, name).await;
        self.identities.callers.forget();
        if removed? { Ok(()) } else { Err(unknown(name)) }
    }

    /// Attaches a policy to a user or group, or detaches it; nothing happens when it is so already.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], [`IdentityError::TooMany`], or a failure of the ledger.
    pub async fn set_attachment(
        &self,
        account: AccountId,
        policy: &str,
        to: Principal,
        is_attached: bool,
    ) -> Result<(), IdentityError> {
        let _turn = self.identities.turn.lock().await;
        self.policy(account, policy).await?;
        let attachment = Attachment { policy: policy.into(), to };
        if is_attached {
            let mut all = self.ledger.attachments(account).await?;
            if all.contains(&attachment) {
                return Ok(());
            }
            all.retain(|other| other.to == attachment.to);
            let of = self.in_words(account, &attachment.to).await?;
            check_room(IdentityKind::Policy, &of, all.len(), MAX_ATTACHED)?;
        }
        let set = self.ledger.set_attachment(account, &attachment, is_attached).await;
        self.identities.callers.forget();
        set.map_err(|error| match (&error.kind, &attachment.to) {
            (ErrorKind::NotFound, Principal::User(id)) => {
                IdentityError::Unknown { kind: IdentityKind::User, name: id.to_string() }
            }
            (ErrorKind::NotFound, Principal::Group(name)) => {
                IdentityError::Unknown { kind: IdentityKind::Group, name: name.clone() }
            }
            _ => error.into(),
        })
    }

    /// Who has which policy in an account, by policy.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn attachments(&self, account: AccountId) -> Result<Vec<Attachment>, Error> {
        Ok(self.ledger.attachments(account).await?)
    }

    /// The caller that a user of `account` is, or its root user when none is named, so that
    /// [`Caller::decide`] tells what it may do. With `extra` it also has that policy, under that
    /// name, attached or not: its text is looked at and not kept.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], [`IdentityError::InvalidPolicy`], or a failure of the ledger.
    pub async fn caller_like(
        &self,
        account: &Account,
        user: Option<&str>,
        extra: Option<(&str, &str)>,
    ) -> Result<Caller, IdentityError> {
        let user = match user {
            Some(user) => Some(self.user(account.id, user).await?),
            None => None,
        };
        let mut policies = Vec::new();
        if let Some(user) = &user {
            for (name, text) in self.ledger.policies_of(user.id).await? {
                policies.push(caller::read(name, &text)?);
            }
        }
        if let Some((name, text)) = extra {
            policies.push(Policy { name: name.into(), document: parse(name, text)? });
        }
        Ok(Self::caller_of(account.clone(), user, policies))
    }

    async fn in_words(&self, account: AccountId, who: &Principal) -> Result<String, Error> {
        Ok(match who {
            Principal::Group(name) => format!("group `{name}`"),
            Principal::User(id) => {
                let users = self.ledger.users(account).await?;
                let user = users.into_iter().find(|user| user.id == *id);
                format!("user `{}`", user.map_or_else(|| id.to_string(), |user| user.name))
            }
        })
    }
}

fn unknown(name: &str) -> IdentityError {
    IdentityError::Unknown { kind: IdentityKind::Policy, name: name.into() }
}

/// Reads a document that a caller gave.
pub(super) fn parse(name: &str, text: &str) -> Result<Document, IdentityError> {
    if text.len() > MAX_POLICY_BYTES {
        let (given, limit) = (text.len(), MAX_POLICY_BYTES);
        return Err(IdentityError::PolicyTooLong { name: name.into(), given, limit });
    }
    Document::parse(text, serde_json::from_str)
        .map_err(|source| IdentityError::InvalidPolicy { name: name.into(), source })
}
