//! Judging what a node reports: final, or to be tried again.
//!
//! Children of a playlist are written before the playlist is settled, so that a task cannot look
//! finished in between. A report may come twice or too late; what is settled stays as it is.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
};

use stoker_domain::{
    job::{ItemReport, JobId, LeaseToken, Report},
    outcome::{Block, Outcome},
    plan::Positions,
    retry::{MAX_ATTEMPTS, delay, is_worth_retrying},
};
use stoker_ledger::{Error, ItemDecision, Leased, ReportWrite};

use crate::Engine;

impl Engine {
    /// Applies a report; false when its lease is lost and nothing was changed.
    ///
    /// # Errors
    /// What the ledger said; the node has to send the report again.
    pub async fn report(&self, report: Report) -> Result<bool, Error> {
        let (job, token) = (report.job, report.token);
        let with_children = report.items.iter().filter(|item| !item.children.is_empty());
        let playlists: Positions = with_children.map(|item| item.position).collect();
        let Some(leased) = self.ledger.leased(job, token, &playlists).await? else {
            self.progress.end(job, token);
            return Ok(false);
        };
        self.nodes.touch(&leased.node, self.clock.now());
        let is_last = report.is_last;
        let items = self.judge(&leased, report).await?;
        let tries_again = items.iter().any(|item| !item.is_final);
        let attempt = self.failures.attempt(job, token, tries_again);
        let scheduled = self.schedule.now(&*self.clock);
        let not_before = match attempt {
            Some(attempt) => scheduled + delay(attempt, self.random()),
            None => scheduled,
        };
        let now = self.clock.now();
        let reported: Vec<u16> = items.iter().map(|item| item.report.position).collect();
        let write = ReportWrite { job, token, items, is_last, not_before, now };
        let applied = self.ledger.report(write).await?;
        self.progress.settle(job, token, &reported);
        if applied.is_stale || applied.job_is_final || is_last {
            self.progress.end(job, token);
        }
        if applied.job_is_final {
            self.failures.forget(job);
        } else if is_last {
            self.doorbells.ring([leased.node.as_str()]);
        }
        if let Some(task) = &applied.finished_task {
            self.end_limit(task);
            tracing::info!(task.id = %task, "task finished");
        }
        Ok(!applied.is_stale)
    }

    async fn judge(&self, leased: &Leased, report: Report) -> Result<Vec<ItemDecision>, Error> {
        let attempt = self.failures.next(report.job, report.token);
        let mut decisions = Vec::with_capacity(report.items.len());
        for mut item in report.items {
            let children = mem::take(&mut item.children);
            if !children.is_empty() {
                let Some(known) = leased.items.iter().find(|known| known.position == item.position)
                else {
                    continue; // settled already
                };
                if children.len() > self.config.max_children {
                    too_many(&mut item, children.len(), self.config.max_children);
                } else if item.outcome.is_success() && known.levels > 0 {
                    self.expand(&leased.task, known, children).await?;
                }
            }
            let is_final = !is_worth_retrying(item.outcome) || attempt >= MAX_ATTEMPTS;
            decisions.push(ItemDecision { report: item, is_final });
        }
        Ok(decisions)
    }
}

fn too_many(item: &mut ItemReport, named: usize, limit: usize) {
    item.outcome = Outcome::Blocked(Block::TooManyChildren);
    item.detail = Some(format!("the playlist names {named} children: the limit is {limit}"));
}

/// How often each job came back with something to be tried again.
///
/// Counted here and not by leases: a lease that ends because a process was killed says nothing of
/// the origin. In memory, so an engine that starts anew grants its jobs all their attempts again.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<JobId, Count>>);

#[derive(Clone, Copy, Debug)]
struct Count {
    /// The lease that was counted last; all reports of one lease are one attempt.
    token: LeaseToken,
    attempts: u32,
}

impl Failures {
    /// The attempt, from 1, that a report under `token` belongs to.
    fn next(&self, job: JobId, token: LeaseToken) -> u32 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get(&job) {
            Some(count) if count.token == token => count.attempts,
            Some(count) => count.attempts.saturating_add(1),
            None => 1,
        }
    }

    /// The attempt under `token` if something of it failed so far, now (`has_failed`) or before.
    fn attempt(&self, job: JobId, token: LeaseToken, has_failed: bool) -> Option<u32> {
        let attempts = self.next(job, token);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if has_failed {
            counts.insert(job, Count { token, attempts });
        }
        counts.get(&job).filter(|count| count.token == token).map(|count| count.attempts)
    }

    pub(crate) fn forget(&self, job: JobId) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(&job);
    }
}
