//! Every metric of nodes (`docs/reference/metrics.md` lists them). Those of their connections with
//! viewers are in `stoker_listen`.
//!
//! Labels come from closed sets: names of nodes and budgets. Never a host or a URL.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::{BudgetStats, Counters, Stats};

/// What is exposed of `Of`: the kind, the name, what it says, and where it is.
type Row<Of> = (MetricType, &'static str, &'static str, fn(&Of) -> u64);

const COUNTER: MetricType = MetricType::Counter;
const GAUGE: MetricType = MetricType::Gauge;

/// The nodes of this process by name, as metrics tell of them.
#[derive(Clone, Debug)]
pub struct Metrics(Vec<(String, Counters)>);

impl Metrics {
    /// Of these nodes.
    pub fn new(nodes: impl IntoIterator<Item = (String, Counters)>) -> Self {
        Self(nodes.into_iter().collect())
    }
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let nodes: Vec<_> =
            self.0.iter().map(|(name, counters)| (name.as_str(), counters.stats())).collect();
        encode(encoder, &nodes)
    }
}

fn encode(mut encoder: DescriptorEncoder<'_>, nodes: &[(&str, Stats)]) -> fmt::Result {
    for (kind, name, help, value) in NODE {
        let mut family = encoder.encode_descriptor(name, help, None, *kind)?;
        for (node, stats) in nodes {
            let labels = [("node", *node)];
            sample(*kind, value(stats), family.encode_family(&labels)?)?;
        }
    }
    for (kind, name, help, value) in BUDGET {
        let mut family = encoder.encode_descriptor(name, help, None, *kind)?;
        for (node, Stats { memory, .. }) in nodes {
            for (budget, stats) in [
                ("slices", &memory.slices),
                ("passing", &memory.passing),
                ("windows", &memory.windows),
            ] {
                let labels = [("node", *node), ("budget", budget)];
                sample(*kind, value(stats), family.encode_family(&labels)?)?;
            }
        }
    }
    Ok(())
}

fn sample(kind: MetricType, value: u64, encoder: MetricEncoder<'_>) -> fmt::Result {
    match kind {
        MetricType::Counter => ConstCounter::new(value).encode(encoder),
        _ => ConstGauge::new(value).encode(encoder),
    }
}

/// Rows of a table: kind, name, where the value is, and what it says.
macro_rules! rows {
    ($($kind:ident $name:ident $($field:ident).+: $help:literal,)*) => {
        &[$(($kind, stringify!($name), $help, |stats| stats.$($field).+ as u64)),*]
    };
}

const NODE: &[Row<Stats>] = rows! {
    COUNTER stoker_node_requests answered.requests: "Requests answered.",
    COUNTER stoker_node_hits answered.hits: "Of these, from the cache alone.",
    COUNTER stoker_node_faults answered.faults: "Of these, nothing could be fetched.",
    COUNTER stoker_node_loops answered.loops: "Of these, refused because they came back in a loop.",
    GAUGE stoker_node_fills fills: "Fills that run.",
    GAUGE stoker_node_fill_readers readers: "Requests that read fills.",
    GAUGE stoker_node_remembered_failures remembered.failures: "Failures that are remembered.",
    GAUGE stoker_node_unshared_keys remembered.unshared: "Keys whose responses are not shared between requests.",
    GAUGE stoker_node_origins_resting remembered.resting: "Origins that prefetches leave alone now.",
    GAUGE stoker_node_origins_with_known_ranges remembered.ranges: "Origins whose support of range requests is known.",
    GAUGE stoker_node_store_entries store.entries: "Responses in the index.",
    GAUGE stoker_node_store_purge_rules store.purge_rules: "Purge rules in force.",
    COUNTER stoker_node_store_purge_rules_merged store.merged_rules: "Purge rules merged into broader ones.",
    GAUGE stoker_node_store_bytes store.disk_bytes: "Bytes of the cache on disk.",
    COUNTER stoker_node_store_failures store.failures: "Writes that the disk refused.",
    COUNTER stoker_node_store_evicted store.evicted: "Records evicted.",
    GAUGE stoker_node_store_open_files store.open_files: "Files of the cache that are open.",
    GAUGE stoker_node_origin_requests contacts.in_flight.requests: "Requests to origins and parents in flight.",
    GAUGE stoker_node_origin_prefetches contacts.in_flight.prefetches: "Of these, prefetches.",
    GAUGE stoker_node_origin_viewers_waiting contacts.in_flight.viewers_waiting: "Misses that wait for a free request slot.",
    GAUGE stoker_node_origin_prefetches_waiting contacts.in_flight.prefetches_waiting: "Prefetches that wait for a free request slot.",
    COUNTER stoker_node_origin_refused contacts.in_flight.refused: "Misses refused because too many waited, or for too long.",
    GAUGE stoker_node_origin_connections contacts.connections.open: "Connections to origins and parents.",
    GAUGE stoker_node_origin_connections_idle contacts.connections.idle: "Of these, idle.",
    COUNTER stoker_node_origin_dirty contacts.connections.dirty: "Connections closed because of unexpected bytes.",
};

/// Of each budget of memory of a node.
const BUDGET: &[Row<BudgetStats>] = rows! {
    GAUGE stoker_node_memory_limit_bytes limit: "Bytes of a budget.",
    GAUGE stoker_node_memory_used_bytes used: "Bytes of it in use.",
    GAUGE stoker_node_memory_peak_bytes most: "Most bytes of it in use at once.",
    GAUGE stoker_node_memory_waiting waiting: "Fills and requests that wait for it.",
    COUNTER stoker_node_memory_refused refused: "Requests refused because they waited too long.",
};

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::prometheus_text, registry::Registry};
    use stoker_testkit::{documented_metrics, exposed_metrics};

    use super::*;

    /// A node that has done nothing yet.
    #[derive(Debug)]
    struct Idle;

    impl Collector for Idle {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
            encode(encoder, &[("edge", Stats::default())])
        }
    }

    #[test]
    fn the_reference_lists_these_metrics_and_no_others() {
        let reference = include_str!("../../../docs/reference/metrics.md");
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Idle));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        assert_eq!(exposed_metrics(&text, ""), documented_metrics(reference, "stoker_node_"));
        assert!(text.contains("stoker_node_memory_used_bytes{node=\"edge\",budget=\"slices\"} 0"));
        assert!(text.contains("stoker_node_hits_total{node=\"edge\"} 0"), "{text}");
    }
}
