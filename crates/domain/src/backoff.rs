//! Backoff: how long to wait before what failed is tried again. Pure: failures are counted and waits
//! are slept by whoever tries, and the random number comes from there too.

use std::time::Duration;

/// Delays that double from one bound to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Delays from `first` to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// How long to wait after so many failures in a row, from 1: doubled for each but the first, less a
    /// random part of up to half, so that many who failed together do not come back together.
    ///
    /// `random` is any number.
    pub fn delay(&self, failures: u32, random: u64) -> Duration {
        // 2^31 times the shortest delay is beyond every bound
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        let half = u64::try_from(full.as_nanos() / 2).unwrap_or(u64::MAX);
        full - Duration::from_nanos(random % half.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

    #[test]
    fn delays_double_up_to_the_longest() {
        for (failures, seconds) in
            [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (60, 60), (u32::MAX, 60)]
        {
            assert_eq!(BACKOFF.delay(failures, 0), Duration::from_secs(seconds), "{failures}");
        }
    }

    #[test]
    fn a_random_part_of_up_to_half_is_left_out() {
        let (full, half) = (Duration::from_secs(4), Duration::from_secs(2));
        let nanos = half.as_nanos() as u64;
        assert_eq!(BACKOFF.delay(3, 1), full - Duration::from_nanos(1));
        assert_eq!(BACKOFF.delay(3, nanos), half);
        assert_eq!(BACKOFF.delay(3, nanos + 1), full);
        for random in [77, u64::MAX, 1 << 40] {
            let delay = BACKOFF.delay(3, random);
            assert!(delay >= half && delay <= full, "{random} {delay:?}");
        }
    }

    #[test]
    fn bounds_of_any_size_overflow_nothing() {
        let endless = Backoff::new(Duration::MAX, Duration::MAX);
        assert_eq!(endless.delay(9, 0), Duration::MAX);
        assert!(endless.delay(9, 1) < Duration::MAX);
        assert_eq!(Backoff::new(Duration::ZERO, Duration::ZERO).delay(3, 5), Duration::ZERO);
    }
}
