//! Judging what a node reports: final, or to be tried again, and when.
//!
//! What may pass is tried again with growing pauses for as long as the patience of its task or domain
//! lasts, counted from its first failure; an origin that asks to be left alone is, with all its
//! targets. Children of a playlist are written before the playlist is settled, so that a task cannot
//! look finished in between. A report may come twice or too late; what is settled stays as it is.

use std::{mem, time::Duration};

use stoker_domain::{
    area::Area,
    job::{ItemReport, JobId, LeaseToken, Report},
    outcome::{Block, Outcome},
    plan::Positions,
    retry::{BACKOFF, LONGEST_RETRY_AFTER, Presence, is_worth_retrying},
    target::Target,
    task::{FetchOptions, TaskId},
};
use stoker_ledger::{Applied, ItemDecision, Leased, LeasedItem, ReportWrite};

use super::{
    attempts::{Failing, target_hash},
    leases::Holder,
    origins::{Item, OriginKey},
};
use crate::{Engine, Error};

/// What a report comes to.
#[derive(Default)]
struct Judged {
    items: Vec<ItemDecision>,
    /// Those of them that are tried again.
    failing: Vec<(u16, Failing)>,
    /// Jobs whose origin is back.
    woken: Vec<JobId>,
}

/// What stands behind the lease of a report.
enum Reported {
    /// Who holds it, as the engine knows itself; nothing else is needed.
    Known(Holder),
    /// As the ledger has it.
    Read(Box<Leased>),
}

impl Reported {
    fn node(&self) -> &str {
        match self {
            Self::Known(holder) => &holder.node,
            Self::Read(leased) => &leased.node,
        }
    }

    fn task(&self) -> &TaskId {
        match self {
            Self::Known(holder) => &holder.task,
            Self::Read(leased) => &leased.task.id,
        }
    }

    /// The item at `position`, if it was asked for and is not settled.
    fn item(&self, position: u16) -> Option<(&Leased, &LeasedItem)> {
        let Self::Read(leased) = self else { return None };
        let index = leased.items.binary_search_by_key(&position, |item| item.position).ok()?;
        Some((leased, &leased.items[index]))
    }
}

impl Engine {
    /// Applies a report; false when its lease is lost and nothing was changed.
    ///
    /// # Errors
    /// A failure of the ledger; the node has to send the report again.
    pub async fn report(&self, report: Report) -> Result<bool, Error> {
        let (job, token) = (report.job, report.token);
        // what one report says of its origin is weighed by what the others say
        let is_silent = |item: &ItemReport| Presence::of(item.outcome) == Presence::Silent;
        let hears_all = !self.origins.are_unknown() || report.items.iter().any(is_silent);
        let is_asked = |item: &&ItemReport| {
            hears_all || !item.children.is_empty() || is_worth_retrying(item.outcome)
        };
        // only what is judged by its target is read: a job may hold 500 URLs, and most reports need
        // none
        let asked: Positions =
            report.items.iter().filter(is_asked).map(|item| item.position).collect();
        let Some(lease) = self.reported_lease(job, token, &asked).await? else {
            self.leases.end(job, token);
            return Ok(false);
        };
        self.touch(lease.node());
        let is_last = report.is_last;
        let mut judged = self.judge(&lease, report).await?;
        let woken = mem::take(&mut judged.woken);
        let is_back = !woken.is_empty();
        // before the write: the origin is back even if this report has to come again
        self.wake(woken).await;
        let reported: Vec<u16> = judged.items.iter().map(|item| item.report.position).collect();
        // before `is_at_work` is asked, which must not count what this report has brought
        self.leases.settle(job, token, &reported);
        let scheduled = self.schedule.now(&*self.clock);
        let not_before = if self.leases.is_at_work(job, token) || is_back {
            // what was handed out and not reported goes again at once, and what was held back
            scheduled
        } else {
            let own = judged.failing.iter().map(|(_, failing)| failing.next());
            own.chain(self.attempts.next(job, &reported)).min().unwrap_or(scheduled)
        };
        let Judged { items, failing, .. } = judged;
        let settled: Vec<u16> =
            items.iter().filter(|item| item.is_final).map(|item| item.report.position).collect();
        let now = self.clock.now();
        let write = ReportWrite { job, token, items, is_last, not_before, now };
        let applied = self.write_report(write, lease.node()).await?;
        if !applied.is_stale {
            self.attempts.record(job, lease.task(), &failing, &settled);
        }
        if applied.job_is_final {
            self.attempts.forget(job);
        }
        Ok(!applied.is_stale)
    }

    /// Writes what was decided of a lease of `node`, and does what follows from it.
    pub(crate) async fn write_report(
        &self,
        write: ReportWrite,
        node: &str,
    ) -> Result<Applied, Error> {
        let (job, token, is_last) = (write.job, write.token, write.is_last);
        let ends: Vec<Outcome> = write
            .items
            .iter()
            .filter(|item| item.is_final)
            .map(|item| item.report.outcome)
            .collect();
        let applied = self.ledger.report(write).await?;
        // a report that comes again settles nothing
        if applied.settled > 0 {
            ends.into_iter().for_each(|outcome| self.counters.settled(outcome));
            self.counters.targets_finished(applied.finished_targets, applied.failed_targets);
        }
        if applied.is_stale || applied.job_is_final || is_last {
            self.leases.end(job, token);
        }
        if is_last && !applied.job_is_final {
            self.wakeups.notify([node]);
        }
        if let Some(task) = &applied.finished_task {
            self.end_limit(task);
            self.counters.task_finished(applied.task_has_failures);
            tracing::info!(task.id = %task, "task finished");
        }
        Ok(applied)
    }

    /// What stands behind the lease of a report that is judged by the items at `asked`; nothing where
    /// the lease is lost.
    async fn reported_lease(
        &self,
        job: JobId,
        token: LeaseToken,
        asked: &Positions,
    ) -> Result<Option<Reported>, Error> {
        // most reports are of successes alone: nothing of the task is needed to judge them, and
        // whether the lease still stands the ledger looks at when they are written
        if asked.is_empty()
            && let Some(holder) = self.leases.holder(job, token)
        {
            return Ok(Some(Reported::Known(holder)));
        }
        Ok(self
            .ledger
            .leased(job, token, asked)
            .await?
            .map(|leased| Reported::Read(Box::new(leased))))
    }

    async fn judge(&self, lease: &Reported, report: Report) -> Result<Judged, Error> {
        let mut judged = Judged::default();
        for mut item in report.items {
            let children = mem::take(&mut item.children);
            let known = lease.item(item.position);
            if !children.is_empty() {
                let Some((leased, known)) = known else {
                    continue; // settled already
                };
                if children.len() > self.config.max_children {
                    let (named, limit) = (children.len(), self.config.max_children);
                    let detail =
                        format!("the playlist names {named} children: the limit is {limit}");
                    refuse(&mut item, detail);
                } else if known.levels > 0 {
                    // also of one that may not be kept: the children may
                    let left_out = self.expand(&leased.task, known, children).await?;
                    if left_out > 0 {
                        let limit = self.config.max_targets_per_task;
                        refuse(
                            &mut item,
                            format!(
                                "{left_out} children of the playlist are left out: the task has \
                                 the {limit} targets that it may have"
                            ),
                        );
                    }
                }
            }
            let is_again = match known {
                Some((leased, known)) => {
                    let named = Item { job: report.job, position: item.position };
                    let about = (named, report.token, &mut item);
                    let again = self.decide_retry(leased, known, about, &mut judged.woken);
                    judged.failing.extend(again.map(|failing| (item.position, failing)));
                    again.is_some()
                }
                None => is_worth_retrying(item.outcome),
            };
            judged.items.push(ItemDecision { report: item, is_final: !is_again });
        }
        Ok(judged)
    }

    /// Whether and when an item is tried again; what it tells of its origin is noted.
    fn decide_retry(
        &self,
        leased: &Leased,
        known: &LeasedItem,
        (named, token, item): (Item, LeaseToken, &mut ItemReport),
        woken: &mut Vec<JobId>,
    ) -> Option<Failing> {
        let now = self.schedule.now(&*self.clock);
        let before = self.attempts.of(named.job, named.position);
        let (patience, origin) = self.retry_terms(&known.url, &leased.node, &leased.task.options);
        let refused = matches!(item.outcome, Outcome::OriginStatus(_));
        let retry_after = item.retry_after_seconds.filter(|_| refused).map(Duration::from_secs);
        let retry_after = retry_after.map(|wanted| wanted.min(LONGEST_RETRY_AFTER));
        if let Some(origin) = &origin {
            woken.extend(self.origins.record(
                origin,
                named,
                (item, retry_after),
                now,
                self.random(),
            ));
        }
        if !is_worth_retrying(item.outcome) {
            return None;
        }
        if let Some(failing) = before.filter(|failing| failing.token == token) {
            return Some(failing); // the same report once more
        }
        let failed = (target_hash(&known.url), token, item.outcome);
        let held = origin.as_ref().and_then(|origin| self.attempts.held(named.job, origin));
        let failing = Failing::again((before, held), failed, now);
        let attempts = failing.attempts;
        let own = now + BACKOFF.delay(attempts, self.random()).max(retry_after.unwrap_or_default());
        let held =
            origin.and_then(|origin| self.origins.reason(&origin)).map(|reason| reason.until);
        let next = match held {
            // the pauses of the origin are those of all its targets
            Some(held) if failing.waits_for_origin_alone() => held,
            Some(held) => own.max(held),
            None => own,
        };
        let waited = failing.waited.by(now);
        if waited + next.since(now) > patience {
            if item.outcome == Outcome::Canceled {
                // a node that stopped each time: nobody has canceled the task
                item.outcome = Outcome::Timeout;
            }
            let tried = match (attempts, waited.as_secs()) {
                (1, 0) => return None,
                (1, seconds) => format!("waited {seconds} s for the origin"),
                (_, seconds) => format!("tried {attempts} times in {seconds} s"),
            };
            let detail = item.detail.take();
            item.detail = Some(detail.map_or(tried.clone(), |text| format!("{text}; {tried}")));
            return None;
        }
        Some(failing.at(next))
    }

    /// How long a target is tried, and whom `node` asks for it in the end.
    pub(crate) fn retry_terms(
        &self,
        url: &str,
        node: &str,
        options: &FetchOptions,
    ) -> (Duration, Option<OriginKey>) {
        let directory = self.directory.current();
        let area = directory.fleet().node(node).map(|node| node.area);
        let target = Target::parse(url, false).ok();
        let domain = target.as_ref().and_then(|target| directory.domain(&target.host));
        let own = domain.and_then(|domain| domain.patience_seconds);
        let seconds = options.patience_seconds.or(own);
        let patience = seconds.map_or(self.config.patience, Duration::from_secs);
        let origin = domain.map(|domain| OriginKey::of(domain, area.unwrap_or(Area::Mainland)));
        (patience, origin)
    }

    /// Lets jobs go on whose origin is back. If that fails, they go on when they are due.
    async fn wake(&self, jobs: Vec<JobId>) {
        if jobs.is_empty() {
            return;
        }
        let count = jobs.len();
        if let Err(error) = self.ledger.hasten(jobs, self.schedule.now(&*self.clock)).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, job.count = count, "jobs whose origin is back wait on");
        }
        let directory = self.directory.current();
        self.wakeups.notify(directory.fleet().nodes().iter().map(|node| node.name.as_str()));
    }
}

/// It names too much: it is not done, though it may be there.
fn refuse(item: &mut ItemReport, detail: String) {
    item.outcome = Outcome::Blocked(Block::TooManyChildren);
    item.detail = Some(detail);
}
