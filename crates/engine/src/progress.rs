//! How far running items are, from heartbeats: in memory only, dropped with the lease.
//!
//! Views mix it in; nothing is ever decided by it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use stoker_domain::{
    job::{Heartbeat, ItemProgress, JobId, LeaseToken, LeasedJob},
    task::TaskId,
    time::Timestamp,
};

/// What is known of one lease.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) node: String,
    pub(crate) task: TaskId,
    token: LeaseToken,
    until: Timestamp,
    /// By position in the chunk.
    pub(crate) items: HashMap<u16, ItemProgress>,
}

/// Progress of all leases that are out.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<HashMap<JobId, Running>>);

impl Board {
    /// A job was leased to `node` until `until`. Leases that ended before `now` are dropped.
    pub(crate) fn start(&self, node: &str, jobs: &[LeasedJob], now: Timestamp, until: Timestamp) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.retain(|_, running| running.until >= now);
        for job in jobs {
            let (node, task) = (node.into(), job.task.clone());
            let items = HashMap::new();
            board.insert(job.id, Running { node, task, token: job.token, until, items });
        }
    }

    /// A heartbeat renewed its lease until `until`; the node that holds it, when known.
    pub(crate) fn beat(&self, beat: &Heartbeat, until: Timestamp) -> Option<String> {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = board.get_mut(&beat.job).filter(|running| running.token == beat.token)?;
        running.until = until;
        running.items = beat.items.iter().map(|item| (item.position, *item)).collect();
        Some(running.node.clone())
    }

    /// The lease of `job` ended.
    pub(crate) fn drop_job(&self, job: JobId, token: LeaseToken) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if board.get(&job).is_some_and(|running| running.token == token) {
            board.remove(&job);
        }
    }

    /// All leases of `node` ended.
    pub(crate) fn drop_node(&self, node: &str) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.retain(|_, running| running.node != node);
    }

    /// Whether anything is known of `task`.
    pub(crate) fn has(&self, task: &TaskId) -> bool {
        let board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.values().any(|running| running.task == *task && !running.items.is_empty())
    }

    /// How far one item of a job is.
    pub(crate) fn item(&self, job: JobId, position: u16) -> Option<ItemProgress> {
        let board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.get(&job)?.items.get(&position).copied()
    }
}
