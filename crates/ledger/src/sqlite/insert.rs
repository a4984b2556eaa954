//! From planned targets to rows: chunks, targets, jobs.

use rusqlite::params;
use stoker_domain::{
    account::AccountId,
    area::AreaScope,
    plan::{PlannedJob, Positions},
    task::Progress,
    time::Timestamp,
};

use super::{
    columns::{PAUSED, WAITING, progress_number, signed},
    failure::Failure,
    names,
    session::Session,
};
use crate::{
    chunk::Chunk,
    tally::{self, ByHost, Counts, TaskBuckets},
};

/// Whose targets are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    /// Number of the task.
    pub(super) task: i64,
    pub(super) account: AccountId,
    pub(super) areas: AreaScope,
    /// When the task was created.
    pub(super) created_at: Timestamp,
    /// Number of the playlist's target, for children.
    pub(super) parent: Option<i64>,
    /// Targets that the task has already.
    pub(super) targets: u64,
    /// Its jobs wait for it to be resumed.
    pub(super) is_paused: bool,
}

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) counts: Counts,
    pub(super) jobs: u64,
}

/// Writes the rows of `chunks` and counts them in the tally; the task's row is the caller's.
pub(super) fn insert(
    session: &Session,
    owner: Owner,
    now: Timestamp,
    chunks: &[Chunk],
) -> Result<Written, Failure> {
    let mut by_host = ByHost::new();
    let mut written = Written::default();
    let mut first = owner.targets;
    for chunk in chunks {
        let id = insert_chunk(session, owner.task, first, now, chunk)?;
        insert_rows(session, owner, now, (id, chunk), &mut by_host)?;
        insert_jobs(session, (id, owner.is_paused), now, &chunk.jobs)?;
        first += chunk.rows.len() as u64;
        written.jobs += chunk.jobs.len() as u64;
    }
    let buckets = TaskBuckets {
        account: owner.account.0,
        areas: owner.areas,
        millis: names::task_millis(owner.created_at),
    };
    session.tally(buckets, &by_host);
    written.counts = tally::sum(&by_host);
    Ok(written)
}

fn insert_chunk(
    session: &Session,
    task: i64,
    first: u64,
    now: Timestamp,
    chunk: &Chunk,
) -> Result<i64, Failure> {
    session
        .prepare_cached(
            "/* insert chunk */ INSERT INTO chunk
                 (task, first, size, created_at, open, pending, failed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            task,
            signed(first),
            chunk.rows.len() as i64,
            now.as_millis(),
            signed(chunk.open()),
            chunk.pending.to_bytes(),
            Positions::default().as_bytes(),
        ])?;
    Ok(session.last_insert_rowid())
}

fn insert_rows(
    session: &Session,
    owner: Owner,
    now: Timestamp,
    (id, chunk): (i64, &Chunk),
    by_host: &mut ByHost,
) -> Result<(), Failure> {
    let mut statement = session.prepare_cached(
        "/* insert target */ INSERT INTO target (id, task, account, host, url_hash, url, levels,
             nodes, parent, progress, outcome, size_bytes, finished_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, NULL, ?12)",
    )?;
    let mut host: Option<(&str, i64)> = None;
    for (position, row) in (0..).zip(&chunk.rows) {
        // neighbours mostly share their host
        let number = match host {
            Some((name, number)) if name == row.host => number,
            _ => session.host(&row.host)?,
        };
        host = Some((&row.host, number));
        let counts = by_host.entry(number).or_default();
        counts.targets += 1;
        let progress = match row.settled {
            None => Progress::Processing,
            Some(outcome) => {
                counts.end(outcome);
                if outcome.is_success() { Progress::Done } else { Progress::Failed }
            }
        };
        statement.execute(params![
            names::target(id, position),
            owner.task,
            owner.account.0,
            number,
            row.url_hash,
            row.url,
            row.levels,
            chunk.pending.get(position),
            owner.parent,
            progress_number(progress),
            row.settled.map(|outcome| outcome.to_string()),
            row.settled.map(|_| now.as_millis()),
        ])?;
    }
    Ok(())
}

fn insert_jobs(
    session: &Session,
    (chunk, is_paused): (i64, bool),
    now: Timestamp,
    jobs: &[PlannedJob],
) -> Result<(), Failure> {
    let mut statement = session.prepare_cached(
        "/* insert job */ INSERT INTO job
             (chunk, node, members, settled, state, attempt, due, token)
         VALUES (?1, ?2, ?3, ?4, ?6, 0, ?5, 0)",
    )?;
    for job in jobs {
        statement.execute(params![
            chunk,
            session.node(&job.node)?,
            job.members.as_bytes(),
            Positions::default().as_bytes(),
            now.as_millis(),
            if is_paused { PAUSED } else { WAITING },
        ])?;
    }
    Ok(())
}
