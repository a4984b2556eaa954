//! Ending jobs that no node finishes, and removing what finished long ago.
//!
//! Each call does a bounded part of the work in its transaction and says whether more is left, so
//! that no other verb waits long behind it. A task is removed from its end: what is left of it stays
//! a whole, shorter task, whose counts and pages are right. Numbers of hosts and nodes are never
//! removed: there are few. Space that becomes free is used again by what is written next; the file
//! does not shrink.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use stoker_domain::{
    job::JobId, outcome::Outcome, plan::CHUNK, retry::MAX_LEASES, time::Timestamp,
};

use super::{
    Sqlite,
    columns::{DONE, FAILED, signed, task_buckets, unsigned, word},
    failure::Failure,
    names, report, schema,
    session::Session,
};
use crate::{
    EndJobs, EndReason, EndedJobs, Error, Maintenance, Removed,
    tally::{self, ByHost, TaskBuckets},
};

#[async_trait]
impl Maintenance for Sqlite {
    async fn overdue_nodes(&self, due_before: Timestamp) -> Result<Vec<String>, Error> {
        let find = move |c: &Connection| overdue_nodes(c, due_before);
        self.read("find overdue jobs", find).await
    }

    async fn open_jobs(&self) -> Result<u64, Error> {
        self.read("count open jobs", open_jobs).await
    }

    async fn end_jobs(&self, end: EndJobs) -> Result<EndedJobs, Error> {
        let rows = end.limit.saturating_mul(CHUNK);
        self.write("end jobs", rows, move |c| end_jobs(c, &end)).await
    }

    async fn remove_tasks(&self, finished_before: Timestamp, most: u64) -> Result<Removed, Error> {
        let rows = usize::try_from(most).unwrap_or(usize::MAX);
        let work = move |c: &Session| remove_tasks(c, finished_before, most);
        self.write("remove tasks", rows, work).await
    }

    async fn remove_purges(&self, finished_before: Timestamp, most: u64) -> Result<Removed, Error> {
        let rows = usize::try_from(most).unwrap_or(usize::MAX);
        let work = move |c: &Session| remove_purges(c, finished_before, most);
        self.write("remove purges", rows, work).await
    }

    async fn forget_quotas(&self, day: i64) -> Result<u64, Error> {
        self.write("forget quotas", 1, move |c| forget_quotas(c, day)).await
    }

    async fn try_write(&self) -> Result<(), Error> {
        self.write("write", 1, |c| schema::write_version(c)).await
    }
}

pub(super) fn overdue_nodes(
    connection: &Connection,
    due_before: Timestamp,
) -> Result<Vec<String>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* sweep: nodes */ SELECT name FROM node WHERE EXISTS (
             SELECT 1 FROM job INDEXED BY job_due
             WHERE state < 2 AND job.node = node.id AND due < ?1)
         ORDER BY name",
    )?;
    let names = statement.query_map([due_before.as_millis()], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

pub(super) fn open_jobs(connection: &Connection) -> Result<u64, Failure> {
    let count = connection
        // from the index alone, which has nothing of the jobs that are final
        .prepare_cached(
            "/* open_jobs */ SELECT count(*) FROM job INDEXED BY job_due WHERE state < 2",
        )?
        .query_row([], |row| unsigned(row, 0))?;
    Ok(count)
}

pub(super) fn end_jobs(session: &Session, end: &EndJobs) -> Result<EndedJobs, Failure> {
    let limit = i64::try_from(end.limit).unwrap_or(i64::MAX);
    let id = |row: &Row<'_>| row.get(0).map(JobId);
    let jobs: Vec<JobId> = match &end.reason {
        EndReason::Silent { node, due_before } => session
            .prepare_cached(
                "/* sweep: overdue jobs */ SELECT id FROM job INDEXED BY job_due
                 WHERE state < 2 AND node = (SELECT id FROM node WHERE name = ?1) AND due < ?2
                 ORDER BY due, id LIMIT ?3",
            )?
            .query_map(params![node, due_before.as_millis(), limit], id)?
            .collect::<Result<_, _>>()?,
        // `fruitless > 9` is the condition of the partial index, and must stand here to have it used
        EndReason::NoProgress => session
            .prepare_cached(
                "/* sweep: fruitless jobs */ SELECT id FROM job INDEXED BY job_fruitless
                 WHERE state < 2 AND fruitless > 9 AND fruitless > ?1 LIMIT ?2",
            )?
            .query_map(params![MAX_LEASES, limit], id)?
            .collect::<Result<_, _>>()?,
    };
    let mut ended = EndedJobs::default();
    for job in jobs {
        let applied = report::end(session, job, Outcome::Timeout, &end.detail, end.now)?;
        ended.jobs.push(job);
        ended.finished_targets += applied.finished_targets;
        ended.finished_tasks.extend(applied.finished_task);
    }
    Ok(ended)
}

/// A finished task whose turn it is.
struct Old {
    id: i64,
    buckets: TaskBuckets,
}

pub(super) fn remove_tasks(
    session: &Session,
    finished_before: Timestamp,
    most: u64,
) -> Result<Removed, Failure> {
    let mut removed = Removed::default();
    let mut rows = 0;
    // numbers of tasks ascend with their creation, and none finished before it was created
    let mut after = i64::MIN;
    loop {
        let Some(old) = oldest(session, after, finished_before)? else { return Ok(removed) };
        loop {
            if rows >= most {
                removed.is_more = true;
                return Ok(removed);
            }
            let Some((targets, written)) = remove_last_chunk(session, &old)? else { break };
            removed.targets += targets;
            rows += written;
        }
        session
            .prepare_cached("/* sweep: task */ DELETE FROM task WHERE id = ?1")?
            .execute([old.id])?;
        session.uncount_task(old.buckets.account);
        removed.finished += 1;
        rows += 1;
        after = old.id;
    }
}

fn oldest(
    connection: &Connection,
    after: i64,
    finished_before: Timestamp,
) -> Result<Option<Old>, Failure> {
    let end = names::first_task(names::task_millis(finished_before));
    let old = connection
        .prepare_cached(
            "/* sweep: oldest task */ SELECT id, account, areas, created_at FROM task
             WHERE id > ?1 AND id < ?2 AND finished_at < ?3 ORDER BY id LIMIT 1",
        )?
        .query_row(params![after, end, finished_before.as_millis()], |row| {
            Ok(Old { id: row.get(0)?, buckets: task_buckets(row, 1)? })
        })
        .optional()?;
    Ok(old)
}

/// Removes the last chunk of a task with everything made of it, and takes its targets out of the
/// counts; how many targets and how many rows they were, or `None` when there is no chunk.
fn remove_last_chunk(session: &Session, old: &Old) -> Result<Option<(u64, u64)>, Failure> {
    let chunk: Option<i64> = session
        .prepare_cached(
            "/* sweep: last chunk */ SELECT id FROM chunk INDEXED BY chunk_by_task
             WHERE task = ?1 ORDER BY first DESC LIMIT 1",
        )?
        .query_row([old.id], |row| row.get(0))
        .optional()?;
    let Some(chunk) = chunk else { return Ok(None) };
    // before the rows go, from which it is counted
    let by_host = counts(session, chunk)?;
    session.untally(old.buckets, &by_host);
    let counts = tally::sum(&by_host);
    let bytes = report::bytes(session, chunk)?;
    session
        .prepare_cached(
            "/* sweep: counts */ UPDATE task SET targets = targets - ?2, done = done - ?3,
                 failed = failed - ?4, failed_origin = failed_origin - ?5,
                 failed_timeout = failed_timeout - ?6, failed_canceled = failed_canceled - ?10,
                 done_bytes = max(done_bytes - ?7, 0),
                 held_bytes = max(held_bytes - ?8, 0),
                 pulled_bytes = max(pulled_bytes - ?9, 0)
             WHERE id = ?1",
        )?
        .execute(params![
            old.id,
            signed(counts.targets),
            signed(counts.done),
            signed(counts.failed),
            signed(counts.failed_origin),
            signed(counts.failed_timeout),
            signed(bytes.done),
            signed(bytes.held),
            signed(bytes.pulled),
            signed(counts.failed_canceled),
        ])?;
    let mut rows = 0;
    for sql in [
        "/* sweep: reports */ DELETE FROM report WHERE job IN
             (SELECT id FROM job INDEXED BY job_by_chunk WHERE chunk = ?1)",
        "/* sweep: jobs */ DELETE FROM job INDEXED BY job_by_chunk WHERE chunk = ?1",
        "/* sweep: targets */ DELETE FROM target WHERE id BETWEEN ?1 << 9 AND (?1 << 9) + 511",
        "/* sweep: chunk */ DELETE FROM chunk WHERE id = ?1",
    ] {
        rows += session.prepare_cached(sql)?.execute([chunk])? as u64;
    }
    Ok(Some((counts.targets, rows)))
}

/// The targets of a chunk by host, and how they ended.
fn counts(connection: &Connection, chunk: i64) -> Result<ByHost, Failure> {
    let mut statement = connection.prepare_cached(
        "/* sweep: count */ SELECT host, progress, outcome FROM target WHERE id BETWEEN ?1 AND ?2",
    )?;
    let range = [names::target(chunk, 0), names::target(chunk + 1, 0) - 1];
    let mut rows = statement.query(range)?;
    let mut by_host = ByHost::new();
    while let Some(row) = rows.next()? {
        let counts = by_host.entry(row.get(0)?).or_default();
        counts.targets += 1;
        if let DONE | FAILED = row.get(1)? {
            counts.end(word::<Outcome>(row, 2)?);
        }
    }
    Ok(by_host)
}

pub(super) fn remove_purges(
    connection: &Connection,
    finished_before: Timestamp,
    most: u64,
) -> Result<Removed, Failure> {
    let mut removed = Removed::default();
    let mut rows = 0;
    loop {
        let purge: Option<i64> = connection
            .prepare_cached(
                "/* sweep: oldest purge */ SELECT id FROM purge INDEXED BY purge_finished
                 WHERE finished_at IS NOT NULL AND finished_at < ?1 ORDER BY finished_at LIMIT 1",
            )?
            .query_row([finished_before.as_millis()], |row| row.get(0))
            .optional()?;
        let Some(purge) = purge else { return Ok(removed) };
        // from the end, so that what is left is a whole, shorter purge
        let targets = connection
            .prepare_cached(
                "/* sweep: targets of a purge */ DELETE FROM purge_target WHERE id IN (
                     SELECT id FROM purge_target INDEXED BY purge_target_by_purge
                     WHERE purge = ?1 ORDER BY id DESC LIMIT ?2)",
            )?
            .execute(params![purge, signed(most.saturating_sub(rows))])?
            as u64;
        removed.targets += targets;
        rows += targets;
        if rows >= most {
            removed.is_more = true;
            return Ok(removed);
        }
        for sql in [
            "/* sweep: orders */ DELETE FROM purge_order WHERE purge = ?1",
            "/* sweep: purge */ DELETE FROM purge WHERE id = ?1",
        ] {
            rows += connection.prepare_cached(sql)?.execute([purge])? as u64;
        }
        removed.finished += 1;
    }
}

pub(super) fn forget_quotas(connection: &Connection, before_day: i64) -> Result<u64, Failure> {
    let forgotten = connection
        .prepare_cached("/* sweep: quota days */ DELETE FROM quota_used WHERE day < ?1")?
        .execute([before_day])?;
    Ok(forgotten as u64)
}
