//! Signing keys of TC3, kept for the day that they are valid for.
//!
//! A signing key depends on the secret, a date and a service alone, so that a client's calls of one day
//! share it. Only what signed a call that was verified is kept: a stranger cannot fill the memory. A
//! key is found by a hash over everything that it was made of, the secret included, so that a
//! rotated secret finds nothing. Never decides about a signature.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{PoisonError, RwLock},
};

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

/// A signing key.
pub(crate) type Key = [u8; 32];

/// Most keys of one date that are kept; for another one, one that is seldom used is dropped. A power of
/// two, so that the shards of the cache divide it and none holds more than its part.
const MOST_KEYS: usize = 4096;

/// Most dates whose keys are kept: around midnight clients sign for two.
const MOST_DATES: usize = 2;

/// What a signing key is made of.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// Public half of the key.
    pub(crate) secret_id: &'a str,
    /// Secret half of the key.
    pub(crate) secret_key: &'a str,
    /// Date of the credential scope.
    pub(crate) date: &'a str,
    /// Service of the credential scope.
    pub(crate) service: &'a str,
}

impl Origin<'_> {
    /// Differs whenever a part does: the parts before the secret hold no NUL.
    fn name(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [self.secret_id, self.date, self.service] {
            hash.update(part);
            hash.update([0]);
        }
        hash.update(self.secret_key);
        hash.finalize().into()
    }
}

/// Keys of one date, by the hash of their origin.
type OfDate = Cache<[u8; 32], Key>;

/// The signing keys of callers that were verified, by date and by the hash of their origin.
#[derive(Default)]
pub(crate) struct SigningKeys {
    // a std lock, held for a look into the caches and never across an await; written once a day
    dates: RwLock<BTreeMap<String, OfDate>>,
}

// what is kept is as good as the secrets for a day
impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl SigningKeys {
    /// The key made of `origin`, if it is kept.
    pub(crate) fn get(&self, origin: &Origin<'_>) -> Option<Key> {
        let dates = self.dates.read().unwrap_or_else(PoisonError::into_inner);
        dates.get(origin.date)?.get(&origin.name())
    }

    /// Keeps a key that signed a verified call; forgets the oldest date when there are too many.
    pub(crate) fn keep(&self, origin: &Origin<'_>, key: Key) {
        let dates = self.dates.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = dates.get(origin.date) {
            return keys.insert(origin.name(), key);
        }
        drop(dates);
        let mut dates = self.dates.write().unwrap_or_else(PoisonError::into_inner);
        let keys = dates.entry(origin.date.into());
        let keys = keys.or_insert_with(|| Cache::new(MOST_KEYS));
        keys.insert(origin.name(), key);
        if dates.len() > MOST_DATES {
            dates.pop_first();
        }
    }

    fn len(&self) -> usize {
        let dates = self.dates.read().unwrap_or_else(PoisonError::into_inner);
        dates.values().map(Cache::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin<'_> =
        Origin { secret_id: "AKID", secret_key: "SK", date: "2023-11-14", service: "cdn" };

    #[test]
    fn a_key_is_found_by_everything_that_it_was_made_of() {
        let keys = SigningKeys::default();
        keys.keep(&ORIGIN, [7; 32]);
        assert_eq!(keys.get(&ORIGIN), Some([7; 32]));
        for other in [
            Origin { secret_id: "AKIE", ..ORIGIN },
            Origin { secret_key: "rotated", ..ORIGIN },
            Origin { date: "2023-11-15", ..ORIGIN },
            Origin { service: "teo", ..ORIGIN },
        ] {
            assert_eq!(keys.get(&other), None);
        }
    }

    #[test]
    fn two_dates_are_kept_and_the_oldest_is_forgotten() {
        let keys = SigningKeys::default();
        let of = |date| Origin { date, ..ORIGIN };
        for date in ["2023-11-15", "2023-11-14", "2023-11-16", "2023-11-13"] {
            keys.keep(&of(date), [1; 32]);
        }
        let kept = ["2023-11-13", "2023-11-14", "2023-11-15", "2023-11-16"]
            .map(|date| keys.get(&of(date)).is_some());
        assert_eq!(kept, [false, false, true, true]);
    }

    #[test]
    fn never_more_than_so_many_of_a_date_are_kept() {
        let keys = SigningKeys::default();
        for number in 0..MOST_KEYS * 4 {
            let secret_id = format!("AKID{number}");
            let date = if number % 2 == 0 { "2023-11-14" } else { "2023-11-15" };
            keys.keep(&Origin { secret_id: &secret_id, date, ..ORIGIN }, [1; 32]);
            assert!(keys.len() <= MOST_KEYS * MOST_DATES);
        }
        assert!(keys.len() > MOST_KEYS, "a full cache is not forgotten as a whole");
    }

    #[test]
    fn no_key_is_ever_printed() {
        let keys = SigningKeys::default();
        keys.keep(&ORIGIN, [7; 32]);
        assert_eq!(format!("{keys:?}"), "SigningKeys { len: 1, .. }");
    }
}
