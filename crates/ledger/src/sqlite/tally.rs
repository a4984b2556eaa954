//! The tables of running counts: see `crate::tally`.

use rusqlite::{Connection, Row, params};
use stoker_domain::area::Area;

use super::{
    columns::{signed, unsigned},
    failure::Failure,
    names,
};
use crate::tally::{ALL_HOSTS, Bucket, Counts, Part, Sums, Tallies, cut};

/// The number of a target's [`Kind`](crate::tally::Kind) in SQL. Spelt as in the index
/// `target_failed`: SQLite finds an index over an expression only by the same expression.
pub(super) const KIND: &str = "(CASE WHEN outcome = 'timeout' THEN 2
                 WHEN outcome = 'canceled' THEN 3
                 WHEN outcome GLOB 'origin_status:2[0-9][0-9]' THEN 0
                 ELSE substr(outcome, 1, 14) = 'origin_status:' END)";

/// Reads six columns from `column` on, in the order of the fields.
pub(super) fn read_counts(row: &Row<'_>, column: usize) -> rusqlite::Result<Counts> {
    Ok(Counts {
        targets: unsigned(row, column)?,
        done: unsigned(row, column + 1)?,
        failed: unsigned(row, column + 2)?,
        failed_origin: unsigned(row, column + 3)?,
        failed_timeout: unsigned(row, column + 4)?,
        failed_canceled: unsigned(row, column + 5)?,
    })
}

/// Writes the sums of a transaction.
pub(super) fn write(connection: &Connection, sums: Sums) -> Result<(), Failure> {
    write_added(connection, &sums.added)?;
    write_removed(connection, &sums.removed)?;
    for (account, by) in sums.tasks {
        connection
            .prepare_cached(
                "/* submit: count tasks */ UPDATE account SET tasks = tasks + ?2 WHERE id = ?1",
            )?
            .execute([account, by])?;
    }
    Ok(())
}

fn write_added(connection: &Connection, tallies: &Tallies) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "/* tally */ INSERT INTO tally
             (account, host, span, bucket, areas, targets, done, failed, failed_origin,
              failed_timeout, failed_canceled)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT DO UPDATE SET targets = targets + excluded.targets,
             done = done + excluded.done, failed = failed + excluded.failed,
             failed_origin = failed_origin + excluded.failed_origin,
             failed_timeout = failed_timeout + excluded.failed_timeout,
             failed_canceled = failed_canceled + excluded.failed_canceled",
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
            signed(counts.failed_canceled),
        ])?;
    }
    Ok(())
}

/// Takes what was removed out of the table, and rows out of which everything was taken.
fn write_removed(connection: &Connection, tallies: &Tallies) -> Result<(), Failure> {
    let mut take = connection.prepare_cached(
        "/* tally: take */ UPDATE tally SET targets = targets - ?6, done = done - ?7,
             failed = failed - ?8, failed_origin = failed_origin - ?9,
             failed_timeout = failed_timeout - ?10, failed_canceled = failed_canceled - ?11
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
                signed(counts.failed_canceled),
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
             coalesce(sum(failed_timeout), 0), coalesce(sum(failed_canceled), 0)
         FROM tally AS k
         WHERE {account} AND host = ?2 AND span = ?3 AND bucket >= ?4 AND bucket < ?5{}",
        area_condition(range.area)
    );
    let counts = connection
        .prepare_cached(&sql)?
        .query_row(params![range.account, range.host, part.span, part.from, part.to], |row| {
            read_counts(row, 0)
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
    let kind = KIND;
    let sql = if range.host == ALL_HOSTS {
        format!(
            "/* tally: edge */ SELECT coalesce(sum(targets), 0), coalesce(sum(done), 0),
                 coalesce(sum(failed), 0), coalesce(sum(failed_origin), 0),
                 coalesce(sum(failed_timeout), 0), coalesce(sum(failed_canceled), 0)
             FROM task AS k WHERE {account} AND ?2 = 0 AND k.id >= ?3 AND k.id < ?4{area}"
        )
    } else {
        format!(
            "/* tally: edge of a host */ SELECT count(*), count(*) FILTER (WHERE progress = 1),
                 count(*) FILTER (WHERE progress = 2),
                 count(*) FILTER (WHERE progress = 2 AND {kind} = 1),
                 count(*) FILTER (WHERE progress = 2 AND {kind} = 2),
                 count(*) FILTER (WHERE progress = 2 AND {kind} = 3)
             FROM target AS t INDEXED BY target_by_host CROSS JOIN task AS k ON k.id = t.task
             WHERE {account} AND t.host = ?2 AND t.task >= ?3 AND t.task < ?4{area}"
        )
    };
    let (from, to) = (names::first_task(from), names::first_task(to));
    let counts = connection
        .prepare_cached(&sql)?
        .query_row(params![range.account, range.host, from, to], |row| read_counts(row, 0))?;
    Ok(counts)
}
