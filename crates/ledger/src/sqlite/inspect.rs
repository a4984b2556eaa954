//! Looks into the file from outside, also beside a server that uses it: changes nothing, and ends
//! within a bound of time.

use std::{path::Path, sync::mpsc, thread, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::schema;

/// How long a lock of another process is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Inspected {
    /// Every page is sound.
    Whole,
    /// The time was up before all pages had been looked at; those were sound.
    SoFar,
    /// Some page is not, as the database says.
    Damaged(String),
    /// Not a ledger, but something else.
    Foreign,
    /// Of a newer version: it has had more migrations than this one knows.
    Newer,
    /// It could not be looked into, as the database says.
    Unreadable(String),
}

/// Looks whether the file is sound, for at most `patience`. Blocks.
pub fn inspect(path: impl AsRef<Path>, patience: Duration) -> Inspected {
    let connection = match connect(path.as_ref()) {
        Ok(connection) => connection,
        Err(error) => return verdict(error),
    };
    match schema::look(&connection) {
        Ok(schema::FileKind::Ours) => {}
        Ok(schema::FileKind::Foreign) => return Inspected::Foreign,
        Ok(schema::FileKind::Newer(_)) => return Inspected::Newer,
        Err(error) => return verdict(error),
    }
    match interrupted_after(&connection, patience, check) {
        Ok(text) if text == "ok" => Inspected::Whole,
        Ok(text) => Inspected::Damaged(text),
        Err(error) => verdict(error),
    }
}

/// Whether secrets of keys in the file are sealed; absent when that cannot be read.
pub fn has_sealed_keys(path: impl AsRef<Path>) -> Option<bool> {
    let sql = "/* inspect: sealed */ SELECT EXISTS
        (SELECT 1 FROM access_key WHERE secret_key GLOB 'sealed:*')";
    connect(path.as_ref()).and_then(|file| file.query_row(sql, [], |row| row.get(0))).ok()
}

fn check(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
}

fn verdict(error: rusqlite::Error) -> Inspected {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => Inspected::SoFar,
        Some(ErrorCode::NotADatabase) => Inspected::Foreign,
        Some(ErrorCode::DatabaseCorrupt) => Inspected::Damaged(error.to_string()),
        _ => Inspected::Unreadable(error.to_string()),
    }
}

/// Where no log lies beside the file, no process uses it: it is then opened as immutable, so that
/// SQLite makes no file beside it.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let immutable = if Path::new(&log).exists() { "" } else { "?immutable=1" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("{}{immutable}", uri(path)), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// The path as SQLite reads it in a URI: it undoes the encoding of every byte.
fn uri(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().fold("file:".into(), |uri, byte| format!("{uri}%{byte:02X}"))
}

fn interrupted_after<T>(
    connection: &Connection,
    patience: Duration,
    work: impl FnOnce(&Connection) -> T,
) -> T {
    let handle = connection.get_interrupt_handle();
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if let Err(mpsc::RecvTimeoutError::Timeout) = is_done.recv_timeout(patience) {
                handle.interrupt();
            }
        });
        let result = work(connection);
        drop(done);
        result
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, OpenOptions},
        io::{Seek, SeekFrom, Write},
    };

    use super::*;
    use crate::Sqlite;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_sound_file_is_told_from_a_damaged_and_a_foreign_one_and_nothing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a ledger?.sqlite");
        let ledger = Sqlite::open(&path).unwrap();
        assert_eq!(inspect(&path, PATIENCE), Inspected::Whole, "in use");
        assert_eq!(has_sealed_keys(&path), Some(false));
        drop(ledger);
        let files = || fs::read_dir(dir.path()).unwrap().count();
        let before = files();
        assert_eq!(inspect(&path, PATIENCE), Inspected::Whole, "at rest");
        assert_eq!(files(), before);

        let pages = fs::metadata(&path).unwrap().len() / 4096;
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        for page in 2..pages {
            file.seek(SeekFrom::Start(page * 4096)).unwrap();
            file.write_all(&[0xa5; 64]).unwrap();
        }
        let found = inspect(&path, PATIENCE);
        assert!(matches!(found, Inspected::Damaged(_)), "{found:?}");
        fs::write(&path, "somebody's text".repeat(1000)).unwrap();
        assert_eq!(inspect(&path, PATIENCE), Inspected::Foreign);
        let found = inspect(dir.path().join("none"), PATIENCE);
        assert!(matches!(found, Inspected::Unreadable(_)), "{found:?}");
    }

    #[test]
    fn a_sealed_key_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        drop(Sqlite::open(&path).unwrap());
        let file = Connection::open(&path).unwrap();
        let fill = "INSERT INTO account (id, uin, app_id, created_at) VALUES (1, 'u', 1, 1);
            INSERT INTO access_key (secret_id, secret_key, account, is_enabled, created_at)
                VALUES ('id', 'sealed:x', 1, 1, 1)";
        file.execute_batch(fill).unwrap();
        assert_eq!(has_sealed_keys(&path), Some(true));
    }

    #[test]
    fn it_ends_when_its_time_is_up() {
        let connection = Connection::open_in_memory().unwrap();
        let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
            SELECT count(*) FROM n";
        let work = |file: &Connection| file.query_row(endless, [], |row| row.get::<_, i64>(0));
        let ended = interrupted_after(&connection, Duration::from_millis(20), work);
        assert_eq!(verdict(ended.unwrap_err()), Inspected::SoFar);
    }
}
