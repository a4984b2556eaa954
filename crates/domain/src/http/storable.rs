//! What a shared cache may store (RFC 9111 section 3), and for how long it is fresh (4.2).

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use super::{
    cache_control::CacheControl,
    fields::{members, parse_http_date},
};
use crate::{
    domain::{CachePolicy, Cookies, DEFAULT_LIFETIME, RuleLifetime},
    outcome::Uncacheable,
    time::Timestamp,
};

/// How long a response is fresh, and how old it was when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Freshness lifetime; zero = every use must be validated.
    pub lifetime: Duration,
    /// `corrected_initial_age` of RFC 9111 section 4.2.3.
    pub corrected_initial_age: Duration,
}

/// Whether the response to a GET with `request_fields` may be stored, and its lifetime.
///
/// `policy` is that of the domain for the target's path. What it says of `Cache-Control` is for the
/// response's `no-store` and `no-cache` alone, as what is private never becomes common, and its
/// lifetimes are for statuses that may have one without the origin's word.
///
/// A partial response is refused here: a caller that combines slices asks with 200 for the whole.
/// The clocks are the receiver's: when the request was sent and when the head came.
///
/// # Errors
/// The first reason in the order of the list in [`Uncacheable`].
pub fn storable(
    request_fields: &HeaderMap,
    status: StatusCode,
    fields: &HeaderMap,
    policy: &CachePolicy,
    request_time: Timestamp,
    response_time: Timestamp,
) -> Result<Lifetime, Uncacheable> {
    if policy.lifetime == RuleLifetime::Never {
        return Err(Uncacheable::Rule);
    }
    let mut directives = CacheControl::of(fields);
    if policy.ignores_cache_control {
        directives.no_store = false;
        directives.no_cache = false;
    }
    if directives.no_store || CacheControl::of(request_fields).no_store {
        return Err(Uncacheable::NoStore);
    }
    if directives.private {
        return Err(Uncacheable::Private);
    }
    if members(fields, &header::VARY).any(|name| name == b"*") {
        return Err(Uncacheable::VaryStar);
    }
    let shares = directives.public || directives.s_maxage.is_some();
    if fields.contains_key(header::SET_COOKIE) && !takes_cookies(&directives, policy) {
        return Err(Uncacheable::SetCookie);
    }
    // RFC 9111 section 3.5
    if request_fields.contains_key(header::AUTHORIZATION) && !shares && !directives.must_revalidate
    {
        return Err(Uncacheable::Authorization);
    }
    if status == StatusCode::PARTIAL_CONTENT || status == StatusCode::NOT_MODIFIED {
        return Err(Uncacheable::Partial);
    }
    let corrected_initial_age = corrected_initial_age(fields, request_time, response_time);
    let explicit = explicit_lifetime(&directives, fields, response_time);
    let stated = match has_default_lifetime(status) {
        true => Some(ruled_lifetime(policy.lifetime, explicit)),
        false => explicit,
    };
    let lifetime = match stated {
        None => return Err(Uncacheable::NoLifetime),
        Some(_) if directives.no_cache => Duration::ZERO,
        Some(lifetime) => lifetime,
    };
    let has_validator =
        fields.contains_key(header::ETAG) || fields.contains_key(header::LAST_MODIFIED);
    if lifetime <= corrected_initial_age && !has_validator {
        return Err(Uncacheable::NoLifetime);
    }
    Ok(Lifetime { lifetime, corrected_initial_age })
}

/// Whether a response that cookies may have selected may be kept for those who send the same: the
/// origin permits it, or the domain's rule does.
pub fn shares_with_cookies(fields: &HeaderMap, policy: &CachePolicy) -> bool {
    takes_cookies(&CacheControl::of(fields), policy)
}

fn takes_cookies(directives: &CacheControl, policy: &CachePolicy) -> bool {
    match policy.cookies {
        Cookies::Ask => directives.public || directives.s_maxage.is_some(),
        Cookies::Drop => true,
        Cookies::Refuse => false,
    }
}

pub(super) fn ruled_lifetime(rule: RuleLifetime, explicit: Option<Duration>) -> Duration {
    match rule {
        RuleLifetime::Never => Duration::ZERO,
        RuleLifetime::Origin { otherwise_seconds } => explicit
            .unwrap_or_else(|| otherwise_seconds.map_or(DEFAULT_LIFETIME, Duration::from_secs)),
        RuleLifetime::Exactly(seconds) => Duration::from_secs(seconds),
        RuleLifetime::AtMost(seconds) => {
            let most = Duration::from_secs(seconds);
            explicit.map_or(most, |explicit| explicit.min(most))
        }
    }
}

/// Statuses that get the lifetime of a rule, or the domain's default where the origin states no lifetime.
pub(super) fn has_default_lifetime(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::OK
            | StatusCode::NON_AUTHORITATIVE_INFORMATION
            | StatusCode::MOVED_PERMANENTLY
            | StatusCode::PERMANENT_REDIRECT
    )
}

/// RFC 9111 section 4.2.1: `s-maxage`, `max-age`, `Expires` less `Date`. An `Expires` that is not a
/// date lies in the past (section 5.3).
pub(super) fn explicit_lifetime(
    directives: &CacheControl,
    fields: &HeaderMap,
    response_time: Timestamp,
) -> Option<Duration> {
    if let Some(lifetime) = directives.s_maxage.or(directives.max_age) {
        return Some(lifetime);
    }
    let expires = fields.get(header::EXPIRES)?;
    let date = date(fields).unwrap_or(response_time);
    Some(parse_http_date(expires).map_or(Duration::ZERO, |expires| expires.since(date)))
}

/// RFC 9111 section 4.2.3. An `Age` that is not a number is ignored (section 5.1).
pub(super) fn corrected_initial_age(
    fields: &HeaderMap,
    request_time: Timestamp,
    response_time: Timestamp,
) -> Duration {
    let apparent_age = date(fields).map_or(Duration::ZERO, |date| response_time.since(date));
    let age_value = members(fields, &header::AGE)
        .next()
        .and_then(|age| str::from_utf8(age).ok())
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(0, |digits| digits.parse::<u64>().map_or(1 << 31, |age| age.min(1 << 31)));
    let response_delay = response_time.since(request_time);
    apparent_age.max(Duration::from_secs(age_value) + response_delay)
}

fn date(fields: &HeaderMap) -> Option<Timestamp> {
    fields.get(header::DATE).and_then(parse_http_date)
}

#[cfg(test)]
mod tests;
