//! Signed calls that were taken, so that none is taken twice.

use rusqlite::{Connection, params};

use super::failure::Failure;
use crate::{Memory, TakenCall};

/// Calls forgotten at once, so that nobody waits for a long list after a quiet time.
const MOST_FORGOTTEN: i64 = 100;

/// Statements that forget old calls, and that take a new one.
const fn statements(memory: Memory) -> [&'static str; 2] {
    match memory {
        Memory::Hours => [
            "/* admit_once: forget */ DELETE FROM taken_call WHERE (time, call) IN
                 (SELECT time, call FROM taken_call WHERE time < ?1 ORDER BY time LIMIT ?2)",
            "/* admit_once */ INSERT INTO taken_call (time, call) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        ],
        Memory::Minutes => [
            "/* admit_once: forget */ DELETE FROM taken_call_minutes WHERE (time, call) IN
                 (SELECT time, call FROM taken_call_minutes WHERE time < ?1 ORDER BY time LIMIT ?2)",
            "/* admit_once */ INSERT INTO taken_call_minutes (time, call) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        ],
    }
}

pub(super) fn admit(
    connection: &Connection,
    call: TakenCall,
    forget_before: i64,
) -> Result<bool, Failure> {
    let [forget, take] = statements(call.memory);
    connection.prepare_cached(forget)?.execute([forget_before, MOST_FORGOTTEN])?;
    let added = connection.prepare_cached(take)?.execute(params![call.time, call.call])?;
    Ok(added > 0)
}
