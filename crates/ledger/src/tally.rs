//! Running counts of targets by the minute and the hour of their task's creation.
//!
//! A total over any range of time is a sum of a few buckets and of two edges shorter than a minute,
//! however many targets there are. Each account has buckets for each of its hosts, and one for all
//! of them together. What the verbs of one transaction count is gathered in [`Sums`] and written
//! once, for many verbs count in the same buckets. The tables are the backend's.

use std::collections::BTreeMap;

use stoker_domain::{area::AreaScope, outcome::Outcome, task::Progress, view::TargetState};

/// Spans of buckets in milliseconds, widest first.
const SPANS: [i64; 2] = [3_600_000, 60_000];
/// The number that stands for all hosts together.
pub(crate) const ALL_HOSTS: i64 = 0;

/// How many targets, and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) targets: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Of the failed, those whose first failure is an origin status.
    pub(crate) failed_origin: u64,
    /// Of the failed, those whose first failure is a timeout.
    pub(crate) failed_timeout: u64,
    /// Of the failed, those whose first failure is that the task was canceled.
    pub(crate) failed_canceled: u64,
}

/// Kinds of failures that are counted and found apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Other,
    OriginStatus,
    Timeout,
    Canceled,
}

impl Kind {
    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Timeout => Self::Timeout,
            Outcome::Canceled => Self::Canceled,
            refusal if refusal.is_refusal() => Self::OriginStatus,
            _ => Self::Other,
        }
    }

    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Other => 0,
            Self::OriginStatus => 1,
            Self::Timeout => 2,
            Self::Canceled => 3,
        }
    }
}

impl Counts {
    /// Counts an ended target.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        if outcome.is_success() {
            self.done += 1;
        } else {
            self.failed += 1;
            match Kind::of(outcome) {
                Kind::OriginStatus => self.failed_origin += 1,
                Kind::Timeout => self.failed_timeout += 1,
                Kind::Canceled => self.failed_canceled += 1,
                Kind::Other => {}
            }
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.targets += other.targets;
        self.done += other.done;
        self.failed += other.failed;
        self.failed_origin += other.failed_origin;
        self.failed_timeout += other.failed_timeout;
        self.failed_canceled += other.failed_canceled;
    }

    /// Of these, how many are so far along; see `TargetFilter`.
    pub(crate) fn matching(&self, progress: Option<Progress>, kind: Option<Kind>) -> u64 {
        let failed = match kind {
            None => self.failed,
            Some(Kind::OriginStatus) => self.failed_origin,
            Some(Kind::Timeout) => self.failed_timeout,
            Some(Kind::Canceled) => self.failed_canceled,
            Some(Kind::Other) => {
                self.failed - self.failed_origin - self.failed_timeout - self.failed_canceled
            }
        };
        match (progress, kind) {
            (None, None) => self.targets,
            (None | Some(Progress::Failed), _) => failed,
            (Some(_), Some(_)) => 0,
            (Some(Progress::Done), None) => self.done,
            (Some(Progress::Processing), None) => self.targets - self.done - self.failed,
        }
    }
}

/// Counts by number of the host.
pub(crate) type ByHost = BTreeMap<i64, Counts>;

/// All hosts together.
pub(crate) fn sum(counts: &ByHost) -> Counts {
    let mut sum = Counts::default();
    counts.values().for_each(|counts| sum.add(*counts));
    sum
}

/// Which buckets a task counts in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskBuckets {
    pub(crate) account: i64,
    pub(crate) areas: AreaScope,
    /// Of the task's creation, as in its number.
    pub(crate) millis: i64,
}

/// Which row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bucket {
    pub(crate) account: i64,
    pub(crate) host: i64,
    pub(crate) span: i64,
    pub(crate) number: i64,
    pub(crate) areas: &'static str,
}

/// What is to be added to the table.
pub(crate) type Tallies = BTreeMap<Bucket, Counts>;

/// Adds to the buckets of `buckets`.
pub(crate) fn add(tallies: &mut Tallies, buckets: TaskBuckets, counts: &ByHost) {
    let together = (ALL_HOSTS, sum(counts));
    for (host, counts) in counts.iter().map(|(host, counts)| (*host, *counts)).chain([together]) {
        if counts == Counts::default() {
            continue;
        }
        for span in SPANS {
            let bucket = Bucket {
                account: buckets.account,
                host,
                span,
                number: buckets.millis.div_euclid(span),
                areas: buckets.areas.as_str(),
            };
            tallies.entry(bucket).or_default().add(counts);
        }
    }
}

/// What the verbs of a transaction add up to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// To be added to the buckets.
    pub(crate) added: Tallies,
    /// To be taken out of them; what is removed was added before.
    pub(crate) removed: Tallies,
    /// New tasks less removed ones, by account.
    pub(crate) tasks: BTreeMap<i64, i64>,
}

impl Sums {
    /// Counts a new task of `account`, or with -1 one that was removed.
    pub(crate) fn count_task(&mut self, account: i64, by: i64) {
        *self.tasks.entry(account).or_default() += by;
    }

    /// Takes over what one verb counted.
    pub(crate) fn absorb(&mut self, verb: Self) {
        for (all, counted) in [(&mut self.added, verb.added), (&mut self.removed, verb.removed)] {
            for (bucket, counts) in counted {
                all.entry(bucket).or_default().add(counts);
            }
        }
        for (account, by) in verb.tasks {
            self.count_task(account, by);
        }
    }
}

/// The wanted states as the tables know them: `progress`, and the kind of failure.
pub(crate) fn states(wanted: Option<&[TargetState]>) -> Vec<(Option<Progress>, Option<Kind>)> {
    let Some(wanted) = wanted else { return vec![(None, None)] };
    let wants = |state| wanted.contains(&state);
    let mut states = Vec::new();
    if wants(TargetState::Processing) {
        states.push((Some(Progress::Processing), None));
    }
    if wants(TargetState::Done) {
        states.push((Some(Progress::Done), None));
    }
    let kinds = [
        (TargetState::FailedByOrigin, Kind::OriginStatus),
        (TargetState::FailedByTimeout, Kind::Timeout),
        (TargetState::Canceled, Kind::Canceled),
        (TargetState::FailedOtherwise, Kind::Other),
    ];
    if kinds.iter().all(|(state, _)| wants(*state)) {
        states.push((Some(Progress::Failed), None));
    } else {
        let wanted = kinds.into_iter().filter(|(state, _)| wants(*state));
        states.extend(wanted.map(|(_, kind)| (Some(Progress::Failed), Some(kind))));
    }
    states
}

/// A part of a range of time: buckets `from..to` of `span`; a span of 1 is milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) span: i64,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Cuts the milliseconds `from..to` into the widest buckets that fit: hours in the middle, minutes
/// before and after them, and less than a minute at either end.
// five parts at most, whatever the range: a total costs five reads of an index
pub(crate) fn cut(from: i64, to: i64) -> Vec<Part> {
    let mut parts = Vec::new();
    cut_by(&SPANS, from, to, &mut parts);
    parts
}

fn cut_by(spans: &[i64], from: i64, to: i64, parts: &mut Vec<Part>) {
    if from >= to {
        return;
    }
    let Some((&span, narrower)) = spans.split_first() else {
        parts.push(Part { span: 1, from, to });
        return;
    };
    // the first bucket that begins in the range, rounded up, and the first that does not end in it
    let (first, end) = (-(-from).div_euclid(span), to.div_euclid(span));
    if first >= end {
        cut_by(narrower, from, to, parts);
        return;
    }
    parts.push(Part { span, from: first, to: end });
    cut_by(narrower, from, first * span, parts);
    cut_by(narrower, end * span, to, parts);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_parts_of_a_range_are_the_range_and_few(
            from in -20_000_000i64..20_000_000,
            length in 0i64..40_000_000,
        ) {
            let mut parts = cut(from, from + length);
            prop_assert!(parts.len() <= 5, "{parts:?}");
            parts.sort_by_key(|part| part.from * part.span);
            let mut at = from;
            for part in parts {
                prop_assert_eq!(part.from * part.span, at);
                prop_assert!(part.from < part.to);
                at = part.to * part.span;
            }
            prop_assert_eq!(at, from + length);
        }
    }

    #[test]
    fn a_kind_is_only_asked_of_the_failed() {
        let counts = Counts {
            targets: 12,
            done: 3,
            failed: 7,
            failed_origin: 2,
            failed_timeout: 1,
            failed_canceled: 2,
        };
        for (progress, kind, matching) in [
            (None, None, 12),
            (Some(Progress::Processing), None, 2),
            (Some(Progress::Done), None, 3),
            (Some(Progress::Failed), None, 7),
            (Some(Progress::Failed), Some(Kind::OriginStatus), 2),
            (Some(Progress::Failed), Some(Kind::Timeout), 1),
            (Some(Progress::Failed), Some(Kind::Canceled), 2),
            (None, Some(Kind::Other), 2),
            (Some(Progress::Done), Some(Kind::OriginStatus), 0),
        ] {
            assert_eq!(counts.matching(progress, kind), matching, "{progress:?}");
        }
    }

    #[test]
    fn an_end_is_counted_by_its_kind() {
        let mut counts = Counts::default();
        for (outcome, expected) in [
            (Outcome::Filled, [1, 0, 0, 0, 0]),
            (Outcome::AlreadyFresh, [2, 0, 0, 0, 0]),
            (Outcome::OriginStatus(404), [2, 1, 1, 0, 0]),
            (Outcome::OriginStatus(503), [2, 2, 2, 0, 0]),
            // a success of the origin that is not kept is no refusal
            (Outcome::OriginStatus(204), [2, 3, 2, 0, 0]),
            (Outcome::Timeout, [2, 4, 2, 1, 0]),
            (Outcome::TooLarge, [2, 5, 2, 1, 0]),
            (Outcome::Canceled, [2, 6, 2, 1, 1]),
        ] {
            counts.end(outcome);
            let Counts { done, failed, failed_origin, failed_timeout, failed_canceled, .. } =
                counts;
            let found = [done, failed, failed_origin, failed_timeout, failed_canceled];
            assert_eq!(found, expected, "{outcome}");
        }
        assert_eq!(counts.targets, 0, "an end is no new target");
        let kinds = [Kind::Other, Kind::OriginStatus, Kind::Timeout, Kind::Canceled];
        assert_eq!(kinds.map(Kind::number), [0, 1, 2, 3]);
    }

    fn some(targets: u64) -> Counts {
        Counts {
            targets,
            done: 1,
            failed: 6,
            failed_origin: 2,
            failed_timeout: 3,
            failed_canceled: 1,
        }
    }

    #[test]
    fn counts_lie_in_the_minute_and_the_hour_of_each_host_and_of_all() {
        let buckets =
            TaskBuckets { account: 7, areas: AreaScope::Mainland, millis: 3_600_000 + 60_001 };
        let by_host = ByHost::from([(1, some(10)), (2, some(20)), (3, Counts::default())]);
        let mut tallies = Tallies::new();
        add(&mut tallies, buckets, &by_host);
        add(&mut tallies, TaskBuckets { millis: 3_600_000 + 120_000, ..buckets }, &by_host);
        let of = |host, span, number| {
            tallies.get(&Bucket { account: 7, host, span, number, areas: "mainland" }).copied()
        };
        assert_eq!(of(1, 60_000, 61), Some(some(10)));
        assert_eq!(of(2, 60_000, 62), Some(some(20)));
        let mut both = some(20);
        both.add(some(20));
        assert_eq!(of(2, 3_600_000, 1), Some(both));
        assert_eq!(
            both,
            Counts {
                targets: 40,
                done: 2,
                failed: 12,
                failed_origin: 4,
                failed_timeout: 6,
                failed_canceled: 2
            }
        );
        assert_eq!(of(ALL_HOSTS, 3_600_000, 1).map(|counts| counts.targets), Some(60));
        assert_eq!(of(ALL_HOSTS, 60_000, 61), Some(sum(&by_host)));
        assert_eq!(tallies.len(), 3 * 2 + 3, "nothing of the host that has nothing");
        let before = TaskBuckets { millis: -1, ..buckets };
        let mut tallies = Tallies::new();
        add(&mut tallies, before, &by_host);
        assert!(tallies.keys().all(|bucket| bucket.number == -1), "{tallies:?}");
    }

    #[test]
    fn a_transaction_takes_over_what_each_verb_counted() {
        let buckets = TaskBuckets { account: 7, areas: AreaScope::Global, millis: 0 };
        let counted = |targets| {
            let mut verb = Sums::default();
            add(&mut verb.added, buckets, &ByHost::from([(1, some(targets))]));
            add(&mut verb.removed, buckets, &ByHost::from([(1, some(1))]));
            verb.count_task(7, 1);
            verb
        };
        let mut all = Sums::default();
        all.absorb(counted(10));
        all.absorb(counted(20));
        all.count_task(7, -1);
        all.count_task(8, 1);
        let bucket = Bucket { account: 7, host: 1, span: 60_000, number: 0, areas: "global" };
        assert_eq!((all.added[&bucket].targets, all.removed[&bucket].targets), (30, 2));
        assert_eq!(all.added[&Bucket { host: ALL_HOSTS, ..bucket }].done, 2);
        assert_eq!(all.tasks, BTreeMap::from([(7, 1), (8, 1)]));
    }

    #[test]
    fn states_are_told_once_each_and_failures_together_where_all_are_wanted() {
        use TargetState as S;
        let failed = |kind| (Some(Progress::Failed), Some(kind));
        for (wanted, expected) in [
            (None, vec![(None, None)]),
            (Some(vec![]), vec![]),
            (Some(vec![S::Done, S::Done]), vec![(Some(Progress::Done), None)]),
            (Some(vec![S::Processing]), vec![(Some(Progress::Processing), None)]),
            (Some(vec![S::FailedByOrigin]), vec![failed(Kind::OriginStatus)]),
            (
                Some(vec![S::FailedOtherwise, S::FailedByTimeout]),
                vec![failed(Kind::Timeout), failed(Kind::Other)],
            ),
            (Some(S::of(Progress::Failed)), vec![(Some(Progress::Failed), None)]),
            (
                Some(vec![S::Done, S::FailedByTimeout, S::Processing]),
                vec![
                    (Some(Progress::Processing), None),
                    (Some(Progress::Done), None),
                    failed(Kind::Timeout),
                ],
            ),
        ] {
            assert_eq!(states(wanted.as_deref()), expected, "{wanted:?}");
        }
    }
}
