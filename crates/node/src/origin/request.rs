//! What a node asks of an origin and of another node.
//!
//! Between nodes plain HTTP/1.1 carries the viewer's `Host` and path, and beside them: the shared
//! secret (`Stoker-Peer`), how the content is to be asked for (`Stoker-Options`), and how many
//! nodes have passed the request on (`Stoker-Hops`). A reply may say why it is what it is
//! (`Stoker-Fault`, `Stoker-Fault-Detail`). None of these ever reaches an origin or a viewer.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Uri,
    header::{
        ACCEPT_ENCODING, CONTENT_LENGTH, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
        IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, USER_AGENT, VIA,
    },
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body_util::Empty;
use stoker_domain::{
    domain::{Domain, Scheme as OriginScheme},
    http::strip_hop_by_hop,
    outcome::OriginFault,
    placement::Node,
    task::FetchOptions,
};

use super::Fault;
use crate::fill;

/// The secret that nodes share.
pub const PEER: HeaderName = HeaderName::from_static("stoker-peer");
/// [`FetchOptions`], as [`encode_options`] writes them; absent = the defaults.
pub const OPTIONS: HeaderName = HeaderName::from_static("stoker-options");
/// How many nodes have passed the request on.
pub const HOPS: HeaderName = HeaderName::from_static("stoker-hops");
/// Present where only a prefetch waits for the reply: viewers' requests are never slowed.
pub const PATIENT: HeaderName = HeaderName::from_static("stoker-patient");
/// The outcome that a reply stands for, when it is a failure.
pub const FAULT: HeaderName = HeaderName::from_static("stoker-fault");
/// The sentence beside it.
pub const FAULT_DETAIL: HeaderName = HeaderName::from_static("stoker-fault-detail");
/// A request that was passed on more often goes in a circle.
pub const MAX_HOPS: u8 = 4;

const DEFAULT_USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("Stoker/", env!("CARGO_PKG_VERSION")));

/// Fields that are made anew or never travel, whoever asked for them.
const OWN: [HeaderName; 15] = [
    ACCEPT_ENCODING,
    CONTENT_LENGTH,
    HOST,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
    PEER,
    OPTIONS,
    HOPS,
    PATIENT,
    FAULT,
    FAULT_DETAIL,
];

/// `options` as a field value; `None` when they are the defaults.
pub fn encode_options(options: &FetchOptions) -> Option<HeaderValue> {
    if *options == FetchOptions::default() {
        return None;
    }
    let json = serde_json::to_vec(options).ok()?;
    HeaderValue::try_from(URL_SAFE_NO_PAD.encode(json)).ok()
}

/// What [`encode_options`] wrote; `None` for anything else.
pub fn decode_options(value: &HeaderValue) -> Option<FetchOptions> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value.as_bytes()).ok()?).ok()
}

/// Who is asked.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The origin of this domain.
    Origin(Arc<Domain>),
    /// Another node.
    Parent(Arc<Node>),
}

impl Source {
    pub(crate) fn is_parent(&self) -> bool {
        matches!(self, Self::Parent(_))
    }

    /// As it stands in the detail of a fault.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Origin(domain) => format!("origin `{}`", domain.origin),
            Self::Parent(node) => format!("parent node `{}`", node.name),
        }
    }
}

/// What is asked beyond the target itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    /// First and last byte.
    pub(crate) range: Option<(u64, u64)>,
    /// The range counts only for this representation.
    pub(crate) if_range: Option<HeaderValue>,
    /// 304 is welcome for this entity tag.
    pub(crate) if_none_match: Option<HeaderValue>,
    /// 304 is welcome when not modified since.
    pub(crate) if_modified_since: Option<HeaderValue>,
    /// Only a prefetch waits for it.
    pub(crate) is_patient: bool,
}

/// The request to `source` for what `request` names.
pub(super) fn build(
    source: &Source,
    request: &fill::Request,
    ask: &Ask,
    peer_secret: &HeaderValue,
) -> Result<Request<Empty<Bytes>>, Fault> {
    let mut fields = request.fields.clone();
    strip_hop_by_hop(&mut fields);
    for name in OWN {
        fields.remove(name);
    }
    let uri = match source {
        Source::Origin(domain) => {
            ask_origin(&mut fields, domain, request);
            uri_of(domain, &request.path_and_query)
        }
        Source::Parent(node) => {
            ask_parent(&mut fields, request, peer_secret);
            if ask.is_patient {
                fields.insert(PATIENT, HeaderValue::from_static("1"));
            }
            parent_uri(node, &request.path_and_query)
        }
    };
    put_conditions(&mut fields, ask);
    let mut built = Request::new(Empty::new());
    *built.uri_mut() = uri.ok_or_else(|| {
        let path = request.path_and_query.split('?').next().unwrap_or_default();
        let detail = format!("cannot ask {} for path `{path}`", source.describe());
        Fault::origin(OriginFault::Protocol, detail)
    })?;
    *built.headers_mut() = fields;
    Ok(built)
}

fn ask_origin(fields: &mut HeaderMap, domain: &Domain, request: &fill::Request) {
    fields.insert(USER_AGENT, DEFAULT_USER_AGENT);
    fields.append(VIA, HeaderValue::from_static("1.1 stoker"));
    for (name, value) in &request.options.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            && !OWN.contains(&name)
        {
            fields.insert(name, value);
        }
    }
    if let Some(Ok(agent)) = request.options.user_agent.as_deref().map(HeaderValue::from_str) {
        fields.insert(USER_AGENT, agent);
    }
    strip_hop_by_hop(fields);
    let host = domain.origin.host_header.as_deref().unwrap_or(&domain.host);
    put_host(fields, host);
}

fn ask_parent(fields: &mut HeaderMap, request: &fill::Request, peer_secret: &HeaderValue) {
    put_host(fields, &request.host);
    fields.insert(PEER, peer_secret.clone());
    fields.insert(HOPS, HeaderValue::from(u16::from(request.hops.saturating_add(1))));
    if let Some(options) = encode_options(&request.options) {
        fields.insert(OPTIONS, options);
    }
}

fn put_host(fields: &mut HeaderMap, host: &str) {
    // a domain's host has been checked; without the field the client writes the URI's
    if let Ok(host) = HeaderValue::from_str(host) {
        fields.insert(HOST, host);
    }
}

fn put_conditions(fields: &mut HeaderMap, ask: &Ask) {
    if let Some((start, end)) = ask.range {
        let range = format!("bytes={start}-{end}");
        fields.insert(
            RANGE,
            HeaderValue::try_from(range).expect("digits and words are visible ASCII"),
        );
    }
    for (name, value) in [
        (IF_RANGE, &ask.if_range),
        (IF_NONE_MATCH, &ask.if_none_match),
        (IF_MODIFIED_SINCE, &ask.if_modified_since),
    ] {
        if let Some(value) = value {
            fields.insert(name, value.clone());
        }
    }
}

fn uri_of(domain: &Domain, path_and_query: &str) -> Option<Uri> {
    let origin = &domain.origin;
    let scheme = match origin.scheme {
        OriginScheme::Http => Scheme::HTTP,
        OriginScheme::Https => Scheme::HTTPS,
    };
    let path = if origin.base_path.is_empty() {
        path_and_query.parse::<PathAndQuery>()
    } else {
        format!("{}{path_and_query}", origin.base_path).parse()
    };
    let authority = format!("{}:{}", origin.host, origin.port).parse::<Authority>();
    let builder = Uri::builder().scheme(scheme).authority(authority.ok()?);
    builder.path_and_query(path.ok()?).build().ok()
}

fn parent_uri(node: &Node, path_and_query: &str) -> Option<Uri> {
    let authority = node.address.parse::<Authority>().ok()?;
    let path = path_and_query.parse::<PathAndQuery>().ok()?;
    Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(path).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_travel_unless_they_are_the_defaults() {
        assert_eq!(encode_options(&FetchOptions::default()), None);
        let options = FetchOptions {
            user_agent: Some("x".into()),
            headers: vec![("A".into(), "b, ü".into())],
            disable_range: true,
            ..FetchOptions::default()
        };
        let value = encode_options(&options).unwrap();
        assert_eq!(decode_options(&value), Some(options));
        assert_eq!(decode_options(&HeaderValue::from_static("%%")), None);
    }
}
