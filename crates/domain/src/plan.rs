//! Planning: from targets and the nodes of each to jobs.
//!
//! Targets of a task are cut into chunks; a job is the part of one chunk that one node holds. The
//! ledger thus writes rows by (chunk × node) and never by (URL × node).

use std::{collections::BTreeMap, ptr};

use serde::{Deserialize, Serialize};

use crate::placement::{Node, NodeSet};

/// Targets in one chunk at most.
pub const CHUNK: usize = 500;

/// A set of positions within one chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Positions(Vec<u8>);

impl Positions {
    /// The bytes to be stored: bit `p % 8` of byte `p / 8` is position `p`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The set that [`Self::as_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut set = Self(bytes.to_vec());
        set.trim();
        set
    }

    /// Adds `position`; whether it was new.
    pub fn insert(&mut self, position: u16) -> bool {
        let (byte, bit) = place(position);
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        let is_new = self.0[byte] & bit == 0;
        self.0[byte] |= bit;
        is_new
    }

    /// Whether `position` is in the set.
    pub fn contains(&self, position: u16) -> bool {
        let (byte, bit) = place(position);
        self.0.get(byte).is_some_and(|held| held & bit != 0)
    }

    /// How many positions are in the set.
    pub fn len(&self) -> usize {
        self.0.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// Whether no position is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// The positions, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().enumerate().flat_map(|(index, byte)| {
            (0..8u16)
                .filter(move |bit| byte & (1 << bit) != 0)
                .map(move |bit| index as u16 * 8 + bit)
        })
    }

    /// Adds the positions of `other`.
    pub fn insert_all(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        for (own, byte) in self.0.iter_mut().zip(&other.0) {
            *own |= byte;
        }
    }

    /// The positions of this set that are not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut rest = Self(
            self.0
                .iter()
                .enumerate()
                .map(|(index, byte)| byte & !other.0.get(index).copied().unwrap_or(0))
                .collect(),
        );
        rest.trim();
        rest
    }

    /// The positions that are in this set and in `other`.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect());
        both.trim();
        both
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

impl FromIterator<u16> for Positions {
    fn from_iter<I: IntoIterator<Item = u16>>(positions: I) -> Self {
        let mut set = Self::default();
        for position in positions {
            set.insert(position);
        }
        set
    }
}

const fn place(position: u16) -> (usize, u8) {
    (position as usize / 8, 1 << (position % 8))
}

/// A job to be made: one node's part of one chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedJob {
    /// Name of the node.
    pub node: String,
    /// Its targets, by position in the chunk.
    pub members: Positions,
}

/// The jobs of one chunk, given for each of its targets the nodes that must hold it; nothing for one
/// that nobody has to fetch.
///
/// One job per node that holds any of them, ordered by node name.
pub fn jobs<'a>(placements: impl IntoIterator<Item = Option<&'a NodeSet>>) -> Vec<PlannedJob> {
    // by numbers first, as this is done for each URL and node; mostly there is one fleet
    let mut by_index: BTreeMap<_, (&Node, Positions)> = BTreeMap::new();
    for (position, nodes) in (0..).zip(placements) {
        let Some(nodes) = nodes else { continue };
        let (fleet, members) = nodes.members();
        for index in members {
            let new = || (&*fleet.nodes()[*index as usize], Positions::default());
            let (_, positions) = by_index.entry((ptr::from_ref(fleet), *index)).or_insert_with(new);
            positions.insert(position);
        }
    }
    let mut by_name: BTreeMap<&str, Positions> = BTreeMap::new();
    for (node, positions) in by_index.into_values() {
        by_name.entry(&node.name).or_default().insert_all(&positions);
    }
    by_name.into_iter().map(|(node, members)| PlannedJob { node: node.into(), members }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        area::{Area, Tier},
        placement::Fleet,
    };

    proptest! {
        #[test]
        fn a_set_is_what_was_put_in(given in proptest::collection::btree_set(0u16..500, 0..60),
                                    taken in proptest::collection::btree_set(0u16..500, 0..60)) {
            let set: Positions = given.iter().copied().collect();
            let other: Positions = taken.iter().copied().collect();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), given.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.len(), given.len());
            prop_assert_eq!(&Positions::from_bytes(set.as_bytes()), &set);
            let rest: Vec<_> = given.difference(&taken).copied().collect();
            prop_assert_eq!(set.minus(&other).iter().collect::<Vec<_>>(), rest);
            let both: Vec<_> = given.intersection(&taken).copied().collect();
            prop_assert_eq!(set.and(&other).iter().collect::<Vec<_>>(), both);
            let mut sum = set.clone();
            sum.insert_all(&other);
            let all: Vec<_> = given.union(&taken).copied().collect();
            prop_assert_eq!(sum.iter().collect::<Vec<_>>(), all);
            for position in 0..600 {
                prop_assert_eq!(set.contains(position), given.contains(&position));
            }
            prop_assert_eq!(set.is_empty(), given.is_empty());
        }
    }

    #[test]
    fn equal_sets_have_equal_bytes() {
        let mut set = Positions::default();
        assert!(set.is_empty());
        assert!(set.insert(9) && !set.insert(9) && set.insert(1) && !set.is_empty());
        assert_eq!(set.as_bytes(), [2, 2]);
        let low: Positions = [1].into_iter().collect();
        let high: Positions = [9].into_iter().collect();
        for same in [set.minus(&high), set.and(&low), Positions::from_bytes(&[2, 0, 0])] {
            assert_eq!(same, low);
        }
        assert!(low.minus(&set).as_bytes().is_empty() && Positions::from_bytes(&[0]).is_empty());
    }

    fn nodes(names: &[&str]) -> NodeSet {
        let node = |name: &&str| Node {
            name: (*name).into(),
            area: Area::Mainland,
            tier: Tier::Edge,
            cluster: (*name).into(),
            address: String::new(),
        };
        NodeSet::all(Fleet::new(names.iter().map(node)))
    }

    #[test]
    fn each_node_gets_one_job_with_its_targets() {
        // of two fleets, as when a node has joined in between: the name counts
        let (both, one) = (nodes(&["a", "b"]), nodes(&["b"]));
        let planned = jobs([Some(&both), Some(&one), None, Some(&both), Some(&NodeSet::default())]);
        let job = |node: &str, members: &[u16]| PlannedJob {
            node: node.into(),
            members: members.iter().copied().collect(),
        };
        assert_eq!(planned, [job("a", &[0, 3]), job("b", &[0, 1, 3])]);
    }
}
