//! Names of domains: a host, or `*.` and a host for whatever lies below it.
//!
//! Says what such a name is and which hosts it covers; never which of several domains answers.

use crate::target::is_host;

/// Whether `text` can name a domain: a host, or `*.` before a name of at least two labels.
pub fn is_name(text: &str) -> bool {
    match text.strip_prefix("*.") {
        None => is_host(text),
        Some(parent) => {
            let last = parent.rsplit('.').next().unwrap_or_default();
            // below the digits of an address there are no hosts
            let is_address = last.bytes().all(|byte| byte.is_ascii_digit());
            text.len() <= 253 && parent.contains('.') && is_host(parent) && !is_address
        }
    }
}

/// Whether `host` is an IP literal, or a name by the rules of RFC 1123: no label begins or ends with
/// `-`, and none has a `_`.
pub fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| !label.starts_with('-') && !label.ends_with('-');
    is_host(host) && (host.starts_with('[') || !host.contains('_') && host.split('.').all(is_label))
}

/// Whether `text` can stand in a `Host` field (RFC 9110 section 7.2): a host in any letter case, and
/// a port if there is one.
pub fn is_host_field(text: &str) -> bool {
    let end = text.find(']').map_or(0, |end| end + 1);
    let (host, port) = match text[end..].find(':') {
        Some(colon) => (&text[..end + colon], Some(&text[end + colon + 1..])),
        None => (text, None),
    };
    let is_port = |port: &str| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| port > 0)
    };
    is_host_name(host) && port.is_none_or(is_port)
}

/// Whether a domain may be given this name: one that [`is_name`] takes, without what no host name has.
/// Domains of former days may be called otherwise.
pub fn is_new_name(text: &str) -> bool {
    is_name(text) && is_host_name(text.strip_prefix("*.").unwrap_or(text))
}

/// Whether the domain named `name` is a wildcard.
pub fn is_wildcard(name: &str) -> bool {
    name.starts_with("*.")
}

/// Whether `host`, or every host of the wildcard `host`, lies below the wildcard `name`. Nothing
/// lies below another name.
pub fn covers(name: &str, host: &str) -> bool {
    // the point stays, so that no part of a label is taken for a label
    let parent = name.strip_prefix('*').filter(|_| is_wildcard(name));
    parent.is_some_and(|parent| {
        host != name && host.strip_suffix(parent).is_some_and(|below| !below.is_empty())
    })
}

/// The names of the wildcards that could cover `host`, the most specific first.
pub fn wildcards_over(host: &str) -> impl Iterator<Item = String> {
    host.match_indices('.').filter(|(dot, _)| *dot > 0).filter_map(move |(dot, _)| {
        let name = format!("*{}", &host[dot..]);
        (name != host).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_only_before_two_labels() {
        for name in ["a", "a.example", "127.0.0.1", "[::1]", "*.a.example", "*.example.co.uk"] {
            assert!(is_name(name), "{name}");
        }
        let long = format!("*.{}.example", ["x".repeat(63).as_str(); 4].join("."));
        for name in [
            "*",
            "*.",
            "*.example",
            ".a.example",
            "*a.example",
            "*.*.a.example",
            "a.*.example",
            "a.example.*",
            "*.a.example.",
            "*..a.example",
            "*.0.0.1",
            "*.[::1]",
            "*.a.example:80",
            "*.a/b.example",
            "",
            &long,
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_host_name_has_no_underscore_and_no_label_with_a_dash_at_an_end() {
        for host in ["a", "a-b.example", "1.a.example", "127.0.0.1", "[::1]", "localhost", "x--y.a"]
        {
            assert!(is_host_name(host), "{host}");
        }
        for host in ["-a.com", "a-.com", "a.-b.com", "a.b-", "-", "a_b.com", "a._b.com", "", "a..b"]
        {
            assert!(!is_host_name(host), "{host}");
            assert!(!is_new_name(host) && !is_new_name(&format!("*.x.{host}")), "{host}");
        }
        assert!(is_new_name("*.a.example") && !is_new_name("*"));
    }

    #[test]
    fn a_host_field_is_a_host_and_perhaps_a_port() {
        for text in ["a", "A.Example", "a.example:8080", "127.0.0.1:80", "[::1]", "[::1]:81"] {
            assert!(is_host_field(text), "{text}");
        }
        for text in [
            "",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:+80",
            "a:80:81",
            "a b",
            "a/b",
            "u@a",
            "a,b",
            "a\r\nX: 1",
            "*.a.example",
            "a..b",
            "-a",
            "a_b",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:",
            "a#",
            "http://a",
            "a.example.",
            "\u{e9}.example",
            "a\t",
            " a",
        ] {
            assert!(!is_host_field(text), "{text:?}");
        }
    }

    #[test]
    fn a_wildcard_covers_what_lies_below_it_at_any_depth() {
        for host in ["x.a.example", "y.x.a.example", "*.x.a.example"] {
            assert!(covers("*.a.example", host), "{host}");
        }
        for host in ["a.example", "xa.example", ".a.example", "*.a.example", "x.a.example.org"] {
            assert!(!covers("*.a.example", host), "{host}");
        }
        assert!(!covers("a.example", "x.a.example"));
    }

    #[test]
    fn the_nearest_wildcard_comes_first() {
        let over = |host| wildcards_over(host).collect::<Vec<_>>();
        assert_eq!(over("y.x.a.example"), ["*.x.a.example", "*.a.example", "*.example"]);
        assert_eq!(over("*.x.a.example"), ["*.a.example", "*.example"]);
        assert_eq!(over("localhost"), <[String; 0]>::default());
    }
}
