//! What goes into the verbs of purges and what comes out.

use stoker_domain::{
    account::AccountId,
    area::{Area, AreaScope},
    purge::{Method, Scope},
    quota::Product,
    task::TaskId,
    time::Timestamp,
};

use crate::Charge;

/// One target of a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeTarget {
    /// Normalised URL; of a directory it ends in `/`. For [`Scope::Tag`] the tag.
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
    /// What was asked for, by whose quota it charges.
    pub product: Product,
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
