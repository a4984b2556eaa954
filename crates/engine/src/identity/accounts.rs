//! Accounts: made, listed, named, enabled and disabled.

use std::collections::BTreeSet;

use stoker_domain::{
    account::{Account, AccountId, Feature, MAX_NAME, Service},
    quota::{Limits, Product},
};

use super::{IdentityError, IdentityKind, users::check_room};
use crate::{Engine, Error};

impl Engine {
    /// Creates an account with `limits` for every product of prefetches.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn create_account(
        &self,
        uin: String,
        app_id: i64,
        limits: Limits,
    ) -> Result<Account, Error> {
        let account = self.make_account(uin, app_id, String::new()).await?;
        for product in Product::PREFETCH {
            self.set_limits(account.id, product, None, limits).await?;
        }
        Ok(account)
    }

    /// Creates an account with new numbers and the default limits of every product. `name` may be
    /// any text without control characters, also an empty one.
    ///
    /// # Errors
    /// [`IdentityError::InvalidName`], [`IdentityError::TooMany`], or a failure of the ledger.
    pub async fn add_account(&self, name: &str) -> Result<Account, IdentityError> {
        check_name(name)?;
        let _turn = self.identities.turn.lock().await;
        let there_are = self.ledger.accounts().await?.len();
        let limit = self.config.max_accounts;
        check_room(IdentityKind::Account, "the installation", there_are, limit)?;
        let uin = self.identities.uin(1);
        let app_id = u32::from_le_bytes(self.identities.bytes()) % 50_000_000;
        let app_id = 1_250_000_000 + i64::from(app_id);
        Ok(self.make_account(uin, app_id, name.into()).await?)
    }

    async fn make_account(&self, uin: String, app_id: i64, name: String) -> Result<Account, Error> {
        let created_at = self.clock.now();
        let mut account = Account {
            id: AccountId(0),
            uin,
            app_id,
            name,
            is_enabled: true,
            service: Service::default(),
            closed: BTreeSet::new(),
            is_verification_waived: false,
            created_at,
        };
        account.id = self.ledger.create_account(account.clone()).await?;
        Ok(account)
    }

    /// All accounts, oldest first.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        Ok(self.ledger.accounts().await?)
    }

    /// The account with this user number.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn account(&self, uin: &str) -> Result<Account, IdentityError> {
        let accounts = self.ledger.accounts().await?;
        let unknown = || IdentityError::Unknown { kind: IdentityKind::Account, name: uin.into() };
        accounts.into_iter().find(|account| account.uin == uin).ok_or_else(unknown)
    }

    /// Gives an account another name.
    ///
    /// # Errors
    /// [`IdentityError::InvalidName`], [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn rename_account(&self, uin: &str, name: &str) -> Result<Account, IdentityError> {
        check_name(name)?;
        let _turn = self.identities.turn.lock().await;
        let account = Account { name: name.into(), ..self.account(uin).await? };
        self.change_account(account).await
    }

    /// Enables or disables an account: all keys of a disabled one are refused. The owner's stays enabled.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], [`IdentityError::Owner`], or a failure of the ledger.
    pub async fn enable_account(
        &self,
        uin: &str,
        is_enabled: bool,
    ) -> Result<Account, IdentityError> {
        let _turn = self.identities.turn.lock().await;
        let account = Account { is_enabled, ..self.account(uin).await? };
        if !is_enabled && self.is_owner(&account).await? {
            return Err(IdentityError::Owner { uin: uin.into() });
        }
        self.change_account(account).await
    }

    /// Suspends the service of an account, or gives it again. That of the owner is always given.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], [`IdentityError::Owner`], or a failure of the ledger.
    pub async fn set_service(&self, uin: &str, service: Service) -> Result<Account, IdentityError> {
        let _turn = self.identities.turn.lock().await;
        let account = Account { service, ..self.account(uin).await? };
        if service != Service::Active && self.is_owner(&account).await? {
            return Err(IdentityError::Owner { uin: uin.into() });
        }
        self.change_account(account).await
    }

    /// Opens a feature to an account, or closes it.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn open_feature(
        &self,
        uin: &str,
        feature: Feature,
        is_open: bool,
    ) -> Result<Account, IdentityError> {
        let _turn = self.identities.turn.lock().await;
        let mut account = self.account(uin).await?;
        if is_open {
            account.closed.remove(&feature);
        } else {
            account.closed.insert(feature);
        }
        self.change_account(account).await
    }

    /// Asks an account for proofs that hosts are its own, or does not. The owner is never asked.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`], or a failure of the ledger.
    pub async fn waive_verification(
        &self,
        uin: &str,
        is_verification_waived: bool,
    ) -> Result<Account, IdentityError> {
        let _turn = self.identities.turn.lock().await;
        let account = Account { is_verification_waived, ..self.account(uin).await? };
        self.change_account(account).await
    }

    async fn change_account(&self, account: Account) -> Result<Account, IdentityError> {
        let changed = self.ledger.change_account(&account).await;
        self.identities.callers.forget();
        changed?;
        Ok(account)
    }
}

fn check_name(name: &str) -> Result<(), IdentityError> {
    if name.chars().count() > MAX_NAME || name.contains(char::is_control) {
        return Err(IdentityError::InvalidName { kind: IdentityKind::Account, name: name.into() });
    }
    Ok(())
}
