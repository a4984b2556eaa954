//! The time by which jobs become due: the wall clock's, except that it never goes back.
//!
//! What is stored as due was computed from a clock that may since have been set back, by an hour or
//! a year; jobs must not wait that long. So each step back is added again. Times that people see,
//! and the days of quotas, are the wall clock's and not these.
//!
//! The correction is lost with the process; [`Schedule::reach`] then wins it back from the ledger:
//! nothing is ever put off for longer than a known time, so what lies further ahead proves a clock
//! that was set back.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use stoker_domain::time::{Clock, Timestamp};

/// Wall clock plus all steps back that were seen.
#[derive(Debug)]
pub(crate) struct Schedule(Mutex<State>);

#[derive(Debug)]
struct State {
    last: Timestamp,
    ahead: Duration,
}

impl Schedule {
    /// Begins at the wall clock.
    pub(crate) fn new(clock: &dyn Clock) -> Self {
        Self(Mutex::new(State { last: clock.now(), ahead: Duration::ZERO }))
    }

    /// The present moment; never before one that was given out.
    pub(crate) fn now(&self, clock: &dyn Clock) -> Timestamp {
        // a std mutex, held only for the sum; the clock is read inside so that readings are ordered
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wall = clock.now();
        state.ahead = state.ahead.saturating_add(state.last.since(wall));
        state.last = wall;
        wall + state.ahead
    }

    /// Moves ahead so far that `due` is at most `furthest` away; whether it had to.
    pub(crate) fn reach(&self, due: Timestamp, furthest: Duration, clock: &dyn Clock) -> bool {
        let away = due.since(self.now(clock));
        let Some(excess) = away.checked_sub(furthest).filter(|excess| !excess.is_zero()) else {
            return false;
        };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.ahead = state.ahead.saturating_add(excess);
        true
    }
}
