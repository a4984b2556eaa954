//! Keys whose answer is not kept and may differ from viewer to viewer: for a moment the origin is
//! asked once for each viewer, with all fields, and not before that without them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::header;
use stoker_domain::key::Key;
use tokio::time::Instant;

use crate::request::Request;

/// How long it counts; what may be kept again is kept by the next prefetch or viewer after it.
const MEMORY: Duration = Duration::from_secs(10);
/// Keys that are known at once at most; beyond, no further one is remembered, and its viewers ask again
/// when they learn what came for one of them.
const MAX_KEYS: usize = 16_384;

/// The keys of a node whose answers no two requests share.
#[derive(Debug, Default)]
pub(super) struct Unshared(
    // held for a look-up, never across an await; with and without `Authorization`
    Mutex<HashMap<(Key, bool), Instant>>,
);

impl Unshared {
    /// Remembers that what `request` asks for is not kept.
    pub(super) fn remember(&self, request: &Request) {
        self.put(entry(request));
    }

    fn put(&self, entry: (Key, bool)) {
        let now = Instant::now();
        let mut keys = self.lock();
        if keys.len() >= MAX_KEYS {
            keys.retain(|_, since| now - *since < MEMORY);
        }
        if keys.len() < MAX_KEYS || keys.contains_key(&entry) {
            keys.insert(entry, now);
        }
    }

    /// Whether `request` is asked for alone.
    pub(super) fn contains(&self, request: &Request) -> bool {
        self.lock().get(&entry(request)).is_some_and(|since| since.elapsed() < MEMORY)
    }

    /// How many are keys.
    pub(super) fn len(&self) -> usize {
        let now = Instant::now();
        self.lock().values().filter(|since| now - **since < MEMORY).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Key, bool), Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is authorized may get what others do not, and says nothing of what they get.
fn entry(request: &Request) -> (Key, bool) {
    (request.key, request.fields.contains_key(header::AUTHORIZATION))
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn key(number: usize) -> (Key, bool) {
        (Key::new("a.example", &format!("/{number}")), false)
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_remembered_at_the_bound_until_some_are_forgotten() {
        let unshared = Unshared::default();
        (0..MAX_KEYS).for_each(|number| unshared.put(key(number)));
        advance(Duration::from_secs(5)).await;
        unshared.put(key(MAX_KEYS));
        assert_eq!(unshared.len(), MAX_KEYS);
        assert!(!unshared.lock().contains_key(&key(MAX_KEYS)));
        // one that is known is remembered from then on
        unshared.put(key(0));
        advance(Duration::from_secs(5)).await;
        assert_eq!(unshared.len(), 1);
        unshared.put(key(MAX_KEYS));
        assert_eq!((unshared.len(), unshared.lock().len()), (2, 2));
    }
}
