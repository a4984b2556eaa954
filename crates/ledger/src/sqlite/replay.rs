//! Signed calls that were taken, so that none is taken twice.

use rusqlite::{Connection, params};

use super::failure::Failure;

/// Calls forgotten at once, so that nobody waits for a long list after a quiet time.
const MOST_FORGOTTEN: i64 = 100;

pub(super) fn admit(
    connection: &Connection,
    time: i64,
    call: [u8; 16],
    forget_before: i64,
) -> Result<bool, Failure> {
    connection
        .prepare_cached(
            "/* admit_once: forget */ DELETE FROM taken_call WHERE (time, call) IN
                 (SELECT time, call FROM taken_call WHERE time < ?1 ORDER BY time LIMIT ?2)",
        )?
        .execute([forget_before, MOST_FORGOTTEN])?;
    let added = connection
        .prepare_cached(
            "/* admit_once */ INSERT INTO taken_call (time, call) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![time, call])?;
    Ok(added > 0)
}
