//! Quota days: when one ends and the next begins.
//!
//! A day begins at one time of day in the whole installation, 00:00 UTC+8 unless its operator chose
//! another. When that is changed, the day that is running goes on until the first new
//! instant after its own end, and its number is never used again. So every day lasts 24 hours at
//! least, and no change, however often it is made, gives anything back earlier.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

const DAY_SECONDS: i64 = 86_400;
/// Zones reach from UTC-14:00 to UTC+14:00, in minutes.
const ZONES: i64 = 14 * 60;

/// The time of day at which a quota day begins, with the zone that it is given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reset {
    /// Minutes since midnight.
    minutes: i64,
    /// Minutes that the zone is ahead of UTC.
    zone: i64,
}

impl Reset {
    /// 00:00 UTC+8.
    pub const DEFAULT: Self = Self { minutes: 0, zone: 8 * 60 };

    /// Seconds of the day in UTC.
    const fn second(self) -> i64 {
        (self.minutes - self.zone).rem_euclid(24 * 60) * 60
    }

    /// The first such instant that is not before `time`.
    const fn not_before(self, time: Timestamp) -> Timestamp {
        let seconds = time.as_millis().div_euclid(1000) + (time.as_millis() % 1000 != 0) as i64;
        let wait = (self.second() - seconds).rem_euclid(DAY_SECONDS);
        Timestamp::from_seconds(seconds + wait)
    }
}

impl Default for Reset {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Reset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.zone < 0 { '-' } else { '+' };
        let zone = self.zone.abs();
        write!(formatter, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)?;
        write!(formatter, "{sign}{:02}:{:02}", zone / 60, zone % 60)
    }
}

/// A text that is not a [`Reset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a time of day with its zone, like `00:00+08:00`")]
pub struct ResetError;

impl FromStr for Reset {
    type Err = ResetError;

    fn from_str(text: &str) -> Result<Self, ResetError> {
        let (time, sign, zone) = match text.strip_suffix('Z') {
            Some(time) => (time, 1, "00:00"),
            None => match text.rsplit_once(['+', '-']) {
                Some((time, zone)) if text.contains('+') => (time, 1, zone),
                Some((time, zone)) => (time, -1, zone),
                None => return Err(ResetError),
            },
        };
        let minutes = minutes(time).filter(|minutes| *minutes < 24 * 60).ok_or(ResetError)?;
        let zone = minutes_of_zone(zone).ok_or(ResetError)?;
        Ok(Self { minutes, zone: sign * zone })
    }
}

impl TryFrom<String> for Reset {
    type Error = ResetError;

    fn try_from(text: String) -> Result<Self, ResetError> {
        text.parse()
    }
}

impl From<Reset> for String {
    fn from(reset: Reset) -> Self {
        reset.to_string()
    }
}

fn minutes_of_zone(text: &str) -> Option<i64> {
    minutes(text).filter(|minutes| *minutes <= ZONES)
}

/// Reads `HH:MM`.
fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i64>().ok())?
    };
    two(minutes).filter(|minutes| *minutes < 60).zip(two(hours)).map(|(m, h)| h * 60 + m)
}

/// A time in which all days begin at the same time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Era {
    /// When its first day begins.
    pub starts_at: Timestamp,
    /// The number of that day.
    pub first_day: i64,
}

impl Era {
    /// What was before any change: days since 1970-01-01 in UTC+8.
    const FIRST: Self = Self { starts_at: Timestamp::from_seconds(-8 * 3600), first_day: 0 };

    /// The day that holds `now`, if no other era follows.
    const fn day(self, now: Timestamp) -> i64 {
        let seconds = (now.as_millis() - self.starts_at.as_millis()).div_euclid(1000);
        self.first_day + seconds.div_euclid(DAY_SECONDS)
    }

    /// When `day` ends, if no other era follows.
    const fn end(self, day: i64) -> Timestamp {
        let days = day - self.first_day + 1;
        Timestamp::from_seconds(self.starts_at.as_seconds() + days * DAY_SECONDS)
    }
}

/// The days of an installation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// The eras after the first, by time.
    eras: Vec<Era>,
}

impl Calendar {
    /// With the eras of [`Self::eras`].
    pub fn new(mut eras: Vec<Era>) -> Self {
        eras.sort_by_key(|era| era.starts_at);
        Self { eras }
    }

    /// What has to be kept.
    pub fn eras(&self) -> &[Era] {
        &self.eras
    }

    /// The number of the day that holds `now`.
    pub fn day(&self, now: Timestamp) -> i64 {
        let (era, next) = self.around(now);
        let last = next.map_or(i64::MAX, |next| next.first_day - 1);
        era.day(now).min(last)
    }

    /// When the day that holds `now` ends.
    pub fn ends_at(&self, now: Timestamp) -> Timestamp {
        let (era, next) = self.around(now);
        let day = self.day(now);
        match next {
            Some(next) if next.first_day == day + 1 => next.starts_at,
            _ => era.end(day),
        }
    }

    /// With days that begin at `reset`, once the running one has ended; a change that was to come is
    /// forgotten. When nothing `was_charged` yet, a new day begins at once.
    #[must_use]
    pub fn reset_at(&self, reset: Reset, now: Timestamp, was_charged: bool) -> Self {
        let (era, day) = (self.around(now).0, self.day(now));
        let mut eras: Vec<Era> =
            self.eras.iter().filter(|known| known.starts_at <= now).copied().collect();
        let end = era.end(day);
        let is_same = era.starts_at.as_seconds().rem_euclid(DAY_SECONDS) == reset.second();
        if !(is_same && now < end) {
            let starts_at = match was_charged {
                // a long day may be running already, and a change begins none at once
                true => reset.not_before(end.max(now + Duration::from_millis(1))),
                false => Timestamp::from_seconds(
                    reset.not_before(now).as_seconds()
                        - if reset.not_before(now) > now { DAY_SECONDS } else { 0 },
                ),
            };
            eras.push(Era { starts_at, first_day: day + 1 });
        }
        Self::new(eras)
    }

    /// The era that holds `now`, and the next.
    fn around(&self, now: Timestamp) -> (Era, Option<Era>) {
        let next = self.eras.partition_point(|era| era.starts_at <= now);
        let era = next.checked_sub(1).map_or(Era::FIRST, |index| self.eras[index]);
        (era, self.eras.get(next).copied())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3600;
    /// 2023-11-15, 00:00 UTC+8.
    const MIDNIGHT: i64 = 1_699_977_600;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_seconds(MIDNIGHT + hours * HOUR)
    }

    fn reset(text: &str) -> Reset {
        text.parse().unwrap()
    }

    #[test]
    fn a_reset_is_written_as_it_is_read() {
        for text in ["00:00+08:00", "23:59-03:30", "05:30+00:00", "00:00+14:00"] {
            assert_eq!(reset(text).to_string(), text);
        }
        assert_eq!(reset("07:00Z").to_string(), "07:00+00:00");
        assert_eq!(Reset::default().to_string(), "00:00+08:00");
        let wrong = ["", "00:00", "24:00+00:00", "00:60Z", "0:00Z", "00:00+15:00", "+1:+1Z", "aZ"];
        for text in wrong.into_iter().chain(["00:00+08", "00:00 +08:00", "00:00+08:00Z"]) {
            assert_eq!(text.parse::<Reset>(), Err(ResetError), "{text}");
        }
    }

    #[test]
    fn without_a_change_days_are_those_of_utc_plus_8() {
        let calendar = Calendar::default();
        let first = calendar.day(at(0));
        assert_eq!(first, super::super::day(at(0)));
        assert_eq!((calendar.day(at(-1)), calendar.day(at(23)), calendar.day(at(24))), {
            (first - 1, first, first + 1)
        });
        assert_eq!(calendar.ends_at(at(5)), at(24));
        assert_eq!(calendar.reset_at(Reset::DEFAULT, at(5), true), calendar);
    }

    #[test]
    fn the_running_day_goes_on_until_the_first_new_instant_after_its_end() {
        let calendar = Calendar::default();
        let day = calendar.day(at(0));
        // in UTC+8 the new instant comes at 02:00
        let changed = calendar.reset_at(reset("18:00Z"), at(5), true);
        assert_eq!(changed.ends_at(at(5)), at(26));
        let days: Vec<_> = [0, 5, 25, 26, 49, 50].map(|hour| changed.day(at(hour)) - day).into();
        assert_eq!(days, [0, 0, 0, 1, 1, 2]);
        assert_eq!(changed.ends_at(at(27)), at(50));
        // changed back before it came: as if nothing had been
        assert_eq!(changed.reset_at(Reset::DEFAULT, at(6), true), calendar);
        // changed back while the long day runs: it becomes longer, and there is no third allotment
        let back = changed.reset_at(Reset::DEFAULT, at(25), true);
        assert_eq!((back.day(at(47)) - day, back.day(at(48)) - day), (0, 1));
    }

    #[test]
    fn a_day_begins_at_its_instant_and_not_a_second_later() {
        let midnight = Timestamp::from_seconds(86_400);
        let after = midnight + Duration::from_millis(1);
        let utc = reset("00:00Z");
        assert_eq!(utc.not_before(midnight), midnight);
        assert_eq!(utc.not_before(after), Timestamp::from_seconds(2 * 86_400));
        // nothing was charged: the running day began at the last such instant
        let begun = |now| Calendar::default().reset_at(utc, now, false).eras()[0].starts_at;
        let noon = Timestamp::from_seconds(86_400 + 43_200);
        assert_eq!((begun(midnight), begun(noon)), (midnight, midnight));
    }

    #[test]
    fn a_day_ends_by_its_own_era_until_the_next_follows_it() {
        let start = Timestamp::from_seconds(10 * DAY_SECONDS);
        let next = Era { starts_at: start, first_day: 100 };
        let calendar = Calendar::new(vec![next]);
        let now = Timestamp::from_seconds(0);
        assert_eq!(calendar.ends_at(now), Timestamp::from_seconds(DAY_SECONDS - 8 * 3600));
        assert_eq!(calendar.eras(), [next]);
    }

    #[test]
    fn a_reset_is_stored_as_it_is_written() {
        let stored = serde_json::to_string(&reset("18:30-07:00")).unwrap();
        assert_eq!(stored, r#""18:30-07:00""#);
        assert_eq!(serde_json::from_str::<Reset>(&stored).unwrap(), reset("18:30-07:00"));
        assert!(serde_json::from_str::<Reset>(r#""18:30""#).is_err());
    }

    #[test]
    fn a_change_at_the_very_instant_that_it_names_begins_no_day() {
        let long = Calendar::default().reset_at(reset("18:00Z"), at(5), true);
        let day = long.day(at(25));
        let changed = long.reset_at(reset("17:00Z"), at(25), true);
        assert_eq!((changed.day(at(25)), changed.ends_at(at(25))), (day, at(49)));
        let sooner = long.reset_at(reset("17:01Z"), at(25), true);
        assert_eq!(sooner.ends_at(at(25)), at(25) + Duration::from_secs(60));
    }

    #[test]
    fn an_installation_that_has_charged_nothing_begins_with_its_own_day() {
        let calendar = Calendar::default().reset_at(reset("00:00Z"), at(5), false);
        assert_eq!(calendar.ends_at(at(5)), at(8));
        assert_eq!(calendar.day(at(8)), calendar.day(at(5)) + 1);
    }

    proptest! {
        #[test]
        fn no_change_gives_a_new_day_within_24_hours(
            changes in prop::collection::vec((0i64..1440, 0i64..3 * 86_400, any::<bool>()), 1..12),
        ) {
            let mut calendar = Calendar::default();
            let mut now = MIDNIGHT;
            let mut began: Option<i64> = None;
            let mut day = calendar.day(at(0));
            for (minutes, wait, is_default) in changes {
                let end = now + wait;
                while now < end {
                    now = (now + 61).min(end);
                    let next = calendar.day(Timestamp::from_seconds(now));
                    prop_assert!(next == day || next == day + 1, "{day} is followed by {next}");
                    if next > day {
                        // seen up to 61 seconds late
                        let lasted = began.map_or(i64::MAX, |began| now - began);
                        prop_assert!(lasted > DAY_SECONDS - 61, "day {day} lasted {lasted} s");
                        (began, day) = (Some(now), next);
                    }
                }
                let reset = if is_default { Reset::DEFAULT } else { Reset { minutes, zone: 0 } };
                let now = Timestamp::from_seconds(now);
                calendar = calendar.reset_at(reset, now, true);
                prop_assert_eq!(calendar.day(now), day, "a change begins no day");
                prop_assert!(calendar.ends_at(now) > now);
                prop_assert_eq!(calendar.day(calendar.ends_at(now)), day + 1);
            }
        }
    }
}
