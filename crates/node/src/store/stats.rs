//! Counts of what the store holds and does.

use std::sync::atomic::{AtomicU64, Ordering};

use stoker_domain::job::StoreHealth;

use super::{Shared, Store};

/// What a store holds, and what it has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Keys in the index, including removed ones whose tombstone is still needed.
    pub entries: usize,
    /// Purge rules in force.
    pub purge_rules: usize,
    /// Purge rules that were merged into others since it was opened.
    pub merged_rules: u64,
    /// Segment files.
    pub segments: usize,
    /// What the segment files take on disk, in bytes; never above the bound.
    pub disk_bytes: u64,
    /// Files that are open.
    pub open_files: usize,
    /// Records written, copies by eviction not counted.
    pub records: u64,
    /// Bytes written, copies by eviction not counted.
    pub written_bytes: u64,
    /// Syncs done; `records / syncs` is how well grouping works.
    pub syncs: u64,
    /// Writes and syncs that the device refused.
    pub failures: u64,
    /// Records found damaged when they were read.
    pub corrupt: u64,
    /// Records that were there and could not be read when the store was opened.
    pub lost: u64,
    /// Segment files that cannot be used and were set aside, when it was opened or before.
    pub unreadable: u64,
    /// Records that were dropped with their segment although they could still be read.
    pub evicted: u64,
    /// Records that eviction carried forward.
    pub carried: u64,
    /// Bytes that eviction carried forward.
    pub carried_bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub records: Counter,
    pub written_bytes: Counter,
    pub syncs: Counter,
    pub failures: Counter,
    pub corrupt: Counter,
    pub lost: Counter,
    pub unreadable: Counter,
    pub evicted: Counter,
    pub carried: Counter,
    pub carried_bytes: Counter,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Store {
    /// How it is, for a person to hear of.
    pub fn health(&self) -> StoreHealth {
        let shared = self.shared();
        let stats = shared.stats();
        StoreHealth {
            held_bytes: stats.disk_bytes,
            bound_bytes: shared.max_bytes,
            // A disk that does not tell gives the largest number.
            free_bytes: Some(shared.disk.free()).filter(|&free| free != u64::MAX),
            reserve_bytes: shared.reserve_bytes,
            lost_records: stats.lost,
            damaged_records: stats.corrupt,
            unreadable_segments: stats.unreadable,
            refused_writes: stats.failures,
        }
    }
}

impl Shared {
    pub(super) fn stats(&self) -> Stats {
        let counters = &self.counters;
        let (segments, disk_bytes) = self.segments.totals();
        Stats {
            entries: self.index.len(),
            purge_rules: self.rules.len(),
            merged_rules: self.rules.merged(),
            segments,
            disk_bytes,
            open_files: self.disk.open_files(),
            records: counters.records.get(),
            written_bytes: counters.written_bytes.get(),
            syncs: counters.syncs.get(),
            failures: counters.failures.get(),
            corrupt: counters.corrupt.get(),
            lost: counters.lost.get(),
            unreadable: counters.unreadable.get(),
            evicted: counters.evicted.get(),
            carried: counters.carried.get(),
            carried_bytes: counters.carried_bytes.get(),
        }
    }
}
