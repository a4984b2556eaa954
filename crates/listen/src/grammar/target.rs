//! Request targets and hosts (RFC 9112 section 3.2, RFC 3986 section 3.2, RFC 9110 section 7.2).
//!
//! Which host is served is decided elsewhere; here it is only decided whether it can be one.

use std::{net::Ipv6Addr, str};

use super::Refusal;

/// Whether a target has a form that `method` may have. CONNECT is refused before.
pub(super) fn check(method: &[u8], target: &[u8]) -> Result<(), Refusal> {
    let is_good = match target {
        b"*" => method == b"OPTIONS",
        [b'/', ..] => is_path_and_query(target),
        _ => is_absolute(target),
    };
    if is_good { Ok(()) } else { Err(Refusal::Target) }
}

/// The absolute form: a URI of the schemes http or https without user information. Its host is the
/// one that counts (RFC 9112 section 3.2.2).
fn is_absolute(target: &[u8]) -> bool {
    let Some(rest) = without_scheme(target) else { return false };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    is_authority(authority) && (rest.is_empty() || is_path_and_query(rest))
}

/// What follows `http://` or `https://`.
pub(super) fn without_scheme(text: &[u8]) -> Option<&[u8]> {
    let is =
        |scheme: &[u8]| text.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
    [&b"http://"[..], b"https://"].into_iter().find(|scheme| is(scheme)).map(|s| &text[s.len()..])
}

/// Characters that RFC 3986 wants encoded and that clients send as they are pass, as far as they end
/// nothing, UTF-8 included: who looks for a resource brings them into normal form. Control
/// characters, spaces, `#` and bytes that are not UTF-8 do not pass.
fn is_path_and_query(bytes: &[u8]) -> bool {
    if !bytes.is_ascii() && str::from_utf8(bytes).is_err() {
        return false;
    }
    let mut rest = bytes.iter().copied();
    for byte in rest.by_ref() {
        match byte {
            b'?' => {
                return rest
                    .all(|byte| matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'~' | 0x80..));
            }
            b'!' | b'"' | b'$'..=b';' | b'=' | b'@'..=b'_' | b'a'..=b'~' | 0x80.. => {}
            _ => return false,
        }
    }
    true
}

/// A host with or without a port, and no user information.
pub(super) fn is_authority(authority: &[u8]) -> bool {
    let (host, port) = match authority {
        [b'[', ..] => match authority.iter().position(|byte| *byte == b']') {
            Some(end) => authority.split_at(end + 1),
            None => return false,
        },
        _ => {
            let colon = authority.iter().position(|byte| *byte == b':').unwrap_or(authority.len());
            authority.split_at(colon)
        }
    };
    is_host(host) && is_port(port)
}

fn is_host(host: &[u8]) -> bool {
    match host {
        [b'[', address @ .., b']'] => {
            str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
        }
        _ => is_name(host),
    }
}

/// A registered name; IPv4 addresses are among them. Nothing is encoded in the name of a domain.
fn is_name(name: &[u8]) -> bool {
    let is_good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte);
    !name.is_empty() && name.iter().all(is_good)
}

/// Nothing, or a colon and a number of at most 65535; the number may be missing (RFC 3986 section
/// 3.2.3).
fn is_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] => {
            digits.iter().all(u8::is_ascii_digit)
                && digits.iter().skip_while(|digit| **digit == b'0').count() <= 5
                && digits.iter().fold(0_u32, |port, digit| {
                    port.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
                }) <= u32::from(u16::MAX)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for good in ["a", "a.example", "a.example:80", "a:", "127.0.0.1:65535", "[::1]", "[::1]:8"]
        {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        let long = format!("a:{}1", "9".repeat(40));
        for bad in ["", ":80", "u@a", "a:b", "a:99999", "a:-1", "a b", "[::1", "[a]", "::1", "a/b"]
        {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
        assert!(!is_authority(long.as_bytes()));
        assert!(!is_authority(b"a%20b") && !is_authority("ä".as_bytes()));
    }

    #[test]
    fn each_method_has_its_forms() {
        for (method, good) in [
            ("GET", "/"),
            ("GET", "/a?b=[c]|{d}"),
            ("GET", "/ä?ö"),
            ("GET", "http://a.example"),
            ("GET", "HTTPS://a.example:8080/b?c"),
            ("GET", "http://a.example?b"),
            ("OPTIONS", "*"),
        ] {
            assert_eq!(check(method.as_bytes(), good.as_bytes()), Ok(()), "{good}");
        }
        for bad in [
            "*",
            "",
            "a",
            "a.example:80",
            "?a",
            "ftp://a/b",
            "http://",
            "http:///a",
            "http:/a",
            "http://u@a/",
            "http://a:99999/",
            "/a#b",
            "/a?b#c",
            "/a?\u{7f}",
            "/<",
            "/a\0b",
        ] {
            assert_eq!(check(b"GET", bad.as_bytes()), Err(Refusal::Target), "{bad}");
        }
        assert_eq!(check(b"GET", b"/\xe4"), Err(Refusal::Target));
    }
}
