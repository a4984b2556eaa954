//! The leases that are out: who works on which job, until when, and how far its items are.
//!
//! In memory: an engine that starts again finds a lease again with its next heartbeat. Views mix in how
//! far items are; heartbeats and reports are answered from here where that is safe, so that what
//! happens every second needs no ledger.
//!
//! When it is safe: this engine wrote `until` into the ledger, and no lease ends before its time but
//! through this engine (a report, a new session of its node, the sweep, a task that is paused or
//! canceled), which drops it here. Until then no other node can have the job. What is not known here,
//! or known under another token, is asked of the ledger. A task that was stopped a moment ago is
//! remembered, for its jobs may have been leased before and not handed out yet.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use stoker_domain::{
    job::{Heartbeat, ItemProgress, JobId, LeaseToken, LeasedJob},
    task::TaskId,
    time::Timestamp,
};

use super::attempts::target_hash;

/// What is known of one lease.
#[derive(Debug)]
struct Lease {
    token: LeaseToken,
    /// As it stands in the ledger, by the time that never goes back.
    until: Timestamp,
    /// Absent for a lease of an engine before this one.
    work: Option<Work>,
}

/// What was handed out with a lease.
#[derive(Debug)]
struct Work {
    node: String,
    task: TaskId,
    /// Hashes of the targets, by position, of which nothing was reported yet: a URL for each would be
    /// a copy of all that is being worked on.
    targets: HashMap<u16, u64>,
    progress: Vec<ItemProgress>,
}

/// Who holds a lease, and for which task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) node: String,
    pub(crate) task: TaskId,
}

/// The items of one task that move, by the hash of their target: one entry per node that works on it.
pub(crate) type Moving = HashMap<u64, Vec<ItemProgress>>;

/// All leases that are out.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    leases: HashMap<JobId, Lease>,
    /// Tasks that were stopped, and until when what was leased of them before may come to be handed
    /// out.
    stopped: HashMap<TaskId, Timestamp>,
}

/// Of each node, the leases that were taken from it.
pub(crate) type Taken = HashMap<String, Vec<(JobId, LeaseToken)>>;

impl Leases {
    /// `jobs` were leased to `node` until `until`. Those of a task that was stopped meanwhile are left
    /// out. Leases that ended before `now` are dropped; how many.
    pub(crate) fn start(
        &self,
        node: &str,
        jobs: &mut Vec<LeasedJob>,
        now: Timestamp,
        until: Timestamp,
    ) -> usize {
        let mut state = self.state();
        let State { leases, stopped } = &mut *state;
        let before = leases.len();
        // of all nodes: nobody else ends the lease of a node that has died
        leases.retain(|_, lease| lease.until >= now);
        let expired = before - leases.len();
        stopped.retain(|_, until| *until >= now);
        jobs.retain(|job| !stopped.contains_key(&job.task));
        for job in jobs {
            let targets =
                job.items.iter().map(|item| (item.position, target_hash(&item.url))).collect();
            let (node, task) = (node.into(), job.task.clone());
            let work = Some(Work { node, task, targets, progress: Vec::new() });
            // also over a former lease of the job, which has just been lost
            leases.insert(job.id, Lease { token: job.token, until, work });
        }
        expired
    }

    /// How many are out.
    pub(crate) fn count(&self) -> usize {
        self.state().leases.len()
    }

    /// Until when a lease stands in the ledger, if this engine wrote that.
    pub(crate) fn until(&self, job: JobId, token: LeaseToken) -> Option<Timestamp> {
        let state = self.state();
        let leases = &state.leases;
        leases.get(&job).filter(|lease| lease.token == token).map(|lease| lease.until)
    }

    /// A lease was renewed in the ledger until `until`.
    pub(crate) fn renew(&self, job: JobId, token: LeaseToken, until: Timestamp) {
        let mut state = self.state();
        let leases = &mut state.leases;
        let lease = leases.entry(job).or_insert(Lease { token, until, work: None });
        if lease.token == token {
            lease.until = until;
        } else {
            // the ledger renewed it, so it is the other one that is lost, whose work says nothing
            // of this one
            *lease = Lease { token, until, work: None };
        }
    }

    /// How far the items of a lease are; the node that holds it, where it was handed out by this
    /// engine.
    pub(crate) fn advance(&self, beat: Heartbeat) -> Option<String> {
        let mut state = self.state();
        let leases = &mut state.leases;
        // a heartbeat that was overtaken by the job's next lease tells nothing of that one
        let lease = leases.get_mut(&beat.job).filter(|lease| lease.token == beat.token)?;
        let work = lease.work.as_mut()?;
        // replaced and not merged: a heartbeat names every item that moves
        work.progress = beat.items;
        Some(work.node.clone())
    }

    /// Who holds a lease that was handed out by this engine.
    pub(crate) fn holder(&self, job: JobId, token: LeaseToken) -> Option<Holder> {
        let state = self.state();
        let leases = &state.leases;
        let work = leases.get(&job).filter(|lease| lease.token == token)?.work.as_ref()?;
        Some(Holder { node: work.node.clone(), task: work.task.clone() })
    }

    /// Items were reported: they move no longer.
    pub(crate) fn settle(&self, job: JobId, token: LeaseToken, positions: &[u16]) {
        let mut state = self.state();
        let leases = &mut state.leases;
        let lease = leases.get_mut(&job).filter(|lease| lease.token == token);
        if let Some(work) = lease.and_then(|lease| lease.work.as_mut()) {
            // both at once: a late heartbeat may name the item again, and then finds no target for
            // it
            work.progress.retain(|item| !positions.contains(&item.position));
            for position in positions {
                work.targets.remove(position);
            }
        }
    }

    /// Whether items were handed out with the lease of which nothing was reported; so it is taken
    /// for a lease that is not known.
    pub(crate) fn is_at_work(&self, job: JobId, token: LeaseToken) -> bool {
        let state = self.state();
        let leases = &state.leases;
        let lease = leases.get(&job).filter(|lease| lease.token == token);
        let work = lease.and_then(|lease| lease.work.as_ref());
        // `true` where nothing is known makes a job due at once: too early costs a lease, too late
        // stands still
        work.is_none_or(|work| !work.targets.is_empty())
    }

    /// The lease of `job` ended.
    pub(crate) fn end(&self, job: JobId, token: LeaseToken) {
        let mut state = self.state();
        let leases = &mut state.leases;
        // only under its token: the job may have been leased to another node meanwhile
        if leases.get(&job).is_some_and(|lease| lease.token == token) {
            leases.remove(&job);
        }
    }

    /// `job` is final, whoever has it.
    pub(crate) fn forget(&self, job: JobId) {
        self.state().leases.remove(&job);
    }

    /// All leases of `node` ended. Those of an engine before this one go too: they are asked of the
    /// ledger once more.
    pub(crate) fn end_all(&self, node: &str) {
        let is_other = |lease: &Lease| lease.work.as_ref().is_some_and(|work| work.node != node);
        self.state().leases.retain(|_, lease| is_other(lease));
    }

    /// `task` is stopped: its leases end, as with [`Self::end_task`], and until `until` none of it is
    /// handed out.
    pub(crate) fn stop(&self, task: &TaskId, until: Timestamp) -> Taken {
        self.state().stopped.insert(task.clone(), until);
        self.end_task(task)
    }

    /// The leases of `task` end; which those were. Those of an engine before this one are asked of the
    /// ledger once more.
    pub(crate) fn end_task(&self, task: &TaskId) -> Taken {
        let mut state = self.state();
        let mut taken = Taken::new();
        state.leases.retain(|job, lease| {
            let Some(work) = &lease.work else { return false };
            if work.task != *task {
                return true;
            }
            taken.entry(work.node.clone()).or_default().push((*job, lease.token));
            false
        });
        taken
    }

    /// `task` does not go on after all, if it was stopped until `until`.
    pub(crate) fn stop_again(&self, task: &TaskId, until: Option<Timestamp>) {
        if let Some(until) = until {
            self.state().stopped.insert(task.clone(), until);
        }
    }

    /// `task` goes on; whether it was stopped a moment ago, and until when that would have counted.
    pub(crate) fn go_on(&self, task: &TaskId) -> Option<Timestamp> {
        self.state().stopped.remove(task)
    }

    /// The items of `task` that move.
    pub(crate) fn moving(&self, task: &TaskId) -> Moving {
        let state = self.state();
        let leases = &state.leases;
        let mut moving = Moving::new();
        let works = leases.values().filter_map(|lease| lease.work.as_ref());
        for work in works.filter(|work| work.task == *task) {
            for item in &work.progress {
                if let Some(target) = work.targets.get(&item.position) {
                    moving.entry(*target).or_default().push(*item);
                }
            }
        }
        moving
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // a std mutex, held for look-ups and never across an await
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use stoker_domain::{account::AccountId, job::JobItem, task::FetchOptions};

    use super::*;

    const NODE: &str = "middle-mainland";
    const URL: &str = "http://a.example/0";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds)
    }

    fn job(id: i64, token: u64) -> LeasedJob {
        let item = |position| JobItem {
            position,
            url: format!("http://a.example/{position}"),
            levels: 0,
            is_named: false,
        };
        LeasedJob {
            id: JobId(id),
            token: LeaseToken(token),
            expires_at: at(30),
            task: TaskId("1".into()),
            account: AccountId(1),
            accepted_at: at(0),
            attempt: 1,
            options: FetchOptions::default(),
            items: vec![item(0), item(1)],
        }
    }

    fn progress(position: u16) -> ItemProgress {
        ItemProgress { position, done_bytes: 5, total_bytes: Some(10) }
    }

    fn leased() -> Leases {
        let leases = Leases::default();
        leases.start(NODE, &mut vec![job(1, 7)], at(0), at(30));
        leases
    }

    #[test]
    fn a_lease_is_known_under_its_token_alone_until_it_ends() {
        let leases = leased();
        let (job, token, other) = (JobId(1), LeaseToken(7), LeaseToken(8));
        assert_eq!(leases.until(job, token), Some(at(30)));
        assert_eq!((leases.until(job, other), leases.holder(job, other)), (None, None));
        leases.renew(job, token, at(40));
        assert_eq!(leases.until(job, token), Some(at(40)));
        let holder = Holder { node: NODE.into(), task: TaskId("1".into()) };
        assert_eq!(leases.holder(job, token), Some(holder));
        leases.end(job, other);
        assert_eq!(leases.until(job, token), Some(at(40)));
        leases.end(job, token);
        assert_eq!(leases.until(job, token), None);
    }

    #[test]
    fn a_lease_of_an_engine_before_is_known_from_its_first_renewal() {
        let leases = leased();
        let (job, token) = (JobId(1), LeaseToken(8));
        leases.renew(job, token, at(60));
        assert_eq!((leases.until(job, token), leases.holder(job, token)), (Some(at(60)), None));
        assert!(leases.is_at_work(job, token), "what it was handed out for is not known");
        assert_eq!(leases.until(job, LeaseToken(7)), None, "the other one is lost");
        leases.end_all("another");
        assert_eq!(leases.until(job, token), None, "it may be that node's");
    }

    #[test]
    fn what_was_reported_moves_no_longer() {
        let leases = leased();
        let (job, token, task) = (JobId(1), LeaseToken(7), TaskId("1".into()));
        let beat = Heartbeat { job, token, items: vec![progress(0), progress(1)] };
        assert_eq!(leases.advance(beat.clone()).as_deref(), Some(NODE));
        assert_eq!(leases.moving(&task)[&target_hash(URL)], [progress(0)]);
        assert!(leases.moving(&TaskId("2".into())).is_empty());
        leases.settle(job, LeaseToken(8), &[0]);
        assert_eq!(leases.moving(&task).len(), 2, "a lease that is lost settles nothing");
        leases.settle(job, token, &[0]);
        assert_eq!(leases.moving(&task).len(), 1);
        assert!(leases.is_at_work(job, token));
        leases.settle(job, token, &[1]);
        assert!(!leases.is_at_work(job, token) && leases.moving(&task).is_empty());
        assert_eq!(leases.advance(Heartbeat { token: LeaseToken(8), ..beat }), None);
    }

    #[test]
    fn leases_end_with_their_node_their_job_and_their_time() {
        let leases = Leases::default();
        leases.start(NODE, &mut vec![job(1, 7), job(2, 8)], at(0), at(30));
        leases.start("other", &mut vec![job(3, 9)], at(0), at(40));
        leases.forget(JobId(2));
        assert_eq!(leases.until(JobId(2), LeaseToken(8)), None);
        leases.start("other", &mut vec![], at(30), at(60));
        assert!(leases.until(JobId(1), LeaseToken(7)).is_some(), "it ends after its last moment");
        leases.end_all("other");
        assert_eq!(leases.until(JobId(3), LeaseToken(9)), None);
        leases.start("other", &mut vec![], at(31), at(61));
        assert_eq!(leases.until(JobId(1), LeaseToken(7)), None);
    }

    #[test]
    fn a_task_that_is_stopped_loses_its_leases_and_gets_none_that_was_on_its_way() {
        let leases = leased();
        let (task, other) = (TaskId("1".into()), TaskId("2".into()));
        let others = LeasedJob { task: other, ..job(2, 8) };
        leases.start("other", &mut vec![others, job(3, 9)], at(0), at(30));
        let taken = leases.stop(&task, at(60));
        let mine = vec![(JobId(1), LeaseToken(7))];
        let theirs = vec![(JobId(3), LeaseToken(9))];
        assert_eq!(taken, Taken::from([(NODE.into(), mine), ("other".into(), theirs)]));
        assert_eq!(leases.until(JobId(1), LeaseToken(7)), None);
        assert_eq!(leases.until(JobId(2), LeaseToken(8)), Some(at(30)), "of another task");
        let mut late = vec![job(4, 10)];
        leases.start(NODE, &mut late, at(1), at(31));
        assert!(late.is_empty() && leases.until(JobId(4), LeaseToken(10)).is_none());
        leases.go_on(&task);
        leases.start(NODE, &mut vec![job(4, 11)], at(2), at(32));
        assert_eq!(leases.until(JobId(4), LeaseToken(11)), Some(at(32)));
        leases.stop(&task, at(60));
        leases.start(NODE, &mut vec![job(4, 12)], at(61), at(91));
        assert!(leases.until(JobId(4), LeaseToken(12)).is_some(), "it is forgotten in time");
    }
}
