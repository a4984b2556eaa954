//! What columns hold: numbers, words of closed lists, bitmaps, JSON.
//!
//! A value that this version cannot have written is an error of the row, never a default.

use std::{error::Error as StdError, str::FromStr};

use rusqlite::{
    Row,
    types::{Type, ValueRef},
};
use serde::de::DeserializeOwned;
use stoker_domain::{
    area::AreaScope,
    plan::Positions,
    task::{Progress, TaskState},
    time::Timestamp,
};

use super::names;
use crate::tally::TaskBuckets;

/// Numbers of [`Progress`] in the table.
pub(super) const PROCESSING: i64 = 0;
pub(super) const DONE: i64 = 1;
pub(super) const FAILED: i64 = 2;

/// Numbers of a job's state: it waits, is leased, is final, or its task is paused.
pub(super) const WAITING: i64 = 0;
pub(super) const PAUSED: i64 = 3;

/// Numbers of [`TaskState`] in the table.
pub(super) const TASK_RUNNING: i64 = 0;
pub(super) const TASK_PAUSED: i64 = 1;
pub(super) const TASK_CANCELED: i64 = 2;

/// The state of a task, in two columns.
pub(super) fn task_state(row: &Row<'_>, column: usize) -> rusqlite::Result<TaskState> {
    match row.get(column)? {
        TASK_RUNNING => Ok(TaskState::Running),
        TASK_PAUSED => Ok(TaskState::Paused(moment(row, column + 1)?)),
        TASK_CANCELED => Ok(TaskState::Canceled(moment(row, column + 1)?)),
        other => Err(unreadable(column, format!("{other} is no state of a task"))),
    }
}

/// The number of [`Progress`] in the table.
pub(super) const fn progress_number(progress: Progress) -> i64 {
    match progress {
        Progress::Processing => PROCESSING,
        Progress::Done => DONE,
        Progress::Failed => FAILED,
    }
}

/// SQLite has no unsigned numbers; what does not fit is as good as unlimited.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count that is never negative.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// A moment, in milliseconds.
pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

/// A moment that may be absent.
pub(super) fn maybe_moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
}

/// A bitmap.
pub(super) fn positions(row: &Row<'_>, column: usize) -> rusqlite::Result<Positions> {
    Ok(Positions::from_bytes(row.get_ref(column)?.as_blob()?))
}

/// A word of a closed list.
pub(super) fn word<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr<Err: StdError + Send + Sync + 'static>,
{
    row.get_ref(column)?.as_str()?.parse().map_err(|error| unreadable(column, error))
}

/// A word of a closed list of values that have names, but no parser.
pub(super) fn one_of<T: Copy>(
    row: &Row<'_>,
    column: usize,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> rusqlite::Result<T> {
    let word = row.get_ref(column)?.as_str()?;
    let found = all.iter().copied().find(|value| name(*value) == word);
    found.ok_or_else(|| unreadable(column, format!("`{word}` is not in the list")))
}

/// A value kept as JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

/// As [`json`], where an absent value is the default.
pub(super) fn json_or_default<T: DeserializeOwned + Default>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(T::default()),
        _ => json(row, column),
    }
}

/// Account, areas and creation of a task, in three columns: the buckets in which it counts.
pub(super) fn task_buckets(row: &Row<'_>, column: usize) -> rusqlite::Result<TaskBuckets> {
    Ok(TaskBuckets {
        account: row.get(column)?,
        areas: word::<AreaScope>(row, column + 1)?,
        millis: names::task_millis(moment(row, column + 2)?),
    })
}

fn unreadable(column: usize, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, cause.into())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use stoker_domain::area::Area;

    use super::*;

    fn read<T>(value: &str, read: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Option<T> {
        let connection = Connection::open_in_memory().unwrap();
        connection.query_row(&format!("SELECT {value}"), [], |row| read(row)).ok()
    }

    #[test]
    fn numbers_are_as_large_as_they_can_be_and_never_negative() {
        assert_eq!([signed(7), signed(u64::MAX)], [7, i64::MAX]);
        assert_eq!(read("9223372036854775807", |row| unsigned(row, 0)), Some(u64::MAX >> 1));
        assert_eq!(read("-1", |row| unsigned(row, 0)), None);
        assert_eq!(read("-5", |row| moment(row, 0)), Some(Timestamp::from_millis(-5)));
        assert_eq!(read("NULL", |row| maybe_moment(row, 0)), Some(None));
        let progress = [Progress::Processing, Progress::Done, Progress::Failed];
        assert_eq!(progress.map(progress_number), [0, 1, 2]);
    }

    #[test]
    fn what_no_version_wrote_is_an_error() {
        assert_eq!(read("'overseas'", |row| word(row, 0)), Some(Area::Overseas));
        assert_eq!(read("'nowhere'", |row| word::<Area>(row, 0)), None);
        let name = |value| if value == 1 { "one" } else { "two" };
        assert_eq!(read("'two'", |row| one_of(row, 0, &[1, 2], name)), Some(2));
        assert_eq!(read("'three'", |row| one_of(row, 0, &[1, 2], name)), None);
        assert_eq!(read("'[1, 2]'", |row| json(row, 0)), Some(vec![1, 2]));
        assert_eq!(read("'[1, '", |row| json::<Vec<u8>>(row, 0)), None);
        assert_eq!(read("NULL", |row| json::<Vec<u8>>(row, 0)), None);
        assert_eq!(read("NULL", |row| json_or_default(row, 0)), Some(Vec::<u8>::new()));
        assert_eq!(read("'[3]'", |row| json_or_default(row, 0)), Some(vec![3]));
        assert_eq!(read("'x'", |row| json_or_default::<Vec<u8>>(row, 0)), None);
        let bits = read("x'0500'", |row| positions(row, 0)).unwrap();
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 2]);
        assert_eq!(read("'text'", |row| positions(row, 0)), None);
    }

    #[test]
    fn a_task_counts_in_the_buckets_of_its_account_areas_and_moment() {
        let found = read("0, 7, 'global', 61000", |row| task_buckets(row, 1)).unwrap();
        assert_eq!((found.account, found.areas, found.millis), (7, AreaScope::Global, 61_000));
    }
}
