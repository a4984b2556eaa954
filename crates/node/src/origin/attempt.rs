//! Which server of an origin is asked, and where a redirection leads.
//!
//! The servers of a domain are tried in the order that its key has; one to which no connection came
//! about a moment ago is left for the last. A redirection to another server than the domain's leads
//! out of what its operator vouched for: that server gets nothing that was meant for the origin,
//! and its address must be public.

use std::fmt::Write;

use http::{
    HeaderMap, HeaderValue, StatusCode, Uri,
    header::LOCATION,
    uri::{Authority, PathAndQuery, Scheme},
};
use stoker_domain::{
    domain::{NodeDomain, Place, Scheme as OriginScheme},
    host::covers,
    outcome::{Block, Outcome},
    port::is_open,
};
use url::Url;

use super::{
    connect::Server,
    pool::{Owner, PoolKey},
    turns::Line,
};
use crate::{fault::Fault, pace::Window, request::Request};

/// One try of a request at the origin: a server, and what is asked of it.
#[derive(Clone, Debug)]
pub(super) struct OriginAttempt {
    /// Absolute; absent where host and path make no URI.
    pub(super) uri: Option<Uri>,
    /// The `Host` field.
    pub(super) host: String,
    /// The host that was asked for here.
    asked: String,
    /// A redirection led there, out of the domain's servers.
    pub(super) is_foreign: bool,
    /// As it stands in the detail of a fault.
    pub(super) name: String,
    pub(super) server: (String, u16),
}

impl OriginAttempt {
    /// The servers that may be asked, first choice first.
    pub(super) fn all(domain: &NodeDomain, request: &Request) -> Vec<Self> {
        let places = domain.origin.places(request.key);
        places.iter().map(|place| Self::of(domain, place, request)).collect()
    }

    fn of(domain: &NodeDomain, place: &Place<'_>, request: &Request) -> Self {
        let origin = &domain.origin;
        let mut name = format!("origin `{}://{}", origin.scheme.as_str(), place.host);
        if place.port != origin.scheme.default_port() {
            // writing to a text cannot fail
            let _ = write!(name, ":{}", place.port);
        }
        name.push_str(&origin.base_path);
        name.push('`');
        Self {
            uri: uri_of(domain, place, &request.path_and_query),
            host: place.host_header.unwrap_or(&request.host).into(),
            asked: request.host.clone(),
            is_foreign: false,
            name,
            server: (place.host.into(), place.port),
        }
    }

    /// Whose requests are counted with those that are sent there.
    pub(super) fn line(&self, domain: &NodeDomain) -> Line {
        let (host, port) = &self.server;
        let server = if self.is_foreign { String::new() } else { format!("{host}:{port}") };
        Line { domain: domain.name.clone(), server, is_parent: false }
    }

    /// The connections on which it can be asked, read through `window`.
    pub(super) fn pool_key(&self, domain: &NodeDomain, window: Option<Window>) -> PoolKey {
        let is_tls = self.uri.as_ref().and_then(Uri::scheme) == Some(&Scheme::HTTPS);
        let (host, port) = self.server.clone();
        let allows_private = domain.origin.allow_private && !self.is_foreign;
        let server = Server { host, port, is_tls, allows_private, window };
        PoolKey { owner: Owner::Domain(domain.account, domain.name.clone()), server }
    }

    /// Where a reply with `status` and `fields` leads; nowhere unless it is a redirection of a GET
    /// to something that can be asked.
    ///
    /// # Errors
    /// It leads to a port at which no origin may be asked.
    pub(super) fn redirected(
        &self,
        domain: &NodeDomain,
        status: StatusCode,
        fields: &HeaderMap,
    ) -> Option<Result<Self, Fault>> {
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let mut locations = fields.get_all(LOCATION).iter();
        let location = locations.next()?;
        if locations.any(|other| other != location) {
            return None;
        }
        let here = self.uri.as_ref()?;
        let base = Url::parse(&here.to_string()).ok()?;
        let mut url = base.join(&escaped(location)).ok()?;
        let is_http = matches!(url.scheme(), "http" | "https");
        let is_plain = url.username().is_empty() && url.password().is_none();
        if !is_http || !is_plain {
            return None;
        }
        url.set_fragment(None);
        // the origin calls itself by the name under which it was asked, which may lead here, or by
        // that under which viewers know it
        let named = host_and_port(&url);
        let is_known = [&self.host, &self.asked].iter().any(|own| own.eq_ignore_ascii_case(&named));
        if is_known && !self.is_foreign && url.scheme() == base.scheme() {
            url.set_host(base.host_str()).ok()?;
            url.set_port(base.port()).ok()?;
        }
        let server = (url.host_str()?.to_owned(), url.port_or_known_default()?);
        let is_foreign = !domain.origin.has_server(&server.0, server.1);
        if is_foreign && (server.0 == self.asked || covers(&domain.name, &server.0)) {
            // it would be asked of ourselves
            return None;
        }
        let host = match (is_foreign, self.is_foreign) {
            (true, _) => named,
            (false, false) => self.host.clone(),
            (false, true) => domain.origin.host_header.as_ref().unwrap_or(&self.asked).clone(),
        };
        let name =
            format!("`{}://{}`, to which the origin redirects", url.scheme(), host_and_port(&url));
        let asked = self.asked.clone();
        if is_foreign && !is_open(server.1) {
            let detail = format!("{name}: port {} is not asked there", server.1);
            return Some(Err(Fault::new(Outcome::Blocked(Block::Port), detail)));
        }
        Some(Ok(Self { uri: url.as_str().parse().ok(), host, asked, is_foreign, name, server }))
    }
}

/// A reference with its bytes outside ASCII percent-encoded, as browsers do (RFC 3986 has none).
fn escaped(location: &HeaderValue) -> String {
    let mut text = String::with_capacity(location.len());
    for byte in location.as_bytes() {
        if byte.is_ascii() {
            text.push(char::from(*byte));
        } else {
            // writing to a text cannot fail
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// As in a `Host` field.
fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.into(), |port| format!("{host}:{port}"))
}

fn uri_of(domain: &NodeDomain, place: &Place<'_>, path_and_query: &str) -> Option<Uri> {
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
    let authority = format!("{}:{}", place.host, place.port).parse::<Authority>();
    let builder = Uri::builder().scheme(scheme).authority(authority.ok()?);
    builder.path_and_query(path.ok()?).build().ok()
}
