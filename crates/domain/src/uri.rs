//! The normal form of the path and query of a target URI: which spellings are the same resource.
//!
//! Everything that is equivalent by RFC 3986 section 6.2.2 has one normal form: hexadecimal digits
//! of percent-encodings are in upper case, unreserved characters are not encoded, and dot segments
//! are removed. What no URI may carry as it is, such as `{` or a byte outside ASCII, is encoded.
//! Reserved characters stay as they are: `%2F` and `/` differ, and so do `?` and no query at all.
//!
//! Keys, stored responses, purges and requests to the origin use the normal form. It never touches
//! scheme or host.

use std::{borrow::Cow, fmt::Write as _};

/// `path_and_query` in normal form. A path that is empty becomes `/`.
pub fn normal_path_and_query(path_and_query: &str) -> Cow<'_, str> {
    let (path, query) = match path_and_query.find('?') {
        Some(at) => path_and_query.split_at(at),
        None => (path_and_query, ""),
    };
    match (normal_path(path), normal_encoding(query)) {
        // an empty path is borrowed as `/`, which stands nowhere in what was given: the lengths
        // tell
        (Cow::Borrowed(path), Cow::Borrowed(query))
            if path.len() + query.len() == path_and_query.len() =>
        {
            Cow::Borrowed(path_and_query)
        }
        (path, query) => Cow::Owned(path.into_owned() + &query),
    }
}

/// A path without query in normal form; it begins with `/`.
fn normal_path(path: &str) -> Cow<'_, str> {
    if path.is_empty() {
        return Cow::Borrowed("/");
    }
    // first, for `%2E` is a dot: an encoded dot segment is one too
    let path = normal_encoding(path);
    let is_dot = |segment: &str| matches!(segment, "." | "..");
    if !path.starts_with('/') || !path.split('/').any(is_dot) {
        return path;
    }
    // RFC 3986 section 5.2.4
    // an empty segment counts as one, so that `..` after `//` removes it alone
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment == ".." {
            kept.pop();
        }
        match is_dot(segment) {
            false => kept.push(segment),
            // the directory itself
            true if segments.peek().is_none() => kept.push(""),
            true => {}
        }
    }
    Cow::Owned(format!("/{}", kept.join("/")))
}

/// `text` with each character encoded if it must be, and only then. A `%` that begins no encoding
/// is a character that must be.
pub fn normal_encoding(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let Some(first) = bytes.iter().position(|byte| *byte == b'%' || must_be_encoded(*byte)) else {
        return Cow::Borrowed(text);
    };
    let mut normal = String::with_capacity(text.len() + 8);
    normal.push_str(&text[..first]);
    let mut rest = &bytes[first..];
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) if is_hex(*high) && is_hex(*low) => {
                rest = after;
                match value(*high) * 16 + value(*low) {
                    byte if is_unreserved(byte) => normal.push(char::from(byte)),
                    byte => encode(&mut normal, byte),
                }
            }
            // a `%` alone: left as it is, it would begin an encoding with what is decoded after it
            (byte, _) if *byte == b'%' || must_be_encoded(*byte) => encode(&mut normal, *byte),
            (byte, _) => normal.push(char::from(*byte)),
        }
    }
    Cow::Owned(normal)
}

/// How often a server may be thought to decode a path.
// proxy, framework and application decode once each; what needs more readings is made up, and
// refused
const READINGS: usize = 8;

/// Whether a server may read `path`, in normal form, as one that leads above where it begins: it
/// decodes it, once or more often, takes `\` for `/`, or leaves out what follows a `;`.
pub fn may_lead_above(path: &str) -> bool {
    let is_plain = |byte: u8| !matches!(byte, b'%' | b'\\' | b';');
    let mut read = path.as_bytes().to_vec();
    for _ in 0..READINGS {
        let mut segments = read.split(|byte| matches!(byte, b'/' | b'\\'));
        if segments.any(|segment| segment.split(|byte| *byte == b';').next() == Some(b"..")) {
            return true;
        }
        if read.iter().copied().all(is_plain) {
            return false;
        }
        let decoded = decode(&read);
        // a `%` that begins no encoding stays for ever
        if decoded == read {
            return false;
        }
        read = decoded;
    }
    true
}

/// `bytes` with every percent-encoding undone, once.
fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) if is_hex(*high) && is_hex(*low) => {
                rest = after;
                decoded.push(value(*high) * 16 + value(*low));
            }
            (byte, _) => decoded.push(*byte),
        }
    }
    decoded
}

fn encode(text: &mut String, byte: u8) {
    // writing to a String does not fail
    let _ = write!(text, "%{byte:02X}");
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Bytes that are neither reserved nor unreserved, nor the `%` of an encoding.
fn must_be_encoded(byte: u8) -> bool {
    !byte.is_ascii_graphic()
        || matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{media, purge::directory, target::Target};

    #[test]
    fn equivalent_spellings_have_one_normal_form() {
        for (normal, spellings) in [
            ("/", &["", "/", "/.", "/./", "/x/..", "/..", "/../../", "/%2e", "/%2E%2e/"][..]),
            ("/%E4%B8%AD", &["/%e4%b8%ad", "/%E4%b8%Ad", "/\u{4e2d}"]),
            ("/~a-B_9.x", &["/%7Ea%2dB%5F9%2ex", "/%7e%61-%42_%39.%78"]),
            ("/?q=%C3%A9~", &["?q=%c3%a9%7e", "/?q=\u{e9}%7E", "/./?q=%C3%A9~"]),
            ("/a/c", &["/a/b/../c", "/./a/./c", "/a/b/%2E%2e/c", "/x/../a/c", "/../a/c"]),
            ("/a/", &["/a/b/..", "/a/.", "/a/./", "/a/b/../"]),
            ("/a//c", &["/a//b/../c", "/a//./c"]),
            ("/%7B%7C%7D%5E?%22%3C", &["/{|}^?\"<", "/%7b%7c%7d%5e?%22%3c"]),
            ("/a%20b", &["/a b", "/a%20b"]),
            ("/%25", &["/%", "/%25"]),
            ("/%25zz?%254", &["/%zz?%4"]),
            // found by fuzzing: what is decoded never makes another encoding
            ("/?%254C", &["/?%4%43", "/?%254%43"]),
        ] {
            for spelling in spellings {
                assert_eq!(normal_path_and_query(spelling), normal, "{spelling}");
            }
        }
    }

    #[test]
    fn a_path_that_a_server_may_read_as_leading_above_is_found() {
        for path in [
            "/..%2Fa",
            "/a%2F..%2Fb",
            "/%252e%252e/a",
            "/..%5Ca",
            "/..\\a",
            "/..;/a",
            "/..%3Bx/a",
            "/%25252E%25252E%25252Fa",
            "/a/..",
            "/%2525252525252525252525252e",
        ] {
            assert!(may_lead_above(path), "{path}");
        }
        for path in
            ["/", "/a/b", "/a..b", "/...", "/..a", "/a%2Fb", "/a;..", "/%", "/a%25b", "/a;b"]
        {
            assert!(!may_lead_above(path), "{path}");
        }
    }

    #[test]
    fn what_is_not_equivalent_stays_apart() {
        for text in [
            "/a%2Fb",
            "/a/b",
            "/a%3Fb",
            "/a?b",
            "/a?",
            "/a",
            "/a/",
            "/a//",
            "/a;b",
            "/a%3Bb",
            "/a+b",
            "/a%2Bb",
            "/a%20b",
            "/%25",
            "/...",
            "/.a",
            "/a..",
            "/a?x=/../y",
            "/[a]",
            "/a?b=c%26d",
            "/a?b=c&d",
            "/A",
            "/a:b@c!$&'()*,=",
        ] {
            assert_eq!(normal_path_and_query(text), text);
            assert!(matches!(normal_path_and_query(text), Cow::Borrowed(_)) || text.contains('%'));
        }
    }

    /// `path_and_query` with characters written in another way, as `choices` say.
    fn respelled(path_and_query: &str, choices: &[u8]) -> String {
        let mut text = String::new();
        let (mut rest, mut choices) = (path_and_query, choices.iter().cycle());
        while let Some(first) = rest.chars().next() {
            let choice = choices.next().copied().unwrap_or_default();
            let is_encoded = first == '%';
            let (one, after) = rest.split_at(if is_encoded { 3 } else { first.len_utf8() });
            rest = after;
            match (first, choice % 4) {
                ('/', 1) if !text.contains('?') => text.push_str("/./"),
                ('/', 2) if !text.contains('?') => text.push_str("/x/%2e./"),
                (_, 1) if is_encoded => text.push_str(&one.to_ascii_lowercase()),
                (first, 1) if first.is_ascii_alphanumeric() => {
                    text.push_str(&format!("%{:02x}", first as u32));
                }
                (first, 2) if first.is_ascii_alphanumeric() => {
                    text.push_str(&format!("%{:02X}", first as u32));
                }
                _ => text.push_str(one),
            }
        }
        text
    }

    proptest! {
        #[test]
        fn targets_viewers_children_and_purges_have_one_normal_form(
            normal in "(/[a-c%]{1,3}){1,4}(\\?[a-c%/]{0,6})?",
            choices in prop::collection::vec(any::<u8>(), 1..40),
        ) {
            let normal = normal.replace('%', "%E4");
            let other = respelled(&normal, &choices);
            let target = |path: &str| Target::parse(&format!("http://a.example{path}"), false).unwrap();
            let (one, another) = (target(&normal), target(&other));
            prop_assert_eq!(&one.path_and_query, &normal);
            prop_assert_eq!(&another.path_and_query, &normal, "{}", other);
            prop_assert_eq!(one.key(), another.key());
            // what a viewer asks for
            prop_assert_eq!(normal_path_and_query(&other), normal.as_str());
            // what a playlist names
            let playlist = format!("#EXTM3U\n#EXTINF:1,\n{}.ts\n", other.split('?').next().unwrap());
            let children = media::read("http://a.example/p.m3u8", playlist.as_bytes()).unwrap().children;
            let child = Target::parse(&children[0].url, false).unwrap();
            let segment = format!("{}.ts", normal.split('?').next().unwrap());
            prop_assert_eq!(child.key(), target(&segment).key(), "{}", playlist);
            // what a purge names
            if !normal.contains('?') {
                let directory = |path: &str| directory(&format!("http://a.example{path}"), false).unwrap();
                prop_assert_eq!(directory(&other).path_and_query, directory(&normal).path_and_query);
            }
        }

        #[test]
        fn the_normal_form_is_its_own_normal_form(text in "(/|%|2|4|5|e|E|7|\\.|a|\\?|~|\u{e9}|\\{| ){0,24}") {
            let text = format!("/{text}");
            let once = normal_path_and_query(&text).into_owned();
            prop_assert_eq!(normal_path_and_query(&once), once.as_str());
            prop_assert!(once.starts_with('/') && once.is_ascii() && !once.contains(' '));
        }
    }
}
