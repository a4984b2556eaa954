//! Signed calls that were taken, so that none is taken twice.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use stoker_domain::replay::ReplayWindow;

use super::{Sqlite, failure::Failure, session::Session};
use crate::{AdmittedCall, Error, SignedCalls};

#[async_trait]
impl SignedCalls for Sqlite {
    async fn admit_once(&self, call: AdmittedCall, forget_before: i64) -> Result<bool, Error> {
        let work = move |c: &Session| admit(c, call, forget_before);
        self.write("take a call", 1, work).await
    }
}

/// Calls forgotten at once, so that no call waits for a long list after a quiet time.
const MOST_FORGOTTEN: i64 = 100;

/// Statements that forget old calls, and that take a new one.
const fn statements(window: ReplayWindow) -> [&'static str; 2] {
    match window {
        ReplayWindow::Hours => [
            "/* admit_once: forget */ DELETE FROM taken_call WHERE (time, call) IN
                 (SELECT time, call FROM taken_call WHERE time < ?1 ORDER BY time LIMIT ?2)",
            "/* admit_once */ INSERT INTO taken_call (time, call) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        ],
        ReplayWindow::Minutes => [
            "/* admit_once: forget */ DELETE FROM taken_call_minutes WHERE (time, call) IN
                 (SELECT time, call FROM taken_call_minutes WHERE time < ?1 ORDER BY time LIMIT ?2)",
            "/* admit_once */ INSERT INTO taken_call_minutes (time, call) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        ],
    }
}

pub(super) fn admit(
    connection: &Connection,
    call: AdmittedCall,
    forget_before: i64,
) -> Result<bool, Failure> {
    let [forget, take] = statements(call.window);
    connection.prepare_cached(forget)?.execute([forget_before, MOST_FORGOTTEN])?;
    let added = connection.prepare_cached(take)?.execute(params![call.time, call.call])?;
    Ok(added > 0)
}
