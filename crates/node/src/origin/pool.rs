//! Connections that wait for another request, apart for each domain, server and way of reading.
//!
//! **Invariant:** what one domain asks for never travels on a connection that another used.
//! **Invariant:** a connection is used again only after the task that drives it has found that
//! nothing follows the last reply, see [`super::stream`]. Idle connections are bounded in number, for
//! a server and for the node, and in age; beyond the bound the one that is idle for the longest is
//! closed. How many may be open at work is decided in [`super::turns`].

use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use stoker_domain::account::AccountId;
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep},
};
use tokio_util::task::TaskTracker;

use super::{
    bounds,
    connect::{ConnectError, Connector, Link, Server},
    stream::Wire,
};

/// Who may use a connection: what one owner asks for never travels on that of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// Of this account's domain of this name.
    Domain(AccountId, String),
    /// Of whatever another node is asked for: it answers for all domains.
    Parent,
}

/// Connections of one key are alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PoolKey {
    pub(super) owner: Owner,
    pub(super) server: Server,
}

/// Bounds on connections that are idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IdleBounds {
    /// To one key.
    pub(super) each: usize,
    /// In all.
    pub(super) all: usize,
    /// How long a connection is kept.
    pub(super) age: Duration,
    /// Where so many are open, at work and idle, an idle one is closed for a new one.
    pub(super) open: usize,
}

type Sender = SendRequest<Empty<Bytes>>;

/// The connections of a node. Clones are the same.
#[derive(Clone)]
pub(super) struct Pool {
    connector: Connector,
    shared: Arc<Shared>,
}

struct Shared {
    bounds: IdleBounds,
    // held for a few instructions, never across an await
    state: Mutex<State>,
    counts: Counts,
    /// The tasks that drive the connections.
    drivers: TaskTracker,
}

#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    opened: AtomicU64,
    reused: AtomicU64,
    dirty: AtomicU64,
}

#[derive(Default)]
struct State {
    places: HashMap<Arc<PoolKey>, Shelf>,
    idle: usize,
}

#[derive(Default)]
struct Shelf {
    /// The one that is idle for the longest first.
    idle: VecDeque<Idle>,
    /// Connections whose reply is over and that have not been found clean yet.
    returning: usize,
    /// Who waits for one of those; never more than there are.
    waiting: VecDeque<oneshot::Sender<(Sender, Arc<Parking>)>>,
}

struct Idle {
    sender: Sender,
    parking: Arc<Parking>,
    since: Instant,
}

/// Where a connection is between two exchanges.
#[derive(Default)]
struct Parking {
    wire: Arc<Wire>,
    // taken only under the lock of the pool
    parked: Mutex<Parked>,
}

#[derive(Default)]
enum Parked {
    #[default]
    Away,
    /// Until it is found clean.
    Here(Sender),
    /// The connection is over.
    Over,
}

/// What the pool has and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pooled {
    /// Connections that are open, at work or idle.
    pub open: usize,
    /// Connections that are idle.
    pub idle: usize,
    /// Connections opened since the start.
    pub opened: u64,
    /// Requests that were sent on a connection that had carried another.
    pub reused: u64,
    /// Connections that were closed because bytes came that nobody had asked for.
    pub dirty: u64,
}

/// A connection lent for one exchange. Dropped, it is closed.
pub(super) struct Lent {
    pub(super) sender: Sender,
    pub(super) is_reused: bool,
    parking: Arc<Parking>,
    key: Arc<PoolKey>,
    shared: Weak<Shared>,
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lent").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(connector: Connector, bounds: IdleBounds) -> Self {
        let (state, counts) = (Mutex::default(), Counts::default());
        Self {
            connector,
            shared: Arc::new(Shared { bounds, state, counts, drivers: TaskTracker::new() }),
        }
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(super) fn bounds(&self) -> IdleBounds {
        self.shared.bounds
    }

    pub(super) fn pooled(&self) -> Pooled {
        let counts = &self.shared.counts;
        Pooled {
            open: counts.open.load(Ordering::Relaxed),
            idle: self.shared.state().idle,
            opened: counts.opened.load(Ordering::Relaxed),
            reused: counts.reused.load(Ordering::Relaxed),
            dirty: counts.dirty.load(Ordering::Relaxed),
        }
    }

    /// A connection that carries nothing now: one that was used before, unless `is_new` is asked for.
    pub(super) async fn lend(
        &self,
        key: &Arc<PoolKey>,
        is_new: bool,
    ) -> Result<Lent, ConnectError> {
        loop {
            let taken = if is_new { None } else { self.shared.take(key) };
            let (sender, parking) = match taken {
                Some(Taken::Idle(idle)) => (idle.sender, idle.parking),
                Some(Taken::Soon(soon)) => match soon.await {
                    Ok(clean) => clean,
                    // it was not clean, or is closed
                    Err(_) => continue,
                },
                None => return self.open(key).await,
            };
            self.shared.counts.reused.fetch_add(1, Ordering::Relaxed);
            return Ok(self.lent(key, sender, parking, true));
        }
    }

    async fn open(&self, key: &Arc<PoolKey>) -> Result<Lent, ConnectError> {
        if self.shared.counts.open.load(Ordering::Relaxed) >= self.shared.bounds.open {
            self.shared.state().close_oldest();
        }
        let parking = Arc::<Parking>::default();
        let link = self.connector.connect(&key.server, Arc::clone(&parking.wire)).await?;
        self.shared.counts.opened.fetch_add(1, Ordering::Relaxed);
        let mut builder = Builder::new();
        bounds::set(&mut builder);
        let handshake = builder.handshake(TokioIo::new(link)).await;
        // for HTTP/1 nothing is sent or awaited here
        let (sender, connection) = handshake.map_err(|error| ConnectError::Refused {
            host: key.server.host.clone(),
            port: key.server.port,
            cause: std::io::Error::other(error),
        })?;
        self.shared.counts.open.fetch_add(1, Ordering::Relaxed);
        self.shared.drivers.spawn(Driven {
            connection,
            parking: Arc::clone(&parking),
            key: Arc::clone(key),
            shared: Arc::downgrade(&self.shared),
            expiry: None,
        });
        Ok(self.lent(key, sender, parking, false))
    }

    fn lent(
        &self,
        key: &Arc<PoolKey>,
        sender: Sender,
        parking: Arc<Parking>,
        is_reused: bool,
    ) -> Lent {
        let (key, shared) = (Arc::clone(key), Arc::downgrade(&self.shared));
        Lent { sender, is_reused, parking, key, shared }
    }
}

impl Lent {
    /// The reply has come to its end, and nobody holds its content any more.
    pub(super) fn give_back(self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut state = shared.state();
        {
            let mut parked = self.parking.parked();
            if self.sender.is_closed() || matches!(*parked, Parked::Over) {
                return;
            }
            *parked = Parked::Here(self.sender);
        }
        state.places.entry(self.key).or_default().returning += 1;
        // Unlocked first: it wakes the connection's task, which takes the lock.
        drop(state);
        self.parking.wire.end_exchange();
    }
}

/// What there is for a request that needs a connection.
enum Taken {
    Idle(Idle),
    Soon(oneshot::Receiver<(Sender, Arc<Parking>)>),
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, key: &Arc<PoolKey>) -> Option<Taken> {
        let mut state = self.state();
        let State { places, idle: all } = &mut *state;
        let shelf = places.get_mut(key)?;
        // the one that was used last: others age and go
        while let Some(idle) = shelf.idle.pop_back() {
            *all -= 1;
            // Its task may not have run yet since the server closed it or sent something.
            if idle.parking.wire.is_idle() && !idle.sender.is_closed() {
                return Some(Taken::Idle(idle));
            }
        }
        // those who have left are not waited for
        shelf.waiting.retain(|waiting| !waiting.is_closed());
        if shelf.waiting.len() < shelf.returning {
            let (sender, receiver) = oneshot::channel();
            shelf.waiting.push_back(sender);
            return Some(Taken::Soon(receiver));
        }
        state.tidy(key);
        None
    }

    /// A connection has been found clean: a waiting request gets it, or it becomes idle. Whether it did.
    fn found_clean(&self, key: &Arc<PoolKey>, parking: &Arc<Parking>) -> bool {
        let mut state = self.state();
        let parked = std::mem::take(&mut *parking.parked());
        let Parked::Here(mut sender) = parked else { return false };
        let State { places, idle: all } = &mut *state;
        let Some(shelf) = places.get_mut(key) else { return false };
        shelf.returning = shelf.returning.saturating_sub(1);
        while let Some(waiting) = shelf.waiting.pop_front() {
            match waiting.send((sender, Arc::clone(parking))) {
                Ok(()) => {
                    state.tidy(key);
                    return false;
                }
                Err((unsent, _)) => sender = unsent,
            }
        }
        let since = Instant::now();
        shelf.idle.push_back(Idle { sender, parking: Arc::clone(parking), since });
        *all += 1;
        if shelf.idle.len() > self.bounds.each {
            shelf.idle.pop_front();
            *all -= 1;
        } else if *all > self.bounds.all {
            state.close_oldest();
        }
        state.tidy(key);
        true
    }

    /// A connection is over, or is to be: nobody gets it any more. Whether it was idle or returning.
    fn forget(&self, key: &Arc<PoolKey>, parking: &Arc<Parking>, is_over: bool) -> bool {
        let mut state = self.state();
        let next = if is_over { Parked::Over } else { Parked::Away };
        let parked = match is_over {
            true => std::mem::replace(&mut *parking.parked(), next),
            false => next,
        };
        let State { places, idle: all } = &mut *state;
        let Some(shelf) = places.get_mut(key) else { return false };
        let mut is_known = false;
        if matches!(parked, Parked::Here(_)) {
            is_known = true;
            shelf.returning = shelf.returning.saturating_sub(1);
            if shelf.waiting.len() > shelf.returning {
                // who waits for it looks again
                shelf.waiting.pop_back();
            }
        }
        let before = shelf.idle.len();
        shelf.idle.retain(|idle| !Arc::ptr_eq(&idle.parking, parking));
        *all -= before - shelf.idle.len();
        is_known |= shelf.idle.len() < before;
        state.tidy(key);
        is_known
    }
}

impl State {
    /// A key without connections is forgotten.
    fn tidy(&mut self, key: &Arc<PoolKey>) {
        let is_empty = |shelf: &Shelf| {
            shelf.idle.is_empty() && shelf.returning == 0 && shelf.waiting.is_empty()
        };
        if self.places.get(key).is_some_and(is_empty) {
            self.places.remove(key);
        }
    }

    fn close_oldest(&mut self) {
        let oldest = self
            .places
            .iter()
            .filter_map(|(key, shelf)| Some((shelf.idle.front()?.since, key)))
            .min_by_key(|(since, _)| *since);
        let Some((_, key)) = oldest else { return };
        let key = Arc::clone(key);
        if let Some(shelf) = self.places.get_mut(&key) {
            shelf.idle.pop_front();
            self.idle -= 1;
        }
        self.tidy(&key);
    }
}

impl Parking {
    fn parked(&self) -> MutexGuard<'_, Parked> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.counts.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Whether bytes followed a reply: of all errors the one without a class and without a cause.
fn is_surplus(error: &hyper::Error) -> bool {
    let is_other = error.is_parse()
        || error.is_incomplete_message()
        || error.is_canceled()
        || error.is_closed()
        || error.is_timeout()
        || error.is_user();
    !is_other && error.source().is_none()
}

/// The task of one connection: reads and writes for it, and says when it can be used again.
struct Driven {
    connection: Connection<TokioIo<Link>, Empty<Bytes>>,
    parking: Arc<Parking>,
    key: Arc<PoolKey>,
    shared: Weak<Shared>,
    /// When it has been idle for too long.
    expiry: Option<Pin<Box<Sleep>>>,
}

impl Future for Driven {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let wire = &this.parking.wire;
        wire.driver.register(cx.waker());
        let polled = Pin::new(&mut this.connection).poll(cx);
        let Some(shared) = this.shared.upgrade() else { return Poll::Ready(()) };
        if let Poll::Ready(ended) = polled {
            if wire.is_dirty() || ended.as_ref().is_err_and(is_surplus) {
                shared.counts.dirty.fetch_add(1, Ordering::Relaxed);
            }
            shared.forget(&this.key, &this.parking, true);
            return Poll::Ready(());
        }
        if wire.is_idle() && shared.found_clean(&this.key, &this.parking) {
            this.expiry = Some(Box::pin(sleep(shared.bounds.age)));
        }
        let is_old = this.expiry.as_mut().is_some_and(|expiry| expiry.as_mut().poll(cx).is_ready());
        if is_old {
            this.expiry = None;
            if shared.forget(&this.key, &this.parking, false) {
                shared.forget(&this.key, &this.parking, true);
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}
