//! Views of tasks: their rows, what nodes reported, what still runs.

use std::collections::{BTreeMap, btree_map::Entry};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params, types::ValueRef};
use stoker_domain::{
    account::AccountId,
    job::{ItemReport, NodeOutcome},
    plan::Positions,
    quota::Product,
    task::{Task, TaskId},
    view::{Page, TaskFilter, TaskRow},
};

use super::{
    Sqlite,
    columns::{
        json, json_or_default, maybe_moment, moment, one_of, positions, signed, task_state,
        unsigned, word,
    },
    failure::Failure,
    names,
};
use crate::{Error, TaskViews, stored::read_over};

#[async_trait]
impl TaskViews for Sqlite {
    async fn tasks(&self, filter: &TaskFilter) -> Result<Page<TaskRow>, Error> {
        let filter = filter.clone();
        self.read("list tasks", move |c| tasks(c, &filter)).await
    }

    async fn outcomes(
        &self,
        task: &TaskId,
        targets: &[i64],
    ) -> Result<Vec<(i64, Vec<NodeOutcome>)>, Error> {
        let (task, targets) = (task.clone(), targets.to_vec());
        self.read("list outcomes", move |c| outcomes(c, &task, &targets)).await
    }

    async fn last_number(&self) -> Result<Option<TaskId>, Error> {
        self.read("find the last task number", last_number).await
    }

    async fn limited_tasks(&self) -> Result<Vec<(Task, Vec<String>)>, Error> {
        self.read("list limited tasks", limited_tasks).await
    }
}

/// Walks the index of names down from the last that begins with a digit.
pub(super) fn last_number(connection: &Connection) -> Result<Option<TaskId>, Failure> {
    let name = connection
        .prepare_cached(
            // `:` follows `9`: names before it begin with a digit or with what sorts below one
            "/* last number */ SELECT public_id FROM task
             WHERE public_id < ':' AND length(public_id) = 19
                 AND public_id NOT GLOB '*[^0-9]*'
             ORDER BY public_id DESC LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(name.map(TaskId))
}

pub(super) fn limited_tasks(connection: &Connection) -> Result<Vec<(Task, Vec<String>)>, Failure> {
    // the condition is that of the partial index, word for word
    let ids: Vec<i64> = connection
        .prepare_cached(
            "/* limited tasks */ SELECT id FROM task INDEXED BY task_limited
             WHERE finished_at IS NULL AND json_extract(options, '$.limit_mbps') IS NOT NULL
                 AND state = 0",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut hosts = connection.prepare_cached(
        "/* limited tasks: hosts */ SELECT DISTINCT host.name
         FROM chunk
         JOIN target ON target.id BETWEEN chunk.id << 9 AND (chunk.id << 9) + 511
         JOIN host ON host.id = target.host
         WHERE chunk.task = ?1 AND chunk.open > 0 ORDER BY host.name",
    )?;
    let mut tasks = Vec::new();
    for id in ids {
        let names = hosts.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        tasks.push((task(connection, id)?, names));
    }
    Ok(tasks)
}

pub(super) fn tasks(
    connection: &Connection,
    filter: &TaskFilter,
) -> Result<Page<TaskRow>, Failure> {
    if let Some(id) = &filter.id {
        return one_task(connection, id, filter);
    }
    let total = match filter.account {
        Some(account) => connection
            .prepare_cached(
                "/* tasks: total */ SELECT coalesce(sum(tasks), 0) FROM account WHERE id = ?1",
            )?
            .query_row([account.0], |row| unsigned(row, 0))?,
        None => connection
            .prepare_cached("/* tasks: total */ SELECT coalesce(sum(tasks), 0) FROM account")?
            .query_row([], |row| unsigned(row, 0))?,
    };
    let sql = match filter.account {
        Some(_) => {
            "/* tasks */ SELECT id FROM task INDEXED BY task_by_account WHERE account = ?3
                 AND id < ?4
             ORDER BY id DESC LIMIT ?1 OFFSET ?2"
        }
        None => {
            "/* tasks */ SELECT id FROM task WHERE ?3 IS NULL AND id < ?4 ORDER BY id DESC LIMIT ?1 OFFSET ?2"
        }
    };
    let before = match &filter.after {
        Some(after) => own_task(connection, after, filter.account)?.unwrap_or(i64::MIN),
        None => i64::MAX,
    };
    let account = filter.account.map(|account| account.0);
    let mut statement = connection.prepare_cached(sql)?;
    let ids = statement
        .query_map(params![signed(filter.limit), signed(filter.offset), account, before], |row| {
            row.get(0)
        })?
        .collect::<Result<Vec<i64>, _>>()?;
    let rows = ids.into_iter().map(|id| task_row(connection, id)).collect::<Result<_, _>>()?;
    Ok(Page { rows, total })
}

fn one_task(
    connection: &Connection,
    id: &TaskId,
    filter: &TaskFilter,
) -> Result<Page<TaskRow>, Failure> {
    let mut rows = Vec::new();
    if let Some(number) = find_task(connection, id)? {
        rows.push(task_row(connection, number)?);
    }
    rows.retain(|row| filter.account.is_none_or(|account| account == row.task.account));
    let total = rows.len() as u64;
    if filter.offset > 0 || filter.limit == 0 {
        rows.clear();
    }
    Ok(Page { rows, total })
}

/// The number of the task with this name, if it is the account's.
fn own_task(
    connection: &Connection,
    id: &TaskId,
    account: Option<AccountId>,
) -> Result<Option<i64>, Failure> {
    let number = connection
        .prepare_cached(
            "/* find own task */ SELECT id FROM task
             WHERE public_id = ?1 AND (?2 IS NULL OR account = ?2)",
        )?
        .query_row(params![id.0, account.map(|account| account.0)], |row| row.get(0))
        .optional()?;
    Ok(number)
}

/// The number of the task with this name.
pub(super) fn find_task(connection: &Connection, id: &TaskId) -> Result<Option<i64>, Failure> {
    let number = connection
        .prepare_cached("/* find task */ SELECT id FROM task WHERE public_id = ?1")?
        .query_row([&id.0], |row| row.get(0))
        .optional()?;
    Ok(number)
}

/// The number of the task that a chunk belongs to.
pub(super) fn task_of_chunk(connection: &Connection, chunk: i64) -> Result<i64, Failure> {
    let task = connection
        .prepare_cached("/* task of a chunk */ SELECT task FROM chunk WHERE id = ?1")?
        .query_row([chunk], |row| row.get(0))?;
    Ok(task)
}

/// The task with this number.
pub(super) fn task(connection: &Connection, id: i64) -> Result<Task, Failure> {
    Ok(task_row(connection, id)?.task)
}

fn task_row(connection: &Connection, id: i64) -> Result<TaskRow, Failure> {
    let row = connection
        .prepare_cached(
            "/* task */ SELECT public_id, account, product, areas, tier, options, created_at,
                 targets, done, failed, updated_at, finished_at, done_bytes, held_bytes,
                 pulled_bytes, not_followed, failed_canceled, state, state_at, retry_of, had_fields
             FROM task WHERE id = ?1",
        )?
        .query_row([id], |row| {
            let task = Task {
                id: TaskId(row.get(0)?),
                account: AccountId(row.get(1)?),
                product: one_of(row, 2, &Product::ALL, Product::as_str)?,
                areas: word(row, 3)?,
                tier: match row.get_ref(4)? {
                    ValueRef::Null => None,
                    _ => Some(word(row, 4)?),
                },
                options: json(row, 5)?,
                created_at: moment(row, 6)?,
            };
            Ok(TaskRow {
                task,
                targets: unsigned(row, 7)?,
                done: unsigned(row, 8)?,
                failed: unsigned(row, 9)?,
                updated_at: moment(row, 10)?,
                finished_at: maybe_moment(row, 11)?,
                done_bytes: unsigned(row, 12)?,
                held_bytes: unsigned(row, 13)?,
                pulled_bytes: unsigned(row, 14)?,
                not_followed: json_or_default(row, 15)?,
                canceled: unsigned(row, 16)?,
                state: task_state(row, 17)?,
                retry_of: row.get::<_, Option<String>>(19)?.map(TaskId),
                had_fields: row.get(20)?,
            })
        })?;
    Ok(row)
}

/// A job of a chunk, for the outcomes of its targets.
struct ChunkJob {
    node: String,
    members: Positions,
    /// The last word on each item.
    reports: BTreeMap<u16, ItemReport>,
}

pub(super) fn outcomes(
    connection: &Connection,
    task: &TaskId,
    targets: &[i64],
) -> Result<Vec<(i64, Vec<NodeOutcome>)>, Failure> {
    let Some(task) = find_task(connection, task)? else { return Ok(Vec::new()) };
    let mut chunks: BTreeMap<i64, Vec<ChunkJob>> = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(targets.len());
    for &target in targets {
        let (chunk, position) = names::chunk_and_position(target);
        if !is_target(connection, task, target)? {
            continue;
        }
        let jobs = match chunks.entry(chunk) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(chunk_jobs(connection, chunk)?),
        };
        let nodes = jobs
            .iter()
            .filter(|job| job.members.contains(position))
            .map(|job| NodeOutcome {
                node: job.node.clone(),
                area: None,
                report: job.reports.get(&position).cloned(),
            })
            .collect();
        outcomes.push((target, nodes));
    }
    Ok(outcomes)
}

fn is_target(connection: &Connection, task: i64, target: i64) -> Result<bool, Failure> {
    let is_target = connection
        .prepare_cached(
            "/* outcomes: target */ SELECT EXISTS
                 (SELECT 1 FROM target WHERE id = ?1 AND task = ?2)",
        )?
        .query_row([target, task], |row| row.get(0))?;
    Ok(is_target)
}

fn chunk_jobs(connection: &Connection, chunk: i64) -> Result<Vec<ChunkJob>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* outcomes: jobs */ SELECT job.id, job.members, node.name
         FROM job INDEXED BY job_by_chunk JOIN node ON node.id = job.node
         WHERE job.chunk = ?1 ORDER BY node.name",
    )?;
    let mut rows = statement.query([chunk])?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(ChunkJob {
            reports: reports(connection, row.get(0)?)?,
            members: positions(row, 1)?,
            node: row.get(2)?,
        });
    }
    Ok(jobs)
}

/// The last word of a job on each of its items.
pub(super) fn reports(
    connection: &Connection,
    job: i64,
) -> Result<BTreeMap<u16, ItemReport>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* outcomes: reports */ SELECT items FROM report INDEXED BY report_by_job
         WHERE job = ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([job])?;
    let mut reports = BTreeMap::new();
    while let Some(row) = rows.next()? {
        read_over(&mut reports, row.get_ref(0)?.as_str().map_err(Failure::corrupt)?)?;
    }
    Ok(reports)
}
