//! What the head of a reply may be: the bounds of a proxy, the same on every connection, whether it
//! is read at a pace or not.
//!
//! What browsers and other caches take is taken: heads of 256 KiB, 500 fields, blanks before a colon
//! and folded lines, which are removed on the way (RFC 9112 sections 5.1 and 5.2). A line that is no
//! field at all is refused with its reply, because it might have been a directive.

use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::client::conn::http1::Builder;
use stoker_domain::outcome::OriginFault;

use crate::fault::Fault;

/// Fields and their values in the head of an origin's reply, in bytes.
const HEAD_BYTES: usize = 256 << 10;
/// Field lines in it.
const FIELDS: usize = 500;
/// What nodes on the way may add to those.
const ADDED_FIELDS: usize = 64;
/// Read at once from a connection at most; the larger, the fewer wake-ups for large content. Bounds
/// the whole head, and so leaves room for what nodes add to it.
const BUFFER: usize = 512 << 10;

/// Sets the bounds of a connection.
pub(super) fn set(connection: &mut Builder) {
    connection
        .max_buf_size(BUFFER)
        .max_headers(FIELDS + ADDED_FIELDS)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(false);
}

/// Whether the head of an origin's reply is within the bounds, so that every other node takes it.
///
/// # Errors
/// It is not; `from` is who sent it.
pub(super) fn check(fields: &HeaderMap, from: &str) -> Result<(), Fault> {
    // a line has a colon, a blank and an end beside name and value
    let line = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    let bytes: usize = fields.iter().map(line).sum();
    let detail = if bytes > HEAD_BYTES {
        format!("the head of the reply from {from} has {bytes} bytes; {HEAD_BYTES} are taken")
    } else if fields.len() > FIELDS {
        let count = fields.len();
        format!("the reply from {from} has {count} fields; {FIELDS} are taken")
    } else {
        return Ok(());
    };
    Err(Fault::origin(OriginFault::Protocol, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_taken_up_to_the_bounds() {
        let head = |count: usize, length: usize| -> HeaderMap {
            let value = HeaderValue::try_from("v".repeat(length)).unwrap();
            (0..count)
                .map(|n| (HeaderName::try_from(format!("x-{n:04}")).unwrap(), value.clone()))
                .collect()
        };
        for (count, length, is_taken) in [
            (FIELDS, 10, true),
            (FIELDS + 1, 10, false),
            (1, HEAD_BYTES - 10, true),
            (1, HEAD_BYTES - 9, false),
            (FIELDS, HEAD_BYTES / FIELDS, false),
        ] {
            let checked = check(&head(count, length), "origin");
            assert_eq!(checked.is_ok(), is_taken, "{count} of {length}: {checked:?}");
        }
    }
}
