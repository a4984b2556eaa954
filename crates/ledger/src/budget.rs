//! What a submission costs, and how far a budget goes.
//!
//! Equal URLs of a task are one target and cost one unit. A task that is submitted is paid for whole
//! or refused; children that a playlist names are paid for as far as quota and room go, and what
//! goes beyond is written all the same, settled at once, so that it is seen why it was not fetched.

use std::collections::{BTreeMap, HashSet};

use stoker_domain::{
    account::AccountId,
    outcome::{Block, Outcome},
    quota::Counter,
    task::{Task, TaskId},
};

use crate::{
    Charge, NewTask, PlannedTarget,
    chunk::{self, Chunk},
    tally::Counts,
};

/// A task ready to be written: merged, cut into chunks, with its jobs planned.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) task: Task,
    pub(crate) retry_of: Option<TaskId>,
    pub(crate) charges: Vec<Charge>,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) counts: Counts,
    /// Given targets whose URL another one has.
    pub(crate) merged: u64,
    /// Some target has neither nodes nor an outcome: it would never end.
    pub(crate) has_orphan: bool,
}

impl Plan {
    pub(crate) fn new(NewTask { task, charges, mut targets, retry_of }: NewTask) -> Self {
        let given = targets.len();
        // before equal URLs are merged: an orphan must not hide behind one that is none
        let has_orphan = targets.iter().any(is_orphan);
        merge_urls(&mut targets);
        let merged = (given - targets.len()) as u64;
        let chunks = chunk::cut(targets);
        let counts = chunk::counts(&chunks);
        Self { task, retry_of, charges, chunks, counts, merged, has_orphan }
    }

    /// About how many rows it writes.
    pub(crate) fn rows(&self) -> usize {
        usize::try_from(self.counts.targets).unwrap_or(usize::MAX).max(1)
    }
}

/// Leaves the first of targets with equal URLs.
pub(crate) fn merge_urls(targets: &mut Vec<PlannedTarget>) {
    // two passes, so that the set borrows the URLs and none is copied
    let mut seen = HashSet::with_capacity(targets.len());
    let is_first: Vec<bool> = targets.iter().map(|target| seen.insert(&*target.url)).collect();
    if seen.len() == is_first.len() {
        return;
    }
    let mut is_first = is_first.into_iter();
    targets.retain(|_| is_first.next().unwrap_or(true));
}

/// Whether a target has neither a node that must hold it nor an outcome.
pub(crate) fn is_orphan(target: &PlannedTarget) -> bool {
    target.settled.is_none() && target.nodes.is_empty()
}

/// What all `plans` together take of each counter, with the lowest limit that they name for it.
pub(crate) fn needed(plans: &[Plan]) -> BTreeMap<(AccountId, Counter), (u64, u64)> {
    let mut needed = BTreeMap::new();
    for plan in plans {
        for Charge { counter, daily } in &plan.charges {
            let key = (plan.task.account, *counter);
            let (limit, units) = needed.entry(key).or_insert((*daily, 0));
            *limit = (*daily).min(*limit);
            *units += plan.counts.targets;
        }
    }
    needed
}

/// How many children may be written as such, and how many of these the quota pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    room: usize,
    paid: usize,
}

/// What came of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// Units to be charged.
    pub(crate) paid: u64,
    /// Targets settled as over the quota.
    pub(crate) over_quota: u64,
}

impl Budget {
    /// For a task that has `present` targets of `most`; `available` is what each counter has left.
    pub(crate) fn new(most: u64, present: u64, available: impl IntoIterator<Item = u64>) -> Self {
        let count = |units| usize::try_from(units).unwrap_or(usize::MAX);
        // a child costs a unit of every counter, so that the scarcest decides; without any, nothing
        // does
        let paid = available.into_iter().min().unwrap_or(u64::MAX);
        Self { room: count(most.saturating_sub(present)), paid: count(paid) }
    }

    /// Settles the targets that it does not reach, the last ones.
    pub(crate) fn spend(self, targets: &mut [PlannedTarget]) -> Spent {
        // the first are kept: a player begins with them
        let (within, beyond) = targets.split_at_mut(self.room.min(targets.len()));
        for target in beyond {
            target.settled = Some(Outcome::Blocked(Block::TooManyChildren));
        }
        // only of those that have room: what is not fetched is not paid for
        let paid = self.paid.min(within.len());
        for target in &mut within[paid..] {
            target.settled = Some(Outcome::OverQuota);
        }
        Spent { paid: paid as u64, over_quota: (within.len() - paid) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stoker_domain::{area::Area, quota::Product};

    use super::*;
    use crate::suite::fixture::{T0, targets};

    const CHILDREN: Outcome = Outcome::Blocked(Block::TooManyChildren);

    fn counter(area: Area) -> Counter {
        Counter { product: Product::DomainPrefetch, area, day: 1 }
    }

    fn plan(account: i64, urls: &[&str], charges: &[(Area, u64)]) -> Plan {
        let task = Task {
            id: TaskId("1".into()),
            account: AccountId(account),
            product: Product::DomainPrefetch,
            areas: stoker_domain::area::AreaScope::Global,
            tier: None,
            options: Default::default(),
            created_at: T0,
        };
        let charge =
            |(area, daily): &(Area, u64)| Charge { counter: counter(*area), daily: *daily };
        let charges = charges.iter().map(charge).collect();
        let targets = targets(urls, &["edge"]);
        Plan::new(NewTask { task, charges, targets, retry_of: None })
    }

    #[test]
    fn the_first_of_equal_urls_stays() {
        let mut given = targets(&["b", "a", "b", "c", "a", "b"], &["edge"]);
        given[2].levels = 9;
        merge_urls(&mut given);
        let left: Vec<_> = given.iter().map(|target| (&*target.url, target.levels)).collect();
        assert_eq!(left, [("b", 0), ("a", 0), ("c", 0)]);
        let plan = plan(1, &["a", "a", "a"], &[]);
        assert_eq!((plan.merged, plan.counts.targets, plan.rows()), (2, 1, 1));
        assert_eq!(
            (self::plan(1, &[], &[]).rows(), self::plan(1, &["a", "b"], &[]).rows()),
            (1, 2)
        );
    }

    #[test]
    fn a_target_without_nodes_and_without_an_outcome_would_never_end() {
        let mut given = targets(&["a"], &[]);
        assert!(is_orphan(&given[0]));
        given[0].settled = Some(Outcome::OverQuota);
        assert!(!is_orphan(&given[0]));
        assert!(!is_orphan(&targets(&["a"], &["edge"])[0]));
        assert!(!plan(1, &["a"], &[]).has_orphan);
    }

    #[test]
    fn tasks_together_need_the_sum_under_the_lowest_limit() {
        let (mainland, overseas) = (Area::Mainland, Area::Overseas);
        let plans = [
            plan(1, &["a", "b"], &[(mainland, 10)]),
            plan(1, &["a", "c", "d"], &[(mainland, 7), (overseas, 9)]),
            plan(1, &["a"], &[(mainland, 8)]),
            plan(2, &["a"], &[(mainland, 1)]),
        ];
        let expected = BTreeMap::from([
            ((AccountId(1), counter(mainland)), (7, 6)),
            ((AccountId(1), counter(overseas)), (9, 3)),
            ((AccountId(2), counter(mainland)), (1, 1)),
        ]);
        assert_eq!(needed(&plans), expected);
    }

    #[test]
    fn a_budget_is_what_the_scarcest_counter_has() {
        assert_eq!(Budget::new(10, 4, [5, 3, 9]), Budget { room: 6, paid: 3 });
        assert_eq!(Budget::new(4, 4, []), Budget { room: 0, paid: usize::MAX });
        assert_eq!(Budget::new(4, 9, [0]), Budget { room: 0, paid: 0 });
    }

    proptest! {
        #[test]
        fn a_budget_pays_the_first_and_settles_the_others(
            count in 0usize..12, room in 0usize..12, paid in 0usize..12,
        ) {
            let urls: Vec<_> = (0..count).map(|number| number.to_string()).collect();
            let mut given = targets(&urls, &["edge"]);
            let spent = Budget { room, paid }.spend(&mut given);
            for (at, target) in given.iter().enumerate() {
                let expected = match at {
                    _ if at >= room => Some(CHILDREN),
                    _ if at >= paid => Some(Outcome::OverQuota),
                    _ => None,
                };
                prop_assert_eq!(target.settled, expected, "target {}", at);
            }
            let within = count.min(room);
            prop_assert_eq!(spent.paid, within.min(paid) as u64);
            prop_assert_eq!(spent.paid + spent.over_quota, within as u64);
        }
    }
}
