//! Who asks: a viewer, or another node that shows the secret of the installation.
//!
//! Fields that begin with `Stoker-` are spoken between nodes only. A viewer's are dropped before
//! anything acts on them, and none is ever sent to a viewer.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use stoker_domain::{task::FetchOptions, time::Timestamp};
use subtle::ConstantTimeEq;

use crate::{
    origin::{CLIENT, ERRORS_SINCE, HOPS, OPTIONS, PEER, decode_options},
    request::ForwardedFor,
};

/// Who asks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A viewer, or somebody who claims to be a node and cannot prove it.
    Viewer,
    /// Another node.
    Peer {
        /// Nodes passed so far.
        hops: u8,
        /// How the content is to be asked for.
        options: Box<FetchOptions>,
        /// Whose request it passes on.
        client: Option<ForwardedFor>,
        /// See [`crate::request::Request::errors_since`].
        errors_since: Option<Timestamp>,
    },
}

impl Caller {
    pub(super) fn is_peer(&self) -> bool {
        matches!(self, Self::Peer { .. })
    }

    pub(super) fn errors_since(&self) -> Option<Timestamp> {
        match self {
            Self::Peer { errors_since, .. } => *errors_since,
            Self::Viewer => None,
        }
    }
}

/// Who sent a request with `fields`. An empty `secret` is nobody's.
pub(super) fn identify(fields: &HeaderMap, secret: &[u8]) -> Caller {
    let Some(shown) = fields.get(PEER) else { return Caller::Viewer };
    if secret.is_empty() || !bool::from(shown.as_bytes().ct_eq(secret)) {
        return Caller::Viewer;
    }
    let hops = fields.get(HOPS).and_then(|hops| hops.to_str().ok()?.parse().ok()).unwrap_or(1);
    let options = Box::new(fields.get(OPTIONS).and_then(decode_options).unwrap_or_default());
    let errors_since = fields.get(ERRORS_SINCE).and_then(|at| at.to_str().ok()?.parse().ok());
    let client = fields.get(CLIENT).and_then(ForwardedFor::from_value);
    Caller::Peer { hops, options, client, errors_since: errors_since.map(Timestamp::from_millis) }
}

/// The fields that a task sends to the origin, as far as they may select a response: conditions,
/// ranges and directives are not taken, they would change what is served.
pub(crate) fn selecting(options: &FetchOptions) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in &options.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            && !NOT_SELECTING.contains(&name)
        {
            fields.insert(name, value);
        }
    }
    fields
}

const NOT_SELECTING: [HeaderName; 9] = [
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::HOST,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
];

/// Removes every field that only nodes may speak.
pub(super) fn strip_internal(fields: &mut HeaderMap) {
    let internal: Vec<HeaderName> =
        fields.keys().filter(|name| name.as_str().starts_with("stoker-")).cloned().collect();
    for name in internal {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::encode_options;

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_the_secret_makes_a_peer() {
        let claim = fields(&[("stoker-peer", "right"), ("stoker-hops", "3")]);
        let options = FetchOptions::default();
        let peer =
            Caller::Peer { hops: 3, options: Box::new(options), client: None, errors_since: None };
        assert_eq!(identify(&claim, b"right"), peer);
        for secret in [&b"wrong"[..], b"righ", b"right1", b""] {
            assert_eq!(identify(&claim, secret), Caller::Viewer);
        }
        assert_eq!(identify(&fields(&[("stoker-peer", "")]), b""), Caller::Viewer);
        assert_eq!(identify(&fields(&[]), b"right"), Caller::Viewer);
    }

    #[test]
    fn options_travel_and_broken_ones_count_as_none() {
        let wanted = FetchOptions { disable_range: true, ..FetchOptions::default() };
        let mut asked = fields(&[("stoker-peer", "s")]);
        asked.insert(OPTIONS, encode_options(&wanted).unwrap());
        let peer = |options| Caller::Peer {
            hops: 1,
            options: Box::new(options),
            client: None,
            errors_since: None,
        };
        assert_eq!(identify(&asked, b"s"), peer(wanted));
        asked.insert(OPTIONS, HeaderValue::from_static("!"));
        assert_eq!(identify(&asked, b"s"), peer(FetchOptions::default()));
    }

    #[test]
    fn internal_fields_are_stripped_and_others_stay() {
        let mut asked = fields(&[("stoker-peer", "s"), ("stoker-x", "1"), ("accept", "*/*")]);
        strip_internal(&mut asked);
        assert_eq!(asked, fields(&[("accept", "*/*")]));
    }
}
