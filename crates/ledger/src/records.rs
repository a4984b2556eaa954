//! What goes into the verbs of the ledger and what comes out.

use stoker_domain::{
    job::{ItemReport, JobId, LeaseToken},
    outcome::Outcome,
    quota::Counter,
    task::{Task, TaskId},
    time::Timestamp,
};

/// One unit of `counter` for each target, up to `daily` in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What is charged.
    pub counter: Counter,
    /// The limit that must not be passed.
    pub daily: u64,
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
    /// Names of the nodes that must hold it; empty = it is settled at once with `settled`.
    pub nodes: Vec<String>,
    /// Outcome of a target that nobody has to fetch, for example `blocked:ownership`.
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

/// A job that is not final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningJob {
    /// Which job.
    pub id: JobId,
    /// Name of its node.
    pub node: String,
    /// How often it was leased.
    pub attempt: u32,
    /// Whether a lease is out.
    pub is_leased: bool,
    /// When it is due: `not_before` while it waits, the end of the lease otherwise.
    pub due: Timestamp,
    /// Its unsettled items: position and row number of the target.
    pub items: Vec<(u16, i64)>,
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
    /// What the node said, children left out.
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
    /// The task whose last target finished with this report.
    pub finished_task: Option<TaskId>,
}

/// What a caller can do about a failed verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A counter does not suffice; nothing was written.
    OverQuota {
        /// Which counter.
        counter: Counter,
        /// What it had left.
        available: u64,
        /// What was needed.
        needed: u64,
    },
    /// What was named is not there.
    NotFound,
    /// What was to be created is there already; nothing was written.
    Conflict,
    /// The disk, or what this user may take of it, is full.
    Full,
    /// The file, its directory or its file system does not take writes.
    ReadOnly,
    /// The database cannot be written or read now: a lock, a device that fails.
    Unavailable,
    /// The database is damaged, or holds what this version cannot read.
    Corrupt,
}

impl ErrorKind {
    /// What is the matter with the ledger and the way out, where the matter is the ledger's and a
    /// person must act.
    pub const fn trouble(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Full => {
                ("the ledger's disk is full", "make room on the disk of the data directory")
            }
            Self::ReadOnly => (
                "the ledger cannot be written",
                "give its file and directory to the user who runs `stoker up`, and mount the file \
                 system for writing",
            ),
            Self::Corrupt => (
                "the ledger is damaged",
                "stop `stoker up`, keep a copy of the file, and put a backup in its place",
            ),
            Self::OverQuota { .. } | Self::NotFound | Self::Conflict | Self::Unavailable => {
                return None;
            }
        })
    }
}

/// A verb that failed: its name, its kind and its cause.
#[derive(Debug, thiserror::Error)]
#[error("ledger cannot {verb}")]
pub struct Error {
    /// The verb, in words: `submit a task`.
    pub verb: &'static str,
    /// What a caller can do about it.
    pub kind: ErrorKind,
    /// What the database said.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}
