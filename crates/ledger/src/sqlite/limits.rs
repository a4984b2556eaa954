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

#[cfg(test)]
mod tests {
    use stoker_domain::quota::Limits;

    use super::*;
    use crate::ErrorKind;

    fn limits(daily: u64) -> AreaLimits {
        AreaLimits::both(Limits { batch: 1, daily })
    }

    #[tokio::test]
    async fn limits_are_read_once_until_some_are_set() {
        let cache = LimitCache::default();
        let find = async |account, found| {
            let key = (AccountId(account), Product::PREFETCH[0]);
            cache.find(key, async { Ok(found) }).await.unwrap()
        };
        assert_eq!(find(1, limits(5)).await, limits(5));
        assert_eq!(find(1, limits(6)).await, limits(5), "from the cache");
        assert_eq!(find(2, limits(7)).await, limits(7), "of another account");
        cache.forget();
        assert_eq!(find(1, limits(6)).await, limits(6));
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_kept_after_it() {
        let cache = LimitCache::default();
        let key = (AccountId(1), Product::PREFETCH[0]);
        let read = async {
            cache.forget();
            Ok(limits(5))
        };
        assert_eq!(cache.find(key, read).await.unwrap(), limits(5));
        assert_eq!(cache.find(key, async { Ok(limits(6)) }).await.unwrap(), limits(6));
        let other = (AccountId(2), Product::PREFETCH[0]);
        let fails =
            async { Err(Error { verb: "read", kind: ErrorKind::Unavailable, cause: None }) };
        assert!(cache.find(other, fails).await.is_err());
        assert_eq!(cache.find(other, async { Ok(limits(7)) }).await.unwrap(), limits(7));
    }
}
