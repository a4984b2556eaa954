//! Tasks that are paused, resumed or canceled.
//!
//! The state of a task is one column of its row: from the transaction that writes it on, nothing of a
//! task that does not run is leased, and what is reported under its leases is stale. Its jobs follow
//! in bounded steps, chunk by chunk, for there may be thousands: `turn_from` says how far they are, so
//! that a step after a restart goes on where the last one ended. Jobs of a paused task have a state
//! of their own, in which they are in no index of what is due.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use stoker_domain::{
    job::JobId,
    outcome::Outcome,
    plan::CHUNK,
    task::{TaskCommand, TaskId, TaskState},
    time::Timestamp,
};

use super::{
    Sqlite,
    columns::{FAILED, TASK_CANCELED, TASK_PAUSED, TASK_RUNNING, signed, task_state},
    failure::Failure,
    report,
    session::Session,
};
use crate::{Control, Controlled, Error, TaskControl, Turned};

/// What the outcome of a canceled target on a node says.
const CANCELED: &str = "the task was canceled";

const TURNING: &str = "/* turn: task */ SELECT id, state, turn_from FROM task
     INDEXED BY task_turning WHERE turn_from IS NOT NULL ORDER BY state, id LIMIT 1";
const NEXT_CHUNK: &str = "/* turn: chunk */ SELECT id, first FROM chunk INDEXED BY chunk_open
     WHERE task = ?1 AND first >= ?2 AND open > 0 ORDER BY first LIMIT 1";
const FAILED_URLS: &str = "/* failed urls */ SELECT t.id, t.url
     FROM task AS k CROSS JOIN target AS t INDEXED BY target_by_progress
         ON t.account = k.account AND t.progress = ?2 AND t.task = k.id
     WHERE k.public_id = ?1 AND t.id > ?3 ORDER BY t.id LIMIT ?4";

#[async_trait]
impl TaskControl for Sqlite {
    async fn control(&self, change: Control) -> Result<Controlled, Error> {
        self.write("change the state of a task", 1, move |c| control(c, &change)).await
    }

    async fn turn_jobs(
        &self,
        most: usize,
        now: Timestamp,
        due: Timestamp,
    ) -> Result<Turned, Error> {
        self.write("turn jobs", most, move |c| turn(c, most, (now, due))).await
    }

    async fn failed_urls(
        &self,
        task: &TaskId,
        after: i64,
        most: u32,
    ) -> Result<Vec<(i64, String)>, Error> {
        let task = task.clone();
        self.read("list failed targets", move |c| failed_urls(c, &task, after, most)).await
    }
}

/// The row of a task whose state is to change.
struct Task {
    id: i64,
    state: TaskState,
    is_turning: bool,
    is_finished: bool,
}

fn find(connection: &Connection, change: &Control) -> Result<Task, Failure> {
    let task = connection
        .prepare_cached(
            "/* control: task */ SELECT id, state, state_at, turn_from IS NOT NULL,
                 finished_at IS NOT NULL
             FROM task WHERE public_id = ?1 AND account = ?2",
        )?
        .query_row(params![change.task.0, change.account.0], |row| {
            Ok(Task {
                id: row.get(0)?,
                state: task_state(row, 1)?,
                is_turning: row.get(3)?,
                is_finished: row.get(4)?,
            })
        })
        .optional()?;
    task.ok_or_else(|| Failure::not_found("the task"))
}

pub(super) fn control(connection: &Connection, change: &Control) -> Result<Controlled, Failure> {
    let task = find(connection, change)?;
    let (number, since) = match (change.command, task.state) {
        (TaskCommand::Cancel, TaskState::Canceled(_)) => return Ok(Controlled::Already),
        _ if task.is_finished || matches!(task.state, TaskState::Canceled(_)) => {
            return Ok(Controlled::Over);
        }
        (TaskCommand::Pause, TaskState::Paused(_)) | (TaskCommand::Resume, TaskState::Running) => {
            return Ok(Controlled::Already);
        }
        // leases that its jobs still have would count again
        (TaskCommand::Resume, _) if task.is_turning => return Ok(Controlled::Busy),
        (TaskCommand::Resume, _) => (TASK_RUNNING, None),
        (TaskCommand::Pause, _) => (TASK_PAUSED, Some(change.now)),
        (TaskCommand::Cancel, _) => (TASK_CANCELED, Some(change.now)),
    };
    connection
        .prepare_cached(
            "/* control: state */ UPDATE task SET state = ?2, state_at = ?3, turn_from = 0,
                 updated_at = ?4
             WHERE id = ?1",
        )?
        .execute(params![
            task.id,
            number,
            since.map(Timestamp::as_millis),
            change.now.as_millis()
        ])?;
    Ok(Controlled::Changed)
}

/// A task whose jobs do not all follow its state.
struct Turning {
    task: i64,
    state: i64,
    from: i64,
}

fn turning(connection: &Connection) -> Result<Option<Turning>, Failure> {
    let task = connection
        .prepare_cached(TURNING)?
        .query_row([], |row| {
            Ok(Turning { task: row.get(0)?, state: row.get(1)?, from: row.get(2)? })
        })
        .optional()?;
    Ok(task)
}

/// Lets jobs follow the state of their task, those of one chunk after the other, until about `most`
/// rows are written.
pub(super) fn turn(
    session: &Session,
    most: usize,
    moments: (Timestamp, Timestamp),
) -> Result<Turned, Failure> {
    let mut turned = Turned::default();
    let mut left = most;
    while let Some(turning) = turning(session)? {
        if left == 0 {
            turned.is_more = true;
            return Ok(turned);
        }
        // what has no open target has no job that is not final
        let chunk: Option<(i64, i64)> = session
            .prepare_cached(NEXT_CHUNK)?
            .query_row([turning.task, turning.from], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((chunk, first)) = chunk else {
            set_turn_from(session, turning.task, None)?;
            continue;
        };
        // the end of a job writes the row of each of its targets
        let rows = if turning.state == TASK_CANCELED { CHUNK } else { 1 };
        let limit = (left / rows).max(1);
        let jobs = jobs(session, chunk, turning.state, limit)?;
        if jobs.len() < limit {
            set_turn_from(session, turning.task, Some(first + 1))?;
        }
        left = left.saturating_sub((jobs.len() * rows).max(1));
        for (job, node) in jobs {
            turn_job(session, JobId(job), turning.state, &mut turned, moments)?;
            if turning.state == TASK_RUNNING && !turned.nodes.contains(&node) {
                turned.nodes.push(node);
            }
        }
    }
    Ok(turned)
}

fn set_turn_from(connection: &Connection, task: i64, from: Option<i64>) -> Result<(), Failure> {
    connection
        .prepare_cached("/* turn: how far */ UPDATE task SET turn_from = ?2 WHERE id = ?1")?
        .execute(params![task, from])?;
    Ok(())
}

/// Up to `most` jobs of `chunk` that do not follow `state`, each with its node.
fn jobs(
    connection: &Connection,
    chunk: i64,
    state: i64,
    most: usize,
) -> Result<Vec<(i64, String)>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* turn: jobs */ SELECT job.id, node.name
         FROM job INDEXED BY job_by_chunk JOIN node ON node.id = job.node
         WHERE job.chunk = ?1 AND CASE ?2 WHEN 0 THEN job.state = 3 WHEN 1 THEN job.state < 2
             ELSE job.state <> 2 END
         LIMIT ?3",
    )?;
    let rows = statement
        .query_map(params![chunk, state, signed(most as u64)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

fn turn_job(
    session: &Session,
    job: JobId,
    state: i64,
    turned: &mut Turned,
    (now, due): (Timestamp, Timestamp),
) -> Result<(), Failure> {
    match state {
        TASK_RUNNING => {
            session
                .prepare_cached(
                    "/* turn: resume */ UPDATE job SET state = 0, due = ?2 WHERE id = ?1",
                )?
                .execute(params![job.0, due.as_millis()])?;
        }
        TASK_PAUSED => {
            session
                .prepare_cached("/* turn: pause */ UPDATE job SET state = 3 WHERE id = ?1")?
                .execute([job.0])?;
        }
        _ => {
            let applied = report::end(session, job, Outcome::Canceled, CANCELED, now)?;
            turned.settled += applied.settled;
            turned.finished_targets += applied.finished_targets;
            turned.finished_tasks.extend(applied.finished_task);
        }
    }
    turned.jobs.push(job);
    Ok(())
}

pub(super) fn failed_urls(
    connection: &Connection,
    task: &TaskId,
    after: i64,
    most: u32,
) -> Result<Vec<(i64, String)>, Failure> {
    let mut statement = connection.prepare_cached(FAILED_URLS)?;
    let rows = statement
        .query_map(params![task.0, FAILED, after, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema;

    #[test]
    fn nothing_is_sorted_and_no_table_is_read_whole() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        for sql in [TURNING, NEXT_CHUNK, FAILED_URLS] {
            let sql = format!("EXPLAIN QUERY PLAN {sql}");
            let mut statement = connection.prepare(&sql).unwrap();
            let values = vec![1; statement.parameter_count()];
            let steps = statement
                .query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3))
                .unwrap()
                .collect::<Result<Vec<_>, _>>()
                .unwrap();
            // of the tasks whose jobs turn, all of an index that has nothing else
            let is_indexed =
                |step: &String| step.starts_with("SEARCH ") || step.ends_with("INDEX task_turning");
            assert!(steps.iter().all(is_indexed), "{steps:#?}");
        }
    }
}
