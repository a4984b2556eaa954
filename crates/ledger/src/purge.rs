//! What goes into the verbs of purges and what comes out.

use stoker_domain::{
    account::AccountId,
    area::{Area, AreaScope},
    purge::{Method, Scope},
    task::TaskId,
    time::Timestamp,
};

use crate::Charge;

/// One target of a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeTarget {
    /// Normalised URL; of a directory it ends in `/`.
    pub url: String,
    /// Its host, for filters.
    pub host: String,
}

/// A purge to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPurge {
    /// Public name.
    pub id: TaskId,
    /// Whose quota it charges.
    pub account: AccountId,
    /// What its targets name.
    pub scope: Scope,
    /// What becomes of it.
    pub method: Method,
    /// Areas that it reaches.
    pub areas: AreaScope,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Its targets, distinct, in the order submitted.
    pub targets: Vec<PurgeTarget>,
    /// What it costs: of each counter so many units.
    pub charges: Vec<(Charge, u64)>,
    /// Names of its nodes by phase, none of them empty. A node may be in several.
    pub phases: Vec<Vec<String>>,
}

/// What a confirmation changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// The order was open and is confirmed now.
    pub is_new: bool,
    /// Names of the nodes that have an order now.
    pub released: Vec<String>,
    /// The purge whose last order this was.
    pub finished: Option<TaskId>,
}

/// Which targets of purges. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurgeFilter {
    /// Whose.
    pub account: Option<AccountId>,
    /// Of one purge.
    pub id: Option<TaskId>,
    /// Of a purge created at or after.
    pub from: Option<Timestamp>,
    /// Of a purge created at or before.
    pub to: Option<Timestamp>,
    /// Of one of these hosts; absent = of any.
    pub hosts: Option<Vec<String>>,
    /// With this URL exactly.
    pub url: Option<String>,
    /// Of a purge that reaches this area, alone or with the other.
    pub area: Option<Area>,
    /// That name this.
    pub scope: Option<Scope>,
    /// Whether the purge is done.
    pub is_done: Option<bool>,
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
    /// Its URL.
    pub url: String,
    /// What it names.
    pub scope: Scope,
    /// What becomes of it.
    pub method: Method,
    /// Areas that the purge reaches.
    pub areas: AreaScope,
    /// When the purge was accepted.
    pub created_at: Timestamp,
    /// When the last node confirmed; absent while it is processing.
    pub finished_at: Option<Timestamp>,
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
