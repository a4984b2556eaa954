//! Handing out jobs, and keeping them handed out.
//!
//! A lease that is not renewed ends by itself and its job is handed out again; the token tells the
//! late report of the first holder from the second's. Leasing waits for a wakeup or for the next job
//! to become due, so that no node has to ask in a loop. What is leased is looked through first: targets
//! of an origin that is down are not handed out, except for one that is the probe.

use std::{mem, time::Duration};

use stoker_domain::{
    job::{Heartbeat, ItemReport, JobItem, LeasedJob},
    retry::LONGEST_RETRY_AFTER,
    time::Timestamp,
};
use stoker_ledger::{ItemDecision, ReportWrite};
use tokio::time::{Instant, timeout};

use super::origins::{Admission, Item};
use crate::{Engine, Error};

/// Jobs that are looked through at once where those before them have to wait.
const MANY: usize = 64;
/// How long a job waits whose request fields do not open.
const UNOPENED_WAIT: Duration = Duration::from_secs(60);
/// The shortest wait for a job that is due in a moment.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

/// The items of a job.
#[derive(Default)]
struct Sorted {
    /// Those that may be asked for.
    go: Vec<JobItem>,
    /// When the first of those is due that may not.
    next: Option<Timestamp>,
    /// Those that have waited for as long as they are to be tried.
    over: Vec<ItemDecision>,
}

impl Sorted {
    fn wait(&mut self, until: Timestamp) {
        self.next = Some(self.next.map_or(until, |next| next.min(until)));
    }
}

impl Engine {
    /// Leases up to `limit` jobs to `node`, waiting up to `wait` for the first of them.
    ///
    /// Dropped while it waits, nothing is lost; dropped later, or when its answer does not arrive,
    /// the leases end by themselves.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn lease(
        &self,
        node: &str,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<LeasedJob>, Error> {
        let deadline = Instant::now() + wait;
        let wakeup = self.wakeups.of(node);
        loop {
            self.touch(node);
            let jobs = self.lease_due(node, limit).await?;
            if !jobs.is_empty() {
                if jobs.len() >= limit {
                    // A wakeup wakes one call. There may be more jobs, and another call of this node
                    // may be waiting for them.
                    wakeup.notify_one();
                }
                return Ok(jobs);
            }
            let until_due = self.until_due(node).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || limit == 0 {
                return Ok(jobs);
            }
            let pause = until_due.map_or(left, |due| left.min(due.max(SHORTEST_WAIT)));
            // either way the ledger is asked again: a wakeup only means that there may be something
            let _ = timeout(pause, wakeup.notified()).await;
        }
    }

    /// Keeps a lease, and records how far its items are; false when the lease is lost.
    ///
    /// # Errors
    /// A failure of the ledger; the lease may or may not be renewed.
    pub async fn heartbeat(&self, beat: Heartbeat) -> Result<bool, Error> {
        let now = self.schedule.now(&*self.clock);
        let (job, token) = (beat.job, beat.token);
        // Heartbeats come every second and a renewal is a synced write, so the lease is renewed when
        // a third of it has passed. Before that it cannot be lost without this engine knowing: see
        // the header of `leases`. After a restart the first heartbeat of each lease asks the ledger.
        let left = self.leases.until(job, token).map(|until| until.since(now));
        if left.is_none_or(|left| left < self.config.lease * 2 / 3) {
            let until = now + self.config.lease;
            if !self.ledger.renew(&beat, until).await? {
                self.leases.end(job, token);
                return Ok(false);
            }
            self.leases.renew(job, token, until);
            self.counters.renewed();
        }
        if let Some(node) = self.leases.advance(beat) {
            self.touch(&node);
        }
        Ok(true)
    }

    async fn lease_due(&self, node: &str, limit: usize) -> Result<Vec<LeasedJob>, Error> {
        let mut most = limit;
        loop {
            let now = self.schedule.now(&*self.clock);
            let until = now + self.config.lease;
            let due = self.ledger.lease(node, most, now, until, self.random()).await?;
            let is_all = due.len() < most || due.is_empty();
            let jobs = self.hold_back(node, due, limit, now).await?;
            if !jobs.is_empty() || is_all {
                let jobs = self.open_fields(jobs, now).await?;
                return Ok(self.hand_out(node, jobs, now, until));
            }
            // All of these wait for their origin, and there may be thousands like them at the head of
            // the queue: look through more at once, or each would cost a lease call.
            most = limit.max(MANY);
        }
    }

    /// `jobs` with the request fields of their tasks opened. Where one does not open, the job waits:
    /// without it something else would be fetched.
    async fn open_fields(
        &self,
        mut jobs: Vec<LeasedJob>,
        now: Timestamp,
    ) -> Result<Vec<LeasedJob>, Error> {
        let mut shut = Vec::new();
        jobs.retain_mut(|job| match self.identities.open_fields(job) {
            Ok(()) => true,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(task.id = %job.task, error, "a request field does not open");
                shut.push((job.id, job.token, now + UNOPENED_WAIT));
                false
            }
        });
        if !shut.is_empty() {
            self.ledger.defer(shut).await?;
        }
        Ok(jobs)
    }

    fn hand_out(
        &self,
        node: &str,
        mut jobs: Vec<LeasedJob>,
        now: Timestamp,
        until: Timestamp,
    ) -> Vec<LeasedJob> {
        let expired = self.leases.start(node, &mut jobs, now, until);
        self.counters.leased(jobs.len(), expired);
        for job in &mut jobs {
            job.options = mem::take(&mut job.options).for_nodes();
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
        jobs
    }

    /// Up to `limit` of `due` with what may be asked for now; what waits for its next attempt, or for
    /// its origin, goes back, and what has waited too long ends.
    async fn hold_back(
        &self,
        node: &str,
        due: Vec<LeasedJob>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<LeasedJob>, Error> {
        let (mut ready, mut deferred) = (Vec::with_capacity(due.len().min(limit)), Vec::new());
        for mut job in due {
            let (id, token) = (job.id, job.token);
            if ready.len() >= limit {
                deferred.push((id, token, now));
                continue;
            }
            if self.origins.are_all_up() && !self.attempts.contains(id) {
                ready.push(job);
                continue;
            }
            let Sorted { go, next, over } = self.sort_items(node, &mut job, now);
            self.attempts.withhold(id, &job.task, next);
            if !over.is_empty() {
                let positions: Vec<u16> = over.iter().map(|item| item.report.position).collect();
                let (is_last, not_before) = (go.is_empty(), next.unwrap_or(now));
                let now = self.clock.now();
                let write = ReportWrite { job: id, token, items: over, is_last, not_before, now };
                let applied = self.write_report(write, node).await?;
                self.attempts.record(id, &job.task, &[], &positions);
                if applied.job_is_final {
                    self.attempts.forget(id);
                }
            } else if go.is_empty() {
                deferred.push((id, token, next.unwrap_or(now)));
            }
            if !go.is_empty() {
                job.items = go;
                ready.push(job);
            }
        }
        if !deferred.is_empty() {
            self.ledger.defer(deferred).await?;
        }
        Ok(ready)
    }

    /// Takes the items of `job` apart.
    fn sort_items(&self, node: &str, job: &mut LeasedJob, now: Timestamp) -> Sorted {
        let mut sorted = Sorted::default();
        for item in mem::take(&mut job.items) {
            let failing = self.attempts.of(job.id, item.position);
            let own = failing.filter(|failing| !failing.waits_for_origin_alone());
            if let Some(next) = own.map(|failing| failing.next()).filter(|next| *next > now) {
                sorted.wait(next);
                continue;
            }
            let (patience, origin) = self.retry_terms(&item.url, node, &job.options);
            let named = Item { job: job.id, position: item.position };
            let admission = origin.as_ref().map_or(Admission::Open, |origin| {
                self.origins.admit(origin, named, now, self.random())
            });
            let (reason, origin) = match (admission, &origin) {
                (Admission::Wait(reason), Some(origin)) => (reason, origin),
                (admission, origin) => {
                    if let (Admission::Open, Some(origin)) = (admission, origin) {
                        self.attempts.free(job.id, origin);
                    }
                    sorted.go.push(item);
                    continue;
                }
            };
            let about = (job.id, item.position);
            let until = (now, reason.until);
            let waited = self.attempts.hold(about, &job.task, origin, until);
            // It ends only if an attempt failed within the time that it waited: a failure from before
            // says nothing of the origin as it is now.
            if waited < patience || reason.failed_at <= now - waited {
                sorted.wait(reason.until);
                continue;
            }
            let waited = format!("waited {} s for the origin", waited.as_secs());
            let detail = reason.detail.as_ref();
            let report = ItemReport {
                detail: Some(detail.map_or(waited.clone(), |text| format!("{text}; {waited}"))),
                ..ItemReport::new(item.position, reason.outcome)
            };
            sorted.over.push(ItemDecision { report, is_final: true });
        }
        sorted
    }

    /// How long until the next job of `node` is due, if any waits.
    async fn until_due(&self, node: &str) -> Result<Option<Duration>, Error> {
        let Some(due) = self.ledger.next_due(node).await? else {
            return Ok(None);
        };
        let furthest = LONGEST_RETRY_AFTER.max(self.config.lease);
        if self.schedule.reach(due, furthest, &*self.clock) {
            tracing::warn!(node.id = node, "the clock was set back; jobs that wait are moved up");
        }
        Ok(Some(due.since(self.schedule.now(&*self.clock))))
    }
}
