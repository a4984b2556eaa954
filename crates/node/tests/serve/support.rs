//! A small network: scripted origin, nodes on free ports, a client that shows raw replies, and a
//! source of jobs that a test fills.

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use stoker_agent::{Error, JobSource};
use stoker_domain::{
    account::AccountId,
    area::{Area, Tier},
    directory::Directory,
    domain::{Domain, NodeDomain},
    job::{Heartbeat, ItemReport, JobId, JobItem, LeaseToken, LeasedJob, Report, StoreHealth},
    pace::{Demand, Grant},
    placement::Node,
    purge::{Method, PurgeOrder, Scope},
    task::{FetchOptions, TaskId},
    time::{Clock, Timestamp},
};
use stoker_node::{Config, Running, start};
use stoker_testkit::{FakeClock, Origin, eventually};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, watch},
};

pub(crate) const HOST: &str = "www.example.com";
pub(crate) const SECRET: &str = "between nodes";
pub(crate) const SOON: Duration = Duration::from_secs(120);
/// For what a slow machine may take long for.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// Changes what a node is told when it starts.
type Tuning = Arc<dyn Fn(&mut Config) + Send + Sync>;

/// Nodes before one origin.
pub(crate) struct Net {
    pub(crate) origin: Origin,
    pub(crate) clock: FakeClock,
    pub(crate) directory: watch::Sender<Arc<Directory>>,
    pub(crate) sources: HashMap<String, Arc<Source>>,
    pub(crate) dir: TempDir,
    nodes: HashMap<String, Running>,
    tuning: Tuning,
}

const FULL: [(&str, Area, Tier); 4] = [
    ("edge-mainland", Area::Mainland, Tier::Edge),
    ("edge-overseas", Area::Overseas, Tier::Edge),
    ("middle-mainland", Area::Mainland, Tier::Middle),
    ("middle-overseas", Area::Overseas, Tier::Middle),
];

impl Net {
    /// The nodes of [`Self::single`].
    pub(crate) const EDGE: [(&'static str, Area, Tier); 1] = [("edge", Area::Mainland, Tier::Edge)];

    /// One edge node that asks the origin itself.
    pub(crate) async fn single() -> Self {
        Self::of(&Self::EDGE).await
    }

    /// Edge and middle in both areas, as `stoker up` has them.
    pub(crate) async fn full() -> Self {
        Self::of(&FULL).await
    }

    /// As [`Self::single`] or [`Self::full`]; the nodes wait for slow viewers, and believe the
    /// proxies at these addresses.
    pub(crate) async fn patient(is_full: bool, proxies: &'static [&'static str]) -> Self {
        Self::configured(if is_full { &FULL[..] } else { &Self::EDGE }, move |config| {
            config.head_timeout = Duration::from_secs(60);
            config.trusted_proxies =
                proxies.iter().map(|net| net.parse().expect("a range")).collect();
        })
        .await
    }

    pub(crate) async fn of(wanted: &[(&str, Area, Tier)]) -> Self {
        Self::configured(wanted, |_| {}).await
    }

    /// Nodes whose configuration `tune` changes.
    pub(crate) async fn configured(
        wanted: &[(&str, Area, Tier)],
        tune: impl Fn(&mut Config) + Send + Sync + 'static,
    ) -> Self {
        let origin = Origin::start().await;
        let mut net = Self {
            directory: watch::Sender::new(Arc::new(Directory::default())),
            clock: FakeClock::default(),
            sources: HashMap::new(),
            dir: tempfile::tempdir().expect("a temporary directory"),
            nodes: HashMap::new(),
            tuning: Arc::new(tune),
            origin,
        };
        for (name, area, tier) in wanted {
            net.start(name, *area, *tier).await;
        }
        net.put_domain(|_| {});
        net
    }

    async fn start(&mut self, name: &str, area: Area, tier: Tier) {
        self.start_with(name, area, tier, Arc::default()).await;
    }

    async fn start_with(&mut self, name: &str, area: Area, tier: Tier, source: Arc<Source>) {
        let node = Node {
            name: name.into(),
            area,
            tier,
            cluster: format!("{name}-cluster"),
            address: String::new(),
        };
        let running = self.launch(&node, &source).await;
        let node = Node { address: running.address().to_string(), ..node };
        self.directory.send_modify(|directory| {
            let directory = Arc::make_mut(directory);
            directory.put_node(node);
        });
        self.sources.insert(name.into(), source);
        self.nodes.insert(name.into(), running);
    }

    async fn launch(&self, node: &Node, source: &Arc<Source>) -> Running {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = Config::new(node.clone(), listen, self.dir.path().into(), 64 << 20);
        config.peer_secret = SECRET.into();
        config.seed = 7;
        config.head_timeout = Duration::from_millis(500);
        config.write_timeout = Duration::from_secs(1);
        config.catch_up_patience = Duration::from_millis(500);
        (self.tuning)(&mut config);
        let source: Arc<dyn JobSource> = Arc::clone(source) as _;
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        start(config, self.directory.subscribe(), source, clock).await.expect("a node that starts")
    }

    /// Stops a node and starts it again in the same directory.
    pub(crate) async fn restart(&mut self, name: &str) {
        self.restart_with(name, Arc::default()).await;
    }

    /// As [`Self::restart`], with a source that has something for it already.
    pub(crate) async fn restart_with(&mut self, name: &str, source: Arc<Source>) {
        self.take(name).shutdown(SOON).await;
        let directory = self.directory.borrow().clone();
        let node = directory.fleet().node(name).expect("a node of that name");
        self.start_with(name, node.area, node.tier, source).await;
    }

    /// Takes a node out, so that the test can stop it.
    pub(crate) fn take(&mut self, name: &str) -> Running {
        self.nodes.remove(name).expect("a node that runs")
    }

    /// Publishes the domain [`HOST`], changed by `change`.
    pub(crate) fn put_domain(&self, change: impl FnOnce(&mut NodeDomain)) {
        self.put_named(HOST, change);
    }

    /// Publishes the domain `host`, changed by `change`.
    pub(crate) fn put_named(&self, host: &str, change: impl FnOnce(&mut NodeDomain)) {
        let mut origin: stoker_domain::domain::Origin = self.origin.url().parse().expect("a URL");
        origin.allow_private = true;
        let mut domain = Domain::new(host, AccountId(1), origin, Timestamp::default()).for_nodes();
        change(&mut domain);
        self.directory.send_modify(|directory| {
            Arc::make_mut(directory).put_domain(domain);
        });
    }

    pub(crate) fn address(&self, node: &str) -> SocketAddr {
        self.nodes[node].address()
    }

    pub(crate) fn running(&self, node: &str) -> &Running {
        &self.nodes[node]
    }

    /// GET `path` of [`HOST`] at `node`, with further field lines.
    pub(crate) async fn get(&self, node: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.ask(node, "GET", path, fields).await
    }

    pub(crate) async fn ask(
        &self,
        node: &str,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Reply {
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text.push_str(&format!("Host: {HOST}\r\n"));
        }
        for (name, value) in fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        raw(self.address(node), text.as_bytes()).await.expect("a reply")
    }

    /// Waits until no fill runs: nobody can join one that began before the clock is moved.
    pub(crate) async fn idle(&self) {
        eventually(SOON, "no fill runs", || async {
            self.nodes.values().all(|node| node.stats().fills == 0).then_some(())
        })
        .await;
    }

    /// Waits until `path` is a hit at `node`, because a viewer's fill ends after the viewer.
    pub(crate) async fn until_hit(&self, node: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
        eventually(SOON, "a hit", || async {
            let mut fields = fields.to_vec();
            fields.push(("cache-control", "only-if-cached"));
            let reply = self.get(node, path, &fields).await;
            reply.status_is_hit().then_some(reply)
        })
        .await
    }
}

/// A reply, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the content was as long as announced.
    pub(crate) is_whole: bool,
}

impl Reply {
    /// All lines of a field, joined; empty when absent.
    pub(crate) fn field(&self, name: &str) -> String {
        let lines: Vec<_> = self
            .fields
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .collect();
        lines.join(", ")
    }

    pub(crate) fn status_is_hit(&self) -> bool {
        self.field("cache-status").contains("; hit")
    }

    pub(crate) fn cache_status(&self) -> String {
        self.field("cache-status")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends `bytes` and reads all that comes until the server closes; `None` when nothing came.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Option<Reply> {
    let mut stream = TcpStream::connect(address).await.expect("a listener");
    stream.write_all(bytes).await.expect("a server that reads");
    let mut answer = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await;
    // a reset after the last byte is as good as a close
    let _ = read.expect("the server ends the connection");
    parse(&answer)
}

pub(crate) fn parse(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let fields = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut reply = Reply { status, fields, body: answer[end + 4..].to_vec(), is_whole: true };
    if reply.field("transfer-encoding") == "chunked" {
        (reply.body, reply.is_whole) = dechunk(&reply.body);
    } else if let Ok(length) = reply.field("content-length").parse::<usize>() {
        reply.is_whole = reply.body.len() == length;
    }
    Some(reply)
}

fn dechunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).expect("a chunk size");
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        if size == 0 {
            return (content, true);
        }
        let Some(chunk) = bytes.get(end + 2..end + 2 + size) else { break };
        content.extend_from_slice(chunk);
        bytes = &bytes[end + 4 + size..];
    }
    (content, false)
}

/// A source of jobs that a test fills, and that remembers what it was told.
#[derive(Default)]
pub(crate) struct Source {
    state: Mutex<SourceState>,
    doorbell: Notify,
    purge_bell: Notify,
}

#[derive(Default)]
struct SourceState {
    waiting: VecDeque<LeasedJob>,
    leased: Vec<i64>,
    lost: Vec<i64>,
    reports: Vec<Report>,
    calls: usize,
    unanswered: usize,
    beats: Vec<Heartbeat>,
    registered: Vec<(Node, u64)>,
    purges: Vec<PurgeOrder>,
    purged: Vec<u64>,
    unheard_purges: usize,
    is_deaf: bool,
    refuses_leases: bool,
    accepted_at: Timestamp,
}

impl Source {
    fn with<T>(&self, act: impl FnOnce(&mut SourceState) -> T) -> T {
        act(&mut self.state.lock().expect("no test panics under the lock"))
    }

    /// Puts up a job for these URLs; with how many playlist levels.
    pub(crate) fn put(&self, id: i64, urls: &[&str], levels: u8, options: FetchOptions) {
        let items = urls.iter().enumerate().map(|(position, url)| JobItem {
            position: position as u16,
            url: (*url).into(),
            levels,
            // those that were submitted have three
            is_named: matches!(levels, 1 | 2),
        });
        let job = LeasedJob {
            id: JobId(id),
            token: LeaseToken(id as u64 * 1000),
            expires_at: Timestamp::from_millis(i64::MAX),
            task: TaskId("1".into()),
            account: AccountId(1),
            accepted_at: self.with(|state| state.accepted_at),
            attempt: 1,
            options,
            items: items.collect(),
        };
        self.with(|state| state.waiting.push_back(job));
        self.doorbell.notify_one();
    }

    /// Jobs that are put up from now on belong to a task that was accepted at `moment`.
    pub(crate) fn accept_at(&self, moment: Timestamp) {
        self.with(|state| state.accepted_at = moment);
    }

    /// Puts up a purge order.
    pub(crate) fn put_purge(&self, number: u64, scope: Scope, method: Method, url: &str) {
        let order = PurgeOrder { number, scope, method, targets: vec![url.into()] };
        self.with(|state| state.purges.push(order));
        self.purge_bell.notify_one();
    }

    /// Puts up a purge order and waits until it is confirmed.
    pub(crate) async fn purge(&self, number: u64, scope: Scope, method: Method, url: &str) {
        self.put_purge(number, scope, method, url);
        eventually(SOON, "the purge", || async { self.purged().contains(&number).then_some(()) })
            .await;
    }

    /// The orders that were confirmed, one entry for each time.
    pub(crate) fn purged(&self) -> Vec<u64> {
        self.with(|state| state.purged.clone())
    }

    /// The next `confirmations` of purge orders are lost on the way.
    pub(crate) fn lose_confirmations(&self, confirmations: usize) {
        self.with(|state| state.unheard_purges = confirmations);
    }

    /// Whether nobody can register or ask for purges.
    pub(crate) fn be_deaf(&self, is_deaf: bool) {
        self.with(|state| state.is_deaf = is_deaf);
    }

    /// Whether calls that lease jobs fail.
    pub(crate) fn refuse_leases(&self, refuses: bool) {
        self.with(|state| state.refuses_leases = refuses);
        self.doorbell.notify_one();
    }

    /// From now on the lease of job `id` is somebody else's.
    pub(crate) fn lose(&self, id: i64) {
        self.with(|state| state.lost.push(id));
    }

    /// The answers to the next `reports` reports are lost.
    pub(crate) fn lose_answers(&self, reports: usize) {
        self.with(|state| state.unanswered = reports);
    }

    pub(crate) fn reports(&self) -> Vec<Report> {
        self.with(|state| state.reports.clone())
    }

    pub(crate) fn report_calls(&self) -> usize {
        self.with(|state| state.calls)
    }

    pub(crate) fn beats(&self) -> Vec<Heartbeat> {
        self.with(|state| state.beats.clone())
    }

    pub(crate) fn registered(&self) -> Vec<(Node, u64)> {
        self.with(|state| state.registered.clone())
    }

    pub(crate) fn leased(&self) -> Vec<i64> {
        self.with(|state| state.leased.clone())
    }

    /// Waits for the last report of job `id`; all its items, by position.
    pub(crate) async fn ended(&self, id: i64) -> Vec<ItemReport> {
        eventually(SOON * 3, "the last report", || async {
            let reports = self.reports();
            reports.iter().any(|report| report.job.0 == id && report.is_last).then_some(())
        })
        .await;
        let reports = self.reports().into_iter().filter(|report| report.job.0 == id);
        let mut items: Vec<_> = reports.flat_map(|report| report.items).collect();
        items.sort_by_key(|item| item.position);
        items
    }

    /// Puts up one URL and waits for what became of it.
    pub(crate) async fn run(&self, id: i64, url: &str, levels: u8) -> ItemReport {
        self.put(id, &[url], levels, FetchOptions::default());
        self.ended(id).await.remove(0)
    }
}

#[async_trait]
impl JobSource for Source {
    async fn register(&self, node: &Node, session: u64) -> Result<(), Error> {
        self.with(|state| match state.is_deaf {
            true => Err(Error::Unreachable(None)),
            false => {
                state.registered.push((node.clone(), session));
                Ok(())
            }
        })
    }

    async fn lease(&self, _node: &str, limit: usize) -> Result<Vec<LeasedJob>, Error> {
        loop {
            if self.with(|state| state.refuses_leases) {
                return Err(Error::Unreachable(None));
            }
            let jobs: Vec<_> = self.with(|state| {
                let count = limit.min(state.waiting.len());
                let jobs: Vec<_> = state.waiting.drain(..count).collect();
                state.leased.extend(jobs.iter().map(|job| job.id.0));
                jobs
            });
            if !jobs.is_empty() {
                return Ok(jobs);
            }
            self.doorbell.notified().await;
        }
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<(), Error> {
        self.with(|state| {
            let is_lost = state.lost.contains(&beat.job.0);
            state.beats.push(beat);
            if is_lost { Err(Error::LeaseLost) } else { Ok(()) }
        })
    }

    async fn lost_leases(&self, _: &str) -> Result<Vec<(JobId, LeaseToken)>, Error> {
        std::future::pending().await
    }

    async fn health(&self, _: &str, _: StoreHealth) -> Result<(), Error> {
        Ok(())
    }

    async fn pace(&self, _: &str, _: Vec<Demand>) -> Result<Vec<Grant>, Error> {
        Err(Error::Unreachable(None))
    }

    async fn purges(&self, _node: &str) -> Result<Vec<PurgeOrder>, Error> {
        loop {
            let open = self.with(|state| state.purges.clone());
            if !open.is_empty() {
                return Ok(open);
            }
            self.purge_bell.notified().await;
        }
    }

    async fn open_purges(&self, _node: &str) -> Result<Vec<PurgeOrder>, Error> {
        self.with(|state| match state.is_deaf {
            true => Err(Error::Unreachable(None)),
            false => Ok(state.purges.clone()),
        })
    }

    async fn confirm_purge(&self, _node: &str, number: u64) -> Result<(), Error> {
        self.with(|state| {
            state.purged.push(number);
            if state.unheard_purges > 0 {
                state.unheard_purges -= 1;
                return Err(Error::Unreachable(None));
            }
            state.purges.retain(|order| order.number != number);
            Ok(())
        })
    }

    async fn report(&self, report: Report) -> Result<(), Error> {
        self.with(|state| {
            state.calls += 1;
            if state.lost.contains(&report.job.0) {
                return Err(Error::LeaseLost);
            }
            if state.unanswered > 0 {
                state.unanswered -= 1;
                return Err(Error::Unreachable(None));
            }
            state.reports.push(report);
            Ok(())
        })
    }
}
