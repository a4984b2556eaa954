//! The pooled client: one for origins whose addresses are vetted, one for those whose operator
//! allows private addresses and for other nodes. They never share a connection, because a pooled
//! connection is not vetted again.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use rustls::crypto::ring;
use stoker_domain::{
    domain::Domain,
    http::{BadFraming, framed_length},
    outcome::{OriginFault, Outcome},
    retry::Presence,
};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::{
    ALONE, ANSWERED, Ask, FAULT, FAULT_DETAIL, FAULT_RETRY_AFTER, Fault, NOTE, Source,
    aim::{Aim, Shunned},
    bounds,
    connect::{Connector, Timed},
    request::{self, SPOKEN},
    rest::{self, Rests},
};
use crate::{
    fill,
    pace::{Toll, Window},
};

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOuts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// From the request to the head of the reply.
    pub head: Duration,
    /// For the next bytes of content.
    pub idle: Duration,
}

impl Default for TimeOuts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            head: Duration::from_secs(30),
            idle: Duration::from_secs(30),
        }
    }
}

/// How much longer a node waits for its parent than the parent does for what stands before it: then
/// the one that asked the origin tells what it did, and no other speaks for it.
const LONGER: Duration = Duration::from_secs(5);

/// How long a prefetch waits for its turn where a limit holds. A parent that dies is noticed all the
/// same.
const TURN: Duration = Duration::from_secs(3600);

/// How long a parent is waited for.
struct Nested {
    head: Duration,
    idle: Duration,
}

impl Nested {
    /// By a request for what is in `domain`.
    fn of(time_outs: &TimeOuts, domain: &Domain, ask: &Ask) -> Self {
        if ask.is_patient && ask.is_limited {
            return Self { head: TURN, idle: TURN };
        }
        let origin = &domain.origin;
        let own = origin.pull.receive_timeout();
        let servers = 1 + origin.others.len() + origin.backups.len();
        let redirects = if origin.pull.follows_redirects { MAX_REDIRECTS } else { 0 };
        let requests = u32::try_from(servers).unwrap_or(u32::MAX).saturating_mul(1 + redirects);
        let each = time_outs.connect + own.unwrap_or(time_outs.head);
        let longer = LONGER.saturating_mul(ask.nodes_before);
        Self {
            head: each.saturating_mul(requests).saturating_add(longer),
            idle: own.unwrap_or(time_outs.idle).saturating_add(longer),
        }
    }
}

/// Most origins close an unused connection after 60 s or more; whoever closes first wins a race
/// that costs a retry.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Redirections that are followed one after the other.
const MAX_REDIRECTS: u32 = 3;

type Pool = legacy::Client<Timed<HttpsConnector<Connector>>, Empty<Bytes>>;

/// Connections to vetted addresses, and to any.
#[derive(Clone, Debug)]
struct Pools {
    vetted: Pool,
    open: Pool,
}

impl Pools {
    fn new(window: Option<Window>, limit: Duration) -> Self {
        Self { vetted: pool(false, window, limit), open: pool(true, window, limit) }
    }
}

/// Speaks to origins and to other nodes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    free: Pools,
    /// For what is read at a pace, by window: little is on the way ahead of the reader.
    paced: [Pools; Window::ALL.len()],
    time_outs: TimeOuts,
    peer_secret: HeaderValue,
    shunned: Arc<Shunned>,
    rests: Arc<Rests>,
}

impl Client {
    /// A client that shows `peer_secret` to other nodes.
    ///
    /// A secret that cannot stand in a field is never shown, and other nodes then refuse.
    pub fn new(peer_secret: &str, time_outs: TimeOuts) -> Self {
        let mut secret = HeaderValue::from_str(peer_secret)
            .unwrap_or_else(|_| HeaderValue::from_static("unusable"));
        secret.set_sensitive(true);
        Self {
            free: Pools::new(None, time_outs.connect),
            paced: Window::ALL.map(|window| Pools::new(Some(window), time_outs.connect)),
            time_outs,
            peer_secret: secret,
            shunned: Arc::default(),
            rests: Arc::default(),
        }
    }

    /// Sends one GET and awaits the head of the reply.
    ///
    /// # Errors
    /// No reply, or one in which a parent says why it has none.
    pub(crate) async fn get(
        &self,
        source: &Source,
        target: &fill::Request,
        ask: &Ask,
        toll: Option<Toll>,
    ) -> Result<Response, Fault> {
        let (sent, to, idle) = match source {
            Source::Origin(domain) => {
                if let Some(fault) = self.rests.of(domain).filter(|_| ask.is_patient) {
                    return Err(fault);
                }
                let window = toll.as_ref().map(Toll::window);
                let (sent, to) = self.ask_origin(domain, target, ask, window).await?;
                bounds::check(sent.headers(), &to)?;
                (sent, to, domain.origin.pull.receive_timeout().unwrap_or(self.time_outs.idle))
            }
            Source::Parent(node) => {
                let request = request::build_for_parent(node, target, ask, &self.peer_secret)?;
                let nested = Nested::of(&self.time_outs, &target.domain, ask);
                let to = request::parent_name(node);
                let sent = send(&self.free.open, request, nested.head, &to).await;
                (sent.map_err(|sent| sent.fault.seen(true))?, to, nested.idle)
            }
        };
        let is_parent = source.is_parent();
        let (mut head, incoming) = sent.into_parts();
        let note = match is_parent {
            true => hear(&head.headers, head.status, &to)?,
            false => None,
        };
        // said between nodes alone, it never travels on
        for name in SPOKEN {
            head.headers.remove(name);
        }
        let retry_after = rest::asked_for(head.status, &head.headers);
        if let (Some(wanted), Source::Origin(domain)) = (retry_after, source) {
            self.rests.refused(domain, head.status, wanted);
        }
        let alone = head.headers.remove(ALONE).filter(|_| is_parent);
        let is_sized = framed(&head).map_err(|bad| {
            let detail = format!("{to} answered {} with {bad}", head.status);
            Fault::origin(OriginFault::Protocol, detail).seen(is_parent)
        })?;
        Ok(Response {
            status: head.status,
            fields: head.headers,
            retry_after,
            alone: alone.and_then(|outcome| outcome.to_str().ok()?.parse().ok()),
            note,
            content: Content {
                incoming,
                idle,
                waiting: None,
                to,
                is_parent,
                is_patient: is_parent && ask.is_patient,
                is_sized,
                toll,
            },
        })
    }

    /// Asks one server after the other until one replies.
    async fn ask_origin(
        &self,
        domain: &Domain,
        target: &fill::Request,
        ask: &Ask,
        window: Option<Window>,
    ) -> Result<(http::Response<Incoming>, String), Fault> {
        let mut aims = Aim::all(domain, target);
        self.shunned.put_last(&mut aims);
        let mut last = None;
        for aim in aims {
            match self.ask_server(domain, aim, target, ask, window).await {
                Ok(sent) => return Ok(sent),
                Err(fault) => last = Some(fault),
            }
        }
        let fault =
            last.unwrap_or_else(|| Fault::origin(OriginFault::Connect, "the origin has no server"));
        // where it is followed, a redirection may have led to another that is away
        if !domain.origin.pull.follows_redirects && Presence::of(fault.outcome()) == Presence::Away
        {
            self.rests.away(domain, &fault);
        }
        Err(fault)
    }

    /// Asks one server, and where the domain follows redirections those to which it leads.
    async fn ask_server(
        &self,
        domain: &Domain,
        mut aim: Aim,
        target: &fill::Request,
        ask: &Ask,
        window: Option<Window>,
    ) -> Result<(http::Response<Incoming>, String), Fault> {
        let pull = &domain.origin.pull;
        let mut hops = if pull.follows_redirects { MAX_REDIRECTS } else { 0 };
        loop {
            let request = request::build_for_origin(domain, &aim, target, ask)?;
            let pools = window.map_or(&self.free, |window| &self.paced[window.index()]);
            let allows_private = domain.origin.allow_private && !aim.is_foreign;
            let pool = if allows_private { &pools.open } else { &pools.vetted };
            let limit = pull.receive_timeout().unwrap_or(self.time_outs.head);
            let sent = send(pool, request, limit, &aim.name).await.map_err(|unsent| {
                if unsent.is_unconnected {
                    self.shunned.add(&aim);
                }
                unsent.fault
            })?;
            match aim.redirected(domain, sent.status(), sent.headers()).filter(|_| hops > 0) {
                Some(next) => (aim, hops) = (next, hops - 1),
                None => return Ok((sent, aim.name)),
            }
        }
    }
}

/// No reply came.
struct Unsent {
    fault: Fault,
    /// Nor did a connection.
    is_unconnected: bool,
}

async fn send(
    pool: &Pool,
    request: http::Request<Empty<Bytes>>,
    limit: Duration,
    to: &str,
) -> Result<http::Response<Incoming>, Unsent> {
    match timeout(limit, pool.request(request)).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => {
            let is_unconnected = error.is_connect();
            Err(Unsent { fault: Fault::of(&error, to, false), is_unconnected })
        }
        Err(_) => {
            let detail = format!("no reply from {to} within {limit:?}");
            let fault = Fault::origin(OriginFault::Timeout, detail);
            Err(Unsent { fault, is_unconnected: false })
        }
    }
}

fn pool(allows_private: bool, window: Option<Window>, limit: Duration) -> Pool {
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(Arc::new(ring::default_provider()))
        .expect("ring provides the default protocol versions")
        .https_or_http()
        .enable_http1()
        .wrap_connector(Connector { allows_private, window, limit });
    let mut client = legacy::Client::builder(TokioExecutor::new());
    bounds::set(client.pool_timer(TokioTimer::new()).pool_idle_timeout(POOL_IDLE));
    client.build(Timed { inner: tls, limit })
}

/// What a parent says beside its reply: a note. What it does not pass on from the origin, it says
/// in [`FAULT`]; an error that is not marked [`ANSWERED`] was made up on the way, by whatever
/// stands there, and is not the origin's.
fn hear(fields: &HeaderMap, status: StatusCode, to: &str) -> Result<Option<String>, Fault> {
    let text = |name| fields.get(name).and_then(|text: &HeaderValue| text.to_str().ok());
    let told = text(FAULT).and_then(|outcome| outcome.parse().ok());
    if let Some(outcome) = told.filter(|outcome: &Outcome| !outcome.is_success()) {
        let outcome = match outcome {
            // it stops, or gave up its own wish; the target is not given up
            Outcome::Canceled => Outcome::OriginError(OriginFault::Parent),
            outcome => outcome,
        };
        let wanted = text(FAULT_RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
        let detail = fields.get(FAULT_DETAIL).map(HeaderValue::as_bytes).unwrap_or_default();
        let fault = Fault::new(outcome, String::from_utf8_lossy(detail));
        return Err(fault.after(wanted.map(Duration::from_secs)));
    }
    let is_error = status.is_client_error() || status.is_server_error();
    if is_error && !fields.contains_key(ANSWERED) {
        let detail = format!("{to} itself answered {status}: are both nodes of one installation?");
        return Err(Fault::origin(OriginFault::Parent, detail));
    }
    Ok(text(NOTE).map(str::to_owned))
}

/// Whether the framing of a reply gives the length of its content.
fn framed(head: &http::response::Parts) -> Result<bool, BadFraming> {
    match head.status {
        // RFC 9112 section 6.3: they end with their head, whatever it says
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Ok(true),
        _ => framed_length(&head.headers).map(|length| length.is_some()),
    }
}

/// The head of a reply, and its content to come.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    /// How long the origin asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// Why nobody is to keep it, where a parent says so.
    pub(crate) alone: Option<Outcome>,
    /// What the parent notes about it.
    pub(crate) note: Option<String>,
    pub(crate) content: Content,
}

/// Content on its way. Dropping it ends the transfer.
#[derive(Debug)]
pub(crate) struct Content {
    incoming: Incoming,
    idle: Duration,
    /// Runs while nothing comes; content that is there costs no timer.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Who sends it.
    to: String,
    is_parent: bool,
    /// A parent was told that only a prefetch waits for it.
    pub(crate) is_patient: bool,
    /// The framing gives its length, and lets nothing follow.
    pub(crate) is_sized: bool,
    toll: Option<Toll>,
}

impl Content {
    /// Who sends it, as it stands in the detail of a fault.
    pub(crate) fn sender(&self) -> &str {
        &self.to
    }

    /// As [`Self::next`], at the pace of the origin's domain unless `is_urgent`. Cancel safe.
    pub(crate) async fn next_at_pace(
        &mut self,
        is_urgent: impl Fn() -> bool,
    ) -> Option<Result<Bytes, Fault>> {
        if let Some(toll) = &mut self.toll {
            toll.settle(&is_urgent).await;
        }
        let next = self.next().await;
        if let (Some(toll), Some(Ok(bytes))) = (&mut self.toll, &next)
            && !is_urgent()
        {
            toll.count(bytes.len() as u64);
        }
        next
    }

    /// The next bytes; `None` at the end. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Fault>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Self::next`].
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting = None;
                    match frame.into_data() {
                        Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Some(Ok(bytes))),
                        // trailers are not kept
                        _ => {}
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let fault = Fault::of_content(&error, &self.to, self.is_parent);
                    return Poll::Ready(Some(Err(fault)));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        let idle = self.idle;
        let waiting =
            self.waiting.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + idle)));
        waiting.as_mut().poll(cx).map(|()| {
            let detail = format!("no further content from {} within {idle:?}", self.to);
            let fault = Fault::origin(OriginFault::Timeout, detail);
            Some(Err(fault.seen(self.is_parent)))
        })
    }
}

#[cfg(test)]
mod tests {
    use stoker_domain::domain::Server;

    use super::*;
    use crate::origin::request::tests::domain;

    #[test]
    fn a_node_waits_longer_than_its_parent_and_in_turn_for_a_limit() {
        let seconds = Duration::from_secs;
        let time_outs = TimeOuts::default();
        let ask = |nodes_before| Ask { nodes_before, ..Ask::default() };
        let mut domain = domain("http://origin.example".parse().unwrap());
        let waits = |domain: &Domain, ask: &Ask| {
            let Nested { head, idle } = Nested::of(&time_outs, domain, ask);
            (head, idle)
        };
        assert_eq!(waits(&domain, &ask(1)), (seconds(40), seconds(35)));
        assert_eq!(waits(&domain, &ask(2)), (seconds(45), seconds(40)));
        domain.origin.pull.receive_timeout_seconds = Some(100);
        assert_eq!(waits(&domain, &ask(1)), (seconds(110), seconds(105)));
        domain.origin.backups = vec![Server { host: "other.example".into(), port: 80, weight: 1 }];
        assert_eq!(waits(&domain, &ask(1)).0, seconds(215), "each server may hang");
        let limited = Ask { is_limited: true, ..ask(1) };
        assert_eq!(waits(&domain, &limited).0, seconds(215), "a viewer waits for no turn");
        let patient = Ask { is_patient: true, ..limited };
        assert_eq!(waits(&domain, &patient), (TURN, TURN));
    }
}
