//! The handle through which one generation of one key is written.
//!
//! It prepares records and waits for room in the queue; whether a record is still wanted, and where
//! it goes, is decided by the writer thread.

use bytes::Bytes;
use stoker_domain::key::Key;

use super::{
    SLICE, Store, WriteError,
    queue::Operation,
    record::{Draft, Kind},
    ticket::Ticket,
};

/// Writes one generation of a stored response. Clones write the same generation.
#[derive(Clone, Debug)]
pub struct Writer {
    store: Store,
    key: Key,
    url: Bytes,
    generation: u64,
}

impl Writer {
    pub(super) fn new(store: Store, key: Key, url: Bytes, generation: u64) -> Self {
        Self { store, key, url, generation }
    }

    /// Which generation this writes; a higher one of the same key replaces a lower one.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Writes a response of at most [`SLICE`] bytes, head and content, as one record. All or
    /// nothing of it is ever seen.
    ///
    /// Returns when the queue has taken it; dropped before that, nothing is written.
    pub async fn whole(&self, head: Bytes, content: Vec<Bytes>) -> Ticket {
        let draft = Draft::new(Kind::Whole, self.identity(), self.url.clone(), head, content);
        if draft.header().content_len as u64 > SLICE {
            return Ticket::failed(WriteError::TooLarge);
        }
        self.put(draft).await
    }

    /// Announces a response that follows in slices; from now on lookups find this generation and
    /// no older one. `size` may be left open until [`Writer::complete`].
    ///
    /// Returns when the queue has taken it; dropped before that, nothing is written.
    pub async fn head(&self, head: Bytes, size: Option<u64>) -> Ticket {
        self.put_head(Kind::Head, head, size).await
    }

    /// Writes slice `number`, in any order but after [`Writer::head`]. Every slice but the last
    /// has exactly [`SLICE`] bytes.
    ///
    /// Waits while the queue is full, which is how a fast parent is slowed to the pace of the disk.
    /// Returns when the queue has taken it; dropped before that, nothing is written.
    pub async fn slice(&self, number: u32, content: Vec<Bytes>) -> Ticket {
        let len = content.iter().map(Bytes::len).sum::<usize>() as u64;
        // By where the slice ends: the size may not be known yet.
        if len > SLICE || u64::from(number) * SLICE + len > self.store.largest() {
            return Ticket::failed(WriteError::TooLarge);
        }
        let draft = Draft::new(Kind::Slice, self.identity(), Bytes::new(), Bytes::new(), content);
        self.put(draft.with_slice(number)).await
    }

    /// States that every slice was handed over, with the final head and size. A slice that failed
    /// or was evicted meanwhile still counts as missing: [`super::Stored::is_complete`] tells.
    ///
    /// Returns when the queue has taken it; dropped before that, nothing is written.
    pub async fn complete(&self, head: Bytes, size: u64) -> Ticket {
        self.put_head(Kind::Complete, head, Some(size)).await
    }

    async fn put_head(&self, kind: Kind, head: Bytes, size: Option<u64>) -> Ticket {
        if size.is_some_and(|size| size > self.store.largest()) {
            return Ticket::failed(WriteError::TooLarge);
        }
        let draft = Draft::new(kind, self.identity(), self.url.clone(), head, Vec::new());
        self.put(draft.with_size(size)).await
    }

    async fn put(&self, draft: Draft) -> Ticket {
        let shared = self.store.shared();
        if draft.len() as u64 > shared.largest_record || self.url.len() > usize::from(u16::MAX) {
            return Ticket::failed(WriteError::TooLarge);
        }
        let Some(permit) = shared.queue.reserve(draft.len()).await else {
            return Ticket::failed(WriteError::Closed);
        };
        let (ticket, resolver) = Ticket::new(shared.queue.clone());
        shared.queue.push(Operation::Put { draft, resolver, permit });
        ticket
    }

    fn identity(&self) -> (Key, u64) {
        (self.key, self.generation)
    }
}
