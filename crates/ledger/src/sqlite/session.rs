//! The connection that writes, with what the verbs of one transaction have in common.
//!
//! Sums to which many verbs add are gathered here and written once, before the commit; numbers of
//! names are remembered. A verb that fails takes its part back. Verbs do not read the gathered sums.

use std::{cell::RefCell, collections::HashMap, mem, ops::Deref};

use rusqlite::Connection;

use super::{failure::Failure, names, tally as tally_rows};
use crate::tally::{self, ByHost, Sums, TaskBuckets};

/// Names remembered, of hosts and of nodes each.
const MOST_NAMES: usize = 4096;

/// What one thread writes with. The cells are borrowed only inside the methods.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    verb: RefCell<Sums>,
    transaction: RefCell<Sums>,
    hosts: RefCell<HashMap<String, i64>>,
    nodes: RefCell<HashMap<String, i64>>,
}

impl Session {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connection,
            verb: RefCell::default(),
            transaction: RefCell::default(),
            hosts: RefCell::default(),
            nodes: RefCell::default(),
        }
    }

    /// Adds to the tallies of `buckets`.
    pub(super) fn tally(&self, buckets: TaskBuckets, counts: &ByHost) {
        tally::add(&mut self.verb.borrow_mut().added, buckets, counts);
    }

    /// Takes what was removed out of the tallies of `buckets`.
    pub(super) fn untally(&self, buckets: TaskBuckets, counts: &ByHost) {
        tally::add(&mut self.verb.borrow_mut().removed, buckets, counts);
    }

    /// Counts a new task of `account`.
    pub(super) fn count_task(&self, account: i64) {
        self.verb.borrow_mut().count_task(account, 1);
    }

    /// Counts a task of `account` that was removed.
    pub(super) fn uncount_task(&self, account: i64) {
        self.verb.borrow_mut().count_task(account, -1);
    }

    /// The number of the host with this name, made when there is none.
    pub(super) fn host(&self, name: &str) -> rusqlite::Result<i64> {
        remembered(&self.hosts, name, || names::host(self, name))
    }

    /// The number of the node with this name, made when there is none.
    pub(super) fn node(&self, name: &str) -> rusqlite::Result<i64> {
        remembered(&self.nodes, name, || names::node(self, name))
    }

    /// The verb has run, and its rows stay.
    pub(super) fn keep(&self) {
        let verb = mem::take(&mut *self.verb.borrow_mut());
        self.transaction.borrow_mut().absorb(verb);
    }

    /// The verb has failed, and its rows are undone.
    pub(super) fn take_back(&self) {
        self.verb.take();
        self.hosts.take();
        self.nodes.take();
    }

    /// The transaction has failed, and its rows are undone.
    pub(super) fn forget(&self) {
        self.take_back();
        self.transaction.take();
    }

    /// Writes the sums of all verbs of the transaction.
    pub(super) fn flush(&self) -> Result<(), Failure> {
        tally_rows::write(self, self.transaction.take())
    }
}

impl Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

fn remembered(
    known: &RefCell<HashMap<String, i64>>,
    name: &str,
    find: impl FnOnce() -> rusqlite::Result<i64>,
) -> rusqlite::Result<i64> {
    if let Some(number) = known.borrow().get(name) {
        return Ok(*number);
    }
    let number = find()?;
    let mut known = known.borrow_mut();
    if known.len() >= MOST_NAMES {
        known.clear();
    }
    known.insert(name.to_owned(), number);
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema;

    fn session() -> Session {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        Session::new(connection)
    }

    #[test]
    fn a_number_that_was_taken_back_is_not_remembered() {
        let session = session();
        session.execute_batch("BEGIN").unwrap();
        let number = session.host("a.example").unwrap();
        assert_eq!(session.host("a.example").unwrap(), number);
        session.execute_batch("ROLLBACK").unwrap();
        session.take_back();
        assert_eq!(names::find_host(&session, "a.example").unwrap(), None);
        assert_eq!(session.host("b.example").unwrap(), number, "the number is free again");
        assert_ne!(session.host("a.example").unwrap(), number);
        let node = session.node("a.example").unwrap();
        assert_eq!(names::find_node(&session, "a.example").unwrap(), Some(node));
    }

    #[test]
    fn more_names_than_are_remembered_keep_their_numbers() {
        let session = session();
        session.execute_batch("BEGIN").unwrap();
        let names: Vec<_> = (0..MOST_NAMES + 5).map(|number| format!("{number}.example")).collect();
        let numbers: Vec<_> = names.iter().map(|name| session.host(name).unwrap()).collect();
        assert_eq!(session.hosts.borrow().len(), 5, "it begins anew when it is full");
        for (name, number) in names.iter().zip(numbers) {
            assert_eq!(session.host(name).unwrap(), number, "{name}");
        }
    }

    #[test]
    fn sums_are_written_once_and_those_of_a_failed_verb_never() {
        let session = session();
        session
            .execute_batch(
                "INSERT INTO account (id, uin, app_id, created_at) VALUES (7, 'u', 1, 1)",
            )
            .unwrap();
        let areas = stoker_domain::area::AreaScope::Global;
        let buckets = TaskBuckets { account: 7, areas, millis: 61_000 };
        let one = tally::Counts { targets: 1, ..Default::default() };
        let count = |verb_succeeds| {
            session.tally(buckets, &ByHost::from([(1, one)]));
            session.count_task(7);
            if verb_succeeds { session.keep() } else { session.take_back() }
        };
        let written = || -> (i64, i64, i64) {
            let sql = "SELECT (SELECT tasks FROM account), count(*), coalesce(sum(targets), 0)
                FROM tally";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            session.query_row(sql, [], read).unwrap()
        };
        for is_kept in [true, false, true] {
            count(is_kept);
        }
        assert_eq!(written(), (0, 0, 0), "not before the transaction ends");
        session.flush().unwrap();
        // minute and hour, of the host and of all
        assert_eq!(written(), (2, 4, 8));
        session.flush().unwrap();
        assert_eq!(written(), (2, 4, 8), "once");
        count(true);
        session.forget();
        session.flush().unwrap();
        assert_eq!(written(), (2, 4, 8), "the transaction failed");
        session.untally(buckets, &ByHost::from([(1, tally::Counts { targets: 2, ..one })]));
        session.uncount_task(7);
        session.keep();
        session.flush().unwrap();
        assert_eq!(written(), (1, 0, 0), "rows out of which everything was taken are gone");
    }
}
