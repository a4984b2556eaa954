//! Names of tasks and purges.
//!
//! A task that is accepted as a whole is named by 19 decimal digits, unique and ascending. The first
//! 13 are the milliseconds of acceptance, three are random, and the last three are zero,
//! so that an API whose names are numbers can leave them out: 16 digits fit every client's number.
//! Each number is larger than all that the ledger holds, whatever the clock does or did before a
//! restart. A list that is accepted as far as it can be is named by 12 letters and digits, other purges
//! by the second and 8 of these. Never reads a clock.

use std::sync::{Mutex, PoisonError};

use stoker_domain::{task::TaskId, time::Timestamp};

use super::Acceptance;
use crate::names::short;

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

    /// The name of a task that is accepted so at `now`. `random` is any number.
    pub(crate) fn of_task(&self, acceptance: Acceptance, now: Timestamp, random: u64) -> TaskId {
        match acceptance {
            Acceptance::Whole | Acceptance::ByDomain | Acceptance::Again => self.next(now, random),
            Acceptance::WhatCanBe => TaskId(short(random)),
        }
    }

    /// The name of a purge that is accepted so at `now`. `random` is any number.
    pub(crate) fn of_purge(acceptance: Acceptance, now: Timestamp, random: u64) -> TaskId {
        let random = short(random);
        TaskId(match acceptance {
            Acceptance::Whole | Acceptance::ByDomain | Acceptance::Again => {
                format!("{}-{}", now.as_seconds(), &random[..8])
            }
            Acceptance::WhatCanBe => random,
        })
    }

    /// The next number. `random` is any number.
    fn next(&self, now: Timestamp, random: u64) -> TaskId {
        let millis =
            u64::try_from(now.as_millis()).unwrap_or(0).clamp(*MILLIS.start(), *MILLIS.end());
        let wanted = millis * PER_MILLI + random % (PER_MILLI / STEP) * STEP;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = wanted.max((*last / STEP).saturating_add(1).saturating_mul(STEP));
        TaskId(last.to_string())
    }
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
    fn a_name_tells_how_its_list_was_accepted() {
        let (ids, now) = (Ids::after(None), Timestamp::from_seconds(1_800_000_000));
        let task = |acceptance| ids.of_task(acceptance, now, 36 * 35 + 1).0;
        assert_eq!(task(Acceptance::Whole), "1800000000000261000");
        assert_eq!(task(Acceptance::ByDomain), "1800000000000262000");
        assert_eq!(task(Acceptance::WhatCanBe), "1z0000000000");
        let purge = |acceptance| Ids::of_purge(acceptance, now, 36 * 35 + 1).0;
        assert_eq!(purge(Acceptance::Whole), "1800000000-1z000000");
        assert_eq!(purge(Acceptance::WhatCanBe), "1z0000000000");
    }

    #[test]
    fn names_go_on_after_the_largest_of_the_ledger() {
        let last = TaskId("1800000000000999999".into());
        let next = Ids::after(Some(&last)).next(Timestamp::from_millis(1_800_000_000_000), 0);
        assert_eq!(next.0, "1800000000001000000");
    }
}
