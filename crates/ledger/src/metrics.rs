//! Every metric of the ledger (`docs/reference/metrics.md` lists them).

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
};

use crate::Sqlite;

/// The metrics of a ledger.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Sqlite>);

impl Metrics {
    /// Of this ledger.
    pub fn new(ledger: Arc<Sqlite>) -> Self {
        Self(ledger)
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.0.stats();
        for (name, help, count) in [
            ("stoker_ledger_commits", "Transactions committed, each with one sync.", stats.commits),
            ("stoker_ledger_verbs", "Changes made in them, refused ones included.", stats.verbs),
        ] {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count).encode(encoder)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text, registry::Registry};
    use stoker_domain::{account::Account, time::Timestamp};

    use super::*;
    use crate::Accounts;

    #[tokio::test]
    async fn commits_and_changes_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Sqlite::open(dir.path().join("ledger.sqlite")).unwrap());
        let before = ledger.stats();
        ledger.create_account(Account::new("100000000001", 1, Timestamp::default())).await.unwrap();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Metrics::new(ledger)));
        let mut page = String::new();
        text::encode(&mut page, &registry).unwrap();
        for (name, count) in [("commits", before.commits), ("verbs", before.verbs)] {
            let line = format!("\nstoker_ledger_{name}_total {}\n", count + 1);
            assert!(page.contains(&line), "{page}");
        }
    }
}
