//! Which requests a stored response answers, by RFC 9111 sections 4.1, 4.2 and 5.2.1.

use http::{HeaderValue, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::{domain::CachePolicy, http::storable};

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        fields.append(*name, HeaderValue::from_str(value).unwrap());
    }
    fields
}

fn stored(request: &[(&'static str, &str)], response: &[(&'static str, &str)]) -> StoredResponse {
    let (request, mut response) = (fields(request), fields(response));
    response.insert(header::ETAG, HeaderValue::from_static("\"a\""));
    let rules = CachePolicy::default();
    let lifetime = storable(&request, StatusCode::OK, &response, &rules, NOW, NOW).unwrap();
    StoredResponse::new(&request, StatusCode::OK, response, 5, lifetime, NOW)
}

/// What becomes of a request with `cache_control`, `after` seconds after `max-age=100` came.
fn asked(response: &str, cache_control: &str, after: u64) -> Reuse {
    let kept = stored(&[], &[("cache-control", response)]);
    let request = fields(&[("cache-control", cache_control)]);
    reuse(&kept, &request, NOW + Duration::from_secs(after))
}

#[test]
fn a_fresh_response_answers_and_a_stale_one_must_be_validated() {
    let kept = stored(&[], &[("cache-control", "max-age=100")]);
    let request = HeaderMap::new();
    assert_eq!(reuse(&kept, &request, NOW + Duration::from_secs(99)), Reuse::Fresh);
    assert_eq!(reuse(&kept, &request, NOW + Duration::from_secs(100)), Reuse::Stale);
}

#[test]
fn directives_of_the_request_narrow_the_choice() {
    for (directive, after, expected) in [
        ("no-cache", 0, Reuse::Stale),
        ("max-age=10", 10, Reuse::Fresh),
        ("max-age=10", 11, Reuse::Stale),
        ("max-age=0", 0, Reuse::Fresh),
        ("min-fresh=10", 90, Reuse::Fresh),
        ("min-fresh=10", 91, Reuse::Stale),
        ("no-transform", 50, Reuse::Fresh),
    ] {
        assert_eq!(asked("max-age=100", directive, after), expected, "{directive} {after}");
    }
}

/// RFC 9111 section 4.2.4: not "if it is prohibited by an explicit in-protocol directive".
#[test]
fn max_stale_widens_it_unless_the_response_forbids() {
    for (response, directive, after, expected) in [
        ("max-age=100", "max-stale=10", 110, Reuse::Fresh),
        ("max-age=100", "max-stale=10", 111, Reuse::Stale),
        ("max-age=100", "max-stale", 100_000, Reuse::Fresh),
        ("max-age=100, must-revalidate", "max-stale", 110, Reuse::Stale),
        ("max-age=100, proxy-revalidate", "max-stale", 110, Reuse::Stale),
        ("s-maxage=100", "max-stale", 110, Reuse::Stale),
        ("no-cache", "max-stale", 0, Reuse::Stale),
    ] {
        assert_eq!(asked(response, directive, after), expected, "{response} {directive} {after}");
    }
}

/// RFC 9111 section 4.1: "unless all the presented request header fields nominated by that Vary
/// field value match those fields in the original request".
#[test]
fn other_request_fields_than_those_answered_are_a_vary_miss() {
    let kept =
        stored(&[("accept-language", "de")], &[("vary", "accept-language, accept-encoding")]);
    let german = fields(&[("accept-language", "de"), ("accept-encoding", "br")]);
    assert_eq!(reuse(&kept, &german, NOW), Reuse::Fresh);
    assert_eq!(reuse(&kept, &fields(&[("accept-language", "en")]), NOW), Reuse::VaryMiss);
    assert_eq!(reuse(&kept, &HeaderMap::new(), NOW), Reuse::VaryMiss);
}

proptest! {
    #[test]
    fn without_max_stale_nothing_stale_is_reused(
        directive in "(no-cache|max-age=[0-9]{1,3}|min-fresh=[0-9]{1,3}|x|, ){0,3}",
        after in 0u64..300,
    ) {
        if asked("max-age=100", &directive, after) == Reuse::Fresh {
            prop_assert!(after < 100);
        }
    }
}
