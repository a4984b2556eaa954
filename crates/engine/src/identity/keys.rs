//! Keys: made, listed, rotated, ended; and when they were last used.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sha2::{Digest, Sha256};
use stoker_domain::{
    account::{AccessKey, AccountId, Temporary, UserId},
    time::Timestamp,
};
use stoker_ledger::ErrorKind;

use super::{IdentityError, IdentityKind, policies, users::check_room};
use crate::{Engine, Error};

/// Keys of one user at most, temporary ones aside; the root user is one too.
pub const MAX_KEYS: usize = 5;
/// Temporary keys of one account at most that have not ended.
pub const MAX_TEMPORARY: usize = 10_000;
/// The shortest life of a temporary key.
pub const MIN_LIFETIME: Duration = Duration::from_secs(60);
/// The longest life of a temporary key.
pub const MAX_LIFETIME: Duration = Duration::from_secs(36 * 3600);
/// The life of a temporary key when none is named.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(1800);

/// Letters and digits of a public half after its prefix, and of a secret one.
const SECRET_LENGTH: usize = 32;
/// Letters and digits of a token.
const TOKEN_LENGTH: usize = 64;
/// Temporary keys that have ended and are removed when another one is made.
const SWEPT: u32 = 100;

/// A temporary key that was just made. The only time that its token is known.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The key.
    pub key: AccessKey,
    /// What must come with every call.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Engine {
    /// Creates or replaces a key with a secret that is known already.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn put_key(&self, key: AccessKey) -> Result<(), Error> {
        let put = self.ledger.put_key(self.identities.sealed(&key)).await;
        self.identities.callers.forget();
        Ok(put?)
    }

    /// Makes a key for a user of `account`, or for its root user. Its secret half is shown
    /// only here.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`], [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn create_key(
        &self,
        account: AccountId,
        user: Option<UserId>,
    ) -> Result<AccessKey, IdentityError> {
        let _turn = self.identities.turn.lock().await;
        self.add_key(account, user).await
    }

    /// The keys of an account that are not temporary, oldest first, without their secret halves.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn keys(&self, account: AccountId) -> Result<Vec<AccessKey>, Error> {
        Ok(self.shown(self.ledger.keys(account).await?))
    }

    /// The temporary keys of an account that have not ended, the soonest to end first, without
    /// their secret halves.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn temporary_keys(&self, account: AccountId) -> Result<Vec<AccessKey>, Error> {
        Ok(self.shown(self.ledger.temporary_keys(account, self.clock.now()).await?))
    }

    fn shown(&self, mut keys: Vec<AccessKey>) -> Vec<AccessKey> {
        for key in &mut keys {
            key.secret_key = String::new();
            key.last_used_at = key.last_used_at.max(self.identities.uses.last(&key.secret_id));
        }
        keys
    }

    /// The key of `account` with this public half, without its secret half.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn key(
        &self,
        account: AccountId,
        secret_id: &str,
    ) -> Result<AccessKey, IdentityError> {
        let key = self.kept_key(account, secret_id).await?;
        let last_used_at = key.last_used_at.max(self.identities.uses.last(secret_id));
        Ok(AccessKey { secret_key: String::new(), last_used_at, ..key })
    }

    /// Enables or disables a key.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn enable_key(
        &self,
        account: AccountId,
        secret_id: &str,
        is_enabled: bool,
    ) -> Result<(), IdentityError> {
        let _turn = self.identities.turn.lock().await;
        let key = self.kept_key(account, secret_id).await?;
        self.write_key(AccessKey { is_enabled, ..key }).await
    }

    /// Removes a key.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn remove_key(
        &self,
        account: AccountId,
        secret_id: &str,
    ) -> Result<(), IdentityError> {
        let _turn = self.identities.turn.lock().await;
        self.kept_key(account, secret_id).await?;
        let removed = self.ledger.remove_key(secret_id).await;
        self.identities.callers.forget();
        removed?;
        Ok(())
    }

    /// Makes another key for the owner of this one. The old one stays valid until it is disabled,
    /// which happens at once when `ends_old`.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], [`IdentityError::Temporary`], [`IdentityError::TooMany`], or a failure
    /// of the ledger.
    pub async fn rotate_key(
        &self,
        account: AccountId,
        secret_id: &str,
        ends_old: bool,
    ) -> Result<AccessKey, IdentityError> {
        let _turn = self.identities.turn.lock().await;
        let old = self.kept_key(account, secret_id).await?;
        if old.temporary.is_some() {
            return Err(IdentityError::Temporary { secret_id: secret_id.into() });
        }
        let new = self.add_key(account, old.user).await?;
        if ends_old {
            self.write_key(AccessKey { is_enabled: false, ..old }).await?;
        }
        Ok(new)
    }

    /// Makes a temporary key for a user of `account`, or for its root user. `policy`, a
    /// document, narrows what it may do.
    ///
    /// # Errors
    /// [`IdentityError::Lifetime`], [`IdentityError::InvalidPolicy`], [`IdentityError::Unknown`],
    /// [`IdentityError::TooMany`], or a failure of the ledger.
    pub async fn issue_key(
        &self,
        account: AccountId,
        user: Option<UserId>,
        lifetime: Duration,
        policy: Option<String>,
    ) -> Result<Issued, IdentityError> {
        if !(MIN_LIFETIME..=MAX_LIFETIME).contains(&lifetime) {
            return Err(IdentityError::Lifetime {
                seconds: lifetime.as_secs(),
                least: MIN_LIFETIME.as_secs(),
                most: MAX_LIFETIME.as_secs(),
            });
        }
        if let Some(text) = &policy {
            policies::parse("session", text)?;
        }
        let _turn = self.identities.turn.lock().await;
        let now = self.clock.now();
        let there_are = self.ledger.sweep_keys(account, now, SWEPT).await?;
        let there_are = usize::try_from(there_are).unwrap_or(usize::MAX);
        check_room(IdentityKind::Key, "the account", there_are, MAX_TEMPORARY)?;
        let token = self.identities.secret(TOKEN_LENGTH);
        let expires_at = now + lifetime;
        let token_hash = Sha256::digest(token.as_bytes()).into();
        let temporary = Some(Temporary { token_hash, expires_at, policy });
        let key = AccessKey { temporary, ..self.new_key(account, user) };
        self.put_new(&key).await?;
        Ok(Issued { key, token, expires_at })
    }

    /// Records that a call was signed with a key. Cheap: in memory, and written to the ledger by
    /// [`Self::flush_key_uses`].
    pub fn key_used(&self, secret_id: &str) {
        self.identities.uses.record(secret_id, self.clock.now());
    }

    /// Writes down when keys were last used. To be called about once a minute, and at the end.
    ///
    /// # Errors
    /// A failure of the ledger; then the next call writes it.
    pub async fn flush_key_uses(&self) -> Result<(), Error> {
        let uses = self.identities.uses.take();
        if uses.is_empty() {
            return Ok(());
        }
        let list = uses.iter().map(|(secret_id, at)| (secret_id.clone(), *at)).collect();
        let written = self.ledger.keys_used(list).await;
        if written.is_err() {
            for (secret_id, at) in uses {
                self.identities.uses.record(&secret_id, at);
            }
        }
        Ok(written?)
    }

    /// The key as the ledger has it.
    async fn kept_key(
        &self,
        account: AccountId,
        secret_id: &str,
    ) -> Result<AccessKey, IdentityError> {
        let key = self.ledger.key(secret_id).await?.filter(|key| key.account == account);
        key.ok_or_else(|| IdentityError::Unknown {
            kind: IdentityKind::Key,
            name: secret_id.into(),
        })
    }

    /// Writes a key as the ledger has it.
    async fn write_key(&self, key: AccessKey) -> Result<(), IdentityError> {
        let put = self.ledger.put_key(key).await;
        self.identities.callers.forget();
        Ok(put?)
    }

    async fn add_key(
        &self,
        account: AccountId,
        user: Option<UserId>,
    ) -> Result<AccessKey, IdentityError> {
        let keys = self.ledger.keys(account).await?;
        let there_are = keys.iter().filter(|key| key.user == user).count();
        let of = if user.is_some() { "the user" } else { "the root user" };
        check_room(IdentityKind::Key, of, there_are, MAX_KEYS)?;
        let key = self.new_key(account, user);
        self.put_new(&key).await?;
        Ok(key)
    }

    /// Writes a new key. No caller is forgotten: unknown keys are not kept.
    async fn put_new(&self, key: &AccessKey) -> Result<(), IdentityError> {
        if let Some(user) = key.user {
            let users = self.ledger.users(key.account).await?;
            if users.iter().all(|other| other.id != user) {
                return Err(IdentityError::Unknown {
                    kind: IdentityKind::User,
                    name: user.to_string(),
                });
            }
        }
        let put = self.ledger.put_key(self.identities.sealed(key)).await;
        put.map_err(|error| match error.kind {
            ErrorKind::NotFound => IdentityError::Unknown {
                kind: IdentityKind::Account,
                name: key.account.to_string(),
            },
            _ => error.into(),
        })
    }

    fn new_key(&self, account: AccountId, user: Option<UserId>) -> AccessKey {
        AccessKey {
            secret_id: format!("AKID{}", self.identities.secret(SECRET_LENGTH)),
            secret_key: self.identities.secret(SECRET_LENGTH),
            account,
            user,
            is_enabled: true,
            created_at: self.clock.now(),
            last_used_at: None,
            temporary: None,
        }
    }
}

/// When keys were last used, as far as it is not in the ledger yet.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<HashMap<String, Timestamp>>);

impl Uses {
    fn record(&self, secret_id: &str, at: Timestamp) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match uses.get_mut(secret_id) {
            Some(last) => *last = at.max(*last),
            None => {
                uses.insert(secret_id.into(), at);
            }
        }
    }

    fn last(&self, secret_id: &str) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(secret_id).copied()
    }

    fn take(&self) -> HashMap<String, Timestamp> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
