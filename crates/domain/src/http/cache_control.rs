//! `Cache-Control`, of requests and responses (RFC 9111 section 5.2).
//!
//! Reads leniently towards safety: of repeated directives the first counts, a lifetime that is not a
//! number counts as zero (section 4.2.1), a qualified `private` or `no-cache` counts as unqualified
//! (sections 5.2.2.4 and 5.2.2.7 allow that).

use std::time::Duration;

use http::{HeaderMap, header};

/// The directives that Stoker acts on. Others are ignored, as section 5.2.3 demands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache`, qualified or not.
    pub no_cache: bool,
    /// `private`, qualified or not.
    pub private: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`.
    pub must_revalidate: bool,
    /// `proxy-revalidate`.
    pub proxy_revalidate: bool,
    /// `only-if-cached`.
    pub only_if_cached: bool,
    /// `max-age`.
    pub max_age: Option<Duration>,
    /// `s-maxage`.
    pub s_maxage: Option<Duration>,
    /// `min-fresh`.
    pub min_fresh: Option<Duration>,
    /// `max-stale`; without a value any staleness is accepted.
    pub max_stale: Option<Duration>,
}

/// RFC 9111 section 1.2.2: what is too large to represent is 2^31.
const LARGEST_SECONDS: u64 = 1 << 31;

impl CacheControl {
    /// The directives of all `Cache-Control` lines in `fields`.
    pub fn of(fields: &HeaderMap) -> Self {
        let mut found = Self::default();
        for line in fields.get_all(header::CACHE_CONTROL) {
            if let Ok(line) = line.to_str() {
                for (name, argument) in Directives(line) {
                    found.take(name, argument);
                }
            }
        }
        found
    }

    fn take(&mut self, name: &str, argument: Option<&str>) {
        let is = |word: &str| name.eq_ignore_ascii_case(word);
        let first = |place: &mut Option<Duration>| {
            place.get_or_insert_with(|| seconds(argument));
        };
        if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("private") {
            self.private = true;
        } else if is("public") {
            self.public = true;
        } else if is("must-revalidate") {
            self.must_revalidate = true;
        } else if is("proxy-revalidate") {
            self.proxy_revalidate = true;
        } else if is("only-if-cached") {
            self.only_if_cached = true;
        } else if is("max-age") {
            first(&mut self.max_age);
        } else if is("s-maxage") {
            first(&mut self.s_maxage);
        } else if is("min-fresh") {
            first(&mut self.min_fresh);
        } else if is("max-stale") {
            match argument {
                Some(_) => first(&mut self.max_stale),
                None => self.max_stale = self.max_stale.or(Some(Duration::MAX)),
            }
        }
    }
}

/// A delta-seconds, quoted or not; zero when it is none.
fn seconds(argument: Option<&str>) -> Duration {
    let digits = argument.unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Duration::ZERO;
    }
    // only an overflow is left to go wrong
    Duration::from_secs(digits.parse().map_or(LARGEST_SECONDS, |n: u64| n.min(LARGEST_SECONDS)))
}

/// The directives of one line, as name and argument. A comma inside quotes does not separate.
struct Directives<'a>(&'a str);

impl<'a> Iterator for Directives<'a> {
    type Item = (&'a str, Option<&'a str>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.0.is_empty() {
                return None;
            }
            let end = unquoted_comma(self.0);
            let directive = self.0[..end].trim();
            self.0 = self.0.get(end + 1..).unwrap_or_default();
            if directive.is_empty() {
                continue;
            }
            return Some(match directive.split_once('=') {
                None => (directive, None),
                Some((name, argument)) => {
                    let argument = argument.trim();
                    let bare = argument
                        .strip_prefix('"')
                        .and_then(|rest| rest.strip_suffix('"'))
                        .unwrap_or(argument);
                    (name.trim(), Some(bare))
                }
            });
        }
    }
}

fn unquoted_comma(text: &str) -> usize {
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[&str]) -> CacheControl {
        let mut fields = HeaderMap::new();
        for line in lines {
            fields.append(header::CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        }
        CacheControl::of(&fields)
    }

    const fn s(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn directives_are_case_insensitive_and_may_stand_on_several_lines() {
        let found = of(&["PUBLIC, Max-Age=60", "s-maxage=\"10\" ,, must-revalidate"]);
        assert!(found.public && found.must_revalidate && !found.private);
        assert_eq!((found.max_age, found.s_maxage), (s(60), s(10)));
    }

    /// RFC 9111 4.2.1: "either the first occurrence should be used or the response should be
    /// considered stale"; "invalid freshness information [...] to be stale".
    #[test]
    fn the_first_lifetime_counts_and_an_invalid_one_is_zero() {
        assert_eq!(of(&["max-age=1, max-age=2"]).max_age, s(1));
        for text in ["max-age=", "max-age", "max-age=abc", "max-age=-1", "max-age=1.5"] {
            assert_eq!(of(&[text]).max_age, s(0), "{text}");
        }
    }

    /// RFC 9111 1.2.2: "the cache MUST consider the value to be 2147483648 (2^31)".
    #[test]
    fn a_number_too_large_is_two_to_the_31() {
        assert_eq!(of(&["max-age=99999999999999999999999"]).max_age, s(1 << 31));
    }

    #[test]
    fn a_quoted_argument_hides_commas_and_directives() {
        let found = of(&["private=\"a, no-store, b\\\", public\", max-age=5"]);
        assert!(found.private && !found.no_store && !found.public);
        assert_eq!(found.max_age, s(5));
    }

    #[test]
    fn max_stale_without_a_value_accepts_any_staleness() {
        assert_eq!(of(&["max-stale"]).max_stale, Some(Duration::MAX));
        assert_eq!(of(&["max-stale=3"]).max_stale, s(3));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[ -~]{0,60}") {
            of(&[&text]);
        }
    }
}
