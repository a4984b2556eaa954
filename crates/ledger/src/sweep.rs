//! What the sweep asks of the ledger, and what it did.

use stoker_domain::{job::JobId, task::TaskId, time::Timestamp};

/// Jobs that nobody will finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hopeless {
    /// Of a node that gives no sign of life, and due for long.
    Silent {
        /// Name of the node.
        node: String,
        /// Since before when they are due: a lease ended, or they wait.
        due_before: Timestamp,
    },
    /// Leased again after `MAX_LEASES` leases in a row under which nothing was heard of its items.
    Fruitless,
}

/// Jobs to be ended: what is not settled of them settles as a timeout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndJobs {
    /// Which.
    pub which: Hopeless,
    /// Why, for whoever asks what became of a target on a node.
    pub detail: String,
    /// Jobs at most.
    pub limit: usize,
    /// The present moment.
    pub now: Timestamp,
}

/// What was ended. Less than the limit: there is no more.
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
