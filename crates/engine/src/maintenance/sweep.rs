//! The sweep: ends what no node will finish, and removes what finished long ago.
//!
//! A turn does a bounded part in small transactions, so that callers hardly notice; what is left
//! over is done in the next one. How long a node has been silent is counted
//! only while the sweep was running: a machine that slept, a clock that was set and an engine that
//! starts again prove nothing about a node.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use stoker_domain::{retry::MAX_LEASES, time::Timestamp};
use stoker_ledger::{EndJobs, EndReason, EndedJobs};
use tokio::time::Instant;

use crate::{Engine, Error};

/// Jobs that are ended in one transaction.
const JOBS: usize = 4;
/// Rows that are removed in one transaction, about.
const ROWS: u64 = 2000;
/// A hold on an origin is forgotten so long after its last pause.
const HOLD: Duration = Duration::from_secs(120);
/// After a longer time between two turns, nodes are watched from the second one on.
const GAP: Duration = Duration::from_secs(600);
/// How often old quota days and temporary keys are removed.
const UPKEEP: Duration = Duration::from_secs(3600);
/// What was charged is kept for so many days.
const QUOTA_DAYS: i64 = 60;
/// Temporary keys of one account that one turn removes.
const KEYS: u32 = 1000;

/// What was swept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Jobs ended as timeouts.
    pub jobs: u64,
    /// Targets that these jobs were the last to settle.
    pub timeouts: u64,
    /// Tasks removed.
    pub tasks: u64,
    /// Targets removed with their tasks.
    pub targets: u64,
    /// Purges removed.
    pub purges: u64,
}

impl Swept {
    fn add(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.timeouts += other.timeouts;
        self.tasks += other.tasks;
        self.targets += other.targets;
        self.purges += other.purges;
    }
}

impl Engine {
    /// One turn of the sweep, to be taken about once a minute: ends jobs that wait for a silent node
    /// longer than [`Config::job_patience`](crate::Config::job_patience) or that are lost again and
    /// again, removes tasks and purges that finished longer ago than
    /// [`Config::retention`](crate::Config::retention), and what else is too old to be of use.
    ///
    /// After `budget` no further transaction is begun, except one of each kind.
    ///
    /// # Errors
    /// A failure of the ledger; the next turn goes on.
    pub async fn sweep(&self, budget: Duration) -> Result<Swept, Error> {
        let deadline = Instant::now() + budget;
        let now = self.clock.now();
        let watching_since = self.sweep.begin(now);
        let before = self.sweep.totals();
        self.turn_jobs(budget).await?;
        self.release_edges_early(now, watching_since).await?;
        self.end_silent(now, watching_since, deadline).await?;
        let detail = format!("lost {MAX_LEASES} times in a row with nothing heard of it");
        self.end_jobs(EndReason::NoProgress, detail, deadline).await?;
        self.origins.forget(self.schedule.now(&*self.clock) - HOLD);
        self.remove_old(now, deadline).await?;
        if self.sweep.is_upkeep_due(now) {
            self.ledger.forget_quotas(self.quota_day().saturating_sub(QUOTA_DAYS)).await?;
            for account in self.ledger.accounts().await? {
                self.ledger.sweep_keys(account.id, now, KEYS).await?;
            }
            self.sweep.upkeep_done(now);
        }
        self.count_waiting().await;
        Ok(self.sweep.since(before))
    }

    /// Counts for the metrics. A failure leaves the former count and is no failure of the sweep.
    async fn count_waiting(&self) {
        match self.ledger.open_jobs().await {
            Ok(open) => {
                let leased = self.leases.count() as u64;
                self.counters.set_jobs_waiting(open.saturating_sub(leased));
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "jobs are not counted");
            }
        }
    }

    /// What was swept since the engine was opened.
    pub fn swept(&self) -> Swept {
        self.sweep.totals()
    }

    async fn end_silent(
        &self,
        now: Timestamp,
        watching_since: Timestamp,
        deadline: Instant,
    ) -> Result<(), Error> {
        let patience = self.config.job_patience;
        let due_before = self.schedule.now(&*self.clock) - patience;
        for node in self.ledger.overdue_nodes(due_before).await? {
            let seen = self.nodes.last_seen(&node).filter(|seen| *seen <= now);
            let since = seen.unwrap_or(watching_since).max(watching_since);
            if now.since(since) <= patience {
                continue;
            }
            let detail = format!("{node} gave no sign of life for {} s", patience.as_secs());
            self.end_jobs(EndReason::Silent { node, due_before }, detail, deadline).await?;
        }
        Ok(())
    }

    async fn end_jobs(
        &self,
        reason: EndReason,
        detail: String,
        deadline: Instant,
    ) -> Result<(), Error> {
        loop {
            let (reason, detail) = (reason.clone(), detail.clone());
            let end = EndJobs { reason, detail, limit: JOBS, now: self.clock.now() };
            let ended = self.ledger.end_jobs(end).await?;
            self.record(&ended);
            if ended.jobs.len() < JOBS || Instant::now() >= deadline {
                return Ok(());
            }
        }
    }

    fn record(&self, ended: &EndedJobs) {
        for job in &ended.jobs {
            self.attempts.forget(*job);
            self.leases.forget(*job);
            tracing::warn!(job.id = job.0, "job ended as a timeout");
        }
        for task in &ended.finished_tasks {
            self.end_limit(task);
            self.counters.task_finished(true);
            tracing::info!(task.id = %task, "task finished");
        }
        let (jobs, timeouts) = (ended.jobs.len() as u64, ended.finished_targets);
        self.counters.targets_finished(timeouts, timeouts);
        self.sweep.count(Swept { jobs, timeouts, ..Swept::default() });
    }

    async fn remove_old(&self, now: Timestamp, deadline: Instant) -> Result<(), Error> {
        let finished_before = now - self.config.retention;
        let mut sum = Swept::default();
        loop {
            let removed = self.ledger.remove_tasks(finished_before, ROWS).await?;
            let (tasks, targets) = (removed.finished, removed.targets);
            let part = Swept { tasks, targets, ..Swept::default() };
            self.sweep.count(part);
            sum.add(part);
            if !removed.is_more || Instant::now() >= deadline {
                break;
            }
        }
        loop {
            let removed = self.ledger.remove_purges(finished_before, ROWS).await?;
            let part = Swept { purges: removed.finished, ..Swept::default() };
            self.sweep.count(part);
            sum.add(part);
            if !removed.is_more || Instant::now() >= deadline {
                break;
            }
        }
        if sum != Swept::default() {
            let Swept { tasks, targets, purges, .. } = sum;
            tracing::info!(
                task.count = tasks,
                target.count = targets,
                purge.count = purges,
                "old records removed"
            );
        }
        Ok(())
    }
}

/// What the sweep remembers between its turns.
#[derive(Debug)]
pub(crate) struct Sweep(Mutex<State>);

#[derive(Debug)]
struct State {
    last_turn: Timestamp,
    watching_since: Timestamp,
    upkeep_at: Option<Timestamp>,
    totals: Swept,
}

impl Sweep {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self(Mutex::new(State {
            last_turn: now,
            watching_since: now,
            upkeep_at: None,
            totals: Swept::default(),
        }))
    }

    /// Begins a turn; since when nodes are watched.
    fn begin(&self, now: Timestamp) -> Timestamp {
        self.with(|state| {
            if now.since(state.last_turn).max(state.last_turn.since(now)) > GAP {
                state.watching_since = now;
            }
            state.last_turn = now;
            state.watching_since
        })
    }

    fn is_upkeep_due(&self, now: Timestamp) -> bool {
        self.with(|state| {
            let done_at = state.upkeep_at.filter(|done_at| *done_at <= now);
            done_at.is_none_or(|done_at| now.since(done_at) >= UPKEEP)
        })
    }

    fn upkeep_done(&self, now: Timestamp) {
        self.with(|state| state.upkeep_at = Some(now));
    }

    fn count(&self, swept: Swept) {
        self.with(|state| state.totals.add(swept));
    }

    fn totals(&self) -> Swept {
        self.with(|state| state.totals)
    }

    fn since(&self, before: Swept) -> Swept {
        let all = self.totals();
        Swept {
            jobs: all.jobs - before.jobs,
            timeouts: all.timeouts - before.timeouts,
            tasks: all.tasks - before.tasks,
            targets: all.targets - before.targets,
            purges: all.purges - before.purges,
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // a std mutex, held for a few numbers and never across an await
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
