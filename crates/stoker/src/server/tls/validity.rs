//! From when until when a certificate is good: the one thing in it that TLS servers do not look at
//! themselves and operators forget.
//!
//! Reads just as much of DER as leads there (RFC 5280 section 4.1); judges nothing else.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
    tz::Offset,
};
use stoker_domain::time::Timestamp as Instant;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// How long before the end it is time to think of the next certificate.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

/// Where in its time a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Not good yet.
    Early,
    Good,
    /// Good for less than two weeks more.
    Late,
    /// Good no more.
    Over,
}

impl Validity {
    /// That of a certificate in DER; nothing when it is not one.
    pub(crate) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(certificate, SEQUENCE)?;
        let (mut fields, _) = expect(certificate, SEQUENCE)?;
        if fields.first() == Some(&VERSION) {
            (_, _, fields) = element(fields)?;
        }
        // serial number, signature algorithm, issuer
        for _ in 0..3 {
            (_, _, fields) = element(fields)?;
        }
        let (times, _) = expect(fields, SEQUENCE)?;
        let (from, times) = moment(times)?;
        let (until, _) = moment(times)?;
        Some(Self { from, until })
    }

    pub(crate) fn at(self, now: Instant) -> Stage {
        // out of range is out of any certificate's time
        let now = Timestamp::from_millisecond(now.as_millis()).unwrap_or(Timestamp::MAX);
        if now < self.from {
            Stage::Early
        } else if now > self.until {
            Stage::Over
        } else if self.until.duration_since(now) < SOON {
            Stage::Late
        } else {
            Stage::Good
        }
    }
}

/// The first element: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        // no certificate is longer than four bytes can say
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The content of the first element, which must have this tag, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

fn moment(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, text) = match tag {
        UTC_TIME => {
            let (year, text) = text.split_at_checked(2)?;
            let year = year.parse::<i16>().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text)
        }
        GENERALIZED_TIME => {
            let (year, text) = text.split_at_checked(4)?;
            (year.parse().ok()?, text)
        }
        _ => return None,
    };
    if text.len() != 10 {
        return None;
    }
    let pair = |at: usize| text[at..at + 2].parse::<i8>().unwrap_or(-1);
    let day = Date::new(year, pair(0), pair(2)).ok()?;
    let time = Time::new(pair(4), pair(6), pair(8), 0).ok()?;
    Some((Offset::UTC.to_timestamp(day.to_datetime(time)).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use stoker_testkit::Authority;

    use super::*;

    #[test]
    fn the_time_of_a_certificate_is_read_in_both_forms() {
        let authority = Authority::new();
        for until in [(2021, 2, 28), (2049, 12, 31), (2050, 1, 1), (2999, 7, 4)] {
            let pem = authority.issue_until(&["localhost"], until).certificate;
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            let validity = Validity::of(&der).unwrap();
            let (year, month, day) = until;
            assert_eq!(validity.from.to_string(), "2020-01-01T00:00:00Z");
            assert_eq!(validity.until.to_string(), format!("{year}-{month:02}-{day:02}T00:00:00Z"));
            // cut anywhere, it is read as nothing or the same, and nothing breaks
            for length in 0..der.len() {
                let found = Validity::of(&der[..length]);
                assert!(found.is_none(), "{length}");
            }
            for place in 0..der.len() {
                let mut changed = der.to_vec();
                changed[place] ^= 0x55;
                let _ = Validity::of(&changed);
            }
        }
    }

    #[test]
    fn two_weeks_before_its_end_a_certificate_is_late() {
        let day = |text: &str| text.parse::<Timestamp>().unwrap();
        let validity =
            Validity { from: day("2026-01-01T00:00:00Z"), until: day("2026-12-31T00:00:00Z") };
        let at = |text: &str| validity.at(Instant::from_millis(day(text).as_millisecond()));
        assert_eq!(at("2025-12-31T23:59:59Z"), Stage::Early);
        assert_eq!(at("2026-01-01T00:00:00Z"), Stage::Good);
        assert_eq!(at("2026-12-17T00:00:00Z"), Stage::Good);
        assert_eq!(at("2026-12-17T00:00:01Z"), Stage::Late);
        assert_eq!(at("2026-12-31T00:00:00Z"), Stage::Late);
        assert_eq!(at("2026-12-31T00:00:01Z"), Stage::Over);
    }
}
