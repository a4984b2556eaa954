//! Keys whose answer is not kept and may differ from viewer to viewer: for a moment the origin is
//! asked once for each viewer, with all fields, and not before that without them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::header;
use stoker_domain::key::Key;
use tokio::time::Instant;

use super::request::Request;

/// How long it counts; what may be kept again is kept by the next prefetch or viewer after it.
const MEMORY: Duration = Duration::from_secs(10);
/// Keys that are known at once at most.
const MOST: usize = 16_384;

/// The keys of a node that are asked for alone.
#[derive(Debug, Default)]
pub(super) struct Loners(
    // held for a look-up, never across an await; with and without `Authorization`
    Mutex<HashMap<(Key, bool), Instant>>,
);

impl Loners {
    /// Remembers that what `request` asks for is not kept.
    pub(super) fn remember(&self, request: &Request) {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, since| now - *since < MEMORY);
        }
        if known.len() < MOST {
            known.insert(place(request), now);
        }
    }

    /// Whether `request` is asked for alone.
    pub(super) fn knows(&self, request: &Request) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&place(request)).is_some_and(|since| since.elapsed() < MEMORY)
    }
}

/// Who is authorized may get what others do not, and says nothing of what they get.
fn place(request: &Request) -> (Key, bool) {
    (request.key, request.fields.contains_key(header::AUTHORIZATION))
}
