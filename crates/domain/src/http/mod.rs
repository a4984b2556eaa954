//! Caching decisions of HTTP, as pure functions: what may be stored, how long it is fresh, which
//! request it answers, which conditions and ranges hold.
//!
//! RFC 9110 (semantics), RFC 9111 (caching), RFC 9211 (`Cache-Status`). Serving and filling both
//! decide here, so that a prefetch keeps exactly what a miss would keep. Nothing here reads a clock,
//! speaks HTTP or touches a store.

mod cache_control;
mod cache_status;
mod cdn_loop;
mod conditional;
mod fields;
mod forwarded;
mod framing;
mod freshness;
mod range;
mod response;
mod single;
mod staleness;
mod storable;
mod validation;

pub use cache_control::CacheControl;
pub use cache_status::{CacheStatus, Forward};
pub use cdn_loop::LoopGuard;
pub use conditional::{Conditions, evaluate_conditions, if_range_matches};
pub use fields::{CDN_LOOP, http_date, parse_http_date, strip_hop_by_hop};
pub use forwarded::{
    always_travels, identifies_client, strip_claims, upstream_cache_control, varying,
};
pub use framing::{BadFraming, framed_length};
pub use freshness::{Reuse, reuse};
pub use range::{
    ByteRange, ContentRange, RangeRequest, parse_byte_range, parse_content_range, parse_range,
    parse_unsatisfied_range, unsatisfied_range,
};
pub use response::{StoredResponse, Validator, drop_cookies, strong_validator};
pub use single::{Contradiction, settle_single};
pub use staleness::{Staleness, age_by_field, staleness};
pub use storable::{Lifetime, shares_with_cookies, storable};
