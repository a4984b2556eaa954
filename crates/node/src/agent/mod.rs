//! The agent: leases jobs of this node, runs them, and says what became of each item.
//!
//! A lost lease ends the work on a job at once; a lost message is repeated until it is answered.
//! The agent decides nothing about retries: the engine does. What is durable stays, whoever asked.

mod coding;
mod item;
mod job;
mod playlist;
mod purge;

use std::{sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use stoker_domain::placement::Node;
use tokio::{
    sync::Semaphore,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use self::job::Work;
pub(crate) use self::{item::Runner, purge::Purger};
use crate::{
    config::Config,
    source::{JobSource, Unreachable},
};

/// The longest rest between two calls to an engine that does not answer.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// How often the node says how its store is.
const HEALTH: Duration = Duration::from_secs(5);
/// The first one.
const FIRST_REST: Duration = Duration::from_millis(100);

/// Leases and runs the jobs of one node.
pub(crate) struct Agent {
    node: Arc<Node>,
    session: u64,
    source: Arc<dyn JobSource>,
    runner: Arc<Runner>,
    purger: Arc<Purger>,
    /// Room for items, over all jobs.
    items: Arc<Semaphore>,
    /// Room for jobs.
    jobs: Arc<Semaphore>,
    rest: Rest,
}

impl Agent {
    pub(crate) fn new(
        node: Arc<Node>,
        session: u64,
        source: Arc<dyn JobSource>,
        (runner, purger): (Runner, Purger),
        config: &Config,
    ) -> Self {
        Self {
            node,
            session,
            source,
            runner: Arc::new(runner),
            purger: Arc::new(purger),
            items: Arc::new(Semaphore::new(config.items_in_flight.max(1))),
            jobs: Arc::new(Semaphore::new(config.jobs_in_flight.max(1))),
            rest: Rest::new(config.seed),
        }
    }

    /// Works until `stop`, then gives back what is leased.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let running = TaskTracker::new();
        let (node, source) = (Arc::clone(&self.node), Arc::clone(&self.source));
        let (purger, runner) = (Arc::clone(&self.purger), Arc::clone(&self.runner));
        let (rest, purges_rest) = (self.rest.fork(), self.rest.fork());
        let session = self.session;
        let tells = tell_health(Arc::clone(&runner), Arc::clone(&node), Arc::clone(&source));
        let works = async {
            purger.come_back(&node, session, &*source, rest).await;
            tokio::select! {
                () = self.work(&running, &stop) => {}
                () = purger.run(&node, Arc::clone(&source), purges_rest) => {}
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = works => {}
            () = tells => {}
        }
        running.close();
        running.wait().await;
    }

    async fn work(&mut self, running: &TaskTracker, stop: &CancellationToken) {
        loop {
            let Err(error) = self.lease_on(running, stop).await;
            warn!(node.id = self.node.name, error = %error, "cannot lease jobs");
            self.rest.take().await;
            while let Err(error) = self.source.register(&self.node, self.session).await {
                warn!(node.id = self.node.name, error = %error, "cannot register");
                self.rest.take().await;
            }
        }
    }

    /// Leases while there is room, as long as the engine answers.
    async fn lease_on(
        &mut self,
        running: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<std::convert::Infallible, Unreachable> {
        loop {
            let place = Arc::clone(&self.jobs).acquire_owned().await;
            let first = place.expect("the semaphore is never closed");
            let asked_at = Instant::now();
            let limit = 1 + self.jobs.available_permits();
            let jobs = self.source.lease(&self.node.name, limit).await?;
            // a registration alone proves nothing: the call that failed may go on failing
            self.rest.end();
            if jobs.is_empty() {
                drop(first);
                // a source that does not wait for work must not be asked in a tight circle
                if asked_at.elapsed() < FIRST_REST {
                    sleep(FIRST_REST).await;
                }
                continue;
            }
            let mut first = Some(first);
            for job in jobs {
                debug!(job.id = job.id.0, task.id = %job.task, items = job.items.len(), "leased");
                let place = match first.take() {
                    Some(place) => place,
                    None => match Arc::clone(&self.jobs).acquire_owned().await {
                        Ok(place) => place,
                        Err(_) => continue,
                    },
                };
                let work = Work::new(
                    job,
                    Arc::clone(&self.source),
                    Arc::clone(&self.runner),
                    Arc::clone(&self.items),
                    self.rest.fork(),
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

/// Says now and then how the store is. Nobody depends on it: what is not heard is said again.
async fn tell_health(runner: Arc<Runner>, node: Arc<Node>, source: Arc<dyn JobSource>) {
    let mut turns = interval(HEALTH);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        if let Err(error) = source.health(&node.name, runner.store().health()).await {
            debug!(node.id = node.name, error = %error, "cannot say how the store is");
        }
    }
}

/// Rests between calls to an engine that does not answer: doubling, with jitter, so that nodes do
/// not come back together.
pub(super) struct Rest {
    next: Duration,
    random: StdRng,
}

impl Rest {
    fn new(seed: u64) -> Self {
        Self { next: FIRST_REST, random: StdRng::seed_from_u64(seed) }
    }

    fn fork(&mut self) -> Self {
        Self::new(self.random.random())
    }

    async fn take(&mut self) {
        let rest = self.next.mul_f64(self.random.random_range(0.5..1.0));
        self.next = (self.next * 2).min(LONGEST_REST);
        sleep(rest).await;
    }

    fn end(&mut self) {
        self.next = FIRST_REST;
    }
}
