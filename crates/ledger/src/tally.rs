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
}

/// Kinds of failures that are counted and found apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Other,
    OriginStatus,
    Timeout,
}

impl Kind {
    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Timeout => Self::Timeout,
            refusal if refusal.is_refusal() => Self::OriginStatus,
            _ => Self::Other,
        }
    }

    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Other => 0,
            Self::OriginStatus => 1,
            Self::Timeout => 2,
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
    }

    /// Of these, how many are so far along; see `TargetFilter`.
    pub(crate) fn matching(&self, progress: Option<Progress>, kind: Option<Kind>) -> u64 {
        let failed = match kind {
            None => self.failed,
            Some(Kind::OriginStatus) => self.failed_origin,
            Some(Kind::Timeout) => self.failed_timeout,
            Some(Kind::Other) => self.failed - self.failed_origin - self.failed_timeout,
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
pub(crate) struct Place {
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

/// Adds to the buckets of `place`.
pub(crate) fn add(tallies: &mut Tallies, place: Place, counts: &ByHost) {
    let together = (ALL_HOSTS, sum(counts));
    for (host, counts) in counts.iter().map(|(host, counts)| (*host, *counts)).chain([together]) {
        if counts == Counts::default() {
            continue;
        }
        for span in SPANS {
            let bucket = Bucket {
                account: place.account,
                host,
                span,
                number: place.millis.div_euclid(span),
                areas: place.areas.as_str(),
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

/// Cuts the milliseconds `from..to` into the widest buckets that fit.
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
        let counts =
            Counts { targets: 10, done: 3, failed: 5, failed_origin: 2, failed_timeout: 1 };
        for (progress, kind, matching) in [
            (None, None, 10),
            (Some(Progress::Processing), None, 2),
            (Some(Progress::Done), None, 3),
            (Some(Progress::Failed), None, 5),
            (Some(Progress::Failed), Some(Kind::OriginStatus), 2),
            (Some(Progress::Failed), Some(Kind::Timeout), 1),
            (None, Some(Kind::Other), 2),
            (Some(Progress::Done), Some(Kind::OriginStatus), 0),
        ] {
            assert_eq!(counts.matching(progress, kind), matching, "{progress:?}");
        }
    }
}
