//! A small pool of connections that only read, so that views never wait for the writer.
//!
//! Each view sees one snapshot: the state after some commit, never between two.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use super::failure::Failure;
use crate::Error;

type Idle = Arc<Mutex<Vec<Connection>>>;

/// The idle connections and one permit for each.
#[derive(Debug)]
pub(super) struct Readers {
    // a std mutex: held for a push or a pop, never across an await
    idle: Idle,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        let permits = Arc::new(Semaphore::new(connections.len()));
        Self { idle: Arc::new(Mutex::new(connections)), permits }
    }

    /// Runs `work` on a thread for blocking work, in one snapshot.
    pub(super) async fn run<T, F>(&self, verb: &'static str, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        self.lend(verb, |connection| in_snapshot(connection, work)).await
    }

    /// Moves the log into the file and empties it, so that it keeps nothing of what was replaced.
    pub(super) async fn empty_log(&self, verb: &'static str) -> Result<(), Error> {
        self.lend(verb, |connection| {
            let is_busy: bool =
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            if is_busy { Err(Failure::unavailable("the log is in use")) } else { Ok(()) }
        })
        .await
    }

    async fn lend<T, F>(&self, verb: &'static str, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let gone = |cause: &str| Failure::unavailable(cause).into_error(verb);
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| gone("the ledger is closed"))?;
        let lent = Lent::take(&self.idle, permit).ok_or_else(|| gone("no connection is left"))?;
        spawn_blocking(move || work(lent.connection()))
            .await
            .map_err(|_| gone("the view did not finish"))?
            .map_err(|failure| failure.into_error(verb))
    }
}

fn in_snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    // dropped without a commit: there is nothing to commit
    let snapshot = connection.unchecked_transaction()?;
    work(&snapshot)
}

/// A connection out of the pool; goes back when dropped, also after a panic.
struct Lent {
    connection: Option<Connection>,
    idle: Idle,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    fn take(idle: &Idle, permit: OwnedSemaphorePermit) -> Option<Self> {
        let connection = idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Self { connection: Some(connection), idle: Arc::clone(idle), _permit: permit })
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("only taken on drop")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // before the permit, so that whoever gets it finds the connection
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.connection.take());
    }
}
