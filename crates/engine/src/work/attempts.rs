//! What failed and is tried again: since when, how often, and when next; and what waits for its
//! origin without having been tried.
//!
//! Counted here and not by leases: a lease that ends because a process was killed says nothing of
//! the origin. In memory, so an engine that starts again begins to count again. Whether something is
//! tried again is decided in `report`, which targets wait for an origin in `origins`.

use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use stoker_domain::{
    job::{JobId, LeaseToken},
    outcome::Outcome,
    retry::Presence,
    task::TaskId,
    time::Timestamp,
};

use super::origins::OriginKey;

/// So much later than planned is still counted as waiting; more is a clock that jumped ahead.
const LATE: Duration = Duration::from_secs(60);

/// Failures of a target in a row that are put down to its origin alone.
const MOST_BLAMED: u32 = 3;

/// How long something has waited, whatever the clock does meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waited {
    spent: Duration,
    at: Timestamp,
    until: Timestamp,
}

impl Waited {
    fn begin(now: Timestamp) -> Self {
        Self { spent: Duration::ZERO, at: now, until: now }
    }

    /// How long until `now`. It is measured by the wall clock, which may jump: what lies far beyond
    /// the planned end of the wait is such a jump and counts as [`LATE`] only.
    pub(crate) fn by(self, now: Timestamp) -> Duration {
        self.spent + now.since(self.at).min(self.until.since(self.at) + LATE)
    }

    /// It waits on, until `until`.
    fn on(self, now: Timestamp, until: Timestamp) -> Self {
        Self { spent: self.by(now), at: now, until }
    }
}

/// An item that failed and is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failing {
    /// Of its target: see [`target_hash`].
    pub(crate) url: u64,
    /// The lease under which it failed last; all that is reported under one lease is one attempt.
    pub(crate) token: LeaseToken,
    pub(crate) outcome: Outcome,
    pub(crate) attempts: u32,
    /// Since it failed first.
    pub(crate) waited: Waited,
}

impl Failing {
    /// Not before then again.
    pub(crate) fn next(&self) -> Timestamp {
        self.waited.until
    }

    /// What comes of a failure at `now`, before it is known when it is tried again; of one that
    /// `held` had to wait before it was tried.
    pub(crate) fn again(
        (before, held): (Option<Self>, Option<Waited>),
        (url, token, outcome): (u64, LeaseToken, Outcome),
        now: Timestamp,
    ) -> Self {
        let attempts = before.map_or(0, |failing| failing.attempts).saturating_add(1);
        // patience covers the wait for the origin before the first attempt too
        let waited = before.map(|failing| failing.waited).or(held);
        let waited = waited.unwrap_or(Waited::begin(now)).on(now, now);
        Self { url, token, outcome, attempts, waited }
    }

    /// Whether it goes as soon as its origin is there: it failed because that was away. One that
    /// always does, while others succeed, keeps to pauses of its own.
    pub(crate) fn waits_for_origin_alone(&self) -> bool {
        Presence::of(self.outcome) == Presence::Away && self.attempts <= MOST_BLAMED
    }

    /// The same, tried again at `next`.
    pub(crate) fn at(self, next: Timestamp) -> Self {
        Self { waited: Waited { until: next, ..self.waited }, ..self }
    }
}

/// What tells the target of an item from others; equal for few that differ.
pub(crate) fn target_hash(url: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    url.hash(&mut hasher);
    hasher.finish()
}

/// What is known of the jobs in which something failed or waits.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<JobId, Job>>);

#[derive(Debug)]
struct Job {
    task: TaskId,
    failing: HashMap<u16, Failing>,
    /// Where items wait that were not tried, and for how long.
    held: HashMap<OriginKey, Waited>,
    /// When the first of the items is due that were not handed out with the lease.
    withheld: Option<Timestamp>,
}

impl Attempts {
    /// Whether anything is known of `job`.
    pub(crate) fn contains(&self, job: JobId) -> bool {
        self.jobs().contains_key(&job)
    }

    /// How an item of `job` failed last.
    pub(crate) fn of(&self, job: JobId, position: u16) -> Option<Failing> {
        self.jobs().get(&job)?.failing.get(&position).copied()
    }

    /// The item at `position` of `job` waits for `origin` until `until`; how long it has waited. Of
    /// those that were not tried, the first speaks for all.
    pub(crate) fn hold(
        &self,
        (job, position): (JobId, u16),
        task: &TaskId,
        origin: &OriginKey,
        (now, until): (Timestamp, Timestamp),
    ) -> Duration {
        let mut jobs = self.jobs();
        let job = jobs.entry(job).or_insert_with(|| Job::new(task));
        let waited = match job.failing.get_mut(&position) {
            // an item that was tried has a wait of its own, which began with its failure
            Some(failing) => &mut failing.waited,
            None => job.held.entry(origin.clone()).or_insert_with(|| Waited::begin(now)),
        };
        *waited = waited.on(now, until);
        waited.spent
    }

    /// How long items of `job` that were not tried have waited for `origin`.
    pub(crate) fn held(&self, job: JobId, origin: &OriginKey) -> Option<Waited> {
        self.jobs().get(&job)?.held.get(origin).copied()
    }

    /// No item of `job` waits for `origin`.
    pub(crate) fn free(&self, job: JobId, origin: &OriginKey) {
        self.with(job, |known| {
            known.held.remove(origin);
        });
    }

    /// Items of `job` were not handed out with the lease, the first is due at `until`; or all were.
    pub(crate) fn withhold(&self, job: JobId, task: &TaskId, until: Option<Timestamp>) {
        // most jobs have nothing that waits, and need no entry
        if until.is_none() && !self.contains(job) {
            return;
        }
        self.jobs().entry(job).or_insert_with(|| Job::new(task)).withheld = until;
        // drops the entry if it says nothing any more
        self.with(job, |_| ());
    }

    /// Items of `job` failed again, or were settled.
    pub(crate) fn record(
        &self,
        job: JobId,
        task: &TaskId,
        failing: &[(u16, Failing)],
        settled: &[u16],
    ) {
        // a report of successes alone, as most are
        if failing.is_empty() && !self.contains(job) {
            return;
        }
        self.jobs().entry(job).or_insert_with(|| Job::new(task));
        self.with(job, |known| {
            // settled last: an item that stands in both has ended
            known.failing.extend(failing.iter().copied());
            for position in settled {
                known.failing.remove(position);
            }
        });
    }

    /// When the first item of `job` is due that is known to wait, but for those at `reported`.
    pub(crate) fn next(&self, job: JobId, reported: &[u16]) -> Option<Timestamp> {
        let jobs = self.jobs();
        let job = jobs.get(&job)?;
        let others = job.failing.iter().filter(|(position, _)| !reported.contains(position));
        // those just reported have new times, which are not recorded yet
        others.map(|(_, failing)| failing.next()).chain(job.withheld).min()
    }

    /// Those of the targets `wanted` of `task` that wait after `now`, each with the item that is due
    /// first.
    pub(crate) fn waiting(
        &self,
        task: &TaskId,
        wanted: &HashSet<u64>,
        now: Timestamp,
    ) -> HashMap<u64, Failing> {
        let mut waiting: HashMap<u64, Failing> = HashMap::new();
        for failing in self.jobs().values().filter(|job| job.task == *task).flat_map(Job::items) {
            if failing.next() > now && wanted.contains(&failing.url) {
                let first = waiting.entry(failing.url).or_insert(*failing);
                if failing.next() < first.next() {
                    *first = *failing;
                }
            }
        }
        waiting
    }

    /// Of `task`: the item that failed and is due first after `now`, and where others wait.
    pub(crate) fn first(
        &self,
        task: &TaskId,
        now: Timestamp,
    ) -> (Option<Failing>, HashSet<OriginKey>) {
        let jobs = self.jobs();
        let jobs: Vec<_> = jobs.values().filter(|job| job.task == *task).collect();
        let failing =
            jobs.iter().flat_map(|job| job.items()).filter(|failing| failing.next() > now);
        let first = failing.min_by_key(|failing| failing.next()).copied();
        (first, jobs.iter().flat_map(|job| job.held.keys().cloned()).collect())
    }

    /// All jobs of `task` are forgotten.
    pub(crate) fn forget_task(&self, task: &TaskId) {
        self.jobs().retain(|_, job| job.task != *task);
    }

    pub(crate) fn forget(&self, job: JobId) {
        self.jobs().remove(&job);
    }

    fn with(&self, job: JobId, change: impl FnOnce(&mut Job)) {
        let mut jobs = self.jobs();
        if let Some(known) = jobs.get_mut(&job) {
            change(known);
            if known.is_idle() {
                jobs.remove(&job);
            }
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Job>> {
        // a std mutex, held for look-ups and never across an await
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    fn new(task: &TaskId) -> Self {
        Self { task: task.clone(), failing: HashMap::new(), held: HashMap::new(), withheld: None }
    }

    fn items(&self) -> impl Iterator<Item = &Failing> {
        self.failing.values()
    }

    fn is_idle(&self) -> bool {
        self.failing.is_empty() && self.held.is_empty() && self.withheld.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds)
    }

    #[test]
    fn a_clock_that_jumps_ahead_counts_as_a_minute() {
        let waited = Waited::begin(at(0)).on(at(0), at(10));
        for (now, seconds) in [(0, 0), (5, 5), (10, 10), (70, 70), (71, 70), (86_400, 70), (-9, 0)]
        {
            assert_eq!(waited.by(at(now)), Duration::from_secs(seconds), "{now}");
        }
        let again = waited.on(at(86_400), at(86_460));
        assert_eq!(again.by(at(86_430)), Duration::from_secs(100));
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let (attempts, job, task) = (Attempts::default(), JobId(1), TaskId("1".into()));
        let failed = (target_hash("http://a.example/"), LeaseToken(1), Outcome::OriginStatus(503));
        let failing = Failing::again((None, None), failed, at(0)).at(at(1));
        attempts.record(job, &task, &[(3, failing)], &[]);
        assert_eq!(attempts.next(job, &[]), Some(at(1)));
        assert_eq!(attempts.next(job, &[3]), None);
        attempts.withhold(job, &task, Some(at(5)));
        assert_eq!(attempts.next(job, &[3]), Some(at(5)));
        attempts.withhold(job, &task, None);
        attempts.record(job, &task, &[], &[3]);
        assert!(!attempts.contains(job));
    }
}
