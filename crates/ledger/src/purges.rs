//! Purges: accepting them, handing out their orders phase by phase, looking at them.

use async_trait::async_trait;
use stoker_domain::{
    account::AccountId,
    area::AreaScope,
    purge::{Method, PurgeOrder, Scope},
    quota::Product,
    task::TaskId,
    time::Timestamp,
    view::{Page, PurgeFilter, PurgeNode, PurgeRow, PurgeTarget},
};

use crate::{Charge, Error};

/// Purges: what is to leave the caches, and which nodes have carried that out.
#[async_trait]
pub trait Purges: Send + Sync {
    /// Accepts a purge: its targets, its quota and the orders of its nodes in one transaction.
    ///
    /// Orders of a phase are handed out when all orders of the phases before are confirmed. While a
    /// node has an order of an account that is not confirmed, no job of that account is leased to it:
    /// what is prefetched after a purge is fetched after it.
    ///
    /// # Errors
    /// [`ErrorKind::OverQuota`](crate::ErrorKind::OverQuota); then nothing was written.
    async fn submit_purge(&self, purge: NewPurge) -> Result<(), Error>;
    /// Up to `limit` orders of `node` that are handed out and not confirmed, by number.
    async fn purge_orders(&self, node: &str, limit: usize) -> Result<Vec<PurgeOrder>, Error>;
    /// Confirms an order of `node`, and hands out the next phase when it was the last of its own.
    /// An order that is confirmed already, or that is not there, changes nothing.
    async fn purged(&self, node: &str, number: u64, now: Timestamp) -> Result<Purged, Error>;
    /// Orders the nodes of the last phase of purges that wait for `silent` nodes alone, once and before
    /// their turn; the silent ones not. In their turn they are ordered again,
    /// because until then they may have fetched the old through a silent node that still serves.
    /// The names of the nodes that have an order now, some of them if they are many.
    async fn release_phase_early(
        &self,
        silent: &[String],
        now: Timestamp,
    ) -> Result<Vec<String>, Error>;
    /// Targets of purges that match, newest purge first, in the order submitted.
    async fn purges(&self, filter: &PurgeFilter) -> Result<Page<PurgeRow>, Error>;
    /// The orders of a purge, by phase and node.
    async fn purge_nodes(&self, purge: &TaskId) -> Result<Vec<PurgeNode>, Error>;
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
