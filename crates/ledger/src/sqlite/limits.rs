//! The limits read so far: every call asks for them, and they hardly ever change.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use stoker_domain::{
    account::AccountId,
    quota::{AreaLimits, Product},
};

use crate::Error;

/// Limits that were read, until some are set. One entry for each account and product.
#[derive(Debug, Default)]
pub(super) struct LimitCache(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    limits: HashMap<(AccountId, Product), AreaLimits>,
    /// Counts the changes, so that what was read before a change is not kept after it.
    changes: u64,
}

impl LimitCache {
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.limits.clear();
        state.changes += 1;
    }

    /// The limits of `key`: from the cache, or else what `read` finds.
    pub(super) async fn find(
        &self,
        key: (AccountId, Product),
        read: impl Future<Output = Result<AreaLimits, Error>>,
    ) -> Result<AreaLimits, Error> {
        let changes = {
            let state = self.state();
            if let Some(limits) = state.limits.get(&key) {
                return Ok(*limits);
            }
            state.changes
        };
        let limits = read.await?;
        let mut state = self.state();
        if state.changes == changes {
            state.limits.insert(key, limits);
        }
        Ok(limits)
    }

    // a std mutex: never held across an await
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
