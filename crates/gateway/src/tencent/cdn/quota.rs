//! What may still be used of a quota today, as both quota actions show it.

use serde_json::{Value, json};
use stoker_domain::quota::Usage;

/// One entry for each area.
pub(super) fn entries(usages: &[Usage]) -> Value {
    usages.iter().map(entry).collect()
}

fn entry(usage: &Usage) -> Value {
    json!({
        "Batch": usage.limits.batch,
        "Total": usage.limits.daily,
        "Available": usage.available(),
        "Area": usage.counter.area.as_str(),
    })
}
