//! Children of a playlist: which of them become targets, and what becomes of the others.
//!
//! A playlist may name anything. Only what the account owns is fetched; the rest is written as a
//! settled target with its reason, so that nothing is dropped in silence.

use stoker_domain::{
    area::AreaScope,
    domain::Domain,
    media::Child,
    outcome::{Block, Outcome},
    placement::NodeSet,
    target::Target,
    task::Task,
};
use stoker_ledger::PlannedTarget;

use super::rules::{Named, Rules, check_online, holders};
use crate::catalog::Catalog;

/// The target that `child` becomes; `levels` may still be followed below it.
pub(crate) fn plan_child(
    directory: &Catalog,
    task: &Task,
    child: Child,
    levels: u8,
) -> PlannedTarget {
    let settled = |url, host, reason| PlannedTarget {
        url,
        host,
        levels: 0,
        nodes: NodeSet::default(),
        settled: Some(Outcome::Blocked(reason)),
    };
    let Ok(target) = Target::parse(&child.url, true) else {
        return settled(child.url, String::new(), Block::Ownership);
    };
    let areas = (!task.options.areas_of_domains).then_some(task.areas);
    let rules = Rules { directory, account: task.account, zone: None, areas };
    let owned = rules.owned(directory.domain(&target.host), Named::of(0, &target));
    let Ok(domain) = owned else {
        return settled(target.url, target.host, Block::Ownership);
    };
    let name = domain.name.clone();
    let areas = match reach(&rules, domain, task, &child, levels) {
        Ok(areas) => areas,
        Err(reason) => return settled(target.url, name, reason),
    };
    let nodes = holders(directory, &target, areas, task.tier);
    if nodes.is_empty() {
        return settled(target.url, name, Block::Offline);
    }
    let levels = if child.is_playlist { levels } else { 0 };
    PlannedTarget { url: target.url, host: name, levels, nodes, settled: None }
}

/// Where the child goes, or why nowhere.
fn reach(
    rules: &Rules<'_>,
    domain: &Domain,
    task: &Task,
    child: &Child,
    levels: u8,
) -> Result<AreaScope, Block> {
    let allowed = task.options.playlist_hosts.as_ref();
    if allowed.is_some_and(|hosts| !hosts.contains(&domain.name)) {
        return Err(Block::Policy);
    }
    let areas = check_online(domain, &domain.name).and_then(|()| rules.areas(domain, &domain.name));
    let areas = areas.map_err(|_| Block::Offline)?;
    if child.is_playlist && levels == 0 { Err(Block::TooDeep) } else { Ok(areas) }
}
