//! How often an account may call an action: windows of a second, or of a minute, that begin with the
//! clock's own.
//!
//! Sub-users share the window of their account. What is kept is one window for each account and
//! action that was called, both of which are few. A call that is refused is counted too. When the
//! clock is set back or ahead, a window begins anew, so that nobody is locked out.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use stoker_domain::{account::AccountId, time::Timestamp};

/// How often each account may call each action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Calls of one action in a second; 0 = as often as they like, whatever stands in `per_minute`.
    pub per_second: u32,
    /// Actions that are counted by the minute instead.
    pub per_minute: BTreeMap<String, u32>,
}

impl CallLimits {
    /// No limits at all.
    pub const OFF: Self = Self { per_second: 0, per_minute: BTreeMap::new() };
}

impl Default for CallLimits {
    /// As the vendor documents them.
    fn default() -> Self {
        let per_minute = [
            ("CdnPusherV2", 10_000),
            ("FlushOrPushOverall", 100),
            ("GetPushLogs", 300),
            ("GetCdnRefreshLog", 1000),
        ];
        Self { per_second: 20, per_minute: per_minute.map(|(name, n)| (name.into(), n)).into() }
    }
}

/// A limit that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{calls} calls in a {}, {limit} are allowed", .period.word())]
pub(crate) struct Exceeded {
    /// Calls in the window so far, this one included.
    pub(crate) calls: u32,
    /// Calls that it may have.
    pub(crate) limit: u32,
    /// How long a window is.
    pub(crate) period: Period,
}

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Period {
    Second,
    Minute,
}

impl Period {
    /// The English word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
        }
    }

    /// The number of the window that holds `now`.
    const fn window(self, now: Timestamp) -> i64 {
        match self {
            Self::Second => now.as_seconds(),
            Self::Minute => now.as_seconds().div_euclid(60),
        }
    }
}

/// An action of one generation of the API; two of them have an action of the same name.
pub(crate) type Name = (&'static str, &'static str);

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    number: i64,
    calls: u32,
}

/// The windows of all accounts and actions.
#[derive(Debug, Default)]
pub(crate) struct Windows(
    // a std mutex, held for one look-up and never across an await
    Mutex<HashMap<(AccountId, Name), Window>>,
);

impl Windows {
    /// Counts a call of `account` at `now`.
    pub(crate) fn admit(
        &self,
        limits: &CallLimits,
        account: AccountId,
        name: Name,
        now: Timestamp,
    ) -> Result<(), Exceeded> {
        if limits.per_second == 0 {
            return Ok(());
        }
        let (limit, period) = match limits.per_minute.get(name.1) {
            Some(limit) => (*limit, Period::Minute),
            None => (limits.per_second, Period::Second),
        };
        let number = period.window(now);
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry((account, name)).or_default();
        if window.number != number {
            *window = Window { number, calls: 0 };
        }
        window.calls = window.calls.saturating_add(1);
        match window.calls {
            calls if calls > limit => Err(Exceeded { calls, limit, period }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUSH: Name = ("cdn", "PushUrlsCache");

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    fn calls(windows: &Windows, account: i64, name: Name, now: Timestamp, count: usize) -> usize {
        let limits = CallLimits { per_second: 5, ..CallLimits::default() };
        let admit = |_| windows.admit(&limits, AccountId(account), name, now).is_ok();
        (0..count).map(admit).filter(|is_admitted| *is_admitted).count()
    }

    #[test]
    fn a_second_has_its_limit_for_each_account_and_action() {
        let windows = Windows::default();
        assert_eq!(calls(&windows, 1, PUSH, at(0), 9), 5);
        assert_eq!(calls(&windows, 1, PUSH, at(999), 1), 0);
        assert_eq!(calls(&windows, 2, PUSH, at(999), 9), 5);
        assert_eq!(calls(&windows, 1, ("teo", PUSH.1), at(999), 9), 5);
        assert_eq!(calls(&windows, 1, PUSH, at(1000), 9), 5);
    }

    #[test]
    fn what_is_counted_by_the_minute_is_not_counted_by_the_second() {
        let (windows, name) = (Windows::default(), ("v2", "FlushOrPushOverall"));
        let minute = Timestamp::from_seconds(1_700_000_040);
        assert_eq!(calls(&windows, 1, name, minute, 60), 60);
        let last = Timestamp::from_seconds(1_700_000_099);
        assert_eq!(calls(&windows, 1, name, last, 60), 40);
        assert_eq!(calls(&windows, 1, name, Timestamp::from_seconds(1_700_000_100), 60), 60);
    }

    #[test]
    fn refused_calls_are_counted_and_told() {
        let windows = Windows::default();
        calls(&windows, 1, PUSH, at(0), 6);
        let limits = CallLimits { per_second: 5, ..CallLimits::default() };
        let error = windows.admit(&limits, AccountId(1), PUSH, at(1));
        assert_eq!(error, Err(Exceeded { calls: 7, limit: 5, period: Period::Second }));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let windows = Windows::default();
        assert_eq!(calls(&windows, 1, PUSH, at(3_600_000), 9), 5);
        assert_eq!(calls(&windows, 1, PUSH, at(0), 9), 5);
    }

    #[test]
    fn without_limits_nothing_is_remembered() {
        let windows = Windows::default();
        for _ in 0..1000 {
            assert!(windows.admit(&CallLimits::OFF, AccountId(1), PUSH, at(0)).is_ok());
        }
        assert!(windows.0.lock().unwrap().is_empty());
    }
}
