//! Which addresses an origin may have. Pure.
//!
//! Refused are all that do not lead to a host on the public Internet, in every disguise in which
//! IPv6 can carry an IPv4 address (IANA special-purpose registries, RFC 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` may be that of a public host.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && b & 0xfe == 18)
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        // multicast, reserved and broadcast
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let low = || {
        let [.., a, b, c, d] = address.octets();
        Ipv4Addr::new(a, b, c, d)
    };
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        // v4-mapped, and the well-known prefix of NAT64
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => is_public_v4(low()),
        // 6to4
        [0x2002, high, low, ..] => is_public_v4(from(high, low)),
        // Teredo hides the client's address by inversion; no origin stands there
        [0x2001, 0, ..] => false,
        // documentation, benchmarking, ORCHID
        [0x2001, 0xdb8, ..] | [0x2001, 2, 0, ..] | [0x2001, 0x10..=0x2f, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // only 2000::/3 is given to hosts; loopback, fc00::/7, fe80::/10 and ff00::/8 lie outside
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_purpose_addresses_are_refused_in_every_disguise() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:53aa:64c::1",
            "2001:db8::1",
            "2001:2::1",
            "2001:10::1",
            "2001:2f::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn public_hosts_are_not() {
        for text in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "191.0.2.1",
            "192.0.1.1",
            "192.0.3.1",
            "192.1.2.1",
            "192.88.98.1",
            "192.88.100.1",
            "192.89.99.1",
            "193.88.99.1",
            "198.17.0.1",
            "198.20.0.1",
            "197.18.0.1",
            "198.51.99.1",
            "198.52.100.1",
            "199.51.100.1",
            "203.0.112.1",
            "203.1.113.1",
            "204.0.113.1",
            "101.64.0.1",
            "169.253.0.1",
            "1.0.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2001:2:1::1",
            "2001:30::1",
            "2001:db7::1",
            "3fff:1000::1",
            "3ffe::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
