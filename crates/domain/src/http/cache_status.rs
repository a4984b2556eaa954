//! `Cache-Status`: how a cache handled a request, for people and for tests (RFC 9211).
//!
//! Written here and not by the crate `sfv`: that serializes in the canonical form, which has no blank
//! behind a `;`, and would change the field of every reply.

use std::{borrow::Cow, fmt::Write};

use http::HeaderValue;

/// Why a request went upstream: the `fwd` parameter (RFC 9211 section 2.2), as far as nodes use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// Nothing was stored under the target URI.
    UriMiss,
    /// Something was, but selected by other request fields.
    VaryMiss,
    /// The request's directives demanded it.
    Request,
    /// What was stored was stale.
    Stale,
    /// Only a part was stored.
    Partial,
}

impl Forward {
    /// The token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// One member of `Cache-Status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus<'a> {
    /// Answered without going upstream.
    pub is_hit: bool,
    /// Why it went upstream; excludes `is_hit`.
    pub forward: Option<Forward>,
    /// Status that came from upstream.
    pub forward_status: Option<u16>,
    /// Remaining freshness in seconds; negative when stale.
    pub ttl: Option<i64>,
    /// What came is kept.
    pub is_stored: bool,
    /// The request shared the upstream request of another.
    pub is_collapsed: bool,
    /// What a person who looks for the cause should read.
    pub detail: Option<Cow<'a, str>>,
}

impl CacheStatus<'_> {
    /// The member of the cache called `cache`, for example `stoker-edge-mainland; hit; ttl=30`.
    pub fn to_value(&self, cache: &str) -> HeaderValue {
        let mut text = String::with_capacity(cache.len() + 48);
        push_name(&mut text, cache);
        if self.is_hit {
            text.push_str("; hit");
        }
        if let Some(forward) = self.forward {
            text.push_str("; fwd=");
            text.push_str(forward.as_str());
        }
        if let Some(status) = self.forward_status {
            write!(text, "; fwd-status={status}").expect("a String takes every write");
        }
        if let Some(ttl) = self.ttl {
            write!(text, "; ttl={ttl}").expect("a String takes every write");
        }
        if self.is_stored {
            text.push_str("; stored");
        }
        if self.is_collapsed {
            text.push_str("; collapsed");
        }
        if let Some(detail) = &self.detail {
            text.push_str("; detail=");
            push_name(&mut text, detail);
        }
        HeaderValue::try_from(text).expect("tokens and quoted ASCII make a field value")
    }
}

/// A structured-field token where `name` is one, a string otherwise (RFC 8941 section 3.3).
fn push_name(text: &mut String, name: &str) {
    let mut bytes = name.bytes();
    let is_token = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'*')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte));
    if is_token {
        text.push_str(name);
        return;
    }
    text.push('"');
    for character in name.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            ' '..='~' => text.push(character),
            _ => text.push('?'),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 9211 section 3.1, with our order of parameters.
    #[test]
    fn members_read_as_in_the_rfc() {
        let hit = CacheStatus { is_hit: true, ttl: Some(376), ..CacheStatus::default() };
        assert_eq!(hit.to_value("ExampleCache"), "ExampleCache; hit; ttl=376");
        let miss = CacheStatus {
            forward: Some(Forward::UriMiss),
            is_stored: true,
            is_collapsed: true,
            ..CacheStatus::default()
        };
        assert_eq!(miss.to_value("ExampleCache"), "ExampleCache; fwd=uri-miss; stored; collapsed");
        let stale = CacheStatus {
            forward: Some(Forward::Stale),
            forward_status: Some(304),
            ttl: Some(-412),
            ..CacheStatus::default()
        };
        assert_eq!(stale.to_value("c"), "c; fwd=stale; fwd-status=304; ttl=-412");
    }

    #[test]
    fn a_token_begins_with_a_letter_or_a_star() {
        for (name, written) in [
            ("*a", "*a"),
            ("a1-._:/", "a1-._:/"),
            ("1a", "\"1a\""),
            ("-a", "\"-a\""),
            ("", "\"\""),
            ("a b", "\"a b\""),
        ] {
            let mut text = String::new();
            push_name(&mut text, name);
            assert_eq!(text, written);
        }
    }

    #[test]
    fn what_is_not_a_token_is_quoted() {
        let failed = CacheStatus {
            forward: Some(Forward::UriMiss),
            detail: Some("no \"answer\" \u{fc}\n".into()),
            ..CacheStatus::default()
        };
        let expected = "\"7 nodes\"; fwd=uri-miss; detail=\"no \\\"answer\\\" ??\"";
        assert_eq!(failed.to_value("7 nodes"), expected);
        let word =
            CacheStatus { detail: Some("origin_error:dns".into()), ..CacheStatus::default() };
        assert_eq!(word.to_value("a"), "a; detail=origin_error:dns");
    }
}
