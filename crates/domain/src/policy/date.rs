//! Moments in conditions: ISO 8601 in, and out for the context of a call.
//!
//! Taken: a date, or a date and a time parted by `T` or a blank (the vendor's examples have one),
//! with optional seconds and fraction, and `Z`, an offset or nothing (UTC) behind. Leap seconds,
//! week dates and ordinal dates are not.

use crate::time::Timestamp;

const DAY_SECONDS: i64 = 86_400;

/// Reads a moment.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let days = parse_date(date)?;
    let millis = time.map_or(Some(0), parse_time)?;
    Some(Timestamp::from_millis(days * DAY_SECONDS * 1000 + millis))
}

/// Writes a moment in UTC, to the second.
pub(super) fn format(moment: Timestamp) -> String {
    let seconds = moment.as_seconds();
    let (year, month, day) = civil(seconds.div_euclid(DAY_SECONDS));
    let second = seconds.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days since 1970-01-01.
fn parse_date(text: &str) -> Option<i64> {
    let mut fields = text.split('-');
    let year = number(fields.next()?, 4)?;
    let month = number(fields.next()?, 2)?;
    let day = number(fields.next()?, 2)?;
    let days = days(year, month, day);
    // A day that the month does not have comes back as another one.
    (fields.next().is_none() && (1..=12).contains(&month) && civil(days) == (year, month, day))
        .then_some(days)
}

/// Milliseconds since midnight UTC.
fn parse_time(text: &str) -> Option<i64> {
    let zone = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone);
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, digits)) => (clock, parse_fraction(digits)?),
        None => (clock, 0),
    };
    let mut fields = clock.split(':');
    let minutes = minutes(fields.next()?, fields.next()?)?;
    let second = fields.next().map_or(Some(0), |second| number(second, 2))?;
    let is_valid = fields.next().is_none() && second < 60;
    let offset = parse_offset(zone)?;
    is_valid.then_some(((minutes - offset) * 60 + second) * 1000 + fraction)
}

fn parse_fraction(digits: &str) -> Option<i64> {
    let is_valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let millis = digits.bytes().chain(*b"00").take(3);
    is_valid.then(|| millis.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

/// Minutes east of UTC.
fn parse_offset(zone: &str) -> Option<i64> {
    let Some(sign) = zone.chars().next().filter(|sign| !sign.eq_ignore_ascii_case(&'z')) else {
        return (zone.len() <= 1).then_some(0);
    };
    let digits = &zone[1..];
    let (hour, minute) = match digits.split_once(':') {
        Some(parts) => parts,
        None => digits.split_at_checked(2)?,
    };
    let minutes = minutes(hour, if minute.is_empty() { "00" } else { minute })?;
    Some(if sign == '-' { -minutes } else { minutes })
}

fn minutes(hour: &str, minute: &str) -> Option<i64> {
    let (hour, minute) = (number(hour, 2)?, number(minute, 2)?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

fn number(digits: &str, length: usize) -> Option<i64> {
    let is_valid = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_valid.then(|| digits.parse().ok())?
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years begin in March here, so that the
/// leap day is the last of its year and months before it have fixed lengths.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leap_days + (month_from_march * 153 + 2) / 5 + day - 1 - 719_468
}

/// The date `days` days after 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // A guess that is never too late, put right by counting: one year in five hundred.
    let mut year = 1970 + days.div_euclid(366).min(days.div_euclid(365));
    while self::days(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && self::days(year, month + 1, 1) <= days {
        month += 1;
    }
    (year, month, days - self::days(year, month, 1) + 1)
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
