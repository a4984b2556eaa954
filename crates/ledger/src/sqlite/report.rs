//! Applying what a node reported, and rolling it up to targets and task.
//!
//! The settled bitmap of the job decides what is new, so a repeated report changes nothing. The
//! chunk counts for each target how many nodes are left; a target's own row is written when its
//! first node fails and when its last node settles, never for each node.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use stoker_domain::{
    area::AreaScope,
    job::{ItemReport, JobId, LeaseToken},
    media::NotFollowed,
    outcome::Outcome,
    plan::Positions,
    task::TaskId,
    time::Timestamp,
};

use super::{
    failure::Failure,
    fields,
    insert::{DONE, FAILED, Pending},
    lease::positions,
    names,
    number::{signed, unsigned},
    session::Session,
    tally::{self, ByHost, Place},
    views::{self, not_followed, word},
};
use crate::{Applied, ItemDecision, ReportWrite};

/// An [`ItemReport`] as it is stored: an array, because there are many.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored(
    u16,
    Outcome,
    Option<u64>,
    u64,
    Option<String>,
    Option<Timestamp>,
    Option<Timestamp>,
    Option<String>,
    // as most have none, it is left out
    #[serde(default, skip_serializing_if = "NotFollowed::is_empty")] NotFollowed,
);

impl From<&ItemReport> for Stored {
    fn from(report: &ItemReport) -> Self {
        Self(
            report.position,
            report.outcome,
            report.size_bytes,
            report.pulled_bytes,
            report.validator.clone(),
            report.verified_at,
            report.fresh_until,
            report.detail.clone(),
            report.not_followed.clone(),
        )
    }
}

impl From<Stored> for ItemReport {
    fn from(stored: Stored) -> Self {
        Self {
            position: stored.0,
            outcome: stored.1,
            size_bytes: stored.2,
            pulled_bytes: stored.3,
            validator: stored.4,
            verified_at: stored.5,
            fresh_until: stored.6,
            detail: stored.7,
            retry_after_seconds: None,
            children: Vec::new(),
            not_followed: stored.8,
        }
    }
}

/// The leased job of a report.
struct Job {
    chunk: i64,
    members: Positions,
    settled: Positions,
}

/// The chunk of the job, with what changes in it.
struct Chunk {
    id: i64,
    task: i64,
    pending: Pending,
    failed: Positions,
}

/// What the settled items add up to.
#[derive(Default)]
struct Ended {
    by_host: ByHost,
    targets: u64,
    bytes: Bytes,
    /// What their playlists name and is not followed; all nodes of a target say the same.
    not_followed: NotFollowed,
}

/// Bytes of a task, as it keeps them; the tables tell what each counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    pub(super) done: u64,
    pub(super) held: u64,
    pub(super) pulled: u64,
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

impl Bytes {
    /// Counts one node's last word on a target.
    fn settle(&mut self, report: &ItemReport) {
        self.pulled = self.pulled.saturating_add(report.pulled_bytes);
        if report.outcome.is_success() {
            self.held = self.held.saturating_add(report.size_bytes.unwrap_or(0));
        }
    }
}

pub(super) fn apply(session: &Session, report: &ReportWrite) -> Result<Applied, Failure> {
    match find_job(session, report)? {
        Some(job) => apply_to(session, job, report),
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
             WHERE id = ?1 AND state < 2",
        )?
        .query_row([id.0], |row| {
            let (members, settled) = (positions(row, 1)?, positions(row, 2)?);
            Ok((Job { chunk: row.get(0)?, members, settled }, row.get::<_, i64>(3)?))
        })?;
    let decision = |position| ItemDecision {
        report: ItemReport {
            detail: Some(detail.to_owned()),
            ..ItemReport::new(position, outcome)
        },
        is_final: true,
    };
    let items = job.members.minus(&job.settled).iter().map(decision).collect();
    let token = LeaseToken(token.cast_unsigned());
    let report = ReportWrite { job: id, token, items, is_last: true, not_before: now, now };
    apply_to(session, job, &report)
}

fn apply_to(session: &Session, mut job: Job, report: &ReportWrite) -> Result<Applied, Failure> {
    let connection: &Connection = session;
    let mut chunk = find_chunk(connection, job.chunk)?;
    let mut applied = Applied::default();
    let mut told = Vec::new();
    let mut ended = Ended::default();
    for item in &report.items {
        let position = item.report.position;
        if !job.members.contains(position) || job.settled.contains(position) {
            continue;
        }
        told.push(Stored::from(&item.report));
        if item.is_final {
            job.settled.insert(position);
            applied.settled += 1;
            settle(connection, &mut chunk, &item.report, report.now, &mut ended)?;
        }
    }
    applied.job_is_final = job.members.minus(&job.settled).is_empty();
    applied.finished_targets = ended.targets;
    append(connection, report, &told)?;
    write_job(connection, report, (&job, !told.is_empty()), &applied)?;
    if applied.settled > 0 {
        write_chunk(connection, &chunk, ended.targets)?;
        applied.finished_task = write_task(session, &chunk, &ended, report.now)?;
    }
    Ok(applied)
}

fn find_job(connection: &Connection, report: &ReportWrite) -> Result<Option<Job>, Failure> {
    let job = connection
        .prepare_cached(
            "/* report: job */ SELECT chunk, members, settled FROM job
             WHERE id = ?1 AND token = ?2 AND state = 1",
        )?
        .query_row(params![report.job.0, report.token.0.cast_signed()], |row| {
            Ok(Job { chunk: row.get(0)?, members: positions(row, 1)?, settled: positions(row, 2)? })
        })
        .optional()?;
    Ok(job)
}

fn find_chunk(connection: &Connection, id: i64) -> Result<Chunk, Failure> {
    let chunk = connection
        .prepare_cached(
            "/* report: chunk */ SELECT task, pending, failed FROM chunk WHERE id = ?1",
        )?
        .query_row([id], |row| {
            Ok(Chunk {
                id,
                task: row.get(0)?,
                pending: Pending::from_bytes(row.get_ref(1)?.as_blob()?),
                failed: positions(row, 2)?,
            })
        })?;
    Ok(chunk)
}

/// Counts one node of a target as settled and writes the target's row when that tells something.
fn settle(
    connection: &Connection,
    chunk: &mut Chunk,
    report: &ItemReport,
    now: Timestamp,
    ended: &mut Ended,
) -> Result<(), Failure> {
    let target = names::target(chunk.id, report.position);
    let has_failed = chunk.failed.contains(report.position);
    let is_first_failure = !report.outcome.is_success() && chunk.failed.insert(report.position);
    let outcome = report.outcome.to_string();
    let size = report.size_bytes.map(signed);
    ended.bytes.settle(report);
    if chunk.pending.settle(report.position) > 0 {
        if is_first_failure {
            connection
                .prepare_cached(
                    "/* report: first failure */ UPDATE target
                     SET outcome = ?2, size_bytes = coalesce(?3, size_bytes) WHERE id = ?1",
                )?
                .execute(params![target, outcome, size])?;
        }
        return Ok(());
    }
    let progress = if has_failed || is_first_failure { FAILED } else { DONE };
    let (host, outcome, size): (i64, String, Option<i64>) = connection
        .prepare_cached(
            "/* report: end of a target */ UPDATE target SET progress = ?2,
                 outcome = CASE WHEN ?3 THEN outcome ELSE ?4 END,
                 size_bytes = coalesce(?5, size_bytes), finished_at = ?6
             WHERE id = ?1 RETURNING host, outcome, size_bytes",
        )?
        .query_row(
            params![target, progress, has_failed, outcome, size, now.as_millis()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
    ended.targets += 1;
    if progress == DONE {
        let size = size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
        ended.bytes.done = ended.bytes.done.saturating_add(size);
    }
    ended.not_followed.add(&report.not_followed);
    ended.by_host.entry(host).or_default().end(outcome.parse().map_err(Failure::corrupt)?);
    Ok(())
}

fn append(connection: &Connection, report: &ReportWrite, told: &[Stored]) -> Result<(), Failure> {
    if told.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached(
            "/* report: append */ INSERT INTO report (job, created_at, items) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![report.job.0, report.now.as_millis(), serde_json::to_string(told)?])?;
    Ok(())
}

fn write_job(
    connection: &Connection,
    report: &ReportWrite,
    (job, is_heard): (&Job, bool),
    applied: &Applied,
) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "/* report: job */ UPDATE job SET settled = ?2,
                 state = CASE WHEN ?3 THEN 2 WHEN ?4 THEN 0 ELSE 1 END,
                 due = CASE WHEN ?4 AND NOT ?3 THEN ?5 ELSE due END,
                 fruitless = CASE WHEN ?6 THEN 0 ELSE fruitless END
             WHERE id = ?1",
        )?
        .execute(params![
            report.job.0,
            job.settled.as_bytes(),
            applied.job_is_final,
            report.is_last,
            report.not_before.as_millis(),
            is_heard,
        ])?;
    Ok(())
}

fn write_chunk(connection: &Connection, chunk: &Chunk, ended: u64) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "/* report: chunk */ UPDATE chunk SET open = open - ?2, pending = ?3, failed = ?4
             WHERE id = ?1",
        )?
        .execute(params![
            chunk.id,
            signed(ended),
            chunk.pending.to_bytes(),
            chunk.failed.as_bytes()
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
        .query_row([task], |row| not_followed(row, 0))?;
    sum.add(more);
    connection
        .prepare_cached(
            "/* report: sum of that */ UPDATE task SET not_followed = ?2 WHERE id = ?1",
        )?
        .execute(params![task, serde_json::to_string(&sum)?])?;
    Ok(())
}

/// Adds the ended targets to task and tally; the task's name when they were its last.
fn write_task(
    session: &Session,
    chunk: &Chunk,
    ended: &Ended,
    now: Timestamp,
) -> Result<Option<TaskId>, Failure> {
    add_not_followed(session, chunk.task, &ended.not_followed)?;
    let counts = tally::sum(&ended.by_host);
    let (is_final, name, place): (bool, String, Place) = session
        .prepare_cached(
            "/* report: task */ UPDATE task SET done = done + ?2, failed = failed + ?3,
                 failed_origin = failed_origin + ?4, failed_timeout = failed_timeout + ?6,
                 done_bytes = done_bytes + ?7, held_bytes = held_bytes + ?8,
                 pulled_bytes = pulled_bytes + ?9, updated_at = ?5,
                 finished_at = CASE WHEN targets = done + ?2 + failed + ?3 THEN ?5 END
             WHERE id = ?1
             RETURNING finished_at IS NOT NULL, public_id, account, areas, created_at",
        )?
        .query_row(
            params![
                chunk.task,
                signed(counts.done),
                signed(counts.failed),
                signed(counts.failed_origin),
                now.as_millis(),
                signed(counts.failed_timeout),
                signed(ended.bytes.done),
                signed(ended.bytes.held),
                signed(ended.bytes.pulled),
            ],
            |row| {
                let place = Place {
                    account: row.get(2)?,
                    areas: word::<AreaScope>(row, 3)?,
                    millis: names::task_millis(Timestamp::from_millis(row.get(4)?)),
                };
                Ok((row.get(0)?, row.get(1)?, place))
            },
        )?;
    session.tally(place, &ended.by_host);
    if is_final {
        fields::forget(session, chunk.task)?;
    }
    Ok((is_final && ended.targets > 0).then_some(TaskId(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_an_older_file_is_read_and_most_are_written_as_then() {
        let old = r#"[3,"filled",10,10,null,null,null,null]"#;
        let stored: Stored = serde_json::from_str(old).unwrap();
        let report = ItemReport::from(stored);
        assert_eq!((report.position, report.outcome), (3, Outcome::Filled));
        assert_eq!(serde_json::to_string(&Stored::from(&report)).unwrap(), old);
    }
}
