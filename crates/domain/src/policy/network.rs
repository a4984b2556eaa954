//! Networks in conditions: one address or a CIDR block, of IPv4 or IPv6.
//!
//! Bits after the prefix may be set and do not count (the vendor's examples have them). An IPv4
//! address mapped into IPv6 is the IPv4 address.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// A block of addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network(IpNet);

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/PREFIX`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address.parse().ok()?, Some(prefix)),
            None => (text.parse().ok()?, None),
        };
        let network = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                IpNet::new(address, digits.parse().ok()?).ok()?
            }
            Some(_) => return None,
            None => IpNet::from(address),
        };
        Some(Self(unmapped(network).unwrap_or(network)))
    }

    /// Whether `address` lies in it.
    pub(super) fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// The block of IPv4 that a block of mapped addresses is; nothing where it holds others too.
fn unmapped(network: IpNet) -> Option<IpNet> {
    let IpNet::V6(network) = network else { return None };
    let prefix = network.prefix_len().checked_sub(96)?;
    Some(Ipv4Net::new(network.addr().to_ipv4_mapped()?, prefix).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_the_addresses_that_share_its_prefix() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.217.182.3/24", "10.217.182.200", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1/32", "10.0.0.0", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("2001:db8::1", "2001:db8::2", false),
            ("2001:db8::/126", "2001:db8::4", false),
            ("::/0", "::1", true),
            ("::/0", "1.2.3.4", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
        ] {
            let found = Network::parse(network).unwrap().contains(address.parse().unwrap());
            assert_eq!(found, expected, "{network} {address}");
        }
    }

    #[test]
    fn what_is_not_a_block_is_not_read() {
        for text in
            ["", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0", "10.0.0.0/+8", "a/8", "*"]
        {
            assert!(Network::parse(text).is_none(), "{text}");
        }
    }
}
