//! Pace: holds the bytes that prefetches read from an origin to what the engine grants.
//!
//! A token bucket for each host. A transfer reserves what its reply is expected to bring at once,
//! because the system takes that much before the first read; what comes beyond is debt, and is covered
//! before more is read. Time is the monotonic clock of tokio, never the wall clock: a rate must not
//! follow a clock that is set.
//!
//! One [`HostPacer`] for each domain whose origin this node reads. What is limited stands in the
//! directory; the engine grants how much of it this node may use, for about a second each time.
//! Without a grant a pacer falls to the node's equal share of the limit: it neither stops nor runs
//! free. It rises to that share only when what others were granted has ended too, so that all nodes
//! together keep to the limit while the engine is silent. Viewers' bytes never come here.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use stoker_agent::JobSource;
use stoker_domain::{
    directory::Directory,
    pace::{Bucket, Demand, Grant, LEASE},
    placement::Node,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Bytes per second that a node asks for while its transfers bring nothing.
const TRICKLE: u64 = 1 << 10;
/// How often grants are asked for.
const ROUND: Duration = Duration::from_millis(200);
/// How long a wait goes on before the rate and the viewers are looked at again.
const LOOK: Duration = Duration::from_millis(25);
/// Asked for at once at least.
const PIECE: u64 = 8 << 10;
/// What a reply is expected to bring at most before its first bytes are read; the system takes
/// about so much ahead of the reader.
pub(crate) const AHEAD: u64 = 128 << 10;

/// How much one paced connection may have on the way ahead of its reader: about what a tenth of a
/// second brings, in steps of a factor of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Window(u8);

impl Window {
    pub(crate) const ALL: [Self; 5] = [Self(0), Self(1), Self(2), Self(3), Self(4)];

    fn of(rate: u64) -> Self {
        // the system doubles what is set
        let wide = Self::ALL.iter().rev().find(|window| u64::from(window.bytes()) <= rate / 20);
        wide.copied().unwrap_or(Self(0))
    }

    /// What is set as the receive buffer of the socket.
    pub(crate) const fn bytes(self) -> u32 {
        (4 << 10) << self.0
    }
}

/// The pacers of a node, one for each host.
#[derive(Debug)]
pub(crate) struct Pacer {
    node: Arc<Node>,
    directory: watch::Receiver<Arc<Directory>>,
    // std mutexes: held for a few instructions, never across an await
    hosts: Mutex<HashMap<String, Arc<HostPacer>>>,
    /// Somebody draws: it is worth asking for a grant.
    drawn: Arc<Notify>,
}

impl Pacer {
    pub(crate) fn new(node: Arc<Node>, directory: watch::Receiver<Arc<Directory>>) -> Self {
        Self { node, directory, hosts: Mutex::default(), drawn: Arc::default() }
    }

    /// The pacer of `host`.
    pub(crate) fn host(&self, host: &str) -> Arc<HostPacer> {
        let floor = self.floor(host);
        let mut hosts = self.hosts();
        let pacer = match hosts.get(host) {
            Some(pacer) => Arc::clone(pacer),
            None => {
                let pacer = Arc::new(HostPacer::new(Arc::clone(&self.drawn)));
                hosts.insert(host.into(), Arc::clone(&pacer));
                pacer
            }
        };
        drop(hosts);
        pacer.set_floor(floor);
        pacer
    }

    /// Asks for grants while anybody draws, until `stop`.
    pub(crate) async fn run(&self, source: Arc<dyn JobSource>, stop: CancellationToken) {
        let asking = async {
            loop {
                let demands = self.demands();
                let is_idle = demands.iter().all(|demand| demand.wanted == 0);
                if !demands.is_empty() {
                    let asked = Instant::now();
                    // No longer than a grant lasts: an engine that hangs must not delay the next question.
                    let reply = timeout(ROUND * 5, source.pace(&self.node.name, demands)).await;
                    if let Ok(Ok(grants)) = reply {
                        self.take(grants, asked);
                    }
                }
                if is_idle {
                    self.drawn.notified().await;
                } else {
                    sleep(ROUND).await;
                }
            }
        };
        stop.run_until_cancelled(asking).await;
    }

    fn demands(&self) -> Vec<Demand> {
        let hosts: Vec<_> =
            self.hosts().iter().map(|(host, pacer)| (host.clone(), Arc::clone(pacer))).collect();
        let mut demands = Vec::new();
        for (host, pacer) in hosts {
            pacer.set_floor(self.floor(&host));
            demands.extend(pacer.demand(host));
        }
        demands
    }

    fn take(&self, grants: Vec<Grant>, asked: Instant) {
        for grant in grants {
            let pacer = self.hosts().get(&grant.host).cloned();
            if let (Some(pacer), Some(rate)) = (pacer, grant.bytes_per_second) {
                pacer.set_grant(rate, asked, Duration::from_millis(grant.lease_ms));
            }
        }
    }

    fn floor(&self, host: &str) -> Option<u64> {
        self.directory.borrow().floor(host, self.node.area)
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Arc<HostPacer>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What prefetches read from the origin of one domain.
#[derive(Debug)]
pub(crate) struct HostPacer {
    is_limited: AtomicBool,
    state: Mutex<State>,
    drawn: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    bucket: Bucket,
    /// All times of the bucket are since then.
    start: Instant,
    floor: Option<u64>,
    grant: Option<Granted>,
    /// The last demand was for nothing, or there was none yet: what this node
    /// might read may be granted to others.
    is_given_up: bool,
    /// What a reply is expected to bring, see [`AHEAD`].
    expected: u64,
    /// Transfers that are open.
    open: usize,
    /// Somebody waits, or has waited since the last demand.
    waiting: usize,
    was_short: bool,
    used: u64,
    /// Bytes per second of late; falls fast.
    recent: u64,
    asked_at: Instant,
    had_demand: bool,
}

/// The latest grant, and what follows from it while no other comes.
#[derive(Clone, Copy, Debug)]
struct Granted {
    rate: u64,
    /// No later than the engine takes it to be over.
    until: Instant,
    /// When all is over that the engine may have granted to others while it still counted: until
    /// then the pacer must not rise.
    free_at: Instant,
}

impl State {
    fn refresh(&mut self) -> Duration {
        let now = Instant::now();
        let floor = self.floor.unwrap_or(0);
        let rate = match self.grant {
            Some(granted) if now < granted.until => granted.rate,
            Some(granted) if now < granted.free_at => granted.rate.min(floor),
            _ => floor,
        };
        let at = now - self.start;
        if rate != self.bucket.rate() {
            self.bucket.set_rate(rate, at);
        }
        at
    }
}

impl HostPacer {
    fn new(drawn: Arc<Notify>) -> Self {
        let start = Instant::now();
        let state = State {
            bucket: Bucket::new(0, Duration::ZERO),
            start,
            floor: None,
            grant: None,
            is_given_up: true,
            expected: AHEAD,
            open: 0,
            waiting: 0,
            was_short: false,
            used: 0,
            recent: 0,
            asked_at: start,
            had_demand: false,
        };
        Self { is_limited: AtomicBool::new(false), state: Mutex::new(state), drawn }
    }

    /// Whether anything limits the domain at present. Costs one load.
    pub(crate) fn is_limited(&self) -> bool {
        self.is_limited.load(Ordering::Relaxed)
    }

    /// Reserves what one more transfer will bring at once, and waits until that is due: `asked` bytes
    /// of content, or what is usual unless they `are_there` for certain. Nothing is reserved where
    /// nothing limits the domain, or a viewer waits.
    pub(crate) async fn reserve(
        self: &Arc<Self>,
        asked: u64,
        are_there: bool,
        is_urgent: impl Fn() -> bool,
    ) -> Option<Reservation> {
        if !self.is_limited() || is_urgent() {
            return None;
        }
        let credit = if are_there { asked } else { asked.min(self.state().expected) };
        // made before the wait, so that a transfer that is given up gives the credit back
        let mut reservation = Reservation { pacer: Arc::clone(self), credit, debt: 0, came: 0 };
        self.state().open += 1;
        if !self.draw(credit, is_urgent).await {
            reservation.credit = 0;
        }
        Some(reservation)
    }

    /// How many bytes one request should ask for: so few that the origin sees an even flow, for it
    /// may hand all of them to its system at once.
    pub(crate) fn piece(&self) -> u64 {
        (self.state().bucket.rate() / 10).max(PIECE)
    }

    /// Takes `bytes` from the bucket and waits until they were due. False when a viewer came
    /// meanwhile: then they are given back, and what comes is not the prefetch's.
    async fn draw(&self, bytes: u64, is_urgent: impl Fn() -> bool) -> bool {
        let position = {
            let mut state = self.state();
            if mem::take(&mut state.is_given_up) {
                let now = Instant::now();
                // The engine may have granted this share to others, for one lease more.
                state.grant = Some(Granted { rate: 0, until: now, free_at: now + LEASE });
            }
            let at = state.refresh();
            state.used += bytes;
            state.waiting += 1;
            // Drawn before the wait, so that those who wait go in the order in which they came.
            state.bucket.draw(bytes, at)
        };
        let _waiting = Waiting(self);
        self.drawn.notify_one();
        while self.is_limited() {
            let wait = {
                let mut state = self.state();
                let at = state.refresh();
                state.bucket.wait(position, at)
            };
            if wait.is_zero() {
                return true;
            }
            if is_urgent() {
                let mut state = self.state();
                state.bucket.give_back(bytes);
                state.used = state.used.saturating_sub(bytes);
                return false;
            }
            self.state().was_short = true;
            // short, because neither a new rate nor a viewer wakes it
            sleep(wait.min(LOOK)).await;
        }
        true
    }

    fn set_floor(&self, floor: Option<u64>) {
        self.is_limited.store(floor.is_some(), Ordering::Relaxed);
        let mut state = self.state();
        if state.floor != floor {
            state.is_given_up |= state.floor.is_none();
            state.floor = floor;
            // an old grant may be above the new limit
            if let (Some(granted), Some(floor)) = (&mut state.grant, floor) {
                granted.rate = granted.rate.min(floor);
            }
            state.refresh();
        }
    }

    /// Takes up an answer to what was `asked` then. The engine has counted from some moment since.
    fn set_grant(&self, rate: u64, asked: Instant, lease: Duration) {
        let mut state = self.state();
        // From when the answer came, which is the later end: it may be long since it was asked for.
        let free_at = Instant::now() + lease + LEASE;
        state.grant = Some(Granted { rate, until: asked + lease, free_at });
        state.refresh();
    }

    /// What to tell the engine; nothing, when there was nothing to tell before either.
    fn demand(&self, host: String) -> Option<Demand> {
        if !self.is_limited() {
            return None;
        }
        let mut state = self.state();
        // Never zero, for it divides.
        let passed = state.asked_at.elapsed().max(Duration::from_millis(1));
        state.asked_at = Instant::now();
        let used = mem::take(&mut state.used);
        let was_short = mem::take(&mut state.was_short) || state.waiting > 0;
        let rate = u64::try_from(u128::from(used) * 1000 / passed.as_millis()).unwrap_or(u64::MAX);
        state.recent = rate.max(state.recent / 4);
        let wanted = match state.open {
            0 => 0,
            _ if was_short => u64::MAX,
            // room to grow, and hardly more: others may have use for it
            _ => state.recent.saturating_mul(2).max(TRICKLE),
        };
        let has_demand = wanted > 0;
        state.is_given_up |= !has_demand;
        let had_demand = mem::replace(&mut state.had_demand, has_demand);
        (has_demand || had_demand).then_some(Demand { host, wanted, used })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Waiting<'a>(&'a HostPacer);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

/// One transfer's account with its pacer.
#[derive(Debug)]
pub(crate) struct Reservation {
    pacer: Arc<HostPacer>,
    /// Drawn in advance and not used.
    credit: u64,
    /// Read and not drawn yet.
    debt: u64,
    came: u64,
}

impl Reservation {
    /// How much may be on the way ahead of the reader.
    pub(crate) fn window(&self) -> Window {
        Window::of(self.pacer.state().bucket.rate())
    }

    /// Waits until what came beyond the credit is due, before more is read.
    pub(crate) async fn cover_debt(&mut self, is_urgent: impl Fn() -> bool) {
        let debt = mem::take(&mut self.debt);
        if debt > 0 && !is_urgent() {
            self.pacer.draw(debt, is_urgent).await;
        }
    }

    /// Notes that `bytes` came: they are taken from the credit, and become debt beyond it.
    pub(crate) fn spend(&mut self, bytes: u64) {
        let free = bytes.min(self.credit);
        self.credit -= free;
        self.debt += bytes - free;
        self.came += bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.pacer.state();
        state.open -= 1;
        let at = state.refresh();
        if self.debt > 0 {
            // Without a wait: whoever draws next waits for it.
            state.bucket.draw(self.debt, at);
            state.used += self.debt;
        }
        state.bucket.give_back(self.credit);
        state.used = state.used.saturating_sub(self.credit);
        // slowly towards what is usual, so that one small response among large ones changes little
        state.expected = (state.expected * 7 + self.came.clamp(2 << 10, AHEAD)) / 8;
    }
}

#[cfg(test)]
mod tests;
