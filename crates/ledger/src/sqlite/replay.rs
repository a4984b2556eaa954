//! Signed calls that were taken, so that none is taken twice.

use rusqlite::{Connection, params};

use super::failure::Failure;

pub(super) fn admit(
    connection: &Connection,
    time: i64,
    call: [u8; 16],
    forget_before: i64,
) -> Result<bool, Failure> {
    connection
        .prepare_cached("/* admit_once: forget */ DELETE FROM taken_call WHERE time < ?1")?
        .execute([forget_before])?;
    let added = connection
        .prepare_cached(
            "/* admit_once */ INSERT INTO taken_call (time, call) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![time, call])?;
    Ok(added > 0)
}
