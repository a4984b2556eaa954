//! The hottest records, held in memory: a hit on them neither reads nor copies.
//!
//! What is asked for often within a short time is let in; what has not been used since the hand of
//! the clock last came by goes first. A place in the log is never written twice, so a record held
//! here cannot be out of date; whether it may still be served is decided by the index and the rules,
//! as for a record on the disk.
//!
//! Every look-up asks here first, so a look-up takes the lock of one shard for reading and nothing
//! else. **Invariant:** the bound is one for all shards, exactly: only who lets a record in takes the
//! one lock over the clock, and removes before it adds. Splitting the bound among the shards would
//! be simpler, but a small store could then hold no large record.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
};

use bytes::Bytes;

use super::record::Place;

/// Uses within one period that make a record hot.
const HOT: u8 = 3;
/// Uses, of all records together, in one period.
const PERIOD: u32 = 1 << 16;
/// Counters of uses; records that share one are counted together, which lets a few in too early.
const COUNTERS: usize = 1 << 14;
const SHARDS: usize = 64;

/// A bounded set of hot records.
#[derive(Debug)]
pub(super) struct Hot {
    max_bytes: usize,
    shards: [RwLock<Shard>; SHARDS],
    /// Taken before the lock of a shard, never while one is held.
    clock: Mutex<Clock>,
    uses: Box<[AtomicU8]>,
    all_uses: AtomicU32,
}

type Shard = HashMap<u64, HotRecord, BuildHasherDefault<Mixed>>;

#[derive(Debug)]
struct HotRecord {
    bytes: Bytes,
    is_used: AtomicBool,
}

/// The order in which the hand comes by, and what the records take together.
#[derive(Debug, Default)]
struct Clock {
    order: VecDeque<u64>,
    bytes: usize,
}

impl Hot {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            shards: std::array::from_fn(|_| RwLock::default()),
            clock: Mutex::default(),
            uses: (0..COUNTERS).map(|_| AtomicU8::new(0)).collect(),
            all_uses: AtomicU32::new(0),
        }
    }

    /// The record at `place`, when it is held.
    pub(super) fn get(&self, place: Place) -> Option<Bytes> {
        let key = mixed(place);
        let shard = self.shard(key).read().unwrap_or_else(PoisonError::into_inner);
        let record = shard.get(&key)?;
        // stored only where it changes something: the line stays shared between readers
        if !record.is_used.load(Ordering::Relaxed) {
            record.is_used.store(true, Ordering::Relaxed);
        }
        Some(record.bytes.clone())
    }

    /// Counts a use of a record that is not held; whether it should be held from now on.
    pub(super) fn is_worth_holding(&self, place: Place) -> bool {
        // one record must not drive all others out
        if place.len as usize > self.max_bytes / 4 {
            return false;
        }
        // Counts are not halved one by one but forgotten together: "often" means "often lately".
        if self.all_uses.fetch_add(1, Ordering::Relaxed) % PERIOD == PERIOD - 1 {
            self.uses.iter().for_each(|uses| uses.store(0, Ordering::Relaxed));
        }
        let uses = &self.uses[(mixed(place) >> 16) as usize % COUNTERS];
        // not one atomic step: a use that is lost between two threads only delays the record
        let count = uses.load(Ordering::Relaxed).saturating_add(1);
        uses.store(count, Ordering::Relaxed);
        count >= HOT
    }

    /// Holds a record, after evicting others as far as the bound demands.
    pub(super) fn hold(&self, place: Place, bytes: Bytes) {
        let (key, len) = (mixed(place), bytes.len());
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        self.evict(&mut clock, self.max_bytes.saturating_sub(len));
        let record = HotRecord { bytes, is_used: AtomicBool::new(false) };
        let mut shard = self.shard(key).write().unwrap_or_else(PoisonError::into_inner);
        // two readers may bring the same record; they bring the same bytes
        if shard.insert(key, record).is_none() {
            clock.bytes += len;
            clock.order.push_back(key);
        }
    }

    fn evict(&self, clock: &mut Clock, max_bytes: usize) {
        while clock.bytes > max_bytes
            && let Some(key) = clock.order.pop_front()
        {
            let mut shard = self.shard(key).write().unwrap_or_else(PoisonError::into_inner);
            let is_used = shard.get(&key).is_some_and(|r| r.is_used.swap(false, Ordering::Relaxed));
            // Its use is spent: unless it is used again, it goes when the hand comes by next.
            if is_used {
                clock.order.push_back(key);
            } else if let Some(record) = shard.remove(&key) {
                clock.bytes -= record.bytes.len();
            }
        }
    }

    fn shard(&self, key: u64) -> &RwLock<Shard> {
        &self.shards[shard_of(key)]
    }
}

/// From bits that the map in the shard does not look at first.
fn shard_of(key: u64) -> usize {
    (key >> 32) as usize % SHARDS
}

/// Where a record starts, with its bits spread over all of the number. Different places have
/// different numbers: each step can be undone. Nobody outside chooses places, so the maps need no
/// secret.
fn mixed(place: Place) -> u64 {
    let mut bits = u64::from(place.segment) << 32 | u64::from(place.unit);
    bits = (bits ^ bits >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ bits >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ bits >> 33
}

/// Hashes what [`mixed`] has mixed already.
#[derive(Debug, Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, mixed: u64) {
        self.0 = mixed;
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    fn place(unit: u32) -> Place {
        Place { segment: 1, unit, len: 100 }
    }

    fn record(unit: u32) -> Bytes {
        Bytes::from(vec![unit as u8; 100])
    }

    impl Hot {
        /// Records, and what they take by the account and by a count.
        fn totals(&self) -> (usize, usize, usize) {
            let clock = self.clock.lock().unwrap();
            let (mut count, mut bytes) = (0, 0);
            for shard in &self.shards {
                let shard = shard.read().unwrap();
                count += shard.len();
                bytes += shard.values().map(|record| record.bytes.len()).sum::<usize>();
            }
            assert_eq!(count, clock.order.len(), "each stands in the clock once");
            (count, clock.bytes, bytes)
        }
    }

    #[test]
    fn a_record_is_let_in_by_repeated_use_and_never_when_it_is_too_large() {
        let hot = Hot::new(1000);
        let answers: Vec<_> = (0..4).map(|_| hot.is_worth_holding(place(7))).collect();
        assert_eq!(answers, [false, false, true, true]);
        let large = Place { len: 251, ..place(8) };
        assert!((0..9).all(|_| !hot.is_worth_holding(large)));
        let just = Place { len: 250, ..place(9) };
        assert!((0..3).any(|_| hot.is_worth_holding(just)), "a quarter of the bound may be held");
    }

    #[test]
    fn uses_of_an_earlier_period_do_not_count() {
        let hot = Hot::new(1000);
        assert!(!hot.is_worth_holding(place(7)) && !hot.is_worth_holding(place(7)));
        for n in 2..PERIOD {
            hot.is_worth_holding(place(1000 + n));
        }
        assert!(!hot.is_worth_holding(place(7)), "the third use, but the first of its period");
    }

    #[test]
    fn the_bound_holds_and_what_is_used_stays() {
        let hot = Hot::new(1000);
        for unit in 0..10 {
            hot.hold(place(unit), record(unit));
        }
        assert_eq!(hot.get(place(0)), Some(record(0)));
        for unit in 10..15 {
            hot.hold(place(unit), record(unit));
        }
        assert_eq!(hot.get(place(0)), Some(record(0)), "used since the hand came by");
        assert_eq!(hot.get(place(1)), None);
        assert_eq!(hot.totals(), (10, 1000, 1000));
        // used once is not used for ever
        for unit in 15..40 {
            hot.hold(place(unit), record(unit));
        }
        assert_eq!(hot.get(place(0)), None);
    }

    #[test]
    fn a_record_that_two_readers_bring_is_counted_once() {
        let hot = Hot::new(1000);
        hot.hold(place(1), record(1));
        hot.hold(place(1), record(1));
        assert_eq!(hot.totals(), (1, 100, 100));
        assert_eq!(hot.get(Place { segment: 2, ..place(1) }), None, "another segment");
    }

    #[test]
    fn a_store_that_may_hold_nothing_holds_nothing() {
        let hot = Hot::new(0);
        assert!((0..9).all(|_| !hot.is_worth_holding(place(1))));
    }

    #[test]
    fn places_are_told_apart_and_spread_over_the_shards() {
        let places = (0..40_u32).flat_map(|segment| {
            (0..100).map(move |unit| Place { segment, unit: unit * 8, len: 9 })
        });
        let numbers: HashSet<u64> = places.map(mixed).collect();
        assert_eq!(numbers.len(), 4000);
        let shards: HashSet<usize> = numbers.iter().map(|number| shard_of(*number)).collect();
        assert_eq!(shards.len(), SHARDS);
    }

    #[test]
    fn threads_that_read_and_hold_at_once_keep_the_account() {
        let hot = Hot::new(10_000);
        thread::scope(|scope| {
            for thread in 0..4 {
                let hot = &hot;
                scope.spawn(move || {
                    for n in 0..5000_u32 {
                        let unit = (n * 7 + thread) % 251;
                        if let Some(bytes) = hot.get(place(unit)) {
                            assert_eq!(bytes, record(unit));
                        } else {
                            hot.hold(place(unit), record(unit));
                        }
                    }
                });
            }
        });
        let (_, account, counted) = hot.totals();
        assert_eq!(account, counted);
        assert!(account <= 10_000, "{account}");
    }
}
