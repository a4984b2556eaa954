//! The bounds and periods of the engine, with their defaults. Decides nothing; whoever opens the engine
//! sets what differs.

use std::time::Duration;

use stoker_domain::{media::MAX_CHILDREN, placement::Node, quota::Reset, retry::DEFAULT_PATIENCE};

use crate::SealKeys;

/// Bounds and periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long a job stays with a node that does not renew its lease.
    pub lease: Duration,
    /// Targets in one task at most, children included; what a playlist names beyond is written as
    /// `blocked:too-many-children`. More than one call may submit, so that a full one leaves room
    /// for the children of its playlists.
    pub max_targets_per_task: u64,
    /// Children that one playlist may name; one that names more is not followed at all.
    pub max_children: usize,
    /// Nodes that are known before they register. What is submitted in the first moments after a
    /// start is planned on them too, and not only on those that happened to register first.
    pub nodes: Vec<Node>,
    /// How long a purge may take before it counts as overdue. Its open orders stand.
    pub purge_patience: Duration,
    /// How long jobs wait for a node that gives no sign of life, from when they are due; then what
    /// is missing of them times out. A day is enough for a person to come to work and repair a
    /// machine.
    pub job_patience: Duration,
    /// How long a target is tried after its first failure where neither task nor domain says.
    pub patience: Duration,
    /// Whether the nodes live and die with this engine, so that none of them can hold what an engine
    /// before it granted.
    pub nodes_begin_anew: bool,
    /// How long tasks and purges are kept after they finished.
    pub retention: Duration,
    /// When quota days begin; `None` = as they did before, at first 00:00 UTC+8. After a change the
    /// day that is running goes on until the first such instant after its end.
    pub quota_reset: Option<Reset>,
    /// Accounts of the installation at most.
    pub max_accounts: usize,
    /// Domains of one account at most.
    pub max_domains: usize,
    /// Zones of one account at most.
    pub max_zones: usize,
    /// Whether no account is asked for proofs that hosts are its own.
    pub waives_verification: bool,
    /// How often each account may let the server look for such a proof in a minute.
    pub verifications_per_minute: u32,
    /// What secrets in the ledger are sealed with. Without any they are kept as they are, which is
    /// for tests.
    pub seal: SealKeys,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            max_targets_per_task: 1_000_000,
            max_children: MAX_CHILDREN,
            nodes: Vec::new(),
            purge_patience: Duration::from_secs(600),
            job_patience: Duration::from_secs(24 * 3600),
            patience: DEFAULT_PATIENCE,
            nodes_begin_anew: false,
            retention: Duration::from_secs(30 * 24 * 3600),
            quota_reset: None,
            max_accounts: 10_000,
            max_domains: 5_000,
            max_zones: 1_000,
            waives_verification: false,
            verifications_per_minute: 10,
            seal: SealKeys::default(),
        }
    }
}
