//! Placement: on which nodes a key lives, and through which of them it is fetched.
//!
//! A key lives on one node of each cluster, chosen by rendezvous hash: of the nodes of a cluster the
//! one with the highest score for the key holds it, so that a node that comes or goes moves only its
//! own keys. **Invariant:** every node and the engine compute the same answer from the same nodes,
//! whatever order they became known in. Which domains there are is [`crate::directory`]'s.
//!
//! Planning places each URL of a task, so nothing here allocates or hashes per node: nodes are numbered
//! by the order of their names, their hashes and clusters are made once in a [`Fleet`], and a key is
//! scored only in clusters that have a choice.

use std::{collections::BTreeMap, fmt, slice, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    area::{Area, AreaScope, Tier, tier_for},
    domain::{NodeDomain, Shield},
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

/// The place of a node in its fleet. Good for that fleet alone: a node that joins moves others.
pub(crate) type NodeIndex = u32;

/// Whom a node asks for what it does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// Another node.
    Node(Arc<Node>),
    /// The domain's origin: this node is the shield of the key.
    Origin,
}

/// All nodes at one moment.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// By name, so that the order of indices is that of names.
    nodes: Vec<Arc<Node>>,
    /// Of the names, by index.
    hashes: Vec<HashHalves>,
    /// By [`group`].
    groups: [Group; 4],
    /// By [`ask`]: the nodes that hold every key, ascending.
    alone: [Arc<[NodeIndex]>; 9],
}

/// The nodes of one area and tier.
#[derive(Clone, Debug, Default)]
struct Group {
    /// All of them, ascending.
    members: Vec<NodeIndex>,
    /// Those that are alone in their clusters and hold every key.
    alone: Vec<NodeIndex>,
    /// The other clusters: each key lives on one node of each.
    shared: Vec<Vec<NodeIndex>>,
}

impl Fleet {
    /// These nodes; of those with one name, the last.
    pub fn new(nodes: impl IntoIterator<Item = Node>) -> Self {
        let nodes: BTreeMap<String, Node> =
            // by name, so that the order in which nodes became known changes nothing
            nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
        let nodes: Vec<_> = nodes.into_values().map(Arc::new).collect();
        let hashes = nodes.iter().map(|node| HashHalves::of_node(&node.name)).collect();
        let mut fleet = Self { nodes, hashes, ..Self::default() };
        fleet.regroup();
        fleet
    }

    /// Adds a node, or puts it in the place of the one with its name.
    pub fn put(&mut self, node: Node) {
        match self.find(&node.name) {
            Ok(index) => self.nodes[index] = node.into(),
            Err(index) => {
                // in step with `nodes`: an index means the same in both
                self.hashes.insert(index, HashHalves::of_node(&node.name));
                self.nodes.insert(index, node.into());
            }
        }
        self.regroup();
    }

    /// All nodes, ordered by name.
    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.find(name).ok().map(|index| &self.nodes[index])
    }

    /// Whether any node of `area` is of `tier`.
    pub fn has(&self, area: Area, tier: Tier) -> bool {
        !self.group(area, tier).members.is_empty()
    }

    /// The nodes that must hold `key` for a prefetch of `areas` that asks for `tier`, or for none: one of
    /// each cluster of the tier in each area. Where no cluster has a choice, all keys share one list.
    pub fn holders(self: &Arc<Self>, key: Key, areas: AreaScope, tier: Option<Tier>) -> NodeSet {
        let alone = &self.alone[ask(areas, tier)];
        let clusters = self.groups_of(areas, tier).flat_map(|group| &group.shared);
        let mut chosen =
            clusters.filter_map(|nodes| self.highest(key, nodes.iter().copied())).peekable();
        // the common case, one node for each area and tier: no list is made for each URL
        if chosen.peek().is_none() {
            return NodeSet { fleet: Arc::clone(self), members: Arc::clone(alone) };
        }
        let mut members: Vec<_> = alone.iter().copied().chain(chosen).collect();
        // ascending, as in every set: equal ones have the same order
        members.sort_unstable();
        NodeSet { fleet: Arc::clone(self), members: members.into() }
    }

    /// How many nodes hold a key: the same number for every key.
    pub fn count_holders(&self, areas: AreaScope, tier: Option<Tier>) -> usize {
        let shared: usize = self.groups_of(areas, tier).map(|group| group.shared.len()).sum();
        self.alone[ask(areas, tier)].len() + shared
    }

    /// The one middle node that asks the origin of `domain` for `key`; for [`Shield::PerArea`] the
    /// one of `area`. Absent when there is no middle node.
    pub fn shield(&self, domain: &NodeDomain, key: Key, area: Area) -> Option<&Arc<Node>> {
        let areas = match domain.shield {
            Shield::Global => domain.areas.areas(),
            Shield::PerArea => slice::from_ref(&area),
        };
        // all middle nodes of the areas, clusters aside: there is one shield, not one for each
        // cluster
        let candidates = areas.iter().flat_map(|area| &self.group(*area, Tier::Middle).members);
        self.highest(key, candidates.copied()).map(|index| self.at(index))
    }

    /// Whom `node` asks for `key` of `domain`.
    ///
    /// An edge asks the middle node of its area; a middle node that is not the shield asks the
    /// shield; the shield asks the origin. Where the next tier is empty, its step is left out.
    pub fn parent(&self, node: &Node, domain: &NodeDomain, key: Key) -> Parent {
        let middle = match node.tier {
            Tier::Edge => {
                let middles = &self.group(node.area, Tier::Middle).members;
                self.highest(key, middles.iter().copied()).map(|index| self.at(index))
            }
            Tier::Middle => None,
        };
        // an edge without a middle node in its area asks the shield, which may stand in another
        match middle.or_else(|| self.shield(domain, key, node.area)) {
            // by name and not by index: `node` may be of another fleet
            Some(next) if next.name != node.name => Parent::Node(Arc::clone(next)),
            _ => Parent::Origin,
        }
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.nodes.binary_search_by(|node| node.name.as_str().cmp(name))
    }

    fn at(&self, index: NodeIndex) -> &Arc<Node> {
        &self.nodes[index as usize]
    }

    fn group(&self, area: Area, tier: Tier) -> &Group {
        &self.groups[group(area, tier)]
    }

    fn groups_of(&self, areas: AreaScope, tier: Option<Tier>) -> impl Iterator<Item = &Group> {
        areas.areas().iter().map(move |area| self.group(*area, tier_for(*area, tier)))
    }

    fn regroup(&mut self) {
        let mut clusters: [BTreeMap<&str, Vec<NodeIndex>>; 4] = Default::default();
        for (index, node) in (0..).zip(&self.nodes) {
            clusters[group(node.area, node.tier)].entry(&node.cluster).or_default().push(index);
        }
        self.groups = clusters.map(|clusters| {
            let mut group = Group::default();
            for members in clusters.into_values() {
                group.members.extend_from_slice(&members);
                match members.as_slice() {
                    [alone] => group.alone.push(*alone),
                    _ => group.shared.push(members),
                }
            }
            // clusters come by name, and their members do not follow one another
            group.members.sort_unstable();
            group
        });
        for areas in [AreaScope::Mainland, AreaScope::Overseas, AreaScope::Global] {
            for tier in [None, Some(Tier::Edge), Some(Tier::Middle)] {
                let alone = self.groups_of(areas, tier).flat_map(|group| &group.alone);
                let mut alone: Vec<_> = alone.copied().collect();
                alone.sort_unstable();
                self.alone[ask(areas, tier)] = alone.into();
            }
        }
    }

    /// The node with the highest score for `key`; of equal ones the last by name.
    fn highest(&self, key: Key, nodes: impl Iterator<Item = NodeIndex>) -> Option<NodeIndex> {
        let key = HashHalves::of_key(key);
        // the index breaks ties: without it the order of the nodes would decide
        nodes.max_by_key(|index| (key.score(self.hashes[*index as usize]), *index))
    }
}

const fn group(area: Area, tier: Tier) -> usize {
    area as usize * 2 + tier as usize
}

const fn ask(areas: AreaScope, tier: Option<Tier>) -> usize {
    let tier = match tier {
        None => 0,
        Some(tier) => 1 + tier as usize,
    };
    // 9 lists: three choices of areas by three of a tier
    areas as usize * 3 + tier
}

/// Some nodes of a fleet, each once. A copy is cheap.
#[derive(Clone, Default)]
pub struct NodeSet {
    fleet: Arc<Fleet>,
    /// Ascending.
    members: Arc<[NodeIndex]>,
}

impl NodeSet {
    /// All nodes of a fleet.
    pub fn all(fleet: impl Into<Arc<Fleet>>) -> Self {
        let fleet = fleet.into();
        let members = (0..).take(fleet.nodes.len()).collect();
        Self { fleet, members }
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The nodes, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.members.iter().map(|index| self.fleet.at(*index))
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|node| node.name.as_str())
    }

    /// The fleet, and their places in it.
    pub(crate) fn members(&self) -> (&Fleet, &[NodeIndex]) {
        (&self.fleet, &self.members)
    }
}

impl PartialEq for NodeSet {
    /// Sets of different fleets are equal when their nodes are.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for NodeSet {}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// 16 bytes that are as good as random: of a key as it is, of a node by SHA-256 of its name.
#[derive(Clone, Copy, Debug)]
struct HashHalves(u64, u64);

impl HashHalves {
    fn of_key(key: Key) -> Self {
        Self::of_bytes(key.0)
    }

    fn of_node(name: &str) -> Self {
        let digest =
            // the prefix keeps these hashes apart from all others; with another digit, most keys
            // move
            Sha256::new().chain_update(b"stoker node 1\0").chain_update(name.as_bytes()).finalize();
        let mut head = [0; 16];
        head.copy_from_slice(&digest[..16]);
        Self::of_bytes(head)
    }

    const fn of_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self((both >> 64) as u64, both as u64)
    }

    /// Rendezvous weight. Key and node are hashes already, so one multiplication mixes them well
    /// enough: half of the product's bits depend on all bits of both, and the halves are folded.
    const fn score(self, node: Self) -> u64 {
        let product = (self.0 ^ node.0) as u128 * (self.1 ^ node.1) as u128;
        (product >> 64) as u64 ^ product as u64
    }
}

#[cfg(test)]
mod tests;
