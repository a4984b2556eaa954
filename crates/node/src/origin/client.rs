//! Asks origins and other nodes: which server, on which connection, and how long each is waited for.
//!
//! Connections are lent by [`super::pool`], turns are given by [`super::turns`].

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use stoker_domain::{
    domain::NodeDomain,
    http::{LoopGuard, settle_single},
    key::Key,
    outcome::{Block, OriginFault, Outcome},
    placement::Node,
    retry::Presence,
};
use tokio::{select, time::timeout};

use super::{
    Ask, Source,
    attempt::OriginAttempt,
    bounds, cause,
    connect::{ConnectError, Connector, Resolver, Server, system},
    content::{Content, Exchange, Response, framed},
    cooldown::{self, OriginCooldowns, ServerCooldowns},
    pool::{IdleBounds, Lent, Owner, Pool, PoolKey, Pooled},
    request,
    turns::{Bounds, InFlight, Line, Purpose, Turn, Turns},
};
use crate::{
    fault::Fault,
    pace::{Reservation, Window},
    peer::{self, Remarks},
    request::Request,
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
    /// By a request for what is in `domain`, where each server may be waited `turn` for.
    fn of(time_outs: &TimeOuts, turn: Duration, domain: &NodeDomain, ask: &Ask) -> Self {
        if ask.priority.is_background() && ask.is_limited {
            return Self { head: TURN, idle: TURN };
        }
        let origin = &domain.origin;
        let own = origin.pull.receive_timeout();
        let servers = 1 + origin.others.len() + origin.backups.len();
        let redirects = if origin.pull.follows_redirects { MAX_REDIRECTS } else { 0 };
        let requests = u32::try_from(servers).unwrap_or(u32::MAX).saturating_mul(1 + redirects);
        let each = turn + time_outs.connect + own.unwrap_or(time_outs.head);
        let longer = LONGER.saturating_mul(ask.nodes_before);
        Self {
            head: each.saturating_mul(requests).saturating_add(longer),
            idle: own.unwrap_or(time_outs.idle).saturating_add(longer),
        }
    }
}

/// Redirections that are followed one after the other.
const MAX_REDIRECTS: u32 = 3;

/// Resolves when a viewer waits for what only a prefetch wanted.
pub(super) type Promoted<'a, 'f> = &'a (dyn Fn() -> BoxFuture<'f, ()> + Sync + 'a);

/// Never.
pub(crate) const NEVER_PROMOTED: Promoted<'static, 'static> = &|| Box::pin(std::future::pending());

/// Speaks to origins and to other nodes. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pool: Pool,
    turns: Turns,
    time_outs: TimeOuts,
    peer_secret: HeaderValue,
    loops: LoopGuard,
    server_cooldowns: Arc<ServerCooldowns>,
    origin_cooldowns: Arc<OriginCooldowns>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("turns", &self.turns).finish_non_exhaustive()
    }
}

/// What a node has to do with origins and with other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contacts {
    /// Requests.
    pub in_flight: InFlight,
    /// Connections.
    pub connections: Pooled,
}

impl Client {
    /// A client that shows `peer_secret` to other nodes, within the default bounds.
    ///
    /// A secret that cannot stand in a field is never shown, and other nodes then refuse.
    pub fn new(peer_secret: &str, time_outs: TimeOuts) -> Self {
        let mut secret = HeaderValue::from_str(peer_secret)
            .unwrap_or_else(|_| HeaderValue::from_static("unusable"));
        secret.set_sensitive(true);
        let bounds = Bounds::default();
        let connector = Connector::new(system(), time_outs.connect);
        Self {
            pool: Pool::new(connector, idle_bounds(&bounds)),
            turns: Turns::new(bounds),
            time_outs,
            peer_secret: secret,
            loops: LoopGuard::new(peer_secret),
            server_cooldowns: Arc::default(),
            origin_cooldowns: Arc::default(),
        }
    }

    /// The same within `bounds`; connections and requests are counted anew.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        let pool = Pool::new(self.pool.connector().clone(), idle_bounds(&bounds));
        Self { pool, turns: Turns::new(bounds), ..self }
    }

    /// The same, with names found by `resolver` instead of the system.
    #[must_use]
    pub fn resolving(self, resolver: Resolver) -> Self {
        let connector = self.pool.connector().resolving(resolver);
        Self { pool: Pool::new(connector, self.pool.bounds()), ..self }
    }

    /// What is in flight, waits and is kept now.
    pub fn contacts(&self) -> Contacts {
        Contacts { in_flight: self.turns.in_flight(), connections: self.pool.pooled() }
    }

    /// How many origins are left alone by prefetches now.
    pub fn cooling_down(&self) -> usize {
        self.origin_cooldowns.len()
    }

    /// Sends one GET and awaits the head of the reply, after its turn has come: that of a viewer as
    /// soon as there is `promoted`.
    ///
    /// # Errors
    /// No turn, no reply, or one in which a parent says why it has none.
    pub(crate) async fn get(
        &self,
        source: &Source,
        target: &Request,
        ask: &Ask,
        reservation: Option<Reservation>,
        promoted: Promoted<'_, '_>,
    ) -> Result<Response, Fault> {
        let (head, content) = match source {
            Source::Origin(domain) => {
                let resting = self.origin_cooldowns.of(domain);
                if let Some(fault) = resting.filter(|_| ask.priority.is_background()) {
                    return Err(fault);
                }
                let window = reservation.as_ref().map(Reservation::window);
                let asking = Asking { domain, target, ask, window, promoted };
                let (mut head, exchange, to) = self.ask_origin(&asking).await?;
                settle_single(&mut head.headers).map_err(|bad| {
                    let detail = format!("{to} answered {} with {bad}", head.status);
                    Fault::origin(OriginFault::Protocol, detail)
                })?;
                bounds::check(&head.headers, &to)?;
                refuse_misfits(&head, &to)?;
                let idle = domain.origin.pull.receive_timeout().unwrap_or(self.time_outs.idle);
                (head, Content::new(exchange, to, idle))
            }
            Source::Parent(node) => self.ask_parent(node, target, ask, promoted).await?,
        };
        let response = self.received(source, (target, ask), head, content)?;
        let content = response.content.reserved_by(reservation);
        Ok(Response { content, ..response })
    }

    /// Reads what the head of a reply says.
    fn received(
        &self,
        source: &Source,
        (target, ask): (&Request, &Ask),
        mut head: http::response::Parts,
        content: Content,
    ) -> Result<Response, Fault> {
        let is_parent = source.is_parent();
        let Remarks { note, alone } = if is_parent {
            peer::read_reply(&mut head.headers, head.status, content.sender())?
        } else {
            // an origin may send such fields: they mean nothing here and never travel on
            peer::strip(&mut head.headers);
            Remarks::default()
        };
        let retry_after = cooldown::asked_for(head.status, &head.headers);
        // what was answered to one viewer does not hold for all
        if let (Some(wanted), Source::Origin(domain)) = (retry_after, source)
            && !target.tells_of_viewer()
        {
            self.origin_cooldowns.refused(domain, head.status, wanted);
        }
        let is_sized = framed(&head).map_err(|bad| {
            let detail = format!("{} answered {} with {bad}", content.sender(), head.status);
            Fault::origin(OriginFault::Protocol, detail).met_at(is_parent)
        })?;
        let content = content.sized(is_sized);
        Ok(Response {
            status: head.status,
            fields: head.headers,
            retry_after,
            alone,
            note,
            content: if is_parent { content.of_parent(ask.priority) } else { content },
        })
    }

    async fn ask_parent(
        &self,
        node: &Arc<Node>,
        target: &Request,
        ask: &Ask,
        promoted: Promoted<'_, '_>,
    ) -> Result<(http::response::Parts, Content), Fault> {
        let request = request::build_for_parent(node, target, ask, &self.peer_secret)?;
        let to = request::parent_name(node);
        let line = Line {
            domain: target.domain.name.clone(),
            server: node.address.clone(),
            is_parent: true,
        };
        let turn = self.turn(line, target, ask, promoted, &to).await?;
        let turn_time = self.turns.bounds().patience;
        let nested = Nested::of(&self.time_outs, turn_time, &target.domain, ask);
        let (host, port) = node.address.rsplit_once(':').unwrap_or((&node.address, "80"));
        let server = Server {
            host: host.into(),
            port: port.parse().unwrap_or(80),
            is_tls: false,
            allows_private: true,
            window: None,
        };
        let key = Arc::new(PoolKey { owner: Owner::Parent, server });
        let sent = self.send(&key, request, nested.head, &to).await;
        let (reply, lent) = sent.map_err(|unsent| unsent.fault.met_at(true))?;
        let (head, incoming) = reply.into_parts();
        Ok((head, Content::new(Exchange::new(incoming, lent, turn), to, nested.idle)))
    }

    /// Waits until the request may be sent.
    async fn turn(
        &self,
        line: Line,
        target: &Request,
        ask: &Ask,
        promoted: Promoted<'_, '_>,
        to: &str,
    ) -> Result<Turn, Fault> {
        let line = Arc::new(line);
        let viewer = match ask.is_further {
            true => Purpose::Further,
            false => Purpose::Viewer(flow(target)),
        };
        let acquired = if ask.is_promotion {
            self.turns.acquire(&line, Purpose::Promotion).await
        } else if ask.priority.is_background() {
            select! {
                biased;
                acquired = self.turns.acquire(&line, Purpose::Prefetch) => acquired,
                () = promoted() => self.turns.acquire(&line, viewer).await,
            }
        } else {
            self.turns.acquire(&line, viewer).await
        };
        acquired.map_err(|_| {
            let detail = format!("too many requests wait for {to}");
            let soon = self.turns.bounds().patience.max(Duration::from_secs(1));
            Fault::origin(OriginFault::Busy, detail).after(Some(soon))
        })
    }

    /// Asks one server after the other until one replies.
    async fn ask_origin(&self, asking: &Asking<'_, '_>) -> Result<Reply, Fault> {
        let domain = asking.domain;
        let mut attempts = OriginAttempt::all(domain, asking.target);
        self.server_cooldowns.put_last(&mut attempts);
        let mut last = None;
        for attempt in attempts {
            match self.ask_server(asking, attempt).await {
                Ok(sent) => return Ok(sent),
                Err(fault) => last = Some(fault),
            }
        }
        let fault =
            last.unwrap_or_else(|| Fault::origin(OriginFault::Connect, "the origin has no server"));
        // where it is followed, a redirection may have led to another that is away
        if !domain.origin.pull.follows_redirects && Presence::of(fault.outcome()) == Presence::Away
        {
            self.origin_cooldowns.away(domain, &fault);
        }
        Err(fault)
    }

    /// Asks one server, and where the domain follows redirections those to which it leads.
    async fn ask_server(
        &self,
        asking: &Asking<'_, '_>,
        mut attempt: OriginAttempt,
    ) -> Result<Reply, Fault> {
        let Asking { domain, target, ask, window, promoted } = asking;
        let pull = &domain.origin.pull;
        let mut hops = if pull.follows_redirects { MAX_REDIRECTS } else { 0 };
        loop {
            let request = request::build_for_origin(domain, &attempt, target, ask, &self.loops)?;
            let (line, key) = (attempt.line(domain), attempt.pool_key(domain, *window));
            let turn = self.turn(line, target, ask, *promoted, &attempt.name).await?;
            let limit = pull.receive_timeout().unwrap_or(self.time_outs.head);
            let sent = self.send(&Arc::new(key), request, limit, &attempt.name).await;
            let (reply, lent) = sent.map_err(|unsent| {
                if unsent.is_unconnected {
                    self.server_cooldowns.add(&attempt);
                }
                unsent.fault
            })?;
            let next = match hops {
                0 => None,
                _ => attempt.redirected(domain, reply.status(), reply.headers()),
            };
            let (head, incoming) = reply.into_parts();
            let exchange = Exchange::new(incoming, lent, turn);
            match next {
                Some(next) => {
                    // the turn is free before the next is waited for
                    exchange.leave();
                    (attempt, hops) = (next?, hops - 1);
                }
                None => return Ok((head, exchange, attempt.name)),
            }
        }
    }

    /// Sends `request` on a connection of `key`, at once: the turn has come.
    async fn send(
        &self,
        key: &Arc<PoolKey>,
        mut request: http::Request<Empty<Bytes>>,
        limit: Duration,
        to: &str,
    ) -> Result<(http::Response<Incoming>, Lent), Unsent> {
        // RFC 9112 section 3.2.1: origin-form; the host stands in its field
        if let Some(target) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = target.into();
        }
        match timeout(limit, self.exchange(key, request)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => {
                let is_unconnected = matches!(error, SendError::Connect(_));
                Err(Unsent { fault: cause::of_request(error, to, false), is_unconnected })
            }
            Err(_) => {
                let detail = format!("no reply from {to} within {limit:?}");
                let fault = Fault::origin(OriginFault::Timeout, detail);
                Err(Unsent { fault, is_unconnected: false })
            }
        }
    }

    async fn exchange(
        &self,
        key: &Arc<PoolKey>,
        request: http::Request<Empty<Bytes>>,
    ) -> Result<(http::Response<Incoming>, Lent), SendError> {
        let mut lent = self.pool.lend(key, false).await?;
        if lent.is_reused {
            match lent.sender.send_request(request.clone()).await {
                Ok(reply) => return Ok((reply, lent)),
                Err(error) if error.is_parse() => return Err(error.into()),
                // it was closed meanwhile, or could not be used again
                Err(_) => lent = self.pool.lend(key, true).await?,
            }
        }
        let reply = lent.sender.send_request(request).await?;
        Ok((reply, lent))
    }
}

/// A head, its content, and who sent it.
type Reply = (http::response::Parts, Exchange, String);

/// What an origin is asked.
struct Asking<'a, 'f> {
    domain: &'a NodeDomain,
    target: &'a Request,
    ask: &'a Ask,
    window: Option<Window>,
    promoted: Promoted<'a, 'f>,
}

/// Why an exchange did not come about; the outermost names only the step.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("cannot connect")]
    Connect(#[from] ConnectError),
    #[error("cannot exchange messages")]
    Exchange(#[from] hyper::Error),
}

/// No reply came.
struct Unsent {
    fault: Fault,
    /// Nor did a connection.
    is_unconnected: bool,
}

fn idle_bounds(bounds: &Bounds) -> IdleBounds {
    let (each, all, age) = (bounds.idle_each, bounds.idle, bounds.idle_age);
    IdleBounds { each, all, age, open: bounds.connections }
}

/// The flow in which a viewer waits: that of the path, whatever the query.
fn flow(target: &Request) -> u64 {
    let path = target.path_and_query.split('?').next().unwrap_or_default();
    let mut first = [0; 8];
    first.copy_from_slice(&Key::new(&target.host, path).0[..8]);
    u64::from_le_bytes(first)
}

/// Refuses replies of an origin that answer no GET, and those that say that it goes in a circle.
fn refuse_misfits(head: &http::response::Parts, to: &str) -> Result<(), Fault> {
    match head.status {
        // RFC 9110 section 15.2.2: nobody asked for an upgrade
        StatusCode::SWITCHING_PROTOCOLS => {
            let detail = format!("{to} answered 101 to a request without Upgrade");
            Err(Fault::origin(OriginFault::Protocol, detail))
        }
        // RFC 5842 section 7.2
        StatusCode::LOOP_DETECTED => {
            let detail = format!("{to} answered 508: the request came back to where it began");
            Err(Fault::new(Outcome::Blocked(Block::Loop), detail))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use stoker_domain::domain::Server;

    use super::*;
    use crate::{origin::request::tests::domain, request::Priority};

    #[test]
    fn a_node_waits_longer_than_its_parent_and_in_turn_for_a_limit() {
        let seconds = Duration::from_secs;
        let time_outs = TimeOuts::default();
        let ask = |nodes_before| Ask { nodes_before, ..Ask::default() };
        let mut domain = domain("http://origin.example".parse().unwrap());
        let waits = |domain: &NodeDomain, ask: &Ask| {
            let Nested { head, idle } = Nested::of(&time_outs, Duration::ZERO, domain, ask);
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
        let background = Ask { priority: Priority::Background, ..limited };
        assert_eq!(waits(&domain, &background), (TURN, TURN));
    }
}
