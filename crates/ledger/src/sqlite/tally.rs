//! Counts of targets by time, so that the total of a page is summed up and not counted.
//!
//! Every target is counted in the buckets of its task's creation: one minute and one hour, once for
//! its host and once for all hosts. A range of time is then a few hours, some minutes at both ends,
//! and what is left of the first and the last minute, which is counted row by row.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};
use stoker_domain::{
    area::{Area, AreaScope},
    outcome::Outcome,
    task::Progress,
};

use super::{
    failure::Failure,
    names,
    number::{signed, unsigned},
};

/// Spans of buckets in milliseconds, widest first.
const SPANS: [i64; 2] = [3_600_000, 60_000];
/// The number that stands for all hosts together.
pub(super) const ALL_HOSTS: i64 = 0;

/// How many targets, and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) targets: u64,
    pub(super) done: u64,
    pub(super) failed: u64,
    /// Of the failed, those whose first failure is an origin status.
    pub(super) failed_origin: u64,
    /// Of the failed, those whose first failure is a timeout.
    pub(super) failed_timeout: u64,
}

/// Kinds of failures that are counted and found apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Other,
    OriginStatus,
    Timeout,
}

impl Kind {
    /// The number of a target's kind in SQL, as the index `target_failed` has it.
    pub(super) const SQL: &str = "(CASE WHEN outcome = 'timeout' THEN 2
                 WHEN outcome GLOB 'origin_status:2[0-9][0-9]' THEN 0
                 ELSE substr(outcome, 1, 14) = 'origin_status:' END)";

    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Timeout => Self::Timeout,
            refusal if refusal.is_refusal() => Self::OriginStatus,
            _ => Self::Other,
        }
    }

    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Other => 0,
            Self::OriginStatus => 1,
            Self::Timeout => 2,
        }
    }
}

impl Counts {
    /// Counts an ended target.
    pub(super) fn end(&mut self, outcome: Outcome) {
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

    pub(super) fn add(&mut self, other: Self) {
        self.targets += other.targets;
        self.done += other.done;
        self.failed += other.failed;
        self.failed_origin += other.failed_origin;
        self.failed_timeout += other.failed_timeout;
    }

    /// Of these, how many are so far along; see `TargetFilter`.
    pub(super) fn matching(&self, progress: Option<Progress>, kind: Option<Kind>) -> u64 {
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

    /// Reads five columns from `column` on, in the order of the fields.
    pub(super) fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            targets: unsigned(row, column)?,
            done: unsigned(row, column + 1)?,
            failed: unsigned(row, column + 2)?,
            failed_origin: unsigned(row, column + 3)?,
            failed_timeout: unsigned(row, column + 4)?,
        })
    }
}

/// Counts by number of the host.
pub(super) type ByHost = BTreeMap<i64, Counts>;

/// All hosts together.
pub(super) fn sum(counts: &ByHost) -> Counts {
    let mut sum = Counts::default();
    counts.values().for_each(|counts| sum.add(*counts));
    sum
}

/// Which buckets a task counts in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) account: i64,
    pub(super) areas: AreaScope,
    /// Of the task's creation, as in its number.
    pub(super) millis: i64,
}

/// Which row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    account: i64,
    host: i64,
    span: i64,
    number: i64,
    areas: &'static str,
}

/// What is to be added to the table.
pub(super) type Tallies = BTreeMap<Bucket, Counts>;

/// Adds to the buckets of `place`.
pub(super) fn add(tallies: &mut Tallies, place: Place, counts: &ByHost) {
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

/// Writes what was added.
pub(super) fn write(connection: &Connection, tallies: &Tallies) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "/* tally */ INSERT INTO tally
             (account, host, span, bucket, areas, targets, done, failed, failed_origin,
              failed_timeout)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT DO UPDATE SET targets = targets + excluded.targets,
             done = done + excluded.done, failed = failed + excluded.failed,
             failed_origin = failed_origin + excluded.failed_origin,
             failed_timeout = failed_timeout + excluded.failed_timeout",
    )?;
    for (bucket, counts) in tallies {
        statement.execute(params![
            bucket.account,
            bucket.host,
            bucket.span,
            bucket.number,
            bucket.areas,
            signed(counts.targets),
            signed(counts.done),
            signed(counts.failed),
            signed(counts.failed_origin),
            signed(counts.failed_timeout),
        ])?;
    }
    Ok(())
}

/// Takes what was removed out of the table, and rows out of which everything was taken.
pub(super) fn write_removed(connection: &Connection, tallies: &Tallies) -> Result<(), Failure> {
    let mut take = connection.prepare_cached(
        "/* tally: take */ UPDATE tally SET targets = targets - ?6, done = done - ?7,
             failed = failed - ?8, failed_origin = failed_origin - ?9,
             failed_timeout = failed_timeout - ?10
         WHERE account = ?1 AND host = ?2 AND span = ?3 AND bucket = ?4 AND areas = ?5
         RETURNING targets",
    )?;
    let mut remove = connection.prepare_cached(
        "/* tally: remove */ DELETE FROM tally
         WHERE account = ?1 AND host = ?2 AND span = ?3 AND bucket = ?4 AND areas = ?5",
    )?;
    for (Bucket { account, host, span, number, areas }, counts) in tallies {
        let left: i64 = take.query_row(
            params![
                account,
                host,
                span,
                number,
                areas,
                signed(counts.targets),
                signed(counts.done),
                signed(counts.failed),
                signed(counts.failed_origin),
                signed(counts.failed_timeout),
            ],
            |row| row.get(0),
        )?;
        if left == 0 {
            remove.execute(params![account, host, span, number, areas])?;
        }
    }
    Ok(())
}

/// Tasks whose targets are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// Of this account; absent = of all.
    pub(super) account: Option<i64>,
    /// Their targets of this host, or [`ALL_HOSTS`].
    pub(super) host: i64,
    /// That asked for this area, alone or with the other.
    pub(super) area: Option<Area>,
    /// Created at these milliseconds, `from..to`.
    pub(super) from: i64,
    pub(super) to: i64,
}

/// The condition on a task `k`, to be put behind others.
pub(super) const fn area_condition(area: Option<Area>) -> &'static str {
    match area {
        None => "",
        Some(Area::Mainland) => " AND k.areas IN ('mainland', 'global')",
        Some(Area::Overseas) => " AND k.areas IN ('overseas', 'global')",
    }
}

/// Counts the targets of a range.
pub(super) fn count(connection: &Connection, range: &Range) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    for part in cut(range.from, range.to) {
        counts.add(match part.span {
            1 => count_edge(connection, range, part.from, part.to)?,
            _ => count_buckets(connection, range, part)?,
        });
    }
    Ok(counts)
}

fn count_buckets(connection: &Connection, range: &Range, part: Part) -> Result<Counts, Failure> {
    let account = match range.account {
        Some(_) => "account = ?1",
        None => "account IN (SELECT id FROM account) AND ?1 IS NULL",
    };
    let sql = format!(
        "/* tally: buckets */ SELECT coalesce(sum(targets), 0), coalesce(sum(done), 0),
             coalesce(sum(failed), 0), coalesce(sum(failed_origin), 0),
             coalesce(sum(failed_timeout), 0)
         FROM tally AS k
         WHERE {account} AND host = ?2 AND span = ?3 AND bucket >= ?4 AND bucket < ?5{}",
        area_condition(range.area)
    );
    let counts = connection
        .prepare_cached(&sql)?
        .query_row(params![range.account, range.host, part.span, part.from, part.to], |row| {
            Counts::read(row, 0)
        })?;
    Ok(counts)
}

/// Counts what lies in less than a minute: by tasks or, for one host, by targets.
fn count_edge(
    connection: &Connection,
    range: &Range,
    from: i64,
    to: i64,
) -> Result<Counts, Failure> {
    let account = match range.account {
        Some(_) => "k.account = ?1",
        None => "?1 IS NULL",
    };
    let area = area_condition(range.area);
    let kind = Kind::SQL;
    let sql = if range.host == ALL_HOSTS {
        format!(
            "/* tally: edge */ SELECT coalesce(sum(targets), 0), coalesce(sum(done), 0),
                 coalesce(sum(failed), 0), coalesce(sum(failed_origin), 0),
                 coalesce(sum(failed_timeout), 0)
             FROM task AS k WHERE {account} AND ?2 = 0 AND k.id >= ?3 AND k.id < ?4{area}"
        )
    } else {
        format!(
            "/* tally: edge of a host */ SELECT count(*), count(*) FILTER (WHERE progress = 1),
                 count(*) FILTER (WHERE progress = 2),
                 count(*) FILTER (WHERE progress = 2 AND {kind} = 1),
                 count(*) FILTER (WHERE progress = 2 AND {kind} = 2)
             FROM target AS t INDEXED BY target_by_host CROSS JOIN task AS k ON k.id = t.task
             WHERE {account} AND t.host = ?2 AND t.task >= ?3 AND t.task < ?4{area}"
        )
    };
    let (from, to) = (names::first_task(from), names::first_task(to));
    let counts = connection
        .prepare_cached(&sql)?
        .query_row(params![range.account, range.host, from, to], |row| Counts::read(row, 0))?;
    Ok(counts)
}

/// A part of a range of time: buckets `from..to` of `span`; a span of 1 is milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    span: i64,
    from: i64,
    to: i64,
}

/// Cuts the milliseconds `from..to` into the widest buckets that fit.
fn cut(from: i64, to: i64) -> Vec<Part> {
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
