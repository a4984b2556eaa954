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
const MOST: usize = 16_384;

/// The keys of a node whose answers no two requests share.
#[derive(Debug, Default)]
pub(super) struct Unshared(
    // held for a look-up, never across an await; with and without `Authorization`
    Mutex<HashMap<(Key, bool), Instant>>,
);

impl Unshared {
    /// Remembers that what `request` asks for is not kept.
    pub(super) fn remember(&self, request: &Request) {
        self.put(place(request));
    }

    fn put(&self, place: (Key, bool)) {
        let now = Instant::now();
        let mut known = self.known();
        if known.len() >= MOST {
            known.retain(|_, since| now - *since < MEMORY);
        }
        if known.len() < MOST || known.contains_key(&place) {
            known.insert(place, now);
        }
    }

    /// Whether `request` is asked for alone.
    pub(super) fn knows(&self, request: &Request) -> bool {
        self.known().get(&place(request)).is_some_and(|since| since.elapsed() < MEMORY)
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        let now = Instant::now();
        self.known().values().filter(|since| now - **since < MEMORY).count()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(Key, bool), Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is authorized may get what others do not, and says nothing of what they get.
fn place(request: &Request) -> (Key, bool) {
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
        (0..MOST).for_each(|number| unshared.put(key(number)));
        advance(Duration::from_secs(5)).await;
        unshared.put(key(MOST));
        assert_eq!(unshared.len(), MOST);
        assert!(!unshared.known().contains_key(&key(MOST)));
        // one that is known is remembered from then on
        unshared.put(key(0));
        advance(Duration::from_secs(5)).await;
        assert_eq!(unshared.len(), 1);
        unshared.put(key(MOST));
        assert_eq!((unshared.len(), unshared.known().len()), (2, 2));
    }
}
