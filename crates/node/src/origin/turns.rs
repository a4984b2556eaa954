//! How many requests may be on their way to each origin, who waits for a turn, and who is refused.
//!
//! Each request in flight has a connection of its own, so both are bounded here: for each domain and
//! server, and for the node as a whole. A viewer's miss waits in a short queue for a limited time;
//! the queue takes turns between paths, so that a crowd at one path costs the others nothing, and
//! when it is full the newest of the longest flow is refused. A further request of a fill that has
//! begun is never refused: a reader is receiving its content already. A prefetch waits for as long as
//! its job is wanted. Prefetches keep below the bound, and some turns are theirs where the bound is
//! not very small.
//!
//! Decides nothing about connections that are idle, see [`super::pool`].

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

/// Bounds on what a node has to do with origins and with other nodes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Requests in flight, each on a connection of its own, in all.
    pub connections: usize,
    /// Of one domain to one server of its origin.
    pub in_flight: usize,
    /// Of one domain to one parent node.
    pub parent_in_flight: usize,
    /// Viewers' misses of one domain that wait for a turn at one server.
    pub waiting: usize,
    /// How long each of those waits.
    pub patience: Duration,
    /// Connections that are kept for further requests, in all.
    pub idle: usize,
    /// Of one domain to one server, or to one parent.
    pub idle_each: usize,
    /// How long an idle connection is kept. Most origins close it after 60 s or more; the side that closes
    /// first wins a race that costs a retry.
    pub idle_age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 1024,
            in_flight: 64,
            parent_in_flight: 256,
            waiting: 128,
            patience: Duration::from_secs(10),
            idle: 256,
            idle_each: 32,
            idle_age: Duration::from_secs(30),
        }
    }
}

impl Bounds {
    fn of(&self, is_parent: bool) -> usize {
        if is_parent { self.parent_in_flight } else { self.in_flight }
    }
}

/// What prefetches may use of a bound, in quarters.
const PREFETCH_QUARTERS: usize = 3;
/// One of so many turns is a prefetch's, if one waits.
const PREFETCH_SHARE: usize = 8;

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Line {
    /// The name of the domain.
    pub(super) domain: String,
    /// One server of its origin, as `host:port`; or a parent; empty for all servers that others than
    /// the domain's operator name.
    pub(super) server: String,
    pub(super) is_parent: bool,
}

/// What a turn is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody waits; with the flow in which to wait.
    Viewer(u64),
    /// More of what is being filled.
    Further,
    /// Nobody waits.
    Prefetch,
    /// To make another request interactive that has its turn: taken at once, and counted.
    Promotion,
}

impl Purpose {
    fn is_prefetch(self) -> bool {
        self == Self::Prefetch
    }
}

/// No turn: too many wait, or it took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    TooLong,
}

/// All lines of a node. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: Bounds,
    // held for a few instructions, never across an await
    state: Mutex<State>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    lines: HashMap<Arc<Line>, Queue>,
    /// The lines in which a request waits, in the order in which they are looked at.
    rotation: VecDeque<Arc<Line>>,
    in_flight: usize,
    prefetches: usize,
    next: u64,
}

#[derive(Debug, Default)]
struct Queue {
    in_flight: usize,
    prefetches: usize,
    further: VecDeque<Waiter>,
    flows: Flows,
    background: VecDeque<Waiter>,
}

/// Viewers who wait, in flows that take turns.
#[derive(Debug, Default)]
struct Flows {
    by_flow: HashMap<u64, VecDeque<Waiter>>,
    order: VecDeque<u64>,
    waiting: usize,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    grant: oneshot::Sender<Turn>,
}

/// Leave to have one request in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Turns,
    line: Arc<Line>,
    is_prefetch: bool,
}

/// How many requests are on their way and wait, and how many were refused since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Requests on their way to origins and parents.
    pub requests: usize,
    /// Of these, prefetches.
    pub prefetches: usize,
    /// Viewers' requests that wait for a turn.
    pub viewers_waiting: usize,
    /// Prefetches that wait for a turn.
    pub prefetches_waiting: usize,
    /// Viewers' requests that got no turn.
    pub refused: u64,
}

impl Turns {
    pub(super) fn new(bounds: Bounds) -> Self {
        let (state, refused) = (Mutex::default(), AtomicU64::new(0));
        Self(Arc::new(Inner { bounds, state, refused }))
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.0.bounds
    }

    pub(super) fn in_flight(&self) -> InFlight {
        let state = self.state();
        let mut counts = InFlight {
            requests: state.in_flight,
            prefetches: state.prefetches,
            refused: self.0.refused.load(Ordering::Relaxed),
            ..InFlight::default()
        };
        for queue in state.lines.values() {
            counts.viewers_waiting += queue.flows.waiting + queue.further.len();
            counts.prefetches_waiting += queue.background.len();
        }
        counts
    }

    /// Waits for a turn in `line`. Cancel safe: dropped, it leaves the queue.
    pub(super) async fn acquire(
        &self,
        line: &Arc<Line>,
        purpose: Purpose,
    ) -> Result<Turn, Refused> {
        let (number, mut granted) = match self.begin(line, purpose) {
            Admission::Turn(turn) => return Ok(turn),
            Admission::Refused => return Err(self.refuse(Refused::Full)),
            Admission::Waits(number, granted) => (number, granted),
        };
        let _place = Waiting { turns: self, line, purpose, number };
        if !matches!(purpose, Purpose::Viewer(_)) {
            // the sender goes only with a grant
            return granted.await.map_err(|_| Refused::Full);
        }
        match timeout(self.0.bounds.patience, &mut granted).await {
            Ok(Ok(turn)) => Ok(turn),
            // a request of a shorter flow took the place
            Ok(Err(_)) => Err(self.refuse(Refused::Full)),
            Err(_) => Err(self.refuse(Refused::TooLong)),
        }
    }

    fn refuse(&self, refused: Refused) -> Refused {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        refused
    }

    fn begin(&self, line: &Arc<Line>, purpose: Purpose) -> Admission {
        let mut state = self.state();
        let bounds = &self.0.bounds;
        // Nobody waits for what is free: each turn that ends is handed on at once.
        if purpose == Purpose::Promotion || state.has_room(bounds, line, purpose.is_prefetch()) {
            state.count(line, purpose.is_prefetch());
            drop(state);
            return Admission::Turn(self.turn(line, purpose.is_prefetch()));
        }
        state.next += 1;
        let number = state.next;
        let (grant, granted) = oneshot::channel();
        let waiter = Waiter { number, grant };
        let queue = state.lines.entry(Arc::clone(line)).or_default();
        let was_empty = queue.is_empty();
        let is_taken = match purpose {
            Purpose::Viewer(flow) => queue.flows.push(flow, waiter, bounds.waiting),
            Purpose::Prefetch => {
                queue.background.push_back(waiter);
                true
            }
            Purpose::Further | Purpose::Promotion => {
                queue.further.push_back(waiter);
                true
            }
        };
        if !is_taken {
            state.tidy(line);
            return Admission::Refused;
        }
        if was_empty {
            state.rotation.push_back(Arc::clone(line));
        }
        Admission::Waits(number, granted)
    }

    fn turn(&self, line: &Arc<Line>, is_prefetch: bool) -> Turn {
        Turn { turns: self.clone(), line: Arc::clone(line), is_prefetch }
    }

    /// Gives what is free to those who wait.
    fn hand_out(&self, mut state: MutexGuard<'_, State>) {
        let mut granted = Vec::new();
        while let Some((line, waiter, is_prefetch)) = state.next_waiter(&self.0.bounds) {
            state.count(&line, is_prefetch);
            granted.push((self.turn(&line, is_prefetch), waiter));
        }
        // Unlocked first: a turn that nobody takes is dropped below, and that takes the lock.
        drop(state);
        for (turn, waiter) in granted {
            // who has left gives it back at once
            drop(waiter.grant.send(turn));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Admission {
    Turn(Turn),
    Waits(u64, oneshot::Receiver<Turn>),
    Refused,
}

/// A place in a queue: given up when dropped.
struct Waiting<'a> {
    turns: &'a Turns,
    line: &'a Arc<Line>,
    purpose: Purpose,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        if let Some(queue) = state.lines.get_mut(self.line) {
            // A turn that was granted meanwhile goes with its receiver, and is handed on.
            queue.leave(self.purpose, self.number);
        }
        state.tidy(self.line);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.prefetches = state.prefetches.saturating_sub(usize::from(self.is_prefetch));
        if let Some(queue) = state.lines.get_mut(&self.line) {
            queue.in_flight = queue.in_flight.saturating_sub(1);
            queue.prefetches = queue.prefetches.saturating_sub(usize::from(self.is_prefetch));
        }
        state.tidy(&self.line);
        self.turns.hand_out(state);
    }
}

impl State {
    fn has_room(&self, bounds: &Bounds, line: &Line, is_prefetch: bool) -> bool {
        let queue = self.lines.get(line);
        let has_room = |used: usize, prefetches: usize, most: usize| {
            used < most && (!is_prefetch || prefetches < for_prefetches(most))
        };
        let (used, prefetches) = queue.map_or((0, 0), |queue| (queue.in_flight, queue.prefetches));
        has_room(self.in_flight, self.prefetches, bounds.connections)
            && has_room(used, prefetches, bounds.of(line.is_parent))
    }

    fn count(&mut self, line: &Arc<Line>, is_prefetch: bool) {
        let queue = self.lines.entry(Arc::clone(line)).or_default();
        queue.in_flight += 1;
        queue.prefetches += usize::from(is_prefetch);
        self.in_flight += 1;
        self.prefetches += usize::from(is_prefetch);
    }

    /// Who is next, where there is room: the lines take turns.
    fn next_waiter(&mut self, bounds: &Bounds) -> Option<(Arc<Line>, Waiter, bool)> {
        for _ in 0..self.rotation.len() {
            let line = self.rotation.pop_front()?;
            let can_view = self.has_room(bounds, &line, false);
            let can_prefetch = can_view && self.has_room(bounds, &line, true);
            let Some(queue) = self.lines.get_mut(&line) else { continue };
            let most = bounds.of(line.is_parent);
            let next = if can_view { queue.pop(can_prefetch, most) } else { None };
            if !queue.is_empty() {
                self.rotation.push_back(Arc::clone(&line));
            }
            if let Some((waiter, is_prefetch)) = next {
                return Some((line, waiter, is_prefetch));
            }
        }
        None
    }

    /// A line with nobody in it is forgotten.
    fn tidy(&mut self, line: &Arc<Line>) {
        let Some(queue) = self.lines.get(line) else { return };
        if queue.is_empty() {
            if queue.in_flight == 0 {
                self.lines.remove(line);
            }
            self.rotation.retain(|other| other != line);
        }
    }
}

/// What prefetches may use of `most`.
fn for_prefetches(most: usize) -> usize {
    (most.saturating_mul(PREFETCH_QUARTERS) / 4).max(1)
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.further.is_empty() && self.flows.waiting == 0 && self.background.is_empty()
    }

    fn pop(&mut self, can_prefetch: bool, most: usize) -> Option<(Waiter, bool)> {
        if can_prefetch
            && self.prefetches < most / PREFETCH_SHARE
            && let Some(waiter) = self.background.pop_front()
        {
            return Some((waiter, true));
        }
        if let Some(waiter) = self.further.pop_front().or_else(|| self.flows.pop()) {
            return Some((waiter, false));
        }
        let waiter = if can_prefetch { self.background.pop_front() } else { None };
        waiter.map(|waiter| (waiter, true))
    }

    fn leave(&mut self, purpose: Purpose, number: u64) {
        match purpose {
            Purpose::Viewer(flow) => self.flows.leave(flow, number),
            Purpose::Prefetch => self.background.retain(|waiter| waiter.number != number),
            Purpose::Further | Purpose::Promotion => {
                self.further.retain(|waiter| waiter.number != number);
            }
        }
    }
}

impl Flows {
    /// Whether `waiter` may wait; another may have to leave for it.
    fn push(&mut self, flow: u64, waiter: Waiter, most: usize) -> bool {
        if self.waiting >= most && !self.shorten(flow) {
            return false;
        }
        let waiters = self.by_flow.entry(flow).or_default();
        if waiters.is_empty() {
            self.order.push_back(flow);
        }
        waiters.push_back(waiter);
        self.waiting += 1;
        true
    }

    /// Refuses the newest of the longest flow, where that is longer than `flow` would become.
    fn shorten(&mut self, flow: u64) -> bool {
        let own = self.by_flow.get(&flow).map_or(0, VecDeque::len);
        let longest = self.by_flow.values_mut().max_by_key(|waiters| waiters.len());
        let Some(longest) = longest.filter(|longest| longest.len() > own + 1) else {
            return false;
        };
        longest.pop_back();
        self.waiting -= 1;
        true
    }

    fn pop(&mut self) -> Option<Waiter> {
        let flow = self.order.pop_front()?;
        let waiters = self.by_flow.get_mut(&flow)?;
        let waiter = waiters.pop_front()?;
        self.waiting -= 1;
        match waiters.is_empty() {
            true => {
                self.by_flow.remove(&flow);
            }
            false => self.order.push_back(flow),
        }
        Some(waiter)
    }

    fn leave(&mut self, flow: u64, number: u64) {
        let Some(waiters) = self.by_flow.get_mut(&flow) else { return };
        let before = waiters.len();
        waiters.retain(|waiter| waiter.number != number);
        self.waiting -= before - waiters.len();
        if waiters.is_empty() {
            self.by_flow.remove(&flow);
            self.order.retain(|other| *other != flow);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::BoxFuture};

    use super::*;

    const FLOW: Purpose = Purpose::Viewer(0);

    fn turns(in_flight: usize, waiting: usize, connections: usize) -> Turns {
        let patience = Duration::from_secs(10);
        let bounds = Bounds { in_flight, waiting, connections, patience, ..Bounds::default() };
        Turns::new(bounds)
    }

    fn line(domain: &str) -> Arc<Line> {
        let (domain, server) = (domain.into(), "o:80".into());
        Arc::new(Line { domain, server, is_parent: false })
    }

    type Acquiring<'a> = BoxFuture<'a, Result<Turn, Refused>>;

    /// Acquires a turn, or waits for it.
    fn acquire<'a>(turns: &'a Turns, line: &'a Arc<Line>, purpose: Purpose) -> Acquiring<'a> {
        let mut acquiring = turns.acquire(line, purpose).boxed();
        match acquiring.as_mut().now_or_never() {
            Some(acquired) => std::future::ready(acquired).boxed(),
            None => acquiring,
        }
    }

    fn now(acquiring: &mut Acquiring<'_>) -> Option<Result<Turn, Refused>> {
        acquiring.as_mut().now_or_never()
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_takes_so_many_and_no_more_and_others_have_their_own() {
        let turns = turns(2, 1, 100);
        let (a, b) = (line("a"), line("b"));
        let first = turns.acquire(&a, FLOW).await.unwrap();
        let _second = turns.acquire(&a, FLOW).await.unwrap();
        let mut third = acquire(&turns, &a, FLOW);
        assert!(now(&mut third).is_none());
        assert_eq!(turns.acquire(&a, FLOW).await.unwrap_err(), Refused::Full);
        let _other = turns.acquire(&b, FLOW).await.unwrap();
        drop(first);
        let third = third.await.unwrap();
        assert_eq!(turns.in_flight().requests, 3);
        drop(third);
        let _promoted = turns.acquire(&a, Purpose::Promotion).await.unwrap();
        let _beyond = turns.acquire(&a, Purpose::Promotion).await.unwrap();
        assert_eq!((turns.in_flight().requests, turns.in_flight().refused), (4, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_viewer_waits_for_a_time_and_a_prefetch_for_ever() {
        let turns = turns(1, 9, 100);
        let a = line("a");
        let held = turns.acquire(&a, FLOW).await.unwrap();
        let mut prefetch = acquire(&turns, &a, Purpose::Prefetch);
        let mut further = acquire(&turns, &a, Purpose::Further);
        assert_eq!(turns.acquire(&a, FLOW).await.unwrap_err(), Refused::TooLong);
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        assert!(now(&mut prefetch).is_none() && now(&mut further).is_none());
        let waiting = turns.in_flight();
        assert_eq!((waiting.viewers_waiting, waiting.prefetches_waiting), (1, 1));
        drop(held);
        // content that is on its way comes first
        drop(further.await.unwrap());
        drop(prefetch.await.unwrap());
        assert_eq!(turns.in_flight(), InFlight { refused: 1, ..InFlight::default() });
        assert!(turns.state().lines.is_empty() && turns.state().rotation.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_leaves_waits_no_more() {
        let turns = turns(1, 2, 100);
        let a = line("a");
        let held = turns.acquire(&a, FLOW).await.unwrap();
        let leaves = acquire(&turns, &a, Purpose::Viewer(1));
        let mut stays = acquire(&turns, &a, Purpose::Viewer(2));
        drop(leaves);
        assert_eq!(turns.in_flight().viewers_waiting, 1);
        drop(held);
        // a turn that was granted and not taken goes on
        let mut late = acquire(&turns, &a, FLOW);
        assert!(now(&mut late).is_none());
        drop(now(&mut stays));
        assert!(now(&mut late).unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_was_granted_to_one_who_left_goes_to_the_next() {
        let turns = turns(1, 9, 100);
        let a = line("a");
        let held = turns.acquire(&a, FLOW).await.unwrap();
        let first = acquire(&turns, &a, FLOW);
        let second = acquire(&turns, &a, FLOW);
        drop(held);
        drop(first);
        assert!(second.await.is_ok());
        assert_eq!(turns.in_flight(), InFlight::default());
    }

    #[tokio::test(start_paused = true)]
    async fn flows_take_turns_and_the_longest_is_cut_when_all_is_full() {
        let turns = turns(1, 4, 100);
        let a = line("a");
        let held = turns.acquire(&a, FLOW).await.unwrap();
        let mut crowd: Vec<_> = (0..4).map(|_| acquire(&turns, &a, Purpose::Viewer(1))).collect();
        assert_eq!(turns.acquire(&a, Purpose::Viewer(1)).await.unwrap_err(), Refused::Full);
        let mut other = acquire(&turns, &a, Purpose::Viewer(2));
        assert_eq!(
            crowd.pop().unwrap().await.unwrap_err(),
            Refused::Full,
            "the newest of the crowd"
        );
        drop(held);
        drop(now(&mut crowd[0]).unwrap().unwrap());
        drop(now(&mut other).expect("after one of the crowd").unwrap());
        assert!(now(&mut crowd[1]).unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn prefetches_keep_below_the_bound_and_some_turns_are_theirs() {
        let turns = turns(16, 99, 1000);
        let a = line("a");
        let mut prefetches = Vec::new();
        for _ in 0..12 {
            prefetches.push(turns.acquire(&a, Purpose::Prefetch).await.unwrap());
        }
        let mut more: Vec<_> = (0..9).map(|_| acquire(&turns, &a, Purpose::Prefetch)).collect();
        assert!(more.iter_mut().all(|one| now(one).is_none()));
        let mut viewers = Vec::new();
        for _ in 0..4 {
            viewers.push(turns.acquire(&a, FLOW).await.unwrap());
        }
        let mut waiting: Vec<_> = (0..9).map(|_| acquire(&turns, &a, FLOW)).collect();
        let counts = || {
            let InFlight { prefetches, viewers_waiting, prefetches_waiting, .. } =
                turns.in_flight();
            (prefetches, viewers_waiting, prefetches_waiting)
        };
        assert_eq!(counts(), (12, 9, 9));
        // viewers first
        prefetches.truncate(2);
        assert_eq!(counts(), (3, 0, 8));
        viewers.extend(waiting.iter_mut().map(|one| now(one).unwrap().unwrap()));
        assert_eq!(viewers.len(), 13);
        let late: Vec<_> = (0..5).map(|_| acquire(&turns, &a, FLOW)).collect();
        // until prefetches have less than their share
        prefetches.clear();
        assert_eq!(counts(), (2, 4, 7));
        drop((more, late, viewers));
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_is_bounded_and_shared_by_lines_in_turn() {
        let turns = turns(3, 99, 4);
        let (a, b) = (line("a"), line("b"));
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(turns.acquire(&a, FLOW).await.unwrap());
        }
        held.push(turns.acquire(&b, FLOW).await.unwrap());
        let mut of_a: Vec<_> = (0..3).map(|_| acquire(&turns, &a, FLOW)).collect();
        let mut of_b: Vec<_> = (0..3).map(|_| acquire(&turns, &b, FLOW)).collect();
        // two turns of the crowd's: one for each
        held.drain(..2);
        let first_a = now(&mut of_a[0]).unwrap().unwrap();
        let first_b = now(&mut of_b[0]).unwrap().unwrap();
        assert!(now(&mut of_a[1]).is_none() && now(&mut of_b[1]).is_none());
        drop((first_a, first_b, of_a, of_b, held));
        assert_eq!(turns.in_flight(), InFlight::default());
    }
}
