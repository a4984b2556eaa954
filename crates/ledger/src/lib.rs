//! Durable state: accounts, users, keys, domains, tasks, jobs, quotas.
//!
//! One trait of use-case verbs, [`Ledger`]; each verb is one transaction and is durable when it
//! returns. The ledger is the only truth: whatever is not in it was never accepted. It decides
//! nothing that `domain` can decide, never reads a clock and never makes a random number.

mod budget;
mod chunk;
mod identity;
mod merge;
mod metrics;
mod purge;
mod records;
mod replay;
mod rollup;
mod sqlite;
mod stored;
#[doc(hidden)]
pub mod suite;
mod sweep;
mod tally;

pub use identity::Identity;
pub use metrics::Metrics;
pub use purge::{NewPurge, Purged};
pub use records::{
    Applied, Charge, ChildPlan, Error, ErrorKind, ItemDecision, Leased, LeasedItem, NewTask,
    PlannedTarget, ReportWrite, RunningJob, Submitted,
};
pub use replay::{Memory, TakenCall};
pub use sqlite::{Inspected, OpenError, Sqlite, Stats, has_sealed_keys, inspect};
pub use sweep::{EndJobs, EndedJobs, Hopeless, Removed};

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

/// The verbs of durable state. Every implementation passes `suite`.
#[async_trait]
pub trait Ledger: Send + Sync + std::fmt::Debug {
    // ---- accounts and keys ----

    /// Creates an account; its `id` is ignored and the one given by the ledger is returned.
    async fn create_account(&self, account: Account) -> Result<AccountId, Error>;
    /// Writes the name of an account, whether it is enabled and served, and what is closed to it.
    async fn change_account(&self, account: &Account) -> Result<(), Error>;
    /// All accounts, oldest first.
    async fn accounts(&self) -> Result<Vec<Account>, Error>;
    /// Sets the limits of `account` for `product` in `areas`.
    async fn set_limits(
        &self,
        account: AccountId,
        product: Product,
        areas: AreaScope,
        limits: Limits,
    ) -> Result<(), Error>;
    /// As [`Self::set_limits`], but limits that were set before stay as they are.
    async fn add_limits(
        &self,
        account: AccountId,
        product: Product,
        areas: AreaScope,
        limits: Limits,
    ) -> Result<(), Error>;
    /// The limits of `account` for `product`; [`Product::default_limits`] where none were set.
    async fn limits(&self, account: AccountId, product: Product) -> Result<AreaLimits, Error>;
    /// URLs charged to a counter so far.
    async fn used(&self, account: AccountId, counter: Counter) -> Result<u64, Error>;
    /// The eras of the quota days, by time; none while the days are those of UTC+8.
    async fn quota_eras(&self) -> Result<Vec<Era>, Error>;
    /// Replaces the eras of the quota days.
    async fn set_quota_eras(&self, eras: &[Era]) -> Result<(), Error>;

    // ---- users, groups and policies ----

    /// Creates a user; its `id` is ignored and the one given by the ledger is returned.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when its name or its number is taken.
    async fn create_user(&self, user: &User) -> Result<UserId, Error>;
    /// Writes the name of a user and whether it is enabled.
    async fn change_user(&self, user: &User) -> Result<(), Error>;
    /// Removes a user with its keys, memberships and attachments; whether it was there.
    async fn remove_user(&self, user: UserId) -> Result<bool, Error>;
    /// The users of an account, oldest first.
    async fn users(&self, account: AccountId) -> Result<Vec<User>, Error>;
    /// Creates a group without members; those that are given are ignored.
    async fn create_group(&self, group: &Group) -> Result<(), Error>;
    /// Removes a group with its memberships and attachments; whether it was there.
    async fn remove_group(&self, account: AccountId, name: &str) -> Result<bool, Error>;
    /// The groups of an account, by name.
    async fn groups(&self, account: AccountId) -> Result<Vec<Group>, Error>;
    /// Puts a user into a group, or takes it out; not again if it is so already.
    async fn set_member(
        &self,
        account: AccountId,
        group: &str,
        user: UserId,
        is_member: bool,
    ) -> Result<(), Error>;
    /// Creates a policy, or replaces the text of the one with this name.
    async fn put_policy(&self, policy: &NamedPolicy) -> Result<(), Error>;
    /// Removes a policy; whether it was there.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] while it is attached: who it is attached to would lose it.
    async fn remove_policy(&self, account: AccountId, name: &str) -> Result<bool, Error>;
    /// The policies of an account, by name.
    async fn policies(&self, account: AccountId) -> Result<Vec<NamedPolicy>, Error>;
    /// Name and text of the policies of a user and of all its groups, each once, by name.
    async fn policies_of(&self, user: UserId) -> Result<Vec<(String, String)>, Error>;
    /// Attaches a policy, or detaches it; not again if it is so already.
    async fn set_attachment(
        &self,
        account: AccountId,
        attachment: &Attachment,
        is_attached: bool,
    ) -> Result<(), Error>;
    /// All attachments of an account, in order.
    async fn attachments(&self, account: AccountId) -> Result<Vec<Attachment>, Error>;

    // ---- keys: the ledger sees their secret halves sealed, and does not look inside ----

    /// Creates a key. Of one that is there, replaces the secret half, the owner and whether it is
    /// enabled, and keeps the rest.
    async fn put_key(&self, key: AccessKey) -> Result<(), Error>;
    /// The key with this public half.
    async fn key(&self, secret_id: &str) -> Result<Option<AccessKey>, Error>;
    /// The keys of an account that are not temporary, oldest first.
    async fn keys(&self, account: AccountId) -> Result<Vec<AccessKey>, Error>;
    /// The temporary keys of an account that end after `now`, the soonest first.
    async fn temporary_keys(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<AccessKey>, Error>;
    /// Removes a key; whether it was there.
    async fn remove_key(&self, secret_id: &str) -> Result<bool, Error>;
    /// Removes up to `most` temporary keys of an account that ended before `now`; how many
    /// temporary ones it has left, ended ones included.
    async fn sweep_keys(&self, account: AccountId, now: Timestamp, most: u32)
    -> Result<u64, Error>;
    /// Notes when keys were last used; of keys that are gone nothing.
    async fn keys_used(&self, uses: Vec<(String, Timestamp)>) -> Result<(), Error>;
    /// The key behind a public half with everything that decides what it may do.
    async fn identity(&self, secret_id: &str) -> Result<Option<Identity>, Error>;
    /// Up to `most` keys of all accounts after the public half `after`, by public half.
    async fn keys_after(&self, after: &str, most: u32) -> Result<Vec<AccessKey>, Error>;
    /// Replaces secret halves, given with the public ones, and leaves no byte of the old ones in the
    /// ledger's files: also none of those that were replaced before.
    async fn reseal_keys(&self, secrets: Vec<(String, String)>) -> Result<(), Error>;

    // ---- request fields of tasks: their values are seen sealed, and go when the task is finished ----

    /// Up to `most` tasks that are not finished and have request fields, after number `after`, in
    /// order, each with its number.
    async fn task_fields_after(&self, after: i64, most: u32) -> Result<Vec<(i64, Task)>, Error>;
    /// Replaces the request fields of tasks, named by number, that are not finished. No byte of the
    /// old ones is left after [`Self::reseal_keys`].
    async fn reseal_tasks(&self, tasks: Vec<(i64, FetchOptions)>) -> Result<(), Error>;

    /// Takes a signed call once; false when it was taken before. Calls that are remembered as long as
    /// this one and whose time lies before `forget_before` may be forgotten, the oldest first.
    async fn admit_once(&self, call: TakenCall, forget_before: i64) -> Result<bool, Error>;

    // ---- domains ----

    /// Adds a domain.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when there is one with this host, or when a domain of another account,
    /// or a zone that another account claims, is related to it
    /// ([`stoker_domain::ownership::are_related`]).
    async fn add_domain(&self, domain: &Domain) -> Result<(), Error>;
    /// Creates or replaces the domain with this host, whoever owns it: the caller has checked.
    async fn put_domain(&self, domain: &Domain) -> Result<(), Error>;
    /// All domains of all accounts, ordered by host.
    async fn domains(&self) -> Result<Vec<Domain>, Error>;
    /// Removes a domain; whether it was there. Records and proofs of its account that are related to
    /// its host end with it.
    async fn remove_domain(&self, host: &str) -> Result<bool, Error>;

    // ---- zones ----

    /// Creates or replaces the zone with this id.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when it is claimed and related to a claim of another account.
    async fn put_zone(&self, zone: &Zone) -> Result<(), Error>;
    /// All zones of all accounts, ordered by id.
    async fn zones(&self) -> Result<Vec<Zone>, Error>;
    /// Removes a zone; whether it was there. Domains in it are not touched: the caller has checked.
    async fn remove_zone(&self, id: &ZoneId) -> Result<bool, Error>;

    // ---- ownership ----

    /// Writes what an account is to publish for a name, unless it has such a record that has not
    /// expired when the new one is created: then that stays and is returned. Nothing when the account
    /// has `most` others.
    async fn put_ownership_record(&self, new: &Record, most: u32) -> Result<Option<Record>, Error>;
    /// What an account is to publish, expired ones among it, by name.
    async fn ownership_records(&self, account: AccountId) -> Result<Vec<Record>, Error>;
    /// Writes a proof in place of the older one of its account, name and method. Of more than `most`
    /// of the account those that expire first go.
    async fn put_ownership_proof(&self, proof: &Proof, most: u32) -> Result<(), Error>;
    /// What an account has proved, expired ones among it, by name and method.
    async fn ownership_proofs(&self, account: AccountId) -> Result<Vec<Proof>, Error>;

    // ---- submit ----

    /// Accepts a task: task, targets, quota and planned jobs in one transaction.
    ///
    /// Targets with equal URLs are merged. Each target that is left costs one unit of every counter
    /// in `charges`; when one of them does not suffice, nothing is written.
    ///
    /// # Errors
    /// [`ErrorKind::OverQuota`] with the counter, what it had left and what was needed.
    async fn submit(&self, task: NewTask) -> Result<Submitted, Error> {
        Ok(self.submit_all(vec![task]).await?.pop().unwrap_or_default())
    }
    /// Accepts several tasks in one transaction, or none of them: each as in [`Self::submit`], but
    /// the counters must suffice for all together.
    ///
    /// # Errors
    /// As [`Self::submit`].
    async fn submit_all(&self, tasks: Vec<NewTask>) -> Result<Vec<Submitted>, Error>;

    /// Adds targets found in a playlist to a task that is not final, in one transaction.
    ///
    /// A URL that the task already has is left out and costs nothing, so repeating the call changes
    /// nothing. New targets are charged as in [`Self::submit`], in the order given, as far as the
    /// quota goes; the rest are written with outcome `over_quota` and no jobs.
    async fn add_children(&self, plan: ChildPlan) -> Result<Submitted, Error>;

    // ---- lease, renew, report ----

    /// Leases up to `limit` jobs of `node` that are due at `now`, oldest first, until `until`.
    ///
    /// Due is a job that waits and whose `not_before` has come, or whose lease has run out. `seed`
    /// makes the tokens: the n-th job gets `seed + n` (wrapping).
    async fn lease(
        &self,
        node: &str,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
        seed: u64,
    ) -> Result<Vec<LeasedJob>, Error>;
    /// Extends a lease; false when the token is stale or the job is final.
    async fn renew(&self, beat: &Heartbeat, until: Timestamp) -> Result<bool, Error>;
    /// Applies a report in one transaction: settles items, appends what is told of them, rolls
    /// targets up whose last node settled, and ends or returns the job. See [`ReportWrite`].
    ///
    /// A report with a stale token changes nothing and says so in [`Applied::is_stale`]; an item
    /// that is already settled is skipped.
    async fn report(&self, report: ReportWrite) -> Result<Applied, Error>;
    /// Ends leases under which nothing was handed out, as if they had not been: each job waits until
    /// the moment that is named. Stale tokens are skipped.
    async fn defer(&self, jobs: Vec<(JobId, LeaseToken, Timestamp)>) -> Result<(), Error>;
    /// Lets those of `jobs` that wait for a later moment be due at `now`.
    async fn hasten(&self, jobs: Vec<JobId>, now: Timestamp) -> Result<(), Error>;
    /// Ends all leases of `node` at once, because the node has started anew; how many.
    async fn release(&self, node: &str, now: Timestamp) -> Result<u64, Error>;
    /// When the next job of `node` is due, if any waits: `not_before`, or the end of its lease.
    async fn next_due(&self, node: &str) -> Result<Option<Timestamp>, Error>;
    /// What stands behind a lease, for the engine to judge a report; `None` when the token is stale
    /// or the job is final. Of its items only those at `positions` are given, for the whole job may
    /// be many times larger than a report.
    async fn leased(
        &self,
        job: JobId,
        token: LeaseToken,
        positions: &Positions,
    ) -> Result<Option<Leased>, Error>;

    // ---- purges ----

    /// Accepts a purge: its targets, its quota and the orders of its nodes in one transaction.
    ///
    /// Orders of a phase are handed out when all orders of the phases before are confirmed. While a
    /// node has an order of an account that is not confirmed, no job of that account is leased to it:
    /// what is prefetched after a purge is fetched after it.
    ///
    /// # Errors
    /// [`ErrorKind::OverQuota`]; then nothing was written.
    async fn submit_purge(&self, purge: NewPurge) -> Result<(), Error>;
    /// Up to `limit` orders of `node` that are handed out and not confirmed, by number.
    async fn purge_orders(&self, node: &str, limit: usize) -> Result<Vec<PurgeOrder>, Error>;
    /// Confirms an order of `node`, and hands out the next phase when it was the last of its own.
    /// Of an order that is confirmed already, or that nobody knows, nothing changes.
    async fn purged(&self, node: &str, number: u64, now: Timestamp) -> Result<Purged, Error>;
    /// Orders the nodes of the last phase of purges where nobody but `silent` nodes is waited for,
    /// once and before their turn; the silent ones not. In their turn they are ordered again,
    /// because until then they may have fetched the old through a silent node that still serves.
    /// The names of the nodes that have an order now, some of them if they are many.
    async fn hand_out_past(&self, silent: &[String], now: Timestamp) -> Result<Vec<String>, Error>;
    /// Targets of purges that match, newest purge first, in the order submitted.
    async fn purges(&self, filter: &PurgeFilter) -> Result<Page<PurgeRow>, Error>;
    /// The orders of a purge, by phase and node.
    async fn purge_nodes(&self, purge: &TaskId) -> Result<Vec<PurgeNode>, Error>;

    // ---- sweep ----

    /// Names of the nodes that have jobs which are due since before `due_before`, in order.
    async fn overdue_nodes(&self, due_before: Timestamp) -> Result<Vec<String>, Error>;
    /// Ends jobs that nobody will finish, and rolls them up as [`Self::report`] does. A late report
    /// of one is stale. Repeated, it finds the next ones.
    async fn end_jobs(&self, end: EndJobs) -> Result<EndedJobs, Error>;
    /// Removes tasks that finished before `finished_before`, oldest first, with everything that
    /// belongs to them: about `most` rows. Of the last one a part may be left; it is a shorter
    /// task then. Totals never count what is gone.
    async fn remove_tasks(&self, finished_before: Timestamp, most: u64) -> Result<Removed, Error>;
    /// As [`Self::remove_tasks`], for purges.
    async fn remove_purges(&self, finished_before: Timestamp, most: u64) -> Result<Removed, Error>;
    /// Forgets what was charged on quota days before `day`; how many counters.
    async fn forget_quotas(&self, day: i64) -> Result<u64, Error>;

    // ---- views ----

    /// Tasks that match, newest first.
    async fn tasks(&self, filter: &TaskFilter) -> Result<Page<TaskRow>, Error>;
    /// Targets that match, newest task first, in the order submitted.
    async fn targets(&self, filter: &TargetFilter) -> Result<Page<TargetRow>, Error>;
    /// For each of `targets` (row numbers of one task), what each of its nodes reported.
    async fn outcomes(
        &self,
        task: &TaskId,
        targets: &[i64],
    ) -> Result<Vec<(i64, Vec<NodeOutcome>)>, Error>;
    /// The largest of the task names that are 19 digits, whenever its task was created.
    async fn last_number(&self) -> Result<Option<TaskId>, Error>;
    /// The tasks with a limit whose targets are not all final, each with the hosts of its targets.
    async fn limited_tasks(&self) -> Result<Vec<(Task, Vec<String>)>, Error>;
    /// The jobs of a task that are not final, with their unsettled items.
    async fn running(&self, task: &TaskId) -> Result<Vec<RunningJob>, Error>;

    /// Writes something that changes nothing, and fails as any other verb that writes would.
    async fn try_write(&self) -> Result<(), Error>;
}
