//! The loops of one node: catching up, leasing, purging, telling its health.

use std::{convert::Infallible, sync::Arc, time::Duration};

use stoker_domain::placement::Node;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{
    cache::Cache,
    job::Work,
    lost::LostLeases,
    purge::Purger,
    readiness::Readiness,
    session::{Pauses, Session},
    source::{Error, JobSource},
};

/// How often the node tells how its store is.
const HEALTH: Duration = Duration::from_secs(5);
/// A source that does not wait for work itself is asked no more often than this.
const PAUSE: Duration = Duration::from_millis(100);

/// Settings of an agent.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose jobs it runs.
    pub node: Arc<Node>,
    /// Random: tells one life of the node from the next.
    pub session: u64,
    /// Seed of the jitter of its pauses.
    pub seed: u64,
    /// Items in work at once, over all jobs.
    pub items_in_flight: usize,
    /// Jobs leased at once.
    pub jobs_in_flight: usize,
    /// How long the cache stays unready, and stays ready, while the engine is silent.
    pub catch_up_patience: Duration,
}

/// Leases and runs the jobs of one node.
pub struct Agent {
    session: Session,
    cache: Arc<dyn Cache>,
    purger: Purger,
    /// Room for items, over all jobs.
    items: Arc<Semaphore>,
    /// Room for jobs.
    jobs: Arc<Semaphore>,
    lost: LostLeases,
    pauses: Pauses,
}

impl Agent {
    /// An agent that drives `cache`, and says by `readiness` when the cache may answer.
    pub fn new(
        config: Config,
        source: Arc<dyn JobSource>,
        cache: Arc<dyn Cache>,
        readiness: Readiness,
    ) -> Self {
        let session = Session::new(config.node, source, config.session);
        let patience = config.catch_up_patience;
        Self {
            purger: Purger::new(session.clone(), Arc::clone(&cache), readiness, patience),
            session,
            cache,
            items: Arc::new(Semaphore::new(config.items_in_flight.max(1))),
            jobs: Arc::new(Semaphore::new(config.jobs_in_flight.max(1))),
            lost: LostLeases::default(),
            pauses: Pauses::new(config.seed),
        }
    }

    /// Works until `stop`, then gives back what is leased.
    pub async fn run(mut self, stop: CancellationToken) {
        let running = TaskTracker::new();
        let purger = self.purger.clone();
        let (first, further) = (self.pauses.split(), self.pauses.split());
        let (lost, losses) = (self.lost.clone(), self.pauses.split());
        let session = self.session.clone();
        let health = tell_health(self.session.clone(), Arc::clone(&self.cache));
        let works = async {
            purger.catch_up(first).await;
            tokio::select! {
                () = self.work(&running, &stop) => {}
                () = purger.run(further) => {}
                never = lost.hear(&session, losses) => match never {},
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = works => {}
            () = health => {}
        }
        running.close();
        running.wait().await;
    }

    async fn work(&mut self, running: &TaskTracker, stop: &CancellationToken) {
        loop {
            let Err(error) = self.lease_on(running, stop).await;
            let node = Arc::clone(&self.session.node);
            warn!(node.id = node.name, error = %error, "cannot lease jobs");
            if matches!(error, Error::SlowDown(_)) {
                self.session.recover(&error, &mut self.pauses).await;
                continue;
            }
            // an engine that was away may have forgotten the node, even where it does not say so
            sleep(self.pauses.next()).await;
            while let Err(error) = self.session.register().await {
                warn!(node.id = node.name, error = %error, "cannot register");
                sleep(self.pauses.next()).await;
            }
        }
    }

    /// Leases while there is room, as long as the engine answers.
    async fn lease_on(
        &mut self,
        running: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Infallible, Error> {
        loop {
            let first = room(&self.jobs).await;
            let asked_at = Instant::now();
            let limit = 1 + self.jobs.available_permits();
            let jobs = self.session.source.lease(&self.session.node.name, limit).await?;
            // a registration alone proves nothing: the call that failed may go on failing
            self.pauses.reset();
            if jobs.is_empty() {
                drop(first);
                if asked_at.elapsed() < PAUSE {
                    sleep(PAUSE).await;
                }
                continue;
            }
            let mut first = Some(first);
            for job in jobs {
                debug!(job.id = job.id.0, task.id = %job.task, items = job.items.len(), "leased");
                let place = match first.take() {
                    Some(place) => place,
                    None => room(&self.jobs).await,
                };
                let work = Work::new(
                    job,
                    self.session.clone(),
                    Arc::clone(&self.cache),
                    Arc::clone(&self.items),
                    (self.lost.clone(), self.pauses.split()),
                );
                let stop = stop.clone();
                running.spawn(async move {
                    work.run(stop).await;
                    drop(place);
                });
            }
        }
    }
}

async fn room(jobs: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let place = Arc::clone(jobs).acquire_owned().await;
    place.expect("the semaphore is never closed")
}

/// Tells now and then how the store is. Nothing depends on a single message: the next one says the same.
async fn tell_health(session: Session, cache: Arc<dyn Cache>) {
    let mut turns = interval(HEALTH);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let node = &session.node.name;
        if let Err(error) = session.source.health(node, cache.health()).await {
            debug!(node.id = node, error = %error, "cannot tell the health of the store");
        }
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").field("node", &self.session.node.name).finish_non_exhaustive()
    }
}
