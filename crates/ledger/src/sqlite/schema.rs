//! The tables, and how an older file is brought up to them.
//!
//! `PRAGMA user_version` counts the migrations that a file has had; each runs once, in a transaction
//! of its own. A file that has had more than this version knows is refused, never touched.

use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as ours: `STKR`.
const APPLICATION_ID: i32 = 0x5354_4b52;

/// In order; a released one is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("zones.sql"),
    include_str!("purge.sql"),
    include_str!("quota.sql"),
    include_str!("task_limited.sql"),
    include_str!("identity.sql"),
    include_str!("purge_product.sql"),
    include_str!("target_failed.sql"),
    include_str!("sweep.sql"),
    include_str!("replay.sql"),
];

/// The number of migrations that this version knows.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// What a file turned out to be.
#[derive(Debug)]
pub(super) enum Found {
    /// A ledger, now at [`VERSION`].
    Ours,
    /// A database that some other program made.
    Foreign,
    /// A ledger that has had this many migrations, more than [`VERSION`].
    Newer(i64),
}

/// Brings the database to [`VERSION`] if it is ours or empty.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<Found> {
    let version = pragma(connection, "user_version")?;
    if version > VERSION {
        return Ok(Found::Newer(version));
    }
    let tables: i64 = connection.query_row(
        "/* open: count tables */ SELECT count(*) FROM sqlite_schema",
        [],
        |row| row.get(0),
    )?;
    let is_empty = version == 0 && tables == 0;
    if !is_empty && pragma(connection, "application_id")? != i64::from(APPLICATION_ID) {
        return Ok(Found::Foreign);
    }
    for (index, migration) in (1..).zip(MIGRATIONS).skip(usize::try_from(version).unwrap_or(0)) {
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step.execute_batch(migration)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", index)?;
        step.commit()?;
    }
    Ok(Found::Ours)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
