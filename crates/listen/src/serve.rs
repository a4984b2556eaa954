//! Accepting and serving, until drained.

use std::{
    convert::Infallible,
    error::Error as StdError,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;

use crate::{
    Bounds, Closed, Connection, Content, Refusal, Reply, Stats,
    guard::Guard,
    table::{FRESH, Shared, Table},
};

/// How long accepting rests when it fails, for example without a descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often connections are counted and slow ones looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// Where connections come from.
pub trait Accept: Send + 'static {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next one, and who is at its other end. May be dropped at any time.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        // fails only where the client has gone already
        let _ = stream.set_nodelay(true);
        Ok((stream, peer))
    }
}

/// A listener's bounds, and what it counts. Clones are of the same one.
#[derive(Clone, Debug)]
pub struct Listener {
    bounds: Bounds,
    shared: Arc<Shared>,
}

impl Listener {
    /// A listener that serves nobody yet.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, shared: Arc::new(Shared::new()) }
    }

    /// How much it takes.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// What it has counted.
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats()
    }

    /// Accepts and serves until `drain`; then waits for the requests that have begun. `abort` ends
    /// even those.
    pub async fn serve<L, A, F, B>(
        self,
        from: L,
        answer: A,
        drain: CancellationToken,
        abort: CancellationToken,
    ) where
        L: Accept,
        A: Fn(Request<Content>, &Connection) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let mut accepting = AcceptLoop {
            table: Table::new(self.bounds),
            number: 0,
            builder: builder(&self.bounds),
            listener: self,
            answer,
            drain,
        };
        accepting.run(from).await;
        tokio::select! {
            () = accepting.table.all_ended() => return,
            () = abort.cancelled() => {}
        }
        accepting.table.abort_all();
        accepting.table.all_ended().await;
    }
}

/// What the accept loop has.
struct AcceptLoop<A> {
    table: Table,
    /// How many have been taken in.
    number: u64,
    listener: Listener,
    builder: http1::Builder,
    answer: A,
    drain: CancellationToken,
}

impl<A> AcceptLoop<A> {
    /// Accepts until drained.
    async fn run<L, F, B>(&mut self, mut from: L)
    where
        L: Accept,
        A: Fn(Request<Content>, &Connection) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let shared = Arc::clone(&self.listener.shared);
        let drain = self.drain.clone();
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waiting = None;
        loop {
            shared.wait(waiting.is_some());
            if waiting.is_some()
                && (!self.table.is_full() || self.table.close_one(&shared))
                && let Some((stream, peer)) = waiting.take()
            {
                self.begin(stream, peer);
            }
            tokio::select! {
                () = drain.cancelled() => break,
                () = self.table.ended() => {}
                _ = sweep.tick() => self.table.sweep(&shared),
                () = shared.freed(), if waiting.is_some() => {}
                () = sleep(FRESH), if waiting.is_some() => {}
                accepted = from.accept(), if waiting.is_none() => match accepted {
                    Ok(accepted) => waiting = Some(accepted),
                    // a client that hung up before being accepted costs the others nothing
                    Err(error) if is_peers(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        // there may be no descriptor left
                        self.table.close_one(&shared);
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }

    fn begin<S, F, B>(&mut self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        A: Fn(Request<Content>, &Connection) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let Listener { bounds, shared } = &self.listener;
        self.number += 1;
        shared.counters.accepted.store(self.number, Ordering::Relaxed);
        let connection = Connection::new(self.number, peer, Arc::clone(shared));
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(bounds.write_timeout));
        let io = TokioIo::new(Guard::new(Box::pin(stream), connection.clone(), bounds));
        let served = Served {
            builder: self.builder.clone(),
            connection: connection.clone(),
            answer: self.answer.clone(),
            drain: self.drain.clone(),
        };
        self.table.begin(connection, served.hold(io));
    }
}

/// Bytes of replies that wait to be sent on one connection, beyond the piece that was taken last; and
/// bytes of a request that are read at once.
const UNSENT: usize = 96 << 10;

/// Whether an error of accepting concerns that one connection alone.
fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn builder(bounds: &Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_buf_size(UNSENT.max(bounds.head_bytes + (32 << 10)))
        .half_close(bounds.half_close);
    builder
}

/// The requests and replies of one connection.
struct Served<A> {
    builder: http1::Builder,
    connection: Connection,
    answer: A,
    drain: CancellationToken,
}

impl<A> Served<A> {
    /// Answers a client until it closes, or until the request under way is answered after `drain`.
    async fn hold<I, F, B>(self, io: I)
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin,
        A: Fn(Request<Content>, &Connection) -> F,
        F: Future<Output = Response<B>>,
        B: Body<Data = Bytes> + Unpin + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let Self { builder, connection, answer, drain } = self;
        let service = service_fn(|request: Request<Incoming>| {
            let begun = connection.begin(!request.body().is_end_stream());
            let answered = match begun {
                Some(refusal) => Err(refusal),
                None => {
                    let content = |incoming| Content::new(incoming, connection.clone());
                    Ok(answer(request.map(content), &connection))
                }
            };
            let connection = connection.clone();
            async move {
                let reply = match answered {
                    Ok(answered) => {
                        let reply = answered.await;
                        connection.replies();
                        reply.map(|content| Reply::new(content, connection))
                    }
                    Err(refusal) => refuse(refusal, connection),
                };
                Ok::<_, Infallible>(reply)
            }
        });
        let mut served = pin!(builder.serve_connection(io, service));
        let ended = tokio::select! {
            ended = served.as_mut() => ended,
            () = drain.cancelled() => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        if let Err(error) = ended {
            if let Some(why) = timeout(&error) {
                connection.shared().counters.closed(why);
            }
            tracing::debug!(peer = %connection.peer(), %error, "a connection ended early");
        }
    }
}

fn timeout(error: &hyper::Error) -> Option<Closed> {
    if error.is_timeout() {
        return Some(Closed::HeadTimeout);
    }
    let source = error.source()?.downcast_ref::<io::Error>()?;
    (source.kind() == io::ErrorKind::TimedOut).then_some(Closed::WriteTimeout)
}

/// The reply to a request that stands for a refused one.
fn refuse<B>(refusal: Refusal, connection: Connection) -> Response<Reply<B>> {
    connection.replies();
    let mut reply = Response::new(Reply::sentence(refusal.sentence(), connection));
    *reply.status_mut() = refusal.status();
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, text);
    // some of these may be kept unless it is said that they may not (RFC 9110 section 15.1)
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

#[cfg(test)]
mod tests;
