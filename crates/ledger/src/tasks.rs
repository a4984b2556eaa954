//! Tasks: accepting them, working on them, looking at them.

use async_trait::async_trait;
use stoker_domain::{
    account::AccountId,
    job::{Heartbeat, ItemReport, JobId, LeaseToken, LeasedJob, NodeOutcome},
    outcome::Outcome,
    placement::NodeSet,
    plan::Positions,
    task::{FetchOptions, Task, TaskCommand, TaskId},
    time::Timestamp,
    view::{Page, TargetFilter, TargetRow, TaskFilter, TaskRow},
};

use crate::{Charge, Error};

/// Everything about tasks.
pub trait Tasks:
    Submissions + Leases + TaskControl + TaskViews + TargetViews + RequestFields
{
}

impl<L: Submissions + Leases + TaskControl + TaskViews + TargetViews + RequestFields> Tasks for L {}

/// Accepting tasks, and what their playlists name.
#[async_trait]
pub trait Submissions: Send + Sync {
    /// Accepts a task: task, targets, quota and planned jobs in one transaction.
    ///
    /// Targets with equal URLs are merged. Each target that is left costs one unit of every counter
    /// in `charges`; when one of them does not suffice, nothing is written.
    ///
    /// # Errors
    /// [`ErrorKind::OverQuota`](crate::ErrorKind::OverQuota) with the counter, what it had left and what was needed.
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
}

/// Who works on which job, until when, and what came of it.
#[async_trait]
pub trait Leases: Send + Sync {
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
    /// Applies a report in one transaction: settles items, appends the report, rolls
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
}

/// Pausing, resuming and canceling tasks, and what of one is worth another try.
#[async_trait]
pub trait TaskControl: Send + Sync {
    /// Changes the state of a task. From then on nothing of a task that does not run is leased, its
    /// leases are stale, and a canceled one takes no further targets. Its jobs follow by
    /// [`Self::turn_jobs`].
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when the account has no such task.
    async fn control(&self, change: Control) -> Result<Controlled, Error>;
    /// Lets jobs of tasks whose state was changed follow it: those of a paused one leave the queue of
    /// their node, those of a resumed one are due at `due`, those of a canceled one end, and what is not
    /// settled of them settles as `canceled`, rolled up as [`Leases::report`] does. At least one, and
    /// about `most` rows. Repeated, it finds the next ones, also after a restart.
    async fn turn_jobs(&self, most: usize, now: Timestamp, due: Timestamp)
    -> Result<Turned, Error>;
    /// Up to `most` targets of a task that failed, after number `after`, in order: number and URL.
    async fn failed_urls(
        &self,
        task: &TaskId,
        after: i64,
        most: u32,
    ) -> Result<Vec<(i64, String)>, Error>;
}

/// Lists of targets.
#[async_trait]
pub trait TargetViews: Send + Sync {
    /// Targets that match, newest task first, in the order submitted.
    async fn targets(&self, filter: &TargetFilter) -> Result<Page<TargetRow>, Error>;
}

/// Lists of tasks, and what became of their targets on each node.
#[async_trait]
pub trait TaskViews: Send + Sync {
    /// Tasks that match, newest first.
    async fn tasks(&self, filter: &TaskFilter) -> Result<Page<TaskRow>, Error>;
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
}

/// Request fields of tasks: their values are seen sealed, and go when the task is finished.
#[async_trait]
pub trait RequestFields: Send + Sync {
    /// Up to `most` tasks that are not finished and have request fields, after number `after`, in
    /// order, each with its number.
    async fn task_fields_after(&self, after: i64, most: u32) -> Result<Vec<(i64, Task)>, Error>;
    /// Replaces the request fields of tasks, named by number, that are not finished. No byte of the
    /// old ones is left after [`Keys::reseal_keys`](crate::Keys::reseal_keys).
    async fn reseal_tasks(&self, tasks: Vec<(i64, FetchOptions)>) -> Result<(), Error>;
}

/// A target to be written, with the nodes that must hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTarget {
    /// Normalised URL.
    pub url: String,
    /// Its host, for filters.
    pub host: String,
    /// Levels of playlists that may be followed below it; 0 = do not look inside.
    pub levels: u8,
    /// The nodes that must hold it; empty = it is settled at once with `settled`.
    pub nodes: NodeSet,
    /// Outcome of a target that no node has to fetch, for example `blocked:ownership`.
    pub settled: Option<Outcome>,
}

/// A task to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// The task.
    pub task: Task,
    /// What each target costs.
    pub charges: Vec<Charge>,
    /// Its targets, in the order submitted.
    pub targets: Vec<PlannedTarget>,
    /// The task whose failed targets it tries again.
    pub retry_of: Option<TaskId>,
}

/// Targets found in a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildPlan {
    /// The task they belong to.
    pub task: TaskId,
    /// Row number of the playlist's target.
    pub parent: i64,
    /// What each target costs.
    pub charges: Vec<Charge>,
    /// The targets, in the order of the playlist.
    pub targets: Vec<PlannedTarget>,
    /// At most so many targets in the task; what goes beyond is written as
    /// `blocked:too-many-children` and not charged. Where the task has as many already, nothing is
    /// written at all, so that the rows of one task are bounded whatever its playlists name.
    pub most_targets: u64,
    /// The present moment.
    pub now: Timestamp,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Submitted {
    /// New targets.
    pub targets: u64,
    /// Given targets left out because the task has their URL already.
    pub merged: u64,
    /// New targets written as `over_quota`.
    pub over_quota: u64,
    /// New jobs.
    pub jobs: u64,
    /// New targets that were left out, because the task had all that it may have.
    pub left_out: u64,
}

/// A change of the state of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Whose task.
    pub account: AccountId,
    /// Which.
    pub task: TaskId,
    /// What is wanted of it.
    pub command: TaskCommand,
    /// The present moment.
    pub now: Timestamp,
}

/// What came of a [`Control`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controlled {
    /// It is so from now on.
    Changed,
    /// It was so already; nothing was changed.
    Already,
    /// The task is finished, or canceled; nothing was changed.
    Over,
    /// Its jobs still follow an earlier change; nothing was changed.
    Busy,
}

/// What a step of [`TaskControl::turn_jobs`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turned {
    /// Jobs that follow their task now.
    pub jobs: Vec<JobId>,
    /// Names of the nodes that have jobs to do again.
    pub nodes: Vec<String>,
    /// Items settled.
    pub settled: u64,
    /// Targets whose last node settled.
    pub finished_targets: u64,
    /// Tasks whose last target finished.
    pub finished_tasks: Vec<TaskId>,
    /// There are more.
    pub is_more: bool,
}

/// What stands behind a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The task the job belongs to.
    pub task: Task,
    /// Name of the node that holds the lease.
    pub node: String,
    /// How often the job was leased, this time included; from 1.
    pub attempt: u32,
    /// Those of the asked items that are not settled, by position.
    pub items: Vec<LeasedItem>,
}

/// One unsettled item of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedItem {
    /// Place in the job's chunk.
    pub position: u16,
    /// Row number of the target.
    pub target: i64,
    /// Its URL.
    pub url: String,
    /// Levels of playlists that may be followed below it.
    pub levels: u8,
    /// A playlist named it as one.
    pub is_named: bool,
}

/// A report as the engine judged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportWrite {
    /// Which job.
    pub job: JobId,
    /// The lease under which it was made.
    pub token: LeaseToken,
    /// One decision per reported item.
    pub items: Vec<ItemDecision>,
    /// Ends the lease: unsettled items wait until `not_before`, or the job is final.
    pub is_last: bool,
    /// When an unfinished job may be leased again.
    pub not_before: Timestamp,
    /// The present moment.
    pub now: Timestamp,
}

/// What the engine decided for one reported item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemDecision {
    /// The node's report, children left out.
    pub report: ItemReport,
    /// Whether this is the end of it; otherwise the item stays to be tried again and the report is
    /// kept only as what is known so far.
    pub is_final: bool,
}

/// What a report changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The token was not the lease's: nothing was changed.
    pub is_stale: bool,
    /// Items settled by this report.
    pub settled: u64,
    /// The job has no unsettled item left.
    pub job_is_final: bool,
    /// Targets whose last node settled.
    pub finished_targets: u64,
    /// Those of them that failed.
    pub failed_targets: u64,
    /// The task whose last target finished with this report.
    pub finished_task: Option<TaskId>,
    /// Whether a target of that task failed.
    pub task_has_failures: bool,
}
