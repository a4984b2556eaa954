//! The state of a fill, shared by the task that drives it and by its readers.
//!
//! One lock, held for a few instructions and never across an await. Content stands in the *window*
//! from its arrival until the store can give it; readers look there first, then into the store.
//! **Invariant:** everything belongs to one *epoch*: when the representation turns out to have changed,
//! the epoch is raised and all that was known is dropped, so that generations never mix. **Invariant:**
//! a slice is *kept* (the store has it), *claimed* (kept, or a transfer brings it) or absent; kept
//! slices are not in the window.
//!
//! What the slices mean is decided elsewhere: `pull` claims and keeps them, `body` reads them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use stoker_domain::{key::Key, outcome::OriginFault, time::Timestamp};
use tokio::sync::Notify;

use super::{
    Config,
    failures::Failure,
    head::{FillHead, Filled},
    passing::PassThrough,
    slices::{MAX_SLICES, SLICE_BYTES, SliceSet, count, slice_of, start_of},
};
use crate::{
    memory::Hold,
    origin::Fault,
    request::{Intent, Priority, Request, Want},
    store::Stored,
};

/// One representation on its way.
#[derive(Debug)]
pub(super) struct Fill {
    pub(super) key: Key,
    pub(super) url: String,
    /// Wakes readers.
    pub(super) changed: Notify,
    /// Wakes the driver.
    pub(super) asked: Notify,
    pulled: AtomicU64,
    asked_at: OnceLock<Option<Timestamp>>,
    state: Mutex<State>,
}

/// All fields are of the present epoch, except readers and verdict.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) epoch: u32,
    pub(super) head: Option<Arc<FillHead>>,
    pub(super) size: Option<u64>,
    /// Where the store keeps this epoch's content.
    pub(super) generation: Option<u64>,
    /// A handle on it from before this fill, when it completes or confirms something stored.
    pub(super) stored: Option<Stored>,
    /// Slices that the store can give.
    pub(super) kept: SliceSet,
    /// Slices that are kept or on their way.
    pub(super) claimed: SliceSet,
    window: Vec<(u32, Slice)>,
    /// Content that is not kept, for the first reader alone.
    pub(super) passing: Option<PassThrough>,
    /// Why there will be no further content.
    pub(super) broken: Option<Fault>,
    /// What the store loses of this epoch can be asked for again.
    pub(super) can_resume: bool,
    /// The store takes no more: what is neither here nor there must be asked for elsewhere.
    pub(super) is_lost: bool,
    /// The store takes no more, and content is held until the slowest reader has it.
    pub(super) is_relayed: bool,
    /// No longer in the registry: nobody can join.
    pub(super) is_retired: bool,
    pub(super) verdict: Option<Arc<Filled>>,
    readers: HashMap<u64, Interest>,
    next_reader: u64,
    /// The last reader that left was background, and did so before it had what it waited for.
    is_left_by_background: bool,
}

/// What one reader is interested in.
#[derive(Clone, Copy, Debug)]
struct Interest {
    want: Want,
    is_prefetch: bool,
    /// A prefetch that reads a playlist, kept or not.
    reads_playlist: bool,
    /// Who waits for it, here or at a node behind.
    priority: Priority,
    /// The slice it reads; all before it are done with.
    position: u32,
}

impl Interest {
    fn is_viewer(&self) -> bool {
        !self.priority.is_background()
    }
}

/// A slice on its way.
#[derive(Debug, Default)]
pub(super) struct Slice {
    pub(super) chunks: Vec<Bytes>,
    pub(super) len: u64,
    /// Chunks that were joined have other numbers from then on.
    joined: u32,
    /// Its memory.
    hold: Option<Hold>,
}

/// Where a reader stands.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    pub(super) offset: u64,
    /// The chunk of the window that held the last bytes, to find the next at once.
    chunk: usize,
    /// Bytes of the slice before that chunk.
    before: u64,
    slice: u32,
    joined: u32,
}

/// What a reader gets.
#[derive(Debug)]
pub(super) enum Take {
    Chunk(Bytes),
    End,
    /// The store has it, under this generation.
    InStore(u64),
    /// Not there yet.
    Wait,
    /// This fill will not bring it.
    Lost,
    Failed(Fault),
}

impl Fill {
    pub(super) fn new(key: Key, url: String) -> Self {
        Self {
            key,
            url,
            changed: Notify::new(),
            asked: Notify::new(),
            pulled: AtomicU64::new(0),
            asked_at: OnceLock::new(),
            state: Mutex::default(),
        }
    }

    /// One that is over, as `failure` was.
    pub(super) fn failed(failure: &Failure) -> Self {
        let fill = Self::new(failure.request.key, failure.request.url());
        fill.note_asked(failure.asked_at);
        let content = (!failure.content.is_empty()).then(|| Ok(failure.content.clone()));
        let ready = content.into_iter().collect();
        *fill.state() = State {
            head: failure.head.clone().map(Arc::new),
            size: failure.head.as_ref().and_then(|head| head.size),
            passing: Some(PassThrough::over(ready)),
            broken: failure.broken.clone(),
            is_retired: true,
            verdict: Some(Arc::new(failure.filled.clone())),
            ..State::default()
        };
        fill
    }

    /// The origin has not been asked for this before this moment. Absent where nobody was asked, or
    /// only a parent, which may have answered from what it keeps.
    pub(super) fn asked_at(&self) -> Option<Timestamp> {
        self.asked_at.get().copied().flatten()
    }

    /// See [`Self::asked_at`]; the first call counts.
    pub(super) fn note_asked(&self, at: Option<Timestamp>) {
        let _ = self.asked_at.set(at);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock ended one request; what it left is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of content that came from upstream.
    pub(super) fn pulled(&self) -> u64 {
        self.pulled.load(Ordering::Relaxed)
    }

    pub(super) fn count_pulled(&self, bytes: usize) {
        self.pulled.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Appends `chunk`, whose first byte is `offset`, to its slice. It must not pass the slice's
    /// end. What the window or the store has already is left out; how many bytes were new.
    pub(super) fn append(&self, epoch: u32, offset: u64, mut chunk: Bytes) -> u64 {
        let number = slice_of(offset);
        let mut state = self.state();
        if state.epoch != epoch || state.kept.contains(number) {
            return 0;
        }
        let slice = state.slice_mut(number);
        let within = offset - start_of(number);
        // Two transfers may bring the same slice, after one was abandoned and asked for again: what
        // the faster has appended stays, and a gap is never left.
        let known = slice.len.saturating_sub(within);
        if within > slice.len || known >= chunk.len() as u64 {
            return 0;
        }
        let chunk = chunk.split_off(known as usize);
        let new = chunk.len() as u64;
        slice.push(chunk);
        drop(state);
        self.changed.notify_waiters();
        new
    }

    /// The next bytes for a reader of `epoch`, before `end`.
    pub(super) fn take(&self, reader: u64, epoch: u32, cursor: &mut Cursor, end: u64) -> Take {
        let mut state = self.state();
        if state.epoch != epoch {
            return Take::Failed(changed("it changed while it was being read"));
        }
        let end = state.size.map_or(end, |size| end.min(size));
        if cursor.offset >= end {
            return Take::End;
        }
        let number = slice_of(cursor.offset);
        if state.is_relayed && state.advance(reader, number) {
            self.asked.notify_one();
        }
        if let Some(slice) = state.slice(number)
            && let Some(chunk) = cursor.chunk_of(number, slice, end)
        {
            return Take::Chunk(chunk);
        }
        if state.kept.contains(number)
            && let Some(generation) = state.generation
        {
            return Take::InStore(generation);
        }
        if let Some(fault) = &state.broken {
            return Take::Failed(fault.clone());
        }
        let is_over = state.verdict.is_some() && !state.is_relayed;
        if state.is_lost || is_over { Take::Lost } else { Take::Wait }
    }

    /// The store cannot give slice `number` after all. Whether this fill brings it once more.
    pub(super) fn lose(&self, number: u32) -> bool {
        let mut state = self.state();
        if state.is_retired || !state.can_resume {
            return false;
        }
        if state.kept.contains(number) {
            state.kept.remove(number);
            state.claimed.remove(number);
        }
        drop(state);
        self.asked.notify_one();
        true
    }

    /// Forgets all that was known of the representation, because it is another one now.
    pub(super) fn restart(&self) {
        let mut state = self.state();
        let state = &mut *state;
        *state = State {
            epoch: state.epoch + 1,
            // Who may join and who reads is no matter of the epoch.
            is_retired: state.is_retired,
            readers: std::mem::take(&mut state.readers),
            next_reader: state.next_reader,
            is_left_by_background: state.is_left_by_background,
            ..State::default()
        };
        self.changed.notify_waiters();
    }
}

pub(super) fn changed(detail: &str) -> Fault {
    Fault::origin(OriginFault::Changed, detail)
}

impl State {
    /// A new reader; its number.
    pub(super) fn join(&mut self, request: &Request) -> u64 {
        let number = self.next_reader;
        self.next_reader += 1;
        let is_prefetch = request.intent.is_prefetch();
        let interest = Interest {
            want: request.want(),
            is_prefetch,
            reads_playlist: request.intent == Intent::PrefetchAndRead,
            priority: if is_prefetch { Priority::Background } else { request.priority },
            position: 0,
        };
        self.readers.insert(number, interest);
        number
    }

    /// A reader leaves; it may have been waiting for something.
    pub(super) fn leave(&mut self, reader: u64, is_waiting: bool) {
        if let Some(interest) = self.readers.remove(&reader) {
            self.is_left_by_background = is_waiting && !interest.is_viewer();
        }
    }

    /// Whether a prefetch was the last that wanted it, here or at a node behind, and gave up. When it
    /// changed, the nodes behind were cut off, and ask again.
    pub(super) fn is_left_by_background(&self) -> bool {
        self.readers.is_empty() && self.is_left_by_background && self.epoch == 0
    }

    /// How long what is on its way may still come; `None` while anybody reads.
    pub(super) fn linger(&self, config: &Config) -> Option<Duration> {
        let is_given_up = self.is_left_by_background();
        let time = if is_given_up { config.background_linger } else { config.linger };
        self.readers.is_empty().then_some(time)
    }

    /// The same as [`Self::is_left_by_background`], before there was a head. Later, what is on its way ends in `pull`.
    pub(super) fn is_given_up(&self) -> bool {
        self.head.is_none() && self.is_left_by_background()
    }

    /// From now on the reader wants `want`, and reads from byte `start` on.
    pub(super) fn narrow(&mut self, reader: u64, want: Want, start: u64) {
        if let Some(interest) = self.readers.get_mut(&reader) {
            interest.want = want;
            interest.position = slice_of(start);
        }
    }

    fn advance(&mut self, reader: u64, slice: u32) -> bool {
        match self.readers.get_mut(&reader) {
            Some(interest) if interest.position < slice => {
                interest.position = slice;
                true
            }
            _ => false,
        }
    }

    pub(super) fn readers(&self) -> usize {
        self.readers.len()
    }

    pub(super) fn has_readers(&self) -> bool {
        !self.readers.is_empty()
    }

    pub(super) fn has_prefetch(&self) -> bool {
        self.readers.values().any(|interest| interest.is_prefetch)
    }

    /// The first reader's want, while it is there and waits for content that is a playlist or not.
    pub(super) fn first_want(&self, is_playlist: bool) -> Option<Want> {
        let waits = |interest: &&Interest| {
            !interest.is_prefetch || (is_playlist && interest.reads_playlist)
        };
        self.readers.get(&0).filter(waits).map(|interest| interest.want)
    }

    /// What a first request should ask for: of all interests, the widest.
    pub(super) fn widest_want(&self) -> Want {
        let rank = |want: &Want| match want {
            Want::Head => 0,
            Want::Range(_) => 1,
            Want::All => 2,
        };
        self.readers.values().map(|interest| interest.want).max_by_key(rank).unwrap_or(Want::Head)
    }

    pub(super) fn has_viewer(&self) -> bool {
        self.readers.values().any(Interest::is_viewer)
    }

    /// Whether a viewer waits for any of slices `first..=last`, or for the head while there is none.
    pub(super) fn is_urgent(&self, first: u32, last: u32) -> bool {
        self.readers.values().filter(|interest| interest.is_viewer()).any(|interest| {
            match self.size {
                Some(size) => interest.want.slices(size).is_some_and(|(from, to)| {
                    from.max(interest.position).max(first) <= to.min(last)
                }),
                None => true,
            }
        })
    }

    /// Whether somebody wants slice `number` of `size` bytes.
    pub(super) fn is_wanted(&self, number: u32, size: u64) -> bool {
        self.readers.values().any(|interest| {
            interest.want.slices(size).is_some_and(|(first, last)| (first..=last).contains(&number))
        })
    }

    /// The next slices to ask for, viewers' ranges first: at most a run, all of them absent.
    pub(super) fn next_slices(&self, size: u64) -> Option<(u32, u32)> {
        let wants = |whole: bool| {
            self.readers
                .values()
                .map(|interest| interest.want)
                .filter(move |want| matches!(want, Want::All) == whole)
        };
        // Whoever wants a range waits for it; whoever wants all has time.
        wants(false).chain(wants(true)).find_map(|want| {
            let (from, to) = want.slices(size)?;
            let first = self.claimed.first_absent(from);
            if first > to {
                return None;
            }
            let most = to.min(first.saturating_add(MAX_SLICES - 1));
            let last = (first..=most).take_while(|n| !self.claimed.contains(*n)).last()?;
            Some((first, last))
        })
    }

    /// Whether every slice of the representation is in the store.
    pub(super) fn is_whole(&self) -> bool {
        self.size.is_some_and(|size| self.kept.len() == count(size))
    }

    pub(super) fn slice(&self, number: u32) -> Option<&Slice> {
        self.window.iter().find(|(n, _)| *n == number).map(|(_, slice)| slice)
    }

    /// Slice `number` of `epoch` is received with the memory of `hold`, unless it has some.
    pub(super) fn admit(&mut self, epoch: u32, number: u32, hold: Hold) {
        if self.epoch == epoch && !self.kept.contains(number) {
            self.slice_mut(number).hold.get_or_insert(hold);
        }
    }

    /// Whether slice `number` has memory, or needs none.
    pub(super) fn is_admitted(&self, number: u32) -> bool {
        self.kept.contains(number) || self.slice(number).is_some_and(|slice| slice.hold.is_some())
    }

    /// Lets go of slices that nobody is bringing and the store was not given: they are asked for
    /// again.
    pub(super) fn drop_unclaimed(&mut self) {
        let claimed = &self.claimed;
        self.window.retain(|(number, _)| claimed.contains(*number));
    }

    /// Gives back the memory of slices of which nothing came.
    pub(super) fn drop_empty(&mut self) {
        self.window.retain(|(_, slice)| slice.len > 0);
    }

    fn slice_mut(&mut self, number: u32) -> &mut Slice {
        let index = self.window.iter().position(|(n, _)| *n == number).unwrap_or_else(|| {
            self.window.push((number, Slice::default()));
            self.window.len() - 1
        });
        &mut self.window[index].1
    }

    /// The store can give slice `number`: it leaves the window.
    pub(super) fn keep(&mut self, number: u32) {
        self.kept.insert(number);
        self.claimed.insert(number);
        self.window.retain(|(n, _)| *n != number);
    }

    /// Bytes that are there, in the window or the store.
    pub(super) fn bytes_here(&self) -> u64 {
        let waiting: u64 = self.window.iter().map(|(_, slice)| slice.len).sum();
        let kept = u64::from(self.kept.len()) * SLICE_BYTES + waiting;
        self.size.map_or(kept, |size| kept.min(size))
    }

    /// In relay: lets go of what every reader has, and says how many slices are left.
    pub(super) fn trim(&mut self) -> usize {
        let demands = self.readers.values().filter(|interest| !interest.is_prefetch);
        let slowest = demands.map(|interest| interest.position).min().unwrap_or(u32::MAX);
        self.window.retain(|(number, _)| *number >= slowest);
        self.window.len()
    }

    pub(super) fn has_demand(&self) -> bool {
        self.readers.values().any(|interest| !interest.is_prefetch)
    }
}

/// Chunks of one slice, at most; more are joined.
const MAX_CHUNKS: usize = 512;
/// Chunks of this length are left as they are.
const LARGE_CHUNK: usize = 4 << 10;

impl Slice {
    fn push(&mut self, chunk: Bytes) {
        self.len += chunk.len() as u64;
        self.chunks.push(chunk);
        if self.chunks.len() >= MAX_CHUNKS {
            self.join();
        }
    }

    /// Joins chunks that are small: each costs more than its bytes, and keeps the buffer in which it
    /// came.
    fn join(&mut self) {
        let mut joined: Vec<Bytes> = Vec::with_capacity(MAX_CHUNKS);
        let mut small = BytesMut::new();
        for chunk in self.chunks.drain(..) {
            if small.is_empty() && chunk.len() >= LARGE_CHUNK {
                joined.push(chunk);
                continue;
            }
            small.extend_from_slice(&chunk);
            if small.len() >= LARGE_CHUNK {
                joined.push(small.split().freeze());
            }
        }
        joined.extend((!small.is_empty()).then(|| small.freeze()));
        self.chunks = joined;
        self.joined += 1;
    }
}

impl Cursor {
    pub(super) fn at(offset: u64) -> Self {
        Self { offset, slice: slice_of(offset), ..Self::default() }
    }

    /// The bytes at the cursor, up to `end`, when `slice` has them; moves on.
    fn chunk_of(&mut self, number: u32, slice: &Slice, end: u64) -> Option<Bytes> {
        if self.slice != number || self.joined != slice.joined {
            (self.slice, self.chunk, self.before) = (number, 0, 0);
            self.joined = slice.joined;
        }
        let within = self.offset - start_of(number);
        if within >= slice.len {
            return None;
        }
        let mut chunk = slice.chunks.get(self.chunk)?;
        while within >= self.before + chunk.len() as u64 {
            self.before += chunk.len() as u64;
            self.chunk += 1;
            chunk = slice.chunks.get(self.chunk)?;
        }
        let from = (within - self.before) as usize;
        let most = usize::try_from(end - self.offset).unwrap_or(usize::MAX);
        let to = chunk.len().min(from.saturating_add(most));
        self.offset += (to - from) as u64;
        Some(chunk.slice(from..to))
    }
}

#[cfg(test)]
mod tests;
