//! What goes into the verbs of purges and what comes out.

use stoker_domain::{
    account::AccountId,
    area::AreaScope,
    purge::{Method, Scope},
    quota::Product,
    task::TaskId,
    time::Timestamp,
    view::PurgeTarget,
};

use crate::Charge;

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
