//! The shapes of `POST /admin/v1/check`.

use serde::{Deserialize, Serialize};
use stoker_domain::{
    area::{Area, AreaScope, Tier},
    outcome::Outcome,
};

use super::lists::{self, MOST_LISTED};

/// Most URLs that one call of `POST /admin/v1/check` takes.
pub const MOST_CHECKED: u32 = 1000;

/// Which tiers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layers {
    /// Edges.
    Edge,
    /// Middles.
    Middle,
    /// Both.
    All,
}

/// Body of `POST /admin/v1/check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCheck {
    /// URLs.
    #[serde(deserialize_with = "lists::at_most::<MOST_LISTED, _, _>")]
    pub urls: Vec<String>,
    /// Areas whose nodes are asked; absent = for each URL those of its domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas: Option<AreaScope>,
    /// Tiers whose nodes are asked; absent = middle in the mainland and edge overseas, as for a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layers>,
    /// Whether bytes outside ASCII, and spaces, may be percent-encoded.
    #[serde(default)]
    pub encode: bool,
}

/// Answer of `POST /admin/v1/check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedView {
    /// One for each URL, in their order.
    pub targets: Vec<CheckedTarget>,
}

/// What the nodes say of one URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedTarget {
    /// The URL, normalised.
    pub url: String,
    /// The nodes that must hold it, as far as they were to be asked.
    pub nodes: Vec<HoldingView>,
}

/// What one node has of one URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldingView {
    /// Which node.
    pub node: String,
    /// Where it stands.
    pub area: Area,
    /// Edge or middle.
    pub tier: Tier,
    /// Whether it has the content, whole and fresh.
    pub is_held: bool,
    /// Status of the stored response.
    pub status: Option<u16>,
    /// Size of the stored response.
    pub size_bytes: Option<u64>,
    /// How long it stays fresh; of what is held only.
    pub fresh_for_seconds: Option<i64>,
    /// Until when it is, or was, fresh.
    pub fresh_until: Option<String>,
    /// Why it is not held, for programs: a word of a closed list.
    pub lack: Option<String>,
    /// The moment that the reason names: stale, evicted, purged or damaged since then.
    pub lack_at: Option<String>,
    /// Why it is not held, for people.
    pub reason: Option<String>,
    /// Slices of it that are there, where some are.
    pub slices_held: Option<u32>,
    /// Slices in all, where known.
    pub slices: Option<u32>,
    /// How the node last failed to fetch it, unless it has fetched it since.
    pub last_failure: Option<FailureView>,
}

/// How a node failed to fetch a URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureView {
    /// When it ended.
    pub at: String,
    /// How it ended.
    pub outcome: Outcome,
    /// A sentence for a person, perhaps shortened.
    pub detail: Option<String>,
}
