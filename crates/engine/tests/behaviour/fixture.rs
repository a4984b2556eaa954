//! An engine with one account, one domain and the four nodes of `stoker up`.

use std::{path::Path, sync::Arc, time::Duration};

use stoker_domain::{
    account::Account,
    area::{Area, AreaScope, Tier},
    domain::{CacheRules, Shield},
    job::{ItemReport, LeasedJob, Report},
    outcome::Outcome,
    placement::Node,
    quota::{Limits, Product},
    task::{FetchOptions, MediaPolicy, TaskId},
    time::{Clock, Timestamp},
    view::{TargetFilter, TaskFilter},
};
use stoker_engine::{
    BatchLimit, Config, Engine, NewDomain, Receipt, Submission, TargetView, TaskView,
};
use stoker_ledger::{Ledger, Sqlite};
use stoker_testkit::FakeClock;
use tempfile::TempDir;

pub(crate) const HOST: &str = "www.example.com";
pub(crate) const MIDDLE: &str = "middle-mainland";

pub(crate) struct Fixture {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: FakeClock,
    pub(crate) account: Account,
    pub(crate) ledger: Arc<dyn Ledger>,
    dir: TempDir,
}

impl Fixture {
    /// Ownership of hosts is waived: it is the subject of `ownership` alone.
    pub(crate) async fn new() -> Self {
        Self::with(Config { waives_verification: true, ..Config::default() }).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = FakeClock::default();
        let (engine, ledger) = open(&dir, &clock, config).await;
        let limits = Limits { batch: 500, daily: 10 };
        let account = engine.create_account("100000000001".into(), 1, limits).await.unwrap();
        engine.add_domain(account.id, domain(HOST, AreaScope::Global)).await.unwrap();
        Self { engine, clock, account, ledger, dir }
    }

    /// As after a restart: a new engine on the same ledger, and every node in a new session.
    pub(crate) async fn reopen(self, config: Config) -> Self {
        let Self { engine, clock, account, ledger, dir } = self;
        drop((engine, ledger));
        let (engine, ledger) = open(&dir, &clock, config).await;
        Self { engine, clock, account, ledger, dir }
    }

    /// Where the files of the ledger are.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn submit(&self, urls: &[&str]) -> Receipt {
        self.engine.submit(&self.account, submission(urls)).await.unwrap()
    }

    /// The jobs that are due for the mainland's middle node.
    pub(crate) async fn lease(&self) -> Vec<LeasedJob> {
        self.engine.lease(MIDDLE, 10, Duration::ZERO).await.unwrap()
    }

    pub(crate) async fn report(&self, job: &LeasedJob, items: Vec<ItemReport>) -> bool {
        let report = Report { job: job.id, token: job.token, items, is_last: true };
        self.engine.report(report).await.unwrap()
    }

    pub(crate) async fn targets(&self, task: &TaskId) -> Vec<TargetView> {
        let task = Some(task.clone());
        let filter = TargetFilter { task, limit: 100, ..TargetFilter::default() };
        self.engine.targets(&filter).await.unwrap().rows
    }

    pub(crate) async fn task(&self, task: &TaskId) -> TaskView {
        let filter = TaskFilter { id: Some(task.clone()), limit: 1, ..TaskFilter::default() };
        self.engine.tasks(&filter).await.unwrap().rows.remove(0)
    }

    /// What the account has used today, mainland and overseas.
    pub(crate) async fn used(&self) -> (u64, u64) {
        let quota = self.engine.quota(self.account.id, Product::DomainPrefetch).await.unwrap();
        (quota[0].used, quota[1].used)
    }
}

async fn open(dir: &TempDir, clock: &FakeClock, config: Config) -> (Arc<Engine>, Arc<dyn Ledger>) {
    let ledger: Arc<dyn Ledger> = Arc::new(Sqlite::open(dir.path().join("ledger.sqlite")).unwrap());
    let engine =
        Engine::open(Arc::clone(&ledger), Arc::new(clock.clone()), 1, config).await.unwrap();
    for (area, tier) in [
        (Area::Mainland, Tier::Edge),
        (Area::Overseas, Tier::Edge),
        (Area::Mainland, Tier::Middle),
        (Area::Overseas, Tier::Middle),
    ] {
        engine.register(node(area, tier), 1).await.unwrap();
    }
    (engine, ledger)
}

pub(crate) fn node(area: Area, tier: Tier) -> Node {
    Node {
        name: format!("{tier}-{area}"),
        area,
        tier,
        cluster: area.to_string(),
        address: "127.0.0.1:1".into(),
    }
}

pub(crate) fn domain(host: &str, areas: AreaScope) -> NewDomain {
    NewDomain {
        host: host.into(),
        origin: "http://origin.example.com".parse().unwrap(),
        areas,
        shield: Shield::Global,
        cache: CacheRules::default(),
        is_vouched_for: false,
    }
}

/// To the mainland's middle node, playlists followed.
pub(crate) fn submission(urls: &[&str]) -> Submission {
    Submission {
        urls: urls.iter().map(|url| (*url).into()).collect(),
        areas: Some(AreaScope::Mainland),
        zone: None,
        tier: None,
        options: FetchOptions { media: MediaPolicy::Segments, ..FetchOptions::default() },
        encode: false,
        product: Product::DomainPrefetch,
        batch_limit: BatchLimit::AtMost(500),
        retry_of: None,
    }
}

pub(crate) fn item(position: u16, outcome: Outcome) -> ItemReport {
    ItemReport {
        size_bytes: outcome.is_success().then_some(1000),
        pulled_bytes: if outcome == Outcome::Filled { 1000 } else { 0 },
        ..ItemReport::new(position, outcome)
    }
}
