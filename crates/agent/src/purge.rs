//! Passing purge orders on to the cache, one after the other, in the order of their numbers.
//!
//! An order is confirmed only when the cache has made it durable. A confirmation that is lost brings
//! the order again, and carrying it out again changes nothing.

use std::{future::pending, sync::Arc, time::Duration};

use stoker_domain::purge::PurgeOrder;
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tracing::{debug, warn};

use crate::{
    cache::{Cache, PurgeError},
    readiness::Readiness,
    session::{Pauses, Session},
    source::Error as SourceError,
};

/// A source that does not wait for orders is not asked more often than this.
const PAUSE: Duration = Duration::from_millis(100);

/// Passes on the purge orders of one node. Clones are the same.
#[derive(Clone)]
pub(crate) struct Purger {
    session: Session,
    cache: Arc<dyn Cache>,
    readiness: Readiness,
    /// How long the cache stays unready, and stays ready, while the engine is silent.
    patience: Duration,
}

impl Purger {
    pub(crate) fn new(
        session: Session,
        cache: Arc<dyn Cache>,
        readiness: Readiness,
        patience: Duration,
    ) -> Self {
        Self { session, cache, readiness, patience }
    }

    /// Makes the node known, carries out what was purged while it was away, and lets it answer.
    pub(crate) async fn catch_up(&self, mut pauses: Pauses) {
        let node = &self.session.node.name;
        let heard_at = watch::Sender::new(Instant::now());
        let catch_up = async {
            loop {
                let tried = async {
                    self.session.register().await?;
                    heard_at.send_replace(Instant::now());
                    self.carry_out_open(&heard_at).await
                };
                let Err(error) = tried.await else { return };
                warn!(node.id = node, error = %error, "not ready to serve");
                self.recover(&error, &mut pauses).await;
            }
        };
        // old content is better than none: without the engine the node serves what it has
        let serve_anyway = async {
            loop {
                let until = *heard_at.borrow() + self.patience;
                if until <= Instant::now() {
                    break;
                }
                sleep_until(until).await;
            }
            warn!(
                node.id = node,
                "the engine does not answer: serving what may have been purged meanwhile"
            );
            self.readiness.set(true);
            pending::<()>().await;
        };
        select! {
            () = catch_up => {}
            () = serve_anyway => {}
        }
        self.readiness.set(true);
    }

    /// Carries out orders until there are none.
    async fn carry_out_open(&self, heard_at: &watch::Sender<Instant>) -> Result<(), Error> {
        loop {
            let orders = self.session.source.open_purges(&self.session.node.name).await?;
            heard_at.send_replace(Instant::now());
            if orders.is_empty() {
                return Ok(());
            }
            self.carry_out_all(&orders).await?;
        }
    }

    /// Works until it is dropped.
    pub(crate) async fn run(&self, mut pauses: Pauses) {
        let mut lost_at = None;
        loop {
            let asked_at = Instant::now();
            let was_away = lost_at.is_some_and(|at: Instant| at.elapsed() >= self.patience);
            match self.turn(was_away).await {
                Ok(count) => {
                    lost_at = None;
                    pauses.reset();
                    if count == 0 && asked_at.elapsed() < PAUSE {
                        sleep(PAUSE).await;
                    }
                }
                Err(error) => {
                    lost_at.get_or_insert(asked_at);
                    warn!(node.id = self.session.node.name, error = %error, "purge orders wait");
                    self.recover(&error, &mut pauses).await;
                }
            }
        }
    }

    /// Carries out what there is; how many orders that was. After a long absence nobody is answered
    /// meanwhile.
    async fn turn(&self, was_away: bool) -> Result<usize, Error> {
        let (source, node) = (&self.session.source, &self.session.node.name);
        if was_away {
            let missed = source.open_purges(node).await?;
            self.readiness.set(missed.is_empty());
            let done = self.carry_out_all(&missed).await;
            // on failure too: what is left is carried out in the next turn, or the source is gone
            self.readiness.set(true);
            done?;
            return Ok(missed.len());
        }
        let orders = source.purges(node).await?;
        self.carry_out_all(&orders).await?;
        Ok(orders.len())
    }

    async fn carry_out_all(&self, orders: &[PurgeOrder]) -> Result<(), Error> {
        let node = &self.session.node.name;
        for order in orders {
            self.cache.purge(order).await?;
            self.session.source.confirm_purge(node, order.number).await?;
            debug!(node.id = node, order = order.number, "purge order carried out");
        }
        Ok(())
    }

    async fn recover(&self, error: &Error, pauses: &mut Pauses) {
        match error {
            Error::Source(error) => self.session.recover(error, pauses).await,
            Error::Cache(_) => sleep(pauses.next()).await,
        }
    }
}

/// Why orders are not carried out now.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Cache(#[from] PurgeError),
}
