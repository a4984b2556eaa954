//! The shapes of tasks and their targets.

use serde::{Deserialize, Serialize};

use super::lists::{self, MOST_LISTED};
use stoker_domain::{
    area::{Area, AreaScope, Tier},
    media::NotFollowed,
    outcome::Outcome,
    task::MediaPolicy,
};

/// Most URLs that one call of `POST /admin/v1/tasks` takes.
pub const MOST_URLS: u32 = 100_000;

/// Body of `POST /admin/v1/tasks`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// What is to be prefetched; 1 to [`MOST_URLS`].
    #[serde(deserialize_with = "lists::at_most::<MOST_LISTED, _, _>")]
    pub urls: Vec<String>,
    /// Where it must be held; absent = wherever the URLs' domains are served, which must be the
    /// same for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas: Option<AreaScope>,
    /// Tier that must hold it; absent = middle in the mainland, edge overseas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Tier>,
    /// Further request fields to the origin, at most 20.
    #[serde(default, deserialize_with = "lists::at_most::<1000, _, _>")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// `User-Agent` to the origin; absent = Stoker's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Whether playlists are followed.
    #[serde(default)]
    pub media: MediaPolicy,
    /// How fast the origin of each domain may be read, in megabits (10^6 bits) per second over all
    /// nodes together; from 1, absent = as fast as it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_mbps: Option<u32>,
    /// How long each target is tried after its first failure, up to seven days; absent = as its
    /// domain says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<u64>,
    /// Ask the origin without `Range`.
    #[serde(default)]
    pub disable_range: bool,
    /// Percent-encode spaces and bytes outside ASCII in the URLs.
    #[serde(default)]
    pub encode: bool,
}

/// Answer of `POST /admin/v1/tasks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Public name of the task.
    pub task_id: String,
    /// Targets written.
    pub targets: u64,
    /// URLs left out because an equal one stood before them.
    pub merged: u64,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// Some target is not final.
    Processing,
    /// The same, and nothing of it is worked on until it is resumed.
    Paused,
    /// Every target is done.
    Done,
    /// Every target is final, and some failed.
    Failed,
    /// Nothing of it is worked on any more; what was not final ends as `canceled`.
    Canceled,
}

/// How far a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetStatus {
    /// Some node has not settled.
    Processing,
    /// Every node that must hold it does.
    Done,
    /// Some node ended without it.
    Failed,
    /// The task was canceled before.
    Canceled,
}

impl TargetStatus {
    /// The word in a query.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

/// Answer of `POST /admin/v1/tasks/{id}/cancel`, `…/pause` and `…/resume`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskChanged {
    /// Whether the call changed it; otherwise it was so already, or was finished.
    pub is_changed: bool,
    /// As it is now.
    pub task: TaskView,
}

/// Answer of `POST /admin/v1/tasks/{id}/retry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// Public name of the new task.
    pub task_id: String,
    /// The task that it tries again.
    pub retry_of: String,
    /// Targets written.
    pub targets: u64,
    /// Failed targets that can no longer be accepted, and are left out.
    pub refused: u64,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_refused: Vec<RefusedTarget>,
}

/// A target that is not tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedTarget {
    /// Its URL.
    pub url: String,
    /// Why not.
    pub detail: String,
}

/// A task, as `GET /admin/v1/tasks/{id}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskView {
    /// Public name.
    pub id: String,
    /// How far it is: `failed` when it is over and some target failed.
    pub status: TaskStatus,
    /// Areas asked for.
    pub areas: AreaScope,
    /// Tier asked for; absent = the default of each area.
    pub layer: Option<Tier>,
    /// Targets in all, children of playlists included.
    pub targets: u64,
    /// Of these, done.
    pub done: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Of these, canceled.
    #[serde(default)]
    pub canceled: u64,
    /// How far all of it is, 0..=100; 100 only when it is over.
    pub percent: u8,
    /// Bytes durable so far, each target counted once.
    pub done_bytes: u64,
    /// Bytes in all, without what failed; absent while the size of some target is unknown, and
    /// before the end in lists and in tasks of more than 500 targets.
    pub total_bytes: Option<u64>,
    /// Bytes that nodes pulled from parents and the origin for targets that are final there.
    #[serde(default)]
    pub pulled_bytes: u64,
    /// Of the targets that wait with another attempt, that which is due first. Left out in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
    /// When it was accepted.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// When its last target finished.
    pub finished_at: Option<String>,
    /// Since when it is paused; left out while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<String>,
    /// When it was canceled; left out where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled_at: Option<String>,
    /// The task whose failed targets it tries again; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<String>,
    /// What its playlists name and is not followed; left out when there is nothing.
    #[serde(default, skip_serializing_if = "NotFollowed::is_empty")]
    pub not_followed: NotFollowed,
}

/// Why something waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingView {
    /// How the last attempt ended, of the target or of another of its origin.
    pub outcome: Outcome,
    /// When the next one is due.
    pub next_attempt_at: String,
}

impl std::fmt::Display for WaitingView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "waiting: {}, next attempt at {}", self.outcome, self.next_attempt_at)
    }
}

/// Answer of `GET /admin/v1/tasks?offset&limit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tasks {
    /// A page of the account's tasks, newest first.
    pub tasks: Vec<TaskView>,
    /// Tasks in all.
    pub total: u64,
    /// What `after` names the next page by; absent when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A target, as `GET /admin/v1/tasks/{id}/targets` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetView {
    /// Number of the target.
    pub id: i64,
    /// Its URL.
    pub url: String,
    /// Number of the playlist that named it.
    pub parent: Option<i64>,
    /// How far it is.
    pub status: TargetStatus,
    /// First failure among its nodes, or last success; absent while processing.
    pub outcome: Option<Outcome>,
    /// How far it is, 0..=100; 100 only when it is over.
    pub percent: u8,
    /// Nodes that must hold it.
    pub nodes: u32,
    /// Nodes whose outcome is final.
    pub settled_nodes: u32,
    /// Size in bytes, when known.
    pub size_bytes: Option<u64>,
    /// Bytes durable so far, averaged over its nodes.
    pub done_bytes: u64,
    /// Set while some node waits with another attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
    /// When it was accepted.
    pub created_at: String,
    /// When its last node settled.
    pub finished_at: Option<String>,
    /// What each of its nodes reported.
    pub outcomes: Vec<NodeOutcomeView>,
}

/// What one node reported of one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeOutcomeView {
    /// Name of the node.
    pub node: String,
    /// Its area, when the node is known.
    pub area: Option<Area>,
    /// What became of it; absent while there is no report.
    pub outcome: Option<Outcome>,
    /// Size in bytes, when known.
    pub size_bytes: Option<u64>,
    /// Bytes that this node pulled for it.
    pub pulled_bytes: u64,
    /// `ETag`, or else `Last-Modified`, of the stored response.
    pub validator: Option<String>,
    /// When the read-back succeeded.
    pub verified_at: Option<String>,
    /// Until when the stored response is fresh.
    pub fresh_until: Option<String>,
    /// A sentence for a person when it failed.
    pub detail: Option<String>,
    /// What it names and is not followed; left out when there is nothing.
    #[serde(default, skip_serializing_if = "NotFollowed::is_empty")]
    pub not_followed: NotFollowed,
}

/// Answer of `GET /admin/v1/tasks/{id}/targets?offset&limit&status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// A page of the task's targets, in the order submitted.
    pub targets: Vec<TargetView>,
    /// Targets in all that match.
    pub total: u64,
}
