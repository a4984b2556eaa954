//! Hosts and the names of domains: which texts are one, their normal form, and which lies below which.
//!
//! A domain is named by a host, or by `*.` and a host for whatever lies below it. All other modules ask
//! here what a host is; which of several domains answers for one, [`crate::placement`] decides, and
//! whose it is, [`crate::ownership`].

use std::{borrow::Cow, net::Ipv6Addr};

/// Whether `host` is a name or an IP literal, IPv6 in brackets.
pub fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|literal| literal.parse::<Ipv6Addr>().is_ok());
    }
    !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
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
    // the port of an IPv6 literal stands behind its bracket
    let end = text.find(']').unwrap_or(0);
    let (host, port) = match text[end..].find(':') {
        Some(colon) => (&text[..end + colon], Some(&text[end + colon + 1..])),
        None => (text, None),
    };
    let is_port = |port: &str| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| port > 0)
    };
    is_host_name(host) && port.is_none_or(is_port)
}

/// Whether `host` is an IP literal, or a name that ends in a number and so can be nothing else (WHATWG
/// URL, section 3.5).
pub fn is_address(host: &str) -> bool {
    host.starts_with('[') || ends_in_number(host)
}

/// `host` without its port and without a final dot. Brackets of an IPv6 literal stay.
pub fn bare_host(host: &str) -> &str {
    let bare = match host.rfind(':') {
        Some(colon) if host[colon + 1..].bytes().all(|byte| byte.is_ascii_digit()) => {
            let head = &host[..colon];
            // `::1` without brackets has a colon but no port
            if head.contains(':') && !head.ends_with(']') { host } else { head }
        }
        _ => host,
    };
    bare.strip_suffix('.').unwrap_or(bare)
}

/// `host` as domains and keys have it: [`bare_host`], in lower case.
pub fn normal_host(host: &str) -> Cow<'_, str> {
    let bare = bare_host(host);
    if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(bare.to_ascii_lowercase())
    } else {
        Cow::Borrowed(bare)
    }
}

/// Whether `text` can name a domain: a host, or `*.` before a name of at least two labels.
pub fn is_domain_name(text: &str) -> bool {
    match text.strip_prefix("*.") {
        None => is_host(text),
        Some(parent) => {
            let is_below_address = ends_in_number(parent);
            text.len() <= 253 && parent.contains('.') && is_host(parent) && !is_below_address
        }
    }
}

/// Whether a domain may be given this name: one that [`is_domain_name`] takes, without what no host name has.
/// Domains that were added before this rule may have other names.
pub fn is_new_domain_name(text: &str) -> bool {
    is_domain_name(text) && is_host_name(base_host(text))
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

/// The host that a wildcard is below; another name as it is.
pub fn base_host(domain: &str) -> &str {
    domain.strip_prefix("*.").unwrap_or(domain)
}

/// The normal form of the name of a domain: lower case, without the point of the root.
pub fn normal_name(given: &str) -> String {
    given.strip_suffix('.').unwrap_or(given).to_ascii_lowercase()
}

/// Whether `host` is `name`, or lies below it.
pub fn is_at_or_below(host: &str, name: &str) -> bool {
    // an address has nothing below it, however its digits end
    host == name
        || !is_address(host)
            && host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
}

/// Below the digits of an address there are no hosts.
fn ends_in_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
