//! Accepting targets: of a new task, and of playlists found while it runs.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use stoker_domain::{
    task::{Task, TaskId},
    time::Timestamp,
};

use super::{
    Sqlite,
    columns::{signed, unsigned},
    failure::Failure,
    fields,
    insert::{self, Owner, Written},
    names, quota,
    session::Session,
    views,
    writer::Undo,
};
use crate::{
    Charge, ChildPlan, Error, NewTask, PlannedTarget, Submissions, Submitted,
    budget::{Budget, Plan, is_orphan, merge_urls, needed},
    chunk,
};

#[async_trait]
impl Submissions for Sqlite {
    async fn submit_all(&self, tasks: Vec<NewTask>) -> Result<Vec<Submitted>, Error> {
        // planned here, so that the one writer does not spend its time on it
        let plans: Vec<_> = tasks.into_iter().map(Plan::new).collect();
        let rows = plans.iter().map(Plan::rows).sum();
        let work = move |c: &Session| submit(c, &plans);
        // it refuses before it writes
        let write = self.parts.writer.run("submit a task", rows, Undo::Transaction, work);
        self.run("submit a task", write).await
    }

    async fn add_children(&self, plan: ChildPlan) -> Result<Submitted, Error> {
        let rows = plan.targets.len();
        self.write("add children", rows, move |c| add_children(c, plan)).await
    }
}

fn orphan() -> Failure {
    Failure::not_found("a target names no node that must hold it")
}

/// Everything that can be refused is refused before anything is written.
pub(super) fn submit(session: &Session, plans: &[Plan]) -> Result<Vec<Submitted>, Failure> {
    if plans.iter().any(|plan| plan.has_orphan) {
        return Err(orphan());
    }
    let needed = needed(plans);
    for ((account, counter), (daily, units)) in &needed {
        let charge = Charge { counter: *counter, daily: *daily };
        if let Some(refusal) = quota::refusal(session, *account, &[charge], *units)? {
            return Err(refusal);
        }
    }
    let mut submitted = Vec::with_capacity(plans.len());
    for plan in plans {
        submitted.push(write(session, plan)?);
    }
    for ((account, counter), (daily, units)) in needed {
        quota::charge(session, account, &[Charge { counter, daily }], units)?;
    }
    Ok(submitted)
}

fn write(session: &Session, plan: &Plan) -> Result<Submitted, Failure> {
    let (task, targets) = (&plan.task, plan.counts.targets);
    let id = insert_task(session, plan)?;
    let owner = Owner {
        task: id,
        account: task.account,
        areas: task.areas,
        created_at: task.created_at,
        parent: None,
        targets: 0,
        is_paused: false,
    };
    let written = insert::insert(session, owner, task.created_at, &plan.chunks)?;
    let merged = plan.merged;
    Ok(Submitted { targets, merged, jobs: written.jobs, ..Submitted::default() })
}

/// A task all of whose targets are settled is finished.
fn insert_task(session: &Session, plan: &Plan) -> Result<i64, Failure> {
    let (task, counts) = (&plan.task, plan.counts);
    let id = names::next_task(session, task.created_at)?;
    let is_finished = counts.targets == counts.done + counts.failed;
    session
        .prepare_cached(
            "/* submit: task */ INSERT INTO task (id, public_id, account, product, areas, tier,
                 options, created_at, targets, done, failed, failed_origin, updated_at, finished_at,
                 failed_timeout, failed_canceled, retry_of, had_fields)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?8, ?13, ?14, ?15, ?16,
                 ?17)",
        )?
        .execute(params![
            id,
            task.id.0,
            task.account.0,
            task.product.as_str(),
            task.areas.as_str(),
            task.tier.map(|tier| tier.as_str()),
            serde_json::to_string(&fields::without(&task.options))?,
            task.created_at.as_millis(),
            signed(counts.targets),
            signed(counts.done),
            signed(counts.failed),
            signed(counts.failed_origin),
            is_finished.then_some(task.created_at.as_millis()),
            signed(counts.failed_timeout),
            signed(counts.failed_canceled),
            plan.retry_of.as_ref().map(|id| &id.0),
            fields::has_any(&task.options),
        ])?;
    if !is_finished {
        fields::put(session, id, &task.options)?;
    }
    session.count_task(task.account.0);
    Ok(id)
}

/// Adds to the counts in the task's row; a task all of whose targets are settled is finished.
fn count(
    connection: &Connection,
    task: i64,
    written: &Written,
    now: Timestamp,
) -> Result<(), Failure> {
    let counts = written.counts;
    // columns on the right are those of before the update, so the sums are formed again
    let is_finished: bool = connection
        .prepare_cached(
            "/* count targets */ UPDATE task SET targets = targets + ?2, done = done + ?3,
                 failed = failed + ?4, failed_origin = failed_origin + ?5,
                 failed_timeout = failed_timeout + ?7, failed_canceled = failed_canceled + ?8,
                 updated_at = ?6,
                 finished_at = CASE WHEN targets + ?2 = done + ?3 + failed + ?4 THEN ?6 END
             WHERE id = ?1 RETURNING finished_at IS NOT NULL",
        )?
        .query_row(
            params![
                task,
                signed(counts.targets),
                signed(counts.done),
                signed(counts.failed),
                signed(counts.failed_origin),
                now.as_millis(),
                signed(counts.failed_timeout),
                signed(counts.failed_canceled),
            ],
            |row| row.get(0),
        )?;
    if is_finished { fields::forget(connection, task) } else { Ok(()) }
}

pub(super) fn add_children(session: &Session, plan: ChildPlan) -> Result<Submitted, Failure> {
    let connection: &Connection = session;
    let now = plan.now;
    if plan.targets.iter().any(is_orphan) {
        return Err(orphan());
    }
    let Some(owner_task) = find_task(connection, &plan.task)? else {
        return Err(Failure::not_found("the task"));
    };
    let given = plan.targets.len() as u64;
    let mut targets = plan.targets.clone();
    merge_urls(&mut targets);
    leave_out_present(connection, owner_task.id, &mut targets)?;
    let merged = given - targets.len() as u64;
    if owner_task.is_final || targets.is_empty() {
        return Ok(Submitted { merged, ..Submitted::default() });
    }
    if owner_task.targets >= plan.most_targets {
        let left_out = targets.len() as u64;
        return Ok(Submitted { merged, left_out, ..Submitted::default() });
    }
    let owner = Owner {
        task: owner_task.id,
        account: owner_task.task.account,
        areas: owner_task.task.areas,
        created_at: owner_task.task.created_at,
        parent: Some(plan.parent),
        targets: owner_task.targets,
        is_paused: owner_task.is_paused,
    };
    let mut available = Vec::with_capacity(plan.charges.len());
    for charge in &plan.charges {
        available.push(quota::available(connection, owner_task.task.account, charge)?);
    }
    let spent = Budget::new(plan.most_targets, owner_task.targets, available).spend(&mut targets);
    quota::charge(connection, owner_task.task.account, &plan.charges, spent.paid)?;
    let written = insert::insert(session, owner, now, &chunk::cut(targets))?;
    count(connection, owner_task.id, &written, now)?;
    let Written { counts, jobs, .. } = written;
    let over_quota = spent.over_quota;
    Ok(Submitted { targets: counts.targets, merged, over_quota, jobs, left_out: 0 })
}

struct ParentTask {
    id: i64,
    task: Task,
    targets: u64,
    /// Finished, or canceled: it takes no further targets.
    is_final: bool,
    is_paused: bool,
}

fn find_task(connection: &Connection, id: &TaskId) -> Result<Option<ParentTask>, Failure> {
    let numbers = connection
        .prepare_cached(
            "/* add_children: task */ SELECT id, targets, finished_at IS NOT NULL OR state = 2,
                 state = 1
             FROM task WHERE public_id = ?1",
        )?
        .query_row([&id.0], |row| Ok((row.get(0)?, unsigned(row, 1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((id, targets, is_final, is_paused)) = numbers else { return Ok(None) };
    Ok(Some(ParentTask { id, task: views::task(connection, id)?, targets, is_final, is_paused }))
}

fn leave_out_present(
    connection: &Connection,
    task: i64,
    targets: &mut Vec<PlannedTarget>,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "/* add_children: present */ SELECT EXISTS (SELECT 1 FROM target INDEXED BY target_by_url
         WHERE url_hash = ?1 AND task = ?2 AND url = ?3)",
    )?;
    let mut new = Vec::with_capacity(targets.len());
    for target in targets.drain(..) {
        let hash = chunk::url_hash(&target.url);
        if !statement.query_row(params![hash, task, target.url], |row| row.get(0))? {
            new.push(target);
        }
    }
    *targets = new;
    Ok(())
}
