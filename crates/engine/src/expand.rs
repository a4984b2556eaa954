//! Children of a playlist: which of them are fetched, and what becomes of the others.
//!
//! A playlist may name anything. Only what the account owns is fetched; the rest is written as a
//! settled target with its reason, so that nothing is dropped in silence. What a task that is full
//! has no row for makes its playlist fail. Repeating is harmless:
//! the ledger knows each URL of a task once.

use std::collections::BTreeSet;

use stoker_domain::{
    area::AreaScope,
    domain::Domain,
    media::Child,
    outcome::{Block, Outcome},
    placement::NodeSet,
    setting::Status,
    target::Target,
    task::Task,
};
use stoker_ledger::{ChildPlan, Error, LeasedItem, PlannedTarget};

use crate::{
    Engine,
    directory::Catalog,
    partial::reach,
    submit::{charges, holders},
};

impl Engine {
    /// Adds the children of the playlist `item` to `task`; how many are left out, because it is full.
    pub(crate) async fn expand(
        &self,
        task: &Task,
        item: &LeasedItem,
        children: Vec<Child>,
    ) -> Result<u64, Error> {
        let directory = self.board.now();
        let levels = item.levels.saturating_sub(1);
        let (refused, fetched): (Vec<_>, Vec<_>) = children
            .into_iter()
            .map(|child| plan(&directory, task, child, levels))
            .partition(|target| target.settled.is_some());
        let nodes: BTreeSet<_> = fetched.iter().flat_map(|target| target.nodes.names()).collect();
        let nodes: Vec<String> = nodes.into_iter().map(Into::into).collect();
        if task.options.limit_mbps.is_some() {
            self.pace.add(task, fetched.iter().map(|target| target.host.clone()));
            self.publish_limits();
        }
        let now = self.clock.now();
        let limits = self.ledger.limits(task.account, task.product).await?;
        let charges = charges(task, self.calendar.day(now), &limits);
        // what is refused costs nothing, and takes no room from what is fetched
        let mut left_out = 0;
        for (charges, targets) in [(charges, fetched), (Vec::new(), refused)] {
            if targets.is_empty() {
                continue;
            }
            let added = self.ledger.add_children(ChildPlan {
                task: task.id.clone(),
                parent: item.target,
                charges,
                targets,
                most_targets: self.config.max_targets_per_task,
                now,
            });
            let added = added.await?;
            left_out += added.left_out;
            tracing::debug!(
                task.id = %task.id,
                target.count = added.targets,
                target.over_quota = added.over_quota,
                "playlist expanded"
            );
        }
        self.doorbells.ring(nodes.iter().map(String::as_str));
        Ok(left_out)
    }
}

/// `levels` may still be followed below the child.
fn plan(directory: &Catalog, task: &Task, child: Child, levels: u8) -> PlannedTarget {
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
    let domain = directory.domain(&target.host).filter(|domain| domain.account == task.account);
    let Some(domain) = domain else {
        return settled(target.url, target.host, Block::Ownership);
    };
    let name = domain.name.clone();
    let areas = match areas(domain, task, &child, levels) {
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
fn areas(domain: &Domain, task: &Task, child: &Child, levels: u8) -> Result<AreaScope, Block> {
    let allowed = task.options.playlist_hosts.as_ref();
    if allowed.is_some_and(|hosts| !hosts.contains(&domain.name)) {
        return Err(Block::Policy);
    }
    let areas = reach(task, domain).filter(|_| domain.status == Status::Online);
    let areas = areas.ok_or(Block::Offline)?;
    if child.is_playlist && levels == 0 { Err(Block::TooDeep) } else { Ok(areas) }
}
