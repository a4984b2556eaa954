//! The directory that engine and nodes route with: kept here, published to all.
//!
//! Domains come from the ledger, nodes from their registrations. The engine keeps all of each domain, a
//! [`Catalog`]; nodes get what concerns them, a [`Directory`]. A change copies the part that it is of
//! and shares the others, in both. Decides nothing about placement.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use stoker_domain::{
    directory::Directory,
    domain::Domain,
    placement::{Fleet, Node},
};
use tokio::sync::watch;

/// The directory with all that the engine knows of a domain. A copy is cheap.
pub(crate) type Catalog = Directory<Domain>;

/// Keeps the catalog and publishes the directory.
#[derive(Debug)]
pub(crate) struct DirectoryPublisher {
    // a std mutex, never held across an await: changes are short and must be published in order
    catalog: Mutex<Catalog>,
    published: watch::Sender<Arc<Directory>>,
}

impl DirectoryPublisher {
    /// Publishes `domains` and `nodes`.
    pub(crate) fn new(domains: Vec<Domain>, nodes: &[Node]) -> Self {
        let (mut catalog, mut directory) = (Catalog::default(), Directory::default());
        catalog.set_fleet(Fleet::new(nodes.iter().cloned()));
        directory.set_fleet(Arc::clone(catalog.fleet()));
        for domain in domains {
            directory.put_domain(domain.for_nodes());
            catalog.put_domain(domain);
        }
        Self { catalog: Mutex::new(catalog), published: watch::Sender::new(Arc::new(directory)) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Directory>> {
        self.published.subscribe()
    }

    /// All that is known now.
    pub(crate) fn current(&self) -> Catalog {
        self.catalog().clone()
    }

    /// What nodes know now.
    pub(crate) fn published(&self) -> Arc<Directory> {
        Arc::clone(&self.published.borrow())
    }

    pub(crate) fn put_domain(&self, domain: Arc<Domain>) {
        let mut catalog = self.catalog();
        let for_nodes = domain.for_nodes();
        self.published.send_if_modified(|directory| {
            // a lock or a setting of a vendor's API is nothing to nodes
            let is_new = directory.named(&for_nodes.name).is_none_or(|known| **known != for_nodes);
            if is_new {
                Arc::make_mut(directory).put_domain(for_nodes);
            }
            is_new
        });
        catalog.put_domain(domain);
    }

    pub(crate) fn remove_domain(&self, name: &str) {
        let mut catalog = self.catalog();
        self.published.send_modify(|directory| Arc::make_mut(directory).remove_domain(name));
        catalog.remove_domain(name);
    }

    pub(crate) fn put_node(&self, node: Node) {
        let mut catalog = self.catalog();
        catalog.put_node(node);
        let fleet = Arc::clone(catalog.fleet());
        self.published.send_modify(|directory| Arc::make_mut(directory).set_fleet(fleet));
    }

    /// Publishes the lowest limit of the tasks that run on each domain, where one has changed.
    pub(crate) fn put_task_limits(&self, limits: HashMap<String, u32>) {
        let mut catalog = self.catalog();
        let limits = Arc::new(limits);
        self.published.send_if_modified(|directory| {
            let is_new = *directory.task_limits() != *limits;
            if is_new {
                Arc::make_mut(directory).set_task_limits(Arc::clone(&limits));
            }
            is_new
        });
        catalog.set_task_limits(limits);
    }

    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
