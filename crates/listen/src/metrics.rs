//! Every metric of listeners (`docs/reference/metrics.md` lists them).
//!
//! Labels come from closed sets: names that the executable gives, states and reasons. Never an
//! address or a host.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::{Closed, Listener, Refusal, Stats};

/// Listeners by their names in metrics. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics(
    // a std mutex, held for a copy of a short list and never across an await
    Arc<Mutex<Vec<(String, Listener)>>>,
);

impl Metrics {
    /// Adds a listener.
    pub fn add(&self, name: impl Into<String>, listener: Listener) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name.into(), listener));
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stats: Vec<_> =
            listeners.iter().map(|(name, listener)| (name.as_str(), listener.stats())).collect();
        let (name, help) = ("stoker_listen_connections", "Open connections.");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (listener, stats) in &stats {
            for (state, count) in stats.open.by_state() {
                let labels = [("listener", *listener), ("state", state)];
                ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        let (name, help) = ("stoker_listen_connections_limit", "Most connections at once.");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (name, listener) in &listeners {
            let labels = [("listener", name.as_str())];
            let limit = ConstGauge::new(listener.bounds().connections);
            limit.encode(family.encode_family(&labels)?)?;
        }
        let (name, help) = ("stoker_listen_accepted", "Connections accepted.");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (listener, stats) in &stats {
            let labels = [("listener", *listener)];
            ConstCounter::new(stats.accepted).encode(family.encode_family(&labels)?)?;
        }
        let closed = ("stoker_listen_closed", "Connections closed by the listener.");
        by_reason(&mut encoder, closed, &stats, |stats| {
            Closed::ALL.map(|why| (why.label(), stats.closed(why)))
        })?;
        let refused = ("stoker_listen_refused", "Requests refused because they violate RFC 9112.");
        by_reason(&mut encoder, refused, &stats, |stats| {
            Refusal::ALL.map(|why| (why.label(), stats.refused(why)))
        })
    }
}

fn by_reason<const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    stats: &[(&str, Stats)],
    counts: impl Fn(&Stats) -> [(&'static str, u64); N],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (listener, stats) in stats {
        for (reason, count) in counts(stats) {
            let labels = [("listener", *listener), ("reason", reason)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::prometheus_text::encode, registry::Registry};
    use stoker_testkit::{documented_metrics, exposed_metrics};

    use super::*;
    use crate::Bounds;

    #[test]
    fn the_reference_lists_these_metrics_and_no_others() {
        let reference = include_str!("../../../docs/reference/metrics.md");
        let metrics = Metrics::default();
        metrics.add("api", Listener::new(Bounds::api()));
        let mut registry = Registry::default();
        registry.register_collector(Box::new(metrics));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert_eq!(exposed_metrics(&text, ""), documented_metrics(reference, "stoker_listen_"));
        for line in [
            "stoker_listen_connections{listener=\"api\",state=\"idle\"} 0",
            "stoker_listen_connections_limit{listener=\"api\"} 1024",
            "stoker_listen_accepted_total{listener=\"api\"} 0",
            "stoker_listen_closed_total{listener=\"api\",reason=\"stuck\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        let labels =
            Closed::ALL.map(Closed::label).into_iter().chain(Refusal::ALL.map(Refusal::label));
        for label in labels {
            assert!(reference.contains(&format!("`{label}`")), "{label}");
        }
    }
}
