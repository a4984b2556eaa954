//! What a reply's framing says of the length of its content (RFC 9112 section 6.3).
//!
//! Only the length that the framing keeps is believed: beside a transfer coding, `Content-Length`
//! means nothing. What is framed in a way that is not understood is refused, for what would be kept
//! of it is not the content.

use http::{HeaderMap, header};

use super::fields::combined;

/// Why the content of a reply cannot be told from its framing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFraming {
    /// A transfer coding other than `chunked` alone; nobody asked for one.
    #[error("Transfer-Encoding `{0}`, of which only `chunked` is understood")]
    Coding(String),
    /// Lengths that are none, or that contradict each other.
    #[error("Content-Length `{0}`, which is not one length")]
    Length(String),
}

/// The length that the framing of a reply with `fields` gives its content; `None` where only its
/// end will tell. For replies that may have content: not for 204 and 304.
///
/// # Errors
/// The framing is not understood.
pub fn framed_length(fields: &HeaderMap) -> Result<Option<u64>, BadFraming> {
    if fields.contains_key(header::TRANSFER_ENCODING) {
        let codings = combined(fields, &header::TRANSFER_ENCODING);
        return match codings.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
            true => Ok(None),
            false => Err(BadFraming::Coding(shown(codings.as_bytes()))),
        };
    }
    if !fields.contains_key(header::CONTENT_LENGTH) {
        return Ok(None);
    }
    // RFC 9110 section 8.6: the same length several times is that length
    let lines = combined(fields, &header::CONTENT_LENGTH);
    let mut lengths = lines.as_bytes().split(|byte| *byte == b',').map(digits);
    let first = lengths.next().flatten();
    match first.filter(|first| lengths.all(|other| other == Some(*first))) {
        Some(length) => Ok(Some(length)),
        None => Err(BadFraming::Length(shown(lines.as_bytes()))),
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    // a `u64` would also read a sign
    if is_number { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[(&'static str, &str)]) -> Result<Option<u64>, ()> {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, HeaderValue::from_str(value).unwrap());
        }
        framed_length(&fields).map_err(|_| ())
    }

    #[test]
    fn a_fault_shows_what_was_sent() {
        let mut fields = HeaderMap::new();
        fields.append(LENGTH, HeaderValue::from_static("1, 2"));
        let fault = framed_length(&fields).unwrap_err();
        assert!(fault.to_string().contains("1, 2"), "{fault}");
    }

    const LENGTH: &str = "content-length";
    const CODING: &str = "transfer-encoding";

    #[test]
    fn the_framing_gives_the_length_and_nothing_else_does() {
        for (lines, length) in [
            (&[][..], Ok(None)),
            (&[(LENGTH, "100")], Ok(Some(100))),
            (&[(LENGTH, "0")], Ok(Some(0))),
            (&[(LENGTH, "007")], Ok(Some(7))),
            // RFC 9112 section 6.3: Transfer-Encoding overrides Content-Length
            (&[(CODING, "chunked"), (LENGTH, "100")], Ok(None)),
            (&[(LENGTH, "x"), (CODING, " Chunked ")], Ok(None)),
            // RFC 9110 section 8.6: equal lengths are one
            (&[(LENGTH, "100"), (LENGTH, "100")], Ok(Some(100))),
            (&[(LENGTH, "100, 100")], Ok(Some(100))),
            (&[(LENGTH, "100"), (LENGTH, "101")], Err(())),
            (&[(LENGTH, "100, 101")], Err(())),
            (&[(LENGTH, "+100")], Err(())),
            (&[(LENGTH, "-1")], Err(())),
            (&[(LENGTH, "1e3")], Err(())),
            (&[(LENGTH, "")], Err(())),
            (&[(LENGTH, "100,")], Err(())),
            (&[(LENGTH, "99999999999999999999")], Err(())),
            (&[(CODING, "gzip, chunked")], Err(())),
            (&[(CODING, "gzip"), (CODING, "chunked")], Err(())),
            (&[(CODING, "chunked, chunked")], Err(())),
            (&[(CODING, "chunked;q=1")], Err(())),
            (&[(CODING, "gzip"), (LENGTH, "100")], Err(())),
            (&[(CODING, "identity"), (LENGTH, "100")], Err(())),
            (&[(CODING, ""), (LENGTH, "100")], Err(())),
        ] {
            assert_eq!(of(lines), length, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn a_coding_never_leaves_a_length_to_be_believed(
            coding in "[ -~]{0,20}",
            length in any::<u64>(),
        ) {
            let found = of(&[(CODING, &coding), (LENGTH, &length.to_string())]);
            prop_assert!(matches!(found, Ok(None) | Err(())));
        }

        #[test]
        fn lengths_are_one_length_or_none(lengths in prop::collection::vec(0u64..4, 1..4)) {
            let texts: Vec<_> = lengths.iter().map(u64::to_string).collect();
            let lines: Vec<_> = texts.iter().map(|text| (LENGTH, text.as_str())).collect();
            let are_equal = lengths.iter().all(|length| *length == lengths[0]);
            prop_assert_eq!(of(&lines), if are_equal { Ok(Some(lengths[0])) } else { Err(()) });
            prop_assert_eq!(of(&[(LENGTH, &texts.join(","))]), of(&lines));
        }
    }
}
