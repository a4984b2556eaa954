//! Bringing content from the parent or the origin into the store: one path for misses, misses of a
//! range, revalidation and prefetch.
//!
//! [`Fills`] holds at most one fill per key; whoever else wants the key meanwhile joins it. A fill is
//! driven by a task of its own and never holds a client: clients are [`Reader`]s of it, and a
//! prefetch is a reader that awaits durability. The first request, for a range of slices, is also
//! the probe; what the reply says decides the rest:
//!
//! - 206 and a strong validator: further slices are asked for in runs, several at a time, each
//!   `If-Range`; a broken transfer goes on at the byte where it broke;
//! - 200: the reply is cut into slices while it streams;
//! - 206 without a strong validator: dropped, and asked for whole;
//! - 304: the stored response gets a new head;
//! - another validator or size: a new generation. Bytes of two generations never meet;
//! - ranges that do not go together, though a plain GET is answered: one request for the whole.
//!
//! The origin gets few fields of a viewer: those by which a stored response can be selected again.
//! When its `Vary` names others it is asked again with them; when what it answers is not kept, with
//! all, and with who the viewer is, for this viewer alone.
//!
//! What may not or cannot be stored is handed to the first reader as it comes; the others ask on
//! their own. Whether a response may be stored is decided in [`stoker_domain::http`], when to try
//! again later in the engine. RFC 9110 sections 13 and 14, RFC 9111 sections 3, 4.

mod body;
mod driver;
mod extent;
mod failures;
mod head;
mod leaving;
mod opening;
mod pass;
mod passing;
mod pull;
mod ranges;
mod reader;
mod reply;
mod selection;
mod slices;
mod state;
mod transfer;
mod unshared;
mod want;

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use http::StatusCode;
use rand::{Rng, SeedableRng, rngs::StdRng};
use stoker_agent::JobSource;
use stoker_domain::{
    backoff::Backoff,
    directory::Directory,
    http::CacheControl,
    key::Key,
    placement::{Node, Parent},
    time::{Clock, Timestamp},
};
use tokio::{pin, select, sync::watch, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use body::Body;
pub(crate) use head::is_content;
pub use head::{FillHead, Filled};
pub use reader::Reader;

use driver::Driver;
use failures::Failures;
use ranges::Ranges;
use state::Fill;
use unshared::Unshared;

use crate::{
    history::History,
    memory::{Memory, MemoryStats, Shares},
    origin::{Ask, Client, Contacts, Fault, NEVER_PROMOTED, Response, Source},
    pace::{HostPacer, Pacer},
    peer::MAX_HOPS,
    request::{Intent, Priority, Request, is_one_target},
    store::{Store, Stored},
};

/// Bounds of every fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Seeds the jitter of delays.
    pub seed: u64,
    /// Upstream requests that one fill has open at most.
    pub parallel: usize,
    /// Slices of one fill that wait for the store at most; with those that are being received they
    /// bound its memory.
    pub in_flight: usize,
    /// Attempts after a broken transfer that brings nothing new.
    pub retries: u32,
    /// New generations when the representation changes under the fill.
    pub restarts: u32,
    /// Pauses before these attempts, and before a parent that is busy is asked again.
    pub backoff: Backoff,
    /// How long a fill that nobody reads may take to finish the slices in flight: a viewer may come
    /// back, and nodes behind ask again when it has changed.
    pub linger: Duration,
    /// The same where the last that left was a prefetch that gave up, here or at a node behind: nobody
    /// waits, and a task that was stopped is not to read on.
    pub background_linger: Duration,
    /// How long the failure of a target counts for others who ask for it. The engine tries again
    /// after half a second at the earliest, and that must reach the origin.
    pub failure_memory: Duration,
    /// Memory for content on its way.
    pub memory: Shares,
    /// How long a viewer waits for it.
    pub memory_patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            parallel: 4,
            in_flight: 16,
            retries: 3,
            restarts: 3,
            backoff: Backoff::new(Duration::from_millis(200), Duration::from_millis(51_200)),
            linger: Duration::from_secs(5),
            background_linger: Duration::from_millis(200),
            failure_memory: Duration::from_millis(400),
            memory: Shares::default(),
            memory_patience: Duration::from_secs(10),
        }
    }
}

/// What a node remembers for a while of what came of its fills; each is bounded in number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Failures.
    pub failures: usize,
    /// Keys whose answers no two requests share.
    pub unshared: usize,
    /// Origins that rest: prefetches do not ask them.
    pub resting: usize,
    /// Origins whose ranges were looked at closely.
    pub ranges: usize,
}

const SHARDS: usize = 64;

/// All fills of a node. Clones are the same registry.
#[derive(Clone, Debug)]
pub struct Fills(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    client: Client,
    pacer: Pacer,
    node: Arc<Node>,
    directory: watch::Receiver<Arc<Directory>>,
    clock: Arc<dyn Clock>,
    config: Config,
    // std mutexes: held for a look-up, never across an await
    shards: [Mutex<HashMap<Key, Arc<Fill>>>; SHARDS],
    failures: Failures,
    history: OnceLock<Arc<History>>,
    unshared: Unshared,
    ranges: Ranges,
    memory: Memory,
    jitter: Mutex<StdRng>,
    tasks: TaskTracker,
    draining: CancellationToken,
    stopping: CancellationToken,
}

impl Fills {
    /// A registry without fills.
    pub fn new(
        store: Store,
        client: Client,
        node: Arc<Node>,
        directory: watch::Receiver<Arc<Directory>>,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            client,
            pacer: Pacer::new(Arc::clone(&node), directory.clone()),
            node,
            directory,
            clock,
            config,
            shards: std::array::from_fn(|_| Mutex::default()),
            failures: Failures::new(config.failure_memory),
            history: OnceLock::new(),
            unshared: Unshared::default(),
            ranges: Ranges::default(),
            memory: Memory::new(config.memory, config.memory_patience),
            jitter: Mutex::new(StdRng::seed_from_u64(config.seed)),
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
        }))
    }

    /// From now on `history` records how fills end; only the first call counts.
    pub(crate) fn set_history(&self, history: Arc<History>) {
        let _ = self.0.history.set(history);
    }

    /// Joins the fill of the key, or starts one.
    ///
    /// `stored` is what the caller's look-up found: a stale response is validated, an incomplete
    /// one completed. It counts only when a fill is started. Must be called within a tokio runtime.
    pub fn get_or_start(&self, request: Request, stored: Option<Stored>) -> Reader {
        self.join_or_start(Arc::new(request), stored)
    }

    fn join_or_start(&self, request: Arc<Request>, stored: Option<Stored>) -> Reader {
        let url = request.url();
        let mut shard = self.shard(request.key);
        let fill = match shard.entry(request.key) {
            Entry::Occupied(entry) if entry.get().url == url => {
                let fill = Arc::clone(entry.get());
                // Under the lock of the shard: the fill cannot retire between look-up and joining.
                let number = fill.state().join(&request);
                drop(shard);
                fill.asked.notify_one();
                // a background transfer may be interactive from now on
                fill.changed.notify_waiters();
                return Reader::new(self.clone(), fill, number, request, true);
            }
            // of an earlier epoch: its readers read on, new ones start anew
            Entry::Occupied(mut entry) if is_one_target(&entry.get().url, &url) => {
                let fill = Arc::new(Fill::new(request.key, url));
                entry.insert(Arc::clone(&fill));
                fill
            }
            // two targets with one key: astronomically rare, and never mixed
            Entry::Occupied(_) => {
                drop(shard);
                return self.start_unshared(request);
            }
            Entry::Vacant(entry) => {
                if let Some(reader) = self.just_failed(&request) {
                    return reader;
                }
                if self.is_alone(&request) {
                    drop(shard);
                    return self.start_unshared(request);
                }
                Arc::clone(entry.insert(Arc::new(Fill::new(request.key, url))))
            }
        };
        let number = fill.state().join(&request);
        drop(shard);
        self.drive(&fill, &request, stored, true);
        Reader::new(self.clone(), fill, number, request, false)
    }

    /// Whether what `request` asks for is for nobody else, as far as is known: the request forbids
    /// to keep it, or the last answer was not kept.
    fn is_alone(&self, request: &Request) -> bool {
        matches!(request.intent, Intent::Demand(_))
            && request.withholds_any()
            && !self.source(request).is_parent()
            && (CacheControl::of(&request.fields).no_store || self.0.unshared.contains(request))
    }

    /// For a reader whose shared fill turned out to be for somebody else alone.
    fn ask_again(&self, request: Arc<Request>) -> Reader {
        self.just_failed(&request).unwrap_or_else(|| self.start_unshared(request))
    }

    /// For a reader whose shared fill turned out to bring an error from before it asked: that fill
    /// takes no further readers.
    fn ask_anew(&self, request: Arc<Request>, old: &Arc<Fill>) -> Reader {
        {
            let mut shard = self.shard(old.key);
            // Another may have begun a newer one since.
            if shard.get(&old.key).is_some_and(|found| Arc::ptr_eq(found, old)) {
                shard.remove(&old.key);
            }
        }
        self.join_or_start(request, None)
    }

    /// How it just failed for somebody else, as a fill that is over.
    fn just_failed(&self, request: &Arc<Request>) -> Option<Reader> {
        let failure = self.0.failures.of(request)?;
        let fill = Arc::new(Fill::failed(&failure));
        let number = fill.state().join(request);
        Some(Reader::new(self.clone(), fill, number, Arc::clone(request), false))
    }

    /// A fill outside the registry for one reader alone: nothing is stored, nobody joins.
    fn start_unshared(&self, request: Arc<Request>) -> Reader {
        let fill = Arc::new(Fill::new(request.key, request.url()));
        let number = fill.state().join(&request);
        self.drive(&fill, &request, None, false);
        Reader::new(self.clone(), fill, number, request, false)
    }

    /// Whether a fresh stored response with `status` answers who takes errors since `errors_since`,
    /// see [`Request::errors_since`].
    pub(crate) fn is_answer(
        &self,
        key: Key,
        status: StatusCode,
        errors_since: Option<Timestamp>,
    ) -> bool {
        is_content(status)
            || errors_since.is_none_or(|since| self.0.failures.is_kept_since(key, since))
    }

    /// Detaches the fills of purged URLs from the registry: a request from now on starts anew.
    /// Their readers read on; the store refuses what they bring. See [`stored_url`](crate::request::stored_url) for `is_purged`.
    pub fn detach(&self, is_purged: impl Fn(Key, &str) -> bool) {
        for shard in &self.0.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|key, fill| !is_purged(*key, &fill.url));
        }
    }

    /// What this node has to do with origins and other nodes now.
    pub fn contacts(&self) -> Contacts {
        self.0.client.contacts()
    }

    /// What is remembered now.
    pub fn remembered(&self) -> Remembered {
        Remembered {
            failures: self.0.failures.len(),
            unshared: self.0.unshared.len(),
            resting: self.0.client.cooling_down(),
            ranges: self.0.ranges.len(),
        }
    }

    /// Who reads fills that others may join, or waits for what they bring.
    pub fn readers(&self) -> usize {
        let of_shard = |shard: &Mutex<HashMap<Key, Arc<Fill>>>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.values().map(|fill| fill.state().readers()).sum::<usize>()
        };
        self.0.shards.iter().map(of_shard).sum()
    }

    /// Fills that run now.
    pub fn running(&self) -> usize {
        self.0.tasks.len()
    }

    /// Ends every fill for which no viewer waits, now or as soon as that is so. What is durable
    /// stays; a child that prefetches gets a fault.
    pub fn drain(&self) {
        self.0.draining.cancel();
    }

    /// Ends all fills and awaits that. What is durable stays; readers get a fault.
    pub async fn shutdown(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn drive(&self, fill: &Arc<Fill>, request: &Arc<Request>, stored: Option<Stored>, keeps: bool) {
        let driver = Driver::new(self.clone(), Arc::clone(fill), Arc::clone(request), keeps);
        let (draining, stopping) = (self.0.draining.clone(), self.0.stopping.clone());
        let (fill, fills) = (Arc::clone(fill), self.clone());
        self.0.tasks.spawn(async move {
            select! {
                () = stopping.cancelled() => {}
                () = fill.deserted(&draining) => {}
                () = fills.give_up(&fill) => {}
                () = driver.run(stored) => {}
            }
        });
    }

    /// Returns when nobody wants `fill` any more before there is a head, and nobody can join it.
    async fn give_up(&self, fill: &Arc<Fill>) {
        loop {
            fill.given_up(self.config().background_linger).await;
            // registry before state, as joining does
            let mut shard = self.shard(fill.key);
            let mut state = fill.state();
            if state.is_given_up() {
                state.is_retired = true;
                if shard.get(&fill.key).is_some_and(|found| Arc::ptr_eq(found, fill)) {
                    shard.remove(&fill.key);
                }
                return;
            }
        }
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    /// Asks `source`, at the pace of its domain unless a viewer waits for slices `first..=last`.
    async fn get(
        &self,
        fill: &Fill,
        source: &Source,
        request: &Request,
        (mut ask, first, last): (Ask, u32, u32),
    ) -> Result<Response, Fault> {
        let is_urgent = || fill.state().is_urgent(first, last);
        ask.priority = if is_urgent() { Priority::Interactive } else { Priority::Background };
        ask.nodes_before = self.nodes_before(request);
        ask.is_limited = self.0.directory.borrow().limits(&request.domain.name).is_any();
        let reservation = match self.host_pacer(source) {
            Some(host_pacer) => {
                let asked = ask.range.map_or(u64::MAX, |(start, end)| end - start + 1);
                // the first request of a target does not know what is there
                host_pacer.reserve(asked, ask.if_range.is_some(), is_urgent).await
            }
            None => None,
        };
        let promoted = || fill.until_urgent(first, last).boxed();
        if !(source.is_parent() && ask.priority.is_background()) {
            return self.0.client.get(source, request, &ask, reservation, &promoted).await;
        }
        let getting = self.get_in_turn(source, request, &ask);
        pin!(getting);
        select! {
            biased;
            response = &mut getting => return response,
            () = fill.until_urgent(first, last) => {}
        }
        // A second request raises the priority of what the parent brings already. The first one is
        // dropped only after the second is answered, so that the parent's fill always has a reader.
        let ask = Ask { priority: Priority::Interactive, is_promotion: true, ..ask.clone() };
        self.0.client.get(source, request, &ask, None, NEVER_PROMOTED).await
    }

    /// Asks a parent for what only a prefetch wants: until it has had its turn there, however long
    /// that takes.
    async fn get_in_turn(
        &self,
        source: &Source,
        request: &Request,
        ask: &Ask,
    ) -> Result<Response, Fault> {
        let mut attempt = 0;
        loop {
            let got = self.0.client.get(source, request, ask, None, NEVER_PROMOTED).await;
            match got {
                Err(fault) if fault.is_busy() => {}
                got => return got,
            }
            attempt += 1;
            sleep(self.retry_delay(attempt)).await;
        }
    }

    /// The pacer of the domain whose origin is asked, if anything limits it.
    fn host_pacer(&self, source: &Source) -> Option<Arc<HostPacer>> {
        let Source::Origin(domain) = source else { return None };
        Some(self.0.pacer.host(&domain.name)).filter(|host_pacer| host_pacer.is_limited())
    }

    fn is_limited(&self, source: &Source) -> bool {
        self.host_pacer(source).is_some()
    }

    /// Bytes that one request of `fill` asks for at most.
    fn piece(&self, fill: &Fill, source: &Source) -> u64 {
        let host_pacer = self.host_pacer(source).filter(|_| !fill.state().has_viewer());
        host_pacer.map_or(u64::MAX, |host_pacer| host_pacer.piece())
    }

    /// Whether all that `fill` asks `source` for is limited.
    fn is_paced(&self, fill: &Fill, source: &Source) -> bool {
        self.host_pacer(source).is_some() && !fill.state().has_viewer()
    }

    /// Asks the engine for grants, until `stop`.
    pub(crate) async fn keep_pace(self, source: Arc<dyn JobSource>, stop: CancellationToken) {
        self.0.pacer.run(source, stop).await;
    }

    /// Memory for content on its way, of this node.
    pub(crate) fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// What is held of it.
    pub fn memory_stats(&self) -> MemoryStats {
        self.0.memory.stats()
    }

    fn config(&self) -> &Config {
        &self.0.config
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, HashMap<Key, Arc<Fill>>> {
        // the key is a hash; any byte of it spreads evenly
        let shard = &self.0.shards[usize::from(key.0[0]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom this node asks for what `request` names.
    fn source(&self, request: &Request) -> Source {
        let directory = self.0.directory.borrow();
        match directory.fleet().parent(&self.0.node, &request.domain, request.key) {
            Parent::Node(node) => Source::Parent(node),
            Parent::Origin => Source::Origin(Arc::clone(&request.domain)),
        }
    }

    /// How many nodes stand between this one and the origin of what `request` names.
    fn nodes_before(&self, request: &Request) -> u32 {
        let directory = self.0.directory.borrow();
        let (mut node, mut nodes) = (Arc::clone(&self.0.node), 0);
        while nodes < u32::from(MAX_HOPS) {
            let parent = directory.fleet().parent(&node, &request.domain, request.key);
            let Parent::Node(parent) = parent else { break };
            (node, nodes) = (parent, nodes + 1);
        }
        nodes
    }

    /// The delay before attempt number `attempt`, from 1.
    fn retry_delay(&self, attempt: u32) -> Duration {
        let random = self.0.jitter.lock().unwrap_or_else(PoisonError::into_inner).next_u64();
        self.config().backoff.delay(attempt, random)
    }
}
