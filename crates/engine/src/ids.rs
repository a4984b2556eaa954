//! Names of tasks: 19 decimal digits, unique and ascending.
//!
//! The first 13 are the milliseconds of acceptance, three are random, and the last three are zero,
//! so that an API whose names are numbers can leave them out: 16 digits fit every client's number.
//! Each name is larger than all that the ledger holds, whatever the clock does or did before a
//! restart. Never reads a clock.

use std::sync::{Mutex, PoisonError};

use stoker_domain::{task::TaskId, time::Timestamp};

/// The range of milliseconds that has 13 digits: the years 2001 to 2286.
const MILLIS: std::ops::RangeInclusive<u64> = 1_000_000_000_000..=9_999_999_999_999;
const PER_MILLI: u64 = 1_000_000;
/// Names are multiples of it.
const STEP: u64 = 1000;

/// Where the next name comes from.
#[derive(Debug)]
pub(crate) struct Ids {
    last: Mutex<u64>,
}

impl Ids {
    /// Names after `last`, the largest that the ledger holds: not that of the task created last, for
    /// the clock may have been set back meanwhile.
    pub(crate) fn after(last: Option<&TaskId>) -> Self {
        let last = last.and_then(|id| id.0.parse().ok()).unwrap_or(0);
        Self { last: Mutex::new(last) }
    }

    /// The next name. `random` is any number.
    pub(crate) fn next(&self, now: Timestamp, random: u64) -> TaskId {
        let millis =
            u64::try_from(now.as_millis()).unwrap_or(0).clamp(*MILLIS.start(), *MILLIS.end());
        let wished = millis * PER_MILLI + random % (PER_MILLI / STEP) * STEP;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = wished.max((*last / STEP).saturating_add(1).saturating_mul(STEP));
        TaskId(last.to_string())
    }
}

/// Twelve lower-case letters or digits, of any number.
pub(crate) fn short(random: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let digit = |place: u32| DIGITS[(random / 36u64.pow(place) % 36) as usize];
    (0..12).map(|place| char::from(digit(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_19_digits_and_ascend_whatever_the_clock_does() {
        let ids = Ids::after(None);
        let mut previous = String::new();
        for millis in [-5, 0, 1_800_000_000_000, 1_800_000_000_000, 1_700_000_000_000, i64::MAX] {
            let TaskId(id) = ids.next(Timestamp::from_millis(millis), u64::MAX);
            assert_eq!((id.len(), &id[16..]), (19, "000"));
            assert!(id > previous, "{id} {previous}");
            previous = id;
        }
    }

    #[test]
    fn short_names_have_twelve_characters() {
        assert_eq!(short(0), "000000000000");
        assert_eq!(short(36 * 35 + 1), "1z0000000000");
        assert!(short(u64::MAX).bytes().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase()));
        assert_eq!(short(u64::MAX).len(), 12);
    }

    #[test]
    fn names_go_on_after_the_largest_of_the_ledger() {
        let last = TaskId("1800000000000999999".into());
        let next = Ids::after(Some(&last)).next(Timestamp::from_millis(1_800_000_000_000), 0);
        assert_eq!(next.0, "1800000000001000000");
    }
}
