//! A wall clock that only a test moves, forwards or backwards.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use stoker_domain::time::{Clock, Timestamp};

/// A clock that stands still until it is moved. Clones show the same time.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<AtomicI64>);

impl FakeClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.as_millis())))
    }

    /// Moves it forwards.
    pub fn advance(&self, by: Duration) {
        self.jump(self.now() + by);
    }

    /// Sets it to `to`, which may lie in the past, as an operator or NTP may do.
    pub fn jump(&self, to: Timestamp) {
        self.0.store(to.as_millis(), Ordering::SeqCst);
    }
}

impl Default for FakeClock {
    /// A clock at a round moment in 2025, so that dates in replies are ordinary.
    fn default() -> Self {
        Self::new(Timestamp::from_seconds(1_750_000_000))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_show_the_same_time_in_both_directions() {
        let clock = FakeClock::new(Timestamp::from_seconds(100));
        let other = clock.clone();
        clock.advance(Duration::from_secs(5));
        assert_eq!(other.now(), Timestamp::from_seconds(105));
        other.jump(Timestamp::from_seconds(1));
        assert_eq!(clock.now(), Timestamp::from_seconds(1));
    }
}
