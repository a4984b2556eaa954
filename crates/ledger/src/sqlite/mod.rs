//! The ledger in one SQLite file.
//!
//! Write-ahead log, synced at every commit; one thread writes, a few connections read. One process
//! at a time may have the file open: a lock file beside it tells a second one so. Each group of
//! verbs is implemented in the file that has its statements; here is how they are run.

mod accounts;
mod columns;
mod control;
mod domains;
mod failure;
mod fields;
mod insert;
mod inspect;
mod keys;
mod lease;
mod limits;
mod names;
mod open;
mod ownership;
mod policies;
mod purge;
mod quota;
mod readers;
mod replay;
mod report;
mod schema;
mod session;
mod submit;
mod sweep;
mod tally;
mod targets;
mod users;
mod views;
mod writer;
mod zones;

use std::{path::Path, sync::Arc};

use rusqlite::Connection;

pub use inspect::{Inspected, has_sealed_keys, inspect};
pub use open::OpenError;
pub use writer::Stats;

use self::{failure::Failure, open::Parts, session::Session, writer::Undo};
use crate::{Error, Faults, faults};

/// A ledger in one SQLite file. Dropping it finishes the verbs that are queued and closes the file.
#[derive(Debug)]
pub struct Sqlite {
    parts: Arc<Parts>,
    faults: Option<Arc<dyn Faults>>,
}

impl Sqlite {
    /// Opens the file, made with mode 0600 when absent, and brings its tables up to date. Blocks.
    ///
    /// # Errors
    /// [`OpenError`], which names the file and has a hint.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self { parts: Arc::new(open::open(path.as_ref())?), faults: None })
    }

    /// What was committed since it was opened.
    pub fn stats(&self) -> Stats {
        self.parts.writer.stats()
    }

    /// The same open file, with verbs that meet `faults`; for tests. It is closed with the last of
    /// its handles.
    #[doc(hidden)]
    #[must_use]
    pub fn with_faults(&self, faults: Arc<dyn Faults>) -> Self {
        Self { parts: Arc::clone(&self.parts), faults: Some(faults) }
    }

    /// Bounds the file to so many pages of 4 KiB, as a full disk would; for tests.
    #[doc(hidden)]
    pub async fn limit_pages(&self, pages: u32) -> Result<(), Error> {
        self.write("limit the file", 1, move |session| {
            Ok(session.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?)
        })
        .await
    }

    /// Runs a verb that writes about so many `rows`. What it wrote is undone when it fails.
    async fn write<T, F>(&self, verb: &'static str, rows: usize, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Session) -> Result<T, Failure> + Send + 'static,
    {
        self.run(verb, self.parts.writer.run(verb, rows, Undo::Verb, work)).await
    }

    /// Runs a verb that reads, in one snapshot.
    async fn read<T, F>(&self, verb: &'static str, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        self.run(verb, self.parts.readers.run(verb, work)).await
    }

    /// Runs a verb that is more than one statement of work. Each verb passes here once.
    async fn run<T: 'static>(
        &self,
        verb: &'static str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        faults::run(self.faults.as_deref(), verb, work).await
    }
}
