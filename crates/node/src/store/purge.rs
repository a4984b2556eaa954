//! Purging: single keys are removed, everything below a path gets a rule, and the number of the
//! purge order that was carried out last is kept.
//!
//! What a purge concerns is decided by generations alone: those that were begun before it.

use bytes::Bytes;
use stoker_domain::{key::Key, purge::Method};

use super::{
    Shared, Store, WriteError,
    queue::Operation,
    record::{Draft, Kind},
    rules::Rule,
    ticket::Ticket,
};

/// Records of no key stand under this one.
const NO_KEY: Key = Key([0; 16]);

impl Store {
    /// Purges all that is stored under URLs beginning with `prefix`: every generation begun before
    /// this call, also those still being written. `prefix` names a whole host, as in `a.example/`,
    /// or more; or a tag of a host, as [`stoker_domain::purge::tagged`] writes it. Holds for lookups
    /// at once, and for good once the ticket says durable; asked for again it does no harm.
    pub fn purge(&self, prefix: &str, method: Method) -> Ticket {
        let shared = self.shared();
        if prefix.len() > usize::from(u16::MAX) {
            return Ticket::failed(WriteError::TooLarge);
        }
        let prefix = Bytes::copy_from_slice(prefix.as_bytes());
        let generation = shared.new_generation();
        // Before its record is queued: from now on no look-up finds what is purged.
        shared.rules.insert(Rule { prefix: prefix.clone(), method, generation });
        let identity = (NO_KEY, generation);
        shared.put_purge(Draft::new(Kind::Rule, identity, prefix, Rule::head(method), Vec::new()))
    }

    /// The highest number of a purge order that [`Store::order_done`] was told; 0 = none.
    pub fn order(&self) -> u64 {
        self.shared().rules.order()
    }

    /// Remembers that purge order `number`, and all before it, were carried out.
    ///
    /// # Errors
    /// See [`WriteError`]; then the order counts as not carried out.
    pub async fn order_done(&self, number: u64) -> Result<(), WriteError> {
        let shared = self.shared();
        let identity = (NO_KEY, shared.new_generation());
        let none = Bytes::new();
        let draft = Draft::new(Kind::Mark, identity, none.clone(), none, Vec::new());
        shared.put_purge(draft.with_size(Some(number))).durable().await?;
        // Only now: from here on eviction no longer carries the mark before this one.
        shared.rules.reach(number);
        Ok(())
    }
}

impl Shared {
    fn put_purge(&self, draft: Draft) -> Ticket {
        // Without waiting for room in the queue: a purge must not stand behind what it removes.
        let (ticket, resolver) = Ticket::new(self.queue.clone());
        self.queue.push(Operation::Purge { draft, resolver });
        ticket
    }
}
