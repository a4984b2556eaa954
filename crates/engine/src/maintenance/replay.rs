//! Calls that may be made once only.
//!
//! What was taken is forgotten when its time is long over. A clock that is set ahead and back again
//! must not make it be forgotten before: after a step of the clock nothing is, for as long as calls
//! are remembered.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sha2::{Digest, Sha256};
use stoker_domain::{replay::ReplayWindow, time::Timestamp};
use stoker_ledger::AdmittedCall;
use tokio::time::Instant;

use crate::{Engine, Error};

/// A wall clock that differs by more from the time that passed was set.
const STEP: Duration = Duration::from_secs(5);

/// Since when the wall clock goes steadily.
#[derive(Debug)]
pub(crate) struct Steadiness(
    // a std mutex, held for a few numbers and never across an await
    Mutex<State>,
);

#[derive(Debug)]
struct State {
    wall: Timestamp,
    at: Instant,
    since: Instant,
}

impl Steadiness {
    /// What the clock did before is not known.
    pub(crate) fn new(now: Timestamp) -> Self {
        let at = Instant::now();
        Self(Mutex::new(State { wall: now, at, since: at }))
    }

    /// For how long the clock, which is at `now`, has not been set.
    fn lasts(&self, now: Timestamp) -> Duration {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Instant::now();
        let expected = state.wall + (at - state.at);
        if now.since(expected).max(expected.since(now)) > STEP {
            state.since = at;
        }
        (state.wall, state.at) = (now, at);
        at - state.since
    }
}

/// A call whose signature was verified.
#[derive(Clone, Copy, Debug)]
pub struct SignedCall<'a> {
    /// Public half of the key that signed it.
    pub secret_id: &'a str,
    /// What its caller made up for it alone.
    pub nonce: &'a str,
    /// When it was signed, in seconds since 1970.
    pub time: i64,
}

impl SignedCall<'_> {
    /// What tells it from other calls of that second.
    pub fn hash(&self) -> [u8; 16] {
        let hash = Sha256::digest(format!("{} {}", self.nonce, self.secret_id));
        let mut call = [0; 16];
        call.copy_from_slice(&hash[..16]);
        call
    }
}

impl Engine {
    /// Takes a signed call once: false when it was taken before, also before a restart. Remembered
    /// for `keep_seconds` after its time.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn admit_once(
        &self,
        call: &SignedCall<'_>,
        window: ReplayWindow,
        keep_seconds: u64,
    ) -> Result<bool, Error> {
        let now = self.clock.now();
        let is_steady = self.steadiness.lasts(now) >= Duration::from_secs(keep_seconds);
        let old = now.as_seconds().saturating_sub_unsigned(keep_seconds);
        let call = AdmittedCall { window, time: call.time, call: call.hash() };
        Ok(self.ledger.admit_once(call, if is_steady { old } else { i64::MIN }).await?)
    }
}
