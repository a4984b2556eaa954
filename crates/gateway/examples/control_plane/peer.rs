//! The peer: the same rows, written by SQLite's own bulk insert.

use std::path::Path;

use rusqlite::Connection;
use stoker_ledger::Sqlite;

use crate::cost::{Cost, Start};

/// The tables that calls fill row by row.
const LONG: [&str; 4] = ["task", "chunk", "target", "job"];
/// The tables that are written once, and those whose rows calls add to.
const SHORT: [&str; 5] = ["account", "node", "host", "tally", "quota_used"];

/// Writes the rows of the ledger `from` into a new one, out of memory, in so many commits: how long
/// that took. What calls add to again and again, as tallies, is written once.
pub(crate) fn write(from: &Path, to: &Path, commits: u64) -> Cost {
    drop(Sqlite::open(to).expect("DIR can be written"));
    let connection = connect(from, to).expect("two ledgers");
    let rows = |table| {
        let sql = format!("SELECT count(*) FROM kept.{table}");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).expect("a table")
    };
    let rows: Vec<_> = LONG.iter().map(|table| (*table, rows(table))).collect();
    let commits = i64::try_from(commits).expect("few commits");
    let started = Start::now();
    for number in 0..commits {
        connection.execute_batch("BEGIN IMMEDIATE").expect("begin");
        for (table, rows) in &rows {
            let sql = format!(
                "INSERT INTO {table} SELECT * FROM kept.{table} WHERE rowid > ?1 AND rowid <= ?2"
            );
            let range = [number * rows / commits, (number + 1) * rows / commits];
            connection.prepare_cached(&sql).and_then(|mut s| s.execute(range)).expect("insert");
        }
        if number + 1 == commits {
            for table in SHORT {
                let sql = format!("INSERT INTO {table} SELECT * FROM kept.{table}");
                connection.execute_batch(&sql).expect("insert");
            }
        }
        connection.execute_batch("COMMIT").expect("commit");
    }
    started.cost()
}

/// The ledger `to`, set up as the ledger's own writer is, and the rows of `from` in memory. Foreign
/// keys are not checked, to the peer's advantage.
fn connect(from: &Path, to: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(to)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cache_size", -64 * 1024)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 4096, |_| Ok(()))?;
    connection.execute("ATTACH ':memory:' AS kept", [])?;
    connection.execute("ATTACH ?1 AS written", [from.to_string_lossy()])?;
    for table in LONG.iter().chain(&SHORT) {
        let sql = format!("CREATE TABLE kept.{table} AS SELECT * FROM written.{table}");
        connection.execute_batch(&sql)?;
    }
    connection.execute_batch("DETACH written")?;
    Ok(connection)
}
