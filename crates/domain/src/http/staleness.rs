//! Why a response is stale as soon as it arrives: the sentence for the person who can fix it.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use super::{
    cache_control::CacheControl,
    fields::parse_http_date,
    storable::{corrected_initial_age, explicit_lifetime, has_default_lifetime, ruled_lifetime},
};
use crate::{
    domain::{CachePolicy, RuleLifetime},
    time::Timestamp,
};

/// Why a response is stale as soon as it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Staleness {
    /// `no-cache`.
    #[error("the origin wants every use to be validated (`Cache-Control: no-cache`)")]
    NoCache,
    /// A rule of the domain comes to zero seconds.
    #[error("a rule of the domain gives it no lifetime")]
    Rule,
    /// Nothing gives a response with this status a lifetime.
    #[error("the origin states no lifetime for it")]
    Unstated,
    /// This directive is zero, or no number, which counts as zero.
    #[error("the origin gives it no lifetime: `{0}` in Cache-Control is 0 or no number")]
    Directive(&'static str),
    /// `Expires` is no date, which counts as past.
    #[error("the origin gives it no lifetime: `Expires` is no date")]
    NoDate,
    /// `Expires` is not after `Date`.
    #[error("the origin gives it no lifetime: `Expires` is not later than `Date`")]
    Expired,
    /// `Expires` has passed here, and no `Date` tells what the origin's clock says.
    #[error("`Expires` has passed by this node's clock, and the reply has no `Date`")]
    ExpiredHere,
    /// Caches on the way have kept it for too long.
    #[error("it came {} s old (`Age`), and its lifetime is {} s", age.as_secs(), lifetime.as_secs())]
    Age {
        /// How old it came.
        age: Duration,
        /// For how long it may be kept.
        lifetime: Duration,
    },
    /// `Date` is further back than the response may be kept.
    #[error(
        "the origin's clock is behind: its `Date` is {} s before this node's time, and the \
         lifetime is {} s; one of the two clocks is wrong",
        behind.as_secs(), lifetime.as_secs()
    )]
    Clock {
        /// How far back.
        behind: Duration,
        /// For how long it may be kept.
        lifetime: Duration,
    },
}

/// Why the response to a GET is stale as soon as it comes; `None` when it is fresh. The arguments
/// are those of [`super::storable()`], which decides whether it is kept all the same.
pub fn staleness(
    status: StatusCode,
    fields: &HeaderMap,
    policy: &CachePolicy,
    request_time: Timestamp,
    response_time: Timestamp,
) -> Option<Staleness> {
    let directives = CacheControl::of(fields);
    let explicit = explicit_lifetime(&directives, fields, response_time);
    let stated = match has_default_lifetime(status) {
        true => Some(ruled_lifetime(policy.lifetime, explicit)),
        false => explicit,
    };
    let lifetime = match stated {
        None => return Some(Staleness::Unstated),
        Some(_) if directives.no_cache && !policy.ignores_cache_control => {
            return Some(Staleness::NoCache);
        }
        Some(Duration::ZERO) => return Some(no_lifetime(&directives, fields, policy, explicit)),
        Some(lifetime) => lifetime,
    };
    let age = corrected_initial_age(fields, request_time, response_time);
    if lifetime > age {
        return None;
    }
    let told = age_by_field(fields, request_time, response_time);
    Some(match told >= lifetime {
        true => Staleness::Age { age: told, lifetime },
        false => Staleness::Clock { behind: age, lifetime },
    })
}

/// How old a response was when it arrived by its `Age` alone, without regard to the origin's clock.
pub fn age_by_field(
    fields: &HeaderMap,
    request_time: Timestamp,
    response_time: Timestamp,
) -> Duration {
    let mut undated = fields.clone();
    undated.remove(header::DATE);
    corrected_initial_age(&undated, request_time, response_time)
}

/// What made the lifetime zero.
fn no_lifetime(
    directives: &CacheControl,
    fields: &HeaderMap,
    policy: &CachePolicy,
    explicit: Option<Duration>,
) -> Staleness {
    let is_ruled = matches!(policy.lifetime, RuleLifetime::Exactly(_) | RuleLifetime::Never);
    if is_ruled || explicit != Some(Duration::ZERO) {
        return Staleness::Rule;
    }
    if directives.s_maxage.is_some() {
        return Staleness::Directive("s-maxage");
    }
    if directives.max_age.is_some() {
        return Staleness::Directive("max-age");
    }
    let is_date = |name| fields.get(name).and_then(parse_http_date).is_some();
    match (is_date(header::EXPIRES), is_date(header::DATE)) {
        (false, _) => Staleness::NoDate,
        (true, true) => Staleness::Expired,
        (true, false) => Staleness::ExpiredHere,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::http::storable;

    const NOW: Timestamp = Timestamp::from_seconds(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
    const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    const BEHIND: (&str, &str) = ("date", "Sun, 06 Nov 1994 07:49:37 GMT");
    const TAG: (&str, &str) = ("etag", "\"v1\"");

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn of(lines: &[(&'static str, &str)], policy: &CachePolicy) -> Option<Staleness> {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let found = staleness(StatusCode::OK, &fields, policy, NOW, NOW);
        // what is said agrees with what is decided
        fields.append(TAG.0, HeaderValue::from_static(TAG.1));
        let none = HeaderMap::new();
        let kept = storable(&none, StatusCode::OK, &fields, policy, NOW, NOW).unwrap();
        assert_eq!(found.is_none(), kept.lifetime > kept.corrected_initial_age, "{lines:?}");
        found
    }

    #[test]
    fn each_cause_has_its_own_name() {
        use Staleness::{Age, Clock, Directive, Expired, ExpiredHere, NoCache, NoDate};
        let cc = |text| ("cache-control", text);
        let expires = |text| ("expires", text);
        let (minute, behind) = (s(60), s(3600));
        for (lines, cause) in [
            (&[][..], None),
            (&[cc("max-age=60"), DATE], None),
            (&[cc("no-cache, max-age=60"), DATE], Some(NoCache)),
            (&[cc("max-age=0")], Some(Directive("max-age"))),
            (&[cc("max-age=soon"), BEHIND], Some(Directive("max-age"))),
            (&[cc("s-maxage=0, max-age=60")], Some(Directive("s-maxage"))),
            (&[expires("0"), DATE], Some(NoDate)),
            (&[expires("Sun, 06 Nov 1994 08:49:37 GMT"), DATE], Some(Expired)),
            (&[expires("Sun, 06 Nov 1994 07:00:00 GMT"), BEHIND], Some(Expired)),
            (&[expires("Sun, 06 Nov 1994 08:00:00 GMT")], Some(ExpiredHere)),
            (&[cc("max-age=60"), BEHIND], Some(Clock { behind, lifetime: minute })),
            (
                &[expires("Sun, 06 Nov 1994 07:50:37 GMT"), BEHIND],
                Some(Clock { behind, lifetime: minute }),
            ),
            (&[cc("max-age=60"), BEHIND, ("age", "5")], Some(Clock { behind, lifetime: minute })),
            (
                &[cc("max-age=60"), BEHIND, ("age", "3600")],
                Some(Age { age: behind, lifetime: minute }),
            ),
            (&[cc("max-age=60"), ("age", "60")], Some(Age { age: minute, lifetime: minute })),
            // the domain's default is longer than the clock is behind
            (&[BEHIND], None),
        ] {
            assert_eq!(of(lines, &CachePolicy::default()), cause, "{lines:?}");
        }
        let sentence = Clock { behind, lifetime: minute }.to_string();
        assert!(sentence.contains("clock is behind") && sentence.contains("3600 s"), "{sentence}");
    }

    #[test]
    fn a_rule_that_comes_to_nothing_is_named_as_such() {
        let ruled = |lifetime| CachePolicy { lifetime, ..CachePolicy::default() };
        let kept = [("cache-control", "max-age=60"), DATE];
        for (policy, lines, cause) in [
            (ruled(RuleLifetime::Exactly(0)), &kept[..], Some(Staleness::Rule)),
            (ruled(RuleLifetime::AtMost(0)), &kept, Some(Staleness::Rule)),
            (ruled(RuleLifetime::AtMost(5)), &kept, None),
            (
                ruled(RuleLifetime::Origin { otherwise_seconds: Some(0) }),
                &[],
                Some(Staleness::Rule),
            ),
            (
                ruled(RuleLifetime::AtMost(5)),
                &[("cache-control", "max-age=0")],
                Some(Staleness::Directive("max-age")),
            ),
            (
                CachePolicy { ignores_cache_control: true, ..CachePolicy::default() },
                &[("cache-control", "no-cache, max-age=9")],
                None,
            ),
        ] {
            assert_eq!(of(lines, &policy), cause, "{lines:?} {policy:?}");
        }
    }
}
