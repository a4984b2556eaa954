//! The parameters of a call with signature v1: pairs of a query, a form or multipart, decoded.
//!
//! Knows no types and no names but that each must be UTF-8 and given once.

use std::collections::HashSet;

use http::{HeaderMap, header};
use percent_encoding::percent_decode;

use crate::multipart::{self, Malformed};

/// The parameter that carries the signature.
pub(crate) const SIGNATURE: &str = "Signature";

/// Most parameters of one call. Each takes many times what it took on the way, and this is before its
/// caller is verified.
const MOST_PAIRS: usize = 10_000;

/// One parameter, decoded.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Its name, as received.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: String,
}

// values may be signatures and tokens
impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why parameters cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Not UTF-8, or given twice; `_` and `.` are the same in a name.
    #[error("parameter `{0}` type error")]
    Type(String),
    /// The content is not well-formed multipart.
    #[error("the request body is not valid multipart/form-data: {0}")]
    Multipart(Malformed),
    /// More than can be read.
    #[error("the request has more than {MOST_PAIRS} parameters")]
    TooMany,
}

/// The value of the parameter `name`.
pub(crate) fn value<'a>(pairs: &'a [Pair], name: &str) -> Option<&'a str> {
    pairs.iter().find(|pair| pair.name == name).map(|pair| pair.value.as_str())
}

/// What stands undecoded after the first `name=` of a query or form.
pub(crate) fn undecoded<'a>(text: &'a [u8], name: &str) -> Option<&'a str> {
    let mut parts = text.split(|byte| *byte == b'&');
    let value = |part: &'a [u8]| part.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
    parts.find_map(value).and_then(|value| str::from_utf8(value).ok())
}

/// The pairs of a query or a form.
pub(crate) fn from_form(text: &[u8]) -> Result<Vec<Pair>, Error> {
    let mut pairs = Vec::new();
    for part in text.split(|byte| *byte == b'&').filter(|part| !part.is_empty()) {
        if pairs.len() == MOST_PAIRS {
            return Err(Error::TooMany);
        }
        let (name, value) = match part.iter().position(|byte| *byte == b'=') {
            Some(equals) => (&part[..equals], &part[equals + 1..]),
            None => (part, &b""[..]),
        };
        let name = decode(name)
            .ok_or_else(|| Error::Type(String::from_utf8_lossy(name).chars().take(64).collect()))?;
        let value = decode(value).ok_or_else(|| Error::Type(name.clone()))?;
        pairs.push(Pair { name, value });
    }
    unique(pairs)
}

/// The pairs of the content of a POST, by its Content-Type; a form unless it is multipart.
pub(crate) fn from_content(fields: &HeaderMap, content: &[u8]) -> Result<Vec<Pair>, Error> {
    let content_type =
        fields.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !multipart::essence(content_type).eq_ignore_ascii_case("multipart/form-data") {
        return from_form(content);
    }
    let boundary =
        multipart::boundary(content_type).ok_or(Error::Multipart(Malformed::NoBoundary))?;
    let mut pairs = Vec::new();
    for part in multipart::parts(content, boundary).map_err(Error::Multipart)? {
        let value =
            str::from_utf8(part.content).map_err(|_| Error::Type(part.name.into()))?.to_owned();
        pairs.push(Pair { name: part.name.into(), value });
    }
    unique(pairs)
}

fn decode(text: &[u8]) -> Option<String> {
    let spaced: Vec<u8> =
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(Into::into)
}

fn unique(pairs: Vec<Pair>) -> Result<Vec<Pair>, Error> {
    let mut seen = HashSet::with_capacity(pairs.len());
    match pairs.iter().find(|pair| !seen.insert(pair.name.replace('_', "."))) {
        Some(twice) => Err(Error::Type(twice.name.clone())),
        None => Ok(pairs),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(name: &str, value: &str) -> Pair {
        Pair { name: name.into(), value: value.into() }
    }

    #[test]
    fn a_form_is_decoded_once_and_empty_values_are_kept() {
        assert_eq!(
            from_form(b"Region=&urls.0=http%3A%2F%2Fa%2F1+2%2520&&x").unwrap(),
            [pair("Region", ""), pair("urls.0", "http://a/1 2%20"), pair("x", "")]
        );
    }

    #[test]
    fn a_name_is_given_once_however_it_is_written() {
        assert_eq!(from_form(b"urls.0=a&urls_0=b"), Err(Error::Type("urls_0".into())));
        assert_eq!(from_form(b"a=%ff"), Err(Error::Type("a".into())));
    }

    #[test]
    fn there_are_ten_thousand_at_most() {
        let form = |count: usize| (0..count).map(|n| format!("p{n}&")).collect::<String>();
        assert_eq!(from_form(form(MOST_PAIRS).as_bytes()).map(|pairs| pairs.len()), Ok(MOST_PAIRS));
        assert_eq!(from_form(form(MOST_PAIRS + 1).as_bytes()), Err(Error::TooMany));
    }

    proptest! {
        #[test]
        fn no_content_makes_the_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = from_form(&text);
            let mut fields = HeaderMap::new();
            let kind = http::HeaderValue::from_static("multipart/form-data; boundary=b");
            fields.insert(header::CONTENT_TYPE, kind);
            let _ = from_content(&fields, &text);
        }
    }
}
