//! The ledger in one SQLite file.
//!
//! Write-ahead log, synced at every commit; one thread writes, a few connections read. One process
//! at a time may have the file open: a lock file beside it tells a second one so. Each group of
//! verbs has a file; this one only hands the verbs to the writer or to the readers.

mod accounts;
mod columns;
mod domains;
mod failure;
mod fields;
mod insert;
mod inspect;
mod keys;
mod lease;
mod limits;
mod names;
mod open;
mod ownership;
mod policies;
mod purge;
mod quota;
mod readers;
mod replay;
mod report;
mod schema;
mod session;
mod submit;
mod sweep;
mod tally;
mod targets;
mod users;
mod views;
mod writer;
mod zones;

use std::path::Path;

use async_trait::async_trait;
use stoker_domain::{
    account::{AccessKey, Account, AccountId, Attachment, Group, NamedPolicy, User, UserId},
    area::AreaScope,
    domain::Domain,
    job::{Heartbeat, JobId, LeaseToken, LeasedJob, NodeOutcome},
    ownership::{Proof, Record},
    plan::{CHUNK, Positions},
    purge::PurgeOrder,
    quota::{AreaLimits, Counter, Era, Limits, Product},
    task::{FetchOptions, Task, TaskId},
    time::Timestamp,
    view::{Page, PurgeFilter, PurgeNode, PurgeRow, TargetFilter, TargetRow, TaskFilter, TaskRow},
    zone::{Zone, ZoneId},
};

pub use inspect::{Inspected, has_sealed_keys, inspect};
pub use open::OpenError;
pub use writer::Stats;

use crate::{
    Applied, ChildPlan, EndJobs, EndedJobs, Error, Identity, Leased, Ledger, NewPurge, NewTask,
    Purged, Removed, ReportWrite, RunningJob, Submitted, TakenCall, budget::Plan,
};

/// A ledger in one SQLite file. Dropping it finishes the verbs that are queued and closes the file.
#[derive(Debug)]
pub struct Sqlite(open::Parts, limits::Known);

impl Sqlite {
    /// Opens the file, made with mode 0600 when absent, and brings its tables up to date. Blocks.
    ///
    /// # Errors
    /// [`OpenError`], which names the file and has a hint.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self(open::open(path.as_ref())?, limits::Known::default()))
    }

    /// What was committed since it was opened.
    pub fn stats(&self) -> Stats {
        self.0.writer.stats()
    }

    /// Bounds the file to so many pages of 4 KiB, as a full disk would; for tests.
    #[doc(hidden)]
    pub async fn limit_pages(&self, pages: u32) -> Result<(), Error> {
        self.0
            .writer
            .run("limit the file", 1, move |connection| {
                Ok(connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?)
            })
            .await
    }
}

#[async_trait]
impl Ledger for Sqlite {
    async fn create_account(&self, account: Account) -> Result<AccountId, Error> {
        let work = move |c: &_| accounts::create(c, &account);
        self.0.writer.run("create an account", 1, work).await
    }

    async fn change_account(&self, account: &Account) -> Result<(), Error> {
        let account = account.clone();
        let work = move |c: &_| accounts::change(c, &account);
        self.0.writer.run("change an account", 1, work).await
    }

    async fn accounts(&self) -> Result<Vec<Account>, Error> {
        self.0.readers.run("list accounts", accounts::list).await
    }

    async fn set_limits(
        &self,
        account: AccountId,
        product: Product,
        areas: AreaScope,
        limits: Limits,
    ) -> Result<(), Error> {
        let work = move |c: &_| quota::set_limits(c, account, product, areas, limits);
        let set = self.0.writer.run("set limits", 1, work).await;
        // also after a failure: it may have been written all the same
        self.1.forget();
        set
    }

    async fn add_limits(
        &self,
        account: AccountId,
        product: Product,
        areas: AreaScope,
        limits: Limits,
    ) -> Result<(), Error> {
        let work = move |c: &_| quota::add_limits(c, account, product, areas, limits);
        let added = self.0.writer.run("add limits", 1, work).await;
        self.1.forget();
        added
    }

    async fn limits(&self, account: AccountId, product: Product) -> Result<AreaLimits, Error> {
        let read = move |c: &_| quota::limits(c, account, product);
        self.1.find((account, product), self.0.readers.run("read limits", read)).await
    }

    async fn used(&self, account: AccountId, counter: Counter) -> Result<u64, Error> {
        self.0.readers.run("read a quota", move |c| quota::used(c, account, counter)).await
    }

    async fn quota_eras(&self) -> Result<Vec<Era>, Error> {
        self.0.readers.run("read the quota days", quota::eras).await
    }

    async fn set_quota_eras(&self, eras: &[Era]) -> Result<(), Error> {
        let eras = eras.to_vec();
        let work = move |c: &_| quota::set_eras(c, &eras);
        self.0.writer.run("set the quota days", 1, work).await
    }

    async fn create_user(&self, user: &User) -> Result<UserId, Error> {
        let user = user.clone();
        self.0.writer.run("create a user", 1, move |c| users::create(c, &user)).await
    }

    async fn change_user(&self, user: &User) -> Result<(), Error> {
        let user = user.clone();
        self.0.writer.run("change a user", 1, move |c| users::change(c, &user)).await
    }

    async fn remove_user(&self, user: UserId) -> Result<bool, Error> {
        self.0.writer.run("remove a user", 1, move |c| users::remove(c, user)).await
    }

    async fn users(&self, account: AccountId) -> Result<Vec<User>, Error> {
        self.0.readers.run("list users", move |c| users::list(c, account)).await
    }

    async fn create_group(&self, group: &Group) -> Result<(), Error> {
        let group = group.clone();
        self.0.writer.run("create a group", 1, move |c| users::create_group(c, &group)).await
    }

    async fn remove_group(&self, account: AccountId, name: &str) -> Result<bool, Error> {
        let name = name.to_owned();
        let work = move |c: &_| users::remove_group(c, account, &name);
        self.0.writer.run("remove a group", 1, work).await
    }

    async fn groups(&self, account: AccountId) -> Result<Vec<Group>, Error> {
        self.0.readers.run("list groups", move |c| users::groups(c, account)).await
    }

    async fn set_member(
        &self,
        account: AccountId,
        group: &str,
        user: UserId,
        is_member: bool,
    ) -> Result<(), Error> {
        let group = group.to_owned();
        let work = move |c: &_| users::set_member(c, account, &group, user, is_member);
        self.0.writer.run("change a group", 1, work).await
    }

    async fn put_policy(&self, policy: &NamedPolicy) -> Result<(), Error> {
        let policy = policy.clone();
        self.0.writer.run("put a policy", 1, move |c| policies::put(c, &policy)).await
    }

    async fn remove_policy(&self, account: AccountId, name: &str) -> Result<bool, Error> {
        let name = name.to_owned();
        let work = move |c: &_| policies::remove(c, account, &name);
        self.0.writer.run("remove a policy", 1, work).await
    }

    async fn policies(&self, account: AccountId) -> Result<Vec<NamedPolicy>, Error> {
        self.0.readers.run("list policies", move |c| policies::list(c, account)).await
    }

    async fn policies_of(&self, user: UserId) -> Result<Vec<(String, String)>, Error> {
        self.0.readers.run("list the policies of a user", move |c| policies::of_user(c, user)).await
    }

    async fn set_attachment(
        &self,
        account: AccountId,
        attachment: &Attachment,
        is_attached: bool,
    ) -> Result<(), Error> {
        let attachment = attachment.clone();
        let work = move |c: &_| policies::set_attachment(c, account, &attachment, is_attached);
        self.0.writer.run("attach a policy", 1, work).await
    }

    async fn attachments(&self, account: AccountId) -> Result<Vec<Attachment>, Error> {
        self.0.readers.run("list attachments", move |c| policies::attachments(c, account)).await
    }

    async fn put_key(&self, key: AccessKey) -> Result<(), Error> {
        self.0.writer.run("put a key", 1, move |c| keys::put(c, &key)).await
    }

    async fn key(&self, secret_id: &str) -> Result<Option<AccessKey>, Error> {
        let secret_id = secret_id.to_owned();
        self.0.readers.run("read a key", move |c| keys::find(c, &secret_id)).await
    }

    async fn keys(&self, account: AccountId) -> Result<Vec<AccessKey>, Error> {
        self.0.readers.run("list keys", move |c| keys::list(c, account)).await
    }

    async fn temporary_keys(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<AccessKey>, Error> {
        let work = move |c: &_| keys::temporary(c, account, now);
        self.0.readers.run("list temporary keys", work).await
    }

    async fn remove_key(&self, secret_id: &str) -> Result<bool, Error> {
        let secret_id = secret_id.to_owned();
        self.0.writer.run("remove a key", 1, move |c| keys::remove(c, &secret_id)).await
    }

    async fn sweep_keys(
        &self,
        account: AccountId,
        now: Timestamp,
        most: u32,
    ) -> Result<u64, Error> {
        let work = move |c: &_| keys::sweep(c, account, now, most);
        self.0.writer.run("sweep keys", 1, work).await
    }

    async fn keys_used(&self, uses: Vec<(String, Timestamp)>) -> Result<(), Error> {
        let rows = uses.len();
        self.0.writer.run("note the use of keys", rows, move |c| keys::used(c, &uses)).await
    }

    async fn identity(&self, secret_id: &str) -> Result<Option<Identity>, Error> {
        let secret_id = secret_id.to_owned();
        self.0.readers.run("find a caller", move |c| keys::identity(c, &secret_id)).await
    }

    async fn keys_after(&self, after: &str, most: u32) -> Result<Vec<AccessKey>, Error> {
        let after = after.to_owned();
        self.0.readers.run("read keys", move |c| keys::after(c, &after, most)).await
    }

    async fn reseal_keys(&self, secrets: Vec<(String, String)>) -> Result<(), Error> {
        const VERB: &str = "seal keys";
        let rows = secrets.len();
        self.0.writer.run(VERB, rows, move |c| keys::reseal(c, &secrets)).await?;
        self.0.readers.empty_log(VERB).await
    }

    async fn task_fields_after(&self, after: i64, most: u32) -> Result<Vec<(i64, Task)>, Error> {
        self.0.readers.run("read request fields", move |c| fields::after(c, after, most)).await
    }

    async fn reseal_tasks(&self, tasks: Vec<(i64, FetchOptions)>) -> Result<(), Error> {
        let rows = tasks.len();
        self.0.writer.run("seal request fields", rows, move |c| fields::reseal(c, &tasks)).await
    }

    async fn put_domain(&self, domain: &Domain) -> Result<(), Error> {
        let domain = domain.clone();
        self.0.writer.run("put a domain", 1, move |c| domains::put(c, &domain)).await
    }

    async fn add_domain(&self, domain: &Domain) -> Result<(), Error> {
        let domain = domain.clone();
        self.0.writer.run("add a domain", 1, move |c| domains::add(c, &domain)).await
    }

    async fn put_ownership_record(&self, new: &Record, most: u32) -> Result<Option<Record>, Error> {
        let new = new.clone();
        let work = move |c: &_| ownership::put_record(c, &new, most);
        self.0.writer.run("put a record of ownership", 1, work).await
    }

    async fn ownership_records(&self, account: AccountId) -> Result<Vec<Record>, Error> {
        let read = move |c: &_| ownership::records(c, account);
        self.0.readers.run("list records of ownership", read).await
    }

    async fn put_ownership_proof(&self, proof: &Proof, most: u32) -> Result<(), Error> {
        let proof = proof.clone();
        let work = move |c: &_| ownership::put_proof(c, &proof, most);
        self.0.writer.run("put a proof of ownership", 1, work).await
    }

    async fn ownership_proofs(&self, account: AccountId) -> Result<Vec<Proof>, Error> {
        let read = move |c: &_| ownership::proofs(c, account);
        self.0.readers.run("list proofs of ownership", read).await
    }

    async fn domains(&self) -> Result<Vec<Domain>, Error> {
        self.0.readers.run("list domains", domains::list).await
    }

    async fn remove_domain(&self, host: &str) -> Result<bool, Error> {
        let host = host.to_owned();
        self.0.writer.run("remove a domain", 1, move |c| domains::remove(c, &host)).await
    }

    async fn put_zone(&self, zone: &Zone) -> Result<(), Error> {
        let zone = zone.clone();
        self.0.writer.run("put a zone", 1, move |c| zones::put(c, &zone)).await
    }

    async fn zones(&self) -> Result<Vec<Zone>, Error> {
        self.0.readers.run("list zones", zones::list).await
    }

    async fn remove_zone(&self, id: &ZoneId) -> Result<bool, Error> {
        let id = id.clone();
        self.0.writer.run("remove a zone", 1, move |c| zones::remove(c, &id)).await
    }

    async fn submit_all(&self, tasks: Vec<NewTask>) -> Result<Vec<Submitted>, Error> {
        // planned here, so that the one writer does not spend its time on it
        let plans: Vec<_> = tasks.into_iter().map(Plan::new).collect();
        let rows = plans.iter().map(Plan::rows).sum();
        self.0.writer.run_checked("submit a task", rows, move |c| submit::submit(c, &plans)).await
    }

    async fn add_children(&self, plan: ChildPlan) -> Result<Submitted, Error> {
        let rows = plan.targets.len();
        self.0
            .writer
            .run_session("add children", rows, move |c| submit::add_children(c, plan))
            .await
    }

    async fn lease(
        &self,
        node: &str,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
        seed: u64,
    ) -> Result<Vec<LeasedJob>, Error> {
        let wish = lease::Wish { node: node.to_owned(), limit, now, until, seed };
        self.0.writer.run("lease jobs", limit, move |c| lease::lease(c, &wish)).await
    }

    async fn renew(&self, beat: &Heartbeat, until: Timestamp) -> Result<bool, Error> {
        let (job, token) = (beat.job, beat.token);
        self.0.writer.run("renew a lease", 1, move |c| lease::renew(c, job, token, until)).await
    }

    async fn report(&self, report: ReportWrite) -> Result<Applied, Error> {
        let rows = report.items.len();
        self.0.writer.run_session("apply a report", rows, move |c| report::apply(c, &report)).await
    }

    async fn defer(&self, jobs: Vec<(JobId, LeaseToken, Timestamp)>) -> Result<(), Error> {
        self.0.writer.run("defer jobs", jobs.len(), move |c| lease::defer(c, &jobs)).await
    }

    async fn hasten(&self, jobs: Vec<JobId>, now: Timestamp) -> Result<(), Error> {
        self.0.writer.run("hasten jobs", jobs.len(), move |c| lease::hasten(c, &jobs, now)).await
    }

    async fn release(&self, node: &str, now: Timestamp) -> Result<u64, Error> {
        let node = node.to_owned();
        self.0.writer.run("release leases", 1, move |c| lease::release(c, &node, now)).await
    }

    async fn next_due(&self, node: &str) -> Result<Option<Timestamp>, Error> {
        let node = node.to_owned();
        self.0.readers.run("find the next job", move |c| lease::next_due(c, &node)).await
    }

    async fn leased(
        &self,
        job: JobId,
        token: LeaseToken,
        positions: &Positions,
    ) -> Result<Option<Leased>, Error> {
        let asked = positions.clone();
        self.0.readers.run("read a lease", move |c| lease::leased(c, job, token, &asked)).await
    }

    async fn submit_purge(&self, purge: NewPurge) -> Result<(), Error> {
        let rows = purge.targets.len();
        self.0.writer.run("submit a purge", rows, move |c| purge::submit(c, &purge)).await
    }

    async fn purge_orders(&self, node: &str, limit: usize) -> Result<Vec<PurgeOrder>, Error> {
        let node = node.to_owned();
        self.0.readers.run("read purge orders", move |c| purge::orders(c, &node, limit)).await
    }

    async fn purged(&self, node: &str, number: u64, now: Timestamp) -> Result<Purged, Error> {
        let node = node.to_owned();
        let work = move |c: &_| purge::confirm(c, &node, number, now);
        self.0.writer.run("confirm a purge order", 1, work).await
    }

    async fn hand_out_past(&self, silent: &[String], now: Timestamp) -> Result<Vec<String>, Error> {
        let silent = silent.to_vec();
        let work = move |c: &_| purge::hand_out_past(c, &silent, now);
        self.0.writer.run("hand out orders early", 1, work).await
    }

    async fn purges(&self, filter: &PurgeFilter) -> Result<Page<PurgeRow>, Error> {
        let filter = filter.clone();
        self.0.readers.run("list purges", move |c| purge::page(c, &filter)).await
    }

    async fn purge_nodes(&self, purge: &TaskId) -> Result<Vec<PurgeNode>, Error> {
        let id = purge.clone();
        self.0.readers.run("list the nodes of a purge", move |c| purge::nodes(c, &id)).await
    }

    async fn overdue_nodes(&self, due_before: Timestamp) -> Result<Vec<String>, Error> {
        let find = move |c: &_| sweep::overdue_nodes(c, due_before);
        self.0.readers.run("find overdue jobs", find).await
    }

    async fn end_jobs(&self, end: EndJobs) -> Result<EndedJobs, Error> {
        let rows = end.limit.saturating_mul(CHUNK);
        self.0.writer.run_session("end jobs", rows, move |c| sweep::end_jobs(c, &end)).await
    }

    async fn remove_tasks(&self, finished_before: Timestamp, most: u64) -> Result<Removed, Error> {
        let rows = usize::try_from(most).unwrap_or(usize::MAX);
        let work = move |c: &_| sweep::remove_tasks(c, finished_before, most);
        self.0.writer.run_session("remove tasks", rows, work).await
    }

    async fn remove_purges(&self, finished_before: Timestamp, most: u64) -> Result<Removed, Error> {
        let rows = usize::try_from(most).unwrap_or(usize::MAX);
        let work = move |c: &_| sweep::remove_purges(c, finished_before, most);
        self.0.writer.run("remove purges", rows, work).await
    }

    async fn admit_once(&self, call: TakenCall, forget_before: i64) -> Result<bool, Error> {
        let work = move |c: &_| replay::admit(c, call, forget_before);
        self.0.writer.run("take a call", 1, work).await
    }

    async fn forget_quotas(&self, day: i64) -> Result<u64, Error> {
        self.0.writer.run("forget quotas", 1, move |c| sweep::forget_quotas(c, day)).await
    }

    async fn tasks(&self, filter: &TaskFilter) -> Result<Page<TaskRow>, Error> {
        let filter = filter.clone();
        self.0.readers.run("list tasks", move |c| views::tasks(c, &filter)).await
    }

    async fn targets(&self, filter: &TargetFilter) -> Result<Page<TargetRow>, Error> {
        let filter = filter.clone();
        self.0.readers.run("list targets", move |c| targets::page(c, &filter)).await
    }

    async fn outcomes(
        &self,
        task: &TaskId,
        targets: &[i64],
    ) -> Result<Vec<(i64, Vec<NodeOutcome>)>, Error> {
        let (task, targets) = (task.clone(), targets.to_vec());
        self.0.readers.run("list outcomes", move |c| views::outcomes(c, &task, &targets)).await
    }

    async fn last_number(&self) -> Result<Option<TaskId>, Error> {
        self.0.readers.run("find the last task number", views::last_number).await
    }

    async fn limited_tasks(&self) -> Result<Vec<(Task, Vec<String>)>, Error> {
        self.0.readers.run("list limited tasks", views::limited_tasks).await
    }

    async fn running(&self, task: &TaskId) -> Result<Vec<RunningJob>, Error> {
        let task = task.clone();
        self.0.readers.run("list running jobs", move |c| views::running(c, &task)).await
    }

    async fn try_write(&self) -> Result<(), Error> {
        self.0.writer.run("write", 1, schema::write_version).await
    }
}
