//! The request fields of a task: apart from its other options, and only while it runs.
//!
//! They may be secrets. The engine seals their values; what is written here is what it gave, and is
//! removed by the transaction that finishes the task. What is removed is overwritten in the file.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use stoker_domain::task::{FetchOptions, Task};

use super::{Sqlite, failure::Failure, views};
use crate::{Error, RequestFields};

#[async_trait]
impl RequestFields for Sqlite {
    async fn task_fields_after(&self, after: i64, most: u32) -> Result<Vec<(i64, Task)>, Error> {
        self.read("read request fields", move |c| page(c, after, most)).await
    }

    async fn reseal_tasks(&self, tasks: Vec<(i64, FetchOptions)>) -> Result<(), Error> {
        let rows = tasks.len();
        self.write("seal request fields", rows, move |c| reseal(c, &tasks)).await
    }
}

/// As they lie in a row.
#[derive(Serialize, Deserialize)]
struct Fields {
    headers: Option<Vec<(String, String)>>,
    user_agent: Option<String>,
}

/// The options of a task without its request fields.
pub(super) fn without(options: &FetchOptions) -> FetchOptions {
    FetchOptions { headers: Vec::new(), user_agent: None, ..options.clone() }
}

/// Whether there are request fields among `options`.
pub(super) fn has_any(options: &FetchOptions) -> bool {
    !options.headers.is_empty() || options.user_agent.is_some()
}

/// Writes the request fields among `options`, if there are any.
pub(super) fn put(
    connection: &Connection,
    task: i64,
    options: &FetchOptions,
) -> Result<(), Failure> {
    let Some(fields) = text(options)? else { return Ok(()) };
    connection
        .prepare_cached("/* put fields */ INSERT INTO task_fields (task, fields) VALUES (?1, ?2)")?
        .execute(params![task, fields])?;
    Ok(())
}

/// Adds the request fields of `task` to its `options`.
pub(super) fn add(
    connection: &Connection,
    task: i64,
    options: &mut FetchOptions,
) -> Result<(), Failure> {
    let found: Option<String> = connection
        .prepare_cached("/* fields */ SELECT fields FROM task_fields WHERE task = ?1")?
        .query_row([task], |row| row.get(0))
        .optional()?;
    if let Some(text) = found {
        let fields: Fields = serde_json::from_str(&text)?;
        options.headers = fields.headers.unwrap_or_default();
        options.user_agent = fields.user_agent;
    }
    Ok(())
}

/// Removes those of a task that is finished now.
pub(super) fn forget(connection: &Connection, task: i64) -> Result<(), Failure> {
    connection
        .prepare_cached("/* forget fields */ DELETE FROM task_fields WHERE task = ?1")?
        .execute([task])?;
    Ok(())
}

/// Up to `most` tasks that have any, after number `after`, with their numbers.
pub(super) fn page(
    connection: &Connection,
    after: i64,
    most: u32,
) -> Result<Vec<(i64, Task)>, Failure> {
    let numbers: Vec<i64> = connection
        .prepare_cached(
            "/* fields after */ SELECT task FROM task_fields WHERE task > ?1 ORDER BY task LIMIT ?2",
        )?
        .query_map(params![after, most], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut tasks = Vec::with_capacity(numbers.len());
    for number in numbers {
        let mut task = views::task(connection, number)?;
        add(connection, number, &mut task.options)?;
        tasks.push((number, task));
    }
    Ok(tasks)
}

/// Replaces those of tasks that still have them.
pub(super) fn reseal(
    connection: &Connection,
    tasks: &[(i64, FetchOptions)],
) -> Result<(), Failure> {
    let mut statement = connection
        .prepare_cached("/* reseal fields */ UPDATE task_fields SET fields = ?2 WHERE task = ?1")?;
    for (task, options) in tasks {
        if let Some(fields) = text(options)? {
            statement.execute(params![task, fields])?;
        }
    }
    Ok(())
}

fn text(options: &FetchOptions) -> Result<Option<String>, Failure> {
    if !has_any(options) {
        return Ok(None);
    }
    let (headers, user_agent) = (Some(options.headers.clone()), options.user_agent.clone());
    Ok(Some(serde_json::to_string(&Fields { headers, user_agent })?))
}
