//! What a node says of a request that it sends to another.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use stoker_domain::{task::FetchOptions, time::Timestamp};
use subtle::ConstantTimeEq;

use super::{
    fields::{CLIENT, ERRORS_SINCE, HOPS, OPTIONS, PEER},
    options::{decode_options, encode_options},
    priority,
};
use crate::request::{ForwardedFor, Priority};

/// What stands beside a request of another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerRequest {
    /// Nodes that have passed it on, the one that sends it included.
    pub(crate) hops: u8,
    /// How the content is to be asked for.
    pub(crate) options: Arc<FetchOptions>,
    /// Whose request is passed on.
    pub(crate) client: Option<ForwardedFor>,
    /// A prefetch asks: an error that is kept is an answer only if the origin was asked for it at
    /// this moment or later.
    pub(crate) errors_since: Option<Timestamp>,
    /// Who waits for the reply.
    pub(crate) priority: Priority,
}

impl PeerRequest {
    /// Writes it to `fields`, which hold none of these, with the `secret` that proves the sender.
    pub(crate) fn write(&self, secret: &HeaderValue, fields: &mut HeaderMap) {
        fields.insert(PEER, secret.clone());
        fields.insert(HOPS, HeaderValue::from(u16::from(self.hops)));
        if let Some(options) = encode_options(&self.options) {
            fields.insert(OPTIONS, options);
        }
        if let Some(client) = &self.client {
            fields.insert(CLIENT, client.to_value());
        }
        if let Some(since) = self.errors_since {
            fields.insert(ERRORS_SINCE, HeaderValue::from(since.as_millis()));
        }
        priority::write(self.priority, fields);
    }

    /// What the node that shows the `secret` says; `None` for a viewer, and for a client that claims
    /// to be a node and cannot prove it. An empty `secret` proves nothing.
    pub(crate) fn read(fields: &HeaderMap, secret: &[u8]) -> Option<Self> {
        let shown = fields.get(PEER)?;
        if secret.is_empty() || !bool::from(shown.as_bytes().ct_eq(secret)) {
            return None;
        }
        let hops = fields.get(HOPS).and_then(|hops| hops.to_str().ok()?.parse().ok());
        let since = fields.get(ERRORS_SINCE).and_then(|at| at.to_str().ok()?.parse().ok());
        Some(Self {
            // a node of another version that leaves it out has passed it on all the same
            hops: hops.unwrap_or(1),
            options: Arc::new(fields.get(OPTIONS).and_then(decode_options).unwrap_or_default()),
            client: fields.get(CLIENT).and_then(ForwardedFor::from_value),
            errors_since: since.map(Timestamp::from_millis),
            priority: priority::read(fields),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn bare(hops: u8, options: FetchOptions) -> PeerRequest {
        PeerRequest {
            hops,
            options: Arc::new(options),
            client: None,
            errors_since: None,
            priority: Priority::Interactive,
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let client = |text| ForwardedFor::from_value(&HeaderValue::from_static(text));
        let full = PeerRequest {
            hops: 255,
            options: Arc::new(FetchOptions { disable_range: true, ..FetchOptions::default() }),
            client: client("https 192.0.2.1, 10.0.0.1"),
            errors_since: Some(Timestamp::from_millis(1_700_000_000_123)),
            priority: Priority::Background,
        };
        assert!(full.client.is_some());
        for request in [full, bare(0, FetchOptions::default())] {
            let mut written = HeaderMap::new();
            request.write(&HeaderValue::from_static("secret"), &mut written);
            assert_eq!(PeerRequest::read(&written, b"secret"), Some(request.clone()));
            assert_eq!(PeerRequest::read(&written, b"other"), None);
        }
    }

    #[test]
    fn only_the_secret_makes_a_peer() {
        let claim = fields(&[("stoker-peer", "right"), ("stoker-hops", "3"), ("priority", "u=7")]);
        let peer =
            PeerRequest { priority: Priority::Background, ..bare(3, FetchOptions::default()) };
        assert_eq!(PeerRequest::read(&claim, b"right"), Some(peer));
        for secret in [&b"wrong"[..], b"righ", b"right1", b""] {
            assert_eq!(PeerRequest::read(&claim, secret), None);
        }
        assert_eq!(PeerRequest::read(&fields(&[("stoker-peer", "")]), b""), None);
        assert_eq!(PeerRequest::read(&fields(&[]), b"right"), None);
    }

    #[test]
    fn broken_fields_count_as_absent() {
        let mut asked = fields(&[
            ("stoker-peer", "s"),
            ("stoker-hops", "256"),
            ("stoker-options", "!"),
            ("stoker-client", "ftp 192.0.2.1"),
            ("stoker-errors-since", "soon"),
        ]);
        assert_eq!(PeerRequest::read(&asked, b"s"), Some(bare(1, FetchOptions::default())));
        let wanted = FetchOptions { disable_range: true, ..FetchOptions::default() };
        asked.insert(OPTIONS, encode_options(&wanted).unwrap());
        assert_eq!(PeerRequest::read(&asked, b"s"), Some(bare(1, wanted)));
    }
}
