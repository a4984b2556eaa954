//! One leased job: its items run side by side, their reports go out in batches, and heartbeats keep
//! the lease.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use stoker_domain::job::{Heartbeat, ItemProgress, ItemReport, LeasedJob, Report};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use super::{Rest, Runner, item::Terms};
use crate::source::JobSource;

/// A report waits so long for others to go with it.
const GATHER: Duration = Duration::from_millis(50);
/// A report with so many items waits no longer.
const BATCH: usize = 100;
/// Time between two heartbeats.
const BEAT: Duration = Duration::from_secs(1);
/// How long a stopping node waits for its last report to be answered.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How far an item is, written by whoever runs it and read by the heartbeat.
#[derive(Debug, Default)]
pub(super) struct Moving {
    done: AtomicU64,
    /// 0 = not known.
    total: AtomicU64,
}

impl Moving {
    pub(super) fn set(&self, (done, total): (u64, Option<u64>)) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total.unwrap_or(0), Ordering::Relaxed);
    }

    fn get(&self, position: u16) -> ItemProgress {
        let total = self.total.load(Ordering::Relaxed);
        ItemProgress {
            position,
            done_bytes: self.done.load(Ordering::Relaxed),
            total_bytes: (total > 0).then_some(total),
        }
    }
}

/// A leased job at work.
pub(super) struct Work {
    job: LeasedJob,
    source: Arc<dyn JobSource>,
    runner: Arc<Runner>,
    room: Arc<Semaphore>,
    rest: Rest,
    /// Items that are being run.
    moving: BTreeMap<u16, Arc<Moving>>,
    /// Reports that have not been sent.
    batch: Vec<ItemReport>,
}

/// Whether the work goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lease {
    Held,
    Lost,
}

impl Work {
    pub(super) fn new(
        job: LeasedJob,
        source: Arc<dyn JobSource>,
        runner: Arc<Runner>,
        room: Arc<Semaphore>,
        rest: Rest,
    ) -> Self {
        Self { job, source, runner, room, rest, moving: BTreeMap::new(), batch: Vec::new() }
    }

    /// Runs the job until it is done, its lease is lost, or `stop`; then says the last word.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut items = self.start_items();
        let mut flush_at = None;
        let mut beats = interval_at(Instant::now() + BEAT, BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_done = items.is_empty();
            if is_done || self.batch.len() >= BATCH || flush_at.is_some_and(has_come) {
                let lease = tokio::select! {
                    lease = self.send(is_done) => lease,
                    () = stop.cancelled() => break,
                };
                flush_at = None;
                if is_done || lease == Lease::Lost {
                    return;
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = items.join_next() => {
                    self.gather(ended);
                    flush_at = flush_at.or_else(|| Some(Instant::now() + GATHER));
                }
                () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => {}
                _ = beats.tick() => {
                    if self.beat().await == Lease::Lost {
                        debug!(job.id = self.job.id.0, "lease lost");
                        return;
                    }
                }
            }
        }
        // what has not been reported goes back and is done again
        items.abort_all();
        while let Some(ended) = items.join_next().await {
            self.batch.extend(ended);
        }
        let report = self.report(true);
        let _ = timeout(LAST_WORD, self.source.report(report)).await;
    }

    fn start_items(&mut self) -> JoinSet<ItemReport> {
        let mut items = JoinSet::new();
        let terms = Arc::new(Terms::of(&self.job));
        for item in std::mem::take(&mut self.job.items) {
            let moving = Arc::new(Moving::default());
            self.moving.insert(item.position, Arc::clone(&moving));
            let (runner, room) = (Arc::clone(&self.runner), Arc::clone(&self.room));
            let terms = Arc::clone(&terms);
            items.spawn(async move {
                // first come, first served over all jobs of the node
                let _place = room.acquire().await;
                runner.run(&item, &terms, &moving).await
            });
        }
        items
    }

    fn gather(&mut self, ended: Result<ItemReport, tokio::task::JoinError>) {
        match ended {
            Ok(report) => {
                self.moving.remove(&report.position);
                self.batch.push(report);
            }
            // without a report the item goes back to be leased again
            Err(error) => error!(job.id = self.job.id.0, error = %error, "an item panicked"),
        }
    }

    fn report(&mut self, is_last: bool) -> Report {
        let items = std::mem::take(&mut self.batch);
        Report { job: self.job.id, token: self.job.token, items, is_last }
    }

    /// Reports what has gathered, again and again until it is answered.
    async fn send(&mut self, is_last: bool) -> Lease {
        if self.batch.is_empty() && !is_last {
            return Lease::Held;
        }
        loop {
            // a copy is kept until the answer is there
            let items = self.batch.clone();
            let report = Report { job: self.job.id, token: self.job.token, items, is_last };
            match self.source.report(report).await {
                Ok(true) => {
                    self.batch.clear();
                    self.rest.end();
                    return Lease::Held;
                }
                Ok(false) => return Lease::Lost,
                Err(error) => {
                    debug!(job.id = self.job.id.0, error = %error, "report not answered");
                    self.rest.take().await;
                }
            }
        }
    }

    async fn beat(&self) -> Lease {
        let items = self
            .moving
            .iter()
            .map(|(position, moving)| moving.get(*position))
            .filter(|progress| progress.done_bytes > 0)
            .collect();
        let beat = Heartbeat { job: self.job.id, token: self.job.token, items };
        match self.source.heartbeat(beat).await {
            Ok(false) => Lease::Lost,
            // an engine that does not answer has not taken the lease away
            Ok(true) | Err(_) => Lease::Held,
        }
    }
}

fn has_come(moment: Instant) -> bool {
    moment <= Instant::now()
}
