//! Who a viewer is, as the origin may hear of it: the address of the connection, or what proxies say
//! that the operator trusts.
//!
//! The origin hears it only with a request that is made for this viewer alone: what is kept for others must not
//! depend on it. Between nodes it travels in a field of their own.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::request::ForwardedFor;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Proxies of one request that are believed at most.
const MOST_PROXIES: usize = 16;

/// Who sent a request with `fields` over a connection that comes from `from`.
///
/// `X-Forwarded-For` is read from its end, and each address in it is believed as far as the one behind
/// it is `trusted`: the first that is not is the client. `X-Forwarded-Proto` counts where the
/// connection comes from a trusted proxy.
pub(super) fn forwarded_for(fields: &HeaderMap, from: IpAddr, trusted: &[IpNet]) -> ForwardedFor {
    let nearest = from.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut forwarded = ForwardedFor { nearest, before: Vec::new(), is_https: false };
    if is_trusted(&nearest) {
        forwarded.is_https =
            last_word(fields, &FORWARDED_PROTO).is_some_and(|word| word == "https");
        for address in words(fields, &FORWARDED_FOR).rev().map_while(address).take(MOST_PROXIES) {
            forwarded.before.push(address);
            if !is_trusted(&address) {
                break;
            }
        }
    }
    forwarded
}

fn last_word<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    words(fields, name).next_back()
}

/// The members of all lines of a field, in order; a line that is not ASCII has none.
fn words<'a>(
    fields: &'a HeaderMap,
    name: &HeaderName,
) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
    let lines: Vec<_> = fields.get_all(name).iter().map(HeaderValue::to_str).collect();
    let words = lines.into_iter().flat_map(|line| line.unwrap_or_default().split(','));
    words.map(str::trim)
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(word: &str) -> Option<IpAddr> {
    let bare = word.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let address = bare.or_else(|_| word.parse::<SocketAddr>().map(|address| address.ip()));
    Some(address.ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(from: &str, lines: &[(&'static str, &str)], trusted: &[&str]) -> String {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let trusted: Vec<_> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let forwarded = forwarded_for(&fields, from.parse().unwrap(), &trusted);
        let (addresses, proto) = forwarded.fields();
        format!("{} {}", addresses.to_str().unwrap(), proto.to_str().unwrap())
    }

    #[test]
    fn strangers_are_believed_nothing() {
        let lines = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https")];
        assert_eq!(of("192.0.2.1", &lines, &[]), "192.0.2.1 http");
        assert_eq!(of("192.0.2.1", &lines, &["10.0.0.0/8", "::/0"]), "192.0.2.1 http");
        assert_eq!(of("2001:db8::1", &lines, &["10.0.0.0/8"]), "2001:db8::1 http");
    }

    #[test]
    fn trusted_proxies_are_believed_as_far_as_they_reach() {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"];
        for (chain, expected) in [
            (&["203.0.113.9"][..], "203.0.113.9, 10.0.0.1"),
            (&["198.51.100.1, 203.0.113.9"], "203.0.113.9, 10.0.0.1"),
            (&["198.51.100.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9, 10.0.0.2, 10.0.0.1"),
            (&["203.0.113.9", "10.0.0.2"], "203.0.113.9, 10.0.0.2, 10.0.0.1"),
            (&["203.0.113.9:4711, [2001:db8::2]:80"], "203.0.113.9, 2001:db8::2, 10.0.0.1"),
            (&["[2001:db9::2]"], "2001:db9::2, 10.0.0.1"),
            (&["::ffff:203.0.113.9"], "203.0.113.9, 10.0.0.1"),
            (&["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2, 10.0.0.1"),
            (&["203.0.113.9, evil\"\\, <x>"], "10.0.0.1"),
            (&[""], "10.0.0.1"),
            (&[], "10.0.0.1"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3, 10.0.0.2, 10.0.0.1"),
        ] {
            let lines: Vec<_> = chain.iter().map(|line| ("x-forwarded-for", *line)).collect();
            assert_eq!(of("10.0.0.1", &lines, &trusted), format!("{expected} http"), "{chain:?}");
            // the same over IPv6 sockets
            let mapped = of("::ffff:10.0.0.1", &lines, &trusted);
            assert_eq!(mapped, format!("{expected} http"), "{chain:?}");
        }
        let many = vec!["10.0.0.9"; 1000].join(",");
        let forwarded = of("10.0.0.1", &[("x-forwarded-for", &many)], &trusted);
        assert_eq!(forwarded.matches("10.0.0.9").count(), MOST_PROXIES);
    }

    #[test]
    fn the_scheme_is_that_of_the_last_proxy_if_it_is_one() {
        let trusted = ["10.0.0.0/8"];
        for (proto, expected) in [
            ("https", "https"),
            ("http", "http"),
            ("http, https", "https"),
            ("https, http", "http"),
            ("evil", "http"),
            ("", "http"),
        ] {
            let forwarded = of("10.0.0.1", &[("x-forwarded-proto", proto)], &trusted);
            assert_eq!(forwarded, format!("10.0.0.1 {expected}"), "{proto}");
        }
    }
}
