//! The directory: everything that decides where a request goes, at one moment.
//!
//! Which domain answers for a host is decided here; on which nodes its keys live, by the
//! [`Fleet`]. Nodes get a directory of [`NodeDomain`]s, the engine keeps one of whole
//! [`Domain`]s. A copy shares all parts, and a change to one part copies that part alone: a node that
//! registers costs no look at the domains.

use std::{collections::HashMap, sync::Arc};

use crate::{
    domain::{Domain, NodeDomain},
    host::{self, is_host, normal_host},
    placement::{Fleet, Node},
};

/// What has the name of a domain.
pub trait Named {
    /// The name: a host or a wildcard.
    fn name(&self) -> &str;
}

impl Named for Domain {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for NodeDomain {
    fn name(&self) -> &str {
        &self.name
    }
}

/// The domains, the nodes and the limits of running tasks.
#[derive(Debug)]
pub struct Directory<D = NodeDomain> {
    domains: Arc<HashMap<Arc<str>, Arc<D>>>,
    fleet: Arc<Fleet>,
    task_limits: Arc<HashMap<String, u32>>,
}

impl<D> Clone for Directory<D> {
    fn clone(&self) -> Self {
        Self {
            domains: Arc::clone(&self.domains),
            fleet: Arc::clone(&self.fleet),
            task_limits: Arc::clone(&self.task_limits),
        }
    }
}

impl<D> Default for Directory<D> {
    fn default() -> Self {
        Self { domains: Arc::default(), fleet: Arc::default(), task_limits: Arc::default() }
    }
}

impl<D: Named> Directory<D> {
    /// The domain that answers for `host`, which may carry a port and any letter case: that of the
    /// host itself, or else the nearest wildcard over it.
    pub fn domain(&self, host: &str) -> Option<&Arc<D>> {
        let host = normal_host(host);
        // nobody can ask for the host `*.example.com`
        let own = self.domains.get(&*host).filter(|_| !host::is_wildcard(&host));
        // it may be whatever a field can hold: only a real host lies below a wildcard
        own.or_else(|| match is_host(&host) {
            true => host::wildcards_over(&host).find_map(|name| self.domains.get(&*name)),
            false => None,
        })
    }

    /// The domain with this name, which may carry a port and any letter case.
    pub fn named(&self, name: &str) -> Option<&Arc<D>> {
        self.domains.get(&*normal_host(name))
    }

    /// The domain with this name, or else the one that answers for the host.
    pub fn named_or_over(&self, name: &str) -> Option<&Arc<D>> {
        self.named(name).or_else(|| self.domain(name))
    }

    /// All domains, in no particular order.
    pub fn domains(&self) -> impl Iterator<Item = &Arc<D>> {
        self.domains.values()
    }

    /// The nodes.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// The lowest limit of the tasks that run on the domain of this name, in megabits (10^6 bits) per
    /// second.
    pub fn task_limit(&self, name: &str) -> Option<u32> {
        self.task_limits.get(name).copied()
    }

    /// All of them, by the names of domains.
    pub fn task_limits(&self) -> &HashMap<String, u32> {
        &self.task_limits
    }

    /// Adds a domain, or puts it in the place of the one with its name.
    pub fn put_domain(&mut self, domain: impl Into<Arc<D>>) {
        let domain = domain.into();
        Arc::make_mut(&mut self.domains).insert(domain.name().into(), domain);
    }

    /// Removes the domain of that name.
    pub fn remove_domain(&mut self, name: &str) {
        Arc::make_mut(&mut self.domains).remove(name);
    }

    /// Puts other nodes in the place of all.
    pub fn set_fleet(&mut self, fleet: impl Into<Arc<Fleet>>) {
        self.fleet = fleet.into();
    }

    /// Adds a node, or puts it in the place of the one with its name.
    pub fn put_node(&mut self, node: Node) {
        Arc::make_mut(&mut self.fleet).put(node);
    }

    /// Puts other limits of tasks, by the names of domains, in the place of all.
    pub fn set_task_limits(&mut self, limits: impl Into<Arc<HashMap<String, u32>>>) {
        self.task_limits = limits.into();
    }
}

#[cfg(test)]
mod tests;
