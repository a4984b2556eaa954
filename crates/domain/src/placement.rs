//! Placement: on which nodes a key lives, and through which of them it is fetched.
//!
//! A key lives on one node of each cluster, chosen by rendezvous hash, so that a node that comes or
//! goes moves only its own keys. Every node computes the same answer from the same [`Directory`].

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    area::{Area, AreaScope, Tier, tier_for},
    domain::{Domain, Shield},
    host::{self, is_host, normal_host},
    key::Key,
};

/// One cache server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Node {
    /// Unique name, for example `edge-mainland`.
    pub name: String,
    /// Where it stands.
    pub area: Area,
    /// Edge or middle.
    pub tier: Tier,
    /// Nodes of one place; a key lives on one node of it.
    pub cluster: String,
    /// `host:port` at which viewers and other nodes reach it.
    pub address: String,
}

/// Everything that decides where a request goes: the domains and the nodes, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Domains by their names.
    pub domains: HashMap<String, Arc<Domain>>,
    /// All nodes, in no particular order.
    pub nodes: Vec<Arc<Node>>,
    /// By host, the lowest limit of the tasks that run on it, in megabits per second.
    pub task_limits: HashMap<String, u32>,
}

/// Whom a node asks for what it does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// Another node.
    Node(Arc<Node>),
    /// The domain's origin: this node is the shield of the key.
    Origin,
}

impl Directory {
    /// The domain that answers for `host`, which may carry a port and any letter case: that of the
    /// host itself, or else the nearest wildcard over it.
    pub fn domain(&self, host: &str) -> Option<&Arc<Domain>> {
        let host = normal_host(host);
        // nobody can ask for the host `*.example.com`
        let own = self.domains.get(&*host).filter(|domain| !domain.is_wildcard());
        // it may be whatever a field can hold: only a real host lies below a wildcard
        own.or_else(|| match is_host(&host) {
            true => host::wildcards_over(&host).find_map(|name| self.domains.get(&name)),
            false => None,
        })
    }

    /// The domain with this name, which may carry a port and any letter case.
    pub fn named(&self, name: &str) -> Option<&Arc<Domain>> {
        self.domains.get(&*normal_host(name))
    }

    /// The domain with this name, or else the one that answers for the host.
    pub fn named_or_over(&self, name: &str) -> Option<&Arc<Domain>> {
        self.named(name).or_else(|| self.domain(name))
    }

    /// The nodes that must hold `key` for a prefetch of `areas` with a wish for `tier`: one of each
    /// cluster of the tier in each area, ordered by name. Empty when no such node is known.
    pub fn holders(&self, key: Key, areas: AreaScope, tier: Option<Tier>) -> Vec<Arc<Node>> {
        let mut holders: Vec<_> = areas
            .areas()
            .iter()
            .flat_map(|area| self.one_per_cluster(key, *area, tier_for(*area, tier)))
            .collect();
        holders.sort_by(|a, b| a.name.cmp(&b.name));
        holders
    }

    /// The one middle node that asks the origin of `domain` for `key`; for [`Shield::PerArea`] the
    /// one of `area`. Absent when there is no middle node.
    pub fn shield(&self, domain: &Domain, key: Key, area: Area) -> Option<Arc<Node>> {
        let candidates = self.nodes.iter().filter(|node| {
            node.tier == Tier::Middle
                && match domain.shield {
                    Shield::Global => domain.areas.contains(node.area),
                    Shield::PerArea => node.area == area,
                }
        });
        highest(key, candidates).cloned()
    }

    /// Whom `node` asks for `key` of `domain`.
    ///
    /// An edge asks the middle node of its area; a middle node that is not the shield asks the
    /// shield; the shield asks the origin. Where the next tier is empty, its step is left out.
    pub fn parent(&self, node: &Node, domain: &Domain, key: Key) -> Parent {
        let shield = self.shield(domain, key, node.area);
        let next = match node.tier {
            Tier::Edge => {
                let middles = self
                    .nodes
                    .iter()
                    .filter(|other| other.tier == Tier::Middle && other.area == node.area);
                highest(key, middles).cloned().or(shield)
            }
            Tier::Middle => shield,
        };
        match next {
            Some(next) if next.name != node.name => Parent::Node(next),
            _ => Parent::Origin,
        }
    }

    fn one_per_cluster(&self, key: Key, area: Area, tier: Tier) -> Vec<Arc<Node>> {
        let mut clusters: HashMap<&str, (&Arc<Node>, u64)> = HashMap::new();
        for node in self.nodes.iter().filter(|node| node.area == area && node.tier == tier) {
            let score = score(key, &node.name);
            let best = clusters.entry(&node.cluster).or_insert((node, score));
            if (score, &node.name) > (best.1, &best.0.name) {
                *best = (node, score);
            }
        }
        clusters.into_values().map(|(node, _)| Arc::clone(node)).collect()
    }
}

fn highest<'a>(key: Key, nodes: impl Iterator<Item = &'a Arc<Node>>) -> Option<&'a Arc<Node>> {
    nodes.max_by_key(|node| (score(key, &node.name), &node.name))
}

/// Rendezvous weight of `node` for `key`: the first 8 bytes of SHA-256 over both.
fn score(key: Key, node: &str) -> u64 {
    let digest = Sha256::new().chain_update(key.0).chain_update(node.as_bytes()).finalize();
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(head)
}

#[cfg(test)]
mod tests;
