//! An engine that fails as told and logs every call, and a cache that holds items as told.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use stoker_agent::{
    Agent, Cache, Config, Error, JobSource, Progress, PurgeError, Readiness, Terms,
};
use stoker_domain::{
    account::AccountId,
    area::{Area, Tier},
    job::{Heartbeat, ItemReport, JobId, JobItem, LeaseToken, LeasedJob, Report, StoreHealth},
    outcome::Outcome,
    pace::{Demand, Grant},
    placement::Node,
    purge::{Method, PurgeOrder, Scope},
    task::{FetchOptions, TaskId},
    time::Timestamp,
};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

pub(crate) const SESSION: u64 = 77;
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a call waits for work.
const WAIT: Duration = Duration::from_secs(5);

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// One call that the engine heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Register(u64),
    Lease(usize),
    /// Which job, and how many items it told of.
    Heartbeat(i64, usize),
    /// Which job, positions, and whether it was the last.
    Report(i64, Vec<u16>, bool),
    Health(u64),
    Purges,
    OpenPurges,
    Confirm(u64),
    LostLeases,
}

/// What a kind of call answers instead.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    NotRegistered,
    LeaseLost,
    SlowDown(Duration),
    Unreachable,
    /// The call is carried out and its answer lost.
    AnswerLost,
}

impl Failure {
    fn error(self) -> Error {
        match self {
            Self::NotRegistered => Error::NotRegistered,
            Self::LeaseLost => Error::LeaseLost,
            Self::SlowDown(pause) => Error::SlowDown(pause),
            Self::Unreachable | Self::AnswerLost => Error::Unreachable(None),
        }
    }
}

#[derive(Default)]
struct Script {
    calls: Vec<(Millis, Call)>,
    jobs: VecDeque<LeasedJob>,
    orders: Vec<PurgeOrder>,
    lost: Vec<(JobId, LeaseToken)>,
    failures: HashMap<&'static str, VecDeque<Failure>>,
    is_deaf: bool,
}

/// Milliseconds since the test began.
type Millis = u64;

/// The scripted engine.
pub(crate) struct Engine {
    began: Instant,
    script: Mutex<Script>,
    changed: Notify,
}

impl Engine {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    /// The next calls of this kind fail so.
    pub(crate) fn fail(&self, kind: &'static str, failures: &[Failure]) {
        self.script().failures.entry(kind).or_default().extend(failures);
    }

    /// Whether every call is lost on its way.
    pub(crate) fn be_deaf(&self, is_deaf: bool) {
        self.script().is_deaf = is_deaf;
        self.changed.notify_waiters();
    }

    /// Offers a job with `count` items.
    pub(crate) fn offer(&self, id: i64, count: u16) {
        let item = |position| JobItem {
            position,
            url: format!("http://www.example.com/{id}/{position}"),
            levels: 0,
            is_named: false,
        };
        let job = LeasedJob {
            id: JobId(id),
            token: LeaseToken(1),
            expires_at: Timestamp::from_millis(i64::MAX),
            task: TaskId("1".into()),
            account: AccountId(1),
            accepted_at: Timestamp::default(),
            attempt: 1,
            options: FetchOptions::default(),
            items: (0..count).map(item).collect(),
        };
        self.script().jobs.push_back(job);
        self.changed.notify_waiters();
    }

    /// Ends the lease of job `id` before its time.
    pub(crate) fn lose(&self, id: i64) {
        self.script().lost.push((JobId(id), LeaseToken(1)));
        self.changed.notify_waiters();
    }

    pub(crate) fn order(&self, number: u64) {
        let targets = vec![format!("http://www.example.com/{number}")];
        let order = PurgeOrder { number, scope: Scope::Url, method: Method::Delete, targets };
        self.script().orders.push(order);
        self.changed.notify_waiters();
    }

    /// All calls so far but those that only wait for something.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.timed().into_iter().map(|(_, call)| call).collect()
    }

    /// The same, each with the milliseconds since the test began.
    pub(crate) fn timed(&self) -> Vec<(u64, Call)> {
        let idle = |call: &Call| matches!(call, Call::Health(_) | Call::Purges | Call::LostLeases);
        self.script().calls.iter().filter(|(_, call)| !idle(call)).cloned().collect()
    }

    pub(crate) fn count(&self, wanted: impl Fn(&Call) -> bool) -> usize {
        self.script().calls.iter().filter(|(_, call)| wanted(call)).count()
    }

    pub(crate) fn reports(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| matches!(call, Call::Report(..))).collect()
    }

    pub(crate) fn registrations(&self) -> usize {
        self.count(|call| matches!(call, Call::Register(_)))
    }

    /// When calls of some kind came.
    pub(crate) fn moments(&self, wanted: impl Fn(&Call) -> bool) -> Vec<u64> {
        self.timed().into_iter().filter(|(_, call)| wanted(call)).map(|(at, _)| at).collect()
    }

    /// Logs a call, and fails it as scripted.
    fn hear(&self, kind: &'static str, call: Call) -> Result<(), Error> {
        let at = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        let mut script = self.script();
        if script.is_deaf {
            return Err(Error::Unreachable(None));
        }
        script.calls.push((at, call));
        let failure = script.failures.get_mut(kind).and_then(VecDeque::pop_front);
        failure.map_or(Ok(()), |failure| Err(failure.error()))
    }

    async fn wait<T>(&self, mut take: impl FnMut(&mut Script) -> Option<T>) -> Option<T> {
        let end = Instant::now() + WAIT;
        loop {
            let changed = self.changed.notified();
            if let Some(found) = take(&mut self.script()) {
                return Some(found);
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(end) => return None,
            }
        }
    }
}

#[async_trait]
impl JobSource for Engine {
    async fn register(&self, node: &Node, session: u64) -> Result<(), Error> {
        assert_eq!(node.name, "n");
        self.hear("register", Call::Register(session))
    }

    async fn lease(&self, _: &str, limit: usize) -> Result<Vec<LeasedJob>, Error> {
        self.hear("lease", Call::Lease(limit))?;
        let take = |script: &mut Script| {
            let count = limit.min(script.jobs.len());
            (count > 0).then(|| script.jobs.drain(..count).collect())
        };
        Ok(self.wait(take).await.unwrap_or_default())
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<(), Error> {
        self.hear("heartbeat", Call::Heartbeat(beat.job.0, beat.items.len()))
    }

    async fn lost_leases(&self, _: &str) -> Result<Vec<(JobId, LeaseToken)>, Error> {
        self.hear("lost_leases", Call::LostLeases)?;
        let take = |script: &mut Script| {
            let lost = std::mem::take(&mut script.lost);
            (!lost.is_empty()).then_some(lost)
        };
        Ok(self.wait(take).await.unwrap_or_default())
    }

    async fn report(&self, report: Report) -> Result<(), Error> {
        let positions = report.items.iter().map(|item| item.position).collect();
        self.hear("report", Call::Report(report.job.0, positions, report.is_last))
    }

    async fn health(&self, _: &str, health: StoreHealth) -> Result<(), Error> {
        self.hear("health", Call::Health(health.held_bytes))
    }

    async fn pace(&self, _: &str, _: Vec<Demand>) -> Result<Vec<Grant>, Error> {
        Err(Error::Unreachable(None))
    }

    async fn purges(&self, _: &str) -> Result<Vec<PurgeOrder>, Error> {
        self.hear("purges", Call::Purges)?;
        let take = |script: &mut Script| {
            (script.is_deaf || !script.orders.is_empty()).then(|| script.orders.clone())
        };
        let orders = self.wait(take).await.unwrap_or_default();
        if self.script().is_deaf { Err(Error::Unreachable(None)) } else { Ok(orders) }
    }

    async fn open_purges(&self, _: &str) -> Result<Vec<PurgeOrder>, Error> {
        self.hear("open_purges", Call::OpenPurges)?;
        Ok(self.script().orders.clone())
    }

    async fn confirm_purge(&self, _: &str, number: u64) -> Result<(), Error> {
        self.hear("confirm", Call::Confirm(number))?;
        self.script().orders.retain(|order| order.number != number);
        Ok(())
    }
}

/// The scripted cache.
#[derive(Default)]
pub(crate) struct Store {
    state: Mutex<StoreState>,
    changed: Notify,
}

#[derive(Default)]
struct StoreState {
    held: HashSet<String>,
    panics: HashSet<String>,
    running: BTreeSet<String>,
    most: usize,
    purged: Vec<u64>,
    refused_purges: usize,
    holds_purges: bool,
}

impl Store {
    fn state(&self) -> MutexGuard<'_, StoreState> {
        self.state.lock().unwrap()
    }

    /// The items of this job do not come to an end until [`Self::release`].
    pub(crate) fn hold(&self, path: &str) {
        self.state().held.insert(path.into());
    }

    pub(crate) fn release(&self) {
        self.state().held.clear();
        self.changed.notify_waiters();
    }

    pub(crate) fn panic_at(&self, path: &str) {
        self.state().panics.insert(path.into());
    }

    /// The paths that are being prefetched.
    pub(crate) fn running(&self) -> Vec<String> {
        self.state().running.iter().cloned().collect()
    }

    /// The most that were prefetched at once.
    pub(crate) fn most(&self) -> usize {
        self.state().most
    }

    pub(crate) fn purged(&self) -> Vec<u64> {
        self.state().purged.clone()
    }

    pub(crate) fn refuse_purges(&self, count: usize) {
        self.state().refused_purges = count;
    }

    /// Whether orders wait to become durable.
    pub(crate) fn hold_purges(&self, holds: bool) {
        self.state().holds_purges = holds;
        self.changed.notify_waiters();
    }
}

/// An item in work: it ends when it is dropped too.
struct Running<'a>(&'a Store, String);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state().running.remove(&self.1);
    }
}

#[async_trait]
impl Cache for Store {
    async fn prefetch(&self, item: &JobItem, terms: &Terms, progress: &Progress) -> ItemReport {
        assert_eq!(terms.account, AccountId(1));
        let path = item.url.trim_start_matches("http://www.example.com").to_owned();
        let panics = {
            let mut state = self.state();
            state.running.insert(path.clone());
            state.most = state.most.max(state.running.len());
            state.panics.contains(&path)
        };
        let running = Running(self, path);
        assert!(!panics, "as the test wants");
        progress.set(1, Some(2));
        loop {
            let changed = self.changed.notified();
            if !self.state().held.iter().any(|held| running.1.starts_with(held)) {
                break;
            }
            changed.await;
        }
        ItemReport::new(item.position, Outcome::Filled)
    }

    async fn purge(&self, order: &PurgeOrder) -> Result<(), PurgeError> {
        loop {
            let changed = self.changed.notified();
            if !self.state().holds_purges {
                break;
            }
            changed.await;
        }
        let mut state = self.state();
        state.purged.push(order.number);
        if state.refused_purges > 0 {
            state.refused_purges -= 1;
            return Err(PurgeError("the disk is full".into()));
        }
        Ok(())
    }

    fn health(&self) -> StoreHealth {
        StoreHealth { held_bytes: 42, ..StoreHealth::default() }
    }
}

/// An agent at work.
pub(crate) struct Fixture {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<Store>,
    pub(crate) readiness: Readiness,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Fixture {
    /// An agent that has registered and caught up.
    pub(crate) async fn start() -> Self {
        let fixture = Self::with(|_, _| {});
        fixture.readiness.ready().await;
        fixture
    }

    /// An agent before whose start something was scripted.
    pub(crate) fn with(script: impl FnOnce(&Engine, &Store)) -> Self {
        let engine =
            Engine { began: Instant::now(), script: Mutex::default(), changed: Notify::new() };
        let (engine, store) = (Arc::new(engine), Arc::new(Store::default()));
        script(&engine, &store);
        let node = Node {
            name: "n".into(),
            area: Area::Mainland,
            tier: Tier::Edge,
            cluster: "n".into(),
            address: "127.0.0.1:1".into(),
        };
        let config = Config {
            node: Arc::new(node),
            session: SESSION,
            seed: 7,
            items_in_flight: 8,
            jobs_in_flight: 2,
            catch_up_patience: PATIENCE,
        };
        let readiness = Readiness::default();
        let agent = Agent::new(
            config,
            Arc::clone(&engine) as _,
            Arc::clone(&store) as _,
            readiness.clone(),
        );
        let stop = CancellationToken::new();
        let running = stoker_testkit::spawn(agent.run(stop.clone()));
        Self { engine, store, readiness, stop, running }
    }

    /// Waits until the engine has heard the last report of job `id`.
    pub(crate) async fn ended(&self, id: i64) {
        let is_last = |call: &Call| matches!(call, Call::Report(job, _, true) if *job == id);
        self.until("the last report", || self.engine.count(is_last) > 0).await;
    }

    /// Waits until `is_so`; an hour at most, which costs nothing.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..360_000 {
            if is_so() {
                return;
            }
            sleep(millis(10)).await;
        }
        panic!("{what}: never; calls: {:?}", self.engine.timed());
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}
