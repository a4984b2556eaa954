//! Moments in conditions: ISO 8601 in, and out for the context of a call.
//!
//! Taken: a date, or a date and a time parted by `T` or a blank (the vendor's examples have one),
//! with optional seconds and fraction, and `Z`, an offset or nothing (UTC) behind. Leap seconds,
//! week dates and ordinal dates are not. The calendar is that of `jiff`; its parsers take more than a
//! policy may hold, so the spelling is checked here.

use jiff::{
    SignedDuration,
    civil::{Date, DateTime, Time, date},
};

use crate::time::Timestamp;

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// Reads a moment.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let date = parse_date(date)?;
    let (time, offset) = time.map_or(Some((Time::midnight(), SignedDuration::ZERO)), parse_time)?;
    // in civil time, for the last moments of the year 9999 are beyond the instants that jiff has
    let passed = date.to_datetime(time).duration_since(EPOCH) - offset;
    Some(Timestamp::from_millis(i64::try_from(passed.as_millis()).ok()?))
}

/// Writes a moment in UTC, to the second. What no four digits of a year can tell is written as the
/// last, or first, moment that they can.
pub(super) fn format(moment: Timestamp) -> String {
    let moment = EPOCH.saturating_add(SignedDuration::from_secs(moment.as_seconds()));
    let moment = moment.clamp(date(0, 1, 1).at(0, 0, 0, 0), date(9999, 12, 31).at(23, 59, 59, 0));
    format!("{moment}Z")
}

fn parse_date(text: &str) -> Option<Date> {
    let mut fields = text.split('-');
    let year = number(fields.next()?, 4)?;
    let (month, day) = (number(fields.next()?, 2)?, number(fields.next()?, 2)?);
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    fields.next().is_none().then_some(date)
}

/// The time of day as written, and how far east of UTC it is.
fn parse_time(text: &str) -> Option<(Time, SignedDuration)> {
    let zone = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone);
    let (clock, nanos) = match clock.split_once('.') {
        Some((clock, digits)) => (clock, parse_fraction(digits)?),
        None => (clock, 0),
    };
    let mut fields = clock.split(':');
    let (hour, minute) = (fields.next()?, fields.next()?);
    let second = fields.next().unwrap_or("00");
    let time = time(hour, minute, second, nanos)?;
    let offset = parse_offset(zone)?;
    fields.next().is_none().then_some((time, offset))
}

/// Billionths of a second; what is written beyond milliseconds does not count.
fn parse_fraction(digits: &str) -> Option<i32> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis = digits.bytes().chain(*b"00").take(3);
    let millis = millis.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    Some(millis * 1_000_000)
}

/// How far east of UTC: `Z`, nothing, or hours with minutes or without.
fn parse_offset(zone: &str) -> Option<SignedDuration> {
    let Some(sign) = zone.chars().next().filter(|sign| !sign.eq_ignore_ascii_case(&'z')) else {
        return (zone.len() <= 1).then_some(SignedDuration::ZERO);
    };
    let digits = &zone[1..];
    let (hour, minute) = match digits.split_once(':') {
        Some(parts) => parts,
        None => digits.split_at_checked(2)?,
    };
    let offset = time(hour, if minute.is_empty() { "00" } else { minute }, "00", 0)?;
    let offset = offset.duration_since(Time::midnight());
    Some(if sign == '-' { -offset } else { offset })
}

fn time(hour: &str, minute: &str, second: &str, nanos: i32) -> Option<Time> {
    let field = |digits| i8::try_from(number(digits, 2)?).ok();
    Time::new(field(hour)?, field(minute)?, field(second)?, nanos).ok()
}

fn number(digits: &str, length: usize) -> Option<i16> {
    let is_valid = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_valid.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_read_in_every_spelling() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01", 0),
            ("1970-01-02 00:00", 86_400),
            ("1969-12-31T23:59:59Z", -1),
            ("2022-05-31 00:00:00", 1_653_955_200),
            ("2022-05-31T08:00:00+08:00", 1_653_955_200),
            ("2022-05-30T19:30:00-0430", 1_653_955_200),
            ("2022-05-31T08:00:00+08", 1_653_955_200),
            ("2000-02-29T00:00:00z", 951_782_400),
            ("0000-01-01", -62_167_219_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(parse(text), Some(Timestamp::from_seconds(seconds)), "{text}");
        }
        assert_eq!(parse("1970-01-01T00:00:00.1239Z"), Some(Timestamp::from_millis(123)));
        assert_eq!(parse("1970-01-01T00:00:00.5"), Some(Timestamp::from_millis(500)));
    }

    #[test]
    fn what_is_not_a_moment_is_not_read() {
        for text in [
            "",
            "now",
            "2022-13-01",
            "2022-00-10",
            "2022-01-00",
            "2021-02-29",
            "1900-02-29",
            "2022-1-01",
            "2022-01-01-01",
            "22-01-01",
            "+022-01-01",
            "2022-01-01T",
            "2022-01-01T00",
            "2022-01-01T24:00:00",
            "2022-01-01T00:60:00",
            "2022-01-01T00:00:60",
            "2022-01-01T00:00:00.",
            "2022-01-01T00:00:00.x",
            "2022-01-01T00:00:00:00",
            "2022-01-01T00:00:00ZZ",
            "2022-01-01T00:00:00+8",
            "2022-01-01T00:00:00+25:00",
            "2022-01-01T00:00:00+é0:00",
            "2022-01-01T00:00:00 Z",
            "１２３４-01-01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_moment_is_read_as_it_was_written(seconds in -62_167_219_200_i64..=253_402_300_799) {
            let moment = Timestamp::from_seconds(seconds);
            prop_assert_eq!(parse(&format(moment)), Some(moment));
        }

        #[test]
        fn no_text_makes_reading_panic(text in "\\PC*", near in "[0-9TZ:+. -]{0,30}") {
            parse(&text);
            parse(&near);
        }
    }
}
