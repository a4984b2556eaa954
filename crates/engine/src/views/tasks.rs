//! What callers see of tasks and targets: the ledger's rows with what heartbeats add.
//!
//! A percentage is 100 only when the thing is done: while anything is missing it stays below, and
//! what failed keeps what it had reached. A target counts once, however many nodes hold it: its
//! share is the average over them. What is shown of a task costs the same whatever its size: the
//! ledger keeps its sums, and heartbeats tell of what moves now.

use std::collections::{HashMap, HashSet};

use stoker_domain::{
    job::{ItemProgress, NodeOutcome},
    outcome::Outcome,
    target::Target,
    task::{Progress, TaskId, TaskState},
    time::Timestamp,
    view::{Page, TargetFilter, TargetRow, TargetState, TaskFilter, TaskRow},
};

use crate::{
    Engine, Error,
    work::{Moving, OriginKey, target_hash},
};

/// The size of a larger task is not shown before its end: a view must not make the ledger read that
/// much.
const MAX_SIZED: u64 = 500;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// How the last attempt ended, of the target or of another of its origin.
    pub outcome: Outcome,
    /// When the next one is due.
    pub next_attempt: Timestamp,
}

/// One target as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetView {
    /// The ledger's row.
    pub row: TargetRow,
    /// 0 to 99 until it is done on all its nodes; then 100.
    pub percent: u8,
    /// Bytes that are there, averaged over its nodes.
    pub done_bytes: u64,
    /// Its size, once known.
    pub total_bytes: Option<u64>,
    /// Set while some node waits with another attempt.
    pub waiting: Option<Waiting>,
}

/// One task as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskView {
    /// The ledger's row.
    pub row: TaskRow,
    /// 0 to 99 until all its targets are done; then 100.
    pub percent: u8,
    /// Bytes that are there, each target counted once, however many nodes hold it.
    pub done_bytes: u64,
    /// Its size without what failed: at its end, and before where it was asked for by name, has at
    /// most 500 targets, and the size of each is known.
    pub total_bytes: Option<u64>,
    /// Bytes that its nodes pulled from parents and the origin for targets that are final there.
    pub pulled_bytes: u64,
    /// Of the targets that wait with another attempt, that which is due first; only for a task that
    /// was asked for by name.
    pub waiting: Option<Waiting>,
}

impl Engine {
    /// Tasks that match, newest first.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn tasks(&self, filter: &TaskFilter) -> Result<Page<TaskView>, Error> {
        let page = self.ledger.tasks(filter).await?;
        let mut rows = Vec::with_capacity(page.rows.len());
        for row in page.rows {
            let (share, done_bytes) = self.reached(&row);
            let total_bytes = match row.finished_at {
                Some(_) => Some(row.done_bytes),
                None if filter.id.is_some() && row.targets <= MAX_SIZED => {
                    self.size(&row).await?.map(|size| size.max(done_bytes))
                }
                None => None,
            };
            let is_done = row.targets > 0 && row.done == row.targets;
            let (percent, pulled_bytes) = (percent(share, is_done), row.pulled_bytes);
            let runs = row.finished_at.is_none() && row.state == TaskState::Running;
            let is_asked = filter.id.is_some() && runs;
            let waiting = is_asked.then(|| self.waiting_first(&row.task.id)).flatten();
            rows.push(TaskView { row, percent, done_bytes, total_bytes, pulled_bytes, waiting });
        }
        Ok(Page { rows, total: page.total })
    }

    /// Targets that match, newest task first.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn targets(&self, filter: &TargetFilter) -> Result<Page<TargetView>, Error> {
        let page = self.ledger.targets(filter).await?;
        let reached = self.reached_by_failed(&page.rows).await?;
        let waiting = self.waiting(&page.rows);
        let mut moving: HashMap<TaskId, Moving> = HashMap::new();
        let view = |row: TargetRow| {
            let reached = match row.progress {
                Progress::Done => Reached::whole(row.size_bytes),
                Progress::Failed => reached.get(&row.id).copied().unwrap_or_default(),
                Progress::Processing => {
                    let id = &row.task.id;
                    let moving = moving.entry(id.clone()).or_insert_with(|| self.leases.moving(id));
                    running(&row, moving.get(&target_hash(&row.url)).map_or(&[], Vec::as_slice))
                }
            };
            let is_done = row.progress == Progress::Done;
            TargetView {
                percent: percent(reached.share, is_done),
                done_bytes: reached.done_bytes,
                total_bytes: reached.total_bytes.or(row.size_bytes),
                waiting: waiting.get(&row.id).copied(),
                row,
            }
        };
        Ok(Page { rows: page.rows.into_iter().map(view).collect(), total: page.total })
    }

    /// For each of `targets` (row numbers of one task), what each of its nodes reported.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn outcomes(
        &self,
        task: &TaskId,
        targets: &[i64],
    ) -> Result<Vec<(i64, Vec<NodeOutcome>)>, Error> {
        Ok(self.ledger.outcomes(task, targets).await?)
    }

    /// What those of `rows` wait for that wait, by row number.
    fn waiting(&self, rows: &[TargetRow]) -> HashMap<i64, Waiting> {
        let now = self.schedule.now(&*self.clock);
        let mut tasks: HashMap<&TaskId, HashSet<u64>> = HashMap::new();
        let open = || rows.iter().filter(|row| row.progress == Progress::Processing);
        for row in open() {
            tasks.entry(&row.task.id).or_default().insert(target_hash(&row.url));
        }
        let failing: HashMap<_, _> = tasks
            .into_iter()
            .map(|(task, wanted)| (task, self.attempts.waiting(task, &wanted, now)))
            .collect();
        let is_held = !self.origins.are_all_up();
        let mut waiting = HashMap::new();
        for row in open() {
            let own = failing.get(&row.task.id).and_then(|all| all.get(&target_hash(&row.url)));
            let found = match own {
                Some(failing) => Some((failing.outcome, failing.next())),
                None if is_held => self.held(row),
                None => None,
            };
            let found = found.and_then(|(outcome, next)| self.waits(outcome, next, now));
            waiting.extend(found.map(|found| (row.id, found)));
        }
        waiting
    }

    fn held(&self, row: &TargetRow) -> Option<(Outcome, Timestamp)> {
        let directory = self.directory.current();
        let domain = directory.domain(&Target::parse(&row.url, false).ok()?.host)?;
        let origins = row.task.areas.areas().iter().map(|area| OriginKey::of(domain, *area));
        let reasons = origins.filter_map(|origin| self.origins.reason(&origin));
        let first = reasons.min_by_key(|reason| reason.until)?;
        Some((first.outcome, first.until))
    }

    fn waiting_first(&self, task: &TaskId) -> Option<Waiting> {
        let now = self.schedule.now(&*self.clock);
        let (failing, origins) = self.attempts.first(task, now);
        let own = failing.map(|failing| (failing.outcome, failing.next()));
        let reasons = origins.iter().filter_map(|origin| self.origins.reason(origin));
        let all = own.into_iter().chain(reasons.map(|reason| (reason.outcome, reason.until)));
        let first = all.filter(|(_, next)| *next > now).min_by_key(|(_, next)| *next);
        first.and_then(|(outcome, next)| self.waits(outcome, next, now))
    }

    /// As people see it: by the wall clock.
    fn waits(&self, outcome: Outcome, next: Timestamp, now: Timestamp) -> Option<Waiting> {
        let next_attempt = self.clock.now() + next.since(now);
        (next > now).then_some(Waiting { outcome, next_attempt })
    }

    /// The share of its targets and the bytes that a task has reached.
    fn reached(&self, row: &TaskRow) -> (f64, u64) {
        let targets = row.targets.max(1) as f64;
        if row.finished_at.is_some() {
            return (row.done as f64 / targets, row.done_bytes);
        }
        let directory = self.directory.current();
        let holders = directory.fleet().count_holders(row.task.areas, row.task.tier).max(1);
        let moving = self.leases.moving(&row.task.id);
        let items = || moving.values().flatten();
        let share = row.done as f64 + items().map(share).sum::<f64>() / holders as f64;
        let held = items().fold(row.held_bytes, |held, item| held.saturating_add(item.done_bytes));
        (share / targets, row.done_bytes.max(held / holders as u64))
    }

    /// The size of a small task, when that of every target that did not fail is known. Those that are
    /// done the ledger has summed up; only the others are read.
    async fn size(&self, task: &TaskRow) -> Result<Option<u64>, Error> {
        let filter = TargetFilter {
            task: Some(task.task.id.clone()),
            states: Some(TargetState::of(Progress::Processing)),
            limit: MAX_SIZED,
            ..TargetFilter::default()
        };
        let open = self.ledger.targets(&filter).await?;
        // one that was settled, or added, between the two readings is in both sums or in none
        if open.total != task.targets - task.done - task.failed {
            return Ok(None);
        }
        let moving = self.leases.moving(&task.task.id);
        let sizes = open.rows.iter().map(|row| {
            let moving = moving.get(&target_hash(&row.url)).map_or(&[][..], Vec::as_slice);
            known_size(row, moving)
        });
        let open: Option<u64> = sizes.sum();
        Ok(open.map(|open| open.saturating_add(task.done_bytes)))
    }

    /// How far the failed ones among `rows` had come.
    async fn reached_by_failed(&self, rows: &[TargetRow]) -> Result<HashMap<i64, Reached>, Error> {
        let mut failed: HashMap<&TaskId, Vec<i64>> = HashMap::new();
        for row in rows.iter().filter(|row| row.progress == Progress::Failed && row.nodes > 0) {
            failed.entry(&row.task.id).or_default().push(row.id);
        }
        let mut reached = HashMap::new();
        for (task, ids) in failed {
            for (id, nodes) in self.ledger.outcomes(task, &ids).await? {
                reached.insert(id, settled(&nodes));
            }
        }
        Ok(reached)
    }
}

/// How far one target is.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    /// 0.0 to 1.0.
    share: f64,
    done_bytes: u64,
    total_bytes: Option<u64>,
}

impl Reached {
    fn whole(size: Option<u64>) -> Self {
        Self { share: 1.0, done_bytes: size.unwrap_or(0), total_bytes: size }
    }

    fn part(share: f64, total_bytes: Option<u64>) -> Self {
        let done_bytes = total_bytes.map_or(0, |total| (total as f64 * share) as u64);
        Self { share, done_bytes, total_bytes }
    }
}

/// The size of a target that is being worked on, as far as anybody knows it.
fn known_size(row: &TargetRow, moving: &[ItemProgress]) -> Option<u64> {
    row.size_bytes.or_else(|| moving.iter().filter_map(|item| item.total_bytes).max())
}

fn running(row: &TargetRow, moving: &[ItemProgress]) -> Reached {
    let total = known_size(row, moving);
    let nodes = f64::from(row.nodes.max(1));
    let reached = f64::from(row.settled_nodes) + moving.iter().map(share).sum::<f64>();
    let mut reached = Reached::part((reached / nodes).min(1.0), total);
    if total.is_none() {
        let done: u64 = moving.iter().map(|item| item.done_bytes).sum();
        reached.done_bytes = done / u64::from(row.nodes.max(1));
    }
    reached
}

fn settled(nodes: &[NodeOutcome]) -> Reached {
    let reports = || nodes.iter().filter_map(|node| node.report.as_ref());
    let reached: f64 = reports()
        .map(|report| match report.size_bytes {
            _ if report.outcome.is_success() => 1.0,
            Some(size) if size > 0 => (report.pulled_bytes as f64 / size as f64).min(1.0),
            _ => 0.0,
        })
        .sum();
    let total = reports().filter_map(|report| report.size_bytes).max();
    Reached::part(reached / nodes.len().max(1) as f64, total)
}

fn share(item: &ItemProgress) -> f64 {
    match item.total_bytes {
        Some(total) if total > 0 => (item.done_bytes as f64 / total as f64).min(1.0),
        _ => 0.0,
    }
}

fn percent(share: f64, is_done: bool) -> u8 {
    if is_done { 100 } else { ((share * 100.0) as u8).min(99) }
}
