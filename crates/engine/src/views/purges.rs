//! What callers see of purges and of how far each node is with them.

use stoker_domain::{
    task::TaskId,
    time::Timestamp,
    view::{Page, PurgeFilter, PurgeNode, PurgeRow},
};

use crate::{Engine, Error};

impl Engine {
    /// Targets of purges, newest purge first. Those that take longer than
    /// [`Config::purge_patience`](crate::Config::purge_patience) are overdue.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn purges(&self, filter: &PurgeFilter) -> Result<Page<PurgeRow>, Error> {
        let now = self.clock.now().as_millis();
        let patience = i64::try_from(self.config.purge_patience.as_millis()).unwrap_or(i64::MAX);
        let overdue = Some(Timestamp::from_millis(now.saturating_sub(patience)));
        Ok(self.ledger.purges(&PurgeFilter { overdue, ..filter.clone() }).await?)
    }

    /// How far each node is with a purge.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn purge_nodes(&self, purge: &TaskId) -> Result<Vec<PurgeNode>, Error> {
        Ok(self.ledger.purge_nodes(purge).await?)
    }
}
