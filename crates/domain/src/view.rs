//! Lists of what is there: the rows that callers see, and the filters that choose among them.
//!
//! Pages of tasks, of their targets and of purges. Only the shapes are here: the ledger finds the
//! rows, the engine adds what only it knows, and each API words them for its own callers.

use crate::{
    account::AccountId,
    area::{Area, AreaScope},
    media::NotFollowed,
    outcome::Outcome,
    purge::{Method, Scope},
    quota::Product,
    task::{Progress, Task, TaskId, TaskState},
    time::Timestamp,
};

/// A page of a longer list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// Rows in all.
    pub total: u64,
}

/// Which tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Whose tasks; absent = everybody's.
    pub account: Option<AccountId>,
    /// One task.
    pub id: Option<TaskId>,
    /// Older ones than this task; none where it is not there.
    pub after: Option<TaskId>,
    /// Rows to skip.
    pub offset: u64,
    /// Rows at most.
    pub limit: u64,
}

/// A task with its counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// The task, without its request fields.
    pub task: Task,
    /// Targets in all, children included.
    pub targets: u64,
    /// Of these, done.
    pub done: u64,
    /// Of these, failed, those that were canceled included.
    pub failed: u64,
    /// Of the failed, those that were canceled.
    pub canceled: u64,
    /// What its account wants of it.
    pub state: TaskState,
    /// The task whose failed targets it tries again.
    pub retry_of: Option<TaskId>,
    /// It was accepted with request fields, which are gone when it is finished.
    pub had_fields: bool,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When its last target finished.
    pub finished_at: Option<Timestamp>,
    /// Sizes of the targets that are done.
    pub done_bytes: u64,
    /// Sizes of targets, once for each node on which one was a success.
    pub held_bytes: u64,
    /// What nodes pulled for targets that are final there.
    pub pulled_bytes: u64,
    /// What its playlists name and is not followed, summed up.
    pub not_followed: NotFollowed,
}

/// How far along a target is, as filters and totals tell it. Every target is in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetState {
    /// Some node has not settled.
    Processing,
    /// On every node.
    Done,
    /// Failed, and its first failure is that the origin refused: see [`Outcome::is_refusal`].
    FailedByOrigin,
    /// Failed, and its first failure is a timeout.
    FailedByTimeout,
    /// Failed, and its first failure is that the task was canceled.
    Canceled,
    /// Failed for another reason.
    FailedOtherwise,
}

impl TargetState {
    /// The states of targets that are so far along.
    #[must_use]
    pub fn of(progress: Progress) -> Vec<Self> {
        match progress {
            Progress::Processing => vec![Self::Processing],
            Progress::Done => vec![Self::Done],
            Progress::Failed => {
                vec![
                    Self::FailedByOrigin,
                    Self::FailedByTimeout,
                    Self::Canceled,
                    Self::FailedOtherwise,
                ]
            }
        }
    }
}

/// Which targets. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetFilter {
    /// Whose targets.
    pub account: Option<AccountId>,
    /// Of one task.
    pub task: Option<TaskId>,
    /// Of a task created at or after; a playlist's children count with their task.
    pub from: Option<Timestamp>,
    /// Of a task created at or before.
    pub to: Option<Timestamp>,
    /// Of one of these hosts; absent = of any.
    pub hosts: Option<Vec<String>>,
    /// With this URL exactly.
    pub url: Option<String>,
    /// Of a task that asked for this area, alone or with the other.
    pub area: Option<Area>,
    /// In one of these states; absent = in any.
    pub states: Option<Vec<TargetState>>,
    /// Rows to skip.
    pub offset: u64,
    /// Rows at most.
    pub limit: u64,
}

/// One target with its roll-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRow {
    /// Row number.
    pub id: i64,
    /// Its task.
    pub task: Task,
    /// Its URL.
    pub url: String,
    /// Row number of the playlist that named it.
    pub parent: Option<i64>,
    /// How far it is.
    pub progress: Progress,
    /// The first failure among its nodes, or the last success; absent while processing.
    pub outcome: Option<Outcome>,
    /// Nodes that must hold it.
    pub nodes: u32,
    /// Nodes whose outcome is final.
    pub settled_nodes: u32,
    /// Size in bytes, when known.
    pub size_bytes: Option<u64>,
    /// When it was accepted; a playlist's children come later than their task.
    pub created_at: Timestamp,
    /// When its last node settled.
    pub finished_at: Option<Timestamp>,
}

/// One target of a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeTarget {
    /// Normalised URL; of a directory it ends in `/`. For [`Scope::Tag`] the tag.
    pub url: String,
    /// Its host, for filters.
    pub host: String,
}

/// How far a purge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeState {
    /// Some node has not confirmed.
    Processing,
    /// Some node has not confirmed for too long. Its order stands: the purge may still get done.
    Overdue,
    /// Every node has confirmed.
    Done,
}

/// Which targets of purges. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurgeFilter {
    /// Whose.
    pub account: Option<AccountId>,
    /// Of one purge.
    pub id: Option<TaskId>,
    /// Of older ones than this purge; none where it is not there. Totals count the others too.
    pub after: Option<TaskId>,
    /// Of a purge created at or after.
    pub from: Option<Timestamp>,
    /// Of a purge created at or before.
    pub to: Option<Timestamp>,
    /// Of one of these hosts; absent = of any.
    pub hosts: Option<Vec<String>>,
    /// With one of these URLs or tags exactly.
    pub urls: Option<Vec<String>>,
    /// With this text in its URL or tag.
    pub text: Option<String>,
    /// Of a purge that reaches this area, alone or with the other.
    pub area: Option<Area>,
    /// That name this.
    pub scope: Option<Scope>,
    /// Of purges that asked for one of these.
    pub products: Option<Vec<Product>>,
    /// Of purges in one of these states.
    pub states: Option<Vec<PurgeState>>,
    /// Only the first target of each purge.
    pub is_per_purge: bool,
    /// Purges accepted before this and not done are overdue; absent = none is.
    pub overdue: Option<Timestamp>,
    /// Rows to skip.
    pub offset: u64,
    /// Rows at most.
    pub limit: u64,
}

/// One target of a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeRow {
    /// Name of the purge.
    pub id: TaskId,
    /// Its host.
    pub host: String,
    /// Its URL or tag.
    pub url: String,
    /// What was asked for.
    pub product: Product,
    /// What it names.
    pub scope: Scope,
    /// What becomes of it.
    pub method: Method,
    /// How many targets the purge has; told only where a filter is per purge.
    pub targets: Option<u64>,
    /// Areas that the purge reaches.
    pub areas: AreaScope,
    /// When the purge was accepted.
    pub created_at: Timestamp,
    /// When the last node confirmed; absent while some have not.
    pub finished_at: Option<Timestamp>,
    /// How far the purge is.
    pub state: PurgeState,
}

/// How far one node is with a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeNode {
    /// Name of the node.
    pub node: String,
    /// Which turn, from 0: nodes that others fetch through come first, and again.
    pub phase: u32,
    /// When it confirmed; absent while it has not.
    pub done_at: Option<Timestamp>,
}
