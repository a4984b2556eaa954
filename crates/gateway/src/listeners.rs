//! Metrics of the listeners of this process: API, status and nodes.
//!
//! Labels come from closed sets: names that the executable gives, states and reasons of
//! [`stoker_listen`].

use std::fmt::Write;

use stoker_listen::{Closed, Listener, Refusal, Stats};

/// A listener and its name in metrics.
pub(crate) type Named = (String, Listener);

/// What all of them have counted, as text exposition.
pub(crate) fn render(listeners: &[Named]) -> String {
    let stats: Vec<_> =
        listeners.iter().map(|(name, listener)| (name.as_str(), listener.stats())).collect();
    let mut text = String::new();
    family(&mut text, "connections", "gauge", "Open connections.");
    for (name, stats) in &stats {
        for (state, count) in stats.open.by_state() {
            line(&mut text, "connections", name, &[("state", state)], count);
        }
    }
    family(&mut text, "connections_limit", "gauge", "Connections at once.");
    for (name, listener) in listeners {
        let limit = listener.bounds().connections as u64;
        line(&mut text, "connections_limit", name, &[], limit);
    }
    family(&mut text, "accepted_total", "counter", "Connections accepted.");
    for (name, stats) in &stats {
        line(&mut text, "accepted_total", name, &[], stats.accepted);
    }
    family(&mut text, "closed_total", "counter", "Connections closed by the listener.");
    by_reason(&mut text, "closed_total", &stats, |stats| {
        Closed::ALL.map(|why| (why.label(), stats.closed(why))).to_vec()
    });
    family(&mut text, "refused_total", "counter", "Requests refused as none.");
    by_reason(&mut text, "refused_total", &stats, |stats| {
        Refusal::ALL.map(|why| (why.label(), stats.refused(why))).to_vec()
    });
    text
}

fn by_reason(
    text: &mut String,
    metric: &str,
    stats: &[(&str, Stats)],
    counts: impl Fn(&Stats) -> Vec<(&'static str, u64)>,
) {
    for (name, stats) in stats {
        for (reason, count) in counts(stats) {
            line(text, metric, name, &[("reason", reason)], count);
        }
    }
}

fn family(text: &mut String, metric: &str, kind: &str, help: &str) {
    let name = format!("stoker_listen_{metric}");
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a String takes any text");
}

fn line(text: &mut String, metric: &str, listener: &str, labels: &[(&str, &str)], value: u64) {
    let further: String =
        labels.iter().map(|(name, value)| format!(",{name}=\"{value}\"")).collect();
    writeln!(text, "stoker_listen_{metric}{{listener=\"{listener}\"{further}}} {value}")
        .expect("a String takes any text");
}

#[cfg(test)]
mod tests {
    use stoker_listen::Bounds;

    use super::*;

    #[test]
    fn every_metric_stands_in_the_reference() {
        let reference = include_str!("../../../docs/reference/metrics.md");
        let text = render(&[("api".into(), Listener::new(Bounds::api()))]);
        assert!(text.contains("stoker_listen_connections{listener=\"api\",state=\"idle\"} 0"));
        assert!(text.contains("stoker_listen_connections_limit{listener=\"api\"} 1024"));
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("# TYPE ") else { continue };
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(reference.contains(&format!("| `{name}` | {kind} |")), "{name}");
        }
        let labels =
            Closed::ALL.map(Closed::label).into_iter().chain(Refusal::ALL.map(Refusal::label));
        for label in labels {
            assert!(reference.contains(&format!("`{label}`")), "{label}");
        }
    }
}
