//! Carrying out purge orders, one after the other, in the order of their numbers.
//!
//! An order is confirmed only when all of it, and its number, are durable: what comes again after
//! that changes nothing, and what was lost on the way is carried out again before anything else.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    key::Key,
    placement::Node,
    purge::{PurgeOrder, Scope, split_tagged},
    target::Target,
};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::Rest;
use crate::{
    fill::{Fills, stored_url},
    source::{JobSource, Unreachable},
    store::{Store, Ticket, WriteError},
};

/// A source that does not wait for orders is not asked more often than this.
const PAUSE: Duration = Duration::from_millis(100);

/// Carries out the purge orders of one node.
pub(crate) struct Purger {
    store: Store,
    fills: Fills,
}

impl Purger {
    pub(crate) fn new(store: Store, fills: Fills) -> Self {
        Self { store, fills }
    }

    /// Works until it is dropped.
    pub(super) async fn run(&self, node: &Node, source: Arc<dyn JobSource>, mut rest: Rest) {
        loop {
            let asked_at = Instant::now();
            match self.turn(&node.name, &*source).await {
                Ok(0) if asked_at.elapsed() < PAUSE => sleep(PAUSE).await,
                Ok(_) => rest.end(),
                Err(error) => {
                    warn!(node.id = node.name, error = %error, "purge orders wait");
                    rest.take().await;
                }
            }
        }
    }

    /// Carries out what there is; how many orders that was.
    async fn turn(&self, node: &str, source: &dyn JobSource) -> Result<usize, Error> {
        let orders = source.purges(node).await?;
        for order in &orders {
            self.carry_out(order).await?;
            source.purged(node, order.number).await?;
            debug!(node.id = node, order = order.number, "purge order carried out");
        }
        Ok(orders.len())
    }

    async fn carry_out(&self, order: &PurgeOrder) -> Result<(), WriteError> {
        if order.number <= self.store.order() {
            return Ok(());
        }
        // the ledger holds none that cannot be read
        let read = |target: &String| named(order.scope, target);
        let targets: Vec<(Key, String)> = order.targets.iter().filter_map(read).collect();
        let purge = |(key, url): &(Key, String)| -> Ticket {
            match order.scope {
                Scope::Url => self.store.remove(*key),
                Scope::Path | Scope::Tag => self.store.purge(url, order.method),
            }
        };
        let tickets: Vec<Ticket> = targets.iter().map(purge).collect();
        // only now: whoever starts anew from here on takes a generation above the purge's
        self.fills.part_from(|key, url| {
            targets.iter().any(|(purged, name)| match order.scope {
                Scope::Url => *purged == key,
                Scope::Path => url.starts_with(name),
                // what a fill that runs is tagged with may not be known yet
                Scope::Tag => split_tagged(name).is_some_and(|(host, _)| {
                    url.strip_prefix(host).is_some_and(|path| path.starts_with('/'))
                }),
            })
        });
        for ticket in tickets {
            match ticket.durable().await {
                // a newer generation, or another purge, has taken its place
                Ok(()) | Err(WriteError::Superseded) => {}
                Err(error) => return Err(error),
            }
        }
        self.store.order_done(order.number).await
    }
}

/// What the store calls the target; a tag has no key.
fn named(scope: Scope, target: &str) -> Option<(Key, String)> {
    if scope == Scope::Tag {
        split_tagged(target)?;
        return Some((Key([0; 16]), target.into()));
    }
    let target = Target::parse(target, false).ok()?;
    Some((target.key(), stored_url(&target.host, &target.path_and_query)))
}

/// Why orders are not carried out now.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Source(#[from] Unreachable),
    #[error("cannot purge")]
    Store(#[from] WriteError),
}
