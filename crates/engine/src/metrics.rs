//! Every metric of the engine (`docs/reference/metrics.md` lists them).
//!
//! Labels come from closed sets: products, outcomes without their reasons, results. Never a task, a
//! host or a node. Each value is there from the start with 0, so that its first change is seen.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
    },
};
use stoker_domain::{outcome::Outcome, quota::Product};

use crate::Engine;

/// The one label of a counter, and its value.
type Label = [(&'static str, &'static str); 1];

/// What is counted as it happens.
#[derive(Debug)]
pub(crate) struct Counters {
    tasks_accepted: Family<Label, Counter>,
    targets_accepted: Family<Label, Counter>,
    tasks_finished: Family<Label, Counter>,
    targets_finished: Family<Label, Counter>,
    outcomes: Family<Label, Counter>,
    leases_granted: Counter,
    leases_renewed: Counter,
    leases_expired: Counter,
    pace_grants: Family<Label, Counter>,
    /// Jobs that nobody works on, as the ledger counted them last.
    jobs_waiting: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        let products = || counters("product", Product::ALL.map(Product::as_str));
        let results = || counters("result", ["done", "failed"]);
        Self {
            tasks_accepted: products(),
            targets_accepted: products(),
            tasks_finished: results(),
            targets_finished: results(),
            outcomes: counters("outcome", Outcome::all().into_iter().map(Outcome::kind)),
            leases_granted: Counter::default(),
            leases_renewed: Counter::default(),
            leases_expired: Counter::default(),
            pace_grants: counters("size", ["whole", "part", "none"]),
            jobs_waiting: AtomicU64::new(0),
        }
    }
}

/// A counter for each value of one label.
fn counters(
    name: &'static str,
    values: impl IntoIterator<Item = &'static str>,
) -> Family<Label, Counter> {
    let family = Family::default();
    for value in values {
        drop(family.get_or_create(&[(name, value)]));
    }
    family
}

impl Counters {
    /// A task, or a purge, with so many targets was accepted.
    pub(crate) fn accepted(&self, product: Product, targets: u64) {
        let label = [("product", product.as_str())];
        self.tasks_accepted.get_or_create(&label).inc();
        self.targets_accepted.get_or_create(&label).inc_by(targets);
    }

    /// The last target of a task is final.
    pub(crate) fn task_finished(&self, has_failures: bool) {
        let result = if has_failures { "failed" } else { "done" };
        self.tasks_finished.get_or_create(&[("result", result)]).inc();
    }

    /// So many targets became final, and so many of them failed.
    pub(crate) fn targets_finished(&self, finished: u64, failed: u64) {
        for (result, count) in [("done", finished - failed), ("failed", failed)] {
            self.targets_finished.get_or_create(&[("result", result)]).inc_by(count);
        }
    }

    /// A target became final on one node.
    pub(crate) fn settled(&self, outcome: Outcome) {
        self.settled_by(outcome, 1);
    }

    /// So many targets became final on one node each.
    pub(crate) fn settled_by(&self, outcome: Outcome, count: u64) {
        self.outcomes.get_or_create(&[("outcome", outcome.kind())]).inc_by(count);
    }

    pub(crate) fn leased(&self, jobs: usize, expired: usize) {
        self.leases_granted.inc_by(jobs as u64);
        self.leases_expired.inc_by(expired as u64);
    }

    pub(crate) fn renewed(&self) {
        self.leases_renewed.inc();
    }

    /// A node that wanted to read so fast may read so fast.
    pub(crate) fn paced(&self, wanted: u64, granted: u64) {
        let size = match granted {
            0 => "none",
            granted if granted < wanted => "part",
            _ => "whole",
        };
        self.pace_grants.get_or_create(&[("size", size)]).inc();
    }

    pub(crate) fn set_jobs_waiting(&self, jobs: u64) {
        self.jobs_waiting.store(jobs, Relaxed);
    }
}

/// The metrics of an engine.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Engine>);

impl Metrics {
    /// Of this engine.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self(engine)
    }

    fn encode_counters(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let of = &self.0.counters;
        let counters: [(&str, &str, &dyn EncodeMetric); 9] = [
            ("tasks_accepted", "Tasks and purges accepted, by product.", &of.tasks_accepted),
            ("targets_accepted", "Targets of these, each once.", &of.targets_accepted),
            (
                "tasks_finished",
                "Prefetch tasks finished, by whether a target failed.",
                &of.tasks_finished,
            ),
            (
                "targets_finished",
                "Targets of prefetches finished on all their nodes, by result.",
                &of.targets_finished,
            ),
            ("outcomes", "Targets finished on one node, by outcome.", &of.outcomes),
            ("leases_granted", "Jobs handed out.", &of.leases_granted),
            ("leases_renewed", "Leases renewed in the ledger.", &of.leases_renewed),
            ("leases_expired", "Leases that ended without a report.", &of.leases_expired),
            ("pace_grants", "Grants of a limited origin, by size.", &of.pace_grants),
        ];
        for (name, help, counter) in counters {
            let name = format!("stoker_engine_{name}");
            counter.encode(encoder.encode_descriptor(&name, help, None, MetricType::Counter)?)?;
        }
        Ok(())
    }

    fn encode_gauges(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (name, help) = ("stoker_engine_nodes", "Nodes, by whether they are heard of.");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        let nodes = self.0.nodes();
        for (state, is_alive) in [("alive", true), ("silent", false)] {
            let count = nodes.iter().filter(|node| node.is_alive == is_alive).count();
            ConstGauge::new(count).encode(family.encode_family(&[("state", state)])?)?;
        }
        let leased = self.0.leases.count() as u64;
        let waiting = self.0.counters.jobs_waiting.load(Relaxed);
        let name = "stoker_engine_jobs";
        let help = "Jobs that are not final, by whether a node works on them.";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (state, count) in [("leased", leased), ("waiting", waiting)] {
            ConstGauge::new(count).encode(family.encode_family(&[("state", state)])?)?;
        }
        Ok(())
    }

    fn encode_sweep(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let swept = self.0.swept();
        for (name, help, count) in [
            (
                "stoker_sweep_jobs_ended",
                "Jobs ended because no node would finish them.",
                swept.jobs,
            ),
            (
                "stoker_sweep_targets_timed_out",
                "Targets whose last node timed out.",
                swept.timeouts,
            ),
            ("stoker_sweep_tasks_removed", "Old tasks removed.", swept.tasks),
            ("stoker_sweep_targets_removed", "Targets removed with their tasks.", swept.targets),
            ("stoker_sweep_purges_removed", "Old purges removed.", swept.purges),
        ] {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count).encode(encoder)?;
        }
        Ok(())
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_counters(&mut encoder)?;
        self.encode_gauges(&mut encoder)?;
        self.encode_sweep(&mut encoder)
    }
}
