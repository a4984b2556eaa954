//! Tickets: how a caller learns what became of a write that it handed to the writer thread.
//!
//! A ticket passes through *queued*, *written* (readable) and *durable*, or fails. It never cancels
//! anything: dropping one only means that nobody listens.

use std::{
    fmt::Debug,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use super::WriteError;

/// The receipt of one write.
#[derive(Debug)]
pub struct Ticket {
    state: Arc<Mutex<State>>,
    /// Absent where the write was refused before it was queued.
    sync: Option<Arc<dyn SyncSignal>>,
}

/// How a ticket asks the writer for a sync without delay, because somebody waits for durability.
pub(super) trait SyncSignal: Send + Sync + Debug {
    /// Asks for what was written so far to be synced.
    fn want_sync(&self);
}

#[derive(Debug)]
struct State {
    progress: Progress,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Queued,
    Written,
    Durable,
    Failed(WriteError),
}

impl Ticket {
    /// Waits until the write can be read through a lookup. It may still be lost in a power cut.
    /// Cancel safe.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn written(&mut self) -> Result<(), WriteError> {
        poll_fn(|context| self.poll(context, false)).await
    }

    /// Waits until the write outlives a power cut. Cancel safe, but consumes the ticket.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn durable(self) -> Result<(), WriteError> {
        let mut is_asked = false;
        poll_fn(|context| {
            let poll = self.poll(context, true);
            // Once: each call may cost the disk a sync.
            if poll.is_pending() && !is_asked {
                is_asked = true;
                if let Some(sync) = &self.sync {
                    sync.want_sync();
                }
            }
            poll
        })
        .await
    }

    pub(super) fn new(sync: Arc<dyn SyncSignal>) -> (Self, Resolver) {
        let state = Arc::new(Mutex::new(State { progress: Progress::Queued, waker: None }));
        (Self { state: state.clone(), sync: Some(sync) }, Resolver(state))
    }

    pub(super) fn failed(error: WriteError) -> Self {
        let state = State { progress: Progress::Failed(error), waker: None };
        Self { state: Arc::new(Mutex::new(state)), sync: None }
    }

    fn poll(&self, context: &mut Context<'_>, durable: bool) -> Poll<Result<(), WriteError>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.progress {
            Progress::Failed(error) => Poll::Ready(Err(error)),
            Progress::Durable => Poll::Ready(Ok(())),
            Progress::Written if !durable => Poll::Ready(Ok(())),
            Progress::Queued | Progress::Written => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The writer's end of a ticket. Dropped unresolved, it says [`WriteError::Closed`].
#[derive(Debug)]
pub(super) struct Resolver(Arc<Mutex<State>>);

impl Resolver {
    pub(super) fn written(&self) {
        self.advance(Progress::Written);
    }

    pub(super) fn durable(self) {
        self.advance(Progress::Durable);
    }

    pub(super) fn fail(self, error: WriteError) {
        self.advance(Progress::Failed(error));
    }

    fn advance(&self, progress: Progress) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The first end counts: the drop that follows every end changes nothing.
        if matches!(state.progress, Progress::Queued | Progress::Written) {
            state.progress = progress;
        }
        let waker = state.waker.take();
        // Unlocked first: who is woken takes the lock at once.
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.advance(Progress::Failed(WriteError::Closed));
    }
}
