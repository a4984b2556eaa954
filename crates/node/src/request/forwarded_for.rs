//! Who a viewer is, for an origin that is asked for him alone.

use std::net::IpAddr;

use http::HeaderValue;

/// The client of a request and the proxies between him and the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedFor {
    /// Who has the connection: the client, or a trusted proxy.
    pub nearest: IpAddr,
    /// Who is before that, the nearest first and the client last.
    pub before: Vec<IpAddr>,
    /// Whether the client spoke TLS.
    pub is_https: bool,
}

impl ForwardedFor {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    pub fn fields(&self) -> (HeaderValue, HeaderValue) {
        let addresses = self.before.iter().rev().chain([&self.nearest]);
        let addresses: Vec<_> = addresses.map(ToString::to_string).collect();
        let proto = if self.is_https { "https" } else { "http" };
        let addresses = HeaderValue::try_from(addresses.join(", "));
        (addresses.expect("addresses are visible ASCII"), HeaderValue::from_static(proto))
    }

    /// As it travels between nodes.
    pub fn to_value(&self) -> HeaderValue {
        let (addresses, proto) = self.fields();
        let text = [proto.as_bytes(), b" ", addresses.as_bytes()].concat();
        HeaderValue::from_bytes(&text).expect("both are visible ASCII")
    }

    /// What [`Self::to_value`] wrote; `None` for anything else.
    pub fn from_value(value: &HeaderValue) -> Option<Self> {
        let (proto, addresses) = value.to_str().ok()?.split_once(' ')?;
        let is_https = match proto {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let mut addresses = addresses.rsplit(", ").map(str::parse);
        let nearest = addresses.next()?.ok()?;
        Some(Self { nearest, before: addresses.collect::<Result<_, _>>().ok()?, is_https })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written_and_nothing_else_is() {
        for text in ["https 192.0.2.1", "http 192.0.2.1, 2001:db8::1, 10.0.0.1"] {
            let told = ForwardedFor::from_value(&HeaderValue::from_static(text)).unwrap();
            assert_eq!(told.to_value(), text);
            assert_eq!(told.fields().0.to_str().unwrap(), text.split_once(' ').unwrap().1);
        }
        for text in ["", "http", "http ", "ftp 192.0.2.1", "http x", "http 192.0.2.1,10.0.0.1"] {
            let value = HeaderValue::from_static(text);
            assert_eq!(ForwardedFor::from_value(&value), None, "{text}");
        }
    }
}
