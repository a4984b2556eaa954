//! Applying what a node reported: rows of job, chunk, targets and task.
//!
//! What changes is decided in `crate::rollup`; here it is read and written.

use rusqlite::{Connection, OptionalExtension, Row, params};
use stoker_domain::{
    job::{ItemReport, JobId, LeaseToken},
    media::NotFollowed,
    outcome::Outcome,
    task::{Progress, TaskId},
    time::Timestamp,
};

use super::{
    columns::{
        DONE, json_or_default, positions, progress_number, signed, task_buckets, unsigned, word,
    },
    failure::Failure,
    fields, names,
    session::Session,
    views,
};
use crate::{
    Applied, ItemDecision, ReportWrite,
    chunk::Pending,
    rollup::{Bytes, Change, ChunkState, JobItems, Rollup},
    stored::StoredReport,
    tally::{self, TaskBuckets},
};

/// The leased job of a report.
struct Job {
    chunk: i64,
    items: JobItems,
}

impl Job {
    /// Reads chunk, members and settled.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let items = JobItems { members: positions(row, 1)?, settled: positions(row, 2)? };
        Ok(Self { chunk: row.get(0)?, items })
    }
}

/// The chunk of the job.
struct Chunk {
    task: i64,
    state: ChunkState,
}

/// What a chunk has added to the bytes of its task.
pub(super) fn bytes(connection: &Connection, chunk: i64) -> Result<Bytes, Failure> {
    let mut bytes = Bytes::default();
    let jobs: Vec<i64> = connection
        .prepare_cached(
            "/* bytes: jobs */ SELECT id FROM job INDEXED BY job_by_chunk WHERE chunk = ?1",
        )?
        .query_map([chunk], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for job in jobs {
        for report in views::reports(connection, job)?.values() {
            bytes.settle(report);
        }
    }
    bytes.done = connection
        .prepare_cached(
            "/* bytes: done */ SELECT coalesce(sum(size_bytes), 0) FROM target
             WHERE id BETWEEN ?1 << 9 AND (?1 << 9) + 511 AND progress = ?2",
        )?
        .query_row([chunk, DONE], |row| unsigned(row, 0))?;
    Ok(bytes)
}

pub(super) fn apply(session: &Session, report: &ReportWrite) -> Result<Applied, Failure> {
    match find_job(session, report)? {
        Some(job) => apply_to(session, job, report),
        // not an error: a node cannot know that its lease was given to another
        None => Ok(Applied { is_stale: true, ..Applied::default() }),
    }
}

/// Settles every item of a job that is not final with `outcome`, as the last report of its lease
/// would. A lease that is out becomes stale.
pub(super) fn end(
    session: &Session,
    id: JobId,
    outcome: Outcome,
    detail: &str,
    now: Timestamp,
) -> Result<Applied, Failure> {
    let (job, token) = session
        .prepare_cached(
            "/* end a job */ SELECT chunk, members, settled, token FROM job
             WHERE id = ?1 AND state <> 2",
        )?
        .query_row([id.0], |row| Ok((Job::read(row)?, row.get::<_, i64>(3)?)))?;
    let decision = |position| ItemDecision {
        report: ItemReport {
            detail: Some(detail.to_owned()),
            ..ItemReport::new(position, outcome)
        },
        is_final: true,
    };
    let items = job.items.unsettled().iter().map(decision).collect();
    let token = LeaseToken(token.cast_unsigned());
    let report = ReportWrite { job: id, token, items, is_last: true, not_before: now, now };
    apply_to(session, job, &report)
}

fn apply_to(session: &Session, job: Job, report: &ReportWrite) -> Result<Applied, Failure> {
    let connection: &Connection = session;
    let chunk = find_chunk(connection, job.chunk)?;
    let mut rollup = Rollup::new(job.items, chunk.state);
    for item in &report.items {
        let target = names::target(job.chunk, item.report.position);
        match rollup.take(item) {
            // most items change no row of a target: its last node does, and the first that fails
            None => {}
            Some(Change::FirstFailure) => write_first_failure(connection, target, &item.report)?,
            Some(end) => {
                let row = write_end(connection, target, end, &item.report, report.now)?;
                rollup.end(row.host, row.outcome, row.size_bytes);
            }
        }
    }
    let mut applied = rollup.applied();
    // also of a report that settles nothing: it is what is known of items that are tried again
    append(connection, report, &rollup.heard)?;
    write_job(connection, report, &rollup, &applied)?;
    // a report of retries leaves chunk and task alone, and so their pages unwritten
    if applied.settled > 0 {
        write_chunk(connection, job.chunk, &rollup)?;
        if let Some((task, has_failures)) = write_task(session, chunk.task, &rollup, report.now)? {
            (applied.finished_task, applied.task_has_failures) = (Some(task), has_failures);
        }
    }
    Ok(applied)
}

fn find_job(connection: &Connection, report: &ReportWrite) -> Result<Option<Job>, Failure> {
    let job = connection
        .prepare_cached(
            "/* report: job */ SELECT job.chunk, job.members, job.settled
             FROM job JOIN chunk ON chunk.id = job.chunk JOIN task ON task.id = chunk.task
             WHERE job.id = ?1 AND job.token = ?2 AND job.state = 1 AND task.state = 0",
        )?
        .query_row(params![report.job.0, report.token.0.cast_signed()], Job::read)
        .optional()?;
    Ok(job)
}

fn find_chunk(connection: &Connection, id: i64) -> Result<Chunk, Failure> {
    let chunk = connection
        .prepare_cached(
            "/* report: chunk */ SELECT task, pending, failed FROM chunk WHERE id = ?1",
        )?
        .query_row([id], |row| {
            let pending = Pending::from_bytes(row.get_ref(1)?.as_blob()?);
            Ok(Chunk {
                task: row.get(0)?,
                state: ChunkState { pending, failed: positions(row, 2)? },
            })
        })?;
    Ok(chunk)
}

fn write_first_failure(
    connection: &Connection,
    target: i64,
    report: &ItemReport,
) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "/* report: first failure */ UPDATE target
             SET outcome = ?2, size_bytes = coalesce(?3, size_bytes) WHERE id = ?1",
        )?
        .execute(params![target, report.outcome.to_string(), report.size_bytes.map(signed)])?;
    Ok(())
}

/// The row of a target that has ended.
struct EndedTarget {
    host: i64,
    outcome: Outcome,
    size_bytes: u64,
}

/// Writes the end of a target. What its row says then is read back in the same statement: the first
/// failure may have been written by a report of another node.
fn write_end(
    connection: &Connection,
    target: i64,
    end: Change,
    report: &ItemReport,
    now: Timestamp,
) -> Result<EndedTarget, Failure> {
    let (progress, keeps_outcome) = match end {
        Change::End { progress, keeps_outcome } => (progress, keeps_outcome),
        // never passed: a first failure has a statement of its own
        Change::FirstFailure => (Progress::Processing, false),
    };
    let ended = connection
        .prepare_cached(
            // a size stays where the last node tells none, as one that failed
            "/* report: end of a target */ UPDATE target SET progress = ?2,
                 outcome = CASE WHEN ?3 THEN outcome ELSE ?4 END,
                 size_bytes = coalesce(?5, size_bytes), finished_at = ?6
             WHERE id = ?1 RETURNING host, outcome, size_bytes",
        )?
        .query_row(
            params![
                target,
                progress_number(progress),
                keeps_outcome,
                report.outcome.to_string(),
                report.size_bytes.map(signed),
                now.as_millis()
            ],
            |row| {
                let size: Option<i64> = row.get(2)?;
                Ok(EndedTarget {
                    host: row.get(0)?,
                    outcome: word(row, 1)?,
                    size_bytes: size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                })
            },
        )?;
    Ok(ended)
}

fn append(
    connection: &Connection,
    report: &ReportWrite,
    heard: &[StoredReport],
) -> Result<(), Failure> {
    if heard.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached(
            "/* report: append */ INSERT INTO report (job, created_at, items) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![report.job.0, report.now.as_millis(), serde_json::to_string(heard)?])?;
    Ok(())
}

fn write_job(
    connection: &Connection,
    report: &ReportWrite,
    rollup: &Rollup,
    applied: &Applied,
) -> Result<(), Failure> {
    connection
        .prepare_cached(
            // a final job stays so; the last report returns the job; any other keeps its lease.
            // `fruitless` counts leases that were heard of nothing, and begins anew with any word
            "/* report: job */ UPDATE job SET settled = ?2,
                 state = CASE WHEN ?3 THEN 2 WHEN ?4 THEN 0 ELSE 1 END,
                 due = CASE WHEN ?4 AND NOT ?3 THEN ?5 ELSE due END,
                 fruitless = CASE WHEN ?6 THEN 0 ELSE fruitless END
             WHERE id = ?1",
        )?
        .execute(params![
            report.job.0,
            rollup.job.settled.as_bytes(),
            applied.job_is_final,
            report.is_last,
            report.not_before.as_millis(),
            !rollup.heard.is_empty(),
        ])?;
    Ok(())
}

fn write_chunk(connection: &Connection, chunk: i64, rollup: &Rollup) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "/* report: chunk */ UPDATE chunk SET open = open - ?2, pending = ?3, failed = ?4
             WHERE id = ?1",
        )?
        .execute(params![
            chunk,
            signed(rollup.ended),
            rollup.chunk.pending.to_bytes(),
            rollup.chunk.failed.as_bytes()
        ])?;
    Ok(())
}

/// Adds to what the task's row tells of this.
fn add_not_followed(connection: &Connection, task: i64, more: &NotFollowed) -> Result<(), Failure> {
    if more.is_empty() {
        return Ok(());
    }
    let mut sum = connection
        .prepare_cached("/* report: not followed */ SELECT not_followed FROM task WHERE id = ?1")?
        .query_row([task], |row| json_or_default::<NotFollowed>(row, 0))?;
    sum.add(more);
    connection
        .prepare_cached(
            "/* report: sum of that */ UPDATE task SET not_followed = ?2 WHERE id = ?1",
        )?
        .execute(params![task, serde_json::to_string(&sum)?])?;
    Ok(())
}

/// Adds the ended targets to task and tally; when they were its last, the task's name, and whether
/// any of its targets failed.
fn write_task(
    session: &Session,
    task: i64,
    rollup: &Rollup,
    now: Timestamp,
) -> Result<Option<(TaskId, bool)>, Failure> {
    add_not_followed(session, task, &rollup.not_followed)?;
    let counts = tally::sum(&rollup.by_host);
    let (is_final, name, buckets, has_failures): (bool, String, TaskBuckets, bool) = session
        .prepare_cached(
            // `targets` grows with every playlist, so that the end is computed each time
            "/* report: task */ UPDATE task SET done = done + ?2, failed = failed + ?3,
                 failed_origin = failed_origin + ?4, failed_timeout = failed_timeout + ?6,
                 failed_canceled = failed_canceled + ?10,
                 done_bytes = done_bytes + ?7, held_bytes = held_bytes + ?8,
                 pulled_bytes = pulled_bytes + ?9, updated_at = ?5,
                 finished_at = CASE WHEN targets = done + ?2 + failed + ?3 THEN ?5 END
             WHERE id = ?1
             RETURNING finished_at IS NOT NULL, public_id, account, areas, created_at, failed > 0",
        )?
        .query_row(
            params![
                task,
                signed(counts.done),
                signed(counts.failed),
                signed(counts.failed_origin),
                now.as_millis(),
                signed(counts.failed_timeout),
                signed(rollup.bytes.done),
                signed(rollup.bytes.held),
                signed(rollup.bytes.pulled),
                signed(counts.failed_canceled),
            ],
            |row| Ok((row.get(0)?, row.get(1)?, task_buckets(row, 2)?, row.get(5)?)),
        )?;
    session.tally(buckets, &rollup.by_host);
    // in the transaction that finishes it: no crash leaves secrets of a finished task behind
    if is_final {
        fields::forget(session, task)?;
    }
    // an item that settles now was open, so that its target ends now if the task does
    Ok(is_final.then_some((TaskId(name), has_failures)))
}
