//! Who has lately sent wrong signatures with a key, and who right ones.
//!
//! Goes by the pair of address and key, so that a stranger who knows a SecretId loses the large limit
//! for the own address, and not for the key's owner. What is kept is bounded: of the pairs that were right, those that are seldom seen
//! are forgotten first; wrong signatures are forgotten when too many pairs have sent them.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use quick_cache::sync::Cache;
use stoker_domain::time::Timestamp;

/// Wrong signatures of one pair in a minute, after which its large content is not taken in that
/// minute.
pub(crate) const MOST_FAILURES: u32 = 8;

/// Most pairs of either kind that are kept. A power of two, so that the shards of a cache divide it and
/// none holds more than its part.
const MOST_PAIRS: usize = 8192;

/// An address and the key that it names, if any.
pub(crate) type Pair<'a> = (Option<IpAddr>, Option<&'a str>);

/// What is known of pairs, by hashes that nobody can foresee.
#[derive(Debug)]
pub(crate) struct Trust {
    hasher: RandomState,
    // a std mutex, held for one look-up and never across an await
    failed: Mutex<HashMap<u64, Failures>>,
    verified: Cache<u64, ()>,
}

impl Default for Trust {
    fn default() -> Self {
        let verified = Cache::new(MOST_PAIRS);
        Self { hasher: RandomState::default(), failed: Mutex::default(), verified }
    }
}

/// Wrong signatures in one minute of the clock.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    minute: i64,
    count: u32,
}

impl Trust {
    /// Notes a wrong signature.
    pub(crate) fn failed(&self, pair: Pair<'_>, now: Timestamp) {
        let minute = minute(now);
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= MOST_PAIRS {
            failed.retain(|_, failures| failures.minute == minute);
            if failed.len() >= MOST_PAIRS {
                failed.clear();
            }
        }
        let failures = failed.entry(self.hasher.hash_one(pair)).or_default();
        if failures.minute != minute {
            *failures = Failures { minute, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
    }

    /// Notes a right signature; wrong ones before it are forgotten.
    pub(crate) fn verified(&self, pair: Pair<'_>) {
        let hash = self.hasher.hash_one(pair);
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash);
        self.verified.insert(hash, ());
    }

    /// Whether the pair sent too many wrong signatures in this minute.
    pub(crate) fn is_suspect(&self, pair: Pair<'_>, now: Timestamp) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get(&self.hasher.hash_one(pair)).is_some_and(|failures| {
            failures.minute == minute(now) && failures.count >= MOST_FAILURES
        })
    }

    /// Whether the pair has sent a right signature.
    pub(crate) fn is_known(&self, pair: Pair<'_>) -> bool {
        // a look that counts as a use, so that who calls often stays known
        self.verified.get(&self.hasher.hash_one(pair)).is_some()
    }
}

fn minute(now: Timestamp) -> i64 {
    now.as_seconds().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_040);

    fn pair(last: u8, key: &str) -> Pair<'_> {
        (Some(IpAddr::from([192, 0, 2, last])), Some(key))
    }

    #[test]
    fn a_pair_is_suspect_for_the_minute_in_which_it_failed_too_often() {
        let trust = Trust::default();
        for _ in 0..MOST_FAILURES {
            assert!(!trust.is_suspect(pair(1, "AKID"), NOW));
            trust.failed(pair(1, "AKID"), NOW);
        }
        assert!(trust.is_suspect(pair(1, "AKID"), NOW));
        for other in [pair(2, "AKID"), pair(1, "AKIE"), (None, Some("AKID"))] {
            assert!(!trust.is_suspect(other, NOW), "{other:?} did nothing");
        }
        let next = Timestamp::from_seconds(NOW.as_seconds() + 60);
        assert!(!trust.is_suspect(pair(1, "AKID"), next));
        trust.failed(pair(1, "AKID"), next);
        assert!(!trust.is_suspect(pair(1, "AKID"), next), "a minute begins with nothing");
    }

    #[test]
    fn a_right_signature_ends_the_suspicion() {
        let trust = Trust::default();
        for _ in 0..MOST_FAILURES {
            trust.failed(pair(1, "AKID"), NOW);
        }
        assert!(!trust.is_known(pair(1, "AKID")));
        trust.verified(pair(1, "AKID"));
        assert!(!trust.is_suspect(pair(1, "AKID"), NOW));
        assert!(trust.is_known(pair(1, "AKID")));
        assert!(!trust.is_known(pair(2, "AKID")));
    }

    #[test]
    fn never_more_than_so_many_pairs_of_a_kind_are_kept() {
        let trust = Trust::default();
        for number in 0..2 * MOST_PAIRS + 5 {
            let key = format!("AKID{number}");
            trust.failed(pair(1, &key), NOW);
            trust.verified(pair(2, &key));
            assert!(trust.failed.lock().unwrap().len() <= MOST_PAIRS);
            assert!(trust.verified.len() <= MOST_PAIRS);
        }
    }
}
