//! Which bytes of which representation a reply carries, and whether it says so soundly. Pure.

use http::{HeaderMap, StatusCode, header};
use stoker_domain::{
    http::{ContentRange, framed_length, parse_content_range},
    outcome::OriginFault,
};

use crate::origin::Fault;

/// What a reply carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Offset of its first byte.
    pub(super) start: u64,
    /// Offset after its last byte, when it is known.
    pub(super) end: Option<u64>,
    /// Size of the representation, when it is known.
    pub(super) total: Option<u64>,
    /// It came as 206.
    pub(super) is_partial: bool,
}

impl Extent {
    /// What a reply to a request for `asked` (first and last byte) carries.
    pub(super) fn of(
        status: StatusCode,
        fields: &HeaderMap,
        asked: Option<(u64, u64)>,
    ) -> Result<Self, Fault> {
        // what is framed badly is refused where replies come in
        let length = framed_length(fields).ok().flatten();
        let range = fields.get(header::CONTENT_RANGE).and_then(parse_content_range);
        if status != StatusCode::PARTIAL_CONTENT {
            let has_none = has_no_content(status);
            let end = if has_none { Some(0) } else { length };
            if let Some(range) = range.filter(|range| is_part(range, status, length)) {
                let detail = format!("{status} with Content-Range `{range}`, which is not all");
                return Err(Fault::origin(OriginFault::Length, detail));
            }
            return Ok(Self { start: 0, end, total: end, is_partial: false });
        }
        let protocol = |detail: &str| Fault::origin(OriginFault::Protocol, detail);
        let (first, last) = asked.ok_or_else(|| protocol("206 to a request without a range"))?;
        let range = range.ok_or_else(|| protocol("206 without a usable Content-Range"))?;
        if range.start != first || range.end_inclusive > last {
            let detail = format!("206 with {range} to a request for bytes {first}-{last}");
            return Err(protocol(&detail));
        }
        if let Some(length) = length.filter(|length| *length != range.length()) {
            let detail = format!("206 with {range} and a Content-Length of {length}");
            return Err(Fault::origin(OriginFault::Length, detail));
        }
        Ok(Self {
            start: range.start,
            end: Some(range.end_inclusive + 1),
            total: range.total,
            is_partial: true,
        })
    }

    /// Whether it carries the whole representation.
    pub(super) fn is_whole(&self) -> bool {
        self.start == 0 && (!self.is_partial || (self.total.is_some() && self.end == self.total))
    }
}

/// Whether whatever follows the head is no content (RFC 9110 sections 15.3.5, 15.3.6, 15.4.5).
fn has_no_content(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Whether a reply that should be the whole says that it is a part. RFC 9110 section 14.4 gives
/// `Content-Range` no meaning there; but who writes it means it, and half is not the whole.
fn is_part(range: &ContentRange, status: StatusCode, length: Option<u64>) -> bool {
    let is_all = range.start == 0 && range.total == Some(range.length());
    let has_length = length.is_none_or(|length| length == range.length());
    status.is_success() && !(is_all && has_length)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use stoker_domain::outcome::Outcome;

    use super::*;

    fn of(
        status: u16,
        range: &'static str,
        length: &'static str,
        asked: Option<(u64, u64)>,
    ) -> Result<Extent, Outcome> {
        let mut fields = HeaderMap::new();
        for (name, value) in [(header::CONTENT_RANGE, range), (header::CONTENT_LENGTH, length)] {
            if !value.is_empty() {
                fields.insert(name, HeaderValue::from_static(value));
            }
        }
        Extent::of(StatusCode::from_u16(status).unwrap(), &fields, asked)
            .map_err(|fault| fault.outcome())
    }

    #[test]
    fn a_sound_reply_says_what_it_carries() {
        let partial = of(206, "bytes 0-9/20", "10", Some((0, 99))).unwrap();
        assert_eq!((partial.end, partial.total, partial.is_whole()), (Some(10), Some(20), false));
        assert!(of(206, "bytes 0-9/10", "", Some((0, 99))).unwrap().is_whole());
        assert!(!of(206, "bytes 0-9/*", "", Some((0, 99))).unwrap().is_whole());
        let whole = of(200, "", "7", Some((5, 99))).unwrap();
        assert_eq!((whole.start, whole.total, whole.is_whole()), (0, Some(7), true));
        assert_eq!(of(200, "", "", None).unwrap().total, None);
        let said = of(200, "bytes 0-6/7", "7", Some((0, 99))).unwrap();
        assert_eq!((said.total, said.is_partial), (Some(7), false));
        assert!(of(404, "bytes 0-6/70", "7", None).is_ok());
    }

    #[test]
    fn an_unsound_one_is_refused() {
        let protocol = Err(Outcome::OriginError(OriginFault::Protocol));
        assert_eq!(of(206, "bytes 0-9/20", "10", None), protocol);
        assert_eq!(of(206, "", "10", Some((0, 9))), protocol);
        assert_eq!(of(206, "bytes 1-9/20", "9", Some((0, 9))), protocol);
        assert_eq!(of(206, "bytes 0-10/20", "11", Some((0, 9))), protocol);
        let length = Err(Outcome::OriginError(OriginFault::Length));
        for (status, range, stated) in [
            (206, "bytes 0-9/20", "11"),
            (200, "bytes 0-9/20", "10"),
            (200, "bytes 10-19/20", "10"),
            (200, "bytes 0-9/*", "10"),
            (200, "bytes 0-9/10", "20"),
            (203, "bytes 0-9/20", ""),
        ] {
            assert_eq!(of(status, range, stated, Some((0, 9))), length, "{status} {range}");
        }
    }
}
