//! Playlists: their children become targets of the same task, each charged.
//!
//! Which of them are fetched, `crate::accept` decides. What a task that is full has no row for makes
//! its playlist fail. Repeating is harmless: the ledger knows each URL of a task once.

use std::collections::BTreeSet;

use stoker_domain::{
    media::Child,
    task::{Task, TaskId, TaskState},
    view::{TaskFilter, TaskRow},
};
use stoker_ledger::{ChildPlan, LeasedItem};

use crate::{
    Engine, Error,
    accept::{charges, plan_child},
};

impl Engine {
    /// Adds the children of the playlist `item` to `task`; how many are left out, because it is full.
    pub(crate) async fn expand(
        &self,
        task: &Task,
        item: &LeasedItem,
        children: Vec<Child>,
    ) -> Result<u64, Error> {
        let directory = self.directory.current();
        let levels = item.levels.saturating_sub(1);
        let (refused, fetched): (Vec<_>, Vec<_>) = children
            .into_iter()
            .map(|child| plan_child(&directory, task, child, levels))
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
        self.wakeups.notify(nodes.iter().map(String::as_str));
        if task.options.limit_mbps.is_some() && !self.runs(&task.id).await? {
            // it was stopped meanwhile
            self.end_limit(&task.id);
        }
        Ok(left_out)
    }

    /// Whether `task` is worked on.
    async fn runs(&self, task: &TaskId) -> Result<bool, Error> {
        let filter = TaskFilter { id: Some(task.clone()), limit: 1, ..TaskFilter::default() };
        let rows = self.ledger.tasks(&filter).await?.rows;
        let runs = |row: &TaskRow| row.finished_at.is_none() && row.state == TaskState::Running;
        Ok(rows.iter().any(runs))
    }
}
