//! Eviction: the oldest segment goes, what is in use is carried into the newest.
//!
//! What is carried is bounded by half a segment and half of the records, so that every eviction
//! makes progress even when all is in use. First the heads of sliced responses of which slices are
//! left, for their slices would be lost with them; then what was read since eviction last came by;
//! then what was written just now. A slice that is not carried leaves its response incomplete, and
//! only it has to be filled again.
//!
//! What a purge rule removes is not carried, nor what it has made stale and nobody confirmed since:
//! it would outlive the rule. The rules themselves go first while they are young, for a slow fill
//! may still have to meet them. Their age is counted up to the newest record of their segment: once
//! that is a day younger than a rule, whatever a slow fill wrote after the rule goes with it or went
//! before.

use std::{collections::HashSet, error::Error};

use tracing::warn;

use super::{
    Shared,
    footer::{self, Listed, read_exactly},
    index::Liveness,
    log::{GROUP_BYTES, Group, Item, Log, padded},
    record::{Draft, Header, Kind},
    rules::{Effect, YOUNG_S},
    scan::scan,
    segment::{Segment, file_name},
};

/// Why a record is carried; in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum CarryReason {
    IsPurge,
    HasSlices,
    WasRead,
    IsNew,
}

impl Log {
    /// Removes the oldest segment but the active one, carrying forward what is worth it if `carry`.
    /// False when there is none or its file cannot be removed.
    pub(super) fn evict_oldest(&mut self, shared: &Shared, carry: bool) -> bool {
        let active = self.active.as_ref().map(|active| active.segment.number);
        let oldest = shared.segments.load().values().next().cloned();
        let Some(segment) = oldest.filter(|oldest| Some(oldest.number) != active) else {
            return false;
        };
        match list(&segment) {
            Some(listed) => {
                if carry {
                    self.carry(shared, &segment, &listed);
                }
                self.drop_old_rules(shared, &listed);
                // What was carried stands elsewhere by now, so forgetting by place leaves it alone.
                let forgotten = listed.iter().filter(|listed| shared.index.forget(listed));
                let lost = forgotten.filter(|listed| listed.kind != Kind::Tombstone);
                let mut keys: Vec<_> = lost.map(|listed| listed.key).collect();
                shared.counters.evicted.add(keys.len() as u64);
                // Neighbours alone: whoever is told of a key twice is told the same.
                keys.dedup();
                shared.notify(|observer| observer.evicted(&keys));
            }
            None => shared.index.forget_segment(segment.number),
        }
        self.remove(shared, &segment)
    }

    /// Evicts until the index can take `incoming` more keys within its bound.
    pub(super) fn evict_for_index(&mut self, shared: &Shared, incoming: usize) {
        let most = self.limits.max_entries.saturating_sub(incoming);
        while shared.index.len() > most {
            // The active segment is never evicted, so where it is the only one a new one is begun.
            let is_only = shared.segments.totals().0 <= 1;
            if is_only && self.roll(shared).is_err() || !self.evict_oldest(shared, true) {
                return;
            }
        }
    }

    /// Step 8 of the log: removes a segment that nothing refers to.
    pub(super) fn remove(&mut self, shared: &Shared, segment: &Segment) -> bool {
        // Before the file is touched: a reader that reads zeros checks this and sees a miss, not damage.
        segment.set_gone();
        let removed =
            self.disk.remove(&file_name(segment.number)).and_then(|()| self.disk.sync_names());
        match removed {
            Ok(()) => {
                shared.segments.remove(segment.number);
                true
            }
            Err(error) => {
                warn!(error = &error as &dyn Error, "cannot remove a cache segment");
                false
            }
        }
    }

    /// Step 7 of the log.
    fn carry(&mut self, shared: &Shared, segment: &Segment, listed: &[Listed]) {
        let protected_from =
            (self.clock.now() - self.limits.protection).as_seconds().try_into().unwrap_or(0u32);
        let (most, young_from) = (listed.len() / 2, young_from(listed));
        let mut candidates: Vec<(CarryReason, &Listed)> = Vec::new();
        for listed in listed {
            let is_young = listed.written_s > young_from;
            let is_mark = listed.kind == Kind::Mark && listed.size == Some(shared.rules.order());
            if listed.kind == Kind::Rule && is_young || is_mark {
                candidates.push((CarryReason::IsPurge, listed));
                continue;
            }
            // Takes the CLOCK bit also of what is not carried in the end: it must be used again.
            let liveness = shared.index.take_liveness(listed);
            let is_head = matches!(listed.kind, Kind::Head | Kind::Complete);
            let reason = match liveness {
                Liveness::Dead => continue,
                Liveness::Hot if is_head => CarryReason::HasSlices,
                Liveness::Hot => CarryReason::WasRead,
                Liveness::Cold if listed.written_s > protected_from => CarryReason::IsNew,
                Liveness::Cold => continue,
            };
            candidates.push((reason, listed));
        }
        candidates.sort_by_key(|&(reason, _)| reason);
        let (mut count, mut bytes) = (0, 0);
        let mut group = Group::default();
        // a slice does not tell where it belongs; its head comes first
        let mut purged = HashSet::new();
        for (reason, listed) in candidates {
            let response = (listed.key, listed.generation);
            // Half of them at most: where all are small and in use, something must go all the same.
            if count == most as u64 {
                break;
            }
            if purged.contains(&response) {
                continue;
            }
            let Some(draft) = self.copy(shared, segment, listed) else { continue };
            if reason != CarryReason::IsPurge && !is_kept(shared, &draft) {
                purged.insert(response);
                continue;
            }
            let len = padded(&draft);
            // Writing a full group below may have given up the segment.
            let Some(active) = &self.active else { break };
            // Leaves room for one largest record: whoever made room here still has to write one.
            let with_reserve = group.bytes() + len + shared.largest_record;
            if bytes + len > self.limits.segment_bytes / 2
                // Two entries in the footer: this record's and that of the one to come.
                || !active.fits(with_reserve, group.len() + 2)
            {
                break;
            }
            group.push(Item { draft, resolver: None, _permit: None });
            (count, bytes) = (count + 1, bytes + len);
            if group.bytes() >= GROUP_BYTES {
                self.write(shared, &mut group);
            }
        }
        // The copies are durable before the caller removes the file with the originals.
        self.write(shared, &mut group);
        self.sync(shared);
        shared.counters.carried.add(count);
        shared.counters.carried_bytes.add(bytes);
    }

    /// Ends the rules whose records go with their segment and that no fill can be older than.
    fn drop_old_rules(&self, shared: &Shared, listed: &[Listed]) {
        let young_from = young_from(listed);
        for listed in listed.iter().filter(|listed| listed.kind == Kind::Rule) {
            // The opposite of `is_young` in `carry`: a rule is carried or ends here, never both.
            if listed.written_s <= young_from {
                shared.rules.remove(listed.generation);
            }
        }
    }

    /// The record as a draft for a new place; `None` when it cannot be read or is damaged.
    pub(super) fn copy(&self, shared: &Shared, from: &Segment, listed: &Listed) -> Option<Draft> {
        let (place, mut buffer) = (listed.place, shared.pool.take(listed.place.len as usize));
        read_exactly(&*from.file, buffer.as_mut(), place.offset()).ok()?;
        let record = buffer.into_bytes(place.len as usize);
        let header = Header::decode(&record, place.segment, place.offset())
            .filter(|header| header.key == listed.key && header.generation == listed.generation)
            .filter(|header| header.len() == place.len as usize)
            .filter(|header| header.meta_is_sound(&record))
            .and_then(|header| header.content_sums(&record).map(|sums| (header, sums)));
        match header {
            Some((header, sums)) => Some(Draft::copied(header, &record, sums)),
            None => {
                shared.counters.corrupt.add(1);
                None
            }
        }
    }
}

/// What was written later, in seconds since 1970, counts as young.
fn young_from(listed: &[Listed]) -> u32 {
    let newest = listed.iter().map(|listed| listed.written_s).max();
    newest.unwrap_or(0).saturating_sub(YOUNG_S)
}

/// Whether no rule has anything against the response as it is.
fn is_kept(shared: &Shared, draft: &Draft) -> bool {
    let (head, header) = (draft.head(), draft.header());
    shared.rules.effect((draft.url(), &head), header.generation, header.validated()) == Effect::None
}

/// What stands in a closed segment; `None` when its file cannot tell.
fn list(segment: &Segment) -> Option<Vec<Listed>> {
    if segment.is_gone() {
        return None;
    }
    let by_footer = footer::read(&*segment.file, segment.number, segment.size());
    if let Ok(Some((listed, _))) = by_footer {
        return Some(listed);
    }
    // A list with a gap is none: what it leaves out would stay in the index and refer to no file.
    let scan = scan(&*segment.file, segment.number, segment.durable(), true);
    (scan.gaps == 0 && scan.end == segment.durable()).then_some(scan.listed)
}
