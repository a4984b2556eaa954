//! Request fields that a task may carry to the origin: how many, how long, and which not.
//!
//! Checked when a task is submitted, by every API alike. What they do at the
//! node is the node's business.

use http::{HeaderName, HeaderValue};
use stoker_domain::host::is_host_field;

/// Most fields of one task.
pub(crate) const MOST: usize = 20;
/// Longest name, in bytes.
pub(crate) const LONGEST_NAME: usize = 128;
/// Longest value, in bytes.
pub(crate) const LONGEST_VALUE: usize = 1024;

/// Fields that the node itself sets, or that would change what is fetched and stored.
const FORBIDDEN: &[&str] = &[
    "accept-encoding",
    "cdn-loop",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Prefix of the fields in which nodes speak to each other.
const INTERNAL: &str = "stoker-";

/// Why fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// More than [`MOST`].
    #[error("cannot send {0} request headers: the limit is {MOST}")]
    TooMany(usize),
    /// Not a field name, or longer than [`LONGEST_NAME`].
    #[error("the name of request header {0} must be a token of 1 to {LONGEST_NAME} bytes")]
    Name(usize),
    /// Has a control character, or is longer than [`LONGEST_VALUE`].
    #[error("the value of `{0}` must be at most {LONGEST_VALUE} bytes without control characters")]
    Value(String),
    /// Not a host with a port if need be.
    #[error("`{0}` must be a host, as in `HOST` or `HOST:PORT`")]
    Host(String),
    /// One of those that a task may not set.
    #[error("request header `{0}` cannot be set by a task")]
    Forbidden(String),
}

/// Checks the fields of a task.
///
/// # Errors
/// The first rule that is broken; names are counted from 1.
pub(crate) fn check(fields: &[(String, String)]) -> Result<(), Error> {
    if fields.len() > MOST {
        return Err(Error::TooMany(fields.len()));
    }
    for (index, (name, value)) in fields.iter().enumerate() {
        if name.len() > LONGEST_NAME || HeaderName::try_from(name.as_str()).is_err() {
            return Err(Error::Name(index + 1));
        }
        let lower = name.to_ascii_lowercase();
        if FORBIDDEN.contains(&lower.as_str()) || lower.starts_with(INTERNAL) {
            return Err(Error::Forbidden(name.clone()));
        }
        check_value(name, value)?;
    }
    Ok(())
}

/// Takes `User-Agent` out of the fields, because only one can be sent; the last wins.
pub(crate) fn take_user_agent(fields: &mut Vec<(String, String)>) -> Option<String> {
    let is_agent = |(name, _): &mut (String, String)| name.eq_ignore_ascii_case("user-agent");
    fields.extract_if(.., is_agent).map(|(_, value)| value).last()
}

/// Checks the value of the field `name`.
pub(crate) fn check_value(name: &str, value: &str) -> Result<(), Error> {
    if value.len() > LONGEST_VALUE || HeaderValue::try_from(value).is_err() {
        return Err(Error::Value(name.into()));
    }
    Ok(())
}

/// Checks a host that is sent to origins as `Host`, given as `name`.
pub(crate) fn check_host(name: &str, host: &str) -> Result<(), Error> {
    if is_host_field(host) { Ok(()) } else { Err(Error::Host(name.into())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<(), Error> {
        check(&[(name.into(), value.into())])
    }

    #[test]
    fn limits_are_inclusive() {
        assert_eq!(one(&"n".repeat(128), &"v".repeat(1024)), Ok(()));
        assert_eq!(one(&"n".repeat(129), "v"), Err(Error::Name(1)));
        assert_eq!(one("n", &"v".repeat(1025)), Err(Error::Value("n".into())));
        let field = (String::from("a"), String::new());
        assert_eq!(check(&vec![field.clone(); 20]), Ok(()));
        assert_eq!(check(&vec![field; 21]), Err(Error::TooMany(21)));
    }

    #[test]
    fn what_the_node_sets_and_what_no_field_can_be_is_refused() {
        for name in ["Host", "Range", "RANGE", "Stoker-Peer", "If-None-Match"] {
            assert_eq!(one(name, "x"), Err(Error::Forbidden(name.into())));
        }
        for name in ["", "a b", "a:", "中"] {
            assert_eq!(one(name, "x"), Err(Error::Name(1)), "{name}");
        }
        assert_eq!(one("a", "x\r\nHost: b"), Err(Error::Value("a".into())));
        assert_eq!(one("X_A", "中文"), Ok(()));
    }
}
