//! The one thread that writes.
//!
//! Verbs queue; the thread takes what has gathered, runs each in one transaction and answers after
//! `COMMIT`, so that many concurrent calls share one `fsync`. A verb that fails undoes only itself:
//! it runs in a savepoint, or it refuses before it writes. No answer ever precedes the commit that
//! makes it true.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{Builder, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    failure::{Aborted, Failure},
    session::Session,
};
use crate::Error;

/// Verbs that may wait before callers are held back.
const QUEUE: usize = 4096;
/// One transaction takes no further verb after so many rows: bounds how long the first one waits.
const MOST_ROWS: usize = 8192;

/// What is undone of a verb that fails after it has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    /// The verb alone, by a savepoint.
    Verb,
    /// The whole transaction. For verbs that refuse before they write, which spares the savepoint.
    Transaction,
}

/// Told after the transaction ended: `Err` when the commit failed.
type Answer = Box<dyn FnOnce(Result<(), &Aborted>) + Send>;

/// A verb that waits for its turn.
struct Job {
    /// About how many rows it writes.
    rows: usize,
    run: Box<dyn FnOnce(Begun<'_>) -> Done + Send>,
}

/// The open transaction, or why there is none.
type Begun<'a> = Result<&'a Session, &'a Aborted>;

/// A verb that has run inside the open transaction.
struct Done {
    answer: Answer,
    /// Why the transaction around it is not sound any more.
    aborted: Option<Aborted>,
}

/// What the writer has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions committed.
    pub commits: u64,
    /// Verbs run in them, failed ones included.
    pub verbs: u64,
}

#[derive(Debug, Default)]
struct Counters {
    commits: AtomicU64,
    verbs: AtomicU64,
}

/// Owns the writing thread; dropping it finishes what is queued and joins the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let counters = Arc::<Counters>::default();
        let counted = Arc::clone(&counters);
        let thread = Builder::new()
            .name("ledger-writer".into())
            .spawn(move || drain(&Session::new(connection), jobs, &counted))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), counters })
    }

    /// Runs `work`, which writes about so many `rows`, and returns when it is durable. A dropped
    /// caller does not undo it.
    pub(super) async fn run<T, F>(
        &self,
        verb: &'static str,
        rows: usize,
        undo: Undo,
        work: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Session) -> Result<T, Failure> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let run = Box::new(move |begun: Begun<'_>| {
            let (result, is_intact) = match begun {
                Ok(session) => in_turn(session, undo, work),
                Err(aborted) => (Err(Failure::aborted(aborted)), false),
            };
            let aborted = (!is_intact).then(|| match &result {
                Err(failure) => Aborted::from(failure),
                Ok(_) => Aborted::from(&aborted()),
            });
            let answer: Answer = Box::new(move |committed| {
                let result = match committed {
                    Err(aborted) if result.is_ok() => Err(Failure::aborted(aborted)),
                    _ => result,
                };
                // a caller that went away needs no answer
                drop(sender.send(result));
            });
            Done { answer, aborted }
        });
        let queue = self.queue.as_ref().expect("the queue is only taken on drop");
        let gone = || Failure::unavailable("the transaction was not begun").into_error(verb);
        queue.send(Job { rows, run }).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?.map_err(|failure| failure.into_error(verb))
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            commits: self.counters.commits.load(Relaxed),
            verbs: self.counters.verbs.load(Relaxed),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // a panic of the thread has been reported by the panic hook
            drop(thread.join());
        }
    }
}

fn drain(session: &Session, mut jobs: mpsc::Receiver<Job>, counters: &Counters) {
    while let Some(first) = jobs.blocking_recv() {
        if let Err(error) = execute(session, "BEGIN IMMEDIATE") {
            tracing::error!(error = %error, "ledger transaction not begun");
            let aborted = Aborted::from(&Failure::from(error));
            let done = (first.run)(Err(&aborted));
            (done.answer)(Err(&aborted));
            continue;
        }
        // what gathered while the last transaction was synced goes into this one
        let mut rows = 0;
        let mut answers = Vec::new();
        let mut aborted = None;
        let mut next = Some(first);
        while let Some(job) = next {
            rows += job.rows;
            let done = (job.run)(Ok(session));
            answers.push(done.answer);
            aborted = done.aborted;
            next = if aborted.is_none() && rows < MOST_ROWS { jobs.try_recv().ok() } else { None };
        }
        let committed = end(session, aborted);
        if committed.is_ok() {
            counters.commits.fetch_add(1, Relaxed);
            counters.verbs.fetch_add(answers.len() as u64, Relaxed);
        }
        let outcome = committed.as_ref().copied();
        answers.into_iter().for_each(|answer| answer(outcome));
    }
}

/// Commits, or rolls back what cannot be committed.
fn end(session: &Session, aborted: Option<Aborted>) -> Result<(), Aborted> {
    let commit = || {
        session.flush()?;
        execute(session, "COMMIT").map_err(Failure::from)
    };
    let committed = match aborted {
        Some(aborted) => Err(aborted),
        None => commit().map_err(|failure| Aborted::from(&failure)),
    };
    if committed.is_err() {
        session.forget();
        if !session.is_autocommit()
            && let Err(error) = execute(session, "ROLLBACK")
        {
            tracing::error!(error = %error, "ledger transaction not rolled back");
        }
    }
    committed
}

/// Runs `work` and keeps or takes back what it added to sums; also tells whether the transaction
/// around it survived.
fn in_turn<T>(
    session: &Session,
    undo: Undo,
    work: impl FnOnce(&Session) -> Result<T, Failure>,
) -> (Result<T, Failure>, bool) {
    let (result, is_intact) = match undo {
        Undo::Verb => in_savepoint(session, work),
        Undo::Transaction => unguarded(session, work),
    };
    match result {
        Ok(_) => session.keep(),
        Err(_) => session.take_back(),
    }
    (result, is_intact)
}

/// Runs `work` so that its failure undoes only its own writes; also tells whether the transaction
/// around it survived. SQLite ends a transaction by itself after some errors of the disk.
fn in_savepoint<T>(
    session: &Session,
    work: impl FnOnce(&Session) -> Result<T, Failure>,
) -> (Result<T, Failure>, bool) {
    if let Err(error) = execute(session, "SAVEPOINT verb") {
        return (Err(error.into()), false);
    }
    let result = work(session);
    if session.is_autocommit() {
        return (result.and_then(|_| Err(aborted())), false);
    }
    let undone = match &result {
        Ok(_) => Ok(()),
        Err(_) => execute(session, "ROLLBACK TO verb"),
    };
    match undone.and_then(|()| execute(session, "RELEASE verb")) {
        Ok(()) => (result, true),
        Err(error) => (result.and(Err(error.into())), false),
    }
}

/// Runs `work`; when it fails after it has written, the transaction does not survive.
fn unguarded<T>(
    session: &Session,
    work: impl FnOnce(&Session) -> Result<T, Failure>,
) -> (Result<T, Failure>, bool) {
    let before = session.total_changes();
    let result = work(session);
    if session.is_autocommit() {
        return (result.and_then(|_| Err(aborted())), false);
    }
    let is_intact = result.is_ok() || session.total_changes() == before;
    (result, is_intact)
}

fn aborted() -> Failure {
    Failure::unavailable("the transaction was lost")
}

fn execute(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::{atomic::AtomicUsize, mpsc::channel},
        task::Poll,
    };

    use super::*;
    use crate::{ErrorKind, sqlite::schema};

    fn writer() -> Writer {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        Writer::start(connection).unwrap()
    }

    fn write(session: &Session) -> Result<(), Failure> {
        let sql = "INSERT INTO account (uin, app_id, created_at) VALUES ('u', 1, 1)";
        session.execute(sql, [])?;
        Ok(())
    }

    #[tokio::test]
    async fn a_transaction_takes_verbs_until_it_has_its_rows() {
        let writer = writer();
        // the first is held until the others wait behind it
        let (release, held) = channel::<()>();
        let first = move |_: &Session| held.recv().map_err(Failure::unavailable);
        let (first, second, third, ()) = tokio::join!(
            writer.run("first", MOST_ROWS - 1, Undo::Verb, first),
            writer.run("second", 1, Undo::Verb, |_| Ok(())),
            writer.run("third", 1, Undo::Verb, |_| Ok(())),
            async { release.send(()).unwrap() },
        );
        assert!(first.is_ok() && second.is_ok() && third.is_ok());
        assert_eq!(writer.stats(), Stats { commits: 2, verbs: 3 });
    }

    #[tokio::test]
    async fn a_lost_transaction_fails_its_verbs_but_for_those_that_failed_by_themselves() {
        let writer = writer();
        let (release, held) = channel::<()>();
        let first = move |session: &Session| {
            held.recv().map_err(Failure::unavailable)?;
            write(session)
        };
        let refused = |_: &Session| Err::<(), _>(Failure::not_found("nobody"));
        let spoils = |session: &Session| {
            session.execute("DELETE FROM account", [])?;
            Err::<(), _>(Failure::new(ErrorKind::Full))
        };
        let (first, refused, spoils, ()) = tokio::join!(
            writer.run("first", 1, Undo::Verb, first),
            writer.run("refused", 1, Undo::Verb, refused),
            writer.run("spoils", 1, Undo::Transaction, spoils),
            async { release.send(()).unwrap() },
        );
        let kinds = [first, refused, spoils].map(|result| result.unwrap_err().kind);
        assert_eq!(kinds, [ErrorKind::Full, ErrorKind::NotFound, ErrorKind::Full]);
        assert_eq!(writer.stats(), Stats::default());
        let after = writer.run("after", 1, Undo::Verb, |session| {
            write(session)?;
            let sql = "SELECT count(*) FROM account";
            Ok(session.query_row(sql, [], |row| row.get::<_, i64>(0))?)
        });
        assert_eq!(after.await.unwrap(), 1, "the first was undone");
        assert_eq!(writer.stats(), Stats { commits: 1, verbs: 1 });
    }

    #[tokio::test]
    async fn what_is_queued_is_finished_before_the_writer_is_gone() {
        let writer = writer();
        let (release, held) = channel::<()>();
        let written = Arc::<AtomicUsize>::default();
        let mut held = Some(held);
        for _ in 0..100 {
            let (written, held) = (Arc::clone(&written), held.take());
            let work = move |_: &Session| {
                held.map_or(Ok(()), |held| held.recv().map_err(Failure::unavailable))?;
                written.fetch_add(1, Relaxed);
                Ok(())
            };
            let mut call = Box::pin(writer.run("write", 1, Undo::Verb, work));
            let is_queued =
                poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending()));
            assert!(is_queued.await);
        }
        release.send(()).unwrap();
        drop(writer);
        assert_eq!(written.load(Relaxed), 100);
    }
}
