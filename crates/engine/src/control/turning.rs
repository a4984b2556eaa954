//! Jobs follow the state of their task, in bounded steps: within the call that changes it, then in the
//! background, and after a restart from where they were.

use std::time::Duration;

use stoker_domain::outcome::Outcome;
use tokio::time::{Instant, sleep};

use crate::{Engine, Error};

/// Rows that are written in one transaction, about.
const ROWS: usize = 2000;
/// How long the background turns without a look at anything else.
const BUDGET: Duration = Duration::from_secs(10);
/// How long it leaves a ledger alone that fails.
const PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    /// Lets jobs follow the state of their tasks until all do, or for about `budget`; whether all do.
    /// What is left goes on in [`Self::keep_turning`].
    ///
    /// # Errors
    /// A failure of the ledger; the next call goes on.
    pub async fn turn_jobs(&self, budget: Duration) -> Result<bool, Error> {
        let deadline = Instant::now() + budget;
        loop {
            let (now, due) = (self.clock.now(), self.schedule.now(&*self.clock));
            let turned = self.ledger.turn_jobs(ROWS, now, due).await?;
            let finished = turned.finished_targets;
            self.counters.targets_finished(finished, finished);
            self.counters.settled_by(Outcome::Canceled, turned.settled);
            for job in &turned.jobs {
                self.attempts.forget(*job);
            }
            for task in &turned.finished_tasks {
                self.end_limit(task);
                self.counters.task_finished(true);
                tracing::info!(task.id = %task, "task finished");
            }
            self.wakeups.notify(turned.nodes.iter().map(String::as_str));
            if !turned.is_more {
                return Ok(true);
            }
            // what is left when this call ends, or is dropped, goes on in the background
            self.turns.notify_one();
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
    }

    /// Lets jobs follow the state of their tasks, those of an engine before this one first. Never
    /// returns; to be run beside the engine as long as it is used.
    pub async fn keep_turning(&self) {
        loop {
            self.turns.notified().await;
            loop {
                match self.turn_jobs(BUDGET).await {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "jobs do not follow their tasks yet"
                        );
                        sleep(PAUSE).await;
                    }
                }
            }
        }
    }
}
