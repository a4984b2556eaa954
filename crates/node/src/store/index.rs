//! The index: for every key the newest generation and where its records stand.
//!
//! It is all in memory, in shards with a lock each that is held for a few instructions and never
//! during I/O. A response of one record costs 32 bytes and its key, a longer one 16 more; a sliced one has a table of its
//! own. Only the writer thread adds, so it may decide first and write afterwards; readers remove
//! what they find damaged.
//!
//! The rules by which records replace each other are here alone. Recovery replays the records
//! through the same rules, in the order in which they were written.

use std::{
    collections::{HashMap, hash_map},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use stoker_domain::key::Key;

use super::{
    footer::Listed,
    record::{Kind, LOOKUP_BYTES, Place},
    sliced::{HeadAt, Sliced, Slot},
    sums::Sums,
};

const SHARDS: usize = 64;

#[derive(Debug)]
pub(super) struct Index {
    shards: Vec<Mutex<HashMap<Key, Entry>>>,
    len: AtomicUsize,
}

#[derive(Clone, Debug)]
enum Entry {
    Whole(Whole),
    Sliced(Arc<Sliced>),
    Tombstone { generation: u64, segment: u32 },
}

#[derive(Clone, Debug)]
pub(super) struct Whole {
    pub generation: u64,
    pub place: Place,
    /// Of its content, once they are known; that of a short record is verified by its header.
    pub sums: Option<Box<Sums>>,
    /// Looked up since eviction last came by: its CLOCK bit.
    is_hot: bool,
}

/// What a lookup finds.
#[derive(Debug)]
pub(super) enum Lookup {
    Whole(Whole),
    Sliced(Arc<Sliced>, HeadAt),
}

/// The record belongs to a generation that is no longer wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Superseded;

/// What publishing a record changed, for taking it back.
#[derive(Debug)]
pub(super) struct Undo {
    listed: Listed,
    before: Before,
}

#[derive(Debug)]
enum Before {
    Entry(Option<Entry>),
    Head(Option<HeadAt>),
    Slot(Slot),
    /// The record is of no key.
    Nothing,
}

/// What eviction should do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    /// The index does not refer to it any more.
    Dead,
    /// Readable, but nobody asked for it lately.
    Cold,
    /// Asked for since eviction last came by, or others depend on it.
    Hot,
}

impl Default for Index {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, len: AtomicUsize::new(0) }
    }
}

impl Entry {
    fn generation(&self) -> u64 {
        match self {
            Self::Whole(whole) => whole.generation,
            Self::Sliced(sliced) => sliced.generation,
            Self::Tombstone { generation, .. } => *generation,
        }
    }
}

impl Index {
    /// Keys, tombstones included.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// The generation of `key` that has a head; marks it as asked for.
    pub(super) fn find(&self, key: Key) -> Option<Lookup> {
        match self.shard(key).get_mut(&key)? {
            Entry::Whole(whole) => {
                whole.is_hot = true;
                Some(Lookup::Whole(whole.clone()))
            }
            Entry::Sliced(sliced) => {
                // Slices whose head is gone are no response: nothing says of what they are.
                let head = sliced.touch_head()?;
                Some(Lookup::Sliced(sliced.clone(), head))
            }
            Entry::Tombstone { .. } => None,
        }
    }

    /// Whether publishing `listed` would succeed now.
    pub(super) fn admits(&self, listed: &Listed) -> bool {
        let shard = self.shard(listed.key);
        let existing = shard.get(&listed.key);
        match listed.kind {
            Kind::Rule | Kind::Mark => true,
            Kind::Slice => existing.is_some_and(|entry| {
                matches!(entry, Entry::Sliced(_)) && entry.generation() == listed.generation
            }),
            // Equal is admitted: a head that was refreshed, or a record that eviction carried.
            _ => existing.is_none_or(|entry| entry.generation() <= listed.generation),
        }
    }

    /// Makes a written record findable, with content of these `sums`.
    pub(super) fn publish(&self, listed: Listed, sums: Sums) -> Result<Undo, Superseded> {
        if !self.admits(&listed) {
            return Err(Superseded);
        }
        Ok(self.insert(listed, Some(sums)))
    }

    /// Like [`Index::publish`], but a slice may come before the head of its generation: eviction
    /// carries heads past their slices. [`Index::drop_headless`] ends this.
    pub(super) fn restore(&self, listed: Listed) {
        // Equal too: records come oldest first, so of two alike the later one counts.
        let is_newest = self
            .shard(listed.key)
            .get(&listed.key)
            .is_none_or(|entry| entry.generation() <= listed.generation);
        if is_newest {
            self.insert(listed, None);
        }
    }

    fn insert(&self, listed: Listed, sums: Option<Sums>) -> Undo {
        if matches!(listed.kind, Kind::Rule | Kind::Mark) {
            return Undo { listed, before: Before::Nothing };
        }
        let mut shard = self.shard(listed.key);
        let Listed { key, generation, place, .. } = listed;
        let entry = match listed.kind {
            Kind::Whole => {
                let sums = sums.filter(|_| place.len as usize > LOOKUP_BYTES).map(Box::new);
                // Not hot for having been written: a look-up must ask for it first.
                Entry::Whole(Whole { generation, place, sums, is_hot: false })
            }
            Kind::Tombstone | Kind::Rule | Kind::Mark => {
                Entry::Tombstone { generation, segment: place.segment }
            }
            Kind::Head | Kind::Complete | Kind::Slice => {
                // Head and slices of one generation meet in one table, in whatever order they come.
                if let Some(Entry::Sliced(sliced)) = shard.get(&key)
                    && sliced.generation == generation
                {
                    let before = Self::insert_part(sliced, &listed, sums);
                    return Undo { listed, before };
                }
                let sliced = Sliced::new(generation);
                Self::insert_part(&sliced, &listed, sums);
                Entry::Sliced(Arc::new(sliced))
            }
        };
        let before = shard.insert(key, entry);
        if before.is_none() {
            self.len.fetch_add(1, Ordering::Relaxed);
        }
        Undo { listed, before: Before::Entry(before) }
    }

    fn insert_part(sliced: &Sliced, listed: &Listed, sums: Option<Sums>) -> Before {
        if listed.kind == Kind::Slice {
            let slot = Slot::new(listed.place, sums);
            return Before::Slot(sliced.set_slot(listed.slice, slot));
        }
        let is_complete = listed.kind == Kind::Complete;
        let head = HeadAt { place: listed.place, size: listed.size, is_complete };
        Before::Head(sliced.set_head(Some(head)))
    }

    /// Whether a record of `generation` would come too late for its key.
    pub(super) fn is_superseded(&self, key: Key, generation: u64) -> bool {
        self.shard(key).get(&key).is_some_and(|entry| entry.generation() > generation)
    }

    /// Takes a publication back, unless something else has replaced it meanwhile. Several are to
    /// be taken back newest first.
    pub(super) fn undo(&self, undo: Undo) {
        let Undo { listed, before } = undo;
        let mut shard = self.shard(listed.key);
        // A newer generation may have replaced it between publication and undo. Then nothing is to be
        // taken back: the newer one was published on its own account.
        let is_ours = shard.get(&listed.key).is_some_and(|e| e.generation() == listed.generation);
        if !is_ours {
            return;
        }
        match (before, shard.get(&listed.key)) {
            (Before::Entry(Some(before)), _) => {
                shard.insert(listed.key, before);
            }
            (Before::Entry(None), _) => {
                shard.remove(&listed.key);
                self.len.fetch_sub(1, Ordering::Relaxed);
            }
            (Before::Head(head), Some(Entry::Sliced(sliced))) => {
                sliced.set_head(head);
            }
            (Before::Slot(slot), Some(Entry::Sliced(sliced))) => {
                sliced.set_slot(listed.slice, slot);
            }
            (Before::Head(_) | Before::Slot(_) | Before::Nothing, _) => {}
        }
    }

    /// What the record is worth to eviction; takes its CLOCK bit.
    pub(super) fn take_liveness(&self, listed: &Listed) -> Liveness {
        let mut shard = self.shard(listed.key);
        let is_hot = match shard.get_mut(&listed.key) {
            Some(Entry::Whole(whole)) if whole.place == listed.place => {
                mem::take(&mut whole.is_hot)
            }
            Some(Entry::Sliced(sliced)) if sliced.generation == listed.generation => {
                let part = match listed.kind {
                    Kind::Slice => sliced.take_slot_hot(listed.slice, listed.place),
                    _ => sliced.take_head_hot(listed.place),
                };
                let Some(is_hot) = part else { return Liveness::Dead };
                is_hot
            }
            // No older record of the key can be left when the oldest segment goes.
            Some(Entry::Tombstone { .. } | Entry::Whole(_) | Entry::Sliced(_)) | None => {
                return Liveness::Dead;
            }
        };
        if is_hot { Liveness::Hot } else { Liveness::Cold }
    }

    /// Removes what refers to the record `listed`; whether something did.
    pub(super) fn forget(&self, listed: &Listed) -> bool {
        let mut shard = self.shard(listed.key);
        let hash_map::Entry::Occupied(occupied) = shard.entry(listed.key) else { return false };
        let is_all = match occupied.get() {
            Entry::Whole(whole) => whole.place == listed.place,
            Entry::Tombstone { segment, .. } => {
                listed.kind == Kind::Tombstone && *segment == listed.place.segment
            }
            Entry::Sliced(sliced) if sliced.generation != listed.generation => false,
            Entry::Sliced(sliced) if listed.kind == Kind::Slice => {
                return sliced.clear_slot(listed.slice, listed.place);
            }
            Entry::Sliced(sliced) => sliced.head().is_some_and(|head| head.place == listed.place),
        };
        if is_all {
            occupied.remove();
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
        is_all
    }

    /// Removes everything that stands in `segment`, by looking at every key. For when the list of
    /// the segment's records is lost.
    pub(super) fn forget_segment(&self, segment: u32) {
        self.retain(|entry| match entry {
            Entry::Whole(whole) => whole.place.segment != segment,
            Entry::Tombstone { segment: at, .. } => *at != segment,
            Entry::Sliced(sliced) => {
                sliced.clear_segment(segment);
                sliced.head().is_some()
            }
        });
    }

    /// Drops generations of which only slices are left.
    pub(super) fn drop_headless(&self) {
        self.retain(|entry| match entry {
            Entry::Sliced(sliced) => sliced.head().is_some(),
            Entry::Whole(_) | Entry::Tombstone { .. } => true,
        });
    }

    /// Where the record of a whole response stands now, if it is of `generation`.
    pub(super) fn whole_place(&self, key: Key, generation: u64) -> Option<Place> {
        match self.shard(key).get(&key)? {
            Entry::Whole(whole) if whole.generation == generation => Some(whole.place),
            _ => None,
        }
    }

    /// Remembers the checksums of the whole record at `place`, which was found sound.
    pub(super) fn set_sums(&self, key: Key, place: Place, sums: Sums) {
        if let Some(Entry::Whole(whole)) = self.shard(key).get_mut(&key)
            && whole.place == place
        {
            whole.sums = Some(Box::new(sums));
        }
    }

    fn retain(&self, keep: impl Fn(&Entry) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let before = shard.len();
            shard.retain(|_, entry| keep(entry));
            self.len.fetch_sub(before - shard.len(), Ordering::Relaxed);
        }
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, HashMap<Key, Entry>> {
        // The key is a hash already; the maps inside hash again, with a secret, because viewers
        // can choose keys that look alike.
        let shard = &self.shards[usize::from(key.0[15]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
