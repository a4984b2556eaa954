//! `Cache-Control`, of requests and responses (RFC 9111 section 5.2).
//!
//! Reads leniently towards safety: of repeated directives the first counts, a lifetime that is not a
//! number counts as zero (section 4.2.1), a qualified `private` or `no-cache` counts as unqualified
//! (sections 5.2.2.4 and 5.2.2.7 allow that), a quote that is never closed hides nothing, and bytes
//! outside ASCII spoil no directive but their own (RFC 9110 section 5.5).

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
            for (name, argument) in Directives(line.as_bytes()) {
                found.take(name, argument);
            }
        }
        found
    }

    fn take(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
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
fn seconds(argument: Option<&[u8]>) -> Duration {
    let digits = argument.and_then(|argument| str::from_utf8(argument).ok()).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Duration::ZERO;
    }
    // only an overflow is left to go wrong
    Duration::from_secs(digits.parse().map_or(LARGEST_SECONDS, |n: u64| n.min(LARGEST_SECONDS)))
}

/// The directives of one line, as name and argument. A comma inside quotes does not separate.
struct Directives<'a>(&'a [u8]);

impl<'a> Iterator for Directives<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.0.is_empty() {
                return None;
            }
            let end = unquoted_comma(self.0);
            let directive = self.0[..end].trim_ascii();
            self.0 = self.0.get(end + 1..).unwrap_or_default();
            if directive.is_empty() {
                continue;
            }
            return Some(match directive.iter().position(|byte| *byte == b'=') {
                None => (directive, None),
                Some(at) => {
                    let argument = directive[at + 1..].trim_ascii();
                    let bare = argument
                        .strip_prefix(b"\"")
                        .and_then(|rest| rest.strip_suffix(b"\""))
                        .unwrap_or(argument);
                    (directive[..at].trim_ascii_end(), Some(bare))
                }
            });
        }
    }
}

fn unquoted_comma(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b',' => return at,
            b'"' => at = closing_quote(text, at).unwrap_or(at),
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Where the string ends whose opening quote stands at `open`, if it ends.
fn closing_quote(text: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
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

    #[test]
    fn a_quoted_string_ends_at_its_own_quote() {
        for line in [r#"x="a\",max-age=9""#, r#"x="a,max-age=9""#, r#"x="\\\",max-age=9,""#] {
            assert_eq!(of(&[line]).max_age, None, "{line}");
        }
        for line in [r#"x="a\"",max-age=9"#, r#"x="\\",max-age=9"#, "max-age=9, x=\"open"] {
            assert_eq!(of(&[line]).max_age, s(9), "{line}");
        }
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

    /// RFC 9110 5.5: such bytes are opaque data, not a reason to forget what stands beside them.
    #[test]
    fn bytes_outside_ascii_spoil_no_directive_but_their_own() {
        for (line, no_store, private, max_age) in [
            (&b"no-store, note=\"caf\xc3\xa9\""[..], true, false, None),
            (b"no-store, note=\"caf\xe9\"", true, false, None),
            (b"note=\"caf\xe9\", private", false, true, None),
            (b"caf\xe9, max-age=5, private=\"\xff\"", false, true, s(5)),
            (b"max-age=5\xa0", false, false, s(0)),
            (b"no-store\xe9", false, false, None),
        ] {
            let mut fields = HeaderMap::new();
            fields.append(header::CACHE_CONTROL, HeaderValue::from_bytes(line).unwrap());
            let found = CacheControl::of(&fields);
            let seen = (found.no_store, found.private, found.max_age);
            assert_eq!(seen, (no_store, private, max_age), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_hides_nothing() {
        assert!(of(&["note=\"a, no-store"]).no_store);
        assert!(of(&["note=\"a\\\", private"]).private);
        assert!(of(&["private=\"a", "b\", no-store"]).no_store);
    }

    #[test]
    fn max_stale_without_a_value_accepts_any_staleness() {
        assert_eq!(of(&["max-stale"]).max_stale, Some(Duration::MAX));
        assert_eq!(of(&["max-stale=3"]).max_stale, s(3));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut fields = HeaderMap::new();
            if let Ok(line) = HeaderValue::from_bytes(&text) {
                fields.append(header::CACHE_CONTROL, line);
            }
            CacheControl::of(&fields);
        }

        #[test]
        fn what_stands_before_no_store_never_hides_it(
            text in proptest::collection::vec(any::<u8>().prop_filter("no quote", |b| *b != b'"'), 0..40),
        ) {
            let line = [&text[..], b",no-store"].concat();
            if let Ok(line) = HeaderValue::from_bytes(&line) {
                let mut fields = HeaderMap::new();
                fields.append(header::CACHE_CONTROL, line);
                prop_assert!(CacheControl::of(&fields).no_store);
            }
        }
    }
}
