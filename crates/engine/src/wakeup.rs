//! Wakeups: one per node, notified when there may be something for it to do.
//!
//! A wakeup may come for nothing, and is remembered until a call waits for it. What there is to do,
//! only the ledger knows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

/// The wakeups of all nodes.
#[derive(Debug, Default)]
pub(crate) struct Wakeups(Mutex<HashMap<String, Arc<Notify>>>);

impl Wakeups {
    /// That of `node`.
    pub(crate) fn of(&self, node: &str) -> Arc<Notify> {
        let mut wakeups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wakeup) = wakeups.get(node) {
            return Arc::clone(wakeup);
        }
        Arc::clone(wakeups.entry(node.into()).or_default())
    }

    /// Wakes one waiting call of each of `nodes`, or the next that comes.
    pub(crate) fn notify<'a>(&self, nodes: impl IntoIterator<Item = &'a str>) {
        for node in nodes {
            self.of(node).notify_one();
        }
    }
}
