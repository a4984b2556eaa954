//! Whether a 304 speaks of what is stored (RFC 9111 section 4.3.4).

use http::{HeaderMap, HeaderValue, header};

use super::{
    conditional::weak_match,
    fields::parse_http_date,
    framing::framed_length,
    response::{StoredResponse, Validator, strong_validator},
};

impl StoredResponse {
    /// Whether a 304 with the fields `not_modified`, in reply to a request with the validators of
    /// this response and `size` bytes of content, confirms it. Where the 304 names another
    /// representation nothing is confirmed, and the content has to come anew.
    ///
    /// A 304 without any validator confirms what was asked about. An entity tag decides alone: a
    /// strong one has to be the same, a weak one to compare weakly. Without a tag the modification
    /// date has to be the same.
    pub fn is_confirmed_by(&self, not_modified: &HeaderMap, size: u64) -> bool {
        let names_validator = match not_modified.get(header::ETAG) {
            Some(tag) => self.has_tag(tag, not_modified),
            None => not_modified
                .get(header::LAST_MODIFIED)
                .is_none_or(|modified| self.was_modified(modified)),
        };
        // RFC 9110 section 8.6: the length that a 200 would have; many say 0 instead
        let has_size = match framed_length(not_modified) {
            Ok(None | Some(0)) | Err(_) => true,
            Ok(Some(length)) => length == size,
        };
        names_validator && has_size
    }

    fn has_tag(&self, tag: &HeaderValue, not_modified: &HeaderMap) -> bool {
        match self.etag() {
            Some(own) if tag.as_bytes().starts_with(b"W/") => {
                weak_match(own.as_bytes(), tag.as_bytes())
            }
            Some(own) => own == tag,
            // the origin has begun to give tags; a strong date beside it names the same
            None => {
                let mut dated = not_modified.clone();
                dated.remove(header::ETAG);
                match strong_validator(&dated) {
                    Some(Validator::LastModified(modified)) => self.was_modified(&modified),
                    _ => false,
                }
            }
        }
    }

    fn was_modified(&self, modified: &HeaderValue) -> bool {
        let Some(own) = self.fields.get(header::LAST_MODIFIED) else { return false };
        own == modified
            || parse_http_date(own).is_some_and(|own| parse_http_date(modified) == Some(own))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;

    use super::*;
    use crate::{http::Lifetime, time::Timestamp};

    const A: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 08:00:00 GMT");
    const B: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 09:00:00 GMT");
    const LATER: (&str, &str) = ("date", "Sun, 06 Nov 1994 10:00:00 GMT");

    fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, HeaderValue::from_str(value).unwrap());
        }
        fields
    }

    fn is_confirmed(
        stored: &[(&'static str, &str)],
        not_modified: &[(&'static str, &str)],
    ) -> bool {
        let lifetime = Lifetime { lifetime: Duration::ZERO, corrected_initial_age: Duration::ZERO };
        let stored = StoredResponse::new(
            &HeaderMap::new(),
            StatusCode::OK,
            fields(stored),
            500,
            lifetime,
            Timestamp::from_seconds(784_111_777),
        );
        stored.is_confirmed_by(&fields(not_modified), 500)
    }

    #[test]
    fn a_304_confirms_only_what_it_names() {
        let (v1, v2) = (("etag", "\"v1\""), ("etag", "\"v2\""));
        let (w1, w2) = (("etag", "W/\"v1\""), ("etag", "W/\"v2\""));
        for (stored, not_modified, confirms) in [
            (&[v1][..], &[v1][..], true),
            (&[v1], &[v2], false),
            (&[v1], &[w1], true),
            (&[v1], &[w2], false),
            (&[w1], &[w1], true),
            (&[w1], &[w2], false),
            // a strong tag names a representation byte for byte, and nobody knows that it is this
            (&[w1], &[v1], false),
            (&[v1], &[], true),
            (&[v1, A], &[], true),
            (&[v1, A], &[A], true),
            (&[v1, A], &[B], false),
            (&[v1], &[A], false),
            (&[v1, A], &[v1, B], true),
            (&[v1, A], &[v2, A, LATER], false),
            (&[A], &[A], true),
            (&[A], &[B], false),
            (&[A], &[("last-modified", "Sunday, 06-Nov-94 08:00:00 GMT")], true),
            (&[A], &[v1, A, LATER], true),
            (&[A], &[v1, A], false),
            (&[A], &[v1, B, LATER], false),
            (&[A], &[w1, A], false),
            (&[("last-modified", "today")], &[("last-modified", "today")], true),
            (&[("last-modified", "today")], &[("last-modified", "now")], false),
            (&[v1], &[v1, ("content-length", "500")], true),
            (&[v1], &[v1, ("content-length", "0")], true),
            (&[v1], &[v1, ("content-length", "501")], false),
            (&[v1], &[("content-length", "501")], false),
            (&[v1], &[v1, ("transfer-encoding", "chunked"), ("content-length", "9")], true),
        ] {
            assert_eq!(is_confirmed(stored, not_modified), confirms, "{stored:?} {not_modified:?}");
        }
    }
}
