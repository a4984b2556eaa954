//! Metrics by name and type: those of a reference, and those of an exposition.

use std::collections::BTreeSet;

/// Name and type of each metric that a table of a reference lists: `| `name` | type | …`.
pub fn documented_metrics(reference: &str, prefix: &str) -> BTreeSet<(String, String)> {
    let cells = reference.lines().filter_map(|row| row.strip_prefix("| `")?.split_once("` | "));
    let metrics = cells
        .filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once(" |")?.0.to_owned())));
    metrics.filter(|(name, _)| name.starts_with(prefix)).collect()
}

/// Name and type of each metric of a text exposition.
pub fn exposed_metrics(text: &str, prefix: &str) -> BTreeSet<(String, String)> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let metrics = types.map(|(name, kind)| (name.to_owned(), kind.to_owned()));
    metrics.filter(|(name, _)| name.starts_with(prefix)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_and_a_type_line_of_one_metric_agree() {
        let metric = BTreeSet::from([("a_total".to_owned(), "counter".to_owned())]);
        let table = "| metric | type |\n|---|---|\n| `a_total` | counter | `x` | counts |\n| `b` | gauge | |";
        assert_eq!(documented_metrics(table, "a_"), metric);
        let text = "# HELP a_total Counts.\n# TYPE a_total counter\na_total 1\n# TYPE b gauge\n";
        assert_eq!(exposed_metrics(text, "a_"), metric);
    }
}
