//! That a call of the admin API is taken once, and an account does not call too often.
//!
//! The ledger remembers for good what was taken. In front of it stands a memory of what this process
//! took: it refuses a repeated call before that costs a write, or counts against the account, and it
//! is what a call that only reads goes by while the ledger takes no writes. A call is counted after it
//! was found new, so that nobody can use up the calls of others by repeating them.

use std::{
    collections::HashSet,
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::Method;
use stoker_domain::{account::AccountId, replay::ReplayWindow};
use stoker_engine::{Error as EngineError, SignedCall};
use tokio::time::Instant;

use super::{
    rate::{CallLimits, Exceeded},
    tc3::TOLERANCE_SECONDS,
};
use crate::Gateway;

/// How long a call is remembered after its time: as long again as its timestamp is valid, because the
/// clock is read twice and may be set back.
const KEEP_SECONDS: u64 = 2 * TOLERANCE_SECONDS.unsigned_abs();
/// Calls in one half of the memory, 3.3 MB; with one more, the older half is forgotten early.
const MOST_RECENT: usize = 100_000;

/// Why a call is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It was taken before.
    #[error("this `Stoker-Nonce` was used before")]
    Taken,
    /// The account calls too often.
    #[error("the account made {0}")]
    TooOften(Exceeded),
    /// The ledger did not answer.
    #[error("the nonce cannot be recorded")]
    Ledger(#[source] EngineError),
}

/// Takes a call of `account`.
///
/// # Errors
/// Why it is not taken.
pub(crate) async fn take(
    gateway: &Gateway,
    account: AccountId,
    call: &SignedCall<'_>,
    method: &Method,
) -> Result<(), Error> {
    if !gateway.admin_calls.is_new(call) {
        return Err(Error::Taken);
    }
    let limits =
        CallLimits { per_second: gateway.config.admin_calls_per_second, ..CallLimits::OFF };
    let counted = gateway.calls.admit(&limits, account, ("admin", "v1"), gateway.clock.now());
    counted.map_err(Error::TooOften)?;
    match gateway.engine.admit_once(call, ReplayWindow::Minutes, KEEP_SECONDS).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Taken),
        // an operator who looks for the cause of a full disk must be able to read
        Err(error) if method.is_safe() => {
            tracing::debug!(error = &error as &dyn std::error::Error, "nonce kept in memory alone");
            Ok(())
        }
        Err(error) => Err(Error::Ledger(error)),
    }
}

/// The calls that this process took lately.
#[derive(Debug)]
pub(crate) struct Recent(
    // a std mutex, held for two look-ups and never across an await
    Mutex<Halves>,
);

/// Each half holds a window of time, so that the older one goes as a whole.
#[derive(Debug)]
struct Halves {
    newer: HashSet<Key>,
    older: HashSet<Key>,
    since: Instant,
}

/// The time of a call, and what tells it from others of that second.
type Key = (i64, [u8; 16]);

impl Default for Recent {
    fn default() -> Self {
        Self(Mutex::new(Halves {
            newer: HashSet::new(),
            older: HashSet::new(),
            since: Instant::now(),
        }))
    }
}

impl Recent {
    /// Remembers a call; whether it was not remembered before. Of two at once one is new.
    fn is_new(&self, call: &SignedCall<'_>) -> bool {
        self.remember((call.time, call.hash()), MOST_RECENT)
    }

    fn remember(&self, key: Key, most: usize) -> bool {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.since.elapsed() > Duration::from_secs(KEEP_SECONDS) || halves.newer.len() >= most
        {
            halves.older = mem::take(&mut halves.newer);
            halves.since = Instant::now();
        }
        !halves.older.contains(&key) && halves.newer.insert(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> Key {
        (7, [number; 16])
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_new_once_for_its_window() {
        let recent = Recent::default();
        assert!(recent.remember(key(1), 9) && !recent.remember(key(1), 9));
        assert!(recent.remember(key(2), 9) && recent.remember((8, [1; 16]), 9));
        tokio::time::advance(Duration::from_secs(KEEP_SECONDS)).await;
        assert!(!recent.remember(key(1), 9));
        tokio::time::advance(Duration::from_secs(KEEP_SECONDS + 1)).await;
        assert!(recent.remember(key(3), 9));
        assert!(!recent.remember(key(3), 9) && !recent.remember(key(1), 9), "one window back");
        tokio::time::advance(Duration::from_secs(KEEP_SECONDS + 1)).await;
        assert!(recent.remember(key(1), 9), "two windows back");
    }

    #[test]
    fn the_memory_is_bounded_and_the_newest_stay() {
        let recent = Recent::default();
        for number in 0..100 {
            assert!(recent.remember(key(number), 10));
            let halves = recent.0.lock().unwrap();
            assert!(halves.newer.len() <= 10 && halves.older.len() <= 10);
        }
        assert!((90..100).all(|number| !recent.remember(key(number), 1000)));
    }
}
