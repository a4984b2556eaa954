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
#[derive(Debug)]
struct Running {
    node: String,
    task: TaskId,
    token: LeaseToken,
    until: Timestamp,
    /// URLs by position of what was not reported yet, to find the target of an item.
    urls: HashMap<u16, String>,
    items: Vec<ItemProgress>,
}

/// The items of one task that move, by URL: one entry per node that works on it.
pub(crate) type Moving = HashMap<String, Vec<ItemProgress>>;

/// Progress of all leases that are out.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<HashMap<JobId, Running>>);

impl Leases {
    /// `jobs` were leased to `node` until `until`. Leases that ended before `now` are dropped.
    pub(crate) fn start(&self, node: &str, jobs: &[LeasedJob], now: Timestamp, until: Timestamp) {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|_, running| running.until >= now);
        for job in jobs {
            let running = Running {
                node: node.into(),
                task: job.task.clone(),
                token: job.token,
                until,
                urls: job.items.iter().map(|item| (item.position, item.url.clone())).collect(),
                items: Vec::new(),
            };
            leases.insert(job.id, running);
        }
    }

    /// A heartbeat renewed its lease until `until`; the node that holds it, when known.
    pub(crate) fn beat(&self, beat: Heartbeat, until: Timestamp) -> Option<String> {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = leases.get_mut(&beat.job).filter(|running| running.token == beat.token)?;
        running.until = until;
        running.items = beat.items;
        Some(running.node.clone())
    }

    /// An item was reported: what was told of its progress is over.
    pub(crate) fn settle(&self, job: JobId, token: LeaseToken, positions: &[u16]) {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = leases.get_mut(&job).filter(|running| running.token == token) {
            running.items.retain(|item| !positions.contains(&item.position));
            for position in positions {
                running.urls.remove(position);
            }
        }
    }

    /// Whether items were handed out with the lease of which nothing was reported; so it is taken
    /// for a lease that is not known.
    pub(crate) fn is_at_work(&self, job: JobId, token: LeaseToken) -> bool {
        let leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = leases.get(&job).filter(|running| running.token == token);
        running.is_none_or(|running| !running.urls.is_empty())
    }

    /// The lease of `job` ended.
    pub(crate) fn end(&self, job: JobId, token: LeaseToken) {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if leases.get(&job).is_some_and(|running| running.token == token) {
            leases.remove(&job);
        }
    }

    /// All leases of `node` ended.
    pub(crate) fn end_all(&self, node: &str) {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|_, running| running.node != node);
    }

    /// The items of `task` that move.
    pub(crate) fn moving(&self, task: &TaskId) -> Moving {
        let leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut moving = Moving::new();
        for running in leases.values().filter(|running| running.task == *task) {
            for item in &running.items {
                if let Some(url) = running.urls.get(&item.position) {
                    moving.entry(url.clone()).or_default().push(*item);
                }
            }
        }
        moving
    }
}
