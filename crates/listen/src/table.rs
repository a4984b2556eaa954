//! The connections of one listener: how many there may be, and which is closed for another.
//!
//! When all places are taken, in this order: calls whose content is not there and whose caller is
//! not verified, while there are more of them than [`Bounds::unverified_content`]; connections that
//! wait for a request, of an address that has more than half of all places first, the longest idle
//! first; the other calls whose content is not there and whose caller is not verified; replies of
//! which the client takes nothing. A connection on which a caller was verified (for a node: one of
//! another node) is closed last while such ones have no more than half of the places. A call that is
//! worked on is never cut; when there is nothing to close, new connections wait.
//!
//! A connection is not closed for another while its first request may be on its way ([`FRESH`]).
//! A look over all connections finds several to close, so that a crowd of new connections does not
//! pay for one each.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::{AbortHandle, Id, JoinSet},
    time::Instant,
};

use crate::{
    Bounds, Closed, Connection, Open, Refusal,
    connection::{Moment, State, microseconds_since},
    stats::Counters,
};

/// A first request may take so long to come before its connection is closed for another: in a crowd
/// that comes at once, clients whose heads were not even read would lose theirs.
pub(crate) const FRESH: Duration = Duration::from_millis(50);
/// One look over all finds one to close for so many that are open.
const LOOK: usize = 64;
/// Bits of an IPv6 address that one customer has at least.
const OWN_BITS: u128 = u64::MAX as u128;

/// What the connections of a listener share.
#[derive(Debug)]
pub(crate) struct Shared {
    epoch: Instant,
    pub(crate) counters: Counters,
    /// A new connection waits for a place.
    waits: AtomicBool,
    freed: Notify,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            counters: Counters::default(),
            waits: AtomicBool::new(false),
            freed: Notify::new(),
        }
    }

    /// Microseconds since it began, never zero.
    pub(crate) fn now(&self) -> u64 {
        microseconds_since(self.epoch)
    }

    /// A connection has become idle.
    pub(crate) fn may_close_one(&self) {
        if self.waits.load(Ordering::Relaxed) {
            self.freed.notify_one();
        }
    }

    /// A new connection waits from now on, or none does.
    pub(crate) fn wait(&self, waits: bool) {
        self.waits.store(waits, Ordering::Relaxed);
    }

    /// One may have become idle while a new connection waits. May be missed.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    pub(crate) fn refused(&self, why: Refusal) {
        self.counters.refused(why);
    }
}

/// Those that are open.
pub(crate) struct Table {
    bounds: Bounds,
    tasks: JoinSet<()>,
    open: HashMap<Id, Place>,
    addresses: HashMap<IpAddr, usize>,
    /// The address that has more than half of all places.
    heavy: Option<IpAddr>,
    /// What the last look found, the first to be closed first.
    candidates: VecDeque<Candidate>,
}

struct Place {
    task: AbortHandle,
    connection: Connection,
    address: IpAddr,
}

/// A connection that may be closed, as long as nothing has gone on there since.
#[derive(Clone, Copy)]
struct Candidate {
    rank: Rank,
    id: Id,
    moment: Moment,
}

/// The least is closed first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    class: Class,
    /// The one that has waited longest comes first; of those that began together, the first.
    since: u64,
    number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    ContentOverShare,
    IdleOfHeavyAddress,
    Idle,
    Content,
    Stuck,
    Verified,
}

impl Class {
    fn closed(self) -> Closed {
        match self {
            Self::ContentOverShare | Self::Content => Closed::Content,
            Self::IdleOfHeavyAddress | Self::Idle | Self::Verified => Closed::Idle,
            Self::Stuck => Closed::Stuck,
        }
    }
}

/// What a look has to know of all before it can judge one.
struct View {
    content_over_share: bool,
    spares_known: bool,
    now: u64,
}

impl Table {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            tasks: JoinSet::new(),
            open: HashMap::new(),
            addresses: HashMap::new(),
            heavy: None,
            candidates: VecDeque::new(),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= self.bounds.connections
    }

    /// Waits until one has ended. May be dropped at any time.
    pub(crate) async fn ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => self.forget(id),
            Some(Err(error)) => self.forget(error.id()),
            None => std::future::pending().await,
        }
    }

    /// Waits until all have ended.
    pub(crate) async fn all_ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Closes all at once.
    pub(crate) fn abort_all(&mut self) {
        self.tasks.abort_all();
    }

    /// Serves one more.
    pub(crate) fn begin(
        &mut self,
        connection: Connection,
        served: impl Future<Output = ()> + Send + 'static,
    ) {
        let address = customer(connection.peer().ip());
        let count = self.addresses.entry(address).or_default();
        *count += 1;
        if *count > self.bounds.connections / 2 {
            self.heavy = Some(address);
        }
        let task = self.tasks.spawn(served);
        self.open.insert(task.id(), Place { task, connection, address });
    }

    fn forget(&mut self, id: Id) {
        let Some(Place { address, .. }) = self.open.remove(&id) else { return };
        let Some(count) = self.addresses.get_mut(&address) else { return };
        *count -= 1;
        let count = *count;
        if count == 0 {
            self.addresses.remove(&address);
        }
        if self.heavy == Some(address) && count <= self.bounds.connections / 2 {
            self.heavy = None;
        }
    }

    /// Closes the one that has to go first, if one may.
    pub(crate) fn close_one(&mut self, shared: &Shared) -> bool {
        if !self.close_found(shared) {
            self.look(shared.now());
            return self.close_found(shared);
        }
        true
    }

    fn close_found(&mut self, shared: &Shared) -> bool {
        while let Some(candidate) = self.candidates.pop_front() {
            let Some(place) = self.open.get(&candidate.id) else { continue };
            let is_as_found = place.connection.moment() == candidate.moment
                && (candidate.rank.class != Class::Stuck
                    || place.connection.stuck_since() == Some(candidate.rank.since))
                && (candidate.rank.class.closed() != Closed::Content
                    || !place.connection.is_verified());
            if is_as_found {
                place.task.abort();
                self.forget(candidate.id);
                shared.counters.closed(candidate.rank.class.closed());
                return true;
            }
        }
        false
    }

    /// Finds those that have to go first.
    fn look(&mut self, now: u64) {
        let unverified = self.open.values().filter(|place| place.has_unverified_content()).count();
        let known = self.open.values().filter(|place| place.connection.is_known()).count();
        let view = View {
            content_over_share: unverified > self.bounds.unverified_content,
            spares_known: known <= self.bounds.connections / 2,
            now,
        };
        let mut candidates: Vec<Candidate> =
            self.open.iter().filter_map(|(id, place)| self.judge(*id, place, &view)).collect();
        let wanted = (self.bounds.connections / LOOK).max(1);
        if candidates.len() > wanted {
            candidates.select_nth_unstable_by_key(wanted, |candidate| candidate.rank);
            candidates.truncate(wanted);
        }
        candidates.sort_unstable_by_key(|candidate| candidate.rank);
        self.candidates = candidates.into();
    }

    fn judge(&self, id: Id, place: &Place, view: &View) -> Option<Candidate> {
        let connection = &place.connection;
        let moment = connection.moment();
        let is_spared = view.spares_known && connection.is_known();
        let waited = view.now.saturating_sub(moment.since);
        let (class, since) = match moment.state {
            State::Waiting if waited < FRESH.as_micros() as u64 => return None,
            State::Waiting | State::Idle if is_spared => (Class::Verified, moment.since),
            State::Waiting | State::Idle if self.heavy == Some(place.address) => {
                (Class::IdleOfHeavyAddress, moment.since)
            }
            State::Waiting | State::Idle => (Class::Idle, moment.since),
            State::Content if connection.is_verified() => return None,
            State::Content if view.content_over_share => (Class::ContentOverShare, moment.since),
            State::Content => (Class::Content, moment.since),
            State::Working | State::Writing | State::Ended => {
                let since = connection.stuck_since()?;
                let stuck = view.now.saturating_sub(since);
                if is_spared || stuck < self.bounds.stall.as_micros() as u64 {
                    return None;
                }
                (Class::Stuck, since)
            }
        };
        Some(Candidate { rank: Rank { class, since, number: connection.number() }, id, moment })
    }

    /// Counts what goes on, and closes what takes too long to send its content.
    pub(crate) fn sweep(&mut self, shared: &Shared) {
        let mut open = Open::default();
        let mut slow = Vec::new();
        let now = shared.now();
        for (id, place) in &self.open {
            let state = place.connection.moment().state;
            open.count(state);
            if state == State::Content && self.is_slow(&place.connection, now) {
                slow.push(*id);
            }
        }
        shared.counters.are_open(&open);
        for id in slow {
            if let Some(place) = self.open.get(&id) {
                place.task.abort();
                shared.counters.closed(Closed::SlowContent);
            }
            self.forget(id);
        }
    }

    fn is_slow(&self, connection: &Connection, now: u64) -> bool {
        let Bounds { content_rate, content_grace, .. } = self.bounds;
        let (bytes, waited) = connection.content(now);
        let counted = waited.saturating_sub(content_grace.as_micros() as u64);
        // in millionths of a byte
        let wanted = u128::from(content_rate) * u128::from(counted);
        u128::from(bytes) * 1_000_000 < wanted
    }
}

impl Place {
    fn has_unverified_content(&self) -> bool {
        self.connection.moment().state == State::Content && !self.connection.is_verified()
    }
}

/// The part of an address that one customer has alone.
fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !OWN_BITS).into(),
        address => address,
    }
}
