//! Every metric of the gateway, and the text form of all of this process
//! (`docs/reference/metrics.md` lists them).
//!
//! Labels come from closed sets: actions, and codes of answers. Never a host, a URL or a text.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, prometheus_text},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
        histogram::Histogram,
    },
    registry::Registry,
};

use crate::content::{Contents, Stats};

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 7] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Request {
    action: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Action {
    action: &'static str,
}

/// Counts of what was answered, and all else that is exposed.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: Family<Request, Counter>,
    seconds: Family<Action, Histogram, fn() -> Histogram>,
    // a std lock: written while the process starts, then read by each scrape, never across an await
    registry: RwLock<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::default();
        let seconds = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> _);
        let mut registry = Registry::default();
        registry.register(
            "stoker_gateway_requests",
            "Calls answered, by action and code",
            Family::clone(&requests),
        );
        registry.register(
            "stoker_gateway_request_seconds",
            "Time from request to answer, by action",
            Family::clone(&seconds),
        );
        Self { requests, seconds, registry: RwLock::new(registry) }
    }
}

impl Metrics {
    /// Adds metrics.
    pub(crate) fn add(&self, metrics: impl Collector) {
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(metrics));
    }

    /// Counts one answer.
    pub(crate) fn record(&self, action: &'static str, code: &'static str, duration: Duration) {
        self.requests.get_or_create(&Request { action, code }).inc();
        self.seconds.get_or_create(&Action { action }).observe(duration.as_secs_f64());
    }

    /// The text exposition.
    pub(crate) fn render(&self) -> String {
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).expect("a String takes any text");
        text
    }
}

/// What content takes of memory.
#[derive(Debug)]
pub(crate) struct ContentMetrics(pub(crate) Arc<Contents>);

impl Collector for ContentMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        type Of = fn(&Stats) -> usize;
        let stats = self.0.stats();
        let gauges: [(&str, &str, Of); 4] = [
            ("stoker_gateway_content_limit_bytes", "Memory that content may use.", |it| it.most),
            ("stoker_gateway_content_held_bytes", "Memory that content uses now.", |it| it.held),
            ("stoker_gateway_content_peak_bytes", "Most memory used at once.", |it| it.peak),
            (
                "stoker_gateway_content_waiting",
                "Calls that wait for memory for their content.",
                |it| it.waiting,
            ),
        ];
        for (name, help, value) in gauges {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (caller, stats) in &stats {
                let labels = [("caller", *caller)];
                ConstGauge::new(value(stats)).encode(family.encode_family(&labels)?)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "stoker_gateway_content_refused",
            "Calls refused because of the memory that their content needs.",
            None,
            MetricType::Counter,
        )?;
        let refused = stats.iter().flat_map(|(caller, stats)| {
            [(*caller, "budget", stats.refused_budget), (*caller, "share", stats.refused_share)]
        });
        let suspects = ("unverified", "signatures", self.0.refused_suspects());
        for (caller, reason, count) in refused.chain([suspects]) {
            let labels = [("caller", caller), ("reason", reason)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_action_and_code() {
        let metrics = Metrics::default();
        metrics.record("submit", "ok", Duration::from_millis(3));
        metrics.record("submit", "ok", Duration::from_secs(60));
        metrics.record("submit", "refused", Duration::ZERO);
        let text = metrics.render();
        for line in [
            "stoker_gateway_requests_total{action=\"submit\",code=\"ok\"} 2",
            "stoker_gateway_requests_total{action=\"submit\",code=\"refused\"} 1",
            "stoker_gateway_request_seconds_bucket{action=\"submit\",le=\"0.001\"} 1",
            "stoker_gateway_request_seconds_bucket{action=\"submit\",le=\"10\"} 2",
            "stoker_gateway_request_seconds_bucket{action=\"submit\",le=\"+Inf\"} 3",
            "stoker_gateway_request_seconds_count{action=\"submit\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
