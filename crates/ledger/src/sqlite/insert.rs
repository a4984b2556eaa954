//! From planned targets to rows: chunks, targets, jobs.

use rusqlite::params;
use stoker_domain::{
    account::AccountId,
    area::AreaScope,
    outcome::Outcome,
    plan::{self, CHUNK, PlannedJob, Positions},
    time::Timestamp,
};

use super::{
    failure::Failure,
    names,
    number::signed,
    session::Session,
    tally::{self, ByHost},
};
use crate::PlannedTarget;

/// Numbers of [`stoker_domain::task::Progress`] in the table.
pub(super) const PROCESSING: i64 = 0;
pub(super) const DONE: i64 = 1;
pub(super) const FAILED: i64 = 2;

/// Nodes not settled yet, by position in a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending(Vec<u16>);

impl Pending {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|nodes| nodes.to_le_bytes()).collect()
    }

    pub(super) fn get(&self, position: u16) -> u16 {
        self.0.get(usize::from(position)).copied().unwrap_or(0)
    }

    /// One node less; how many are left.
    pub(super) fn settle(&mut self, position: u16) -> u16 {
        let Some(nodes) = self.0.get_mut(usize::from(position)) else { return 0 };
        *nodes = nodes.saturating_sub(1);
        *nodes
    }
}

/// Targets that are written together, and the jobs made of them.
#[derive(Debug)]
pub(super) struct Chunk {
    rows: Vec<Row>,
    jobs: Vec<PlannedJob>,
    pending: Pending,
}

#[derive(Debug)]
struct Row {
    url_hash: i64,
    url: String,
    host: String,
    levels: u8,
    settled: Option<Outcome>,
}

/// Cuts targets into chunks and plans their jobs. A target that is settled at once has no nodes.
pub(super) fn cut(targets: Vec<PlannedTarget>) -> Vec<Chunk> {
    let mut targets = targets.into_iter().peekable();
    let mut chunks = Vec::new();
    while targets.peek().is_some() {
        chunks.push(chunk(targets.by_ref().take(CHUNK).collect()));
    }
    chunks
}

fn chunk(targets: Vec<PlannedTarget>) -> Chunk {
    let jobs = plan::jobs(targets.iter().map(|target| match target.settled {
        None => target.nodes.as_slice(),
        Some(_) => &[],
    }));
    let mut pending = Pending(vec![0; targets.len()]);
    for position in jobs.iter().flat_map(|job| job.members.iter()) {
        let nodes = &mut pending.0[usize::from(position)];
        *nodes = nodes.saturating_add(1);
    }
    let rows = targets
        .into_iter()
        .map(|target| Row {
            url_hash: names::url_hash(&target.url),
            url: target.url,
            host: target.host,
            levels: target.levels,
            settled: target.settled,
        })
        .collect();
    Chunk { rows, jobs, pending }
}

/// How many targets `chunks` have, and how those that are settled at once ended.
pub(super) fn counts(chunks: &[Chunk]) -> tally::Counts {
    let mut counts = tally::Counts::default();
    for row in chunks.iter().flat_map(|chunk| &chunk.rows) {
        counts.targets += 1;
        if let Some(outcome) = row.settled {
            counts.end(outcome);
        }
    }
    counts
}

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
}

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) counts: tally::Counts,
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
        insert_jobs(session, id, now, &chunk.jobs)?;
        first += chunk.rows.len() as u64;
        written.jobs += chunk.jobs.len() as u64;
    }
    let place = tally::Place {
        account: owner.account.0,
        areas: owner.areas,
        millis: names::task_millis(owner.created_at),
    };
    session.tally(place, &by_host);
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
    let open = chunk.rows.iter().filter(|row| row.settled.is_none()).count();
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
            open as i64,
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
            None => PROCESSING,
            Some(outcome) => {
                counts.end(outcome);
                if outcome.is_success() { DONE } else { FAILED }
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
            progress,
            row.settled.map(|outcome| outcome.to_string()),
            row.settled.map(|_| now.as_millis()),
        ])?;
    }
    Ok(())
}

fn insert_jobs(
    session: &Session,
    chunk: i64,
    now: Timestamp,
    jobs: &[PlannedJob],
) -> Result<(), Failure> {
    let mut statement = session.prepare_cached(
        "/* insert job */ INSERT INTO job
             (chunk, node, members, settled, state, attempt, due, token)
         VALUES (?1, ?2, ?3, ?4, 0, 0, ?5, 0)",
    )?;
    for job in jobs {
        statement.execute(params![
            chunk,
            session.node(&job.node)?,
            job.members.as_bytes(),
            Positions::default().as_bytes(),
            now.as_millis(),
        ])?;
    }
    Ok(())
}
