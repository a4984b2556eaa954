//! Retry: which outcomes are worth another attempt, and when.

use std::time::Duration;

use crate::outcome::{OriginFault, Outcome, Uncacheable};

/// Attempts in all, the first included.
pub const MAX_ATTEMPTS: u32 = 6;
/// Leases in a row under which nothing was settled, after which a job is given up: something in it
/// may be what ends the node that works on it.
pub const MAX_LEASES: u32 = 20;

const FIRST_DELAY: Duration = Duration::from_secs(1);
/// No delay is longer.
pub const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// Whether another attempt may end differently.
pub const fn is_worth_retrying(outcome: Outcome) -> bool {
    match outcome {
        Outcome::OriginStatus(code) => matches!(code, 408 | 425 | 429 | 500 | 502 | 503 | 504),
        Outcome::OriginError(OriginFault::Length) => false,
        Outcome::OriginError(_) => true,
        Outcome::Uncacheable(reason) => {
            matches!(reason, Uncacheable::DiskFull | Uncacheable::DiskError)
        }
        _ => false,
    }
}

/// How long to wait after `attempt` (from 1) failed: doubling from one second to a minute, less a
/// random part of up to half, so that many failures do not come back together.
///
/// `seed` is any random number.
pub fn delay(attempt: u32, seed: u64) -> Duration {
    let doubled = FIRST_DELAY.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    let full = doubled.min(LONGEST_DELAY);
    let jitter = full.as_millis() as u64 / 2;
    full - Duration::from_millis(seed % (jitter + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_a_minute_and_never_fall_below_half() {
        for (attempt, full) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (60, 60)] {
            let full = Duration::from_secs(full);
            assert_eq!(delay(attempt, 0), full);
            for seed in [1, 77, u64::MAX, 499, 500, 501] {
                let delay = delay(attempt, seed);
                assert!(delay >= full / 2 && delay <= full, "{attempt} {seed} {delay:?}");
            }
        }
    }

    #[test]
    fn a_missing_resource_is_not_asked_for_again() {
        assert!(!is_worth_retrying(Outcome::OriginStatus(404)));
        assert!(is_worth_retrying(Outcome::OriginStatus(503)));
        assert!(is_worth_retrying(Outcome::OriginError(OriginFault::Truncated)));
    }
}
