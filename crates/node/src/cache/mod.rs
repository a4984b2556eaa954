//! This node's store, fills and serving function as the [`Cache`] that the agent drives.
//!
//! Fetching, the proof by read-back, and the reading of playlists are here; leases, heartbeats and
//! reports are the agent's (`stoker_agent`).

mod coding;
mod playlist;
mod prefetch;
mod purge;

use std::sync::Arc;

use async_trait::async_trait;
use stoker_agent::{Cache, Progress, PurgeError, Terms};
use stoker_domain::{
    directory::Directory,
    job::{ItemReport, JobItem, StoreHealth},
    purge::PurgeOrder,
    time::Clock,
};
use tokio::sync::watch;

use self::{prefetch::Prefetcher, purge::Purger};
use crate::{fill::Fills, history::History, serve::Service, store::Store};

/// What the agent drives.
pub(crate) struct NodeCache {
    store: Store,
    prefetcher: Prefetcher,
    purger: Purger,
}

impl NodeCache {
    pub(crate) fn new(
        service: Service,
        (store, fills): (Store, Fills),
        history: Arc<History>,
        directory: watch::Receiver<Arc<Directory>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let purger = Purger::new(store.clone(), fills.clone(), history);
        let prefetcher = Prefetcher::new(service, store.clone(), fills, directory, clock);
        Self { store, prefetcher, purger }
    }
}

#[async_trait]
impl Cache for NodeCache {
    async fn prefetch(&self, item: &JobItem, terms: &Terms, progress: &Progress) -> ItemReport {
        self.prefetcher.prefetch(item, terms, progress).await
    }

    async fn purge(&self, order: &PurgeOrder) -> Result<(), PurgeError> {
        self.purger.carry_out(order).await.map_err(|error| PurgeError(Box::new(error)))
    }

    fn health(&self) -> StoreHealth {
        self.store.health()
    }
}
