//! One life of a node towards the engine, and what every failed call asks of the caller.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use stoker_domain::{backoff::Backoff, placement::Node};
use tokio::time::sleep;
use tracing::debug;

use crate::source::{Error, JobSource};

/// Pauses between two calls to an engine that does not answer.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// An engine that asks for a longer pause is called again after this: leases last for about 30 s, and
/// while a report waits no heartbeat renews its lease.
const LONGEST_SLOW_DOWN: Duration = Duration::from_secs(10);

/// Who calls whom. Clones are the same session.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) node: Arc<Node>,
    pub(crate) source: Arc<dyn JobSource>,
    /// Random; another one tells the engine that the node has started anew.
    number: u64,
}

impl Session {
    pub(crate) fn new(node: Arc<Node>, source: Arc<dyn JobSource>, number: u64) -> Self {
        Self { node, source, number }
    }

    pub(crate) async fn register(&self) -> Result<(), Error> {
        self.source.register(&self.node, self.number).await
    }

    /// Waits for as long as `error` demands before the call is repeated, and registers again where
    /// the engine no longer knows the node. Each loop that gets this answer does so for itself:
    /// repeating a registration changes nothing.
    pub(crate) async fn recover(&self, error: &Error, pauses: &mut Pauses) {
        let pause = pauses.next();
        match error {
            Error::SlowDown(wanted) => sleep(pause.max(bounded(*wanted))).await,
            Error::Unreachable(_) | Error::LeaseLost => sleep(pause).await,
            Error::NotRegistered => {
                // the pause comes first: an engine that answers so to each call must not be flooded
                sleep(pause).await;
                if let Err(error) = self.register().await {
                    debug!(node.id = self.node.name, error = %error, "cannot register again");
                }
            }
        }
    }
}

/// A pause that the engine asks for, as far as it is granted.
pub(crate) fn bounded(wanted: Duration) -> Duration {
    wanted.min(LONGEST_SLOW_DOWN)
}

/// Pauses between calls to an engine that does not answer. Each loop has its own.
pub(crate) struct Pauses {
    failures: u32,
    random: StdRng,
}

impl Pauses {
    pub(crate) fn new(seed: u64) -> Self {
        Self { failures: 0, random: StdRng::seed_from_u64(seed) }
    }

    /// Others with their own randomness.
    pub(crate) fn split(&mut self) -> Self {
        Self::new(self.random.random())
    }

    /// The pause after one more call that failed.
    pub(crate) fn next(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        BACKOFF.delay(self.failures, self.random.random())
    }

    /// The engine has answered.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}
