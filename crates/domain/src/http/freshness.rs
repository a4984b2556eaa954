//! Whether a stored response may answer a request without asking upstream (RFC 9111 section 4).

use std::time::Duration;

use http::{HeaderMap, header};

use super::{cache_control::CacheControl, fields::combined, response::StoredResponse};
use crate::time::Timestamp;

/// What a stored response is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// It answers the request.
    Fresh,
    /// It answers once it has been validated.
    Stale,
    /// It was selected by other request fields (RFC 9111 section 4.1).
    VaryMiss,
}

/// Whether `stored` answers a GET or HEAD with `request_fields` at `now`.
///
/// The request's `no-cache`, `max-age`, `min-fresh` and `max-stale` are honoured; whether the caller
/// wants only what is cached is the caller's business.
pub fn reuse(stored: &StoredResponse, request_fields: &HeaderMap, now: Timestamp) -> Reuse {
    if stored.vary.iter().any(|(name, value)| combined(request_fields, name) != *value) {
        return Reuse::VaryMiss;
    }
    let is_fresh = stored.is_fresh(now);
    if !request_fields.contains_key(header::CACHE_CONTROL) {
        return if is_fresh { Reuse::Fresh } else { Reuse::Stale };
    }
    let asked = CacheControl::of(request_fields);
    let age = stored.age(now);
    let lifetime = Duration::from_millis(stored.lifetime_ms);
    if asked.no_cache || asked.max_age.is_some_and(|most| age > most) {
        return Reuse::Stale;
    }
    if asked.min_fresh.is_some_and(|least| lifetime.saturating_sub(age) < least) {
        return Reuse::Stale;
    }
    let accepts = is_fresh
        || asked.max_stale.is_some_and(|most| {
            age.saturating_sub(lifetime) <= most && may_be_served_stale(stored)
        });
    if accepts { Reuse::Fresh } else { Reuse::Stale }
}

/// RFC 9111 section 4.2.4: not when the response says `no-cache`, `must-revalidate`,
/// `proxy-revalidate` or `s-maxage`.
fn may_be_served_stale(stored: &StoredResponse) -> bool {
    let directives = CacheControl::of(&stored.fields);
    !(directives.no_cache
        || directives.must_revalidate
        || directives.proxy_revalidate
        || directives.s_maxage.is_some())
}

#[cfg(test)]
mod tests;
