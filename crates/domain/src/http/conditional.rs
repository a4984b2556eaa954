//! Conditions of a request, evaluated against a stored response (RFC 9110 section 13, RFC 9111
//! section 4.3.2).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    fields::parse_http_date,
    response::{StoredResponse, Validator},
};

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditions {
    /// Answer as if there were none.
    Proceed,
    /// Answer 304.
    NotModified,
    /// Answer 412.
    PreconditionFailed,
}

/// Evaluates the conditions of a GET or HEAD in the order of RFC 9110 section 13.2.2.
///
/// `If-Range` is not among them: see [`if_range_matches`].
pub fn evaluate_conditions(request_fields: &HeaderMap, stored: &StoredResponse) -> Conditions {
    // section 13.2.1: only where the answer would be 2xx
    if !stored.status.is_success() {
        return Conditions::Proceed;
    }
    let has = |name: HeaderName| request_fields.contains_key(name);
    if has(header::IF_MATCH) {
        if !any_tag(request_fields, &header::IF_MATCH, stored.etag(), strong_match) {
            return Conditions::PreconditionFailed;
        }
    } else if let Some(since) = date(request_fields, &header::IF_UNMODIFIED_SINCE)
        && modified(stored).is_some_and(|modified| modified > since)
    {
        return Conditions::PreconditionFailed;
    }
    if has(header::IF_NONE_MATCH) {
        if any_tag(request_fields, &header::IF_NONE_MATCH, stored.etag(), weak_match) {
            return Conditions::NotModified;
        }
    } else if let Some(since) = date(request_fields, &header::IF_MODIFIED_SINCE) {
        // RFC 9111 section 4.3.2: without Last-Modified, Date stands for it
        let moment = modified(stored).or_else(|| date(&stored.fields, &header::DATE));
        if moment.is_some_and(|moment| moment <= since) {
            return Conditions::NotModified;
        }
    }
    Conditions::Proceed
}

/// Whether the range of a request with `If-Range: field` may be answered from `stored`
/// (RFC 9110 section 13.1.5): strong comparison of tags, exact match of a strong date.
pub fn if_range_matches(field: &HeaderValue, stored: &StoredResponse) -> bool {
    match stored.strong_validator() {
        Some(Validator::ETag(tag)) => {
            field == tag
                || (!field.as_bytes().starts_with(b"\"")
                    && stored.fields.get(header::LAST_MODIFIED) == Some(field)
                    && has_strong_date(stored))
        }
        Some(Validator::LastModified(modified)) => field == modified,
        None => false,
    }
}

/// Whether the modification date is strong though an entity tag stands beside it.
fn has_strong_date(stored: &StoredResponse) -> bool {
    let Some(date) = date(&stored.fields, &header::DATE) else { return false };
    modified(stored).is_some_and(|modified| date.as_seconds() > modified.as_seconds())
}

fn modified(stored: &StoredResponse) -> Option<crate::time::Timestamp> {
    date(&stored.fields, &header::LAST_MODIFIED)
}

fn date(fields: &HeaderMap, name: &HeaderName) -> Option<crate::time::Timestamp> {
    fields.get(name).and_then(parse_http_date)
}

fn strong_match(a: &[u8], b: &[u8]) -> bool {
    a == b && !a.starts_with(b"W/")
}

pub(super) fn weak_match(a: &[u8], b: &[u8]) -> bool {
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    opaque(a) == opaque(b)
}

/// Whether `*` or one of the listed tags matches that of the stored response.
fn any_tag(
    request_fields: &HeaderMap,
    name: &HeaderName,
    etag: Option<&HeaderValue>,
    matches: fn(&[u8], &[u8]) -> bool,
) -> bool {
    request_fields.get_all(name).into_iter().any(|line| {
        line.as_bytes().trim_ascii() == b"*"
            || etag
                .is_some_and(|etag| Tags(line.as_bytes()).any(|tag| matches(tag, etag.as_bytes())))
    })
}

/// The entity tags of one line. A comma may stand inside a tag.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b','))?;
        let rest = &self.0[start..];
        let prefix = if rest.starts_with(b"W/\"") { 3 } else { 1 };
        let end = if rest[prefix - 1..].starts_with(b"\"") {
            let close = rest[prefix..].iter().position(|byte| *byte == b'"');
            close.map_or(rest.len(), |close| prefix + close + 1)
        } else {
            // not a tag; some origins forget the quotes, and their caches should still match
            rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len())
        };
        let (tag, rest) = rest.split_at(end);
        self.0 = rest;
        Some(tag.trim_ascii_end())
    }
}

#[cfg(test)]
mod tests;
