//! The transport within one process: nodes call the engine directly.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stoker_domain::{
    job::{Heartbeat, LeasedJob, Report},
    placement::Node,
};
use stoker_engine::Engine;
use stoker_ledger::Error;
use stoker_node::{JobSource, Unreachable};

/// How long a node's call for work waits for some.
const WAIT: Duration = Duration::from_secs(5);

/// The engine as the nodes see it.
pub(super) struct InProcess(pub(super) Arc<Engine>);

#[async_trait]
impl JobSource for InProcess {
    async fn register(&self, node: &Node, session: u64) -> Result<(), Unreachable> {
        self.0.register(node.clone(), session).await.map_err(unreachable)
    }

    async fn lease(&self, node: &str, limit: usize) -> Result<Vec<LeasedJob>, Unreachable> {
        self.0.lease(node, limit, WAIT).await.map_err(unreachable)
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<bool, Unreachable> {
        self.0.heartbeat(beat).await.map_err(unreachable)
    }

    async fn report(&self, report: Report) -> Result<bool, Unreachable> {
        self.0.report(report).await.map_err(unreachable)
    }
}

fn unreachable(error: Error) -> Unreachable {
    Unreachable(Some(Box::new(error)))
}
