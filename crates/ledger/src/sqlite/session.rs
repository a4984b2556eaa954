//! The connection that writes, with what the verbs of one transaction have in common.
//!
//! Sums to which many verbs add are gathered here and written once, before the commit; numbers of
//! names are remembered. A verb that fails takes its part back. Verbs do not read the gathered sums.

use std::{cell::RefCell, collections::HashMap, mem, ops::Deref};

use rusqlite::Connection;

use super::{failure::Failure, names, tally as tally_rows};
use crate::tally::{self, ByHost, Place, Sums};

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

    /// Adds to the tallies of `place`.
    pub(super) fn tally(&self, place: Place, counts: &ByHost) {
        tally::add(&mut self.verb.borrow_mut().added, place, counts);
    }

    /// Takes what was removed out of the tallies of `place`.
    pub(super) fn untally(&self, place: Place, counts: &ByHost) {
        tally::add(&mut self.verb.borrow_mut().removed, place, counts);
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
