//! One connection as its listener knows it: what goes on there, and since when.
//!
//! Written by the task of the connection alone, read by the accept loop: atomics, no lock. A clock
//! is read when a request begins or ends and when somebody is waited for, never for each read and
//! write.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::time::Instant;

use crate::{Refusal, table::Shared};

/// What goes on at a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its first request is waited for.
    Waiting,
    /// Its next request is waited for.
    Idle,
    /// Content of a request is waited for.
    Content,
    /// A reply is made.
    Working,
    /// A reply is sent.
    Writing,
    /// The content of the reply is over, and may not be sent yet.
    Ended,
}

impl State {
    const ALL: [Self; 6] =
        [Self::Waiting, Self::Idle, Self::Content, Self::Working, Self::Writing, Self::Ended];
    const BITS: u32 = 3;
}

/// A state and since when, in microseconds of the table's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) state: State,
    pub(crate) since: u64,
}

/// The connection of a request. Clones are of the same one.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    /// In the order of coming.
    number: u64,
    peer: SocketAddr,
    shared: Arc<Shared>,
    /// See [`Moment`].
    moment: AtomicU64,
    /// Since when a reply is stuck; zero while it is not.
    stuck_since: AtomicU64,
    /// Content of the present request that has come, in bytes.
    content_bytes: AtomicU64,
    /// How long content of the present request was waited for, in microseconds,
    content_waited: AtomicU64,
    /// and since when it is waited for again; zero while it is not.
    content_since: AtomicU64,
    /// The caller of the present request is verified.
    is_verified: AtomicBool,
    /// The caller of some request was.
    is_known: AtomicBool,
    /// Requests that hyper has read.
    requests: AtomicU64,
    /// Which request, counted from 1, stands for one that was refused.
    refused: OnceLock<(u64, Refusal)>,
}

impl Connection {
    pub(crate) fn new(number: u64, peer: SocketAddr, shared: Arc<Shared>) -> Self {
        let moment = AtomicU64::new(pack(State::Waiting, shared.now()));
        Self(Arc::new(Inner {
            number,
            peer,
            shared,
            moment,
            stuck_since: AtomicU64::new(0),
            content_bytes: AtomicU64::new(0),
            content_waited: AtomicU64::new(0),
            content_since: AtomicU64::new(0),
            is_verified: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            refused: OnceLock::new(),
        }))
    }

    /// Who is at the other end.
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// Notes that the caller of the present request is verified: from now on the request is
    /// not cut off to take in another connection.
    pub fn verified(&self) {
        self.0.is_verified.store(true, Ordering::Relaxed);
        self.0.is_known.store(true, Ordering::Relaxed);
    }

    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    pub(crate) fn is_verified(&self) -> bool {
        self.0.is_verified.load(Ordering::Relaxed)
    }

    pub(crate) fn is_known(&self) -> bool {
        self.0.is_known.load(Ordering::Relaxed)
    }

    pub(crate) fn moment(&self) -> Moment {
        unpack(self.0.moment.load(Ordering::Relaxed))
    }

    /// Since when the client takes nothing of a reply.
    pub(crate) fn stuck_since(&self) -> Option<u64> {
        Some(self.0.stuck_since.load(Ordering::Relaxed)).filter(|since| *since != 0)
    }

    /// Bytes of content that have come, and how long they were waited for, in microseconds.
    pub(crate) fn content(&self, now: u64) -> (u64, u64) {
        let since = self.0.content_since.load(Ordering::Relaxed);
        let waits = if since == 0 { 0 } else { now.saturating_sub(since) };
        let waited = self.0.content_waited.load(Ordering::Relaxed) + waits;
        (self.0.content_bytes.load(Ordering::Relaxed), waited)
    }

    /// A request begins; why it is refused, if it stands for one that is.
    pub(crate) fn begin(&self, has_content: bool) -> Option<Refusal> {
        let inner = &self.0;
        let number = inner.requests.load(Ordering::Relaxed) + 1;
        inner.requests.store(number, Ordering::Relaxed);
        inner.is_verified.store(false, Ordering::Relaxed);
        if has_content {
            inner.content_bytes.store(0, Ordering::Relaxed);
            inner.content_waited.store(0, Ordering::Relaxed);
            inner.content_since.store(0, Ordering::Relaxed);
            self.enter(State::Content);
        } else {
            self.enter_at(State::Working, 0);
        }
        inner.refused.get().and_then(|(refused, why)| (*refused == number).then_some(*why))
    }

    /// The request of this number, counted from 1, will stand for one that is refused.
    pub(crate) fn refuse(&self, number: u64, refusal: Refusal) {
        // only the first is, nothing is read after it
        let _ = self.0.refused.set((number, refusal));
    }

    /// Content has come.
    pub(crate) fn content_came(&self, bytes: usize) {
        self.content_waits_no_more();
        let had = self.0.content_bytes.load(Ordering::Relaxed);
        self.0.content_bytes.store(had + bytes as u64, Ordering::Relaxed);
    }

    /// Content is waited for.
    pub(crate) fn content_waits(&self) {
        if self.0.content_since.load(Ordering::Relaxed) == 0 {
            self.0.content_since.store(self.0.shared.now(), Ordering::Relaxed);
        }
    }

    fn content_waits_no_more(&self) {
        let since = self.0.content_since.load(Ordering::Relaxed);
        if since != 0 {
            let waited = self.0.content_waited.load(Ordering::Relaxed);
            let now = self.0.shared.now();
            self.0.content_waited.store(waited + now.saturating_sub(since), Ordering::Relaxed);
            self.0.content_since.store(0, Ordering::Relaxed);
        }
    }

    /// All content has come.
    pub(crate) fn content_ended(&self) {
        if self.moment().state == State::Content {
            self.enter_at(State::Working, 0);
        }
    }

    /// The reply begins.
    pub(crate) fn replies(&self) {
        self.enter_at(State::Writing, 0);
    }

    /// The content of the reply is over.
    pub(crate) fn reply_ended(&self) {
        self.enter_at(State::Ended, 0);
    }

    /// Everything that was written is with the system.
    pub(crate) fn flushed(&self) {
        if self.moment().state == State::Ended {
            self.enter(State::Idle);
            self.0.shared.may_close_one();
        }
    }

    /// The client takes nothing.
    pub(crate) fn stuck(&self) {
        self.0.stuck_since.store(self.0.shared.now(), Ordering::Relaxed);
    }

    /// The client takes something again.
    pub(crate) fn moves(&self) {
        self.0.stuck_since.store(0, Ordering::Relaxed);
    }

    fn enter(&self, state: State) {
        self.enter_at(state, self.0.shared.now());
    }

    fn enter_at(&self, state: State, since: u64) {
        self.0.moment.store(pack(state, since), Ordering::Relaxed);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.0.peer).finish_non_exhaustive()
    }
}

fn pack(state: State, since: u64) -> u64 {
    since << State::BITS | state as u64
}

fn unpack(moment: u64) -> Moment {
    let state = moment & ((1 << State::BITS) - 1);
    let state = State::ALL.into_iter().find(|known| *known as u64 == state);
    Moment { state: state.unwrap_or(State::Working), since: moment >> State::BITS }
}

/// Microseconds since `epoch`, never zero.
pub(crate) fn microseconds_since(epoch: Instant) -> u64 {
    epoch.elapsed().as_micros() as u64 + 1
}
