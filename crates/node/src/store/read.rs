//! Looking up and reading stored responses.
//!
//! What is in the page cache is read at once on the caller's thread; only what is not goes to the
//! blocking pool. Every read is verified, whoever wrote the bytes and however often they were read:
//! a short record as a whole with the lookup, a longer one block by block (`sums`), and as a whole
//! where the checksums of its blocks are not known yet. A record that fails, or that the device does
//! not give, is forgotten and counted, so the caller sees a miss and never wrong bytes. The hottest
//! records are answered from memory, where they are kept as they were verified; errors of the memory
//! are not looked for.

mod verify;

use std::{
    io::{self, ErrorKind},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use stoker_domain::{http::StoredResponse, key::Key};
use thiserror::Error;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::{
    SLICE, Shared, Store,
    footer::{Listed, read_exactly},
    head::Head,
    index::Lookup,
    pool::Buffer,
    put::Writer,
    record::{HEADER, Header, Kind, LOOKUP_BYTES, Place},
    rules::Effect,
    segment::Segment,
    sliced::Sliced,
    sums::{BLOCK, Sums},
};

pub(super) use self::verify::VERIFIERS;
pub use self::verify::Verified;

/// How much of a longer one a lookup reads first: the head, but for a long one.
const HEAD_BYTES: usize = 4 << 10;
/// How often a record is looked up again that eviction moved or removed meanwhile.
const ATTEMPTS: usize = 4;

/// Why content cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is not there: never written, evicted, or beyond the end.
    #[error("not in the cache store")]
    Missing,
    /// The checksum did not match. The damaged record was dropped.
    #[error("damaged in the cache store")]
    Corrupt,
    /// The device refused.
    #[error("cannot read from the cache disk")]
    Io(#[source] io::Error),
}

/// A stored response that a lookup found. Its head is a snapshot; which slices are there is live.
#[derive(Clone, Debug)]
pub struct Stored {
    store: Store,
    key: Key,
    generation: u64,
    url: Bytes,
    head: Head,
    /// The generation at which it was last confirmed upstream.
    validated: u64,
    is_invalidated: bool,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    /// `content` came with the lookup, verified, or is empty.
    Whole {
        at: ContentAt,
        size: u64,
        content: Bytes,
        sums: OnceLock<Sums>,
    },
    Sliced(Arc<Sliced>),
}

/// Where the content of a whole record is.
#[derive(Clone, Copy, Debug)]
struct ContentAt {
    place: Place,
    start: usize,
}

impl Stored {
    /// The key that it was found under.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Which generation of the key this is.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a purge wants it to be confirmed upstream before it is used again, however fresh it
    /// looks.
    pub fn is_invalidated(&self) -> bool {
        self.is_invalidated
    }

    /// Whether a purge has come since the lookup that removes it.
    pub fn is_purged(&self) -> bool {
        self.store.shared().rules.is_deleted((&self.url, &self.head), self.generation)
    }

    pub(super) fn validated(&self) -> u64 {
        self.validated
    }

    /// The head as it was written, or as last refreshed before the lookup.
    pub fn head(&self) -> &Bytes {
        self.head.bytes()
    }

    /// The head, decoded once for all who ask; `None` when it is none.
    pub fn response(&self) -> Option<&Arc<StoredResponse>> {
        self.head.response()
    }

    /// The same for one who goes on to change it.
    pub fn take_response(&mut self) -> Option<StoredResponse> {
        self.head.take_response()
    }

    /// Of the whole representation, in bytes; `None` while the fill does not know it yet.
    pub fn size(&self) -> Option<u64> {
        match &self.body {
            Body::Whole { size, .. } => Some(*size),
            Body::Sliced(sliced) => sliced.size(),
        }
    }

    /// Whether every byte is there.
    pub fn is_complete(&self) -> bool {
        match &self.body {
            Body::Whole { .. } => true,
            Body::Sliced(sliced) => sliced.is_complete(),
        }
    }

    /// Whether all that is there outlives a power cut.
    pub fn is_durable(&self) -> bool {
        let shared = self.store.shared();
        match &self.body {
            Body::Whole { at, .. } => {
                // Eviction may have carried it since the look-up; then its first place is gone.
                let moved = shared.index.whole_place(self.key, self.generation);
                shared.segments.is_durable(moved.unwrap_or(at.place))
            }
            Body::Sliced(sliced) => {
                sliced.places().into_iter().all(|place| shared.segments.is_durable(place))
            }
        }
    }

    /// Whether head and content are one record: all of it is there or nothing.
    pub fn is_one_record(&self) -> bool {
        matches!(self.body, Body::Whole { .. })
    }

    /// Whether slice `number` is there. A response of one record has slice 0.
    pub fn has_slice(&self, number: u32) -> bool {
        match &self.body {
            Body::Whole { .. } => number == 0,
            Body::Sliced(sliced) => sliced.has_slice(number),
        }
    }

    /// A writer for the missing slices of this generation.
    pub fn writer(&self) -> Writer {
        Writer::new(self.store.clone(), self.key, self.url.clone(), self.generation)
    }

    /// At least one byte and at most `most` from `offset` on, all from one slice. Does not wait
    /// for the disk when the bytes are in memory. Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::Missing`] also when `offset` is at or beyond the end.
    pub async fn read(&self, offset: u64, most: usize) -> Result<Bytes, ReadError> {
        let most = most.clamp(1, SLICE as usize);
        match &self.body {
            Body::Whole { at, size, content, sums } => {
                if offset >= *size {
                    return Err(ReadError::Missing);
                }
                let (from, until) = (offset as usize, (*size as usize).min(offset as usize + most));
                if !content.is_empty() {
                    return Ok(content.slice(from..until));
                }
                self.read_whole(*at, (from, until, *size as usize), sums).await
            }
            Body::Sliced(sliced) => self.read_slice(sliced, offset, most).await,
        }
    }

    pub(super) fn url(&self) -> Bytes {
        self.url.clone()
    }

    /// How long the record would be with a head of `head_len` bytes.
    pub(super) fn record_len_with(&self, head_len: usize) -> u64 {
        let content = match &self.body {
            Body::Whole { size, .. } => *size,
            Body::Sliced(_) => 0,
        };
        (HEADER + self.url.len() + head_len) as u64 + content
    }

    async fn read_whole(
        &self,
        mut at: ContentAt,
        (from, until, size): (usize, usize, usize),
        sums: &OnceLock<Sums>,
    ) -> Result<Bytes, ReadError> {
        let shared = self.store.shared();
        for _ in 0..ATTEMPTS {
            // From memory; else one block with its checksum; else all of the record, which teaches the
            // checksums of its blocks.
            let read = if let Some(record) = shared.hot.get(at.place) {
                Ok(record.slice(at.start + from..at.start + until))
            } else if let Some(sums) = sums.get()
                && !is_getting_hot(shared, at.place, from)
            {
                read_block(shared, at, (from, until, size), sums).await
            } else {
                let record = read_sound(shared, at.place, self.key, self.generation).await;
                record.map(|(header, record, known)| {
                    // Known before: the whole was read because the record is getting hot. It
                    // is copied, or a buffer of the pool would stay with it.
                    if sums.set(known).is_err() {
                        shared.hot.hold(at.place, Bytes::copy_from_slice(&record));
                    }
                    shared.index.set_sums(self.key, at.place, known);
                    let start = header.content_start();
                    record.slice(start + from..start + until)
                })
            };
            match read {
                Err(ReadError::Missing) => {}
                Err(error) => {
                    self.drop_whole(at.place);
                    return Err(error);
                }
                read => return read,
            }
            // Eviction took the segment; perhaps it carried the record forward.
            let place = shared.index.whole_place(self.key, self.generation);
            let place = place.filter(|&place| place != at.place).ok_or(ReadError::Missing)?;
            // Its head may have been refreshed, so the content may begin elsewhere in the record.
            let header = read_at(shared, place.segment, place.offset(), HEADER).await?;
            let header = Header::decode(&header, place.segment, place.offset());
            at = ContentAt { place, start: header.ok_or(ReadError::Corrupt)?.content_start() };
        }
        Err(ReadError::Missing)
    }

    async fn read_slice(
        &self,
        sliced: &Sliced,
        offset: u64,
        most: usize,
    ) -> Result<Bytes, ReadError> {
        let shared = self.store.shared();
        let number = u32::try_from(offset / SLICE).map_err(|_| ReadError::Missing)?;
        let from = (offset % SLICE) as usize;
        for _ in 0..ATTEMPTS {
            let (place, sums) = sliced.touch_slot(number).ok_or(ReadError::Missing)?;
            let size = place.len as usize - HEADER;
            if from >= size {
                return Err(ReadError::Missing);
            }
            let until = size.min(from + most);
            let read = if let Some(record) = shared.hot.get(place) {
                Ok(record.slice(HEADER + from..HEADER + until))
            } else if let Some(sums) = &sums
                && !is_getting_hot(shared, place, from)
            {
                let at = ContentAt { place, start: HEADER };
                read_block(shared, at, (from, until, size), sums).await
            } else {
                let record = read_sound(shared, place, self.key, self.generation).await;
                record.map(|(header, record, known)| {
                    // As for a whole record: known sums mean that it is getting hot.
                    if sums.is_some() {
                        shared.hot.hold(place, Bytes::copy_from_slice(&record));
                    }
                    sliced.set_slot_sums(number, place, known);
                    let start = header.content_start();
                    record.slice(start + from..start + until)
                })
            };
            match read {
                Err(ReadError::Missing) => {}
                Err(error) => {
                    self.drop_slice(sliced, number, place);
                    return Err(error);
                }
                read => return read,
            }
        }
        Err(ReadError::Missing)
    }

    fn drop_whole(&self, place: Place) {
        damaged(self.store.shared(), self.key, self.generation, Kind::Whole, 0, place);
    }

    fn drop_slice(&self, sliced: &Sliced, number: u32, place: Place) {
        // In its own table first: in the index a newer generation may have taken its place.
        sliced.clear_slot(number, place);
        damaged(self.store.shared(), self.key, self.generation, Kind::Slice, number, place);
    }
}

/// See [`Store::lookup`].
pub(super) async fn lookup(store: &Store, key: Key, url: &str) -> Option<Stored> {
    let shared = store.shared();
    for _ in 0..ATTEMPTS {
        let found = shared.index.find(key)?;
        let (place, kind, generation) = match &found {
            Lookup::Whole(whole) => (whole.place, Kind::Whole, whole.generation),
            Lookup::Sliced(sliced, head) => (head.place, Kind::Head, sliced.generation),
        };
        match open(store, key, url, found).await {
            Ok(stored) => return stored,
            Err(ReadError::Missing) => {}
            Err(error) => {
                if let ReadError::Io(error) = &error {
                    let error = error as &dyn std::error::Error;
                    warn!(error, "cannot read a stored response");
                }
                damaged(shared, key, generation, kind, 0, place);
                return None;
            }
        }
    }
    None
}

/// Reads the start of the record that was found; `None` when it was stored under another URL.
async fn open(
    store: &Store,
    key: Key,
    url: &str,
    found: Lookup,
) -> Result<Option<Stored>, ReadError> {
    let shared = store.shared();
    let (place, generation) = match &found {
        Lookup::Whole(whole) => (whole.place, whole.generation),
        Lookup::Sliced(sliced, head) => (head.place, sliced.generation),
    };
    let whole_len = place.len as usize;
    let (segment, offset) = (place.segment, place.offset());
    let hot = shared.hot.get(place);
    let is_hot = hot.is_some();
    // A held record was verified when it was let in, a read one is verified below.
    let mut record = match hot {
        Some(record) => record,
        None => {
            let len = if whole_len <= LOOKUP_BYTES { whole_len } else { HEAD_BYTES };
            read_at(shared, segment, offset, len).await?
        }
    };
    let header = decode(&record, place, key, generation)?;
    let start = header.content_start();
    if record.len() < start {
        record = read_at(shared, segment, offset, start).await?;
    }
    let is_all = record.len() == whole_len;
    if !is_hot {
        // Of a long record only URL and head are here; its blocks are verified as they are read.
        let is_sound =
            header.meta_is_sound(&record) && (!is_all || header.content_sums(&record).is_some());
        if !is_sound {
            return Err(ReadError::Corrupt);
        }
        if is_all && shared.hot.is_worth_holding(place) {
            shared.hot.hold(place, Bytes::copy_from_slice(&record));
        }
    }
    // Two URLs with one key: astronomically rare, and never mixed. Also what an earlier content epoch
    // of the domain has left.
    let stored_url = record.slice(HEADER..HEADER + header.url_len);
    if stored_url != url.as_bytes() {
        return Ok(None);
    }
    let head = Head::new(record.slice(HEADER + header.url_len..start));
    let effect = shared.rules.effect((&stored_url, &head), generation, header.validated());
    if effect == Effect::Deleted {
        // its record stays until eviction comes by, the rule keeps it from coming back
        let (kind, slice, written_s) = (header.kind, header.slice, header.written_s);
        let size = header.size;
        shared.index.forget(&Listed { kind, key, generation, size, slice, written_s, place });
        shared.notify(|observer| observer.purged(key, &stored_url));
        return Ok(None);
    }
    let body = match found {
        Lookup::Sliced(sliced, _) => Body::Sliced(sliced),
        Lookup::Whole(whole) => Body::Whole {
            at: ContentAt { place, start },
            size: header.content_len as u64,
            content: if is_all { record.slice(start..) } else { Bytes::new() },
            sums: whole.sums.map_or_else(OnceLock::new, |sums| OnceLock::from(*sums)),
        },
    };
    Ok(Some(Stored {
        store: store.clone(),
        key,
        generation,
        url: stored_url,
        head,
        validated: header.validated(),
        is_invalidated: effect == Effect::Invalidated,
        body,
    }))
}

/// Whether a read from `from` on is the one that brings its record into memory. Each reader counts
/// once, at its first read.
fn is_getting_hot(shared: &Shared, place: Place, from: usize) -> bool {
    from < LOOKUP_BYTES && shared.hot.is_worth_holding(place)
}

/// What there is of bytes `from..until` of the content of `size` bytes in the block where they
/// begin, verified.
async fn read_block(
    shared: &Shared,
    at: ContentAt,
    (from, until, size): (usize, usize, usize),
    sums: &Sums,
) -> Result<Bytes, ReadError> {
    let number = from / BLOCK;
    let (first, end) = (number * BLOCK, size.min((number + 1) * BLOCK));
    let offset = at.place.offset() + (at.start + first) as u64;
    let block = read_at(shared, at.place.segment, offset, end - first).await?;
    if !sums.is_sound(number, &block) {
        return Err(ReadError::Corrupt);
    }
    Ok(block.slice(from - first..until.min(end) - first))
}

/// The whole record at `place` and the checksums of its content, all verified.
async fn read_sound(
    shared: &Shared,
    place: Place,
    key: Key,
    generation: u64,
) -> Result<(Header, Bytes, Sums), ReadError> {
    let record = read_at(shared, place.segment, place.offset(), place.len as usize).await?;
    let header = decode(&record, place, key, generation)?;
    if !header.meta_is_sound(&record) {
        return Err(ReadError::Corrupt);
    }
    let sums = header.content_sums(&record).ok_or(ReadError::Corrupt)?;
    Ok((header, record, sums))
}

fn decode(record: &[u8], place: Place, key: Key, generation: u64) -> Result<Header, ReadError> {
    Header::decode(record, place.segment, place.offset())
        .filter(|header| header.key == key && header.generation == generation)
        .filter(|header| header.len() == place.len as usize)
        .ok_or(ReadError::Corrupt)
}

/// Forgets a record whose bytes are wrong.
fn damaged(shared: &Shared, key: Key, generation: u64, kind: Kind, slice: u32, place: Place) {
    let listed = Listed { kind, key, generation, size: None, slice, written_s: 0, place };
    shared.index.forget(&listed);
    shared.counters.corrupt.add(1);
    shared.notify(|observer| observer.damaged(key));
    warn!(segment = place.segment, offset = place.offset(), "dropped a damaged record");
}

/// Exactly `len` bytes of a segment; [`ReadError::Missing`] when the segment is gone.
async fn read_at(
    shared: &Shared,
    segment: u32,
    offset: u64,
    len: usize,
) -> Result<Bytes, ReadError> {
    let segment = shared.segments.get(segment).ok_or(ReadError::Missing)?;
    let mut buffer = shared.pool.take(len);
    let mut filled = 0;
    let outcome = loop {
        let at = offset + filled as u64;
        match segment.file.read(&mut buffer.as_mut()[filled..], at, false) {
            // Cut by eviction, or damaged: which of the two is told below.
            Ok(0) => break Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                break read_waiting(&segment, &mut buffer, filled, offset).await;
            }
            Err(error) => break Err(error),
        }
        if filled == len {
            break Ok(());
        }
    };
    // Checked after the read: until then eviction may have cut the file under it.
    if segment.is_gone() {
        return Err(ReadError::Missing);
    }
    match outcome {
        Ok(()) => Ok(buffer.into_bytes(len)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(ReadError::Corrupt),
        Err(error) => Err(ReadError::Io(error)),
    }
}

/// Fills the rest of `buffer` on the blocking pool.
async fn read_waiting(
    segment: &Arc<Segment>,
    buffer: &mut Buffer,
    filled: usize,
    offset: u64,
) -> io::Result<()> {
    let segment = segment.clone();
    // Lent, not borrowed: the reader may be dropped while the thread still writes into it.
    let mut lent = buffer.lend();
    let (lent, outcome) = spawn_blocking(move || {
        let rest = &mut lent.as_mut()[filled..];
        let outcome = read_exactly(&*segment.file, rest, offset + filled as u64);
        (lent, outcome)
    })
    .await
    .map_err(io::Error::other)?;
    *buffer = lent;
    outcome
}
