//! The messages between the engine and a node: what a lease hands out and a report brings back.
//!
//! Every message may be dropped or repeated. A job carries the token of its lease; the engine ignores
//! a report whose token is stale, and an item that is already settled.

use serde::{Deserialize, Serialize};

use crate::{
    account::AccountId,
    area::Area,
    media::{Child, NotFollowed},
    outcome::Outcome,
    task::FetchOptions,
    task::TaskId,
    time::Timestamp,
};

/// The ledger's number of a job: a batch of targets for one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

/// Made anew for every lease; only its holder may report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseToken(pub u64);

/// A job, leased to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeasedJob {
    /// Which job.
    pub id: JobId,
    /// Proves the lease.
    pub token: LeaseToken,
    /// When the lease ends unless renewed.
    pub expires_at: Timestamp,
    /// Whose job it is.
    pub task: TaskId,
    /// Who submitted it: content of another account's domains is not fetched for it.
    pub account: AccountId,
    /// When the task was accepted: an error that was kept before that is no answer.
    #[serde(default)]
    pub accepted_at: Timestamp,
    /// How often the job was leased, this time included; from 1.
    pub attempt: u32,
    /// How its content is asked for.
    pub options: FetchOptions,
    /// The targets that are not settled yet.
    pub items: Vec<JobItem>,
}

/// One target of a leased job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobItem {
    /// Place in the job's chunk; names the item in reports. 0..[`crate::plan::CHUNK`].
    pub position: u16,
    /// The target URI, normalised.
    pub url: String,
    /// Levels of playlists that may still be followed below this target; 0 = do not look inside.
    pub levels: u8,
    /// A playlist named it as one: it must be a playlist, whatever its path and its type say.
    #[serde(default)]
    pub is_named: bool,
}

/// What a node reports of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Which job.
    pub job: JobId,
    /// The lease under which the work was done.
    pub token: LeaseToken,
    /// What became of items since the last report.
    pub items: Vec<ItemReport>,
    /// Whether the node is done with the job: items without a report go back to be leased again.
    pub is_last: bool,
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemReport {
    /// Which item.
    pub position: u16,
    /// What became of it. The engine decides whether a failure is tried again.
    pub outcome: Outcome,
    /// Size of the representation in bytes, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Bytes of content that this node pulled from its parent or the origin for it.
    #[serde(default)]
    pub pulled_bytes: u64,
    /// `ETag`, or else `Last-Modified`, of the stored response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validator: Option<String>,
    /// When the read-back succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// Until when the stored response is fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_until: Option<Timestamp>,
    /// A sentence for a person when it failed: what was attempted and what came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How long the origin asked to be left alone when it failed, in seconds. Never stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// Absolute URLs found in it when it is a playlist that was to be followed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Child>,
    /// What it names and is not followed.
    #[serde(default, skip_serializing_if = "NotFollowed::is_empty")]
    pub not_followed: NotFollowed,
}

impl ItemReport {
    /// What became of an item, and nothing more.
    pub fn new(position: u16, outcome: Outcome) -> Self {
        Self {
            position,
            outcome,
            size_bytes: None,
            pulled_bytes: 0,
            validator: None,
            verified_at: None,
            fresh_until: None,
            detail: None,
            retry_after_seconds: None,
            children: Vec::new(),
            not_followed: NotFollowed::default(),
        }
    }
}

/// Renews the lease of a running job and says how far it is. Never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Which job.
    pub job: JobId,
    /// Proves the lease.
    pub token: LeaseToken,
    /// Items that move.
    pub items: Vec<ItemProgress>,
}

/// How the store of a node is. Counts are those since the node started. Never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreHealth {
    /// Bytes that its files take on disk.
    pub held_bytes: u64,
    /// The most that they may take.
    pub bound_bytes: u64,
    /// Bytes that are free on its file system; absent where that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// Bytes that it leaves free there for others.
    pub reserve_bytes: u64,
    /// Records that were there and could not be read when the node started: lost content.
    pub lost_records: u64,
    /// Records that were found damaged when they were read: lost content, filled again when it is
    /// asked for.
    pub damaged_records: u64,
    /// Segment files that cannot be used and were set aside, now or at an earlier start.
    pub unreadable_segments: u64,
    /// Writes and syncs that the disk refused.
    pub refused_writes: u64,
}

/// How far one running item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemProgress {
    /// Which item.
    pub position: u16,
    /// Bytes durable so far.
    pub done_bytes: u64,
    /// Bytes in all, once known.
    pub total_bytes: Option<u64>,
}

/// What a task view tells of one target on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeOutcome {
    /// Name of the node.
    pub node: String,
    /// Its area, when the node is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<Area>,
    /// The report; absent while there is none.
    #[serde(flatten)]
    pub report: Option<ItemReport>,
}
