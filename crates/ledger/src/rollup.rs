//! What a report changes: from items of one job to targets, and from targets to the task.
//!
//! The settled bitmap of the job decides what is new, so a repeated report changes nothing. The
//! chunk counts for each target how many nodes are left. A target's own row changes when its first
//! node fails and when its last one settles, never for each node: see [`Change`].

use stoker_domain::{
    job::ItemReport, media::NotFollowed, outcome::Outcome, plan::Positions, task::Progress,
};

use crate::{
    Applied, ItemDecision,
    chunk::Pending,
    stored::StoredReport,
    tally::{self, ByHost},
};

/// The items of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobItems {
    /// Which targets of the chunk its node must hold.
    pub(crate) members: Positions,
    /// Those of them whose outcome is final.
    pub(crate) settled: Positions,
}

impl JobItems {
    pub(crate) fn unsettled(&self) -> Positions {
        self.members.minus(&self.settled)
    }

    fn is_open(&self, position: u16) -> bool {
        self.members.contains(position) && !self.settled.contains(position)
    }
}

/// What a chunk counts of its targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChunkState {
    pub(crate) pending: Pending,
    /// Targets that failed on some node.
    pub(crate) failed: Positions,
}

/// What is to be written into the row of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The outcome of the report: no other node had failed, and some have still to settle.
    FirstFailure,
    /// Its end, for this was its last node.
    End {
        /// Done or failed.
        progress: Progress,
        /// The outcome is the first failure, which the row has already.
        keeps_outcome: bool,
    },
}

/// Bytes of a task, as it keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes {
    /// Sizes of the targets that are done.
    pub(crate) done: u64,
    /// Sizes of targets, once for each node on which one was a success.
    pub(crate) held: u64,
    /// What nodes pulled for targets that are final there.
    pub(crate) pulled: u64,
}

impl Bytes {
    /// Counts one node's last word on a target.
    pub(crate) fn settle(&mut self, report: &ItemReport) {
        // also of failures: bytes that were pulled in vain were pulled
        self.pulled = self.pulled.saturating_add(report.pulled_bytes);
        if report.outcome.is_success() {
            self.held = self.held.saturating_add(report.size_bytes.unwrap_or(0));
        }
    }
}

/// A report on its way into job, chunk, targets and task.
#[derive(Debug, Default)]
pub(crate) struct Rollup {
    pub(crate) job: JobItems,
    pub(crate) chunk: ChunkState,
    /// What is appended: items that were open until now.
    pub(crate) heard: Vec<StoredReport>,
    /// Items settled.
    pub(crate) settled: u64,
    /// Targets whose last node settled.
    pub(crate) ended: u64,
    /// How they ended, by number of the host.
    pub(crate) by_host: ByHost,
    pub(crate) bytes: Bytes,
    /// What their playlists name and is not followed; all nodes of a target say the same.
    pub(crate) not_followed: NotFollowed,
}

impl Rollup {
    pub(crate) fn new(job: JobItems, chunk: ChunkState) -> Self {
        Self { job, chunk, ..Self::default() }
    }

    /// Takes one item of the report; what changes in the row of its target, if anything does.
    pub(crate) fn take(&mut self, item: &ItemDecision) -> Option<Change> {
        let report = &item.report;
        if !self.job.is_open(report.position) {
            return None;
        }
        // kept also when it is not final: it is what is known so far of an item that is tried again
        self.heard.push(StoredReport::from(report));
        if !item.is_final {
            return None;
        }
        // at once, so that an item which stands twice in a report counts once
        self.job.settled.insert(report.position);
        self.settled += 1;
        self.bytes.settle(report);
        // `failed` outlives reports: another node of the target may have failed long ago
        let had_failed = self.chunk.failed.contains(report.position);
        let fails = !report.outcome.is_success();
        if fails {
            self.chunk.failed.insert(report.position);
        }
        // the count and not the jobs: to look at every other job of the chunk would read a row for
        // each node
        if self.chunk.pending.settle(report.position) > 0 {
            return (fails && !had_failed).then_some(Change::FirstFailure);
        }
        self.ended += 1;
        // of the last node alone: every node names the same, and the sum would multiply it
        self.not_followed.add(&report.not_followed);
        // done means that all nodes hold it: one failure suffices
        let progress = if had_failed || fails { Progress::Failed } else { Progress::Done };
        Some(Change::End { progress, keeps_outcome: had_failed })
    }

    /// Counts an ended target, of which the row now has this outcome and size.
    pub(crate) fn end(&mut self, host: i64, outcome: Outcome, size_bytes: u64) {
        self.by_host.entry(host).or_default().end(outcome);
        if outcome.is_success() {
            self.bytes.done = self.bytes.done.saturating_add(size_bytes);
        }
    }

    /// What became of the report; the task is the backend's to find.
    pub(crate) fn applied(&self) -> Applied {
        Applied {
            settled: self.settled,
            job_is_final: self.job.unsettled().is_empty(),
            finished_targets: self.ended,
            failed_targets: tally::sum(&self.by_host).failed,
            ..Applied::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use stoker_domain::media::Kind;

    use super::*;
    use crate::{suite::fixture::item, tally::Counts};

    const DONE: Option<Change> =
        Some(Change::End { progress: Progress::Done, keeps_outcome: false });

    fn unfollowed(count: u64) -> NotFollowed {
        NotFollowed { counts: BTreeMap::from([(Kind::Key, count)]), first: Vec::new() }
    }

    fn failed(keeps_outcome: bool) -> Option<Change> {
        Some(Change::End { progress: Progress::Failed, keeps_outcome })
    }

    fn rollup(members: &[u16], settled: &[u16], nodes: &[u16]) -> Rollup {
        let set = |positions: &[u16]| positions.iter().copied().collect();
        let bytes: Vec<_> = nodes.iter().flat_map(|count| count.to_le_bytes()).collect();
        let chunk = ChunkState { pending: Pending::from_bytes(&bytes), failed: set(&[]) };
        Rollup::new(JobItems { members: set(members), settled: set(settled) }, chunk)
    }

    fn decide(position: u16, outcome: Outcome) -> ItemDecision {
        ItemDecision { report: item(position, outcome), is_final: true }
    }

    #[test]
    fn the_first_failure_is_written_at_once_and_stays() {
        let mut rollup = rollup(&[0, 1, 2], &[], &[2, 1, 1]);
        assert_eq!(rollup.take(&decide(0, Outcome::Timeout)), Some(Change::FirstFailure));
        assert_eq!(rollup.take(&decide(1, Outcome::TooLarge)), failed(false));
        assert_eq!(rollup.take(&decide(2, Outcome::Filled)), DONE);
        assert_eq!((rollup.settled, rollup.ended), (3, 2));
        assert!(rollup.applied().job_is_final);
        // the second node of the first target, in a report of its own
        let chunk = rollup.chunk;
        for (outcome, expected) in
            [(Outcome::Filled, failed(true)), (Outcome::TooLarge, failed(true))]
        {
            let items = JobItems { members: [0].into_iter().collect(), ..JobItems::default() };
            let mut second = Rollup::new(items, chunk.clone());
            assert_eq!(second.take(&decide(0, outcome)), expected, "{outcome}");
        }
    }

    #[test]
    fn a_second_failure_and_a_success_before_the_last_change_no_row() {
        let mut rollup = rollup(&[0, 1], &[], &[3, 2]);
        assert_eq!(rollup.take(&decide(1, Outcome::Filled)), None);
        rollup.chunk.failed.insert(0);
        assert_eq!(rollup.take(&decide(0, Outcome::Timeout)), None);
        assert_eq!((rollup.settled, rollup.ended), (2, 0));
        assert_eq!([rollup.chunk.pending.get(0), rollup.chunk.pending.get(1)], [2, 1]);
    }

    #[test]
    fn what_is_settled_or_belongs_to_others_is_not_heard() {
        let mut rollup = rollup(&[0, 1], &[1], &[1, 1, 1]);
        for position in [1, 2, 400] {
            assert_eq!(rollup.take(&decide(position, Outcome::Filled)), None);
        }
        assert_eq!((rollup.heard.len(), rollup.settled), (0, 0));
        assert_eq!(rollup.bytes, Bytes::default());
        assert_eq!(rollup.applied(), Applied::default());
        assert_eq!(rollup.take(&decide(0, Outcome::Filled)), DONE);
        assert_eq!(rollup.take(&decide(0, Outcome::Filled)), None, "an item repeated in a report");
        assert_eq!((rollup.heard.len(), rollup.settled), (1, 1));
    }

    #[test]
    fn an_item_that_is_not_final_is_heard_and_changes_nothing() {
        let mut rollup = rollup(&[0], &[], &[1]);
        let decision = ItemDecision { is_final: false, ..decide(0, Outcome::Timeout) };
        assert_eq!(rollup.take(&decision), None);
        assert_eq!((rollup.heard.len(), rollup.settled, rollup.ended), (1, 0, 0));
        assert_eq!(rollup.chunk.failed, Positions::default());
        assert!(!rollup.applied().job_is_final);
        assert_eq!(rollup.take(&decide(0, Outcome::Filled)), DONE);
    }

    #[test]
    fn bytes_count_what_is_held_pulled_and_done() {
        let mut rollup = rollup(&[0, 1, 2], &[], &[1, 1, 2]);
        for (position, outcome) in
            [(0, Outcome::Filled), (1, Outcome::Timeout), (2, Outcome::Revalidated)]
        {
            let mut decision = decide(position, outcome);
            decision.report.size_bytes = Some(1000);
            decision.report.pulled_bytes = 10;
            decision.report.not_followed = unfollowed(1);
            rollup.take(&decision);
        }
        assert_eq!(rollup.bytes, Bytes { done: 0, held: 2000, pulled: 30 });
        assert_eq!(rollup.not_followed, unfollowed(2), "of targets that ended");
        rollup.end(7, Outcome::Filled, 1000);
        rollup.end(7, Outcome::Timeout, 1000);
        rollup.end(8, Outcome::OriginStatus(404), 1000);
        assert_eq!(rollup.bytes.done, 1000);
        let counts = |failed_origin, failed_timeout, done| Counts {
            targets: 0,
            done,
            failed: 1,
            failed_origin,
            failed_timeout,
            failed_canceled: 0,
        };
        assert_eq!(rollup.by_host, ByHost::from([(7, counts(0, 1, 1)), (8, counts(1, 0, 0))]));
        let mut most = Bytes { done: 0, held: u64::MAX, pulled: u64::MAX };
        most.settle(&item(0, Outcome::Filled));
        assert_eq!(most, Bytes { done: 0, held: u64::MAX, pulled: u64::MAX }, "no overflow");
    }

    proptest! {
        /// Nodes report in any order and repeat themselves: the target ends once, as the plain
        /// rule says.
        #[test]
        fn a_target_ends_with_its_last_node_whatever_is_repeated(
            outcomes in prop::collection::vec(
                prop_oneof![Just(Outcome::Filled), Just(Outcome::Timeout), Just(Outcome::TooLarge)],
                1..6,
            ),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let nodes = u16::try_from(outcomes.len()).unwrap();
            let mut chunk = rollup(&[], &[], &[nodes]).chunk;
            let mut settled = vec![Positions::default(); outcomes.len()];
            let mut row: Option<Outcome> = None;
            let mut ends = 0;
            let all = (0..outcomes.len()).collect::<Vec<_>>();
            let visits = order.iter().map(|index| index.index(outcomes.len())).chain(all);
            let mut expected = None;
            for node in visits {
                let is_new = settled[node].is_empty();
                if is_new && !outcomes[node].is_success() && expected.is_none() {
                    expected = Some(outcomes[node]);
                }
                let items = JobItems {
                    members: [0].into_iter().collect(),
                    settled: settled[node].clone(),
                };
                let mut rollup = Rollup::new(items, chunk.clone());
                let change = rollup.take(&decide(0, outcomes[node]));
                prop_assert!(is_new || change.is_none());
                match change {
                    None => {}
                    Some(Change::FirstFailure) => row = Some(outcomes[node]),
                    Some(Change::End { progress, keeps_outcome }) => {
                        ends += 1;
                        if !keeps_outcome {
                            row = Some(outcomes[node]);
                        }
                        let is_done = outcomes.iter().all(|outcome| outcome.is_success());
                        prop_assert_eq!(progress == Progress::Done, is_done);
                    }
                }
                (settled[node], chunk) = (rollup.job.settled, rollup.chunk);
            }
            prop_assert_eq!(ends, 1);
            match expected {
                Some(failure) => prop_assert_eq!(row, Some(failure), "the first failure"),
                None => prop_assert!(row.unwrap().is_success()),
            }
        }
    }
}
