//! Opening the file: one process at a time, the settings of every connection, clear refusals.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::OFlags;

use super::{
    failure,
    limits::LimitCache,
    readers::Readers,
    schema::{self, FileKind},
    writer::Writer,
};

/// Connections for views: enough that one slow view does not hold up the others.
const READERS: usize = 4;
/// Statements kept compiled on each connection; the verbs have fewer.
const STATEMENTS: usize = 128;
/// How long a lock of another program, for example a backup, is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a ledger was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be used.
    #[error("cannot use the ledger `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// Another process, or this one, has it open.
    #[error("the ledger `{path}` is in use by another process")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Something else than a ledger.
    #[error("`{path}` is not a ledger of Stoker")]
    NotALedger {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer version of Stoker.
    #[error("the ledger `{path}` has schema {found}; this version knows up to {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Schema of the file.
        found: i64,
        /// Latest schema that this version knows.
        known: i64,
    },
    /// The database refuses.
    #[error("cannot open the ledger `{path}`")]
    Database {
        /// The file.
        path: PathBuf,
        /// The database's error.
        #[source]
        source: rusqlite::Error,
    },
}

impl OpenError {
    /// The way out, for the `hint:` line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => {
                "the directory must exist, and this user must be able to read and write in it"
            }
            Self::Locked { .. } => {
                "stop the other `stoker` that uses this directory, or choose another one"
            }
            Self::NotALedger { .. } => "choose another directory, or move the file away",
            Self::Newer { .. } => "use the version of Stoker that wrote it, or a newer one",
            Self::Database { source, .. } => match failure::kind(source).trouble() {
                Some((_, way_out)) => way_out,
                None => "check the disk, and restore a backup if the file is damaged",
            },
        }
    }
}

/// What an open ledger consists of. Fields are dropped in order: the lock goes last.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) writer: Writer,
    pub(super) readers: Readers,
    pub(super) limits: LimitCache,
    pub(super) _lock: File,
}

pub(super) fn open(path: &Path) -> Result<Parts, OpenError> {
    let failed = |source| OpenError::Io { path: path.into(), source };
    let lock = lock(path)?;
    // it holds secrets; SQLite gives the files beside it the same mode
    create(path).map_err(failed)?;
    let database = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotALedger { path: path.into() },
        _ => OpenError::Database { path: path.into(), source },
    };
    let mut connection = connect(path).map_err(database)?;
    match schema::migrate(&mut connection).map_err(database)? {
        FileKind::Ours => {}
        FileKind::Foreign => return Err(OpenError::NotALedger { path: path.into() }),
        FileKind::Newer(found) => {
            return Err(OpenError::Newer { path: path.into(), found, known: schema::VERSION });
        }
    }
    set_up_writer(&connection).map_err(database)?;
    let readers = (0..READERS)
        .map(|_| connect(path).and_then(set_up_reader))
        .collect::<Result<_, _>>()
        .map_err(database)?;
    let writer = Writer::start(connection).map_err(failed)?;
    Ok(Parts { writer, readers: Readers::new(readers), limits: LimitCache::default(), _lock: lock })
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |source| OpenError::Io { path: path.into(), source };
    let file = create(Path::new(&name)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.into() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Opens a file for reading and writing, made with mode 0600 when absent. A link is refused.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // what a secret once was does not stay in the file: what is deleted is overwritten
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    Ok(connection)
}

/// FULL: every commit is synced before it is answered. The cache holds the upper levels of the
/// indexes of tens of millions of rows; a checkpoint comes every 16 MiB of log.
fn set_up_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -64 * 1024)?; // KiB, negative by SQLite's rule
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 4096, |_| Ok(()))?; // pages
    connection.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(())) // bytes
}

fn set_up_reader(connection: Connection) -> rusqlite::Result<Connection> {
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -8 * 1024)?; // KiB
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_commit_is_synced_and_readers_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        create(&path).unwrap();
        let writer = connect(&path).unwrap();
        set_up_writer(&writer).unwrap();
        let setting = |name| writer.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!(setting("synchronous"), Ok(2), "FULL");
        assert_eq!(setting("foreign_keys"), Ok(1));
        assert_eq!(setting("wal_autocheckpoint"), Ok(4096));
        let mode = writer.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
        assert_eq!(mode.as_deref(), Ok("wal"));
        let reader = connect(&path).and_then(set_up_reader).unwrap();
        assert!(reader.execute_batch("CREATE TABLE t (x)").is_err());
    }
}
