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
