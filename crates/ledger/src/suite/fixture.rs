//! What the behaviours share: two accounts, ways to make tasks, leases and reports.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    account::{Account, AccountId},
    area::{Area, AreaScope, Tier},
    job::{ItemReport, LeasedJob},
    media::NotFollowed,
    outcome::Outcome,
    placement::{Fleet, Node, NodeSet},
    purge::{Method, Scope},
    quota::{self, Counter, Product},
    task::{FetchOptions, Task, TaskId},
    time::Timestamp,
    view::{PurgeTarget, TargetFilter, TargetRow, TaskFilter, TaskRow},
};

use crate::{
    Applied, Charge, Error, ItemDecision, Ledger, NewPurge, NewTask, PlannedTarget, ReportWrite,
    Submitted,
};

/// The moment at which the behaviours begin: in the middle of a minute, an hour and a day.
pub const T0: Timestamp = Timestamp::from_millis(1_700_000_123_456);
/// How long leases last.
pub const LEASE: Duration = Duration::from_secs(30);
/// The daily limit that charges carry unless said otherwise.
pub const DAILY: u64 = 10_000_000;

/// `seconds` after [`T0`].
pub fn at(seconds: u64) -> Timestamp {
    T0 + Duration::from_secs(seconds)
}

/// The counter of `cdn` in `area` on the day of [`T0`].
pub fn counter(area: Area) -> Counter {
    Counter { product: Product::DomainPrefetch, area, day: quota::day(T0) }
}

/// One unit of each area in `areas` for each target, up to `daily`.
pub fn charges(areas: AreaScope, daily: u64) -> Vec<Charge> {
    areas.areas().iter().map(|area| Charge { counter: counter(*area), daily }).collect()
}

/// `count` URLs of one host.
pub fn urls(host: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("http://{host}/{number}")).collect()
}

/// Nodes of these names, each alone in its cluster.
pub fn nodes_named(names: &[&str]) -> NodeSet {
    let node = |name: &&str| Node {
        name: (*name).into(),
        area: Area::Mainland,
        tier: Tier::Middle,
        cluster: (*name).into(),
        address: String::new(),
    };
    NodeSet::all(Fleet::new(names.iter().map(node)))
}

/// A target for `nodes`.
pub fn target(url: &str, nodes: &[&str]) -> PlannedTarget {
    let host = url.split('/').nth(2).unwrap_or_default();
    PlannedTarget {
        url: url.into(),
        host: host.into(),
        levels: 0,
        nodes: nodes_named(nodes),
        settled: None,
    }
}

/// Targets of `urls`, all for `nodes`.
pub fn targets<U: AsRef<str>>(urls: &[U], nodes: &[&str]) -> Vec<PlannedTarget> {
    urls.iter().map(|url| target(url.as_ref(), nodes)).collect()
}

/// A report of one item, with what a node says of it.
pub fn item(position: u16, outcome: Outcome) -> ItemReport {
    let is_success = outcome.is_success();
    ItemReport {
        retry_after_seconds: None,
        position,
        outcome,
        size_bytes: is_success.then_some(1000 + u64::from(position)),
        pulled_bytes: 7,
        validator: is_success.then(|| format!("\"v{position}\"")),
        verified_at: is_success.then_some(at(5)),
        fresh_until: is_success.then_some(at(3600)),
        detail: (!is_success).then(|| format!("origin said {outcome}")),
        children: Vec::new(),
        not_followed: NotFollowed::default(),
    }
}

/// A ledger with two accounts.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// Whose tasks they are unless said otherwise.
    pub account: AccountId,
    /// Somebody else.
    pub stranger: AccountId,
}

impl Fixture {
    /// Creates the accounts in an empty ledger.
    pub async fn new(ledger: Arc<dyn Ledger>) -> Self {
        let [account, stranger] = [account("100000000001"), account("100000000002")];
        let account = ledger.create_account(account).await.expect("the ledger is empty");
        let stranger = ledger.create_account(stranger).await.expect("the ledger is empty");
        Self { ledger, account, stranger }
    }

    /// A mainland task created at [`T0`].
    pub fn task(&self, id: &str) -> Task {
        Task {
            id: TaskId(id.into()),
            account: self.account,
            product: Product::DomainPrefetch,
            areas: AreaScope::Mainland,
            tier: None,
            options: FetchOptions::default(),
            created_at: T0,
        }
    }

    /// A task with targets, charged in its areas.
    pub fn new_task(&self, task: Task, targets: Vec<PlannedTarget>) -> NewTask {
        NewTask { charges: charges(task.areas, DAILY), task, targets, retry_of: None }
    }

    /// Submits a mainland task of `urls` for `nodes`.
    pub async fn submit<U: AsRef<str>>(&self, id: &str, urls: &[U], nodes: &[&str]) -> Submitted {
        let task = self.new_task(self.task(id), targets(urls, nodes));
        self.ledger.submit(task).await.expect("the quota suffices")
    }

    /// Leases what is due at `now`, seeded by the moment.
    pub async fn lease(&self, node: &str, limit: usize, now: Timestamp) -> Vec<LeasedJob> {
        let seed = now.as_millis().cast_unsigned();
        self.ledger.lease(node, limit, now, now + LEASE, seed).await.expect("lease")
    }

    /// Leases the one job that is due.
    pub async fn lease_one(&self, node: &str, now: Timestamp) -> LeasedJob {
        let mut jobs = self.lease(node, 10, now).await;
        assert_eq!(jobs.len(), 1, "jobs due for {node}");
        jobs.remove(0)
    }

    /// Reports final outcomes by position.
    pub async fn settle(
        &self,
        job: &LeasedJob,
        items: &[(u16, Outcome)],
        now: Timestamp,
    ) -> Applied {
        let items = items.iter().map(|(position, outcome)| (item(*position, *outcome), true));
        self.report(job, items, false, now).await.expect("report")
    }

    /// Reports all items of a job as final with one outcome.
    pub async fn settle_all(&self, job: &LeasedJob, outcome: Outcome, now: Timestamp) -> Applied {
        let items = job.items.iter().map(|leased| (item(leased.position, outcome), true));
        self.report(job, items, true, now).await.expect("report")
    }

    /// Reports items, each final or not; an unfinished job waits ten seconds.
    pub async fn report(
        &self,
        job: &LeasedJob,
        items: impl IntoIterator<Item = (ItemReport, bool)>,
        is_last: bool,
        now: Timestamp,
    ) -> Result<Applied, Error> {
        let items = items.into_iter().map(|(report, is_final)| ItemDecision { report, is_final });
        let report = ReportWrite {
            job: job.id,
            token: job.token,
            items: items.collect(),
            is_last,
            not_before: now + Duration::from_secs(10),
            now,
        };
        self.ledger.report(report).await
    }

    /// A purge of `urls` in the mainland at [`T0`], free of charge.
    pub fn purge(&self, id: &str, urls: &[String], phases: Vec<Vec<String>>) -> NewPurge {
        let target = |url: &String| PurgeTarget { url: url.clone(), host: "a.example".into() };
        NewPurge {
            id: TaskId(id.into()),
            account: self.account,
            product: Product::DomainPurgeUrl,
            scope: Scope::Url,
            method: Method::Delete,
            areas: AreaScope::Mainland,
            created_at: T0,
            targets: urls.iter().map(target).collect(),
            charges: Vec::new(),
            phases,
        }
    }

    /// The row of a task.
    pub async fn row(&self, id: &str) -> TaskRow {
        let filter = TaskFilter { id: Some(TaskId(id.into())), limit: 1, ..TaskFilter::default() };
        let mut page = self.ledger.tasks(&filter).await.expect("tasks");
        assert_eq!(page.total, 1, "task {id}");
        page.rows.remove(0)
    }

    /// All targets of a task.
    pub async fn targets(&self, id: &str) -> Vec<TargetRow> {
        let filter = TargetFilter {
            task: Some(TaskId(id.into())),
            limit: u64::MAX,
            ..TargetFilter::default()
        };
        self.ledger.targets(&filter).await.expect("targets").rows
    }

    /// What was charged in `area` on the day of [`T0`].
    pub async fn used(&self, area: Area) -> u64 {
        self.ledger.used(self.account, counter(area)).await.expect("used")
    }
}

/// An account with this number.
pub fn account(uin: &str) -> Account {
    Account::new(uin, 1_250_000_000, T0)
}

/// A seeded generator (splitmix64), so that a failure repeats.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// True in half of the cases.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// One of several.
    pub fn pick<T, const N: usize>(&mut self, from: [T; N]) -> T {
        let index = usize::try_from(self.below(N as u64)).unwrap_or(0);
        from.into_iter().nth(index).expect("the index is below the length")
    }

    /// Something in half of the cases.
    pub fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.coin().then(|| make(self))
    }
}
