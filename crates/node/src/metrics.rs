//! The metrics of nodes, as text exposition (`docs/reference/metrics.md` lists them).
//!
//! Labels come from closed sets: names of nodes, budgets, states and reasons. Never a host or a URL.

use std::fmt::{Display, Write};

use stoker_listen::Closed;

use crate::{BudgetStats, Stats};

/// One metric: what it is called, what it tells and of which kind it is.
type Family = (&'static str, &'static str, &'static str);

/// The metrics of `nodes`, each with its name.
pub fn exposition(nodes: &[(String, Stats)]) -> String {
    let mut text = Text(String::new());
    text.singles(nodes);
    text.budgets(nodes);
    text.connections(nodes);
    text.0
}

struct Text(String);

impl Text {
    fn family(&mut self, (name, help, kind): Family) {
        let text =
            format_args!("# HELP stoker_node_{name} {help}\n# TYPE stoker_node_{name} {kind}");
        writeln!(self.0, "{text}").expect("a String takes any text");
    }

    fn line(&mut self, name: &str, node: &str, label: &str, value: impl Display) {
        writeln!(self.0, "stoker_node_{name}{{node=\"{node}\"{label}}} {value}")
            .expect("a String takes any text");
    }

    fn singles(&mut self, nodes: &[(String, Stats)]) {
        type Of = fn(&Stats) -> u64;
        let singles: [(Family, Of); 25] = [
            (("requests_total", "Requests answered.", "counter"), |s| s.answered.requests),
            (("hits_total", "Of these, from the cache alone.", "counter"), |s| s.answered.hits),
            (("faults_total", "Of these, nothing could be fetched.", "counter"), |s| {
                s.answered.faults
            }),
            (("loops_total", "Of these, refused because they went round.", "counter"), |s| {
                s.answered.loops
            }),
            (("fills", "Fills that run.", "gauge"), |s| s.fills as u64),
            (("fill_readers", "Requests that read fills.", "gauge"), |s| s.readers as u64),
            (("remembered_failures", "Failures that are remembered.", "gauge"), |s| {
                s.remembered.failures as u64
            }),
            (("unshared_keys", "Keys whose answers no two requests share.", "gauge"), |s| {
                s.remembered.unshared as u64
            }),
            (("origins_resting", "Origins that prefetches do not ask.", "gauge"), |s| {
                s.remembered.resting as u64
            }),
            (("origins_with_known_ranges", "Origins tried for ranges.", "gauge"), |s| {
                s.remembered.ranges as u64
            }),
            (("store_entries", "Responses in the index.", "gauge"), |s| s.store.entries as u64),
            (("store_purge_rules", "Purge rules in force.", "gauge"), |s| {
                s.store.purge_rules as u64
            }),
            (
                ("store_purge_rules_merged_total", "Purge rules merged into others.", "counter"),
                |s| s.store.merged_rules,
            ),
            (("store_bytes", "Bytes of the cache on disk.", "gauge"), |s| s.store.disk_bytes),
            (("store_failures_total", "Writes that the disk refused.", "counter"), |s| {
                s.store.failures
            }),
            (("store_evicted_total", "Records evicted.", "counter"), |s| s.store.evicted),
            (("store_open_files", "Files of the cache that are open.", "gauge"), |s| {
                s.store.open_files as u64
            }),
            (("origin_requests", "Requests to origins and parents under way.", "gauge"), |s| {
                s.contacts.in_flight.requests as u64
            }),
            (("origin_prefetches", "Of these, prefetches.", "gauge"), |s| {
                s.contacts.in_flight.prefetches as u64
            }),
            (("origin_viewers_waiting", "Misses that wait for a turn.", "gauge"), |s| {
                s.contacts.in_flight.viewers_waiting as u64
            }),
            (("origin_prefetches_waiting", "Prefetches that wait for a turn.", "gauge"), |s| {
                s.contacts.in_flight.prefetches_waiting as u64
            }),
            (("origin_refused_total", "Misses that got no turn.", "counter"), |s| {
                s.contacts.in_flight.refused
            }),
            (("origin_connections", "Connections to origins and parents.", "gauge"), |s| {
                s.contacts.connections.open as u64
            }),
            (("origin_connections_idle", "Of these, idle.", "gauge"), |s| {
                s.contacts.connections.idle as u64
            }),
            (("origin_dirty_total", "Connections closed for unasked bytes.", "counter"), |s| {
                s.contacts.connections.dirty
            }),
        ];
        for (family, of) in singles {
            self.family(family);
            for (node, stats) in nodes {
                self.line(family.0, node, "", of(stats));
            }
        }
    }

    fn budgets(&mut self, nodes: &[(String, Stats)]) {
        type Of = fn(&BudgetStats) -> u64;
        let budgets: [(Family, Of); 5] = [
            (("memory_limit_bytes", "Bytes of a budget.", "gauge"), |budget| budget.limit),
            (("memory_used_bytes", "Bytes of it that are held.", "gauge"), |budget| budget.used),
            (("memory_peak_bytes", "Most bytes of it ever held.", "gauge"), |budget| budget.most),
            (("memory_waiting", "Those who wait for it.", "gauge"), |budget| budget.waiting as u64),
            (("memory_refused_total", "Those who waited too long.", "counter"), |budget| {
                budget.refused
            }),
        ];
        for (family, of) in budgets {
            self.family(family);
            for (node, stats) in nodes {
                let memory = &stats.memory;
                for (budget, stats) in [
                    ("slices", &memory.slices),
                    ("passing", &memory.passing),
                    ("windows", &memory.windows),
                ] {
                    self.line(family.0, node, &format!(",budget=\"{budget}\""), of(stats));
                }
            }
        }
    }

    fn connections(&mut self, nodes: &[(String, Stats)]) {
        self.family(("connections", "Connections by what goes on there.", "gauge"));
        for (node, stats) in nodes {
            for (state, count) in stats.connections.open.by_state() {
                self.line("connections", node, &format!(",state=\"{state}\""), count);
            }
        }
        let closed = "connections_closed_total";
        self.family((closed, "Connections that the node closed.", "counter"));
        for (node, stats) in nodes {
            for why in Closed::ALL {
                let label = format!(",reason=\"{}\"", why.label());
                self.line(closed, node, &label, stats.connections.closed(why));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_reference_lists_these_metrics_and_no_others() {
        let reference = include_str!("../../../docs/reference/metrics.md");
        let rows = reference.lines().filter_map(|line| line.strip_prefix("| `stoker_node_"));
        let documented: BTreeSet<_> = rows
            .filter_map(|row| {
                let (name, rest) = row.split_once("` | ")?;
                Some(format!("{name} {}", rest.split(' ').next()?))
            })
            .collect();
        let text = exposition(&[("edge".into(), Stats::default())]);
        let there: BTreeSet<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE stoker_node_"))
            .map(str::to_owned)
            .collect();
        assert_eq!(documented, there);
        assert!(text.contains("stoker_node_memory_used_bytes{node=\"edge\",budget=\"slices\"} 0"));
        assert!(text.contains("stoker_node_hits_total{node=\"edge\"} 0"), "{text}");
    }
}
