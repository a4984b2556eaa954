//! Orders of purges: handed out to nodes, confirmed by them, and released early past silent nodes.

use std::time::Duration;

use stoker_domain::{purge::PurgeOrder, time::Timestamp};
use tokio::time::{Instant, timeout};

use crate::{Engine, Error};

/// Orders that a node is handed at once; each may have a thousand targets.
const ORDERS: usize = 16;

impl Engine {
    /// The purge orders that `node` has to carry out, waiting up to `wait` for the first of them.
    /// Dropped while it waits, nothing is lost.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn purge_orders(&self, node: &str, wait: Duration) -> Result<Vec<PurgeOrder>, Error> {
        let deadline = Instant::now() + wait;
        let wakeup = self.purge_wakeups.of(node);
        loop {
            let orders = self.ledger.purge_orders(node, ORDERS).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            if !orders.is_empty() || left.is_zero() {
                return Ok(orders);
            }
            // either way the ledger is asked again: a wakeup only means that there may be something
            let _ = timeout(left, wakeup.notified()).await;
        }
    }

    /// Records that `node` has carried out the order with this number.
    ///
    /// # Errors
    /// A failure of the ledger; the node has to send it again.
    pub async fn purged(&self, node: &str, number: u64) -> Result<(), Error> {
        let now = self.clock.now();
        self.touch(node);
        let purged = self.ledger.purged(node, number, now).await?;
        self.purge_wakeups.notify(purged.released.iter().map(String::as_str));
        // jobs of the node that waited for the purge may go on
        self.wakeups.notify([node]);
        if let Some(task) = &purged.finished {
            tracing::info!(task.id = %task, "purge finished");
        }
        Ok(())
    }

    /// Lets the edges carry out purges that wait for nodes that are silent for longer than a lease.
    pub(crate) async fn release_edges_early(
        &self,
        now: Timestamp,
        watching_since: Timestamp,
    ) -> Result<(), Error> {
        let is_silent = |name: &str| {
            let seen = self.nodes.last_seen(name).filter(|seen| *seen <= now);
            now.since(seen.unwrap_or(watching_since).max(watching_since)) > self.config.lease
        };
        let directory = self.directory.current();
        let names = directory.fleet().nodes().iter().map(|node| &node.name);
        let silent: Vec<String> = names.filter(|name| is_silent(name)).cloned().collect();
        if silent.is_empty() {
            return Ok(());
        }
        let released = self.ledger.release_phase_early(&silent, now).await?;
        if !released.is_empty() {
            let nodes = silent.join(", ");
            tracing::warn!(node.ids = nodes, "purges go on without nodes that are silent");
        }
        self.purge_wakeups.notify(released.iter().map(String::as_str));
        Ok(())
    }
}
