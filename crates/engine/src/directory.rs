//! The directory that everybody routes with: kept here, published to all.
//!
//! Domains come from the ledger, nodes from their registrations; each change is published whole.
//! Decides nothing about placement.

use std::{collections::BTreeMap, collections::HashMap, sync::Arc, sync::Mutex, sync::PoisonError};

use stoker_domain::{
    domain::Domain,
    placement::{Directory, Node},
};
use tokio::sync::watch;

/// Makes directories and publishes them.
#[derive(Debug)]
pub(crate) struct Board {
    // a std mutex, never held across an await: changes are short and must be published in order
    parts: Mutex<Parts>,
    published: watch::Sender<Arc<Directory>>,
}

#[derive(Debug, Default)]
struct Parts {
    domains: BTreeMap<String, Arc<Domain>>,
    nodes: BTreeMap<String, Arc<Node>>,
    task_limits: HashMap<String, u32>,
}

impl Board {
    /// Publishes `domains` and `nodes`.
    pub(crate) fn new(domains: Vec<Domain>, nodes: &[Node]) -> Self {
        let board = Self { parts: Mutex::default(), published: watch::Sender::new(Arc::default()) };
        board.change(|parts| {
            parts.nodes = nodes.iter().map(|n| (n.name.clone(), Arc::new(n.clone()))).collect();
            parts.domains =
                domains.into_iter().map(|domain| (domain.name.clone(), domain.into())).collect();
        });
        board
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Directory>> {
        self.published.subscribe()
    }

    pub(crate) fn now(&self) -> Arc<Directory> {
        Arc::clone(&self.published.borrow())
    }

    pub(crate) fn put_domain(&self, domain: Arc<Domain>) {
        self.change(|parts| {
            parts.domains.insert(domain.name.clone(), domain);
        });
    }

    pub(crate) fn remove_domain(&self, host: &str) {
        self.change(|parts| {
            parts.domains.remove(host);
        });
    }

    pub(crate) fn put_node(&self, node: Node) {
        self.change(|parts| {
            parts.nodes.insert(node.name.clone(), node.into());
        });
    }

    pub(crate) fn put_task_limits(&self, limits: HashMap<String, u32>) {
        if self.now().task_limits != limits {
            self.change(|parts| parts.task_limits = limits);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        self.published.send_replace(Arc::new(Directory {
            domains: parts.domains.iter().map(|(host, d)| (host.clone(), Arc::clone(d))).collect(),
            nodes: parts.nodes.values().cloned().collect(),
            task_limits: parts.task_limits.clone(),
        }));
    }
}
