//! Reused read buffers, so that a hit neither allocates nor zeroes one.
//!
//! A buffer is lent out as [`Bytes`] and comes back when the last slice of it is dropped. What the
//! pool keeps is bounded; what is lent out is bounded by the readers.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

/// Buffer lengths and how many of each are kept: at most 26 MiB in all.
const CLASSES: [(usize, usize); 4] =
    [(8 << 10, 512), (72 << 10, 96), (264 << 10, 32), ((1 << 20) + (72 << 10), 6)];

#[derive(Debug, Default)]
pub(super) struct Pool(Arc<[Kept; CLASSES.len()]>);

/// The idle buffers of one class.
type Kept = Mutex<Vec<Box<[u8]>>>;

impl Pool {
    /// A buffer of exactly `len` bytes with arbitrary content.
    pub(super) fn take(&self, len: usize) -> Buffer {
        let class = CLASSES.iter().position(|&(size, _)| len <= size);
        let kept = class
            .and_then(|class| self.0[class].lock().unwrap_or_else(PoisonError::into_inner).pop());
        let bytes = kept.unwrap_or_else(|| {
            vec![0; class.map_or(len, |class| CLASSES[class].0)].into_boxed_slice()
        });
        Buffer { bytes, len, class, pool: self.0.clone() }
    }
}

/// A lent buffer.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    len: usize,
    class: Option<usize>,
    pool: Arc<[Kept; CLASSES.len()]>,
}

impl Buffer {
    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// The buffer itself, for another thread; what stays here is empty until it is given back.
    pub(super) fn lend(&mut self) -> Self {
        let empty = Self { bytes: Box::default(), len: 0, class: None, pool: self.pool.clone() };
        mem::replace(self, empty)
    }

    /// The first `len` bytes; the buffer comes back when they are dropped.
    pub(super) fn into_bytes(mut self, len: usize) -> Bytes {
        self.len = self.len.min(len);
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(class) = self.class else { return };
        let mut kept = self.pool[class].lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < CLASSES[class].1 {
            kept.push(mem::take(&mut self.bytes));
        }
    }
}
