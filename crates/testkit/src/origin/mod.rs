//! A scripted origin server: hyper on port 0 of the loopback interface.
//!
//! Every path has a [`Script`]; a path without one answers 404. Every request is logged as a
//! [`Seen`] with its range and the bytes of content that left for it, so that a test can show that
//! each byte was asked for once.

mod body;
mod reply;
mod script;

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

pub use script::Script;

/// One request that reached the origin.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Request method.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Request fields.
    pub fields: HeaderMap,
    /// First and last byte asked for, when the request carried a range with both.
    pub range: Option<(u64, u64)>,
    /// Status answered; 0 while there is none.
    pub status: u16,
    /// Offset of the first byte of content answered.
    pub start: u64,
    sent: Arc<AtomicU64>,
}

impl Seen {
    /// Bytes of content that left for this request so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// A request field as text; empty when absent.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct State {
    scripts: Mutex<HashMap<String, Arc<Script>>>,
    log: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
}

/// A running scripted origin. Stops when dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    state: Arc<State>,
    gate: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Origin {
    /// Starts an origin on a free port.
    ///
    /// # Panics
    /// When the loopback interface has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(State::default());
        let gate = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&state), gate.subscribe()));
        Self { address, state, gate, _tasks: tasks }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, as a domain's origin is written.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on `path` (with query) follows `script`.
    pub fn on(&self, path: &str, script: Script) {
        lock(&self.state.scripts).insert(path.into(), Arc::new(script));
    }

    /// Opens the gate at which replies of [`Script::hold_after`] wait, for good.
    pub fn release(&self) {
        self.gate.send_replace(true);
    }

    /// All requests so far, oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.state.log).clone()
    }

    /// The requests for `path`, oldest first.
    pub fn requests_for(&self, path: &str) -> Vec<Seen> {
        lock(&self.state.log).iter().filter(|seen| seen.path == path).cloned().collect()
    }

    /// Bytes of content that left for `path`, over all its requests.
    pub fn sent_for(&self, path: &str) -> u64 {
        self.requests_for(path).iter().map(Seen::sent).sum()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

/// `length` bytes that differ from place to place and from `seed` to `seed`, so that a byte at a
/// wrong offset or of another version is noticed.
pub fn content(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<State>, gate: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        state.connections.fetch_add(1, Ordering::SeqCst);
        let _ = stream.set_nodelay(true);
        let (state, gate) = (Arc::clone(&state), gate.clone());
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let (state, gate) = (Arc::clone(&state), gate.clone());
                async move { Ok::<_, Infallible>(answer(request, &state, gate).await) }
            });
            // a client that goes away is what many tests are about
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    state: &State,
    gate: watch::Receiver<bool>,
) -> http::Response<body::Scripted> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let script = lock(&state.scripts).get(&path).cloned();
    let range = reply::asked_range(request.headers());
    let sent = Arc::new(AtomicU64::new(0));
    let (place, earlier) = {
        let mut log = lock(&state.log);
        let earlier = log.iter().filter(|seen| seen.path == path).count();
        log.push(Seen {
            method: request.method().to_string(),
            path,
            fields: request.headers().clone(),
            range: range.and_then(|(start, end)| Some((start, end?))),
            status: 0,
            start: 0,
            sent: Arc::clone(&sent),
        });
        (log.len() - 1, earlier)
    };
    let Some(script) = script else {
        lock(&state.log)[place].status = 404;
        return reply::empty(StatusCode::NOT_FOUND, gate);
    };
    if script.is_silent {
        std::future::pending::<()>().await;
    }
    let reply = reply::decide(&script, &request, range, earlier);
    {
        let seen = &mut lock(&state.log)[place];
        seen.status = reply.status.as_u16();
        seen.start = reply.start;
    }
    reply::send(&script, reply, body::Tap { sent, gate, earlier })
}
