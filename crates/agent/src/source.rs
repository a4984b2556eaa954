//! Where a node gets its work and reports outcomes: the node's side of the transport.
//!
//! Every call may be lost, and every answer too: the caller repeats it until it is answered, and
//! the engine ignores what it has heard before. No method has a default body: a transport that forgot one would
//! lose purges without anybody noticing.

use std::time::Duration;

use async_trait::async_trait;
use stoker_domain::{
    job::{Heartbeat, JobId, LeaseToken, LeasedJob, Report, StoreHealth},
    pace::{Demand, Grant},
    placement::Node,
    purge::PurgeOrder,
};

/// The engine, as a node sees it.
///
/// Any call may end in any [`Error`]; the methods name only those that mean something special.
#[async_trait]
pub trait JobSource: Send + Sync {
    /// Makes the node known. A new `session` tells that it has started anew, so that leases of the
    /// former one are released at once. Repeating a registration changes nothing.
    async fn register(&self, node: &Node, session: u64) -> Result<(), Error>;

    /// Leases up to `limit` jobs to the node called `node`. May wait some seconds for work.
    async fn lease(&self, node: &str, limit: usize) -> Result<Vec<LeasedJob>, Error>;

    /// Keeps a lease and tells how far its items are. [`Error::LeaseLost`]: the job is another's.
    async fn heartbeat(&self, beat: Heartbeat) -> Result<(), Error>;

    /// The leases of the node called `node` that the engine ended before their time, since it was last
    /// asked: a task was paused or canceled. May wait some seconds for one. Each is told once; what
    /// does not arrive, a heartbeat or a report tells.
    async fn lost_leases(&self, node: &str) -> Result<Vec<(JobId, LeaseToken)>, Error>;

    /// Reports items. Repeating a report changes nothing. [`Error::LeaseLost`]: nothing was taken.
    async fn report(&self, report: Report) -> Result<(), Error>;

    /// Tells how the store of the node called `node` is; only the latest counts.
    async fn health(&self, node: &str, health: StoreHealth) -> Result<(), Error>;

    /// Tells what the node called `node` wants to read from origins with a limit, and returns how
    /// much it may. A domain that is no longer named is given up.
    async fn pace(&self, node: &str, demands: Vec<Demand>) -> Result<Vec<Grant>, Error>;

    /// The purge orders that the node called `node` has not confirmed, by number; some of them, if
    /// they are many. May wait some seconds for one.
    async fn purges(&self, node: &str) -> Result<Vec<PurgeOrder>, Error>;

    /// As [`Self::purges`], without waiting: what a node asks before it serves.
    async fn open_purges(&self, node: &str) -> Result<Vec<PurgeOrder>, Error>;

    /// Confirms that the order is carried out and will outlive a power cut. Repeating it changes
    /// nothing.
    async fn confirm_purge(&self, node: &str, number: u64) -> Result<(), Error>;
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine does not know the node; it has to register again. Its leases may still hold.
    #[error("the engine does not know this node")]
    NotRegistered,
    /// The job is leased to another, has ended, or its task was paused or canceled. Work on it is in vain.
    #[error("the lease is lost")]
    LeaseLost,
    /// The engine is there and has too much to do.
    #[error("the engine asks to be called again in {} ms", .0.as_millis())]
    SlowDown(Duration),
    /// No answer. Whether the engine heard the call is not known.
    #[error("the engine does not answer")]
    Unreachable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}
