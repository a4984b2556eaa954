//! Serving: answers GET and HEAD of viewers and other nodes from the store, and through a fill
//! where the store does not suffice.
//!
//! The listener (`stoker_listen`) and the agent's read-back use the same [`Service`], so what a
//! read-back sees is what viewers get. Reuse, conditions, ranges: decided in [`stoker_domain::http`]. RFC 9110,
//! RFC 9111, RFC 9112, RFC 9211. No query string and no secret is logged.

mod body;
mod client;
mod forward;
mod hit;
mod holding;
mod refusal;
mod select;
mod selecting;

use std::{
    borrow::Cow,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, Uri, header, request::Parts,
    uri::PathAndQuery,
};
use ipnet::IpNet;
use stoker_agent::Readiness;
use stoker_domain::{
    directory::Directory,
    domain::NodeDomain,
    host::normal_host,
    http::{CacheControl, Forward, LoopGuard, Reuse, StoredResponse, reuse, strip_claims},
    key::Key,
    setting::Status,
    time::{Clock, Timestamp},
    uri::normal_path_and_query,
};
use tokio::sync::watch;

use crate::{
    config::Config,
    fill::Fills,
    peer::{self, MAX_HOPS, PRIORITY, PeerRequest},
    request::{ForwardedFor, stored_url},
    store::{Store, Stored, Verified},
};

pub use self::body::{Body, Error};
use self::refusal::Refusal;
pub(crate) use self::{holding::cached_only, selecting::selecting};

/// Where an origin names the tags by which its responses are purged.
const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");
/// How often it is looked up again what the disk does not give back.
const LOOKS: usize = 2;
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Answers requests. Clones answer from the same store.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    /// This node's name in `Cache-Status`.
    cache: String,
    via: HeaderValue,
    peer_secret: Vec<u8>,
    loops: LoopGuard,
    /// See [`crate::Config::peer_patience`].
    peer_patience: Duration,
    trusted_proxies: Vec<IpNet>,
    store: Store,
    fills: Fills,
    readiness: Readiness,
    directory: watch::Receiver<Arc<Directory>>,
    clock: Arc<dyn Clock>,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    hits: AtomicU64,
    faults: AtomicU64,
    loops: AtomicU64,
}

/// What a node has answered since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Requests, read-backs included.
    pub requests: u64,
    /// Of these, answered from the store alone.
    pub hits: u64,
    /// Of these, ended in an error reply because nothing could be fetched.
    pub faults: u64,
    /// Of these, refused because they had come back from where they were sent.
    pub loops: u64,
}

/// How a reply came to be; an extension of the reply, for the read-back.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    /// What was served from.
    pub(crate) stored: Stored,
    /// Its head.
    pub(crate) fresh_until: Timestamp,
    /// `ETag`, or else `Last-Modified`.
    pub(crate) validator: Option<String>,
}

/// A request, once its domain and its key are known.
struct ClientRequest {
    domain: Arc<NodeDomain>,
    key: Key,
    /// See [`stored_url`]: the host, then path and query, then the epoch of the content.
    url: String,
    host_len: usize,
    path_len: usize,
    is_head: bool,
    fields: HeaderMap,
    /// What the node that asks says of it; none for a viewer.
    peer: Option<PeerRequest>,
    /// The viewer's address, where it is known.
    client: Option<ForwardedFor>,
    /// Whether the reply carries a [`Proof`].
    wants_proof: bool,
}

/// What looking a request up in the store found.
enum Lookup {
    /// An answer.
    Hit(Stored, StoredResponse),
    /// Something else, or nothing.
    Miss(Miss),
}

/// Why upstream is asked, and what is known.
struct Miss {
    /// What may be validated or completed.
    stored: Option<Stored>,
    why: Forward,
    /// The request fields that select what is stored.
    named: Vec<HeaderName>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("cache", &self.0.cache).finish_non_exhaustive()
    }
}

impl Service {
    pub(crate) fn new(
        config: &Config,
        (store, fills): (Store, Fills),
        readiness: Readiness,
        directory: watch::Receiver<Arc<Directory>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            cache: format!("stoker-{}", config.node.name),
            via: HeaderValue::from_static("1.1 stoker"),
            peer_secret: config.peer_secret.as_bytes().to_vec(),
            trusted_proxies: config.trusted_proxies.clone(),
            loops: LoopGuard::new(&config.peer_secret),
            peer_patience: config.peer_patience,
            store,
            fills,
            readiness,
            directory,
            clock,
            counters: Counters::default(),
        }))
    }

    /// Answers a request that comes from this address, and whose content means nothing. Dropping the
    /// future gives the request up; a fill that others wait for goes on.
    pub async fn answer(&self, head: Parts, from: IpAddr) -> Response<Body> {
        self.answer_with(head, Some(from)).await
    }

    /// As [`Self::answer`], with a [`Proof`] among the extensions of a hit.
    pub(crate) async fn prove(&self, head: Parts) -> Response<Body> {
        self.answer_with(head, None).await
    }

    pub(crate) fn answered(&self) -> Answered {
        let counters = &self.0.counters;
        Answered {
            requests: counters.requests.load(Ordering::Relaxed),
            hits: counters.hits.load(Ordering::Relaxed),
            faults: counters.faults.load(Ordering::Relaxed),
            loops: counters.loops.load(Ordering::Relaxed),
        }
    }

    /// `from` nowhere = a read-back, which wants a proof.
    async fn answer_with(&self, head: Parts, from: Option<IpAddr>) -> Response<Body> {
        self.0.counters.requests.fetch_add(1, Ordering::Relaxed);
        let peer = PeerRequest::read(&head.headers, &self.0.peer_secret);
        let is_peer = peer.is_some();
        let mut reply = match self.resolve(head, peer, from) {
            Ok(asked) => self.find_and_answer(asked).await,
            Err(refusal) => refusal.reply(&self.0.cache, is_peer),
        };
        if is_peer {
            peer::mark(reply.headers_mut());
        } else {
            // between origin and caches; the nodes behind this one keep it
            reply.headers_mut().remove(CACHE_TAG);
        }
        reply.headers_mut().append(header::VIA, self.0.via.clone());
        reply
    }

    /// Finds the domain and the key of a request.
    fn resolve(
        &self,
        mut head: Parts,
        peer: Option<PeerRequest>,
        from: Option<IpAddr>,
    ) -> Result<ClientRequest, Refusal> {
        let wants_proof = from.is_none();
        let is_head = match head.method {
            Method::GET => false,
            Method::HEAD => true,
            _ => return Err(Refusal::Method),
        };
        // a read-back belongs to a job, and those come when the node has been ready
        if !wants_proof && !self.0.readiness.is_ready() {
            return Err(Refusal::CatchingUp);
        }
        if peer.as_ref().is_some_and(|peer| peer.hops > MAX_HOPS) {
            return Err(Refusal::Loop);
        }
        let client = match &peer {
            Some(peer) => peer.client.clone(),
            None => {
                from.map(|from| client::forwarded_for(&head.headers, from, &self.0.trusted_proxies))
            }
        };
        if !wants_proof {
            // a read-back has the fields of its task
            strip_claims(&mut head.headers);
            // a viewer's is meant for its own connection; another node's has been read
            head.headers.remove(PRIORITY);
        }
        peer::strip(&mut head.headers);
        drop_repeated(&mut head.headers);
        if let Some(PeerRequest { options, .. }) = &peer
            && !options.headers.is_empty()
        {
            // what the task sends to the origin selects here as it does there
            head.headers.extend(selecting(options));
        }
        let host = normal_host(host(&head.uri, &head.headers).ok_or(Refusal::Host)?);
        if !wants_proof && self.0.loops.is_loop(&head.headers, &host) {
            self.0.counters.loops.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::CameBack);
        }
        let domain = self.0.directory.borrow().domain(&host).cloned();
        let domain = domain.ok_or(Refusal::UnknownDomain)?;
        if domain.status == Status::Offline {
            return Err(Refusal::Offline);
        }
        let path = path_of(&head.uri);
        Ok(ClientRequest {
            key: Key::new(&host, &path),
            url: stored_url(&host, &path, domain.content_epoch),
            host_len: host.len(),
            path_len: path.len(),
            domain,
            is_head,
            fields: head.headers,
            peer,
            client,
            wants_proof,
        })
    }

    async fn find_and_answer(&self, asked: ClientRequest) -> Response<Body> {
        let now = self.0.clock.now();
        let only_if_cached = CacheControl::of(&asked.fields).only_if_cached;
        // who asks whether it is there asks about all of it; a read-back verifies by itself
        let is_verified = only_if_cached && !asked.wants_proof && !asked.has_range();
        let mut miss = Miss::of_nothing();
        for _ in 0..LOOKS {
            match self.look_up(&asked, now).await {
                Lookup::Hit(stored, _)
                    if is_verified && stored.verify().await != Verified::Sound => {}
                Lookup::Hit(stored, response) => {
                    if let Ok(reply) = self.hit(&asked, stored, response, now).await {
                        return reply;
                    }
                }
                Lookup::Miss(found) => {
                    miss = found;
                    break;
                }
            }
            // the disk did not give back what it held; what is left may be built upon
        }
        if only_if_cached {
            return Refusal::OnlyIfCached.reply(&self.0.cache, asked.peer.is_some());
        }
        // boxed, so that the future of a hit stays small
        Box::pin(self.forward(asked, miss)).await
    }

    async fn look_up(&self, asked: &ClientRequest, now: Timestamp) -> Lookup {
        let Some(mut stored) = self.0.store.lookup(asked.key, &asked.url).await else {
            return Lookup::Miss(Miss::of_nothing());
        };
        let Some(response) = stored.response() else {
            return Lookup::Miss(Miss::of_nothing());
        };
        let why = match reuse(response, &asked.fields, now) {
            Reuse::Fresh if stored.is_invalidated() => Forward::Stale,
            Reuse::Fresh if !self.is_answer(asked, response) => Forward::Request,
            Reuse::Fresh if hit::holds(&stored, response, asked) => {
                // taken, not copied: the reply changes its fields
                return match stored.take_response() {
                    Some(response) => Lookup::Hit(stored, response),
                    None => Lookup::Miss(Miss::of_nothing()),
                };
            }
            Reuse::Fresh => Forward::Partial,
            Reuse::Stale if response.is_fresh(now) => Forward::Request,
            Reuse::Stale => Forward::Stale,
            Reuse::VaryMiss => Forward::VaryMiss,
        };
        let named = response.vary.iter().map(|(name, _)| name.clone()).collect();
        Lookup::Miss(Miss { stored: (why != Forward::VaryMiss).then_some(stored), why, named })
    }
}

impl Miss {
    fn of_nothing() -> Self {
        Self { stored: None, why: Forward::UriMiss, named: Vec::new() }
    }
}

impl Service {
    /// Whether `response`, which is fresh, is what `asked` wants: a prefetch wants the content.
    fn is_answer(&self, asked: &ClientRequest, response: &StoredResponse) -> bool {
        let errors_since = asked.peer.as_ref().and_then(|peer| peer.errors_since);
        self.0.fills.is_answer(asked.key, response.status, errors_since)
    }
}

impl ClientRequest {
    fn has_range(&self) -> bool {
        self.fields.contains_key(header::RANGE)
    }

    fn path_and_query(&self) -> &str {
        &self.url[self.host_len..][..self.path_len]
    }

    fn host(&self) -> &str {
        &self.url[..self.host_len]
    }
}

/// Removes what may stand once and stands twice, as if it were not there: a range of which nobody
/// knows which is meant, and dates that are none (RFC 9110 sections 5.3, 13.1.3 and 13.1.4).
fn drop_repeated(fields: &mut HeaderMap) {
    let is_repeated = |fields: &HeaderMap, name| fields.get_all(name).iter().nth(1).is_some();
    if is_repeated(fields, header::RANGE) || is_repeated(fields, header::IF_RANGE) {
        fields.remove(header::RANGE);
        fields.remove(header::IF_RANGE);
    }
    for name in [header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE] {
        if is_repeated(fields, name.clone()) {
            fields.remove(name);
        }
    }
}

/// Path and query in normal form; absolute targets may leave the path out.
fn path_of(uri: &Uri) -> Cow<'_, str> {
    normal_path_and_query(uri.path_and_query().map_or("/", PathAndQuery::as_str))
}

/// The host that a request names: that of an absolute target, else its one `Host` field
/// (RFC 9112 section 3.2.2).
fn host<'a>(uri: &'a Uri, fields: &'a HeaderMap) -> Option<&'a str> {
    let mut lines = fields.get_all(header::HOST).into_iter();
    let line = lines.next();
    if lines.next().is_some() {
        return None;
    }
    let named = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => line?.to_str().ok()?.trim(),
    };
    (!named.is_empty() && !named.contains('@')).then_some(named)
}
