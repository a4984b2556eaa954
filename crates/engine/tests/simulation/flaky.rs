//! A ledger that can be told to fail: before it did what was asked, or after.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use stoker_domain::{
    account::{AccessKey, Account, AccountId, Attachment, Group, NamedPolicy, User, UserId},
    area::AreaScope,
    domain::Domain,
    job::{Heartbeat, JobId, LeaseToken, LeasedJob, NodeOutcome},
    ownership::{Proof, Record},
    plan::Positions,
    purge::PurgeOrder,
    quota::{AreaLimits, Counter, Era, Limits, Product},
    task::{FetchOptions, Task, TaskId},
    time::Timestamp,
    view::{Page, PurgeFilter, PurgeNode, PurgeRow, TargetFilter, TargetRow, TaskFilter, TaskRow},
    zone::{Zone, ZoneId},
};
use stoker_ledger::{
    Applied, ChildPlan, EndJobs, EndedJobs, Error, ErrorKind, Identity, Leased, Ledger, NewPurge,
    NewTask, Purged, Removed, ReportWrite, RunningJob, Submitted, TakenCall,
};

/// Wraps a ledger and fails when told to.
#[derive(Debug)]
pub(crate) struct Flaky {
    inner: Arc<dyn Ledger>,
    outage: Mutex<Outage>,
    /// Items settled, as the inner ledger counted them.
    settled: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Outage {
    after: u32,
    verbs_left: u32,
    is_applied: bool,
}

impl Flaky {
    pub(crate) fn new(inner: Arc<dyn Ledger>) -> Self {
        Self { inner, outage: Mutex::default(), settled: AtomicU64::new(0) }
    }

    /// After `after` verbs, `verbs_left` fail.
    pub(crate) fn fail(&self, after: u32, verbs_left: u32, is_applied: bool) {
        *self.outage.lock().unwrap() = Outage { after, verbs_left, is_applied };
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.outage.lock().unwrap().verbs_left > 0
    }

    pub(crate) fn settled(&self) -> u64 {
        self.settled.load(Ordering::SeqCst)
    }

    /// The ledger behind it, which never fails.
    pub(crate) fn inner(&self) -> &dyn Ledger {
        &*self.inner
    }

    /// The outage that this verb meets, if any.
    fn meet(&self) -> Option<Outage> {
        let mut outage = self.outage.lock().unwrap();
        if outage.after > 0 {
            outage.after -= 1;
            return None;
        }
        outage.verbs_left = outage.verbs_left.checked_sub(1)?;
        Some(*outage)
    }
}

fn down<T>() -> Result<T, Error> {
    Err(Error { verb: "answer while it is down", kind: ErrorKind::Unavailable, cause: None })
}

macro_rules! meet {
    ($self:ident, $call:expr) => {{
        match $self.meet() {
            None => $call.await,
            Some(Outage { is_applied: false, .. }) => down(),
            Some(Outage { is_applied: true, .. }) => {
                let _ = $call.await;
                down()
            }
        }
    }};
}

#[async_trait]
impl Ledger for Flaky {
    async fn create_account(&self, account: Account) -> Result<AccountId, Error> {
        meet!(self, self.inner.create_account(account))
    }
    async fn accounts(&self) -> Result<Vec<Account>, Error> {
        meet!(self, self.inner.accounts())
    }
    async fn set_limits(
        &self,
        account: AccountId,
        product: Product,
        areas: AreaScope,
        limits: Limits,
    ) -> Result<(), Error> {
        meet!(self, self.inner.set_limits(account, product, areas, limits))
    }
    async fn add_limits(
        &self,
        account: AccountId,
        product: Product,
        areas: AreaScope,
        limits: Limits,
    ) -> Result<(), Error> {
        meet!(self, self.inner.add_limits(account, product, areas, limits))
    }
    async fn limits(&self, account: AccountId, product: Product) -> Result<AreaLimits, Error> {
        meet!(self, self.inner.limits(account, product))
    }
    async fn quota_eras(&self) -> Result<Vec<Era>, Error> {
        meet!(self, self.inner.quota_eras())
    }
    async fn set_quota_eras(&self, eras: &[Era]) -> Result<(), Error> {
        meet!(self, self.inner.set_quota_eras(eras))
    }
    async fn used(&self, account: AccountId, counter: Counter) -> Result<u64, Error> {
        meet!(self, self.inner.used(account, counter))
    }
    async fn change_account(&self, account: &Account) -> Result<(), Error> {
        meet!(self, self.inner.change_account(account))
    }
    async fn create_user(&self, user: &User) -> Result<UserId, Error> {
        meet!(self, self.inner.create_user(user))
    }
    async fn change_user(&self, user: &User) -> Result<(), Error> {
        meet!(self, self.inner.change_user(user))
    }
    async fn remove_user(&self, user: UserId) -> Result<bool, Error> {
        meet!(self, self.inner.remove_user(user))
    }
    async fn users(&self, account: AccountId) -> Result<Vec<User>, Error> {
        meet!(self, self.inner.users(account))
    }
    async fn create_group(&self, group: &Group) -> Result<(), Error> {
        meet!(self, self.inner.create_group(group))
    }
    async fn remove_group(&self, account: AccountId, name: &str) -> Result<bool, Error> {
        meet!(self, self.inner.remove_group(account, name))
    }
    async fn groups(&self, account: AccountId) -> Result<Vec<Group>, Error> {
        meet!(self, self.inner.groups(account))
    }
    async fn set_member(
        &self,
        account: AccountId,
        group: &str,
        user: UserId,
        is_member: bool,
    ) -> Result<(), Error> {
        meet!(self, self.inner.set_member(account, group, user, is_member))
    }
    async fn put_policy(&self, policy: &NamedPolicy) -> Result<(), Error> {
        meet!(self, self.inner.put_policy(policy))
    }
    async fn remove_policy(&self, account: AccountId, name: &str) -> Result<bool, Error> {
        meet!(self, self.inner.remove_policy(account, name))
    }
    async fn policies(&self, account: AccountId) -> Result<Vec<NamedPolicy>, Error> {
        meet!(self, self.inner.policies(account))
    }
    async fn policies_of(&self, user: UserId) -> Result<Vec<(String, String)>, Error> {
        meet!(self, self.inner.policies_of(user))
    }
    async fn set_attachment(
        &self,
        account: AccountId,
        attachment: &Attachment,
        is_attached: bool,
    ) -> Result<(), Error> {
        meet!(self, self.inner.set_attachment(account, attachment, is_attached))
    }
    async fn attachments(&self, account: AccountId) -> Result<Vec<Attachment>, Error> {
        meet!(self, self.inner.attachments(account))
    }
    async fn put_key(&self, key: AccessKey) -> Result<(), Error> {
        meet!(self, self.inner.put_key(key))
    }
    async fn key(&self, secret_id: &str) -> Result<Option<AccessKey>, Error> {
        meet!(self, self.inner.key(secret_id))
    }
    async fn keys(&self, account: AccountId) -> Result<Vec<AccessKey>, Error> {
        meet!(self, self.inner.keys(account))
    }
    async fn temporary_keys(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<AccessKey>, Error> {
        meet!(self, self.inner.temporary_keys(account, now))
    }
    async fn remove_key(&self, secret_id: &str) -> Result<bool, Error> {
        meet!(self, self.inner.remove_key(secret_id))
    }
    async fn sweep_keys(
        &self,
        account: AccountId,
        now: Timestamp,
        most: u32,
    ) -> Result<u64, Error> {
        meet!(self, self.inner.sweep_keys(account, now, most))
    }
    async fn keys_used(&self, uses: Vec<(String, Timestamp)>) -> Result<(), Error> {
        meet!(self, self.inner.keys_used(uses))
    }
    async fn identity(&self, secret_id: &str) -> Result<Option<Identity>, Error> {
        meet!(self, self.inner.identity(secret_id))
    }
    async fn keys_after(&self, after: &str, most: u32) -> Result<Vec<AccessKey>, Error> {
        meet!(self, self.inner.keys_after(after, most))
    }
    async fn task_fields_after(&self, after: i64, most: u32) -> Result<Vec<(i64, Task)>, Error> {
        meet!(self, self.inner.task_fields_after(after, most))
    }
    async fn reseal_tasks(&self, tasks: Vec<(i64, FetchOptions)>) -> Result<(), Error> {
        meet!(self, self.inner.reseal_tasks(tasks))
    }
    async fn reseal_keys(&self, secrets: Vec<(String, String)>) -> Result<(), Error> {
        meet!(self, self.inner.reseal_keys(secrets))
    }
    async fn put_ownership_record(&self, new: &Record, most: u32) -> Result<Option<Record>, Error> {
        meet!(self, self.inner.put_ownership_record(new, most))
    }
    async fn ownership_records(&self, account: AccountId) -> Result<Vec<Record>, Error> {
        meet!(self, self.inner.ownership_records(account))
    }
    async fn put_ownership_proof(&self, proof: &Proof, most: u32) -> Result<(), Error> {
        meet!(self, self.inner.put_ownership_proof(proof, most))
    }
    async fn ownership_proofs(&self, account: AccountId) -> Result<Vec<Proof>, Error> {
        meet!(self, self.inner.ownership_proofs(account))
    }
    async fn add_domain(&self, domain: &Domain) -> Result<(), Error> {
        meet!(self, self.inner.add_domain(domain))
    }
    async fn put_domain(&self, domain: &Domain) -> Result<(), Error> {
        meet!(self, self.inner.put_domain(domain))
    }
    async fn domains(&self) -> Result<Vec<Domain>, Error> {
        meet!(self, self.inner.domains())
    }
    async fn remove_domain(&self, host: &str) -> Result<bool, Error> {
        meet!(self, self.inner.remove_domain(host))
    }
    async fn put_zone(&self, zone: &Zone) -> Result<(), Error> {
        meet!(self, self.inner.put_zone(zone))
    }
    async fn zones(&self) -> Result<Vec<Zone>, Error> {
        meet!(self, self.inner.zones())
    }
    async fn remove_zone(&self, id: &ZoneId) -> Result<bool, Error> {
        meet!(self, self.inner.remove_zone(id))
    }
    async fn submit_purge(&self, purge: NewPurge) -> Result<(), Error> {
        meet!(self, self.inner.submit_purge(purge))
    }
    async fn purge_orders(&self, node: &str, limit: usize) -> Result<Vec<PurgeOrder>, Error> {
        meet!(self, self.inner.purge_orders(node, limit))
    }
    async fn purged(&self, node: &str, number: u64, now: Timestamp) -> Result<Purged, Error> {
        meet!(self, self.inner.purged(node, number, now))
    }
    async fn hand_out_past(&self, silent: &[String], now: Timestamp) -> Result<Vec<String>, Error> {
        meet!(self, self.inner.hand_out_past(silent, now))
    }
    async fn purges(&self, filter: &PurgeFilter) -> Result<Page<PurgeRow>, Error> {
        meet!(self, self.inner.purges(filter))
    }
    async fn purge_nodes(&self, purge: &TaskId) -> Result<Vec<PurgeNode>, Error> {
        meet!(self, self.inner.purge_nodes(purge))
    }
    async fn submit_all(&self, tasks: Vec<NewTask>) -> Result<Vec<Submitted>, Error> {
        meet!(self, self.inner.submit_all(tasks))
    }
    async fn add_children(&self, plan: ChildPlan) -> Result<Submitted, Error> {
        meet!(self, self.inner.add_children(plan))
    }
    async fn lease(
        &self,
        node: &str,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
        seed: u64,
    ) -> Result<Vec<LeasedJob>, Error> {
        meet!(self, self.inner.lease(node, limit, now, until, seed))
    }
    async fn renew(&self, beat: &Heartbeat, until: Timestamp) -> Result<bool, Error> {
        meet!(self, self.inner.renew(beat, until))
    }
    async fn report(&self, report: ReportWrite) -> Result<Applied, Error> {
        let counted = async {
            let applied = self.inner.report(report).await?;
            self.settled.fetch_add(applied.settled, Ordering::SeqCst);
            Ok(applied)
        };
        meet!(self, counted)
    }
    async fn defer(&self, jobs: Vec<(JobId, LeaseToken, Timestamp)>) -> Result<(), Error> {
        meet!(self, self.inner.defer(jobs))
    }
    async fn hasten(&self, jobs: Vec<JobId>, now: Timestamp) -> Result<(), Error> {
        meet!(self, self.inner.hasten(jobs, now))
    }
    async fn release(&self, node: &str, now: Timestamp) -> Result<u64, Error> {
        meet!(self, self.inner.release(node, now))
    }
    async fn next_due(&self, node: &str) -> Result<Option<Timestamp>, Error> {
        meet!(self, self.inner.next_due(node))
    }
    async fn leased(
        &self,
        job: JobId,
        token: LeaseToken,
        positions: &Positions,
    ) -> Result<Option<Leased>, Error> {
        meet!(self, self.inner.leased(job, token, positions))
    }
    async fn overdue_nodes(&self, due_before: Timestamp) -> Result<Vec<String>, Error> {
        meet!(self, self.inner.overdue_nodes(due_before))
    }
    async fn end_jobs(&self, end: EndJobs) -> Result<EndedJobs, Error> {
        meet!(self, self.inner.end_jobs(end))
    }
    async fn remove_tasks(&self, finished_before: Timestamp, most: u64) -> Result<Removed, Error> {
        meet!(self, self.inner.remove_tasks(finished_before, most))
    }
    async fn remove_purges(&self, finished_before: Timestamp, most: u64) -> Result<Removed, Error> {
        meet!(self, self.inner.remove_purges(finished_before, most))
    }
    async fn admit_once(&self, call: TakenCall, forget_before: i64) -> Result<bool, Error> {
        meet!(self, self.inner.admit_once(call, forget_before))
    }
    async fn forget_quotas(&self, day: i64) -> Result<u64, Error> {
        meet!(self, self.inner.forget_quotas(day))
    }
    async fn tasks(&self, filter: &TaskFilter) -> Result<Page<TaskRow>, Error> {
        meet!(self, self.inner.tasks(filter))
    }
    async fn targets(&self, filter: &TargetFilter) -> Result<Page<TargetRow>, Error> {
        meet!(self, self.inner.targets(filter))
    }
    async fn outcomes(
        &self,
        task: &TaskId,
        targets: &[i64],
    ) -> Result<Vec<(i64, Vec<NodeOutcome>)>, Error> {
        meet!(self, self.inner.outcomes(task, targets))
    }
    async fn last_number(&self) -> Result<Option<TaskId>, Error> {
        meet!(self, self.inner.last_number())
    }
    async fn limited_tasks(&self) -> Result<Vec<(Task, Vec<String>)>, Error> {
        meet!(self, self.inner.limited_tasks())
    }
    async fn running(&self, task: &TaskId) -> Result<Vec<RunningJob>, Error> {
        meet!(self, self.inner.running(task))
    }
    async fn try_write(&self) -> Result<(), Error> {
        meet!(self, self.inner.try_write())
    }
}
