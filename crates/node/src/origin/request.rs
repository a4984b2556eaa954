//! What a node asks of an origin and of another node.
//!
//! Decides which request fields travel, which are made anew, and what stands in them. What nodes say
//! to each other besides is in `peer`; none of that ever reaches an origin.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{
        ACCEPT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
        IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, USER_AGENT, VIA,
    },
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body_util::Empty;
use stoker_domain::{
    domain::{HeaderMode, HeaderRule, NodeDomain},
    http::{CDN_LOOP, LoopGuard, strip_hop_by_hop},
    outcome::OriginFault,
    placement::Node,
    uri::may_lead_above,
};

use super::attempt::OriginAttempt;
use crate::{
    fault::Fault,
    peer::{self, PeerRequest},
    request::{Priority, Request},
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

const DEFAULT_USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("Stoker/", env!("CARGO_PKG_VERSION")));

/// Fields that are made anew in each request.
const OWN: [HeaderName; 9] = [
    ACCEPT_ENCODING,
    CONTENT_LENGTH,
    HOST,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
];

/// Whether a field is made anew or never travels.
fn is_own(name: &HeaderName) -> bool {
    OWN.contains(name) || peer::is_reserved(name)
}

/// Who is asked.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The origin of this domain.
    Origin(Arc<NodeDomain>),
    /// Another node.
    Parent(Arc<Node>),
}

impl Source {
    pub(crate) fn is_parent(&self) -> bool {
        matches!(self, Self::Parent(_))
    }

    /// As it stands in the detail of a fault; of an origin, its first server.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Origin(domain) => format!("origin `{}`", domain.origin),
            Self::Parent(node) => parent_name(node),
        }
    }
}

pub(super) fn parent_name(node: &Node) -> String {
    format!("parent node `{}`", node.name)
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
    /// Who waits for it.
    pub(crate) priority: Priority,
    /// How many nodes stand between this one and the origin.
    pub(crate) nodes_before: u32,
    /// The origin is read at a pace for prefetches: the parent may have to wait for its turn.
    pub(crate) is_limited: bool,
    /// Request fields of the task that are not sent.
    pub(crate) without: Vec<HeaderName>,
    /// It goes on with what has begun to come.
    pub(crate) is_further: bool,
    /// It makes another request interactive that is on its way already.
    pub(crate) is_promotion: bool,
}

/// The request to the server that `attempt` names for what `request` names.
pub(super) fn build_for_origin(
    domain: &NodeDomain,
    attempt: &OriginAttempt,
    request: &Request,
    ask: &Ask,
    loops: &LoopGuard,
) -> Result<http::Request<Empty<Bytes>>, Fault> {
    let base = &domain.origin.base_path;
    let path = request.path_and_query.split('?').next().unwrap_or_default();
    if !base.is_empty() && may_lead_above(path) {
        let detail = format!("`{path}` may lead above the base path `{base}` of the origin");
        return Err(Fault::origin(OriginFault::Protocol, detail));
    }
    let mut fields = match attempt.is_foreign {
        // what the viewer and the task say is for the origin alone
        true => only(&request.fields, &CDN_LOOP),
        false => passed_on(request.for_origin()),
    };
    ask_origin(&mut fields, ask, attempt, (domain, request));
    loops.mark(&mut fields, &request.host);
    finish(fields, attempt.uri.clone(), request, ask, &attempt.name)
}

/// The request to another node for what `request` names.
pub(super) fn build_for_parent(
    node: &Node,
    request: &Request,
    ask: &Ask,
    peer_secret: &HeaderValue,
) -> Result<http::Request<Empty<Bytes>>, Fault> {
    let mut fields = passed_on(request.fields.clone());
    put_host(&mut fields, &request.host);
    let beside = PeerRequest {
        hops: request.hops.saturating_add(1),
        options: Arc::clone(&request.options),
        client: request.client.clone(),
        errors_since: request.errors_since,
        priority: ask.priority,
    };
    beside.write(peer_secret, &mut fields);
    let uri = parent_uri(node, &request.path_and_query);
    finish(fields, uri, request, ask, &parent_name(node))
}

/// The lines of one field.
fn only(fields: &HeaderMap, name: &HeaderName) -> HeaderMap {
    fields.get_all(name).into_iter().map(|value| (name.clone(), value.clone())).collect()
}

/// The fields of the viewer that travel.
fn passed_on(mut fields: HeaderMap) -> HeaderMap {
    strip_hop_by_hop(&mut fields);
    peer::strip(&mut fields);
    for name in OWN {
        fields.remove(name);
    }
    fields
}

fn finish(
    mut fields: HeaderMap,
    uri: Option<Uri>,
    request: &Request,
    ask: &Ask,
    to: &str,
) -> Result<http::Request<Empty<Bytes>>, Fault> {
    put_conditions(&mut fields, ask);
    let mut built = http::Request::new(Empty::new());
    *built.uri_mut() = uri.ok_or_else(|| {
        let path = request.path_and_query.split('?').next().unwrap_or_default();
        let detail = format!("cannot ask {to} for path `{path}`");
        Fault::origin(OriginFault::Protocol, detail)
    })?;
    *built.headers_mut() = fields;
    Ok(built)
}

fn ask_origin(
    fields: &mut HeaderMap,
    ask: &Ask,
    attempt: &OriginAttempt,
    (domain, request): (&NodeDomain, &Request),
) {
    for name in &ask.without {
        // another node passed it on as if it were a viewer's
        fields.remove(name);
    }
    // a viewer's counts where it was handed on
    fields.entry(USER_AGENT).or_insert(DEFAULT_USER_AGENT);
    if let Some(client) = request.client_for_origin().filter(|_| !attempt.is_foreign) {
        let (addresses, proto) = client.fields();
        fields.insert(FORWARDED_FOR, addresses);
        fields.insert(FORWARDED_PROTO, proto);
    }
    if !attempt.is_foreign {
        for (name, value) in &request.options.headers {
            if let (Ok(name), Ok(value)) = (name.parse(), HeaderValue::from_str(value))
                && !is_own(&name)
                && !ask.without.contains(&name)
            {
                fields.insert(name, value);
            }
        }
    }
    let options = &request.options;
    let given = options.user_agent.as_deref().filter(|_| !ask.without.contains(&USER_AGENT));
    let agent = given.or(options.default_user_agent.as_deref());
    if let Some(Ok(agent)) = agent.map(HeaderValue::from_str) {
        fields.insert(USER_AGENT, agent);
    }
    if !attempt.is_foreign {
        for rule in domain.origin.pull.headers_for(&request.path_and_query) {
            change(fields, rule);
        }
    }
    strip_hop_by_hop(fields);
    put_host(fields, &attempt.host);
}

/// Does what `rule` says, unless the field is made anew or never travels.
fn change(fields: &mut HeaderMap, rule: &HeaderRule) {
    let Ok(name) = rule.name.parse::<HeaderName>() else { return };
    if is_own(&name) || [VIA, EXPECT, CDN_LOOP].contains(&name) {
        return;
    }
    match (rule.mode, HeaderValue::from_str(&rule.value)) {
        (HeaderMode::Del, _) => {
            fields.remove(name);
        }
        (HeaderMode::Set, Ok(value)) => {
            fields.insert(name, value);
        }
        (HeaderMode::Add, Ok(value)) => {
            fields.append(name, value);
        }
        (_, Err(_)) => {}
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

fn parent_uri(node: &Node, path_and_query: &str) -> Option<Uri> {
    let authority = node.address.parse::<Authority>().ok()?;
    let path = path_and_query.parse::<PathAndQuery>().ok()?;
    Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(path).build().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use http::StatusCode;
    use stoker_domain::{
        account::AccountId,
        domain::{Domain, Origin, Paths},
        key::Key,
        task::FetchOptions,
        time::Timestamp,
    };

    use super::*;
    use crate::request::{Handed, Intent};

    /// A domain with this origin, and nothing else said.
    pub(crate) fn domain(origin: Origin) -> NodeDomain {
        Domain::new("www.example.com", AccountId(1), origin, Timestamp::default()).for_nodes()
    }

    #[test]
    fn a_server_out_of_the_domain_gets_nothing_that_is_for_the_origin() {
        let mut origin: Origin = "http://192.0.2.1".parse().unwrap();
        let (mode, paths) = (HeaderMode::Set, Paths::All);
        let (name, value) = ("x-rule".into(), "1".into());
        origin.pull.headers = vec![HeaderRule { mode, name, value, paths }];
        let domain = domain(origin);
        let mut fields = HeaderMap::new();
        fields.insert("authorization", HeaderValue::from_static("Basic eDp5"));
        fields.insert("accept-language", HeaderValue::from_static("de"));
        let headers = vec![("X-Task".into(), "1".into())];
        let options = FetchOptions { headers, ..FetchOptions::default() };
        let request = Request {
            key: Key::new("www.example.com", "/a"),
            domain: Arc::new(domain),
            host: "www.example.com".into(),
            path_and_query: "/a".into(),
            fields,
            handed: Handed::default(),
            options: Arc::new(options),
            intent: Intent::Prefetch,
            hops: 0,
            client: None,
            priority: Priority::Background,
            errors_since: None,
        };
        let attempt = OriginAttempt::all(&request.domain, &request).remove(0);
        let ask = Ask { range: Some((0, 9)), ..Ask::default() };
        let names = |attempt: &OriginAttempt| {
            let loops = LoopGuard::new("secret");
            let built = build_for_origin(&request.domain, attempt, &request, &ask, &loops).unwrap();
            let mut names: Vec<_> = built.headers().keys().map(ToString::to_string).collect();
            names.sort_unstable();
            (built.uri().to_string(), built.headers()[HOST].clone(), names.join(" "))
        };
        let (uri, host, all) = names(&attempt);
        assert_eq!(
            (uri.as_str(), host.as_bytes()),
            ("http://192.0.2.1:80/a", &b"www.example.com"[..])
        );
        assert_eq!(all, "authorization cdn-loop host range user-agent via x-rule x-task");
        let mut reply = HeaderMap::new();
        reply.insert("location", HeaderValue::from_static("https://other.example:8081/b#c"));
        let there =
            attempt.redirected(&request.domain, StatusCode::FOUND, &reply).unwrap().unwrap();
        let (uri, host, few) = names(&there);
        assert_eq!(
            (uri.as_str(), host.as_bytes()),
            ("https://other.example:8081/b", &b"other.example:8081"[..])
        );
        assert_eq!(few, "cdn-loop host range user-agent via");

        // it speaks for itself alone: neither its name nor ours becomes that of the other
        let mut back = |location: &'static str| {
            reply.insert("location", HeaderValue::from_static(location));
            there.redirected(&request.domain, StatusCode::FOUND, &reply)
        };
        assert!(back("https://www.example.com/c").is_none());
        let (uri, host, all) = names(&back("http://192.0.2.1/d").unwrap().unwrap());
        assert_eq!(
            (uri.as_str(), host.as_bytes()),
            ("http://192.0.2.1/d", &b"www.example.com"[..])
        );
        assert!(all.contains("x-rule"));
        let blocked = back("http://other.example:25/").unwrap().unwrap_err().outcome();
        assert_eq!(blocked.to_string(), "blocked:port");
    }
}
