//! Which fields of a request travel towards the origin, and which may select what is stored.
//!
//! What is stored answers everybody, so no field of one request may decide it unseen. Towards the
//! origin go the fields that no stored response can depend on unless the origin permits it, and those
//! that its `Vary` names: by these the response is selected again when it is reused (RFC 9111
//! section 4.1). Which fields a node asks with that keeps nothing is decided elsewhere.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    CacheControl,
    fields::{CDN_LOOP, members},
};

/// Fields that always travel: a response to `Authorization` is stored only where the origin
/// permits it (RFC 9111 section 3.5), a cache passes `Cache-Control` on (section 5.2), and nobody
/// removes what others wrote into `CDN-Loop` (RFC 8586 section 2).
const ALWAYS: [HeaderName; 3] = [header::AUTHORIZATION, header::CACHE_CONTROL, CDN_LOOP];

/// The `Cache-Control` that caches before the origin get for a viewer's: only whether they may answer from
/// what they store. The viewer's own words do not travel, as an origin might answer by them; `None`
/// when nothing is left.
pub fn upstream_cache_control(fields: &HeaderMap) -> Option<HeaderValue> {
    let control = CacheControl::of(fields);
    let directives = [
        (control.no_cache, "no-cache"),
        (control.no_store, "no-store"),
        (control.max_age == Some(Duration::ZERO), "max-age=0"),
    ];
    let sent: Vec<&str> =
        directives.into_iter().filter_map(|(is_given, word)| is_given.then_some(word)).collect();
    HeaderValue::try_from(sent.join(", ")).ok().filter(|value| !value.is_empty())
}

/// Fields of a task that identify the client or a trace, and seldom select anything.
const OF_CLIENT: [&str; 9] = [
    "cache-control",
    "from",
    "pragma",
    "referer",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-request-id",
    "x-trace-id",
];

/// Fields in which proxies and gateways describe a client, or name another URL or method. Nobody is
/// trusted with them: they neither travel nor select. The same holds for all `X-Forwarded-…`.
const CLAIMS: [&str; 18] = [
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "front-end-https",
    "proxy",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "x-url-scheme",
];

/// Whether `name` always travels towards the origin.
pub fn always_travels(name: &HeaderName) -> bool {
    ALWAYS.contains(name)
}

/// Whether field `name` of a task identifies the client. An origin that refuses to answer without it
/// looks at that, and has no other answer for others.
pub fn identifies_client(name: &HeaderName) -> bool {
    OF_CLIENT.contains(&name.as_str())
}

/// Removes what a viewer's request claims of clients, URLs and methods.
pub fn strip_claims(fields: &mut HeaderMap) {
    let is_claim = |name: &&HeaderName| {
        let name = name.as_str();
        name.starts_with("x-forwarded") || CLAIMS.contains(&name)
    };
    let claims: Vec<HeaderName> = fields.keys().filter(is_claim).cloned().collect();
    for name in claims {
        fields.remove(name);
    }
}

/// The request fields that the `Vary` of a response names.
pub fn varying(fields: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    members(fields, &header::VARY).filter_map(|name| HeaderName::from_bytes(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(names: &[&str]) -> HeaderMap {
        let one = |name: &&str| (name.parse().unwrap(), HeaderValue::from_static("1"));
        names.iter().map(one).collect()
    }

    #[test]
    fn claims_are_removed_and_others_stay() {
        let mut asked = fields(&CLAIMS);
        for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-scheme", "x-forwarded"] {
            asked.insert(name, HeaderValue::from_static("1"));
        }
        let others = ["accept", "cookie", "host", "x-forward", "x-requested-with", "origin"];
        asked.extend(fields(&others));
        strip_claims(&mut asked);
        assert_eq!(asked, fields(&others));
    }

    #[test]
    fn of_cache_control_little_travels() {
        for (lines, told) in [
            (&[][..], None),
            (&["no-cache"], Some("no-cache")),
            (&["max-age=0"], Some("max-age=0")),
            (
                &["evil, max-age=00, NO-STORE", "no-cache=\"x\""],
                Some("no-cache, no-store, max-age=0"),
            ),
            (&["max-age=7, min-fresh=3, no-transform, evil=1"], None),
            (&["only-if-cached", "max-stale"], None),
        ] {
            let mut asked = HeaderMap::new();
            for line in lines {
                asked.append(header::CACHE_CONTROL, HeaderValue::from_static(line));
            }
            assert_eq!(
                upstream_cache_control(&asked).as_ref().map(|v| v.to_str().unwrap()),
                told,
                "{lines:?}"
            );
        }
    }

    #[test]
    fn few_fields_always_travel_and_few_tell_who_asks() {
        for (name, always, tells) in [
            ("authorization", true, false),
            ("cache-control", true, true),
            ("user-agent", false, true),
            ("referer", false, true),
            ("cookie", false, false),
            ("accept", false, false),
            ("accept-language", false, false),
            ("origin", false, false),
            ("x-token", false, false),
        ] {
            let name: HeaderName = name.parse().unwrap();
            assert_eq!(
                (always_travels(&name), identifies_client(&name)),
                (always, tells),
                "{name}"
            );
        }
    }
}
