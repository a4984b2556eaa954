//! Accounts and their keys.
//!
//! Finds who stands behind a key, for every call: answers are kept in memory until a key is put.
//! Checks no signature and no policy.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use stoker_domain::{
    account::{AccessKey, Account, AccountId},
    quota::{Limits, Product},
};
use stoker_ledger::{Error, Ledger};

use crate::Engine;

/// Who makes a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account that the key belongs to.
    pub account: Account,
    /// The key that signed.
    pub key: AccessKey,
}

impl Engine {
    /// Creates an account with `limits` for every product of prefetches.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn create_account(
        &self,
        uin: String,
        app_id: i64,
        limits: Limits,
    ) -> Result<Account, Error> {
        let created_at = self.clock.now();
        let mut account = Account { id: AccountId(0), uin, app_id, created_at };
        account.id = self.ledger.create_account(account.clone()).await?;
        for product in Product::PREFETCH {
            self.set_limits(account.id, product, None, limits).await?;
        }
        Ok(account)
    }

    /// All accounts, oldest first.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        self.ledger.accounts().await
    }

    /// Creates or replaces a key.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn put_key(&self, key: AccessKey) -> Result<(), Error> {
        let put = self.ledger.put_key(key).await;
        // also after a failure: it may have been written all the same
        self.callers.forget();
        put
    }

    /// The account behind an enabled key; nothing for a key that is unknown or disabled.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn caller(&self, secret_id: &str) -> Result<Option<Caller>, Error> {
        self.callers.find(&*self.ledger, secret_id).await
    }
}

/// The callers found so far. Unknown keys are not kept: anybody can invent them without end.
#[derive(Debug, Default)]
pub(crate) struct Callers(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    callers: HashMap<String, Caller>,
    /// Counts the changes, so that what was read before a change is not kept after it.
    changes: u64,
}

impl Callers {
    fn forget(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.callers.clear();
        known.changes += 1;
    }

    async fn find(&self, ledger: &dyn Ledger, secret_id: &str) -> Result<Option<Caller>, Error> {
        let changes = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(caller) = known.callers.get(secret_id) {
                return Ok(Some(caller.clone()));
            }
            known.changes
        };
        let Some(key) = ledger.key(secret_id).await?.filter(|key| key.is_enabled) else {
            return Ok(None);
        };
        let accounts = ledger.accounts().await?;
        let Some(account) = accounts.into_iter().find(|account| account.id == key.account) else {
            return Ok(None);
        };
        let caller = Caller { account, key };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.changes == changes {
            known.callers.insert(secret_id.into(), caller.clone());
        }
        Ok(Some(caller))
    }
}
