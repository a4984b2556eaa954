//! One leased job: its items run side by side, their reports go out in batches, and heartbeats keep
//! the lease.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use stoker_domain::job::{Heartbeat, ItemReport, LeasedJob, Report};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::{
    cache::{Cache, Progress, Terms},
    lost::LostLeases,
    session::{Pauses, Session, bounded},
    source::Error,
};

/// A report waits so long for others to go with it.
const GATHER: Duration = Duration::from_millis(50);
/// A report with so many items waits no longer.
const BATCH: usize = 100;
/// Time between two heartbeats. They carry the progress that people watch; how often the lease is
/// renewed by them is the engine's decision.
const BEAT: Duration = Duration::from_secs(1);
/// How long a stopping node waits for its last report to be answered.
const LAST_REPORT: Duration = Duration::from_secs(1);

/// A leased job at work.
pub(crate) struct Work {
    job: LeasedJob,
    session: Session,
    cache: Arc<dyn Cache>,
    room: Arc<Semaphore>,
    lost: LostLeases,
    pauses: Pauses,
    /// Items in work.
    progress: BTreeMap<u16, Arc<Progress>>,
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
    pub(crate) fn new(
        job: LeasedJob,
        session: Session,
        cache: Arc<dyn Cache>,
        room: Arc<Semaphore>,
        (lost, pauses): (LostLeases, Pauses),
    ) -> Self {
        let (progress, batch) = (BTreeMap::new(), Vec::new());
        Self { job, session, cache, room, lost, pauses, progress, batch }
    }

    /// Runs the job until it is done, its lease is lost, or `stop`; then sends the last report.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let lease = self.lost.hold(&self.job);
        let id = self.job.id.0;
        tokio::select! {
            biased;
            // dropping the items ends their work: nobody may want it any more
            () = lease.lost() => debug!(job.id = id, "lease lost"),
            () = self.work(stop) => {}
        }
    }

    async fn work(mut self, stop: CancellationToken) {
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
                    if self.beat(&mut beats).await == Lease::Lost {
                        debug!(job.id = self.job.id.0, "lease lost");
                        // dropping the items ends their work: another node may hold them by now
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
        let items = std::mem::take(&mut self.batch);
        let report = self.report(items, true);
        let _ = timeout(LAST_REPORT, self.session.source.report(report)).await;
    }

    fn start_items(&mut self) -> JoinSet<ItemReport> {
        let mut items = JoinSet::new();
        let terms = Arc::new(Terms::of(&self.job));
        for item in std::mem::take(&mut self.job.items) {
            let progress = Arc::new(Progress::default());
            self.progress.insert(item.position, Arc::clone(&progress));
            let (cache, room) = (Arc::clone(&self.cache), Arc::clone(&self.room));
            let terms = Arc::clone(&terms);
            items.spawn(async move {
                // first come, first served over all jobs of the node
                let _place = room.acquire().await;
                cache.prefetch(&item, &terms, &progress).await
            });
        }
        items
    }

    fn gather(&mut self, ended: Result<ItemReport, tokio::task::JoinError>) {
        match ended {
            Ok(report) => {
                self.progress.remove(&report.position);
                self.batch.push(report);
            }
            // without a report the item goes back to be leased again
            Err(error) => error!(job.id = self.job.id.0, error = %error, "an item panicked"),
        }
    }

    fn report(&self, items: Vec<ItemReport>, is_last: bool) -> Report {
        Report { job: self.job.id, token: self.job.token, items, is_last }
    }

    /// Reports what has gathered, again and again until it is answered.
    async fn send(&mut self, is_last: bool) -> Lease {
        if self.batch.is_empty() && !is_last {
            return Lease::Held;
        }
        loop {
            // a copy is kept until the answer is there
            let report = self.report(self.batch.clone(), is_last);
            match self.session.source.report(report).await {
                Ok(()) => {
                    self.batch.clear();
                    self.pauses.reset();
                    return Lease::Held;
                }
                Err(Error::LeaseLost) => return Lease::Lost,
                Err(error) => {
                    debug!(job.id = self.job.id.0, error = %error, "report not answered");
                    self.session.recover(&error, &mut self.pauses).await;
                }
            }
        }
    }

    async fn beat(&self, beats: &mut Interval) -> Lease {
        let items = self
            .progress
            .iter()
            .map(|(position, progress)| progress.get(*position))
            .filter(|progress| progress.done_bytes > 0)
            .collect();
        let beat = Heartbeat { job: self.job.id, token: self.job.token, items };
        match self.session.source.heartbeat(beat).await {
            Ok(()) => {}
            Err(Error::LeaseLost) => return Lease::Lost,
            Err(Error::SlowDown(pause)) => beats.reset_after(bounded(pause).max(BEAT)),
            Err(Error::NotRegistered) => {
                if let Err(error) = self.session.register().await {
                    debug!(job.id = self.job.id.0, error = %error, "cannot register again");
                }
            }
            // an engine that does not answer has not taken the lease away
            Err(Error::Unreachable(_)) => {}
        }
        Lease::Held
    }
}

fn has_come(moment: Instant) -> bool {
    moment <= Instant::now()
}
