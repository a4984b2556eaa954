//! The hottest records, kept in memory: a hit on them neither reads nor copies.
//!
//! What is asked for often within a short time is let in; what has not been used since the hand of
//! the clock last came by goes first. A place in the log is never written twice, so a kept record
//! cannot be out of date; whether it may still be served is decided by the index and the rules, as
//! for a record on the disk. Never more than its bound.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU32, Ordering},
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

/// A bounded set of hot records.
#[derive(Debug)]
pub(super) struct Hot {
    most_bytes: usize,
    kept: Mutex<Kept>,
    uses: Box<[AtomicU8]>,
    all_uses: AtomicU32,
}

#[derive(Debug, Default)]
struct Kept {
    records: HashMap<Place, Record>,
    /// The order in which the hand comes by.
    clock: VecDeque<Place>,
    bytes: usize,
}

#[derive(Debug)]
struct Record {
    bytes: Bytes,
    is_used: bool,
}

impl Hot {
    pub(super) fn new(most_bytes: usize) -> Self {
        let uses = (0..COUNTERS).map(|_| AtomicU8::new(0)).collect();
        Self { most_bytes, kept: Mutex::default(), uses, all_uses: AtomicU32::new(0) }
    }

    /// The record at `place`, when it is kept.
    pub(super) fn get(&self, place: Place) -> Option<Bytes> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let record = kept.records.get_mut(&place)?;
        record.is_used = true;
        Some(record.bytes.clone())
    }

    /// Counts a use of a record that is not kept; whether it is worth keeping now.
    pub(super) fn is_worth_keeping(&self, place: Place) -> bool {
        if place.len as usize > self.most_bytes / 4 {
            return false;
        }
        if self.all_uses.fetch_add(1, Ordering::Relaxed) % PERIOD == PERIOD - 1 {
            self.uses.iter().for_each(|uses| uses.store(0, Ordering::Relaxed));
        }
        let mixed = (u64::from(place.segment) << 32 | u64::from(place.unit))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let uses = &self.uses[(mixed >> 32) as usize % COUNTERS];
        let count = uses.load(Ordering::Relaxed).saturating_add(1);
        uses.store(count, Ordering::Relaxed);
        count >= HOT
    }

    /// Keeps a record, after making room for it.
    pub(super) fn keep(&self, place: Place, bytes: Bytes) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.make_room(self.most_bytes.saturating_sub(bytes.len()));
        let len = bytes.len();
        if kept.records.insert(place, Record { bytes, is_used: false }).is_none() {
            kept.bytes += len;
            kept.clock.push_back(place);
        }
    }
}

impl Kept {
    fn make_room(&mut self, most_bytes: usize) {
        while self.bytes > most_bytes
            && let Some(place) = self.clock.pop_front()
        {
            match self.records.get_mut(&place) {
                Some(record) if record.is_used => {
                    record.is_used = false;
                    self.clock.push_back(place);
                }
                _ => {
                    let gone = self.records.remove(&place);
                    self.bytes -= gone.map_or(0, |record| record.bytes.len());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(unit: u32) -> Place {
        Place { segment: 1, unit, len: 100 }
    }

    fn record(unit: u32) -> Bytes {
        Bytes::from(vec![unit as u8; 100])
    }

    #[test]
    fn a_record_is_let_in_by_repeated_use_and_never_when_it_is_too_large() {
        let hot = Hot::new(1000);
        let answers: Vec<_> = (0..4).map(|_| hot.is_worth_keeping(place(7))).collect();
        assert_eq!(answers, [false, false, true, true]);
        let large = Place { len: 251, ..place(8) };
        assert!((0..9).all(|_| !hot.is_worth_keeping(large)));
    }

    #[test]
    fn the_bound_holds_and_what_is_used_stays() {
        let hot = Hot::new(1000);
        for unit in 0..10 {
            hot.keep(place(unit), record(unit));
        }
        assert_eq!(hot.get(place(0)), Some(record(0)));
        for unit in 10..15 {
            hot.keep(place(unit), record(unit));
        }
        assert_eq!(hot.get(place(0)), Some(record(0)), "used since the hand came by");
        assert_eq!(hot.get(place(1)), None);
        assert_eq!(hot.kept.lock().unwrap().bytes, 1000);
        assert_eq!(hot.kept.lock().unwrap().records.len(), 10);
    }
}
