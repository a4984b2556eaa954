//! Doorbells: one per node, rung when there may be a job for it.
//!
//! A ring may come for nothing and is remembered until somebody listens; what there really is, only
//! the ledger knows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

/// The doorbells of all nodes.
#[derive(Debug, Default)]
pub(crate) struct Doorbells(Mutex<HashMap<String, Arc<Notify>>>);

impl Doorbells {
    /// The bell of `node`.
    pub(crate) fn of(&self, node: &str) -> Arc<Notify> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(node) {
            return Arc::clone(bell);
        }
        Arc::clone(bells.entry(node.into()).or_default())
    }

    /// Wakes one lease call of each of `nodes`, or the next that comes.
    pub(crate) fn ring<'a>(&self, nodes: impl IntoIterator<Item = &'a str>) {
        for node in nodes {
            self.of(node).notify_one();
        }
    }
}
