//! The log: appends records to the active segment, syncs them, and moves on to the next segment.
//!
//! # What a crash leaves
//!
//! 1. *Write.* A group of records is written behind the last one. A crash during it leaves any part
//!    of the group; recovery keeps the records before the first unsound one and cuts the rest off.
//! 2. *Publish.* The index refers to the records, tickets say "written". A crash leaves the same.
//! 3. *Sync.* One `fdatasync`. A crash before its end leaves the same.
//! 4. *Acknowledge.* Tickets say "durable". A crash from here on loses none of the group.
//!
//! Moving on to the next segment:
//!
//! 5. *Seal.* The footer is written and synced. A crash leaves no sound footer or all of it; without
//!    one the records are scanned.
//! 6. *Create.* The next file is made, its header written and synced, then the directory. A crash
//!    leaves an empty file without a sound header, which recovery removes, or a usable segment.
//! 7. *Carry.* Records worth keeping are copied out of the oldest segment, as in 1 to 4. A crash
//!    leaves some of them twice, alike; the later one counts.
//! 8. *Remove.* The oldest file is cut and unlinked, then the directory synced. A crash leaves the
//!    file, a part of it, or nothing; before 8 begins nothing in it is needed any more, and no
//!    second file is removed before the first is surely gone.
//!
//! # When the device fails
//!
//! After a failed sync nobody knows which of the bytes written before it are on the disk, and a
//! second sync that succeeds proves nothing. So the records are taken back from the index, their
//! waiters are told, and the segment is given up: cut to what was durable, and closed. The next
//! segment's header repeats that end, so that recovery ignores the rest even if the cut failed. Only
//! a crash before that header is durable may bring such a record back, whole and checksummed.

use std::{
    collections::VecDeque,
    error::Error,
    io::{self, ErrorKind},
    mem,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use stoker_domain::time::Clock;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{error, info, warn};

use super::{
    Config, Disk, Shared, WriteError,
    footer::{self, Listed, footer_len},
    index::Undo,
    lock::Lock,
    record::{ALIGN, Draft, HEADER, Place},
    segment::{SEGMENT_HEADER, Segment, SegmentHeader, file_name},
    ticket::Resolver,
    write_errors::WriteErrors,
};

/// The most bytes that one write and one sync cover.
pub(super) const GROUP_BYTES: u64 = 4 << 20;

/// The largest record of a store with segments of `segment_bytes`: one fits into a new segment
/// even after eviction has carried as much as it may into it.
pub(super) fn largest_record(segment_bytes: u64) -> u64 {
    segment_bytes / 2 - SEGMENT_HEADER - footer_len(2)
}

/// What the writer thread alone owns.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) active: Option<Active>,
    /// Number of the segment before the next one, and where its valid records end.
    pub(super) previous: Option<(u32, u64)>,
    pub(super) next_number: u32,
    pub(super) limits: Limits,
    /// Written since the last sync, oldest first.
    pub(super) pending: Pending,
    pub(super) write_errors: WriteErrors,
    pub(super) _lock: Lock,
}

/// The part of the configuration that the log obeys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub max_bytes: u64,
    pub reserve_bytes: u64,
    pub segment_bytes: u64,
    pub max_entries: usize,
    pub protection: Duration,
}

impl Limits {
    pub(super) fn new(config: &Config, segment_bytes: u64) -> Self {
        Self {
            max_bytes: config.max_bytes,
            reserve_bytes: config.reserve_bytes,
            segment_bytes,
            max_entries: config.max_entries,
            protection: config.protection,
        }
    }
}

/// The segment that is being written.
#[derive(Debug)]
pub(super) struct Active {
    pub segment: Arc<Segment>,
    /// Where the next record goes.
    pub end: u64,
    pub listed: Vec<Listed>,
}

impl Active {
    /// Whether `count` more records of `bytes` in all leave room for the footer.
    pub(super) fn fits(&self, bytes: u64, count: usize) -> bool {
        self.end + bytes + footer_len(self.listed.len() + count) <= self.segment.size()
    }
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    records: VecDeque<(Undo, Option<Resolver>)>,
    bytes: u64,
    since: Option<Instant>,
}

/// A record on its way, and who is told.
#[derive(Debug)]
pub(super) struct Item {
    pub draft: Draft,
    pub resolver: Option<Resolver>,
    /// Gives back its room in the queue when the record is written.
    pub _permit: Option<OwnedSemaphorePermit>,
}

impl Item {
    fn fail(self, error: WriteError) {
        if let Some(resolver) = self.resolver {
            resolver.fail(error);
        }
    }
}

/// Records that will be written together.
#[derive(Debug, Default)]
pub(super) struct Group {
    items: Vec<Item>,
    bytes: u64,
}

impl Group {
    pub(super) fn push(&mut self, item: Item) {
        self.bytes += padded(&item.draft);
        self.items.push(item);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}

pub(super) fn padded(draft: &Draft) -> u64 {
    (draft.len() as u64).next_multiple_of(ALIGN)
}

impl Log {
    /// Since when there have been written records that are not synced.
    pub(super) fn unsynced_since(&self) -> Option<Instant> {
        self.pending.since
    }

    pub(super) fn unsynced_bytes(&self) -> u64 {
        self.pending.bytes
    }

    /// Adds a record to `group`, after writing the group where it would grow too large or does not
    /// fit into the active segment with it.
    pub(super) fn append(&mut self, shared: &Shared, group: &mut Group, item: Item) {
        let len = padded(&item.draft);
        let fits = |active: &Active, group: &Group| active.fits(group.bytes + len, group.len() + 1);
        // Two reasons to write the group before this record joins it: it has grown large, or it would
        // no longer fit into the segment. Only if the record does not fit either after that, a new
        // segment is begun: records never cross segments.
        if group.bytes + len > GROUP_BYTES {
            self.write(shared, group);
        }
        if !self.active.as_ref().is_some_and(|active| fits(active, group)) {
            self.write(shared, group);
        }
        if !self.active.as_ref().is_some_and(|active| fits(active, group))
            && let Err(error) = self.roll(shared)
        {
            item.fail(error);
            return;
        }
        group.push(item);
    }

    /// Steps 1 and 2: writes the group and publishes its records.
    pub(super) fn write(&mut self, shared: &Shared, group: &mut Group) {
        let Group { items, .. } = mem::take(group);
        if items.is_empty() {
            return;
        }
        let Some(active) = &mut self.active else {
            items.into_iter().for_each(|item| item.fail(WriteError::Io));
            return;
        };
        let number = active.segment.number;
        let mut end = active.end;
        let mut headers: Vec<[u8; HEADER]> = Vec::with_capacity(items.len());
        let mut listed = Vec::with_capacity(items.len());
        // The first record behind a sync says so in its header: what stands before it was durable, so
        // that recovery can tell damage from what a crash left.
        let mut is_after_sync = self.pending.since.is_none();
        for item in &items {
            let header = item.draft.header();
            let place =
                Place { segment: number, unit: (end / ALIGN) as u32, len: header.len() as u32 };
            headers.push(header.encode(number, end, mem::take(&mut is_after_sync)));
            listed.push(Listed::new(header, place));
            end = place.end();
        }
        let mut parts = Vec::with_capacity(items.len() * 5);
        for (item, header) in items.iter().zip(&headers) {
            item.draft.parts(header, &mut parts);
        }
        if let Err(error) = active.segment.file.write(&mut parts, active.end) {
            self.give_up_write(shared, items, &error);
            return;
        }
        self.write_errors.clear();
        let bytes = end - active.end;
        active.end = end;
        self.pending.bytes += bytes;
        // Set before anything is published: whoever waits for durability wakes the writer by it.
        self.pending.since.get_or_insert_with(Instant::now);
        // What eviction copies is not counted as written.
        let mut own = 0;
        for (item, listed) in items.into_iter().zip(listed) {
            own += u64::from(item.resolver.is_some());
            match shared.index.publish(listed, item.draft.sums()) {
                Ok(undo) => {
                    active.listed.push(listed);
                    if let Some(resolver) = &item.resolver {
                        resolver.written();
                    }
                    self.pending.records.push_back((undo, item.resolver));
                }
                Err(_) => item.fail(WriteError::Superseded),
            }
        }
        if own > 0 {
            shared.counters.records.add(own);
            shared.counters.written_bytes.add(bytes);
        }
    }

    /// Steps 3 and 4: makes durable what was written.
    pub(super) fn sync(&mut self, shared: &Shared) {
        let Some(active) = &mut self.active else { return };
        if self.pending.since.is_none() {
            return;
        }
        // A second `fdatasync` may succeed without having written what the first one lost, so there is
        // none: everything since the last success is taken back.
        if let Err(error) = active.segment.file.sync() {
            failed(shared, "cannot sync a cache segment; it is given up", &error);
            self.withdraw(shared);
            self.give_up_segment(shared);
            return;
        }
        // Before the tickets: who was told durable finds it durable.
        active.segment.set_durable(active.end);
        shared.counters.syncs.add(1);
        // Taken whole, `since` with it: the next record is the first behind this sync.
        let pending = mem::take(&mut self.pending);
        pending
            .records
            .into_iter()
            .filter_map(|(_, resolver)| resolver)
            .for_each(Resolver::durable);
    }

    /// Steps 5 to 8: closes the active segment and begins the next.
    pub(super) fn roll(&mut self, shared: &Shared) -> Result<(), WriteError> {
        // Eviction below removes files. What it carried must not be the only copy in doubt.
        self.sync(shared);
        self.seal(shared);
        while self.lacks_space(shared) {
            // Where others fill the disk this store has one segment all the same: purges stand there too.
            if self.total(shared) == 0 {
                break;
            }
            if !self.evict_oldest(shared, false) {
                return Err(WriteError::Io);
            }
        }
        self.create_or_free_space(shared)?;
        // One segment's room is kept free, so that the next one can be made before the oldest goes.
        while self.lacks_space(shared) && self.evict_oldest(shared, true) {}
        if self.active.is_some() { Ok(()) } else { Err(WriteError::Io) }
    }

    /// Whether one more segment would pass the bound, or take room that is left to others.
    fn lacks_space(&self, shared: &Shared) -> bool {
        let incoming = self.limits.segment_bytes;
        self.total(shared) + incoming > self.limits.max_bytes || self.is_in_reserve(incoming)
    }

    /// Whether less would be left free than is to be, with `incoming` bytes more.
    fn is_in_reserve(&self, incoming: u64) -> bool {
        let reserve = self.limits.reserve_bytes;
        reserve > 0 && self.disk.free() < reserve.saturating_add(incoming)
    }

    /// Gives room back when others have filled the disk.
    pub(super) fn restore_reserve(&mut self, shared: &Shared) {
        let before = self.total(shared);
        while self.is_in_reserve(0) && self.evict_oldest(shared, true) {}
        let freed_bytes = before - self.total(shared).min(before);
        if freed_bytes > 0 {
            let reserve_bytes = self.limits.reserve_bytes;
            info!(freed_bytes, reserve_bytes, "the disk runs full: a cache gave room back");
        }
    }

    fn seal(&mut self, shared: &Shared) {
        let Some(Active { segment, end, listed }) = self.active.take() else { return };
        // Set whether or not the footer is written: the next header vouches for the records.
        self.previous = Some((segment.number, end));
        let footer = footer::encode(&listed, segment.number, end);
        let at = segment.size() - footer.len() as u64;
        let mut parts = [io::IoSlice::new(&footer)];
        let sealed = segment.file.write(&mut parts, at).and_then(|()| segment.file.sync());
        // Only a hint for the next start, which scans the records where there is no sound footer.
        if let Err(error) = sealed {
            failed(shared, "cannot write the footer of a cache segment", &error);
        }
    }

    fn create_or_free_space(&mut self, shared: &Shared) -> Result<(), WriteError> {
        let mut error = match self.create(shared) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // Somebody else fills the disk. The cache gives way, a segment at a time.
        if error.kind() == ErrorKind::StorageFull && self.evict_oldest(shared, false) {
            match self.create(shared) {
                Ok(()) => return Ok(()),
                Err(again) => error = again,
            }
        }
        shared.counters.failures.add(1);
        self.write_errors.record("cannot begin a cache segment", &error);
        Err(write_error(&error))
    }

    /// Step 6.
    fn create(&mut self, shared: &Shared) -> io::Result<()> {
        let number = self.next_number;
        let size = self.limits.segment_bytes;
        let name = file_name(number);
        let file = self.disk.create(&name, size)?;
        let header = SegmentHeader {
            number,
            size,
            generation_floor: shared.next_generation.load(Ordering::Relaxed),
            previous: self.previous,
        }
        .encode();
        let ready = file
            .write(&mut [io::IoSlice::new(&header)], 0)
            .and_then(|()| file.sync())
            .and_then(|()| self.disk.sync_names());
        if let Err(error) = ready {
            drop(file);
            if self.disk.remove(&name).is_err() {
                // The name is taken; recovery will find an empty segment under it or none.
                self.next_number += 1;
            }
            return Err(error);
        }
        // Usable from here on: the name is durable, and the header repeats where the predecessor ends.
        let segment = Arc::new(Segment::new(number, file, size, SEGMENT_HEADER));
        shared.segments.insert(segment.clone());
        self.next_number += 1;
        self.active = Some(Active { segment, end: SEGMENT_HEADER, listed: Vec::new() });
        Ok(())
    }

    /// After a failed write: what came before it may still become durable, the rest is given up.
    fn give_up_write(&mut self, shared: &Shared, items: Vec<Item>, error: &io::Error) {
        shared.counters.failures.add(1);
        self.write_errors.record("cannot write to a cache segment; it is given up", error);
        // The failed write stands behind all that was written before, which may still be synced.
        self.sync(shared);
        self.give_up_segment(shared);
        if error.kind() == ErrorKind::StorageFull {
            self.evict_oldest(shared, false);
        }
        items.into_iter().for_each(|item| item.fail(write_error(error)));
    }

    /// Takes back what was published since the last sync.
    fn withdraw(&mut self, shared: &Shared) {
        let Pending { records, .. } = mem::take(&mut self.pending);
        // Newest first, so that each undo finds what its publication had left.
        for (undo, resolver) in records.into_iter().rev() {
            shared.index.undo(undo);
            if let Some(resolver) = resolver {
                resolver.fail(WriteError::Io);
            }
        }
    }

    fn give_up_segment(&mut self, shared: &Shared) {
        let Some(Active { segment, .. }) = self.active.take() else { return };
        let durable = segment.durable();
        // Nothing in it counts: without the file there is nothing that the next header must vouch for.
        if durable <= SEGMENT_HEADER && self.remove(shared, &segment) {
            return;
        }
        self.previous = Some((segment.number, durable));
        match segment.file.cut(durable, 0) {
            Ok(()) => segment.set_size(durable),
            Err(error) => warn!(error = &error as &dyn Error, "cannot cut a given up segment"),
        }
    }

    pub(super) fn total(&self, shared: &Shared) -> u64 {
        shared.segments.totals().1
    }
}

pub(super) fn failed(shared: &Shared, what: &'static str, error: &io::Error) {
    shared.counters.failures.add(1);
    error!(error = error as &dyn Error, "{what}");
}

fn write_error(error: &io::Error) -> WriteError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => WriteError::NoSpace,
        _ => WriteError::Io,
    }
}
