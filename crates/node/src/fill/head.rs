//! What a fill tells its readers: at the start the head, at the end what became of it.

use std::time::Duration;

use http::StatusCode;
use stoker_domain::{http::StoredResponse, outcome::Outcome, time::Timestamp};

use crate::store::Stored;

/// The head of the response that is being filled.
#[derive(Clone, Debug)]
pub struct FillHead {
    /// Status and fields as they are (or would be) stored. Its `size` is meaningless, see below.
    pub response: StoredResponse,
    /// Bytes of content, once they are known.
    pub size: Option<u64>,
    /// Why the response is not kept: uncacheable, too large, or a status that is not stored. `None`
    /// when it is being stored.
    pub not_kept: Option<Outcome>,
    /// Nobody else is to keep it either, whatever it says of itself.
    pub is_alone: bool,
    /// What was stored was confirmed by a 304, or is being completed.
    pub is_revalidated: bool,
    /// The status that came from upstream, 206 and 304 included.
    pub forward_status: StatusCode,
    /// For a person: what the origin did that decided how it came or how long it lasts.
    pub note: Option<String>,
}

/// What became of a fill.
#[derive(Clone, Debug)]
pub struct Filled {
    /// The outcome. `Filled` and `Revalidated` say: all of it is durable.
    pub outcome: Outcome,
    /// Size of the representation, when known.
    pub size: Option<u64>,
    /// Bytes of content that came from upstream, repeated ones included.
    pub pulled_bytes: u64,
    /// `ETag`, or else `Last-Modified`.
    pub validator: Option<String>,
    /// Until when it is fresh.
    pub fresh_until: Option<Timestamp>,
    /// For a person: why it did not succeed, or what the origin did that decided how it came.
    pub detail: Option<String>,
    /// How long the origin asked to be left alone.
    pub retry_after: Option<Duration>,
    /// What is now in the store, when it succeeded.
    pub stored: Option<Stored>,
}

/// Whether a prefetch asked for this.
pub(crate) fn is_content(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION)
}
