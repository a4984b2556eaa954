//! A moment on the wall clock, and the trait through which the other crates read it.
//!
//! Moments and durations never mix: a duration is a [`std::time::Duration`]. Nothing in this crate
//! reads a clock; callers pass `now`.

use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z. May lie before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The moment `seconds` seconds after the Unix epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded towards the past.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// How long after `earlier` this moment is; zero when it is not after it, so that a clock that
    /// jumps back never yields a negative age.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Where the other crates read the wall clock. The binary supplies the system's, tests a fake one.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment. May jump in either direction between two calls.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_behind_is_no_time_ago_and_no_moment_overflows() {
        let (one, two) = (Timestamp::from_millis(1), Timestamp::from_millis(2));
        assert_eq!((two.since(one), one.since(two)), (Duration::from_millis(1), Duration::ZERO));
        assert_eq!(one.since(one), Duration::ZERO);
        let (first, last) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        assert_eq!(last.since(first), Duration::from_millis(i64::MAX as u64));
        assert_eq!((last + Duration::from_millis(1), first - Duration::MAX), (last, first));
        assert_eq!(Timestamp::from_seconds(i64::MAX), last);
        assert_eq!(one + Duration::from_micros(1999), two);
        assert_eq!(two - Duration::from_millis(1), one);
    }

    #[test]
    fn seconds_are_rounded_towards_the_past() {
        for (millis, seconds) in [(0, 0), (999, 0), (1000, 1), (-1, -1), (-1000, -1), (-1001, -2)] {
            assert_eq!(Timestamp::from_millis(millis).as_seconds(), seconds, "{millis}");
        }
        assert_eq!(Timestamp::from_seconds(-2).as_millis(), -2000);
        assert_eq!(Timestamp::from_millis(7).to_string(), "7ms");
    }
}
