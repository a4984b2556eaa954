//! Target URIs: which texts are taken, how they are shown, and what they ask for.

use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{
    host::{bare_host, is_host},
    key::Key,
    uri::normal_path_and_query,
};

/// Longest target URI that is taken, in bytes, as most caches have it.
pub const MAX_LENGTH: usize = 4096;

const SPACE: &AsciiSet = &CONTROLS.add(b' ');

/// A target URI, checked. Spellings of one resource have equal hosts, paths and queries, and so one
/// cache key; each is shown as it was given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The whole URI as it was given, but for a lower-case scheme and host, without a fragment and
    /// never with an empty path.
    pub url: String,
    /// Lower-case host, without port.
    pub host: String,
    /// Path and query in the normal form of [`crate::uri`], as sent on the request line.
    pub path_and_query: String,
}

/// Why a text is not a target URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither `http://` nor `https://` in front.
    #[error("must begin with `http://` or `https://`")]
    Scheme,
    /// Longer than [`MAX_LENGTH`].
    #[error("is {0} bytes long; at most {MAX_LENGTH} are taken")]
    TooLong(usize),
    /// A `*` in the host.
    #[error("has a wildcard host; name one host")]
    WildcardHost,
    /// No host, or one that no URI can have.
    #[error("has no valid host")]
    Host,
    /// User information before the host.
    #[error("carries user information before the host; send credentials in a header")]
    UserInfo,
    /// A byte outside ASCII, or a space, without permission to encode it.
    #[error("has a character outside ASCII or a space; percent-encode it or ask for URL encoding")]
    NotAscii,
    /// A control character or another byte that no request line can carry.
    #[error("has a character that no URI can have")]
    Character,
}

impl Target {
    /// Reads a target URI. With `encode`, bytes outside ASCII and spaces are taken and
    /// percent-encoded.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(text: &str, encode: bool) -> Result<Self, Error> {
        if text.len() > MAX_LENGTH {
            return Err(Error::TooLong(text.len()));
        }
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        let (scheme, rest) = split_scheme(text).ok_or(Error::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let host = check_authority(authority)?;
        let tail = tail.split('#').next().unwrap_or_default();
        let tail = encode_tail(tail, encode)?;
        let authority = authority.to_ascii_lowercase();
        let path_and_query = normal_path_and_query(&tail).into_owned();
        let url = format!("{scheme}://{authority}{tail}");
        let longest = url.len() - tail.len() + tail.len().max(path_and_query.len());
        if longest > MAX_LENGTH {
            return Err(Error::TooLong(longest));
        }
        Ok(Self { url, host, path_and_query })
    }

    /// The cache key of this target.
    pub fn key(&self) -> Key {
        Key::new(&self.host, &self.path_and_query)
    }
}

fn split_scheme(text: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.eq_ignore_ascii_case("http") {
        Some(("http", rest))
    } else if scheme.eq_ignore_ascii_case("https") {
        Some(("https", rest))
    } else {
        None
    }
}

fn check_authority(authority: &str) -> Result<String, Error> {
    if authority.contains('@') {
        return Err(Error::UserInfo);
    }
    if authority.contains('*') {
        return Err(Error::WildcardHost);
    }
    let host = bare_host(authority);
    let port_is_valid = match authority[host.len()..].trim_start_matches('.') {
        "" => true,
        port => port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok()),
    };
    if !port_is_valid || !is_host(host) {
        return Err(Error::Host);
    }
    Ok(host.to_ascii_lowercase())
}

/// A part of a URL as targets have it: spaces and bytes outside ASCII encoded.
pub fn encoded(part: &str) -> String {
    utf8_percent_encode(part, SPACE).to_string()
}

fn encode_tail(tail: &str, encode: bool) -> Result<String, Error> {
    if tail.bytes().any(|byte| byte.is_ascii_control() || byte == b'\\' || byte == b'"') {
        return Err(Error::Character);
    }
    let needs_encoding = tail.bytes().any(|byte| byte == b' ' || !byte.is_ascii());
    if needs_encoding && !encode {
        return Err(Error::NotAscii);
    }
    let tail = encoded(tail);
    let tail = match tail.as_bytes().first() {
        None => "/".into(),
        Some(b'/') => tail,
        Some(_) => format!("/{tail}"),
    };
    // what is left of RFC 3986, so that a node can ask for it
    if PathAndQuery::try_from(&tail).is_err() {
        return Err(Error::Character);
    }
    Ok(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Target {
        Target::parse(text, false).unwrap()
    }

    #[test]
    fn a_target_is_shown_as_given_but_for_case_of_host_fragment_and_an_empty_path() {
        for (given, url, host) in [
            ("HTTP://WWW.Test.com/A?b=C#d", "http://www.test.com/A?b=C", "www.test.com"),
            ("https://a.example", "https://a.example/", "a.example"),
            ("http://a.example?x=1", "http://a.example/?x=1", "a.example"),
            ("http://127.0.0.1:8080/a//b/../c", "http://127.0.0.1:8080/a//b/../c", "127.0.0.1"),
            ("http://[::1]:80/x", "http://[::1]:80/x", "[::1]"),
            ("http://localhost/%e4%B8", "http://localhost/%e4%B8", "localhost"),
        ] {
            let target = parsed(given);
            assert_eq!((target.url.as_str(), target.host.as_str()), (url, host));
        }
    }

    #[test]
    fn spellings_of_one_resource_have_one_key() {
        let one = parsed("http://a.example/x/%E4~?q=%C3");
        for other in ["http://a.example/x/%e4%7E?q=%c3", "https://A.example:8080/y/../x/%e4~?q=%c3"]
        {
            let other = parsed(other);
            assert_eq!(other.path_and_query, one.path_and_query);
            assert_eq!(other.key(), one.key());
            assert_ne!(other.url, one.url);
        }
        assert_ne!(parsed("http://a.example/x/%E4~").key(), one.key());
    }

    #[test]
    fn encoding_touches_only_spaces_and_bytes_outside_ascii() {
        let target = Target::parse("http://a.example/1 2/中_文%2f.jpg?a=b", true).unwrap();
        assert_eq!(target.url, "http://a.example/1%202/%E4%B8%AD_%E6%96%87%2f.jpg?a=b");
        assert_eq!(Target::parse("http://a.example/中", false), Err(Error::NotAscii));
    }

    #[test]
    fn what_is_not_a_target_is_refused_with_the_rule() {
        for (text, error) in [
            ("www.test.com/x", Error::Scheme),
            ("ftp://www.test.com/x", Error::Scheme),
            ("http:/x", Error::Scheme),
            ("http:///x", Error::Host),
            ("http://*.test.com/x", Error::WildcardHost),
            ("http://u:p@test.com/x", Error::UserInfo),
            ("http://a b/x", Error::Host),
            ("http://a:99999/x", Error::Host),
            ("http://a..b/x", Error::Host),
            ("http://a/x\r\nHost: b", Error::Character),
            // found by fuzzing: no node could have asked for them
            ("https://a.?exampl>e?x", Error::Character),
            ("http://a/<x>", Error::Character),
            ("http://a/`x`", Error::Character),
        ] {
            assert_eq!(Target::parse(text, false), Err(error), "{text}");
        }
    }

    #[test]
    fn a_target_has_at_most_4096_bytes_in_every_form() {
        let of = |tail: &str| Target::parse(&format!("http://a.example{tail}"), true).map(|_| ());
        let room = MAX_LENGTH - "http://a.example".len();
        let path = |length: usize| format!("/{}", "x".repeat(length - 1));
        assert_eq!(of(&path(room)), Ok(()));
        assert_eq!(of(&path(room + 1)), Err(Error::TooLong(MAX_LENGTH + 1)));
        assert_eq!(of(&path(room + 9)), Err(Error::TooLong(MAX_LENGTH + 9)));
        // three bytes outside ASCII are encoded as nine
        let encoded = |length: usize| format!("{}中", path(length - 9));
        assert_eq!(of(&encoded(room)), Ok(()));
        assert_eq!(of(&encoded(room + 1)), Err(Error::TooLong(MAX_LENGTH + 1)));
        assert_eq!(of(&encoded(room + 2)), Err(Error::TooLong(MAX_LENGTH + 2)));
    }
}
