//! Leases: who works on which job, until when.
//!
//! A job is due when its `due` has come: for one that waits that is `not_before`, for one that is
//! leased the end of the lease. One index over what is not final thus serves both, and a lease that
//! ran out needs no sweeper. A job waits while its node has an unconfirmed purge order of the same
//! account: see `purge`. A lease counts only while its task runs: see `control`.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use stoker_domain::{
    job::{Heartbeat, JobId, JobItem, LeaseToken, LeasedJob},
    plan::Positions,
    time::Timestamp,
};

use super::{Sqlite, columns::positions, failure::Failure, fields, names, report, views};
use crate::{Applied, Error, Leased, LeasedItem, Leases, ReportWrite};

#[async_trait]
impl Leases for Sqlite {
    async fn lease(
        &self,
        node: &str,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
        seed: u64,
    ) -> Result<Vec<LeasedJob>, Error> {
        let request = LeaseRequest { node: node.to_owned(), limit, now, until, seed };
        self.write("lease jobs", limit, move |c| lease(c, &request)).await
    }

    async fn renew(&self, beat: &Heartbeat, until: Timestamp) -> Result<bool, Error> {
        let (job, token) = (beat.job, beat.token);
        self.write("renew a lease", 1, move |c| renew(c, job, token, until)).await
    }

    async fn report(&self, report: ReportWrite) -> Result<Applied, Error> {
        let rows = report.items.len();
        self.write("apply a report", rows, move |c| report::apply(c, &report)).await
    }

    async fn defer(&self, jobs: Vec<(JobId, LeaseToken, Timestamp)>) -> Result<(), Error> {
        self.write("defer jobs", jobs.len(), move |c| defer(c, &jobs)).await
    }

    async fn hasten(&self, jobs: Vec<JobId>, now: Timestamp) -> Result<(), Error> {
        self.write("hasten jobs", jobs.len(), move |c| hasten(c, &jobs, now)).await
    }

    async fn release(&self, node: &str, now: Timestamp) -> Result<u64, Error> {
        let node = node.to_owned();
        self.write("release leases", 1, move |c| release(c, &node, now)).await
    }

    async fn next_due(&self, node: &str) -> Result<Option<Timestamp>, Error> {
        let node = node.to_owned();
        self.read("find the next job", move |c| next_due(c, &node)).await
    }

    async fn leased(
        &self,
        job: JobId,
        token: LeaseToken,
        positions: &Positions,
    ) -> Result<Option<Leased>, Error> {
        let asked = positions.clone();
        self.read("read a lease", move |c| leased(c, job, token, &asked)).await
    }
}

/// What a node asks for.
#[derive(Clone, Debug)]
pub(super) struct LeaseRequest {
    pub(super) node: String,
    pub(super) limit: usize,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
    pub(super) seed: u64,
}

/// A job that is due.
struct Due {
    id: i64,
    chunk: i64,
    unsettled: Positions,
    attempt: u32,
}

pub(super) fn lease(
    connection: &Connection,
    request: &LeaseRequest,
) -> Result<Vec<LeasedJob>, Failure> {
    // a node gets a number with its first job
    let Some(node) = names::find_node(connection, &request.node)? else { return Ok(Vec::new()) };
    let mut statement = connection.prepare_cached(
        "/* lease */ UPDATE job SET state = 1, attempt = attempt + 1, fruitless = fruitless + 1,
             due = ?2, token = ?3
         WHERE id = ?1",
    )?;
    let mut jobs = Vec::new();
    // all rows are read before the first is written: the update changes what the index says is due
    for (number, due) in (0..).zip(due(connection, node, request)?) {
        let token = LeaseToken(request.seed.wrapping_add(number));
        statement.execute(params![due.id, request.until.as_millis(), token.0.cast_signed()])?;
        let number = views::task_of_chunk(connection, due.chunk)?;
        let mut task = views::task(connection, number)?;
        fields::add(connection, number, &mut task.options)?;
        let items = items(connection, due.chunk, &due.unsettled)?;
        jobs.push(LeasedJob {
            id: JobId(due.id),
            token,
            expires_at: request.until,
            task: task.id,
            account: task.account,
            accepted_at: task.created_at,
            attempt: due.attempt + 1,
            options: task.options,
            items: items
                .into_iter()
                .map(|LeasedItem { position, url, levels, is_named, .. }| JobItem {
                    position,
                    url,
                    levels,
                    is_named,
                })
                .collect(),
        });
    }
    Ok(jobs)
}

/// Jobs of `node` that are due, the one that is due longest first.
fn due(connection: &Connection, node: i64, request: &LeaseRequest) -> Result<Vec<Due>, Failure> {
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    // the partial index has what is not final, in the order asked for: neither is anything sorted,
    // nor are the finished millions seen. `state < 2` is spelt as there, else it is not used
    let mut statement = connection.prepare_cached(
        "/* lease: due */ SELECT id, chunk, members, settled, attempt
         FROM job INDEXED BY job_due
         WHERE state < 2 AND node = ?1 AND due <= ?2
             AND (SELECT k.state FROM chunk c JOIN task k ON k.id = c.task
                 WHERE c.id = job.chunk) = 0
             AND NOT EXISTS (SELECT 1 FROM purge_order o WHERE o.node = job.node AND o.state < 2
                 AND o.account = (SELECT k.account FROM chunk c JOIN task k ON k.id = c.task
                     WHERE c.id = job.chunk))
         ORDER BY due, id LIMIT ?3",
    )?;
    let rows = statement.query_map(params![node, request.now.as_millis(), limit], |row| {
        Ok(Due {
            id: row.get(0)?,
            chunk: row.get(1)?,
            unsettled: positions(row, 2)?.minus(&positions(row, 3)?),
            attempt: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The targets at `positions` of a chunk, in order, read in one sweep over their rows.
pub(super) fn items(
    connection: &Connection,
    chunk: i64,
    positions: &Positions,
) -> Result<Vec<LeasedItem>, Failure> {
    let (Some(first), Some(last)) = (positions.iter().next(), positions.iter().last()) else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "/* items of a job */ SELECT id, url, levels, parent IS NOT NULL AND levels > 0 FROM target
         WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
    )?;
    let offset = names::target(chunk, 0);
    // targets of other nodes may lie between them: one range costs less than a look-up for each
    let mut rows = statement.query([names::target(chunk, first), names::target(chunk, last)])?;
    let mut items = Vec::with_capacity(positions.len());
    while let Some(row) = rows.next()? {
        let target: i64 = row.get(0)?;
        let position = u16::try_from(target - offset).map_err(Failure::corrupt)?;
        if positions.contains(position) {
            let (url, levels, is_named) = (row.get(1)?, row.get(2)?, row.get(3)?);
            items.push(LeasedItem { position, target, url, levels, is_named });
        }
    }
    Ok(items)
}

pub(super) fn renew(
    connection: &Connection,
    job: JobId,
    token: LeaseToken,
    until: Timestamp,
) -> Result<bool, Failure> {
    let renewed = connection
        .prepare_cached(
            // also when the lease has run out, as long as nobody else got the job: the work on it
            // was not lost
            "/* renew */ UPDATE job SET due = ?3 WHERE id = ?1 AND token = ?2 AND state = 1
                 AND (SELECT k.state FROM chunk c JOIN task k ON k.id = c.task
                     WHERE c.id = job.chunk) = 0",
        )?
        .execute(params![job.0, token.0.cast_signed(), until.as_millis()])?;
    Ok(renewed > 0)
}

pub(super) fn release(connection: &Connection, node: &str, now: Timestamp) -> Result<u64, Failure> {
    let Some(node) = names::find_node(connection, node)? else { return Ok(0) };
    let released = connection
        .prepare_cached(
            // `state < 2` is the index's own condition, and `state = 1` the one that is meant
            "/* release */ UPDATE job INDEXED BY job_due SET state = 0, due = ?2
             WHERE state < 2 AND node = ?1 AND state = 1",
        )?
        .execute(params![node, now.as_millis()])?;
    Ok(released as u64)
}

pub(super) fn defer(
    connection: &Connection,
    jobs: &[(JobId, LeaseToken, Timestamp)],
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        // `max` of two values: a report may have set the count to 0 since
        "/* defer */ UPDATE job SET state = 0, due = ?3, attempt = attempt - 1,
             fruitless = max(fruitless - 1, 0)
         WHERE id = ?1 AND token = ?2 AND state = 1",
    )?;
    for (job, token, due) in jobs {
        statement.execute(params![job.0, token.0.cast_signed(), due.as_millis()])?;
    }
    Ok(())
}

pub(super) fn hasten(
    connection: &Connection,
    jobs: &[JobId],
    now: Timestamp,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        // never a leased one: there `due` is the end of the lease
        "/* hasten */ UPDATE job SET due = ?2 WHERE id = ?1 AND state = 0 AND due > ?2",
    )?;
    for job in jobs {
        statement.execute(params![job.0, now.as_millis()])?;
    }
    Ok(())
}

pub(super) fn next_due(connection: &Connection, node: &str) -> Result<Option<Timestamp>, Failure> {
    let due: Option<i64> = connection
        .prepare_cached(
            "/* next_due */ SELECT min(due) FROM job INDEXED BY job_due
             WHERE state < 2 AND node = (SELECT id FROM node WHERE name = ?1)
                 AND (SELECT k.state FROM chunk c JOIN task k ON k.id = c.task
                     WHERE c.id = job.chunk) = 0
                 AND NOT EXISTS (SELECT 1 FROM purge_order o WHERE o.node = job.node
                     AND o.state < 2 AND o.account = (SELECT k.account FROM chunk c
                         JOIN task k ON k.id = c.task WHERE c.id = job.chunk))",
        )?
        .query_row([node], |row| row.get(0))?;
    Ok(due.map(Timestamp::from_millis))
}

pub(super) fn leased(
    connection: &Connection,
    job: JobId,
    token: LeaseToken,
    asked: &Positions,
) -> Result<Option<Leased>, Failure> {
    let found = connection
        .prepare_cached(
            "/* leased */ SELECT job.chunk, job.members, job.settled, job.attempt, node.name
             FROM job JOIN node ON node.id = job.node
                 JOIN chunk ON chunk.id = job.chunk JOIN task ON task.id = chunk.task
             WHERE job.id = ?1 AND job.token = ?2 AND job.state = 1 AND task.state = 0",
        )?
        .query_row(params![job.0, token.0.cast_signed()], |row| {
            let unsettled = positions(row, 1)?.minus(&positions(row, 2)?);
            Ok((row.get(0)?, unsettled, row.get(3)?, row.get(4)?))
        })
        .optional()?;
    let Some((chunk, unsettled, attempt, node)) = found else { return Ok(None) };
    let task = views::task(connection, views::task_of_chunk(connection, chunk)?)?;
    let items = items(connection, chunk, &unsettled.and(asked))?;
    Ok(Some(Leased { task, node, attempt, items }))
}
