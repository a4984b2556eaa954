//! Numbers for what recurs in rows: nodes and hosts by name, targets by chunk, tasks by moment.

use rusqlite::{Connection, OptionalExtension};
use stoker_domain::{plan::CHUNK, time::Timestamp};

use super::failure::Failure;

// A target's number is `chunk << 9 | position`: the targets of a chunk are one range of row numbers,
// found without an index and read in one sweep. A task's number is `milliseconds << 20 | running
// number`: tasks lie in the order of their creation, so that a range of time is a range of rows.

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
    find(connection, "/* find node */ SELECT id FROM node WHERE name = ?1", name)
}

/// The number of the node with this name, made when there is none.
pub(super) fn node(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    match find_node(connection, name)? {
        Some(id) => Ok(id),
        None => add(connection, "/* new node */ INSERT INTO node (name) VALUES (?1)", name),
    }
}

/// The number of the host with this name, if any target has it.
pub(super) fn find_host(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    find(connection, "/* find host */ SELECT id FROM host WHERE name = ?1", name)
}

/// The number of the host with this name, made when there is none.
pub(super) fn host(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    match find_host(connection, name)? {
        Some(id) => Ok(id),
        None => add(connection, "/* new host */ INSERT INTO host (name) VALUES (?1)", name),
    }
}

fn find(connection: &Connection, sql: &str, name: &str) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()
}

fn add(connection: &Connection, sql: &str, name: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(sql)?.insert([name])
}

/// The number of the target at `position` of `chunk`.
pub(super) const fn target(chunk: i64, position: u16) -> i64 {
    chunk << POSITION_BITS | position as i64
}

/// Chunk and position of a target.
pub(super) const fn chunk_and_position(target: i64) -> (i64, u16) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sqlite::schema;

    fn empty() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        connection
    }

    #[test]
    fn a_name_keeps_its_number_and_hosts_begin_at_one() {
        let connection = empty();
        assert_eq!(find_host(&connection, "a.example").unwrap(), None);
        // 0 stands for all hosts in the tally
        assert_eq!(host(&connection, "a.example").unwrap(), 1);
        assert_eq!(host(&connection, "b.example").unwrap(), 2);
        assert_eq!(host(&connection, "a.example").unwrap(), 1);
        assert_eq!(find_host(&connection, "b.example").unwrap(), Some(2));
        assert_eq!(find_node(&connection, "a.example").unwrap(), None, "a node is no host");
        let edge = node(&connection, "edge").unwrap();
        assert_eq!(node(&connection, "edge").unwrap(), edge);
        assert_eq!(find_node(&connection, "edge").unwrap(), Some(edge));
    }

    #[test]
    fn tasks_of_one_millisecond_are_numbered_until_none_is_left() {
        let connection = empty();
        let moment = Timestamp::from_millis(7);
        let first = next_task(&connection, moment).unwrap();
        assert_eq!(first, first_task(7));
        let add = |id: i64| {
            let sql = "INSERT INTO task (id, public_id, account, product, areas, options,
                created_at, targets, done, failed, failed_origin, updated_at)
                VALUES (?1, ?1, 1, 'cdn', 'global', '{}', 7, 0, 0, 0, 0, 7)";
            connection.execute(sql, [id]).unwrap();
        };
        connection
            .execute_batch(
                "INSERT INTO account (id, uin, app_id, created_at) VALUES (1, 'u', 1, 1)",
            )
            .unwrap();
        add(first);
        assert_eq!(next_task(&connection, moment).unwrap(), first + 1);
        assert_eq!(next_task(&connection, Timestamp::from_millis(8)).unwrap(), first_task(8));
        assert_eq!(next_task(&connection, Timestamp::from_millis(6)).unwrap(), first_task(6));
        add(first_task(8) - 2);
        assert_eq!(next_task(&connection, moment).unwrap(), first_task(8) - 1);
        add(first_task(8) - 1);
        assert!(next_task(&connection, moment).is_err(), "the next is of another millisecond");
    }

    #[test]
    fn the_latest_moment_is_a_whole_hour_and_fits_into_a_number() {
        assert_eq!(LATEST % 3_600_000, 0);
        assert!(first_task(LATEST + 3_600_000) > first_task(LATEST));
        assert!(first_task(-LATEST) < first_task(-LATEST + 1));
        assert_eq!(task_millis(Timestamp::from_millis(i64::MAX)), LATEST);
        assert_eq!(task_millis(Timestamp::from_millis(i64::MIN)), -LATEST);
        assert_eq!(task_millis(Timestamp::from_millis(-5)), -5);
    }

    proptest! {
        #[test]
        fn a_target_is_found_by_chunk_and_position(
            chunk in 0i64..1 << 40, position in 0u16..500,
        ) {
            prop_assert_eq!(chunk_and_position(target(chunk, position)), (chunk, position));
            prop_assert!(target(chunk, position) < target(chunk + 1, 0));
            prop_assert_eq!(target(chunk, position) - target(chunk, 0), i64::from(position));
        }

        #[test]
        fn tasks_lie_in_the_order_of_their_creation(a in any::<i64>(), b in any::<i64>()) {
            let number = |millis| first_task(task_millis(Timestamp::from_millis(millis)));
            prop_assert!(a > b || number(a) <= number(b));
            prop_assert_eq!(number(a) >> RUNNING_BITS, task_millis(Timestamp::from_millis(a)));
        }
    }
}
