//! Leases and purges against plain models: whatever comes in whatever order, both say the same.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use stoker_domain::{
    job::{Heartbeat, JobId, LeaseToken},
    outcome::Outcome,
    task::{Progress, TaskCommand, TaskId, TaskState},
    time::Timestamp,
};

use super::fixture::{Dice, Fixture, LEASE, T0, item, urls};
use crate::{Control, Controlled, ItemDecision, Ledger, ReportWrite};

const SEED: u64 = 20_261_201;
const STEPS: u64 = 700;
const TASKS: usize = 12;

/// What must be true of a task.
#[derive(Clone, Copy, Debug, Default)]
struct Steered {
    state: TaskState,
    /// Its jobs do not follow that yet.
    is_turning: bool,
}

impl Steered {
    fn runs(self) -> bool {
        self.state == TaskState::Running
    }
}

/// What must be true of a job.
#[derive(Clone, Debug)]
struct Job {
    task: usize,
    /// It left the queue when its task was paused.
    is_away: bool,
    due: Timestamp,
    /// Of the lease that is out.
    token: Option<LeaseToken>,
    attempt: u32,
    unsettled: Vec<u16>,
}

impl Job {
    fn is_final(&self) -> bool {
        self.unsettled.is_empty()
    }
}

/// A lease that was given at some time, valid or not.
type GivenLease = (JobId, LeaseToken);

struct Leases {
    fixture: Fixture,
    dice: Dice,
    now: Timestamp,
    tasks: Vec<Steered>,
    jobs: BTreeMap<JobId, Job>,
    given: Vec<GivenLease>,
}

impl Leases {
    /// What may be leased, now or later.
    fn queue(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        let is_in = |job: &Job| !job.is_final() && !job.is_away && self.tasks[job.task].runs();
        self.jobs.iter().filter(move |(_, job)| is_in(job))
    }

    /// Somebody pauses, resumes or cancels a task.
    async fn control(&mut self) {
        let number = usize::try_from(self.dice.below(self.tasks.len() as u64)).expect("small");
        let command = match self.dice.below(12) {
            0 => TaskCommand::Cancel,
            1..6 => TaskCommand::Pause,
            _ => TaskCommand::Resume,
        };
        let task = &mut self.tasks[number];
        let (state, expected) = match (command, task.state) {
            (TaskCommand::Cancel, TaskState::Canceled(_)) => (task.state, Controlled::Already),
            (_, TaskState::Canceled(_)) => (task.state, Controlled::Over),
            (TaskCommand::Pause, TaskState::Paused(_))
            | (TaskCommand::Resume, TaskState::Running) => (task.state, Controlled::Already),
            (TaskCommand::Resume, _) if task.is_turning => (task.state, Controlled::Busy),
            (TaskCommand::Resume, _) => (TaskState::Running, Controlled::Changed),
            (TaskCommand::Pause, _) => (TaskState::Paused(self.now), Controlled::Changed),
            (TaskCommand::Cancel, _) => (TaskState::Canceled(self.now), Controlled::Changed),
        };
        if expected == Controlled::Changed {
            *task = Steered { state, is_turning: true };
        }
        let (account, id) = (self.fixture.account, TaskId(number.to_string()));
        let change = Control { account, task: id, command, now: self.now };
        let done = self.fixture.ledger.control(change).await.expect("control");
        assert_eq!(done, expected, "{command:?}");
        assert_eq!(self.fixture.row(&number.to_string()).await.state, state);
    }

    /// All jobs follow their tasks.
    async fn turn(&mut self) {
        let turned =
            self.fixture.ledger.turn_jobs(usize::MAX, self.now, self.now).await.expect("turn");
        assert!(!turned.is_more);
        let mut jobs = turned.jobs;
        // the other node has a job of each task, of which nothing is known here
        jobs.retain(|id| self.jobs.contains_key(id));
        jobs.sort();
        let mut expected = Vec::new();
        for (id, job) in self.jobs.iter_mut().filter(|(_, job)| !job.is_final()) {
            let task = self.tasks[job.task];
            let follows = match task.state {
                _ if !task.is_turning => true,
                TaskState::Running => !job.is_away,
                TaskState::Paused(_) => job.is_away,
                TaskState::Canceled(_) => false,
            };
            if follows {
                continue;
            }
            expected.push(*id);
            match task.state {
                TaskState::Running => (job.is_away, job.due, job.token) = (false, self.now, None),
                TaskState::Paused(_) => (job.is_away, job.token) = (true, None),
                TaskState::Canceled(_) => job.unsettled.clear(),
            }
        }
        assert_eq!(jobs, expected);
        self.tasks.iter_mut().for_each(|task| task.is_turning = false);
    }

    /// Leases what is due, and compares which jobs those are.
    async fn lease(&mut self) {
        let limit = usize::try_from(self.dice.below(4)).expect("a small number");
        let leased = self.fixture.lease("edge", limit, self.now).await;
        let mut due: Vec<_> = self.queue().collect();
        due.retain(|(_, job)| job.due <= self.now);
        due.sort_by_key(|(id, job)| (job.due, id.0));
        let expected: Vec<_> = due.into_iter().take(limit).map(|(id, _)| *id).collect();
        assert_eq!(leased.iter().map(|job| job.id).collect::<Vec<_>>(), expected);
        for leased in leased {
            let job = self.jobs.get_mut(&leased.id).expect("a job of the model");
            job.attempt += 1;
            (job.due, job.token) = (self.now + LEASE, Some(leased.token));
            let positions: Vec<_> = leased.items.iter().map(|item| item.position).collect();
            assert_eq!((leased.attempt, positions), (job.attempt, job.unsettled.clone()));
            self.given.push((leased.id, leased.token));
        }
    }

    /// One of the last leases; with the job, when it is still out.
    fn some_lease(&mut self) -> Option<(GivenLease, Option<&mut Job>)> {
        let recent = self.given.len().min(8);
        let back = usize::try_from(self.dice.below(recent.max(1) as u64)).expect("a small number");
        let (id, token) = *self.given.iter().rev().nth(back)?;
        let job = self.jobs.get_mut(&id).filter(|job| job.token == Some(token));
        Some(((id, token), job.filter(|job| !job.is_final())))
    }

    /// The same, where the lease counts: that of a task that does not run does not.
    fn some_good_lease(&mut self) -> Option<(GivenLease, Option<&mut Job>)> {
        let tasks = self.tasks.clone();
        let (given, held) = self.some_lease()?;
        Some((given, held.filter(|job| tasks[job.task].runs())))
    }

    async fn renew(&mut self) {
        let until = self.now + Duration::from_secs(20);
        let Some(((job, token), held)) = self.some_good_lease() else { return };
        let is_held = held.map(|held| held.due = until).is_some();
        let beat = Heartbeat { job, token, items: Vec::new() };
        assert_eq!(self.fixture.ledger.renew(&beat, until).await.expect("renew"), is_held);
    }

    async fn report(&mut self) {
        let (now, not_before) = (self.now, self.now + Duration::from_secs(7));
        let position = u16::try_from(self.dice.below(3)).expect("a position");
        let (is_last, is_final) = (self.dice.coin(), self.dice.coin());
        let Some(((job, token), held)) = self.some_good_lease() else { return };
        let mut expected = (true, 0, false);
        if let Some(held) = held {
            let before = held.unsettled.len();
            held.unsettled.retain(|at| !is_final || *at != position);
            let settled = (before - held.unsettled.len()) as u64;
            expected = (false, settled, held.is_final());
            if is_last {
                (held.due, held.token) = (not_before, None);
            }
        }
        let report = item(position, Outcome::Filled);
        let items = vec![ItemDecision { report, is_final }];
        let report = ReportWrite { job, token, items, is_last, not_before, now };
        let applied = self.fixture.ledger.report(report).await.expect("report");
        assert_eq!((applied.is_stale, applied.settled, applied.job_is_final), expected);
    }

    async fn defer(&mut self) {
        let due = self.now + Duration::from_secs(11);
        let Some(((id, token), held)) = self.some_lease() else { return };
        if let Some(held) = held {
            (held.due, held.token) = (due, None);
            held.attempt -= 1;
        }
        self.fixture.ledger.defer(vec![(id, token, due)]).await.expect("defer");
    }

    async fn hasten(&mut self) {
        let ids: Vec<_> = self.jobs.keys().copied().filter(|_| self.dice.coin()).collect();
        for id in &ids {
            let job = self.jobs.get_mut(id).expect("a job of the model");
            if !job.is_final() && job.token.is_none() {
                job.due = job.due.min(self.now);
            }
        }
        self.fixture.ledger.hasten(ids, self.now).await.expect("hasten");
    }

    async fn release(&mut self) {
        let mut released = 0;
        for job in self.jobs.values_mut().filter(|job| !job.is_final() && job.token.is_some()) {
            (job.due, job.token) = (self.now, None);
            released += 1;
        }
        let done = self.fixture.ledger.release("edge", self.now).await.expect("release");
        assert_eq!(done, released);
    }

    async fn step(&mut self) {
        match self.dice.below(13) {
            0..3 => self.lease().await,
            3..6 => self.report().await,
            6 => self.renew().await,
            7 => self.defer().await,
            8 => self.hasten().await,
            10 => self.control().await,
            11 | 12 => self.turn().await,
            _ => match self.dice.below(4) {
                0 => self.release().await,
                _ => self.now = self.now + Duration::from_secs(self.dice.below(25)),
            },
        }
        let due = self.queue().map(|(_, job)| job.due).min();
        assert_eq!(self.fixture.ledger.next_due("edge").await.expect("next due"), due);
    }
}

pub async fn leases_match_a_plain_model(ledger: Arc<dyn Ledger>) {
    let fixture = Fixture::new(ledger).await;
    for task in 0..TASKS {
        fixture.submit(&task.to_string(), &urls("a.example", 3), &["edge", "other"]).await;
    }
    // the first leases tell the names of the jobs, and are given back at once
    let first = fixture.lease("edge", 99, T0).await;
    let jobs = first.iter().map(|job| {
        let unsettled = job.items.iter().map(|item| item.position).collect();
        let task = job.task.0.parse().expect("a number");
        (job.id, Job { task, is_away: false, due: T0, token: None, attempt: 0, unsettled })
    });
    let jobs: BTreeMap<_, _> = jobs.collect();
    assert_eq!(jobs.len(), TASKS);
    let back = first.iter().map(|job| (job.id, job.token, T0)).collect();
    fixture.ledger.defer(back).await.expect("defer");
    let given = first.iter().map(|job| (job.id, job.token)).collect();
    let tasks = vec![Steered::default(); TASKS];
    let mut model = Leases { fixture, dice: Dice(SEED), now: T0, tasks, jobs, given };
    for _ in 0..STEPS {
        model.step().await;
    }
    model.turn().await;
    let is_canceled = |task: usize| matches!(model.tasks[task].state, TaskState::Canceled(_));
    let going = model.jobs.values().filter(|job| !is_canceled(job.task));
    let settled: usize = going.map(|job| 3 - job.unsettled.len()).sum();
    assert!(settled > 9, "seed {SEED}: the case is hardly a case, {settled} settled");
    let canceled = (0..TASKS).filter(|task| is_canceled(*task)).count();
    assert!((1..TASKS - 3).contains(&canceled), "seed {SEED}: {canceled} canceled");
    let targets = async |id: usize| model.fixture.targets(&id.to_string()).await;
    let mut counted = 0;
    for task in 0..TASKS {
        let rows = targets(task).await;
        if is_canceled(task) {
            assert!(rows.iter().all(|row| row.outcome == Some(Outcome::Canceled)), "{rows:?}");
            continue;
        }
        assert!(rows.iter().all(|row| row.progress == Progress::Processing), "the other node");
        counted += rows.iter().map(|row| row.settled_nodes as usize).sum::<usize>();
    }
    assert_eq!(counted, settled);
}

/// Orders of one purge as they must be: by phase the nodes that have not confirmed.
type Phases = Vec<Vec<String>>;

pub async fn purges_match_a_plain_model(ledger: Arc<dyn Ledger>) {
    const NODES: [&str; 4] = ["m1", "m2", "e1", "e2"];
    let fixture = Fixture::new(ledger).await;
    let mut dice = Dice(SEED);
    let mut open: BTreeMap<String, Phases> = BTreeMap::new();
    for number in 0..60u64 {
        if dice.coin() {
            let id = format!("p{number}");
            let phases = phases(&mut dice, &NODES);
            let new = fixture.purge(&id, &[format!("http://a.example/{id}")], phases.clone());
            fixture.ledger.submit_purge(new).await.expect("submit");
            open.insert(id, phases);
        }
        let node = dice.pick(NODES);
        let orders = fixture.ledger.purge_orders(node, 99).await.expect("orders");
        let handed_out: Vec<_> = open
            .iter()
            .filter(|(_, phases)| phases.first().is_some_and(|now| now.iter().any(|at| at == node)))
            .map(|(id, _)| format!("http://a.example/{id}"))
            .collect();
        let mut named: Vec<_> = orders.iter().map(|order| order.targets[0].clone()).collect();
        named.sort();
        let mut expected = handed_out;
        expected.sort();
        assert_eq!(named, expected, "{node}");
        assert!(orders.is_sorted_by_key(|order| order.number), "by number");
        let Some(order) = orders.first() else { continue };
        let id = order.targets[0].rsplit('/').next().expect("the name of the purge").to_owned();
        let now = T0 + Duration::from_secs(number);
        let purged = fixture.ledger.purged(node, order.number, now).await.expect("confirm");
        let phases = open.get_mut(&id).expect("a purge of the model");
        phases[0].retain(|at| at != node);
        let mut released = Vec::new();
        if phases[0].is_empty() {
            phases.remove(0);
            released = phases.first().cloned().unwrap_or_default();
        }
        let is_done = phases.is_empty();
        assert_eq!((purged.is_new, purged.released), (true, released));
        assert_eq!(purged.finished, is_done.then(|| TaskId(id.clone())));
        if is_done {
            open.remove(&id);
        }
        let again = fixture.ledger.purged(node, order.number, now).await.expect("confirm");
        assert_eq!((again.is_new, again.finished), (false, None));
    }
}

/// One to three phases, each of some nodes.
fn phases(dice: &mut Dice, nodes: &[&str; 4]) -> Phases {
    let mut phases = Vec::new();
    for _ in 0..=dice.below(3) {
        let mut phase: Vec<String> = Vec::new();
        phase.extend(nodes.iter().filter(|_| dice.coin()).map(|node| (*node).to_owned()));
        if phase.is_empty() {
            phase.push(dice.pick(*nodes).to_owned());
        }
        phases.push(phase);
    }
    phases
}
