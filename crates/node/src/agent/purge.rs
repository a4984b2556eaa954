//! Carrying out purge orders, one after the other, in the order of their numbers.
//!
//! An order is confirmed only when all of it, and its number, are durable: what comes again after
//! that changes nothing, and what was lost on the way is carried out again before anything else.

use std::{future::pending, sync::Arc, time::Duration};

use stoker_domain::{
    host::covers,
    key::Key,
    placement::Node,
    purge::{PurgeOrder, Scope, is_below, split_tagged, wildcard_of_root},
    target::Target,
};
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tracing::{debug, warn};

use super::Rest;
use crate::{
    fill::Fills,
    gate::Gate,
    history::History,
    source::{JobSource, Unreachable},
    store::{Store, Ticket, WriteError},
};

/// A source that does not wait for orders is not asked more often than this.
const PAUSE: Duration = Duration::from_millis(100);

/// Carries out the purge orders of one node.
pub(crate) struct Purger {
    store: Store,
    fills: Fills,
    history: Arc<History>,
    gate: Gate,
    /// How long the gate stays shut, and stays open, while nothing is heard from the source.
    patience: Duration,
}

impl Purger {
    pub(crate) fn new(
        store: Store,
        fills: Fills,
        history: Arc<History>,
        gate: Gate,
        patience: Duration,
    ) -> Self {
        Self { store, fills, history, gate, patience }
    }

    /// Makes the node known, carries out what was purged while it was away, and opens the gate.
    pub(super) async fn come_back(
        &self,
        node: &Node,
        session: u64,
        source: &dyn JobSource,
        mut rest: Rest,
    ) {
        let heard_at = watch::Sender::new(Instant::now());
        let catch_up = async {
            loop {
                let tried = async {
                    source.register(node, session).await?;
                    heard_at.send_replace(Instant::now());
                    self.catch_up(&node.name, source, &heard_at).await
                };
                let Err(error) = tried.await else { return };
                warn!(node.id = node.name, error = %error, "not ready to serve");
                rest.take().await;
            }
        };
        let serve_anyway = async {
            loop {
                let until = *heard_at.borrow() + self.patience;
                if until <= Instant::now() {
                    break;
                }
                sleep_until(until).await;
            }
            warn!(
                node.id = node.name,
                "the engine does not answer: serving what may have been purged meanwhile"
            );
            self.gate.set_open(true);
            pending::<()>().await;
        };
        select! {
            () = catch_up => {}
            () = serve_anyway => {}
        }
        self.gate.set_open(true);
    }

    /// Carries out orders until there are none.
    async fn catch_up(
        &self,
        node: &str,
        source: &dyn JobSource,
        heard_at: &watch::Sender<Instant>,
    ) -> Result<(), Error> {
        loop {
            let orders = source.open_purges(node).await?;
            heard_at.send_replace(Instant::now());
            if orders.is_empty() {
                return Ok(());
            }
            self.carry_out_all(node, source, &orders).await?;
        }
    }

    /// Works until it is dropped.
    pub(super) async fn run(&self, node: &Node, source: Arc<dyn JobSource>, mut rest: Rest) {
        let mut lost_at = None;
        loop {
            let asked_at = Instant::now();
            let is_back = lost_at.is_some_and(|at: Instant| at.elapsed() >= self.patience);
            match self.turn(&node.name, &*source, is_back).await {
                Ok(0) if asked_at.elapsed() < PAUSE => {
                    lost_at = None;
                    rest.end();
                    sleep(PAUSE).await;
                }
                Ok(_) => {
                    lost_at = None;
                    rest.end();
                }
                Err(error) => {
                    lost_at.get_or_insert(asked_at);
                    warn!(node.id = node.name, error = %error, "purge orders wait");
                    rest.take().await;
                }
            }
        }
    }

    /// Carries out what there is; how many orders that was. After a long absence nobody is answered
    /// meanwhile.
    async fn turn(
        &self,
        node: &str,
        source: &dyn JobSource,
        is_back: bool,
    ) -> Result<usize, Error> {
        if is_back {
            let missed = source.open_purges(node).await?;
            self.gate.set_open(missed.is_empty());
            let done = self.carry_out_all(node, source, &missed).await;
            // on failure too: what is left is carried out in the next turn, or the source is gone
            self.gate.set_open(true);
            done?;
            return Ok(missed.len());
        }
        let orders = source.purges(node).await?;
        self.carry_out_all(node, source, &orders).await?;
        Ok(orders.len())
    }

    async fn carry_out_all(
        &self,
        node: &str,
        source: &dyn JobSource,
        orders: &[PurgeOrder],
    ) -> Result<(), Error> {
        for order in orders {
            self.carry_out(order).await?;
            source.purged(node, order.number).await?;
            debug!(node.id = node, order = order.number, "purge order carried out");
        }
        Ok(())
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
        self.note(order.scope, &targets);
        // only now: whoever starts anew from here on takes a generation above the purge's
        self.fills.part_from(|key, url| {
            targets.iter().any(|(purged, name)| match order.scope {
                Scope::Url => *purged == key,
                Scope::Path => is_below(name, url),
                // what a fill that runs is tagged with may not be known yet
                Scope::Tag => split_tagged(name).is_some_and(|(host, _)| {
                    let own = url.split('/').next().unwrap_or_default();
                    own == host || covers(host, own)
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

impl Purger {
    /// For people who ask why something is not here.
    fn note(&self, scope: Scope, targets: &[(Key, String)]) {
        for (key, name) in targets {
            match scope {
                Scope::Url => self.history.purged_one(*key),
                Scope::Path | Scope::Tag => self.history.purged_below(name),
            }
        }
    }
}

/// The key of the target, and what the URLs that the store keeps of it begin with; a tag has no key,
/// and a wildcard neither.
fn named(scope: Scope, target: &str) -> Option<(Key, String)> {
    if scope == Scope::Tag {
        split_tagged(target)?;
        return Some((Key([0; 16]), target.into()));
    }
    if scope == Scope::Path
        && let Some(name) = wildcard_of_root(target)
    {
        return Some((Key([0; 16]), format!("{name}/")));
    }
    let target = Target::parse(target, false).ok()?;
    Some((target.key(), format!("{}{}", target.host, target.path_and_query)))
}

/// Why orders are not carried out now.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Source(#[from] Unreachable),
    #[error("cannot purge")]
    Store(#[from] WriteError),
}
