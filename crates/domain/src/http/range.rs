//! Single byte ranges, asked for and answered (RFC 9110 section 14).
//!
//! Several ranges in one request are ignored, which section 14.2 allows: the answer is whole. The
//! readers are our own: the crates `headers` and `http-range-header` read several ranges, and leave
//! open what counts here, such as suffixes of empty content and numbers at the end of their range.

use std::fmt;

use http::HeaderValue;

/// A range as it was asked for, before the size is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=START-END` or `bytes=START-`.
    From {
        /// First byte.
        start: u64,
        /// Last byte, when one was named; never before `start`.
        end_inclusive: Option<u64>,
    },
    /// `bytes=-LENGTH`.
    Suffix(u64),
}

impl ByteRange {
    /// What the range means for a representation of `size` bytes.
    pub fn resolve(self, size: u64) -> RangeRequest {
        match self {
            Self::From { start, .. } if start >= size => RangeRequest::Unsatisfiable,
            Self::From { start, end_inclusive } => {
                let last = size - 1;
                let end_inclusive = end_inclusive.map_or(last, |end| end.min(last));
                RangeRequest::Satisfiable { start, end_inclusive }
            }
            Self::Suffix(0) => RangeRequest::Unsatisfiable,
            // there is no way to say "the last bytes of nothing" in Content-Range
            Self::Suffix(_) if size == 0 => RangeRequest::None,
            Self::Suffix(length) => RangeRequest::Satisfiable {
                start: size.saturating_sub(length),
                end_inclusive: size - 1,
            },
        }
    }
}

/// What a `Range` field means for a representation of known size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeRequest {
    /// Nothing that is understood: answer whole.
    None,
    /// Answer 206 with these bytes.
    Satisfiable {
        /// First byte.
        start: u64,
        /// Last byte.
        end_inclusive: u64,
    },
    /// Answer 416.
    Unsatisfiable,
}

/// Reads a `Range` field; `None` when it is to be ignored.
pub fn parse_byte_range(field: &HeaderValue) -> Option<ByteRange> {
    let (unit, set) = field.to_str().ok()?.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    match (first, last) {
        ("", length) => number(length).map(ByteRange::Suffix),
        (start, "") => Some(ByteRange::From { start: number(start)?, end_inclusive: None }),
        (start, end) => {
            let (start, end) = (number(start)?, number(end)?);
            (start <= end).then_some(ByteRange::From { start, end_inclusive: Some(end) })
        }
    }
}

/// What `field` asks of a representation of `size` bytes.
pub fn parse_range(field: &HeaderValue, size: u64) -> RangeRequest {
    parse_byte_range(field).map_or(RangeRequest::None, |range| range.resolve(size))
}

/// Which bytes a 206 carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// First byte.
    pub start: u64,
    /// Last byte; never before `start`, never the last number there is.
    pub end_inclusive: u64,
    /// Size of the whole representation, when it is known; always above `end_inclusive`.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Bytes that the range covers.
    pub const fn length(&self) -> u64 {
        self.end_inclusive - self.start + 1
    }

    /// The value of a `Content-Range` field.
    pub fn to_value(&self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("digits and words are visible ASCII")
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}-{}/", self.start, self.end_inclusive)?;
        match self.total {
            Some(total) => total.fmt(f),
            None => f.write_str("*"),
        }
    }
}

/// Reads the `Content-Range` of a 206; `None` when it is malformed or contradicts itself.
pub fn parse_content_range(field: &HeaderValue) -> Option<ContentRange> {
    let (range, total) = bytes_unit(field)?;
    let (start, end) = range.split_once('-')?;
    let (start, end_inclusive) = (number(start)?, number(end)?);
    let total = match total {
        "*" => None,
        digits => Some(number(digits)?),
    };
    // the length of a range up to the last number there is would be a number more
    let is_sound = start <= end_inclusive
        && end_inclusive < u64::MAX
        && total.is_none_or(|total| end_inclusive < total);
    is_sound.then_some(ContentRange { start, end_inclusive, total })
}

/// Reads the `Content-Range` of a 416, `bytes */SIZE`.
pub fn parse_unsatisfied_range(field: &HeaderValue) -> Option<u64> {
    match bytes_unit(field)? {
        ("*", total) => number(total),
        _ => None,
    }
}

/// The `Content-Range` of a 416 for a representation of `size` bytes.
pub fn unsatisfied_range(size: u64) -> HeaderValue {
    HeaderValue::try_from(format!("bytes */{size}")).expect("digits and words are visible ASCII")
}

fn bytes_unit(field: &HeaderValue) -> Option<(&str, &str)> {
    let (unit, rest) = field.to_str().ok()?.trim().split_once(' ')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (range, total) = rest.split_once('/')?;
    Some((range.trim(), total.trim()))
}

/// A run of digits. `u64::from_str` alone would take a sign.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(text: &str, size: u64) -> RangeRequest {
        parse_range(&HeaderValue::from_str(text).unwrap(), size)
    }

    const fn bytes(start: u64, end_inclusive: u64) -> RangeRequest {
        RangeRequest::Satisfiable { start, end_inclusive }
    }

    /// RFC 9110 section 14.1.2, with its examples for a representation of 10,000 bytes.
    #[test]
    fn single_ranges_are_understood() {
        for (text, expected) in [
            ("bytes=0-499", bytes(0, 499)),
            ("bytes=500-999", bytes(500, 999)),
            ("bytes=-500", bytes(9500, 9999)),
            ("bytes=9500-", bytes(9500, 9999)),
            ("BYTES=9990-20000", bytes(9990, 9999)),
            ("bytes=-20000", bytes(0, 9999)),
            ("bytes=10000-", RangeRequest::Unsatisfiable),
            ("bytes=-0", RangeRequest::Unsatisfiable),
        ] {
            assert_eq!(asked(text, 10_000), expected, "{text}");
        }
        assert_eq!(asked("bytes=0-", 0), RangeRequest::Unsatisfiable);
        assert_eq!(asked("bytes=-5", 0), RangeRequest::None);
    }

    /// Section 14.2: "A server MAY ignore the Range header field"; an invalid one MUST be ignored.
    #[test]
    fn several_ranges_and_invalid_ones_are_ignored() {
        for text in [
            "bytes=0-0,-1",
            "bytes=5-4",
            "bytes=-",
            "bytes=",
            "bytes",
            "items=0-4",
            "bytes=+1-2",
            "bytes=1-2x",
            "bytes=0x1-2",
            "bytes=99999999999999999999-",
            "bytes=--5",
        ] {
            assert_eq!(asked(text, 10_000), RangeRequest::None, "{text}");
        }
    }

    #[test]
    fn both_ends_belong_to_a_range() {
        for (start, end_inclusive, length) in [(0, 0, 1), (0, 9, 10), (7, 9, 3), (9, 9, 1)] {
            let range = ContentRange { start, end_inclusive, total: None };
            assert_eq!(range.length(), length);
        }
    }

    #[test]
    fn a_content_range_that_contradicts_itself_is_refused() {
        let parse = |text: &str| parse_content_range(&HeaderValue::from_str(text).unwrap());
        let known = ContentRange { start: 0, end_inclusive: 4, total: Some(5) };
        assert_eq!(parse("bytes 0-4/5"), Some(known));
        assert_eq!(parse("bytes 0-4/*"), Some(ContentRange { total: None, ..known }));
        for text in [
            "bytes 0-5/5",
            "bytes 3-2/5",
            "bytes */5",
            "bytes 0-4",
            "items 0-4/5",
            "bytes 0-/5",
            "bytes -4/5",
            "0-4/5",
            "bytes 0-4/x",
            // found by fuzzing: its length does not fit a number
            "bytes 0-18446744073709551615/*",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse_unsatisfied_range(&unsatisfied_range(7)), Some(7));
        assert_eq!(parse_unsatisfied_range(&known.to_value()), None);
    }

    proptest! {
        #[test]
        fn what_is_satisfiable_lies_within_the_representation(
            start in proptest::option::of(0u64..50), end in proptest::option::of(0u64..50),
            size in 0u64..40,
        ) {
            let text = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
            let line = format!("bytes={}-{}", text(start), text(end));
            if let RangeRequest::Satisfiable { start, end_inclusive } = asked(&line, size) {
                prop_assert!(start <= end_inclusive && end_inclusive < size);
                let told = ContentRange { start, end_inclusive, total: Some(size) };
                prop_assert_eq!(parse_content_range(&told.to_value()), Some(told));
            }
        }

        #[test]
        fn no_text_breaks_the_readers(text in "(bytes)?[ -~]{0,20}") {
            let value = HeaderValue::from_str(&text).unwrap();
            parse_range(&value, 10);
            parse_content_range(&value);
            parse_unsatisfied_range(&value);
        }
    }
}
