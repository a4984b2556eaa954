//! Reports of nodes as they lie in rows: appended as they came, the last word on an item counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoker_domain::{job::ItemReport, media::NotFollowed, outcome::Outcome, time::Timestamp};

/// An [`ItemReport`] as it is stored: an array, because there are many.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredReport(
    u16,
    Outcome,
    Option<u64>,
    u64,
    Option<String>,
    Option<Timestamp>,
    Option<Timestamp>,
    Option<String>,
    // as most have none, it is left out
    #[serde(default, skip_serializing_if = "NotFollowed::is_empty")] NotFollowed,
);

impl From<&ItemReport> for StoredReport {
    fn from(report: &ItemReport) -> Self {
        Self(
            report.position,
            report.outcome,
            report.size_bytes,
            report.pulled_bytes,
            report.validator.clone(),
            report.verified_at,
            report.fresh_until,
            report.detail.clone(),
            report.not_followed.clone(),
        )
    }
}

impl From<StoredReport> for ItemReport {
    fn from(stored: StoredReport) -> Self {
        Self {
            position: stored.0,
            outcome: stored.1,
            size_bytes: stored.2,
            pulled_bytes: stored.3,
            validator: stored.4,
            verified_at: stored.5,
            fresh_until: stored.6,
            detail: stored.7,
            retry_after_seconds: None,
            children: Vec::new(),
            not_followed: stored.8,
        }
    }
}

/// Reads the items of one report over those of earlier ones.
pub(crate) fn read_over(
    known: &mut BTreeMap<u16, ItemReport>,
    items: &str,
) -> Result<(), serde_json::Error> {
    let items: Vec<StoredReport> = serde_json::from_str(items)?;
    let items = items.into_iter().map(ItemReport::from);
    known.extend(items.map(|report| (report.position, report)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use stoker_domain::media::Kind;

    use super::*;
    use crate::suite::fixture::item;

    #[test]
    fn a_report_of_an_older_file_is_read_and_most_are_written_as_then() {
        let old = r#"[3,"filled",10,10,null,null,null,null]"#;
        let stored: StoredReport = serde_json::from_str(old).unwrap();
        let report = ItemReport::from(stored);
        assert_eq!((report.position, report.outcome), (3, Outcome::Filled));
        assert_eq!(serde_json::to_string(&StoredReport::from(&report)).unwrap(), old);
    }

    #[test]
    fn everything_but_children_and_the_delay_is_kept() {
        let mut report = item(7, Outcome::OriginStatus(503));
        report.not_followed.counts = BTreeMap::from([(Kind::Key, 4)]);
        for report in [report, item(9, Outcome::Filled)] {
            let text = serde_json::to_string(&StoredReport::from(&report)).unwrap();
            let read: StoredReport = serde_json::from_str(&text).unwrap();
            assert_eq!(ItemReport::from(read), report, "{text}");
        }
    }

    #[test]
    fn the_last_word_on_an_item_counts() {
        let mut known = BTreeMap::new();
        let text = |items: &[ItemReport]| {
            serde_json::to_string(&items.iter().map(StoredReport::from).collect::<Vec<_>>())
                .unwrap()
        };
        read_over(&mut known, &text(&[item(0, Outcome::Timeout), item(1, Outcome::Filled)]))
            .unwrap();
        read_over(&mut known, &text(&[item(0, Outcome::Filled)])).unwrap();
        let outcomes: Vec<_> = known.iter().map(|(at, report)| (*at, report.outcome)).collect();
        assert_eq!(outcomes, [(0, Outcome::Filled), (1, Outcome::Filled)]);
        assert!(read_over(&mut known, "[[0]]").is_err());
    }
}
