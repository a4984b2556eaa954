//! Maintenance: ending jobs that no node finishes, removing what finished long ago.

use async_trait::async_trait;
use stoker_domain::{job::JobId, task::TaskId, time::Timestamp};

use crate::Error;

/// Ending jobs that no node finishes, removing what finished long ago.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Names of the nodes that have jobs which are due since before `due_before`, in order.
    async fn overdue_nodes(&self, due_before: Timestamp) -> Result<Vec<String>, Error>;
    /// How many jobs are not final, leased ones included.
    async fn open_jobs(&self) -> Result<u64, Error>;
    /// Ends jobs that no node will finish, and rolls them up as
    /// [`Leases::report`](crate::Leases::report) does. A late report
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
    /// Writes something that changes nothing, and fails as any other verb that writes would.
    async fn try_write(&self) -> Result<(), Error>;
}

/// Why jobs are ended that no node will finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Of a node that is silent, and due for long.
    Silent {
        /// Name of the node.
        node: String,
        /// Since before when they are due: a lease ended, or they wait.
        due_before: Timestamp,
    },
    /// Leased `MAX_LEASES` times in a row, and no report of any of its items came.
    NoProgress,
}

/// Jobs to be ended: what is not settled of them settles as a timeout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndJobs {
    /// Which jobs.
    pub reason: EndReason,
    /// Why, as the outcome of a target on a node shows it.
    pub detail: String,
    /// Jobs at most.
    pub limit: usize,
    /// The present moment.
    pub now: Timestamp,
}

/// What was ended. Fewer jobs than the limit: none is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndedJobs {
    /// The jobs.
    pub jobs: Vec<JobId>,
    /// Targets whose last node settled.
    pub finished_targets: u64,
    /// Tasks whose last target finished.
    pub finished_tasks: Vec<TaskId>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Tasks, or purges, of which nothing is left.
    pub finished: u64,
    /// Their targets, also of one of which something is left.
    pub targets: u64,
    /// The bound was met: there may be more.
    pub is_more: bool,
}
