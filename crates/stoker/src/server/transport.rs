//! The transport within one process: nodes call the engine directly, and it asks them directly.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use stoker_agent::{Error, JobSource};
use stoker_domain::{
    holding::Holding,
    job::{Heartbeat, JobId, LeaseToken, LeasedJob, Report, StoreHealth},
    pace::{Demand, Grant},
    placement::Node,
    purge::PurgeOrder,
    target::Target,
};
use stoker_engine::{Engine, Error as EngineError, ErrorKind, Inspect};
use stoker_node::Inspector;
use tokio::sync::watch;

/// How long a node's call for work waits for some.
const WAIT: Duration = Duration::from_secs(5);
/// How long a node leaves a ledger alone that is locked or fails for the moment.
const LEDGER_PAUSE: Duration = Duration::from_millis(100);

/// The engine as the nodes see it.
pub(super) struct InProcess {
    pub(super) engine: Arc<Engine>,
    /// True as soon as all nodes serve. A job that is begun before would find no parent, and pull
    /// from the origin what another node has.
    pub(super) all_serve: watch::Receiver<bool>,
}

#[async_trait]
impl JobSource for InProcess {
    async fn register(&self, node: &Node, session: u64) -> Result<(), Error> {
        self.engine.register(node.clone(), session).await.map_err(unanswered)
    }

    async fn lease(&self, node: &str, limit: usize) -> Result<Vec<LeasedJob>, Error> {
        let mut all_serve = self.all_serve.clone();
        // its other end is gone only when the start has failed
        all_serve.wait_for(|all_serve| *all_serve).await.map_err(|_| Error::Unreachable(None))?;
        self.check_registered(node)?;
        self.engine.lease(node, limit, WAIT).await.map_err(unanswered)
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<(), Error> {
        held(self.engine.heartbeat(beat).await)
    }

    async fn lost_leases(&self, node: &str) -> Result<Vec<(JobId, LeaseToken)>, Error> {
        Ok(self.engine.lost_leases(node, WAIT).await)
    }

    async fn health(&self, node: &str, health: StoreHealth) -> Result<(), Error> {
        self.engine.record_store_health(node, health);
        Ok(())
    }

    async fn pace(&self, node: &str, demands: Vec<Demand>) -> Result<Vec<Grant>, Error> {
        Ok(self.engine.pace(node, &demands))
    }

    async fn report(&self, report: Report) -> Result<(), Error> {
        held(self.engine.report(report).await)
    }

    async fn purges(&self, node: &str) -> Result<Vec<PurgeOrder>, Error> {
        self.engine.purge_orders(node, WAIT).await.map_err(unanswered)
    }

    async fn open_purges(&self, node: &str) -> Result<Vec<PurgeOrder>, Error> {
        self.engine.purge_orders(node, Duration::ZERO).await.map_err(unanswered)
    }

    async fn confirm_purge(&self, node: &str, number: u64) -> Result<(), Error> {
        self.engine.purged(node, number).await.map_err(unanswered)
    }
}

/// The nodes of this process as the engine asks them, by name.
#[derive(Debug)]
pub(super) struct Inspectors(pub(super) HashMap<String, Inspector>);

#[async_trait]
impl Inspect for Inspectors {
    async fn holdings(&self, node: &Node, targets: &[Target]) -> Option<Vec<Holding>> {
        let inspector = self.0.get(&node.name)?;
        let mut holdings = Vec::with_capacity(targets.len());
        for target in targets {
            holdings.push(inspector.holding(target).await);
        }
        Some(holdings)
    }
}

impl InProcess {
    /// A job that is leased to a node which is in no directory has no place in any plan.
    fn check_registered(&self, node: &str) -> Result<(), Error> {
        if self.engine.is_registered(node) { Ok(()) } else { Err(Error::NotRegistered) }
    }
}

fn held(answer: Result<bool, EngineError>) -> Result<(), Error> {
    match answer {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::LeaseLost),
        Err(error) => Err(unanswered(error)),
    }
}

/// The engine is there, and its ledger does not serve the call now.
fn unanswered(error: EngineError) -> Error {
    match error.kind {
        ErrorKind::Unavailable => Error::SlowDown(LEDGER_PAUSE),
        _ => Error::Unreachable(Some(Box::new(error))),
    }
}
