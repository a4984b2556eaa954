//! Where a node gets its work and says what became of it: the node's side of the transport.
//!
//! Every call may be lost, and every answer too: whoever calls repeats until it is answered, and
//! the other side ignores what it has heard before.

use std::future::pending;

use async_trait::async_trait;
use stoker_domain::{
    job::{Heartbeat, LeasedJob, Report, StoreHealth},
    pace::{Demand, Grant},
    placement::Node,
    purge::PurgeOrder,
};

/// The engine, as a node sees it.
#[async_trait]
pub trait JobSource: Send + Sync {
    /// Makes the node known. A new `session` tells that it has started anew, so that leases of the
    /// former one are released at once.
    async fn register(&self, node: &Node, session: u64) -> Result<(), Unreachable>;
    /// Leases up to `limit` jobs of the node called `node`. May wait some seconds for work.
    async fn lease(&self, node: &str, limit: usize) -> Result<Vec<LeasedJob>, Unreachable>;
    /// Renews a lease and tells how far it is; false when the lease is lost.
    async fn heartbeat(&self, beat: Heartbeat) -> Result<bool, Unreachable>;
    /// Says what the node called `node` wants to read from origins with a limit, and is told how much
    /// it may. A domain that is not asked for any more is given up.
    async fn pace(&self, node: &str, demands: Vec<Demand>) -> Result<Vec<Grant>, Unreachable>;
    /// Says how the store of the node called `node` is; only the last word counts.
    async fn health(&self, _node: &str, _health: StoreHealth) -> Result<(), Unreachable> {
        Ok(())
    }
    /// Reports items; false when the lease is lost. Repeating a report changes nothing.
    async fn report(&self, report: Report) -> Result<bool, Unreachable>;
    /// The purge orders that the node called `node` has not confirmed, by number; some of them, if
    /// they are many. May wait some seconds for one. A source without purges never answers.
    async fn purges(&self, _node: &str) -> Result<Vec<PurgeOrder>, Unreachable> {
        pending().await
    }
    /// As [`Self::purges`], without waiting: what a node asks before it serves.
    async fn open_purges(&self, _node: &str) -> Result<Vec<PurgeOrder>, Unreachable> {
        Ok(Vec::new())
    }
    /// Confirms that the order is carried out and will outlive a power cut. Repeating it changes
    /// nothing.
    async fn purged(&self, _node: &str, _number: u64) -> Result<(), Unreachable> {
        Ok(())
    }
}

/// The engine did not answer. Whether it heard the call is not known.
#[derive(Debug, thiserror::Error)]
#[error("the engine does not answer")]
pub struct Unreachable(#[source] pub Option<Box<dyn std::error::Error + Send + Sync>>);
