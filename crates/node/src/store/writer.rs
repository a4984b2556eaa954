//! The writer thread: turns what callers queued into groups of records.
//!
//! It never waits while there is something to write. What arrives during one write and sync forms
//! the next group, so groups grow with the load and a lone record is not delayed. A sync is done at
//! once when somebody awaits durability, and otherwise after a short delay, which spares the disk
//! when viewers' misses come one by one. Now and then it looks whether others need the disk's room.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use bytes::Bytes;
use stoker_domain::key::Key;

use super::{
    Config, Shared, WriteError,
    footer::Listed,
    index::Lookup,
    log::{GROUP_BYTES, Group, Item, Log},
    queue::Operation,
    record::{Draft, Kind},
};

/// Runs until the queue is closed and everything in it is durable or refused.
pub(super) fn run(shared: &Shared, log: Log, config: &Config) {
    // Should the thread ever panic, callers must not wait for it: a closed queue refuses them, and
    // what was queued is dropped with its resolvers.
    if catch_unwind(AssertUnwindSafe(|| drain(shared, log, config))).is_err() {
        shared.queue.close();
        while !shared.queue.take(usize::MAX, None).is_last {}
    }
}

fn drain(shared: &Shared, mut log: Log, config: &Config) {
    let flush_delay = config.flush_delay;
    let mut check_at = (config.reserve_bytes > 0).then(Instant::now);
    loop {
        if let Some(due) = check_at.filter(|due| *due <= Instant::now()) {
            log.restore_reserve(shared);
            check_at = Some(due.max(Instant::now()) + config.reserve_interval);
        }
        let flush_at = log.unsynced_since().map(|since| since + flush_delay);
        // Sleeps until the first of the two; without either, until somebody queues something.
        let deadline = flush_at.into_iter().chain(check_at).min();
        let taken = shared.queue.take(GROUP_BYTES as usize, deadline);
        log.commit(shared, taken.operations);
        let is_overdue = log.unsynced_since().is_some_and(|since| since.elapsed() >= flush_delay);
        let is_full = log.unsynced_bytes() >= GROUP_BYTES;
        if taken.sync_wanted || taken.is_last || is_overdue || is_full {
            log.sync(shared);
        }
        if taken.is_last {
            return;
        }
    }
}

impl Log {
    /// Writes and publishes `operations`, in their order.
    fn commit(&mut self, shared: &Shared, operations: Vec<Operation>) {
        let written_s = u32::try_from(self.clock.now().as_seconds()).unwrap_or(0);
        // Each operation adds one key at most.
        self.evict_for_index(shared, operations.len());
        let mut group = Group::default();
        for operation in operations {
            let (draft, resolver, permit) = match operation {
                Operation::Put { draft, resolver, permit } => (draft, resolver, Some(permit)),
                Operation::Purge { draft, resolver } => (draft, resolver, None),
                Operation::Remove { key, generation, resolver } => {
                    let none = Bytes::new();
                    let identity = (key, generation);
                    let draft =
                        Draft::new(Kind::Tombstone, identity, none.clone(), none, Vec::new());
                    (draft, resolver, None)
                }
                Operation::Refresh { key, generation, url, head, validated, resolver } => {
                    match self.refreshed(shared, (key, generation), url, head) {
                        Ok(draft) => (draft.with_validated(validated), resolver, None),
                        Err(error) => {
                            resolver.fail(error);
                            continue;
                        }
                    }
                }
            };
            let header = draft.header();
            // A rule is written even where a newer one deletes all that it does: that one may be merged
            // from many, in memory alone, and a restart has nothing but the records to merge again.
            let is_rule = matches!(header.kind, Kind::Rule | Kind::Mark);
            // Tested here, on the one thread that publishes, and not when it was queued: a purge in
            // between must win.
            let is_late = || {
                shared.index.is_superseded(header.key, header.generation)
                    || shared.rules.is_deleted((draft.url(), &draft.head()), header.generation)
            };
            if !is_rule && is_late() {
                resolver.fail(WriteError::Superseded);
                continue;
            }
            let draft = draft.with_written_s(written_s);
            self.append(
                shared,
                &mut group,
                Item { draft, resolver: Some(resolver), _permit: permit },
            );
        }
        self.write(shared, &mut group);
    }

    /// A record like the one that the generation's head stands in, with a new head. That of a
    /// whole response takes its content along: it is one record or none.
    fn refreshed(
        &self,
        shared: &Shared,
        (key, generation): (Key, u64),
        url: Bytes,
        head: Bytes,
    ) -> Result<Draft, WriteError> {
        match shared.index.find(key) {
            Some(Lookup::Sliced(sliced, at)) if sliced.generation == generation => {
                let kind = if at.is_complete { Kind::Complete } else { Kind::Head };
                Ok(Draft::new(kind, (key, generation), url, head, Vec::new()).with_size(at.size))
            }
            Some(Lookup::Whole(whole)) if whole.generation == generation => {
                let place = whole.place;
                let segment = shared.segments.get(place.segment).ok_or(WriteError::Superseded)?;
                // what eviction would need to know is not asked by `copy`
                let written_s = 0;
                let (kind, slice, size) = (Kind::Whole, 0, None);
                let listed = Listed { kind, key, generation, size, slice, written_s, place };
                let Some(old) = self.copy(shared, &segment, &listed) else {
                    shared.index.forget(&listed);
                    return Err(WriteError::Superseded);
                };
                let content = old.into_content();
                Ok(Draft::new(kind, (key, generation), url, head, content))
            }
            _ => Err(WriteError::Superseded),
        }
    }
}
