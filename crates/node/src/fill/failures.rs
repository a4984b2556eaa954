//! Failures of the last moment, so that those who ask for the same within it do not ask the origin
//! again: nodes of several areas that fetch one target for one task, above all.
//!
//! Kept in memory, for less time than the engine lets pass before it tries again. What the origin
//! answered counts for requests that are alike, that it did not answer counts for all, unless fields
//! of one viewer may be why. What may not
//! be shared is remembered as a bare status, and only if no viewer asked. Successes are the store's.
//!
//! For a prefetch a failure counts only if the origin was asked after its task was accepted: what
//! was published before that is found. Of an error that the store keeps only that is remembered.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, header};
use stoker_domain::{http::CacheControl, key::Key, outcome::Outcome, time::Timestamp};
use tokio::time::Instant;

use super::head::{FillHead, Filled};
use crate::{origin::Fault, request::Request};

/// Failures that are known at once at most, those included that newer ones of their keys replaced.
const MOST: usize = 4096;
/// Bytes of their content, at most.
const MOST_BYTES: usize = 4 << 20;
/// Error pages that are longer are not remembered.
pub(super) const LONGEST_PAGE: usize = 64 << 10;

/// How a fill failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) request: Arc<Request>,
    /// What the origin answered, if it did,
    pub(super) head: Option<FillHead>,
    /// and the content of that.
    pub(super) content: Bytes,
    pub(super) broken: Option<Fault>,
    /// Fields of one viewer may have led to it.
    pub(super) is_exposed: bool,
    pub(super) filled: Filled,
    /// See [`Fill::asked_at`](super::state::Fill::asked_at).
    pub(super) asked_at: Option<Timestamp>,
    /// The store has the response; this tells only when the origin gave it.
    pub(super) is_kept: bool,
}

/// The failures of a node that are not forgotten yet.
#[derive(Debug)]
pub(super) struct Failures {
    memory: Duration,
    // held for a look-up, never across an await
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_key: HashMap<Key, (Instant, Arc<Failure>)>,
    /// Oldest first; a key may stand here more than once.
    order: VecDeque<(Instant, Key)>,
    bytes: usize,
}

impl Failures {
    /// Forgets each failure after `memory`.
    pub(super) fn new(memory: Duration) -> Self {
        Self { memory, table: Mutex::default() }
    }

    /// Remembers `failure`, if it may be shared.
    pub(super) fn remember(&self, mut failure: Failure) {
        if self.memory.is_zero() || !is_of_origin(failure.filled.outcome) {
            return;
        }
        if failure.head.as_ref().is_some_and(|head| is_personal(&head.response.fields)) {
            if !failure.request.fields.is_empty() {
                return;
            }
            failure.make_bare();
        }
        // They count where they came, not once more for each who shares the failure.
        failure.filled.pulled_bytes = 0;
        let (now, key) = (Instant::now(), failure.request.key);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.bytes += failure.content.len();
        table.order.push_back((now, key));
        if let Some((_, old)) = table.by_key.insert(key, (now, Arc::new(failure))) {
            table.bytes -= old.content.len();
        }
        table.forget(now, self.memory);
    }

    /// How `request` just failed when somebody else asked.
    pub(super) fn of(&self, request: &Request) -> Option<Arc<Failure>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.forget(Instant::now(), self.memory);
        let (_, failure) = table.by_key.get(&request.key)?;
        failure.counts_for(request).then(|| Arc::clone(failure))
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.forget(Instant::now(), self.memory);
        table.by_key.len()
    }

    /// Whether the error that the store keeps for `key` is known to be the origin's answer to a
    /// request at `since` or later.
    pub(super) fn is_kept_since(&self, key: Key, since: Timestamp) -> bool {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.forget(Instant::now(), self.memory);
        let failure = table.by_key.get(&key).map(|(_, failure)| failure);
        failure.is_some_and(|failure| failure.is_kept && failure.asked_at >= Some(since))
    }
}

impl Table {
    fn forget(&mut self, now: Instant, memory: Duration) {
        while let Some(&(at, key)) = self.order.front() {
            let is_many = self.order.len() > MOST || self.bytes > MOST_BYTES;
            if now - at < memory && !is_many {
                return;
            }
            self.order.pop_front();
            // it may have failed again since
            if self.by_key.get(&key).is_some_and(|(last, _)| *last == at)
                && let Some((_, failure)) = self.by_key.remove(&key)
            {
                self.bytes -= failure.content.len();
            }
        }
    }
}

impl Failure {
    fn counts_for(&self, request: &Request) -> bool {
        let known = &*self.request;
        let is_same = known.host == request.host
            && known.path_and_query == request.path_and_query
            && known.domain == request.domain;
        let is_same_client = !self.is_exposed || known.client == request.client;
        let is_alike =
            known.fields == request.fields && known.options == request.options && is_same_client;
        // who reads it has found it in the store
        let is_usable = !self.is_kept || request.intent.is_prefetch();
        let is_new = request.errors_since.is_none_or(|since| self.asked_at >= Some(since));
        let is_silence = matches!(self.filled.outcome, Outcome::OriginError(_));
        let is_any = is_silence && !self.is_exposed;
        is_same && (is_alike || is_any) && is_usable && is_new
    }

    /// Leaves the status, and when to come back.
    fn make_bare(&mut self) {
        self.content = Bytes::new();
        if let Some(head) = &mut self.head {
            // other nodes are to leave the origin alone too
            let told = [header::RETRY_AFTER, header::DATE];
            let fields = std::mem::take(&mut head.response.fields);
            let told = told.into_iter().filter_map(|name| {
                let value = fields.get(&name)?.clone();
                Some((name, value))
            });
            head.response.fields = told.collect();
            head.size = Some(0);
        }
    }
}

fn is_of_origin(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::OriginStatus(_) | Outcome::OriginError(_))
}

/// Whether the origin meant it for one client.
fn is_personal(fields: &HeaderMap) -> bool {
    let rules = CacheControl::of(fields);
    rules.no_store || rules.private || fields.contains_key(header::SET_COOKIE)
}

#[cfg(test)]
mod tests {
    use stoker_domain::outcome::OriginFault;
    use tokio::time::advance;

    use super::*;
    use crate::{
        origin::bare_domain,
        request::{Handed, Intent, Priority},
    };

    const MEMORY: Duration = Duration::from_secs(60);

    fn request(number: usize) -> Request {
        let domain = bare_domain("http://127.0.0.1:1".parse().unwrap());
        let path_and_query = format!("/{number}");
        Request {
            key: Key::new(&domain.name, &path_and_query),
            host: domain.name.clone(),
            domain: Arc::new(domain),
            path_and_query,
            fields: HeaderMap::new(),
            handed: Handed::default(),
            options: Arc::default(),
            intent: Intent::Prefetch,
            hops: 0,
            client: None,
            priority: Priority::Background,
            errors_since: None,
        }
    }

    fn failure(number: usize, content: &Bytes) -> Failure {
        Failure {
            request: Arc::new(request(number)),
            head: None,
            content: content.clone(),
            broken: None,
            is_exposed: false,
            filled: Filled {
                outcome: Outcome::OriginError(OriginFault::Connect),
                size: None,
                pulled_bytes: 0,
                validator: None,
                fresh_until: None,
                detail: None,
                retry_after: None,
                stored: None,
            },
            asked_at: None,
            is_kept: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_is_forgotten_when_there_are_many() {
        let failures = Failures::new(MEMORY);
        for number in 0..=MOST {
            failures.remember(failure(number, &Bytes::new()));
            advance(Duration::from_millis(1)).await;
        }
        assert_eq!(failures.len(), MOST);
        assert!(failures.of(&request(0)).is_none());
        assert!(failures.of(&request(1)).is_some() && failures.of(&request(MOST)).is_some());
        // of one key again and again: what was replaced is not kept either
        for _ in 0..2 * MOST {
            failures.remember(failure(7, &Bytes::new()));
            advance(Duration::from_millis(1)).await;
        }
        assert_eq!((failures.len(), failures.table.lock().unwrap().order.len()), (1, MOST));
        advance(MEMORY).await;
        assert_eq!((failures.len(), failures.table.lock().unwrap().order.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_content_of_all_is_bounded() {
        let failures = Failures::new(MEMORY);
        let page = Bytes::from(vec![b'x'; LONGEST_PAGE]);
        let most = MOST_BYTES / LONGEST_PAGE;
        for number in 0..=most {
            failures.remember(failure(number, &page));
        }
        assert_eq!((failures.len(), failures.table.lock().unwrap().bytes), (most, MOST_BYTES));
        assert!(failures.of(&request(0)).is_none() && failures.of(&request(1)).is_some());
    }
}
