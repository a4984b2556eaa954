//! Pace: divides what an origin may be asked among the nodes that ask it.
//!
//! Limits come from the running tasks, as the ledger knows them, and from the domains themselves.
//! Nodes report their demand and get grants of about a second; at no moment do the grants of one
//! domain add up to more than its limit. Grants are in memory: after a start nodes ask again, and
//! nothing is granted before the grants of the engine before this one have ended, unless no node can
//! hold any of them. How a limit is divided among demands is `stoker_domain::pace`'s; holding
//! transfers to it is the nodes'.
//!
//! Grants are timed by the monotonic clock and not by `Clock`, which is the wall clock: one that is
//! set back would let two nodes read at the full rate at once.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use stoker_domain::{
    area::{Area, Tier},
    directory::Directory,
    pace::{Demand, Grant, GroupDemand, LEASE, Limits, share},
    task::{Task, TaskId},
};
use stoker_ledger::{Error as LedgerError, NewTask, Submitted};
use tokio::time::Instant;

use crate::Engine;

/// How long a node that fell silent is taken to read at the share that it falls back to.
const SILENCE: Duration = Duration::from_secs(30);

/// The limits of the tasks that run, and the leases of the nodes.
#[derive(Debug)]
// a std mutex, held for sums over the nodes and never across an await
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Until when a node may hold what the engine before this one granted; absent = none does.
    previous: Option<Instant>,
    tasks: HashMap<TaskId, (u32, BTreeSet<String>)>,
    /// By host and node.
    leases: HashMap<String, HashMap<String, Lease>>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    area: Area,
    /// Zero for a node that has not registered with this engine.
    wanted: u64,
    rate: u64,
    /// What the node falls back to.
    floor: u64,
    until: Instant,
}

impl Lease {
    /// What the node may be reading at `now`.
    fn held(&self, now: Instant) -> u64 {
        if now < self.until {
            self.rate
        } else if now < self.until + SILENCE {
            // the node holds itself to its floor once its grant has ended, for it may be cut off from
            // the engine and still be reading
            self.floor
        } else {
            0
        }
    }
}

impl Pace {
    /// Takes up the limits of the tasks that the ledger holds. Where the `nodes_begin_anew` with the
    /// engine, nothing is left of what was granted before.
    pub(crate) fn new(tasks: Vec<(Task, Vec<String>)>, nodes_begin_anew: bool) -> Self {
        // the grants of the engine before this one last no longer than `LEASE` from now, whenever
        // they were made
        let previous = (!nodes_begin_anew).then(|| Instant::now() + LEASE);
        let (tasks_by_id, leases) = (HashMap::new(), HashMap::new());
        let pace = Self(Mutex::new(State { previous, tasks: tasks_by_id, leases }));
        for (task, hosts) in tasks {
            pace.add(&task, hosts);
        }
        pace
    }

    /// `task` runs, or is about to, and has targets on `hosts`.
    pub(crate) fn add(&self, task: &Task, hosts: impl IntoIterator<Item = String>) {
        let Some(limit) = task.options.limit_mbps else { return };
        let mut state = self.state();
        // children may add hosts to a task that runs; its limit never changes
        let (_, known) = state.tasks.entry(task.id.clone()).or_insert((limit, BTreeSet::new()));
        known.extend(hosts);
    }

    /// `task` has finished.
    pub(crate) fn remove(&self, task: &TaskId) -> bool {
        self.state().tasks.remove(task).is_some()
    }

    /// By host, the lowest limit of the tasks that run, in megabits per second.
    pub(crate) fn task_limits(&self) -> HashMap<String, u32> {
        let mut limits: HashMap<String, u32> = HashMap::new();
        for (limit, hosts) in self.state().tasks.values() {
            for host in hosts {
                let lowest = limits.entry(host.clone()).or_insert(*limit);
                *lowest = (*lowest).min(*limit);
            }
        }
        limits
    }

    /// `node` registered. If it has started again, it holds no grant; otherwise only the share that was
    /// set aside for it before it registered is dropped.
    pub(crate) fn node_registered(&self, node: &str, has_restarted: bool) {
        for leases in self.state().leases.values_mut() {
            leases.retain(|name, lease| name != node || !(has_restarted || lease.wanted == 0));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What `node` may read of `demand.host` from now on.
    fn grant(&mut self, node: &str, demand: &Demand, limits: Limits, mut lease: Lease) -> u64 {
        let now = Instant::now();
        let leases = self.leases.entry(demand.host.clone()).or_default();
        // as long as `held` counts them: dropped earlier, another node would get what this one may
        // be reading
        leases.retain(|_, lease| now < lease.until + SILENCE);
        // the node's own former grant is no other's: it is replaced as a whole
        leases.remove(node);
        let mut demands = vec![group_demand(&lease)];
        // a node whose grant has ended wants nothing that is known; what it may still read is in
        // `held`
        demands.extend(leases.values().filter(|other| now < other.until).map(group_demand));
        let groups = Area::ALL.map(|area| limits.of(area).unwrap_or(u64::MAX));
        let shares = share(limits.total.unwrap_or(u64::MAX), &groups, &demands);
        // The division above is the goal. A grant that is out cannot be taken back, so that a node
        // gets its share as the larger grants of others end.
        let left = |limit: Option<u64>, area: Option<Area>| {
            let others = leases.values().filter(|other| area.is_none_or(|a| other.area == a));
            let held = others.map(|other| other.held(now)).fold(0, u64::saturating_add);
            limit.map_or(u64::MAX, |limit| limit.saturating_sub(held))
        };
        let own = left(limits.of(lease.area), Some(lease.area));
        // `shares[0]` is this node's: its demand was put first
        lease.rate = shares[0].min(left(limits.total, None)).min(own);
        leases.insert(node.into(), lease);
        lease.rate
    }
}

fn group_demand(lease: &Lease) -> GroupDemand {
    let group = Area::ALL.iter().position(|area| *area == lease.area).unwrap_or(0);
    GroupDemand { group, wanted: lease.wanted }
}

impl Engine {
    /// How fast `node` may read each origin that it wants to read. No answer for one whose limit may
    /// be used up by grants of the engine before this one.
    pub fn pace(&self, node: &str, demands: &[Demand]) -> Vec<Grant> {
        let directory = self.directory.published();
        let Some(known) = directory.fleet().node(node) else {
            return Vec::new();
        };
        let area = known.area;
        let now = Instant::now();
        let mut state = self.pace.state();
        let mut grants = Vec::with_capacity(demands.len());
        for demand in demands {
            let limits = directory.limits(&demand.host);
            if demand.wanted == 0 || limits.is_free(area) {
                state.leases.get_mut(&demand.host).and_then(|leases| leases.remove(node));
            }
            if demand.wanted == 0 {
                continue;
            }
            let mut bytes_per_second = None;
            if !limits.is_free(area) {
                self.count_unregistered(&mut state, &directory, &demand.host);
                let floor = directory.floor(&demand.host, area).unwrap_or(0);
                let (wanted, until) = (demand.wanted, now + LEASE);
                let lease = Lease { area, wanted, rate: floor, floor, until };
                if state.previous.is_some_and(|until| now < until) {
                    // counted, so that it gets no more than the floor that it reads at anyway
                    let leases = state.leases.entry(demand.host.clone()).or_default();
                    leases.insert(node.into(), lease);
                    continue;
                }
                let granted = state.grant(node, demand, limits, lease);
                self.counters.paced(demand.wanted, granted);
                bytes_per_second = Some(granted);
            }
            let lease_ms = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
            grants.push(Grant { host: demand.host.clone(), bytes_per_second, lease_ms });
        }
        state.leases.retain(|_, leases| !leases.is_empty());
        grants
    }

    /// Sets the floor aside for each middle node that has not registered since the start: it may be
    /// reading all the same.
    fn count_unregistered(&self, state: &mut State, directory: &Directory, host: &str) {
        let Some(until) = state.previous.filter(|until| Instant::now() < *until + SILENCE) else {
            return;
        };
        let leases = state.leases.entry(host.into()).or_default();
        let middles = directory.fleet().nodes().iter().filter(|node| node.tier == Tier::Middle);
        for node in middles.filter(|node| !self.nodes.has_registered(&node.name)) {
            let floor = directory.floor(host, node.area).unwrap_or(0);
            let lease = Lease { area: node.area, wanted: 0, rate: floor, floor, until };
            leases.entry(node.name.clone()).or_insert(lease);
        }
    }

    /// Submits all of `new` or none; limits count before the first of their jobs can be leased.
    pub(crate) async fn submit_at_pace(
        &self,
        mut new: Vec<NewTask>,
    ) -> Result<Vec<Submitted>, LedgerError> {
        for new in &mut new {
            self.identities.seal_fields(&mut new.task);
        }
        let is_limited = |new: &&NewTask| new.task.options.limit_mbps.is_some();
        let limited: Vec<_> = new.iter().filter(is_limited).collect();
        if limited.is_empty() {
            return self.ledger.submit_all(new).await;
        }
        for new in &limited {
            self.pace.add(&new.task, new.targets.iter().map(|target| target.host.clone()));
        }
        let ids: Vec<_> = limited.iter().map(|new| new.task.id.clone()).collect();
        self.publish_limits();
        let submitted = self.ledger.submit_all(new).await;
        // after an error they may have been accepted all the same: then the limits must stay
        if submitted.is_err()
            && let Ok(tasks) = self.ledger.limited_tasks().await
        {
            for id in ids.iter().filter(|id| tasks.iter().all(|(task, _)| task.id != **id)) {
                self.end_limit(id);
            }
        }
        submitted
    }

    /// The task has finished: its limit ends.
    pub(crate) fn end_limit(&self, task: &TaskId) {
        if self.pace.remove(task) {
            self.publish_limits();
        }
    }

    /// Publishes the limits of the tasks that run.
    pub(crate) fn publish_limits(&self) {
        self.directory.put_task_limits(self.pace.task_limits());
    }
}
