//! Fields as such: which of them end at the next hop (RFC 9110 section 7.6.1), and dates.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::time::Timestamp;

/// The field of RFC 8586, see [`super::LoopGuard`].
pub const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// Hop-by-hop by definition, whether or not `Connection` names them.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Fields that `Connection` cannot remove: framing and routing stand above a hostile nomination.
const NEVER_NOMINATED: [HeaderName; 7] = [
    CDN_LOOP,
    header::VIA,
    header::HOST,
    header::CACHE_CONTROL,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::AUTHORIZATION,
];

/// Removes the fields that end at this hop: the known ones and those that `Connection` names.
pub fn strip_hop_by_hop(fields: &mut HeaderMap) {
    if fields.contains_key(header::CONNECTION) {
        let nominated: Vec<HeaderName> = members(fields, &header::CONNECTION)
            .filter_map(|name| HeaderName::from_bytes(name).ok())
            .filter(|name| !NEVER_NOMINATED.contains(name))
            .collect();
        for name in nominated {
            fields.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        fields.remove(name);
    }
}

/// The members of a comma-separated field without quoted strings, over all its lines; trimmed,
/// empty ones left out. Bytes outside ASCII may stand in them and spoil no other member.
pub(super) fn members<'a>(
    fields: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    fields
        .get_all(name)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// All lines of a field as one value (RFC 9110 section 5.3); empty when the field is absent.
pub(super) fn combined(fields: &HeaderMap, name: &HeaderName) -> HeaderValue {
    let mut lines = fields.get_all(name).into_iter();
    let Some(first) = lines.next() else { return HeaderValue::from_static("") };
    let mut bytes = first.as_bytes().to_vec();
    for line in lines {
        bytes.extend_from_slice(b", ");
        bytes.extend_from_slice(line.as_bytes());
    }
    HeaderValue::from_bytes(&bytes).unwrap_or_else(|_| first.clone())
}

/// The moment that a date field names; `None` when it is not an HTTP-date (RFC 9110 5.6.7).
pub fn parse_http_date(value: &HeaderValue) -> Option<Timestamp> {
    let moment = httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()?;
    Some(match moment.duration_since(UNIX_EPOCH) {
        Ok(after) => Timestamp::from_seconds(i64::try_from(after.as_secs()).ok()?),
        Err(before) => Timestamp::from_seconds(-i64::try_from(before.duration().as_secs()).ok()?),
    })
}

/// `moment` as an IMF-fixdate. Moments before the epoch are written as the epoch.
pub fn http_date(moment: Timestamp) -> HeaderValue {
    let seconds = u64::try_from(moment.as_seconds()).unwrap_or(0).min(LAST_DATE);
    let moment: SystemTime = UNIX_EPOCH + Duration::from_secs(seconds);
    HeaderValue::try_from(httpdate::fmt_http_date(moment)).expect("an IMF-fixdate is visible ASCII")
}

/// The last second that an HTTP-date can write: the year has four digits.
const LAST_DATE: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_is_removed_and_so_are_the_known_ones() {
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Mine"),
            ("connection", "host"),
            ("x-mine", "1"),
            ("x-other", "2"),
            ("host", "a.example"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
        ] {
            fields.append(name, HeaderValue::from_static(value));
        }
        strip_hop_by_hop(&mut fields);
        let mut left: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["host", "x-other"]);
    }

    #[test]
    fn bytes_outside_ascii_spoil_no_member_but_their_own() {
        let mut fields = HeaderMap::new();
        for line in [&b"X-Mine, caf\xe9"[..], b"\xc3\xa9 , X-Other"] {
            fields.append(header::CONNECTION, HeaderValue::from_bytes(line).unwrap());
        }
        for name in ["x-mine", "x-other", "x-end"] {
            fields.append(name, HeaderValue::from_static("1"));
        }
        let found: Vec<_> = members(&fields, &header::CONNECTION).collect();
        assert_eq!(found, [&b"X-Mine"[..], b"caf\xe9", b"\xc3\xa9", b"X-Other"]);
        strip_hop_by_hop(&mut fields);
        assert_eq!(fields.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-end"]);
    }

    #[test]
    fn dates_are_read_in_all_three_formats_and_written_in_one() {
        let moment = Timestamp::from_seconds(784_111_777);
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_http_date(&HeaderValue::from_static(text)), Some(moment), "{text}");
        }
        assert_eq!(http_date(moment), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(parse_http_date(&HeaderValue::from_static("0")), None);
        assert_eq!(http_date(Timestamp::from_millis(i64::MIN)), "Thu, 01 Jan 1970 00:00:00 GMT");
        http_date(Timestamp::from_millis(i64::MAX));
    }

    #[test]
    fn lines_of_one_field_are_one_value() {
        let mut fields = HeaderMap::new();
        let name = header::ACCEPT_LANGUAGE;
        assert_eq!(combined(&fields, &name), "");
        fields.append(&name, HeaderValue::from_static("de"));
        fields.append(&name, HeaderValue::from_static("en"));
        assert_eq!(combined(&fields, &name), "de, en");
    }
}
