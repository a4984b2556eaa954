//! What is kept, how it ages, how a 304 freshens it, and that its bytes are read back as written.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT

fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        fields.append(*name, HeaderValue::from_str(value).unwrap());
    }
    fields
}

fn stored(request: &[(&'static str, &str)], response: &[(&'static str, &str)]) -> StoredResponse {
    let (request, response) = (fields(request), fields(response));
    let rules = CachePolicy::default();
    let lifetime = storable(&request, StatusCode::OK, &response, &rules, NOW, NOW).unwrap();
    StoredResponse::new(&request, StatusCode::OK, response, 5, lifetime, NOW)
}

fn refreshed(
    old: &StoredResponse,
    not_modified: &[(&'static str, &str)],
    later: u64,
) -> StoredResponse {
    let moment = NOW + Duration::from_secs(later);
    let rules = CachePolicy::default();
    old.refreshed_by_304(&fields(not_modified), &HeaderMap::new(), &rules, moment, moment).unwrap()
}

fn decode(bytes: &[u8]) -> Option<StoredResponse> {
    StoredResponse::decode(&Bytes::copy_from_slice(bytes))
}

#[test]
fn what_is_made_anew_or_ends_at_the_hop_is_not_kept() {
    let kept = stored(
        &[],
        &[
            ("age", "3"),
            ("content-length", "5"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("etag", "\"a\""),
            ("link", "<a>"),
            ("link", "<b>"),
        ],
    );
    assert_eq!(kept.fields, fields(&[("etag", "\"a\""), ("link", "<a>"), ("link", "<b>")]));
    assert_eq!(kept.corrected_initial_age_ms, 3000);
}

/// RFC 9111 section 4.2: "response_is_fresh = (freshness_lifetime > current_age)".
#[test]
fn it_is_fresh_while_the_lifetime_exceeds_the_age() {
    let kept = stored(&[], &[("cache-control", "max-age=10"), ("age", "4")]);
    assert_eq!(kept.fresh_until(), NOW + Duration::from_secs(6));
    assert!(kept.is_fresh(NOW + Duration::from_millis(5999)));
    assert!(!kept.is_fresh(kept.fresh_until()));
    assert_eq!(kept.age(NOW + Duration::from_secs(2)), Duration::from_secs(6));
    assert_eq!(kept.age(NOW - Duration::from_secs(99)), Duration::from_secs(4));
}

#[test]
fn what_came_in_the_future_is_not_fresh() {
    let kept = stored(&[], &[("cache-control", "max-age=10")]);
    for (set_back, is_fresh) in [(0, true), (1, true), (60, true), (61, false), (86_400, false)] {
        let now = NOW - Duration::from_secs(set_back);
        assert_eq!(kept.is_fresh(now), is_fresh, "{set_back} s");
    }
}

/// RFC 9110 section 8.8.2.2: weak "unless [...] the cache entry includes a Date value [...] at
/// least one second after" (the condition for caches).
#[test]
fn a_modification_date_is_strong_only_beside_a_later_date() {
    let modified = ("last-modified", "Sun, 06 Nov 1994 08:49:36 GMT");
    let later = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let same = ("date", "Sun, 06 Nov 1994 08:49:36 GMT");
    assert!(matches!(
        strong_validator(&fields(&[modified, later])),
        Some(Validator::LastModified(_))
    ));
    assert_eq!(strong_validator(&fields(&[modified, same])), None);
    assert_eq!(strong_validator(&fields(&[modified])), None);
    assert_eq!(strong_validator(&fields(&[modified, later, ("etag", "W/\"a\"")])), None);
    let strong = strong_validator(&fields(&[modified, later, ("etag", "\"a\"")]));
    assert_eq!(strong.unwrap().as_value(), "\"a\"");
}

#[test]
fn reports_name_the_entity_tag_or_else_the_modification_date() {
    let (tag, date) = (("etag", "W/\"a\""), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"));
    let text = |response: &[(&'static str, &str)]| stored(&[], response).validator_text();
    let fresh = ("cache-control", "max-age=9");
    assert_eq!(text(&[fresh, tag, date]).as_deref(), Some("W/\"a\""));
    assert_eq!(text(&[fresh, date]).as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_eq!(text(&[fresh]), None);
}

#[test]
fn vary_remembers_the_request_but_not_its_accept_encoding() {
    let kept = stored(
        &[("accept-language", "de"), ("accept-encoding", "br"), ("x-a", "1"), ("x-a", "2")],
        &[("vary", "Accept-Encoding, Accept-Language, x-a"), ("vary", "x-b, X-A")],
    );
    let vary: Vec<_> = kept.vary.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
    assert_eq!(vary, [("accept-language", "de"), ("x-a", "1, 2"), ("x-b", "")]);
}

/// RFC 9111 section 3.2: "add each header field in the provided response to the stored response,
/// replacing field values that are already present", with exceptions.
#[test]
fn a_304_replaces_fields_and_starts_a_new_lifetime() {
    let old = stored(
        &[],
        &[
            ("cache-control", "max-age=10"),
            ("etag", "\"a\""),
            ("x-a", "1"),
            ("content-type", "a/b"),
        ],
    );
    let new = refreshed(
        &old,
        &[
            ("cache-control", "max-age=20"),
            ("etag", "W/\"a\""),
            ("x-a", "2"),
            ("x-a", "3"),
            ("content-length", "0"),
            ("connection", "close"),
            ("age", "1"),
        ],
        30,
    );
    assert_eq!(
        new.fields,
        fields(&[
            ("cache-control", "max-age=20"),
            ("etag", "\"a\""),
            ("x-a", "2"),
            ("x-a", "3"),
            ("content-type", "a/b"),
        ])
    );
    assert_eq!(new.size, 5);
    assert_eq!(new.fresh_until(), NOW + Duration::from_secs(30 + 20 - 1));
}

#[test]
fn a_304_without_fields_renews_the_lifetime_that_was_known() {
    let old = stored(
        &[],
        &[
            ("cache-control", "max-age=10"),
            ("etag", "\"a\""),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ],
    );
    let new = refreshed(&old, &[], 1000);
    assert!(new.is_fresh(NOW + Duration::from_secs(1009)));
}

#[test]
fn a_304_may_end_the_permission_to_keep() {
    let old = stored(&[], &[("etag", "\"a\"")]);
    let said = fields(&[("cache-control", "no-store")]);
    let refused = old.refreshed_by_304(&said, &HeaderMap::new(), &CachePolicy::default(), NOW, NOW);
    assert_eq!(refused, Err(Uncacheable::NoStore));
}

#[test]
fn bytes_of_this_version_stay_readable() {
    let kept = StoredResponse {
        status: StatusCode::OK,
        fields: fields(&[("etag", "\"a\"")]),
        size: 5,
        vary: vec![(header::ACCEPT, HeaderValue::from_static(""))],
        response_time: Timestamp::from_millis(-1),
        corrected_initial_age_ms: 2,
        lifetime_ms: 3,
    };
    let mut bytes = vec![1, 200, 0, 5, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([255; 8]);
    bytes.extend([2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(b"\x01\0\x06\0\0\0\0\0accept");
    bytes.extend(b"\x01\0\x04\0\x03\0\0\0etag\"a\"");
    assert_eq!(kept.encode(), bytes);
    assert_eq!(decode(&bytes), Some(kept));
    bytes[0] = 2;
    assert_eq!(decode(&bytes), None);
}

fn pairs() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    proptest::collection::vec(("[a-z][a-z0-9-]{0,12}", "[ -~\u{80}-\u{ff}]{0,30}"), 0..12)
        .prop_map(|pairs| pairs.into_iter().map(|(n, v)| (n, v.into_bytes())).collect())
}

proptest! {
    #[test]
    fn bytes_are_read_back_as_written(
        given in pairs(), selecting in pairs(), status in 100u16..999, size: u64,
        time: i64, age: u64, lifetime: u64, cut in 0usize..40,
    ) {
        let parse = |(name, value): (String, Vec<u8>)| {
            (HeaderName::try_from(name).unwrap(), HeaderValue::from_bytes(&value).unwrap())
        };
        let mut fields = HeaderMap::new();
        for (name, value) in given.into_iter().map(parse) {
            fields.append(name, value);
        }
        let kept = StoredResponse {
            status: StatusCode::from_u16(status).unwrap(),
            fields,
            size,
            vary: selecting.into_iter().map(parse).collect(),
            response_time: Timestamp::from_millis(time),
            corrected_initial_age_ms: age,
            lifetime_ms: lifetime,
        };
        let bytes = kept.encode();
        prop_assert_eq!(decode(&bytes), Some(kept));
        let short = &bytes[..bytes.len().saturating_sub(cut + 1)];
        prop_assert_eq!(decode(short), None);
    }

    #[test]
    fn no_bytes_break_the_reader(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        decode(&bytes);
        if let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        decode(&bytes);
    }

    #[test]
    fn no_clock_breaks_ages(now: i64, then: i64, age: u64, lifetime: u64) {
        let kept = StoredResponse {
            response_time: Timestamp::from_millis(then),
            corrected_initial_age_ms: age,
            lifetime_ms: lifetime,
            ..stored(&[], &[("etag", "\"a\"")])
        };
        let now = Timestamp::from_millis(now);
        prop_assert!(kept.age(now) >= Duration::from_millis(age));
        kept.is_fresh(now);
        kept.fresh_until();
    }
}

#[test]
fn a_304_brings_no_cookies_where_a_rule_drops_them() {
    use crate::domain::Cookies;
    let old = stored(&[], &[("etag", "\"a\"")]);
    let said = fields(&[("set-cookie", "a=b"), ("x", "y")]);
    let policy = CachePolicy { cookies: Cookies::Drop, ..CachePolicy::default() };
    let new = old.refreshed_by_304(&said, &HeaderMap::new(), &policy, NOW, NOW).unwrap();
    assert!(new.fields.contains_key("x") && !new.fields.contains_key("set-cookie"));
}
