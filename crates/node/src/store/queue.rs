//! The queue between the callers and the writer thread, bounded in bytes.
//!
//! Callers wait for room without blocking their thread; the writer blocks until there is something
//! to do. The queue orders nothing and drops nothing.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use stoker_domain::key::Key;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    record::{Draft, HEADER},
    ticket::{Resolver, SyncSignal},
};

/// One thing that the writer is asked to do.
#[derive(Debug)]
pub(super) enum Operation {
    /// Append a record and publish it.
    Put { draft: Draft, resolver: Resolver, permit: OwnedSemaphorePermit },
    /// Give a stored response a new head.
    Refresh {
        key: Key,
        generation: u64,
        url: Bytes,
        head: Bytes,
        /// The generation at which it was confirmed upstream.
        validated: u64,
        resolver: Resolver,
    },
    /// Forget a key: all generations below this one.
    Remove { key: Key, generation: u64, resolver: Resolver },
    /// Write a purge rule down, or how far purge orders have been carried out.
    Purge { draft: Draft, resolver: Resolver },
}

impl Operation {
    fn cost(&self) -> usize {
        match self {
            Self::Put { draft, .. } | Self::Purge { draft, .. } => draft.len(),
            Self::Refresh { head, .. } => head.len(),
            Self::Remove { .. } => HEADER,
        }
    }
}

/// What the writer found in the queue.
#[derive(Debug)]
pub(super) struct Batch {
    pub operations: Vec<Operation>,
    /// Somebody waits for durability.
    pub sync_wanted: bool,
    /// The queue is closed and this was the last of it.
    pub is_last: bool,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    free: Arc<Semaphore>,
    capacity_bytes: u32,
}

#[derive(Debug, Default)]
struct State {
    operations: VecDeque<Operation>,
    sync_wanted: bool,
    is_closed: bool,
}

impl Queue {
    pub(super) fn new(capacity_bytes: u32) -> Self {
        Self {
            state: Mutex::default(),
            wake: Condvar::new(),
            free: Arc::new(Semaphore::new(capacity_bytes as usize)),
            capacity_bytes,
        }
    }

    /// Waits for room for `bytes`; `None` when the queue is closed.
    pub(super) async fn reserve(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        // What is larger than the whole queue takes all of it and goes alone, instead of never.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.capacity_bytes);
        self.free.clone().acquire_many_owned(bytes).await.ok()
    }

    /// Appends; when the queue is closed the operation is dropped, and its resolver says so.
    pub(super) fn push(&self, operation: Operation) {
        let mut state = self.lock();
        if state.is_closed {
            drop(state);
            drop(operation);
            return;
        }
        // A writer that has something to do looks again before it sleeps: only an empty queue wakes it.
        let was_empty = state.operations.is_empty();
        state.operations.push_back(operation);
        drop(state);
        if was_empty {
            self.wake.notify_one();
        }
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.free.close();
        self.wake.notify_one();
    }

    /// Blocks until there are operations, or a sync is wanted, or `deadline` has come (there is one
    /// at least when something is unsynced), or the queue is closed. Takes at least one operation when
    /// there is any, and then as many as `most` bytes allow.
    pub(super) fn take(&self, most: usize, deadline: Option<Instant>) -> Batch {
        let mut state = self.lock();
        while state.operations.is_empty() && !state.is_closed {
            let Some(deadline) = deadline else {
                // Nothing is unsynced, so there is nothing that a request for a sync could concern.
                state.sync_wanted = false;
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if state.sync_wanted || left.is_zero() {
                break;
            }
            let wait = self.wake.wait_timeout(state, left);
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut operations = Vec::with_capacity(state.operations.len().min(256));
        let mut bytes = 0;
        while let Some(next) = state.operations.front() {
            bytes += next.cost();
            // one at least, however large: otherwise it would stay for ever
            if bytes > most && !operations.is_empty() {
                break;
            }
            operations.extend(state.operations.pop_front());
        }
        let sync_wanted = state.sync_wanted;
        let is_drained = state.operations.is_empty();
        if is_drained {
            // All that is asked for so far is in this batch or before it.
            state.sync_wanted = false;
        }
        Batch { operations, sync_wanted, is_last: is_drained && state.is_closed }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SyncSignal for Queue {
    fn want_sync(&self) {
        let mut state = self.lock();
        if !state.sync_wanted {
            state.sync_wanted = true;
            drop(state);
            self.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use tokio::time::timeout;

    use super::*;
    use crate::store::{WriteError, ticket::Ticket};

    fn queue(bytes: u32) -> Arc<Queue> {
        Arc::new(Queue::new(bytes))
    }

    /// A removal of generation `generation`.
    fn remove(queue: &Arc<Queue>, generation: u64) -> Ticket {
        let (ticket, resolver) = Ticket::new(queue.clone());
        queue.push(Operation::Remove { key: Key([1; 16]), generation, resolver });
        ticket
    }

    fn generations(batch: &Batch) -> Vec<u64> {
        let of = |operation: &Operation| match operation {
            Operation::Remove { generation, .. } => *generation,
            _ => 0,
        };
        batch.operations.iter().map(of).collect()
    }

    #[test]
    fn a_batch_is_in_order_and_within_its_bytes_but_never_empty() {
        let queue = queue(100);
        let _tickets: Vec<_> = (1..=5).map(|generation| remove(&queue, generation)).collect();
        let most = 2 * HEADER;
        assert_eq!(generations(&queue.take(most, None)), [1, 2]);
        assert_eq!(generations(&queue.take(most + HEADER - 1, None)), [3, 4]);
        assert_eq!(generations(&queue.take(0, None)), [5], "one at least");
        let batch = queue.take(most, Some(Instant::now()));
        assert!(batch.operations.is_empty() && !batch.is_last, "the deadline has come");
    }

    #[test]
    fn a_wanted_sync_is_reported_until_all_before_it_is_taken() {
        let queue = queue(100);
        let _tickets: Vec<_> = (1..=2).map(|generation| remove(&queue, generation)).collect();
        queue.want_sync();
        assert!(queue.take(HEADER, None).sync_wanted);
        assert!(queue.take(HEADER, None).sync_wanted, "the second was there too");
        let now = Some(Instant::now());
        assert!(!queue.take(HEADER, now).sync_wanted, "it is asked for once");
    }

    #[test]
    fn a_sleeping_writer_is_woken_by_an_operation_a_sync_or_the_end() {
        let queue = &queue(100);
        thread::scope(|scope| {
            let taken = scope.spawn(|| queue.take(HEADER, None));
            let _ticket = remove(queue, 1);
            assert_eq!(generations(&taken.join().unwrap()), [1]);
            let late = Some(Instant::now() + Duration::from_secs(3600));
            let taken = scope.spawn(move || queue.take(HEADER, late));
            queue.want_sync();
            assert!(taken.join().unwrap().sync_wanted);
            let taken = scope.spawn(|| queue.take(HEADER, None));
            queue.close();
            assert!(taken.join().unwrap().is_last);
        });
    }

    #[tokio::test]
    async fn space_is_waited_for_and_comes_back_with_the_permit() {
        let queue = queue(100);
        let held = queue.reserve(60).await.unwrap();
        let moment = Duration::from_millis(1);
        assert!(timeout(moment, queue.reserve(60)).await.is_err());
        drop(held);
        // what is larger than all of it goes alone
        let held = queue.reserve(1000).await.unwrap();
        assert!(timeout(moment, queue.reserve(1)).await.is_err());
        drop(held);
        queue.close();
        assert!(queue.reserve(1).await.is_none());
    }

    #[tokio::test]
    async fn a_closed_queue_gives_what_is_in_it_and_takes_nothing() {
        let queue = queue(100);
        let mut inside = remove(&queue, 1);
        queue.close();
        let mut outside = remove(&queue, 2);
        assert_eq!(outside.written().await, Err(WriteError::Closed));
        let batch = queue.take(usize::MAX, None);
        assert_eq!((generations(&batch), batch.is_last), (vec![1], true));
        assert!(queue.take(usize::MAX, None).is_last);
        drop(batch);
        assert_eq!(inside.written().await, Err(WriteError::Closed), "nobody resolved it");
    }

    #[tokio::test]
    async fn a_ticket_goes_from_written_to_durable_and_asks_for_a_sync_meanwhile() {
        let queue = queue(100);
        let (mut ticket, resolver) = Ticket::new(queue.clone());
        resolver.written();
        ticket.written().await.unwrap();
        let waiting = stoker_testkit::spawn(ticket.durable());
        while !queue.lock().sync_wanted {
            tokio::task::yield_now().await;
        }
        resolver.durable();
        waiting.await.unwrap().unwrap();

        let (ticket, resolver) = Ticket::new(queue.clone());
        resolver.fail(WriteError::NoSpace);
        assert_eq!(ticket.durable().await, Err(WriteError::NoSpace));
        assert_eq!(Ticket::failed(WriteError::TooLarge).durable().await, Err(WriteError::TooLarge));
    }
}
