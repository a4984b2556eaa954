//! From when until when a certificate is valid: the one thing in it that TLS servers do not check
//! themselves and operators forget.

use std::time::Duration;

use x509_parser::{certificate::X509Certificate, prelude::FromDer};

/// How long before the end it is time to think of the next certificate.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// A span of time in seconds since 1970, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: i64,
    /// The last one.
    pub not_after: i64,
}

/// Where in its time a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidityState {
    /// Its time has not begun.
    NotYetValid,
    /// It can be used.
    Valid,
    /// It can be used for less than two weeks.
    ExpiringSoon,
    /// Its time is over.
    Expired,
}

impl Validity {
    /// That of a certificate in DER; `None` when it is not one.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let validity = certificate.validity();
        let (not_before, not_after) = (validity.not_before, validity.not_after);
        Some(Self { not_before: not_before.timestamp(), not_after: not_after.timestamp() })
    }

    /// Where `now`, in milliseconds since 1970, is in it.
    pub fn at(self, now: i64) -> ValidityState {
        let millis = |seconds: i64| seconds.saturating_mul(1000);
        let soon = millis(self.not_after.saturating_sub(SOON.as_secs() as i64));
        if now < millis(self.not_before) {
            ValidityState::NotYetValid
        } else if now > millis(self.not_after) {
            ValidityState::Expired
        } else if now > soon {
            ValidityState::ExpiringSoon
        } else {
            ValidityState::Valid
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
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
            let text = |seconds| Timestamp::from_second(seconds).unwrap().to_string();
            assert_eq!(text(validity.not_before), "2020-01-01T00:00:00Z");
            assert_eq!(text(validity.not_after), format!("{year}-{month:02}-{day:02}T00:00:00Z"));
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
    fn two_weeks_before_its_end_a_certificate_expires_soon() {
        let day = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let validity = Validity {
            not_before: day("2026-01-01T00:00:00Z") / 1000,
            not_after: day("2026-12-31T00:00:00Z") / 1000,
        };
        let at = |text: &str| validity.at(day(text));
        assert_eq!(at("2025-12-31T23:59:59Z"), ValidityState::NotYetValid);
        assert_eq!(at("2026-01-01T00:00:00Z"), ValidityState::Valid);
        assert_eq!(at("2026-12-17T00:00:00Z"), ValidityState::Valid);
        assert_eq!(at("2026-12-17T00:00:01Z"), ValidityState::ExpiringSoon);
        assert_eq!(at("2026-12-31T00:00:00Z"), ValidityState::ExpiringSoon);
        assert_eq!(at("2026-12-31T00:00:01Z"), ValidityState::Expired);
    }
}
