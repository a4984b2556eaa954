//! Response fields that a message may have once, and what is made of them where it has more.
//!
//! RFC 9110 section 5.3: a sender must not send such a field twice. The same line twice is that line.
//! Of lines that contradict each other: a validator or a date that does says nothing, and goes; of
//! `Age` and `Expires` the first counts (RFC 9111 sections 4.2.1 and 5.1); where the message is a
//! part of, or leads to, nobody can say, and it is refused. `Content-Length` belongs to the framing,
//! see [`super::framed_length`].

use http::{HeaderMap, HeaderName, header};

/// What cannot be had in two ways.
const DECIDING: [HeaderName; 2] = [header::CONTENT_RANGE, header::LOCATION];
/// What says nothing where it contradicts itself.
const TELLING: [HeaderName; 3] = [header::ETAG, header::LAST_MODIFIED, header::DATE];
/// What is read in its first line.
const FIRST: [HeaderName; 3] = [header::AGE, header::EXPIRES, header::RETRY_AFTER];

/// A field that stands twice with two meanings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two `{0}` that contradict each other")]
pub struct Contradiction(pub HeaderName);

/// Leaves one line of each field that may have no more, or none.
///
/// # Errors
/// Where the message cannot be understood.
pub fn settle_single(fields: &mut HeaderMap) -> Result<(), Contradiction> {
    for name in DECIDING {
        if contradicts(fields, &name) {
            return Err(Contradiction(name));
        }
        keep_first(fields, &name);
    }
    for name in TELLING {
        if contradicts(fields, &name) {
            fields.remove(name);
        } else {
            keep_first(fields, &name);
        }
    }
    for name in FIRST {
        keep_first(fields, &name);
    }
    Ok(())
}

fn contradicts(fields: &HeaderMap, name: &HeaderName) -> bool {
    let mut lines = fields.get_all(name).into_iter();
    let first = lines.next();
    lines.any(|line| Some(line) != first)
}

fn keep_first(fields: &mut HeaderMap, name: &HeaderName) {
    let mut lines = fields.get_all(name).into_iter();
    if let (Some(first), Some(_)) = (lines.next(), lines.next()) {
        let first = first.clone();
        fields.insert(name, first);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn settled(lines: &[(&'static str, &'static str)]) -> Result<Vec<String>, Contradiction> {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, HeaderValue::from_static(value));
        }
        settle_single(&mut fields)?;
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        Ok(fields.iter().map(line).collect())
    }

    #[test]
    fn a_field_that_may_stand_once_does() {
        let none: [String; 0] = [];
        assert_eq!(settled(&[]).unwrap(), none);
        for name in ["etag", "last-modified", "date", "content-range", "location", "age"] {
            assert_eq!(settled(&[(name, "1"), (name, "1")]).unwrap(), [format!("{name}: 1")]);
        }
        for name in ["etag", "last-modified", "date"] {
            assert_eq!(settled(&[(name, "1"), (name, "1"), (name, "2")]).unwrap(), none);
        }
        for name in ["age", "expires", "retry-after"] {
            assert_eq!(settled(&[(name, "1"), (name, "2")]).unwrap(), [format!("{name}: 1")]);
        }
        for name in ["content-range", "location"] {
            let refused = settled(&[(name, "1"), (name, "2")]).unwrap_err();
            assert_eq!(refused.0.as_str(), name);
        }
        // lists may have several lines
        let lines = [("cache-control", "a"), ("cache-control", "b"), ("set-cookie", "c")];
        assert_eq!(settled(&lines).unwrap().len(), 3);
    }
}
