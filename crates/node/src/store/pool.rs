//! Reused read buffers, so that a hit neither allocates nor zeroes one.
//!
//! A buffer is lent out as [`Bytes`] and comes back when the last slice of it is dropped. What the
//! pool holds is bounded; what is lent out is bounded by the readers.
//!
//! One lock per class, held to push or pop one pointer, a tenth of what lending a buffer costs. Stripes
//! per thread cost more than they saved when they were measured.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

/// Buffer lengths and how many of each are held: at most 26 MiB in all.
// Small records; what a look-up reads whole; one block; one slice; each with its head.
const CLASSES: [(usize, usize); 4] =
    [(8 << 10, 512), (72 << 10, 96), (264 << 10, 32), ((1 << 20) + (72 << 10), 6)];

#[derive(Debug, Default)]
pub(super) struct Pool(Arc<[Idle; CLASSES.len()]>);

/// The idle buffers of one class.
type Idle = Mutex<Vec<Box<[u8]>>>;

impl Pool {
    /// A buffer of exactly `len` bytes with arbitrary content.
    pub(super) fn take(&self, len: usize) -> Buffer {
        let class = CLASSES.iter().position(|&(size, _)| len <= size);
        let idle = class
            .and_then(|class| self.0[class].lock().unwrap_or_else(PoisonError::into_inner).pop());
        let bytes = idle.unwrap_or_else(|| {
            // As long as its class allows, for whoever takes it next.
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
    pool: Arc<[Idle; CLASSES.len()]>,
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
        let mut idle = self.pool[class].lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < CLASSES[class].1 {
            idle.push(mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    impl Pool {
        /// Idle buffers of each class.
        fn idle(&self) -> Vec<usize> {
            self.0.iter().map(|idle| idle.lock().unwrap().len()).collect()
        }
    }

    #[test]
    fn a_buffer_has_the_length_that_was_asked_for_and_comes_back_with_its_last_slice() {
        let pool = Pool::default();
        for (len, class) in [(1, 0), (8 << 10, 0), ((8 << 10) + 1, 1), (200 << 10, 2), (1 << 20, 3)]
        {
            let mut buffer = pool.take(len);
            assert_eq!(buffer.as_mut().len(), len);
            buffer.as_mut().fill(7);
            let bytes = buffer.into_bytes(len);
            assert!(bytes.len() == len && bytes.iter().all(|byte| *byte == 7));
            let slice = bytes.slice(..1);
            drop(bytes);
            let before = pool.idle()[class];
            drop(slice);
            assert_eq!(pool.idle()[class], before + 1, "{len}");
            drop(pool.take(len));
            assert_eq!(pool.idle()[class], before + 1, "{len}: it was used again");
        }
    }

    #[test]
    fn what_is_longer_than_all_classes_is_not_held() {
        let pool = Pool::default();
        drop(pool.take(2 << 20));
        assert_eq!(pool.idle(), [0; CLASSES.len()]);
    }

    #[test]
    fn a_lent_buffer_comes_back_once() {
        let pool = Pool::default();
        let mut buffer = pool.take(100);
        let lent = buffer.lend();
        assert!(buffer.as_mut().is_empty());
        drop(buffer);
        assert_eq!(pool.idle()[0], 0);
        drop(lent);
        assert_eq!(pool.idle()[0], 1);
    }

    #[test]
    fn a_thread_takes_what_another_gave_back_and_no_more_are_held_than_may_be() {
        let pool = Pool::default();
        for (class, (len, most)) in CLASSES.into_iter().enumerate() {
            let buffers: Vec<_> = (0..=most).map(|_| pool.take(len)).collect();
            thread::scope(|scope| scope.spawn(|| drop(buffers)).join().unwrap());
            assert_eq!(pool.idle()[class], most);
            let again: Vec<_> = (0..most).map(|_| pool.take(len)).collect();
            assert_eq!(pool.idle()[class], 0, "none is allocated while one is idle");
            drop(again);
        }
        let all: usize = pool.idle().iter().zip(CLASSES).map(|(count, (len, _))| count * len).sum();
        assert!(all <= 26 << 20, "{all}");
    }
}
