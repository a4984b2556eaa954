//! The shapes of purges.

use serde::{Deserialize, Serialize};

use super::lists::{self, MOST_LISTED};
use stoker_domain::{
    area::AreaScope,
    purge::{Method, Scope},
    task::Progress,
};

/// Body of `POST /admin/v1/purges`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPurge {
    /// What the targets name.
    pub scope: Scope,
    /// What becomes of it; absent = it is deleted. URLs are always deleted.
    #[serde(default)]
    pub method: Method,
    /// URLs, or directories: everything below them goes.
    #[serde(deserialize_with = "lists::at_most::<MOST_LISTED, _, _>")]
    pub targets: Vec<String>,
    /// Areas to be reached; absent = for each target those of its domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas: Option<AreaScope>,
    /// Whether bytes outside ASCII, and spaces, may be percent-encoded.
    #[serde(default)]
    pub encode: bool,
}

/// Answer of `POST /admin/v1/purges`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeReceipt {
    /// The name of the purge.
    pub purge: String,
    /// Distinct targets.
    pub targets: u64,
    /// Targets that were given more than once and merged.
    pub merged: u64,
}

/// A purge, as `GET /admin/v1/purges/{id}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeView {
    /// Its name.
    pub purge: String,
    /// What its targets name.
    pub scope: Scope,
    /// What becomes of it.
    pub method: Method,
    /// Areas that it reaches.
    pub areas: AreaScope,
    /// Whether every node has carried it out durably: `processing`, `done`, or `failed` where some
    /// node has not for too long. What has failed is done when the last node comes back.
    pub status: Progress,
    /// How many targets it has.
    pub targets: u64,
    /// When it was accepted.
    pub created_at: String,
    /// When the last node confirmed; absent while it is processing.
    pub finished_at: Option<String>,
    /// What its targets name, 10,000 at most: URLs, beginnings of URLs, or a host and a tag. Left
    /// out in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Its nodes, turn by turn.
    pub nodes: Vec<PurgeNodeView>,
}

/// Answer of `GET /admin/v1/purges`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purges {
    /// Newest first.
    pub purges: Vec<PurgeView>,
    /// How many there are in all.
    pub total: u64,
    /// What `after` names the next page by; absent when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How far one node is with a purge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeNodeView {
    /// Name of the node.
    pub node: String,
    /// Which turn, from 1. Nodes that others fetch through come first, and where there are several
    /// of them, twice.
    pub turn: u32,
    /// When it confirmed; absent while it has not.
    pub done_at: Option<String>,
}
