//! The fleet: the nodes that are registered, and when each gave its last sign of life.
//!
//! In memory: nodes register again after every start of either side. A node that falls silent stays
//! in the directory, because its cache outlives its process and jobs wait for it. What becomes of those
//! jobs is decided in `maintenance`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use stoker_domain::{job::StoreHealth, placement::Node, time::Timestamp};

use crate::{Engine, Error};

/// A node as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// The node.
    pub node: Arc<Node>,
    /// Whether it gave a sign of life within the time of a lease.
    pub is_alive: bool,
    /// When it gave its last sign of life; for one that never did, when the engine was opened.
    pub last_seen: Timestamp,
    /// What it last reported of its store, if it did since the engine was opened.
    pub store: Option<StoreHealth>,
}

impl Engine {
    /// Takes a node into the directory.
    ///
    /// A new `session` means that the node has started again and forgot its jobs: its leases end at
    /// once. To repeat a registration changes nothing.
    ///
    /// # Errors
    /// A failure of the ledger; the node has to register again.
    pub async fn register(&self, node: Node, session: u64) -> Result<(), Error> {
        let name = node.name.clone();
        let former = self.nodes.get(&name).and_then(|known| known.number);
        if former != Some(session) {
            let released = self.ledger.release(&name, self.schedule.now(&*self.clock)).await?;
            self.leases.end_all(&name);
            self.pace.node_registered(&name, former.is_some());
            tracing::info!(node.id = name, job.count = released, "node registered");
        }
        self.nodes.put(&name, session, self.clock.now(), self.schedule.now(&*self.clock));
        self.directory.put_node(node);
        self.wakeups.notify([name.as_str()]);
        Ok(())
    }

    /// Records how a node reports its store to be.
    pub fn record_store_health(&self, node: &str, health: StoreHealth) {
        self.nodes.set_store(node, health);
    }

    /// Writes to the ledger what changes nothing.
    ///
    /// # Errors
    /// As of any call that writes.
    pub async fn try_ledger(&self) -> Result<(), Error> {
        Ok(self.ledger.try_write().await?)
    }

    /// Whether the node has registered since this engine was opened.
    pub fn is_registered(&self, node: &str) -> bool {
        self.nodes.has_registered(node)
    }

    /// Records a sign of life of a node that is registered.
    pub(crate) fn touch(&self, node: &str) {
        self.nodes.touch(node, self.clock.now(), self.schedule.now(&*self.clock));
    }

    /// All nodes, ordered by name.
    pub fn nodes(&self) -> Vec<NodeView> {
        let now = self.schedule.now(&*self.clock);
        let directory = self.directory.current();
        directory
            .fleet()
            .nodes()
            .iter()
            .filter_map(|node| {
                let Session { number, last_seen, scheduled, store } = self.nodes.get(&node.name)?;
                let is_alive = number.is_some() && now.since(scheduled) <= self.config.lease;
                Some(NodeView { node: Arc::clone(node), is_alive, last_seen, store })
            })
            .collect()
    }
}

/// The sessions of the nodes.
#[derive(Debug)]
pub(crate) struct Nodes(Mutex<BTreeMap<String, Session>>);

#[derive(Clone, Copy, Debug)]
struct Session {
    /// Absent until it registers.
    number: Option<u64>,
    last_seen: Timestamp,
    /// The same by the time that never goes back: no node is alive because the clock was set back.
    scheduled: Timestamp,
    store: Option<StoreHealth>,
}

impl Nodes {
    /// Nodes that have not registered yet.
    pub(crate) fn new(nodes: &[Node], now: Timestamp) -> Self {
        let unheard = |node: &Node| {
            let session = Session { number: None, last_seen: now, scheduled: now, store: None };
            (node.name.clone(), session)
        };
        Self(Mutex::new(nodes.iter().map(unheard).collect()))
    }

    fn touch(&self, name: &str, now: Timestamp, scheduled: Timestamp) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get_mut(name) {
            (session.last_seen, session.scheduled) = (now, scheduled);
        }
    }

    /// When a node gave its last sign of life, if it is known.
    pub(crate) fn last_seen(&self, name: &str) -> Option<Timestamp> {
        self.get(name).map(|session| session.last_seen)
    }

    /// Whether it has registered since this engine was opened.
    pub(crate) fn has_registered(&self, name: &str) -> bool {
        self.get(name).is_some_and(|session| session.number.is_some())
    }

    fn put(&self, name: &str, number: u64, last_seen: Timestamp, scheduled: Timestamp) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let store = sessions.get(name).and_then(|session| session.store);
        sessions.insert(name.into(), Session { number: Some(number), last_seen, scheduled, store });
    }

    fn set_store(&self, name: &str, health: StoreHealth) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get_mut(name) {
            session.store = Some(health);
        }
    }

    fn get(&self, name: &str) -> Option<Session> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(name).copied()
    }
}
