//! Settings that domains and zones share: whether they are in use, and what a vendor's API keeps with
//! them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Settings as a caller of a vendor's API gave them, by API and name: stored and answered back, never
/// acted on. Nodes do not get them.
pub type VendorSettings = BTreeMap<String, serde_json::Map<String, serde_json::Value>>;

/// Whether a domain or a zone is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Served; prefetches are accepted.
    #[default]
    Online,
    /// Stopped: viewers and prefetches are refused.
    Offline,
}
