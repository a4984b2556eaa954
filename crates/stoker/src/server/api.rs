//! The API on its listeners, plain and TLS: one application, drained as one.
//!
//! Speaks HTTP/1.1. Every request carries its caller's address as `ConnectInfo<SocketAddr>`. A
//! caller who takes too long to say what he wants, at first or after an answer, is hung up on.

use std::{net::SocketAddr, pin::pin, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, serve::Listener};
use http::Request;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

/// How long a connection may be without a whole request head. Clients keep theirs for the next call
/// for less.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);

/// The API being served.
pub(super) struct Api {
    app: Router,
    drain: watch::Sender<bool>,
    listeners: JoinSet<()>,
}

impl Api {
    pub(super) fn new(app: Router) -> Self {
        Self { app, drain: watch::Sender::new(false), listeners: JoinSet::new() }
    }

    /// Serves whoever comes to `listener` as well.
    pub(super) fn serve<L: Listener<Addr = SocketAddr>>(&mut self, listener: L) {
        let drain = self.drain.subscribe();
        self.listeners.spawn(listen(listener, self.app.clone(), drain));
    }

    /// Takes no more calls; those under way have `grace` to end.
    pub(super) async fn drain(mut self, grace: Duration) {
        self.drain.send_replace(true);
        let ends = async { while self.listeners.join_next().await.is_some() {} };
        if timeout(grace, ends).await.is_err() {
            tracing::warn!("calls were still under way at the end of the grace period");
        }
    }
}

async fn listen<L: Listener<Addr = SocketAddr>>(
    mut listener: L,
    app: Router,
    mut drain: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = drained(&mut drain) => break,
            // so that those that ended are not kept
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        connections.spawn(answer(TokioIo::new(stream), peer, app.clone(), drain.clone()));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn drained(drain: &mut watch::Receiver<bool>) {
    // its other end lives as long as the API is served
    let _ = drain.wait_for(|drain| *drain).await;
}

/// Answers one caller until he goes, or until the call under way is answered after `drain`.
async fn answer<I>(io: I, peer: SocketAddr, app: Router, mut drain: watch::Receiver<bool>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let app = TowerToHyperService::new(app);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        app.call(request.map(Body::new))
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut connection = pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drained(&mut drain) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::Semaphore,
        time::Instant,
    };

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    async fn serve(app: Router) -> (Api, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut api = Api::new(app);
        api.serve(listener);
        (api, address)
    }

    fn own_address() -> Router {
        Router::new()
            .route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()))
    }

    #[tokio::test]
    async fn a_request_carries_its_callers_address() {
        let (_api, address) = serve(own_address()).await;
        let mut caller = TcpStream::connect(address).await.unwrap();
        let own = caller.local_addr().unwrap();
        caller.write_all(REQUEST).await.unwrap();
        let mut answer = vec![0; 1000];
        let length = caller.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.ends_with(&format!("\r\n\r\n{own}")), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_says_nothing_is_hung_up_on() {
        let (_api, address) = serve(own_address()).await;
        for beginning in ["", "GET / HTTP/1.1\r\nHost: x\r\n"] {
            let begin = Instant::now();
            let mut caller = TcpStream::connect(address).await.unwrap();
            caller.write_all(beginning.as_bytes()).await.unwrap();
            // paused time moves on as soon as there is nothing else to do
            let end = timeout(HEAD_TIMEOUT * 2, caller.read_to_end(&mut Vec::new())).await;
            assert!(end.is_ok(), "still connected after {beginning:?}");
            assert!(begin.elapsed() >= HEAD_TIMEOUT, "{:?}", begin.elapsed());
        }
    }

    #[tokio::test]
    async fn a_call_under_way_is_answered_and_an_idle_connection_closed_at_the_end() {
        let (begun, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let handler = {
            let (begun, leave) = (Arc::clone(&begun), Arc::clone(&leave));
            async move || {
                begun.add_permits(1);
                let _ = leave.acquire().await;
                "answered"
            }
        };
        let (api, address) = serve(Router::new().route("/", get(handler))).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        let mut caller = TcpStream::connect(address).await.unwrap();
        caller.write_all(REQUEST).await.unwrap();
        let _ = begun.acquire().await.unwrap();
        let drained = tokio::spawn(api.drain(Duration::from_secs(10)));
        // the idle one is told first: the end waits for the other alone
        assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
        assert!(!drained.is_finished());
        leave.add_permits(1);
        let mut answer = String::new();
        caller.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("answered"), "{answer}");
        drained.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
