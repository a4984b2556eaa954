//! Retry: which outcomes are worth another attempt, when, and for how long.

use std::time::Duration;

use http::HeaderValue;

use crate::{
    backoff::Backoff,
    http::parse_http_date,
    outcome::{OriginFault, Outcome, Uncacheable},
    time::Timestamp,
};

/// How long a target is tried, from its first failure, where neither task nor domain says otherwise.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(600);
/// The longest that may be asked for.
pub const MOST_PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Leases in a row that expire without a report, after which a job is given up: something in it may be
/// what stops the node that works on it.
pub const MAX_LEASES: u32 = 20;

/// How long an item waits for its next attempt after so many have failed.
pub const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// An origin that wants to be left alone for longer is asked again after this.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Whether another attempt may end differently.
pub const fn is_worth_retrying(outcome: Outcome) -> bool {
    match outcome {
        Outcome::OriginStatus(code) => matches!(code, 408 | 425 | 429 | 500 | 502 | 503 | 504),
        Outcome::OriginError(OriginFault::Length) => false,
        Outcome::OriginError(_) => true,
        // a node was stopped under it, this one or one on the way
        Outcome::Canceled => true,
        Outcome::Uncacheable(reason) => {
            matches!(reason, Uncacheable::DiskFull | Uncacheable::DiskError)
        }
        _ => false,
    }
}

/// What an outcome says of the origin as a whole, not only of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It answered.
    There,
    /// It did not, and would not have for any other target.
    Away,
    /// It did not in time; that may be the target's own.
    Silent,
    /// Nothing: it was not asked, or another is to blame.
    Unknown,
}

impl Presence {
    /// What `outcome` says.
    pub const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::OriginError(fault) => match fault {
                OriginFault::Dns | OriginFault::Connect | OriginFault::Tls => Self::Away,
                OriginFault::Timeout => Self::Silent,
                OriginFault::Parent | OriginFault::Busy => Self::Unknown,
                _ => Self::There,
            },
            Outcome::Filled | Outcome::Revalidated | Outcome::TooLarge => Self::There,
            Outcome::OriginStatus(_) => Self::There,
            Outcome::Uncacheable(reason) => match reason {
                Uncacheable::DiskFull | Uncacheable::DiskError => Self::Unknown,
                _ => Self::There,
            },
            _ => Self::Unknown,
        }
    }
}

/// How long `value`, a `Retry-After` field, asks to be left alone: a number of seconds, or a date,
/// which is compared with `date`, the origin's own clock (RFC 9110 section 10.2.3). At most
/// [`LONGEST_RETRY_AFTER`]; `None` when it is neither.
pub fn retry_after(value: &HeaderValue, date: Timestamp) -> Option<Duration> {
    let digits = value.as_bytes().trim_ascii();
    let wanted = if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        let seconds = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        // more than fits is more than is granted
        seconds.map_or(LONGEST_RETRY_AFTER, Duration::from_secs)
    } else {
        parse_http_date(value)?.since(date)
    };
    Some(wanted.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_resource_is_not_asked_for_again() {
        assert!(!is_worth_retrying(Outcome::OriginStatus(404)));
        assert!(is_worth_retrying(Outcome::OriginStatus(503)));
        assert!(is_worth_retrying(Outcome::OriginError(OriginFault::Truncated)));
        assert!(is_worth_retrying(Outcome::Canceled));
    }

    #[test]
    fn what_may_end_differently_is_tried_again() {
        const STATUSES: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];
        for status in 100..=599 {
            let is_worth = is_worth_retrying(Outcome::OriginStatus(status));
            assert_eq!(is_worth, STATUSES.contains(&status), "{status}");
        }
        for outcome in Outcome::all() {
            let expected = match outcome {
                Outcome::OriginError(fault) => fault != OriginFault::Length,
                Outcome::Uncacheable(Uncacheable::DiskFull | Uncacheable::DiskError) => true,
                Outcome::Canceled => true,
                _ => false,
            };
            assert_eq!(is_worth_retrying(outcome), expected, "{outcome}");
        }
    }

    #[test]
    fn what_an_outcome_says_of_the_origin() {
        for (outcome, presence) in [
            ("filled", Presence::There),
            ("revalidated", Presence::There),
            ("already_fresh", Presence::Unknown),
            ("uncacheable:no-store", Presence::There),
            ("uncacheable:disk-full", Presence::Unknown),
            ("origin_status:404", Presence::There),
            ("origin_status:503", Presence::There),
            ("origin_error:dns", Presence::Away),
            ("origin_error:connect", Presence::Away),
            ("origin_error:tls", Presence::Away),
            ("origin_error:timeout", Presence::Silent),
            ("origin_error:truncated", Presence::There),
            ("origin_error:parent", Presence::Unknown),
            ("origin_error:busy", Presence::Unknown),
            ("blocked:loop", Presence::Unknown),
            ("blocked:private-address", Presence::Unknown),
            ("canceled", Presence::Unknown),
        ] {
            assert_eq!(Presence::of(outcome.parse().unwrap()), presence, "{outcome}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_origins_clock() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let date = Timestamp::from_seconds(784_111_777);
        for (value, seconds) in [
            ("6", Some(6)),
            (" 6 ", Some(6)),
            ("0", Some(0)),
            ("300", Some(300)),
            ("301", Some(300)),
            ("99999999999999999999999", Some(300)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Mon, 06 Nov 1995 08:00:00 GMT", Some(300)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            let field = HeaderValue::from_static(value);
            assert_eq!(retry_after(&field, date), expected, "{value}");
        }
    }
}
