//! Runs a case and compares the ledger with what must be true, after every op and at the end.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use stoker_domain::{
    account::{Account, AccountId},
    area::{Area, AreaScope, Tier},
    directory::Directory,
    domain::{CacheRules, Domain, Shield},
    job::{Heartbeat, ItemProgress, Report},
    outcome::{Block, Outcome},
    quota::{Counter, Limits, Product, day},
    setting::{Status, VendorSettings},
    target::Target,
    task::{FetchOptions, MediaPolicy, Progress, TaskId, TaskState},
    time::{Clock, Timestamp},
    view::{TargetFilter, TargetRow, TaskFilter, TaskRow},
};
use stoker_engine::{
    BatchLimit, Config, Engine, NewDomain, Receipt, Submission, SubmitError, Swept, ZoneChoice,
};
use stoker_ledger::Sqlite;
use stoker_testkit::FakeClock;
use tempfile::TempDir;

use crate::{
    arbitrary::{Fate, Op},
    flaky::Flaky,
    model::{MAINLAND_URL, NODES, Net, Origin, SimulatedNode, URLS, origin},
    purges::Purges,
    purging::DAILY_PURGES,
};

/// The host of all URLs that are submitted.
pub(crate) const WWW: &str = "www.example.com";
/// A host with shields of its own in the mainland, where alone it is served.
pub(crate) const MAINLAND: &str = "mainland.example.com";
/// The zone of that host.
pub(crate) const APART: &str = "apart";

/// Small, so that cases run into it.
const DAILY: u64 = 60;
/// Small, so that playlists run into it.
const MAX_TARGETS: u64 = 14;

/// Runs `ops`, ends all faults, waits for the end.
///
/// # Panics
/// When one of the failures of `main` is found.
pub(crate) fn run(ops: &[Op]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new().await;
        for op in ops {
            world.step(op).await;
            world.check().await;
        }
        world.heal().await;
        world.check().await;
        world.check_end().await;
    });
}

pub(crate) struct World {
    dir: TempDir,
    pub(crate) clock: FakeClock,
    // absent only while the engine is restarted
    parts: Option<(Arc<Flaky>, Arc<Engine>)>,
    starts: u64,
    pub(crate) account: Account,
    pub(crate) nodes: Vec<SimulatedNode>,
    /// Grows with every purge: what leaves the origin later is newer.
    pub(crate) moment: u64,
    pub(crate) purges: Purges,
    pub(crate) accepted: Vec<(Receipt, Vec<String>)>,
    /// Submissions whose answer was lost.
    pub(crate) doubtful: u64,
    /// Who reported what as held while holding it.
    proofs: HashSet<(TaskId, String, String)>,
    sent: Vec<Report>,
    /// What was final when it was last looked at, by row number.
    finals: HashMap<i64, TargetRow>,
    settled_before: u64,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = FakeClock::default();
        let parts = open(&dir, &clock, 0).await;
        let limits = Limits { batch: 100, daily: DAILY };
        let account = parts.1.create_account("100000000001".into(), 1, limits).await.unwrap();
        add_domains(&parts, account.id).await;
        let mut world = Self {
            dir,
            clock,
            parts: Some(parts),
            starts: 0,
            account,
            nodes: SimulatedNode::all(),
            moment: 0,
            purges: Purges::default(),
            accepted: Vec::new(),
            doubtful: 0,
            proofs: HashSet::new(),
            sent: Vec::new(),
            finals: HashMap::new(),
            settled_before: 0,
        };
        world.restart_engine(usize::MAX).await;
        world
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.parts.as_ref().unwrap().1
    }

    pub(crate) fn flaky(&self) -> &Flaky {
        &self.parts.as_ref().unwrap().0
    }

    async fn step(&mut self, op: &Op) {
        match op {
            Op::Advance { seconds } => self.clock.advance(Duration::from_secs((*seconds).into())),
            Op::Jump { seconds } => {
                let now = self.clock.now();
                let moved = now.as_millis() + i64::from(*seconds) * 1000;
                self.clock.jump(Timestamp::from_millis(moved));
            }
            Op::Submit { urls, areas, tier, follow } => {
                let urls = urls.iter().map(|number| URLS[*number].to_owned()).collect();
                self.submit(urls, *areas, *tier, *follow).await;
            }
            Op::Lease { node, limit, is_lost } => {
                for node in each(*node) {
                    self.lease(node, *limit, *is_lost).await;
                }
            }
            Op::Work { node, job, items, is_last, fate } => {
                let busy = |node: &usize| !self.nodes[*node].jobs.is_empty();
                let busy: Vec<_> = (0..self.nodes.len()).filter(busy).collect();
                if !busy.is_empty() {
                    self.work(busy[node % busy.len()], *job, *items, *is_last, *fate).await;
                }
            }
            Op::Beat { node } => self.beat(*node).await,
            Op::Control { task, command } => self.control(*task, *command).await,
            Op::Retry { task } => self.retry(*task).await,
            Op::Turn => {
                let _ = self.engine().turn_jobs(Duration::from_secs(60)).await;
            }
            Op::Repeat { message } => {
                if !self.sent.is_empty() {
                    let report = self.sent[message % self.sent.len()].clone();
                    let _ = self.engine().report(report).await;
                }
            }
            Op::Purge { what, areas, method } => self.purge(what, *areas, *method).await,
            Op::TakeOrders { node, is_lost } => {
                for node in each(*node) {
                    self.take_orders(node, *is_lost).await;
                }
            }
            Op::CarryOut { node, orders, fate } => {
                for node in each(*node) {
                    self.take_orders(node, false).await;
                    self.carry_out(node, *orders, *fate).await;
                }
            }
            Op::RepeatPurged { message } => self.repeat_purged(*message).await,
            Op::ForgePurged { node, order } => self.forge_purged(*node, *order).await,
            Op::View { node, url } => self.view(*node, *url),
            Op::Kill { node, loses_cache } => self.nodes[*node].die(*loses_cache),
            Op::Start { node, hears_orders } => self.start(*node, *hears_orders).await,
            Op::RestartEngine { before_nodes } => self.restart_engine(*before_nodes).await,
            Op::Sweep => {
                self.expect_sweep().await;
                if let Ok(swept) = self.engine().sweep(Duration::from_secs(60)).await {
                    assert_eq!(swept, Swept::default());
                }
            }
            Op::Outage { after, verbs, is_applied } => {
                self.flaky().fail(*after, *verbs, *is_applied);
            }
        }
    }

    async fn submit(
        &mut self,
        urls: Vec<String>,
        areas: AreaScope,
        tier: Option<Tier>,
        follow: bool,
    ) {
        let media = if follow { MediaPolicy::Segments } else { MediaPolicy::Off };
        let submission = Submission {
            areas: Some(areas),
            tier,
            options: FetchOptions { media, ..FetchOptions::default() },
            batch_limit: BatchLimit::AtMost(100),
            ..Submission::new(Product::DomainPrefetch, urls.clone())
        };
        match self.engine().submit(&self.account, submission).await {
            Ok(receipt) => {
                let mut distinct: Vec<_> =
                    urls.iter().map(|url| Target::parse(url, false).unwrap().url).collect();
                distinct.sort();
                distinct.dedup();
                assert_eq!(receipt.targets, distinct.len() as u64);
                assert_eq!(receipt.merged, (urls.len() - distinct.len()) as u64);
                self.accepted.push((receipt, distinct));
            }
            Err(SubmitError::Ledger(_)) => self.doubtful += 1,
            Err(SubmitError::OverQuota { available, needed, limit, .. }) => {
                assert!(available < needed && limit == DAILY, "{available} {needed} {limit}");
            }
            Err(other) => panic!("{other}"),
        }
    }

    async fn lease(&mut self, number: usize, limit: usize, is_lost: bool) {
        if !self.nodes[number].is_up {
            return;
        }
        let name = self.nodes[number].node.name.clone();
        let Ok(jobs) = self.engine().lease(&name, limit, Duration::ZERO).await else { return };
        if !jobs.is_empty() {
            assert!(!self.has_to_purge(number).await, "{name} was to purge first");
        }
        assert!(jobs.len() <= limit);
        for job in &jobs {
            assert!(!job.items.is_empty(), "a job without items was leased");
            assert!(job.expires_at > self.clock.now());
            assert!(self.runs(&job.task).await, "{name} was handed a job of {}", job.task);
        }
        if !is_lost {
            self.nodes[number].jobs.extend(jobs);
        }
    }

    /// `items` of the `job`-th job of a node; all of them when there are no more.
    async fn work(&mut self, number: usize, job: usize, items: usize, is_last: bool, fate: Fate) {
        let now = self.clock.now();
        let index = job % self.nodes[number].jobs.len();
        let job = self.nodes[number].jobs[index].clone();
        let reports: Vec<_> = {
            let directory = self.engine().directory().borrow().clone();
            let mut net = self.net(&directory);
            job.items.iter().take(items).map(|item| net.fetch(number, item, now)).collect()
        };
        let node = &mut self.nodes[number];
        for (item, report) in job.items.iter().zip(&reports) {
            if report.outcome.is_success() {
                assert!(node.held.contains_key(&item.url));
                let proof = (job.task.clone(), node.node.name.clone(), item.url.clone());
                self.proofs.insert(proof);
            }
        }
        if is_last {
            node.jobs.remove(index);
        } else {
            node.jobs[index].items.drain(..reports.len());
        }
        if !is_last && node.jobs[index].items.is_empty() {
            // a node that has nothing left to do says so
            node.jobs.remove(index);
        }
        let report = Report { job: job.id, token: job.token, items: reports, is_last };
        if fate == Fate::RequestLost {
            return;
        }
        self.sent.push(report.clone());
        let answer = self.engine().report(report.clone()).await;
        assert!(!matches!(answer, Ok(true)) || self.runs(&job.task).await, "{report:?}");
        if fate == Fate::Twice {
            let again = self.engine().report(report.clone()).await;
            let is_first_final = matches!((&answer, &again), (Ok(true), Ok(false)));
            let is_same = matches!((&answer, &again), (Ok(a), Ok(b)) if a == b);
            assert!(is_first_final || is_same || answer.is_err() || again.is_err());
        }
        if fate == Fate::ReplyLost || matches!(answer, Ok(true)) {
            return;
        }
        // a lease that is lost is nothing to go on with
        self.nodes[number].jobs.retain(|job| job.token != report.token);
    }

    async fn beat(&mut self, number: usize) {
        self.hear_of_lost_leases(number).await;
        for job in self.nodes[number].jobs.clone() {
            let moving = |position| ItemProgress {
                position,
                done_bytes: 1 + u64::from(position) * 700,
                total_bytes: (position % 2 == 0).then_some(1000),
            };
            let items = job.items.iter().map(|item| moving(item.position)).collect();
            let beat = Heartbeat { job: job.id, token: job.token, items };
            match self.engine().heartbeat(beat).await {
                Ok(true) => assert!(self.runs(&job.task).await, "{} keeps its lease", job.task),
                Ok(false) => self.nodes[number].jobs.retain(|other| other.token != job.token),
                Err(_) => {}
            }
        }
    }

    /// A viewer asks an edge for the URL with this number, or the one of the mainland.
    fn view(&mut self, node: usize, url: usize) {
        let url = URLS.get(url).copied().unwrap_or(MAINLAND_URL);
        let (_, area, tier, _) = NODES[node];
        let is_served = url != MAINLAND_URL || area == Area::Mainland;
        if tier == Tier::Edge && is_served && self.nodes[node].is_up {
            let url = Target::parse(url, false).unwrap().url;
            let directory = self.engine().directory().borrow().clone();
            self.net(&directory).pull(node, &url);
        }
    }

    fn net<'a>(&'a mut self, directory: &'a Directory) -> Net<'a> {
        Net { nodes: &mut self.nodes, directory, moment: self.moment }
    }

    async fn start(&mut self, number: usize, hears_orders: bool) {
        let was_up = self.nodes[number].is_up;
        self.register(number).await;
        if !was_up && hears_orders {
            self.catch_up(number).await;
        }
    }

    async fn register(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.is_up = true;
        let (node, session) = (node.node.clone(), node.session);
        // a registration that fails is repeated until it is heard
        for _ in 0..10 {
            if self.engine().register(node.clone(), session).await.is_ok() {
                return;
            }
        }
        panic!("a node could not register");
    }

    /// `before_nodes` of the nodes register at once, the others with their next start.
    async fn restart_engine(&mut self, before_nodes: usize) {
        if let Some((flaky, engine)) = self.parts.take() {
            self.settled_before += flaky.settled();
            drop(engine);
            assert_eq!(Arc::strong_count(&flaky), 1, "something holds on to the ledger");
        }
        self.starts += 1;
        self.parts = Some(open(&self.dir, &self.clock, self.starts).await);
        for number in 0..self.nodes.len().min(before_nodes) {
            if self.nodes[number].is_up {
                self.register(number).await;
            }
        }
    }

    /// All faults end; honest nodes work until nothing is left.
    async fn heal(&mut self) {
        self.flaky().fail(0, 0, false);
        for number in 0..self.nodes.len() {
            self.nodes[number].jobs.clear(); // whatever they held, they gave up
            self.start(number, true).await;
        }
        self.resume_all().await;
        for _ in 0..120 {
            for number in 0..self.nodes.len() {
                self.take_orders(number, false).await;
                self.carry_out(number, usize::MAX, Fate::Delivered).await;
                self.lease(number, 10, false).await;
                while !self.nodes[number].jobs.is_empty() {
                    self.work(number, 0, usize::MAX, true, Fate::Delivered).await;
                }
            }
            let tasks = self.tasks().await;
            if tasks.iter().all(|task| task.finished_at.is_some()) && self.are_purges_done().await {
                return;
            }
            self.clock.advance(Duration::from_secs(5));
        }
        panic!("not final after ten minutes without a fault: {:?}", self.tasks().await);
    }

    pub(crate) async fn tasks(&self) -> Vec<TaskRow> {
        let filter = TaskFilter { limit: 1000, ..TaskFilter::default() };
        self.flaky().inner().tasks(&filter).await.unwrap().rows
    }

    pub(crate) async fn targets(&self, task: &TaskId) -> Vec<TargetRow> {
        let task = Some(task.clone());
        let filter = TargetFilter { task, limit: 1000, ..TargetFilter::default() };
        self.flaky().inner().targets(&filter).await.unwrap().rows
    }

    async fn check(&mut self) {
        self.check_purges().await;
        let tasks = self.tasks().await;
        let known = tasks.len() as u64;
        let accepted = self.accepted.len() as u64;
        assert!((accepted..=accepted + self.doubtful).contains(&known), "{known} {accepted}");
        let mut charged = BTreeMap::new();
        for task in &tasks {
            let rows = self.targets(&task.task.id).await;
            self.check_task(task, &rows);
            for row in rows {
                self.charge(&row, &mut charged);
                self.check_target(row);
            }
        }
        for (receipt, _) in &self.accepted {
            assert!(tasks.iter().any(|task| task.task.id == receipt.task), "{receipt:?} is lost");
        }
        self.check_quota(&charged).await;
        self.check_views().await;
    }

    fn check_task(&self, task: &TaskRow, rows: &[TargetRow]) {
        let count = |progress| rows.iter().filter(|row| row.progress == progress).count() as u64;
        let counts = (task.targets, task.done, task.failed);
        let found = (rows.len() as u64, count(Progress::Done), count(Progress::Failed));
        assert_eq!(counts, found, "{task:?}");
        let canceled = rows.iter().filter(|row| row.outcome == Some(Outcome::Canceled)).count();
        assert_eq!(task.canceled, canceled as u64, "{task:?}");
        let is_canceled = matches!(task.state, TaskState::Canceled(_));
        assert!(is_canceled || canceled == 0, "{task:?}");
        assert_eq!(task.finished_at.is_some(), task.done + task.failed == task.targets);
        let mut urls: Vec<_> = rows.iter().map(|row| row.url.as_str()).collect();
        urls.sort_unstable();
        assert!(urls.windows(2).all(|pair| pair[0] != pair[1]), "a URL twice: {urls:?}");
        let own: Vec<_> = {
            let submitted = rows.iter().filter(|row| row.parent.is_none());
            let mut own: Vec<_> = submitted.map(|row| row.url.clone()).collect();
            own.sort();
            own
        };
        if let Some((_, given)) = self.accepted.iter().find(|(r, _)| r.task == task.task.id) {
            assert_eq!(&own, given);
        }
        let follows = task.task.options.media == MediaPolicy::Segments;
        for row in rows.iter().filter(|row| follows && row.progress == Progress::Done) {
            let Origin::Playlist(children) = origin(&row.url) else { continue };
            for (child, _) in children {
                assert!(urls.contains(child), "{child} of {} is missing", row.url);
            }
        }
    }

    fn check_target(&mut self, row: TargetRow) {
        if let Some(before) = self.finals.get(&row.id) {
            assert_eq!(before, &row, "it changed after it was final");
            return;
        }
        if row.progress == Progress::Processing {
            return;
        }
        let outcome = row.outcome.expect("what is final has an outcome");
        if row.progress == Progress::Done {
            assert!(outcome.is_success());
            let target = Target::parse(&row.url, false).unwrap();
            let directory = self.engine().directory().borrow().clone();
            let (areas, tier) = (row.task.areas, row.task.tier);
            for holder in directory.fleet().holders(target.key(), areas, tier).iter() {
                let proof = (row.task.id.clone(), holder.name.clone(), row.url.clone());
                assert!(self.proofs.contains(&proof), "{proof:?} never reported it");
            }
            assert!(row.nodes > 0 && row.nodes == row.settled_nodes);
        }
        assert!(is_allowed(&row, outcome), "{} ended as {outcome}", row.url);
        self.finals.insert(row.id, row);
    }

    fn charge(&self, row: &TargetRow, charged: &mut BTreeMap<(Area, i64), u64>) {
        let is_free =
            row.nodes == 0 && matches!(row.outcome, Some(Outcome::OverQuota | Outcome::Blocked(_)));
        if !is_free {
            for area in row.task.areas.areas() {
                *charged.entry((*area, day(row.created_at))).or_default() += 1;
            }
        }
    }

    async fn check_quota(&self, charged: &BTreeMap<(Area, i64), u64>) {
        for ((area, day), expected) in charged {
            let counter = Counter { product: Product::DomainPrefetch, area: *area, day: *day };
            let used = self.flaky().inner().used(self.account.id, counter).await.unwrap();
            assert_eq!(used, *expected, "{counter:?}");
            assert!(used <= DAILY);
        }
    }

    async fn check_views(&self) {
        if self.flaky().is_failing() {
            return;
        }
        let filter = TargetFilter { limit: 1000, ..TargetFilter::default() };
        for view in self.engine().targets(&filter).await.unwrap().rows {
            assert_eq!(view.percent == 100, view.row.progress == Progress::Done, "{view:?}");
        }
        let filter = TaskFilter { limit: 1000, ..TaskFilter::default() };
        for view in self.engine().tasks(&filter).await.unwrap().rows {
            assert_eq!(view.percent == 100, view.row.done == view.row.targets, "{view:?}");
        }
    }

    async fn check_end(&self) {
        let mut items = 0;
        for task in self.tasks().await {
            for row in self.targets(&task.task.id).await {
                assert_ne!(row.progress, Progress::Processing, "{row:?}");
                items += u64::from(row.nodes);
            }
        }
        let settled = self.settled_before + self.flaky().settled();
        assert_eq!(settled, items, "every item is settled exactly once");
    }
}

/// Whether the world can lead to this outcome.
fn is_allowed(row: &TargetRow, outcome: Outcome) -> bool {
    let url = row.url.as_str();
    let is_bounded = matches!(
        outcome,
        Outcome::OverQuota | Outcome::Blocked(Block::TooManyChildren | Block::TooDeep)
    );
    // whether its task was canceled is looked at with the task
    if outcome == Outcome::Canceled || (row.parent.is_some() && is_bounded) {
        return true;
    }
    match origin(url) {
        _ if url.contains("stranger") || url.contains("user@") => {
            outcome == Outcome::Blocked(Block::Ownership)
        }
        _ if url.contains("stopped") => outcome == Outcome::Blocked(Block::Offline),
        Origin::Missing => outcome == Outcome::OriginStatus(404),
        Origin::Fails(u32::MAX) => matches!(outcome, Outcome::OriginError(_)),
        Origin::Fails(_) => outcome.is_success() || matches!(outcome, Outcome::OriginError(_)),
        // what it names may find its task full
        Origin::Playlist(_) => {
            outcome.is_success() || outcome == Outcome::Blocked(Block::TooManyChildren)
        }
        Origin::Fine => outcome.is_success(),
    }
}

/// This node, or all.
fn each(node: Option<usize>) -> Range<usize> {
    node.map_or(0..NODES.len(), |node| node..node + 1)
}

async fn add_domains((flaky, engine): &(Arc<Flaky>, Arc<Engine>), account: AccountId) {
    let new = |host: &str, areas, shield| NewDomain {
        host: host.into(),
        origin: "http://origin.example.com".parse().unwrap(),
        areas,
        shield,
        cache: CacheRules::default(),
        is_vouched_for: false,
    };
    let www = new("WWW.example.com", AreaScope::Global, Shield::Global);
    let domain = engine.add_domain(account, www).await.unwrap();
    let name = "stopped.example.com".into();
    let stopped = Domain { name, status: Status::Offline, ..domain };
    flaky.inner().put_domain(&stopped).await.unwrap();
    let apart = ZoneChoice::Named(APART.into());
    let new = new(MAINLAND, AreaScope::Mainland, Shield::PerArea);
    engine.add_domain_to(account, new, apart, VendorSettings::new()).await.unwrap();
    let limits = Limits { batch: 100, daily: DAILY_PURGES };
    for product in Product::ALL.into_iter().filter(|one| !Product::PREFETCH.contains(one)) {
        engine.set_limits(account, product, None, limits).await.unwrap();
    }
}

async fn open(dir: &TempDir, clock: &FakeClock, seed: u64) -> (Arc<Flaky>, Arc<Engine>) {
    let sqlite = Sqlite::open(dir.path().join("ledger.sqlite")).unwrap();
    let flaky = Flaky::new(sqlite);
    let nodes = SimulatedNode::all().into_iter().map(|node| node.node).collect();
    // longer than all jumps of a case together
    let retention = Duration::from_secs(400 * 86_400);
    // so short that what always fails ends while the case heals
    let patience = Duration::from_secs(120);
    let max_targets_per_task = MAX_TARGETS;
    let config = Config { max_targets_per_task, nodes, retention, patience, ..Config::default() };
    let engine = Engine::open(flaky.ledger(), Arc::new(clock.clone()), seed, config).await.unwrap();
    (flaky, engine)
}
