//! Every metric of the gateway, and the text form of all (`docs/reference/metrics.md` lists them).
//!
//! Labels come from closed sets: actions, and codes of answers. Never a host, a URL or a text.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use stoker_engine::Swept;

use crate::content::{Contents, Stats};

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 7] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

/// What the sweep did, as text exposition.
pub(crate) fn swept(swept: Swept) -> String {
    let mut text = String::new();
    for (name, help, value) in [
        ("jobs_ended", "Jobs ended because nobody would finish them.", swept.jobs),
        ("targets_timed_out", "Targets whose last node timed out.", swept.timeouts),
        ("tasks_removed", "Old tasks removed.", swept.tasks),
        ("targets_removed", "Targets removed with their tasks.", swept.targets),
        ("purges_removed", "Old purges removed.", swept.purges),
    ] {
        let name = format!("stoker_sweep_{name}_total");
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}")
            .expect("a String takes any text");
    }
    text
}

/// What content takes of memory, as text exposition.
pub(crate) fn contents(contents: &Contents) -> String {
    let mut text = String::new();
    let stats = contents.stats();
    let values = |stats: &Stats| [stats.most, stats.held, stats.peak, stats.waiting];
    let gauges = [
        ("content_limit_bytes", "Bytes that content may take."),
        ("content_held_bytes", "Bytes that content takes now."),
        ("content_peak_bytes", "Most bytes that content took at once."),
        ("content_waiting", "Calls that wait until content may be read."),
    ];
    for (place, (name, help)) in gauges.into_iter().enumerate() {
        family(&mut text, name, help, "gauge");
        for (caller, stats) in &stats {
            line(&mut text, name, &format!("caller=\"{caller}\""), &values(stats)[place]);
        }
    }
    let name = "content_refused_total";
    family(&mut text, name, "Calls refused because of what their content takes.", "counter");
    for (caller, stats) in &stats {
        for (reason, count) in [("budget", stats.refused_budget), ("share", stats.refused_share)] {
            let labels = format!("caller=\"{caller}\",reason=\"{reason}\"");
            line(&mut text, name, &labels, &count);
        }
    }
    let labels = "caller=\"unverified\",reason=\"signatures\"";
    line(&mut text, name, labels, &contents.refused_suspects());
    text
}

fn family(text: &mut String, name: &str, help: &str, kind: &str) {
    writeln!(text, "# HELP stoker_gateway_{name} {help}\n# TYPE stoker_gateway_{name} {kind}")
        .expect("a String takes any text");
}

/// Metrics of others in this process.
#[derive(Default)]
pub(crate) struct Further(OnceLock<Box<dyn Fn() -> String + Send + Sync>>);

impl Further {
    /// The first call counts.
    pub(crate) fn set(&self, tell: Box<dyn Fn() -> String + Send + Sync>) {
        let _ = self.0.set(tell);
    }

    /// The text exposition.
    pub(crate) fn render(&self) -> String {
        self.0.get().map(|tell| tell()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Further {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Further").finish_non_exhaustive()
    }
}

/// Counts of what was answered.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    // a std mutex, held for a few additions and never across an await
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    requests: BTreeMap<(&'static str, &'static str), u64>,
    seconds: BTreeMap<&'static str, Histogram>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Histogram {
    /// Observations in each bucket alone; what is over the last bound is only in `count`.
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

impl Metrics {
    /// Counts one answer.
    pub(crate) fn record(&self, action: &'static str, code: &'static str, duration: Duration) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.requests.entry((action, code)).or_default() += 1;
        let seconds = duration.as_secs_f64();
        let histogram = calls.seconds.entry(action).or_default();
        if let Some(bucket) = BUCKETS.iter().position(|bound| seconds <= *bound) {
            histogram.buckets[bucket] += 1;
        }
        histogram.count += 1;
        histogram.sum += seconds;
    }

    /// The text exposition.
    pub(crate) fn render(&self) -> String {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from(
            "# HELP stoker_gateway_requests_total Calls answered, by action and code.\n\
             # TYPE stoker_gateway_requests_total counter\n",
        );
        for ((action, code), count) in &calls.requests {
            line(
                &mut text,
                "requests_total",
                &format!("action=\"{action}\",code=\"{code}\""),
                count,
            );
        }
        text.push_str(
            "# HELP stoker_gateway_request_seconds Time from request to answer, by action.\n\
             # TYPE stoker_gateway_request_seconds histogram\n",
        );
        for (action, histogram) in &calls.seconds {
            let label = format!("action=\"{action}\"");
            let mut below = 0;
            for (bound, count) in BUCKETS.iter().zip(histogram.buckets) {
                below += count;
                line(
                    &mut text,
                    "request_seconds_bucket",
                    &format!("{label},le=\"{bound}\""),
                    &below,
                );
            }
            let count = histogram.count;
            line(&mut text, "request_seconds_bucket", &format!("{label},le=\"+Inf\""), &count);
            line(&mut text, "request_seconds_sum", &label, &histogram.sum);
            line(&mut text, "request_seconds_count", &label, &count);
        }
        text
    }
}

fn line(text: &mut String, name: &str, labels: &str, value: &dyn std::fmt::Display) {
    writeln!(text, "stoker_gateway_{name}{{{labels}}} {value}").expect("a String takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContentBounds;

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

    #[test]
    fn every_metric_stands_in_the_reference() {
        let reference = include_str!("../../../docs/reference/metrics.md");
        let text = Metrics::default().render()
            + &swept(Swept::default())
            + &contents(&Contents::new(&ContentBounds::default()));
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("# TYPE ") else { continue };
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(reference.contains(&format!("| `{name}` | {kind} |")), "{name}");
        }
    }
}
