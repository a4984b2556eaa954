//! Which nodes a purge goes to, in which phases, and what it is charged for.
//!
//! Every node that may hold a target gets an order: the edges of the areas and all middle nodes that
//! their content may come through. The phases keep a node from fetching old content again from
//! another one: first the middle nodes, which may still take old content from the one that is the
//! shield; then the middle nodes once more, when all shields are clean; then the edges.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use stoker_domain::{
    area::{Area, AreaScope, Tier},
    domain::{Domain, Shield},
    quota::Product,
    view::PurgeTarget,
};

use crate::catalog::Catalog;

/// Where a purge goes.
pub(crate) struct Reach {
    /// Targets by area.
    targets: BTreeMap<Area, u64>,
    /// Areas whose middle nodes may be on the way of some target.
    ways: BTreeSet<Area>,
}

impl Reach {
    pub(crate) fn of(found: &[(PurgeTarget, Arc<Domain>)], asked: Option<AreaScope>) -> Self {
        let mut reach = Self { targets: BTreeMap::new(), ways: BTreeSet::new() };
        for (_, domain) in found {
            for area in asked.unwrap_or(domain.areas).areas() {
                *reach.targets.entry(*area).or_default() += 1;
                reach.ways.insert(*area);
            }
            if domain.shield == Shield::Global {
                reach.ways.extend(domain.areas.areas());
            }
        }
        reach
    }

    pub(crate) fn first(&self) -> Area {
        self.targets.keys().next().copied().unwrap_or(Area::Mainland)
    }

    /// What is charged where.
    pub(crate) fn costs(&self, product: Product, units: Option<u64>) -> Vec<(Area, u64)> {
        let count = |area: &Area| self.targets.get(area).copied().unwrap_or_default();
        let counted = product.counted(self.areas()).iter();
        counted.map(|area| (*area, units.unwrap_or_else(|| count(area)))).collect()
    }

    pub(crate) fn areas(&self) -> AreaScope {
        match self.targets.len() {
            2 => AreaScope::Global,
            _ if self.first() == Area::Overseas => AreaScope::Overseas,
            _ => AreaScope::Mainland,
        }
    }
}

/// The nodes by phase; see the header of this file.
pub(crate) fn phases(directory: &Catalog, reach: &Reach) -> Vec<Vec<String>> {
    let named = |tier: Tier, is_meant: &dyn Fn(&Area) -> bool| -> Vec<String> {
        let nodes = directory
            .fleet()
            .nodes()
            .iter()
            .filter(|node| node.tier == tier && is_meant(&node.area));
        nodes.map(|node| node.name.clone()).collect()
    };
    let middles = named(Tier::Middle, &|area| reach.ways.contains(area));
    let edges = named(Tier::Edge, &|area| reach.targets.contains_key(area));
    let again = if middles.len() > 1 { middles.clone() } else { Vec::new() };
    [middles, again, edges].into_iter().filter(|phase| !phase.is_empty()).collect()
}
