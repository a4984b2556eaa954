//! What is stored and for how long, sentence by sentence of RFC 9111.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
const DAY: u64 = 86_400;

fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        fields.append(*name, HeaderValue::from_str(value).unwrap());
    }
    fields
}

fn decide(status: u16, response: &[(&'static str, &str)]) -> Result<Lifetime, Uncacheable> {
    decide_for(&[], status, response)
}

fn decide_for(
    request: &[(&'static str, &str)],
    status: u16,
    response: &[(&'static str, &str)],
) -> Result<Lifetime, Uncacheable> {
    let status = StatusCode::from_u16(status).unwrap();
    storable(&fields(request), status, &fields(response), &CachePolicy::default(), NOW, NOW)
}

fn lifetime(response: &[(&'static str, &str)]) -> u64 {
    decide(200, response).unwrap().lifetime.as_secs()
}

/// RFC 9111 section 3: "the no-store cache directive is not present in the response [...] if the
/// cache is shared: the private response directive is either not present or allows".
#[test]
fn no_store_and_private_are_not_stored() {
    let no_store = [("cache-control", "max-age=60, no-store")];
    assert_eq!(decide(200, &no_store), Err(Uncacheable::NoStore));
    assert_eq!(decide(200, &[("cache-control", "private")]), Err(Uncacheable::Private));
    assert_eq!(decide(200, &[("cache-control", "private=\"x\"")]), Err(Uncacheable::Private));
}

/// RFC 9111 section 5.2.1.5: "a cache MUST NOT store any part of either this request or any
/// response to it".
#[test]
fn a_request_may_forbid_storing() {
    let decided = decide_for(&[("cache-control", "no-store")], 200, &[]);
    assert_eq!(decided, Err(Uncacheable::NoStore));
}

/// RFC 9111 section 4.1: "A stored response with a Vary header field value containing a member
/// "*" always fails to match."
#[test]
fn vary_star_is_not_stored() {
    let response = [("vary", "accept"), ("vary", "x, *"), ("cache-control", "max-age=60")];
    assert_eq!(decide(200, &response), Err(Uncacheable::VaryStar));
}

#[test]
fn cookies_are_stored_only_with_leave_to_share() {
    let cookie = ("set-cookie", "a=b");
    assert_eq!(
        decide(200, &[cookie, ("cache-control", "max-age=60")]),
        Err(Uncacheable::SetCookie)
    );
    for leave in ["public, max-age=60", "s-maxage=60"] {
        assert!(decide(200, &[cookie, ("cache-control", leave)]).is_ok(), "{leave}");
    }
}

/// RFC 9111 section 3.5: "the response contains a Cache-Control field with a response directive
/// that allows it to be stored by a shared cache [...]: must-revalidate, public, and s-maxage".
#[test]
fn responses_to_authorized_requests_need_leave() {
    let request = [("authorization", "Basic eDp5")];
    assert_eq!(
        decide_for(&request, 200, &[("cache-control", "max-age=60")]),
        Err(Uncacheable::Authorization)
    );
    for leave in ["max-age=60, must-revalidate", "max-age=60, public", "s-maxage=60"] {
        assert!(decide_for(&request, 200, &[("cache-control", leave)]).is_ok(), "{leave}");
    }
}

/// RFC 9111 section 4.2.1: s-maxage, then max-age, then Expires minus Date.
#[test]
fn the_shared_lifetime_wins_over_the_common_one_and_that_over_expires() {
    let expires = ("expires", "Sun, 06 Nov 1994 08:59:37 GMT");
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(lifetime(&[("cache-control", "max-age=5, s-maxage=7"), expires, date]), 7);
    assert_eq!(lifetime(&[("cache-control", "max-age=5"), expires, date]), 5);
    assert_eq!(lifetime(&[expires, date]), 600);
    assert_eq!(lifetime(&[expires]), 600);
}

/// RFC 9111 section 5.3: "A cache recipient MUST interpret invalid date formats, especially the
/// value "0", as representing a time in the past".
#[test]
fn an_expires_that_is_no_date_lies_in_the_past() {
    assert_eq!(decide(200, &[("expires", "0")]), Err(Uncacheable::NoLifetime));
    assert_eq!(lifetime(&[("expires", "0"), ("etag", "\"a\"")]), 0);
}

#[test]
fn silence_of_the_origin_means_thirty_days_for_a_few_statuses() {
    for status in [200, 203, 301, 308] {
        let lifetime = decide(status, &[]).unwrap().lifetime.as_secs();
        assert_eq!(lifetime, 30 * DAY, "{status}");
    }
    for status in [204, 302, 307, 404, 410, 500, 503] {
        assert_eq!(decide(status, &[]), Err(Uncacheable::NoLifetime), "{status}");
        let explicit = decide(status, &[("cache-control", "max-age=9")]).unwrap();
        assert_eq!(explicit.lifetime.as_secs(), 9, "{status}");
    }
}

#[test]
fn a_part_is_not_stored_as_if_it_were_whole() {
    let response = [("cache-control", "max-age=9")];
    assert_eq!(decide(206, &response), Err(Uncacheable::Partial));
    assert_eq!(decide(304, &response), Err(Uncacheable::Partial));
}

/// RFC 9111 section 5.2.2.4: a `no-cache` response may be stored but not used without validation.
#[test]
fn no_cache_is_stored_only_where_it_can_be_validated() {
    let no_cache = ("cache-control", "no-cache, max-age=60");
    assert_eq!(decide(200, &[no_cache]), Err(Uncacheable::NoLifetime));
    assert_eq!(lifetime(&[no_cache, ("etag", "\"a\"")]), 0);
    assert_eq!(lifetime(&[("cache-control", "no-cache"), ("etag", "\"a\"")]), 0);
}

/// RFC 9111 section 4.2.3: the larger of apparent age and corrected age value.
#[test]
fn age_counts_from_where_it_was_told_or_from_the_date() {
    let age = |response: &[(&'static str, &str)], delay: u64| {
        let response = fields(response);
        let sent = NOW - Duration::from_secs(delay);
        storable(&HeaderMap::new(), StatusCode::OK, &response, &CachePolicy::default(), sent, NOW)
            .unwrap()
            .corrected_initial_age
            .as_secs()
    };
    let date = ("date", "Sun, 06 Nov 1994 08:48:37 GMT"); // a minute ago
    assert_eq!(age(&[], 0), 0);
    assert_eq!(age(&[date], 2), 60);
    assert_eq!(age(&[date, ("age", "90")], 2), 92);
    assert_eq!(age(&[("age", "7200, 0")], 0), 7200);
    // RFC 9111 section 1.2.2: a number that is too large counts as 2^31
    for large in ["2147483648", "2147483649", "99999999999999999999999"] {
        let age = corrected_initial_age(&fields(&[("age", large)]), NOW, NOW);
        assert_eq!(age.as_secs(), 1 << 31, "{large}");
    }
    for invalid in ["-5", "abc", "7200.0", ""] {
        assert_eq!(age(&[("age", invalid)], 0), 0, "{invalid}");
    }
}

#[test]
fn what_is_stale_on_arrival_is_stored_only_where_it_can_be_validated() {
    let stale = [("cache-control", "max-age=60"), ("age", "60")];
    assert_eq!(decide(200, &stale), Err(Uncacheable::NoLifetime));
    let validated = [stale[0], stale[1], ("last-modified", "Sun, 06 Nov 1994 08:00:00 GMT")];
    assert!(decide(200, &validated).is_ok());
}

proptest! {
    #[test]
    fn what_is_stored_can_be_used_or_validated(
        cache_control in "(max-age=[0-9]{1,3}|s-maxage=[0-9]{1,3}|no-cache|public|, ){0,4}",
        age in 0u64..1000,
        has_etag in any::<bool>(),
        status in 200u16..600,
    ) {
        let mut response = vec![("cache-control", cache_control), ("age", age.to_string())];
        if has_etag {
            response.push(("etag", "\"a\"".into()));
        }
        let response: Vec<_> = response.iter().map(|(n, v)| (*n, v.as_str())).collect();
        if let Ok(decided) = decide(status, &response) {
            prop_assert!(has_etag || decided.lifetime > decided.corrected_initial_age);
            prop_assert!(decided.corrected_initial_age.as_secs() >= age);
        }
    }
}

/// What a rule of the domain makes of a 200 response, in words.
fn ruled(policy: CachePolicy, response: &[(&'static str, &str)]) -> String {
    let response = fields(response);
    match storable(&HeaderMap::new(), StatusCode::OK, &response, &policy, NOW, NOW) {
        Ok(decided) => decided.lifetime.as_secs().to_string(),
        Err(reason) => reason.as_str().into(),
    }
}

#[test]
fn a_rule_decides_as_this_table_says() {
    use RuleLifetime::{AtMost, Exactly, Never, Origin};
    let (silent, followed) =
        (Origin { otherwise_seconds: None }, Origin { otherwise_seconds: Some(9) });
    let (etag, cookie) = (("etag", "\"a\""), ("set-cookie", "a=b"));
    let said = |text: &'static str| ("cache-control", text);
    let expires = ("expires", "0");
    for (lifetime, response, expected) in [
        (Never, &[said("public, max-age=60"), etag][..], "rule"),
        (silent, &[said("max-age=60")], "60"),
        (silent, &[], "2592000"),
        (followed, &[said("max-age=60")], "60"),
        (followed, &[], "9"),
        (Exactly(600), &[said("max-age=60")], "600"),
        (Exactly(600), &[said("s-maxage=6000")], "600"),
        (Exactly(600), &[expires], "600"),
        (Exactly(600), &[], "600"),
        (Exactly(600), &[said("no-store")], "no-store"),
        (Exactly(600), &[said("private")], "private"),
        (Exactly(600), &[said("no-cache"), etag], "0"),
        (Exactly(600), &[cookie], "set-cookie"),
        (Exactly(0), &[etag], "0"),
        (Exactly(0), &[], "no-lifetime"),
        (AtMost(600), &[said("max-age=60")], "60"),
        (AtMost(600), &[said("max-age=6000")], "600"),
        (AtMost(600), &[], "600"),
        (AtMost(600), &[expires, etag], "0"),
    ] {
        let policy = CachePolicy { lifetime, ..CachePolicy::default() };
        assert_eq!(ruled(policy, response), expected, "{lifetime:?} {response:?}");
    }
}

#[test]
fn a_rule_may_ignore_no_store_and_no_cache_but_never_private() {
    let policy = CachePolicy {
        lifetime: RuleLifetime::Exactly(600),
        ignores_cache_control: true,
        ..CachePolicy::default()
    };
    for (said, expected) in [
        ("no-store", "600"),
        ("no-cache", "600"),
        ("no-cache, no-store, max-age=0, must-revalidate", "600"),
        ("private", "private"),
        ("private, no-store", "private"),
    ] {
        assert_eq!(ruled(policy, &[("cache-control", said)]), expected, "{said}");
    }
    let (asked, etag) = (fields(&[("cache-control", "no-store")]), fields(&[("etag", "\"a\"")]));
    let decided = storable(&asked, StatusCode::OK, &etag, &policy, NOW, NOW);
    assert_eq!(decided, Err(Uncacheable::NoStore), "the request's word counts");
}

#[test]
fn what_cookies_select_is_shared_only_with_permission() {
    let shares = |cookies, value: &str| {
        let policy = CachePolicy { cookies, ..CachePolicy::default() };
        shares_with_cookies(&fields(&[("cache-control", value)]), &policy)
    };
    for (value, by_origin) in [("public", true), ("s-maxage=5", true), ("max-age=5", false)] {
        assert_eq!(shares(Cookies::Ask, value), by_origin, "{value}");
        assert!(shares(Cookies::Drop, value) && !shares(Cookies::Refuse, value), "{value}");
    }
}

#[test]
fn a_rule_may_drop_or_refuse_cookies() {
    let (cookie, leave) = (("set-cookie", "a=b"), ("cache-control", "public, max-age=60"));
    for (cookies, alone, with_leave) in [
        (Cookies::Ask, "set-cookie", "60"),
        (Cookies::Drop, "2592000", "60"),
        (Cookies::Refuse, "set-cookie", "set-cookie"),
    ] {
        let policy = CachePolicy { cookies, ..CachePolicy::default() };
        assert_eq!(ruled(policy, &[cookie]), alone, "{cookies:?}");
        assert_eq!(ruled(policy, &[cookie, leave]), with_leave, "{cookies:?}");
        assert_eq!(ruled(policy, &[leave]), "60", "{cookies:?}");
    }
}

#[test]
fn a_rule_gives_no_lifetime_to_a_status_that_needs_the_origins_word() {
    let lifetime = RuleLifetime::Exactly(600);
    let policy = CachePolicy { lifetime, ..CachePolicy::default() };
    let decide = |response: &[(&'static str, &str)]| {
        let response = fields(response);
        storable(&HeaderMap::new(), StatusCode::NOT_FOUND, &response, &policy, NOW, NOW)
    };
    assert_eq!(decide(&[]), Err(Uncacheable::NoLifetime));
    let stated = decide(&[("cache-control", "max-age=9")]).unwrap();
    assert_eq!(stated.lifetime.as_secs(), 9);
}
