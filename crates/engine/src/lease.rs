//! The server side of the transport: handing out jobs and keeping them handed out.
//!
//! A lease that is not renewed ends by itself and its job is handed out again; the token tells the
//! late report of the first holder from the second's. Leasing waits for the doorbell or for the
//! next job to become due, so that nobody has to ask in a loop.

use std::time::Duration;

use stoker_domain::{
    job::{Heartbeat, LeasedJob},
    retry::LONGEST_DELAY,
};
use stoker_ledger::Error;
use tokio::time::{Instant, timeout};

use crate::Engine;

/// The shortest wait for a job that is due in a moment.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

impl Engine {
    /// Leases up to `limit` jobs to `node`, waiting up to `wait` for the first of them.
    ///
    /// Dropped while it waits, nothing is lost; dropped later, or when its answer does not arrive,
    /// the leases end by themselves.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn lease(
        &self,
        node: &str,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<LeasedJob>, Error> {
        let deadline = Instant::now() + wait;
        let bell = self.doorbells.of(node);
        loop {
            self.nodes.touch(node, self.clock.now());
            let jobs = self.lease_due(node, limit).await?;
            if !jobs.is_empty() {
                if jobs.len() >= limit {
                    // there may be more, and another call of this node may be waiting for it
                    bell.notify_one();
                }
                return Ok(jobs);
            }
            let until_due = self.until_due(node).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || limit == 0 {
                return Ok(jobs);
            }
            let pause = until_due.map_or(left, |due| left.min(due.max(SHORTEST_WAIT)));
            // either way the ledger is asked again: the bell only says that it may be worth it
            let _ = timeout(pause, bell.notified()).await;
        }
    }

    /// Renews a lease and takes note of how far its items are; false when the lease is lost.
    ///
    /// # Errors
    /// What the ledger said; the lease may or may not be renewed.
    pub async fn heartbeat(&self, beat: Heartbeat) -> Result<bool, Error> {
        let until = self.schedule.now(&*self.clock) + self.config.lease;
        if !self.ledger.renew(&beat, until).await? {
            self.progress.end(beat.job, beat.token);
            return Ok(false);
        }
        if let Some(node) = self.progress.beat(beat, until) {
            self.nodes.touch(&node, self.clock.now());
        }
        Ok(true)
    }

    async fn lease_due(&self, node: &str, limit: usize) -> Result<Vec<LeasedJob>, Error> {
        let now = self.schedule.now(&*self.clock);
        let until = now + self.config.lease;
        let mut jobs = self.ledger.lease(node, limit, now, until, self.random()).await?;
        if jobs.is_empty() {
            return Ok(jobs);
        }
        self.progress.start(node, &jobs, now, until);
        for job in &mut jobs {
            // the node knows the wall clock only
            job.expires_at = self.clock.now() + self.config.lease;
            tracing::debug!(
                job.id = job.id.0,
                job.attempt = job.attempt,
                node.id = node,
                task.id = %job.task,
                target.count = job.items.len(),
                "job leased"
            );
        }
        Ok(jobs)
    }

    /// How long until the next job of `node` is due, if any waits.
    async fn until_due(&self, node: &str) -> Result<Option<Duration>, Error> {
        let Some(due) = self.ledger.next_due(node).await? else {
            return Ok(None);
        };
        let furthest = LONGEST_DELAY.max(self.config.lease);
        if self.schedule.reach(due, furthest, &*self.clock) {
            tracing::warn!(node.id = node, "the clock was set back; jobs that wait are moved up");
        }
        Ok(Some(due.since(self.schedule.now(&*self.clock))))
    }
}
