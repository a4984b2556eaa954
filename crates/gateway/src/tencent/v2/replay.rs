//! Calls of API v2 are taken once: what was taken is remembered for as long as its timestamp would
//! be accepted, at most four hours.
//!
//! Bounded, and kept in memory only: after a restart a call can be taken once more.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use super::{TOLERANCE_SECONDS, error::Error};

/// Most calls remembered: 24 bytes each.
const MOST: usize = 1 << 20;

/// The calls taken: their timestamps and what tells them apart.
#[derive(Debug, Default)]
pub(crate) struct Replays(Mutex<BTreeSet<(i64, [u8; 16])>>);

impl Replays {
    /// Remembers a call whose signature was verified. When there is no room for more, nothing is
    /// forgotten and no call is taken: else a flood would make old calls good again.
    pub(super) fn admit(
        &self,
        secret_id: &str,
        nonce: u64,
        timestamp: i64,
        now: i64,
    ) -> Result<(), Error> {
        let hash = Sha256::digest(format!("{nonce} {secret_id}"));
        let mut call = [0; 16];
        call.copy_from_slice(&hash[..16]);
        let oldest = now.saturating_sub_unsigned(TOLERANCE_SECONDS);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.first().is_some_and(|(timestamp, _)| *timestamp < oldest) {
            taken.pop_first();
        }
        if taken.contains(&(timestamp, call)) {
            return Err(Error::Replay);
        }
        if taken.len() >= MOST {
            return Err(Error::TooMany);
        }
        taken.insert((timestamp, call));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_taken_once_while_its_timestamp_is_good() {
        let replays = Replays::default();
        let now = 1_700_000_000;
        assert!(replays.admit("A", 1, now, now).is_ok());
        assert!(matches!(replays.admit("A", 1, now, now + 7200), Err(Error::Replay)));
        for (id, nonce, timestamp) in [("B", 1, now), ("A", 2, now), ("A", 1, now + 1)] {
            assert!(replays.admit(id, nonce, timestamp, now).is_ok());
        }
        assert!(replays.admit("A", 9, now + 7300, now + 7300).is_ok());
        assert_eq!(replays.0.lock().unwrap().len(), 1, "what is too old is forgotten");
    }

    #[test]
    fn what_is_full_takes_nothing_and_forgets_nothing() {
        let replays = Replays::default();
        *replays.0.lock().unwrap() =
            (0..MOST as u128).map(|n| (1_700_000_000, n.to_be_bytes())).collect();
        let late = replays.admit("A", 1, 1_700_000_000, 1_700_000_000);
        assert!(matches!(late, Err(Error::TooMany)));
    }
}
