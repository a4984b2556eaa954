//! Numbers for what recurs in rows: nodes and hosts by name, targets by chunk, tasks by moment.

use rusqlite::{Connection, OptionalExtension};
use stoker_domain::{plan::CHUNK, time::Timestamp};

use super::failure::Failure;

/// Bits of a target's number that are its position in the chunk.
const POSITION_BITS: u32 = 9;
const _: () = assert!(CHUNK <= 1 << POSITION_BITS);
/// Bits of a task's number that tell tasks of one millisecond apart.
const RUNNING_BITS: u32 = 20;
/// The latest moment, in milliseconds, that a task's number can hold: in the year 2248. A multiple
/// of the buckets of `tally`.
pub(super) const LATEST: i64 = (1 << 43) / 3_600_000 * 3_600_000 - 3_600_000;

/// The number of the node with this name, if any job was ever made for it.
pub(super) fn find_node(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("/* find node */ SELECT id FROM node WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// The number of the node with this name, made when there is none.
pub(super) fn node(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    if let Some(id) = find_node(connection, name)? {
        return Ok(id);
    }
    connection
        .prepare_cached("/* new node */ INSERT INTO node (name) VALUES (?1) RETURNING id")?
        .query_row([name], |row| row.get(0))
}

/// The number of the host with this name, if any target has it.
pub(super) fn find_host(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("/* find host */ SELECT id FROM host WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// The number of the host with this name, made when there is none.
pub(super) fn host(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    if let Some(id) = find_host(connection, name)? {
        return Ok(id);
    }
    connection
        .prepare_cached("/* new host */ INSERT INTO host (name) VALUES (?1) RETURNING id")?
        .query_row([name], |row| row.get(0))
}

/// The number of the target at `position` of `chunk`.
pub(super) const fn target(chunk: i64, position: u16) -> i64 {
    chunk << POSITION_BITS | position as i64
}

/// Chunk and position of a target.
pub(super) const fn place(target: i64) -> (i64, u16) {
    (target >> POSITION_BITS, (target & ((1 << POSITION_BITS) - 1)) as u16)
}

/// The moment of a task in its number, in milliseconds.
pub(super) fn task_millis(created_at: Timestamp) -> i64 {
    created_at.as_millis().clamp(-LATEST, LATEST)
}

/// The smallest number of a task created at `millis` or later.
pub(super) const fn first_task(millis: i64) -> i64 {
    millis << RUNNING_BITS
}

/// The next free number for a task.
pub(super) fn next_task(connection: &Connection, created_at: Timestamp) -> Result<i64, Failure> {
    let millis = task_millis(created_at);
    let (first, end) = (first_task(millis), first_task(millis + 1));
    let last: Option<i64> = connection
        .prepare_cached(
            "/* submit: next task */ SELECT max(id) FROM task WHERE id >= ?1 AND id < ?2",
        )?
        .query_row([first, end], |row| row.get(0))?;
    let next = last.map_or(first, |last| last + 1);
    if next == end {
        return Err(Failure::unavailable("too many tasks in one millisecond"));
    }
    Ok(next)
}
