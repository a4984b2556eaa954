//! The API on its listeners, plain and TLS: one application, drained as one.
//!
//! Speaks HTTP/1.1. Every request carries its caller's address as `ConnectInfo<SocketAddr>`. A
//! caller who takes too long to say what he wants, at first or after an answer, or to take what he
//! asked for, is hung up on.

use std::{
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

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
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::JoinSet,
};
use tokio_io_timeout::TimeoutWriter;

use super::connections::{Connections, Turn};

/// How long a connection may be without a whole request head. Clients keep theirs for the next call
/// for less.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);

/// How long a caller may take nothing of his answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Who calls, on one connection.
struct Caller {
    peer: SocketAddr,
    turn: Arc<Turn>,
}

/// The API being served.
pub(super) struct Api {
    app: Router,
    most: usize,
    drain: watch::Sender<bool>,
    listeners: JoinSet<()>,
}

impl Api {
    /// With at most `most` connections on each listener.
    pub(super) fn new(app: Router, most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { app, most, drain: watch::Sender::new(false), listeners: JoinSet::new() }
    }

    /// Serves whoever comes to `listener` as well.
    pub(super) fn serve<L: Listener<Addr = SocketAddr>>(&mut self, listener: L) {
        let drain = self.drain.subscribe();
        let connections = Connections::new(self.most);
        self.listeners.spawn(listen(listener, connections, self.app.clone(), drain));
    }

    /// Takes no more calls; those under way have until `cut` to end.
    pub(super) async fn drain(mut self, cut: impl Future<Output = ()>) {
        self.drain.send_replace(true);
        tokio::select! {
            () = async { while self.listeners.join_next().await.is_some() {} } => {}
            () = cut => {
                tracing::warn!("calls were still under way at the end of the grace period");
            }
        }
    }
}

async fn listen<L: Listener<Addr = SocketAddr>>(
    mut listener: L,
    mut connections: Connections,
    app: Router,
    mut drain: watch::Receiver<bool>,
) {
    'listening: loop {
        let (stream, peer) = tokio::select! {
            () = drained(&mut drain) => break,
            () = connections.change() => continue,
            accepted = listener.accept() => accepted,
        };
        while !connections.has_room() {
            tokio::select! {
                () = drained(&mut drain) => break 'listening,
                () = connections.change() => {}
            }
        }
        let (app, drain) = (app.clone(), drain.clone());
        connections.begin(|turn| answer(patient(stream), Caller { peer, turn }, app, drain));
    }
    drop(listener);
    connections.all_ended().await;
}

/// With a bound on how long a caller may take nothing of his answer.
fn patient<S: AsyncRead + AsyncWrite>(stream: S) -> TokioIo<Pin<Box<TimeoutWriter<S>>>> {
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(WRITE_TIMEOUT));
    TokioIo::new(Box::pin(stream))
}

async fn drained(drain: &mut watch::Receiver<bool>) {
    // its other end lives as long as the API is served
    let _ = drain.wait_for(|drain| *drain).await;
}

/// Answers one caller until he goes, or until the call under way is answered after `drain`.
async fn answer<I>(io: I, caller: Caller, app: Router, mut drain: watch::Receiver<bool>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let Caller { peer, turn } = caller;
    let app = TowerToHyperService::new(app);
    let service = service_fn(|mut request: Request<Incoming>| {
        let call = turn.call();
        request.extensions_mut().insert(ConnectInfo(peer));
        let answered = app.call(request.map(Body::new));
        async move {
            let answer = answered.await;
            drop(call);
            answer
        }
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
    use axum::routing::get;
    use bytes::Bytes;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::{Notify, Semaphore},
        time::{Instant, sleep, timeout},
    };

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    async fn serve(app: Router) -> (Api, SocketAddr) {
        serve_at_most(1024, app).await
    }

    async fn serve_at_most(most: u64, app: Router) -> (Api, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut api = Api::new(app, most);
        api.serve(listener);
        (api, address)
    }

    /// Answers when told to; tells when a call has come.
    fn slow() -> (Router, Arc<Semaphore>, Arc<Semaphore>) {
        let (begun, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let parts = (Arc::clone(&begun), Arc::clone(&leave));
        let handler = async move || {
            begun.add_permits(1);
            leave.acquire().await.unwrap().forget();
            "answered"
        };
        (Router::new().route("/", get(handler)), parts.0, parts.1)
    }

    async fn rest_of(mut stream: TcpStream) -> String {
        let mut text = String::new();
        timeout(Duration::from_secs(10), stream.read_to_string(&mut text)).await.unwrap().unwrap();
        text
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

    /// An answer larger than what the system takes for its reader; tells when it is let go.
    struct Large(Vec<u8>, Arc<Notify>);

    impl AsRef<[u8]> for Large {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Large {
        fn drop(&mut self) {
            self.1.notify_one();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_of_his_answer_is_hung_up_on() {
        let gone = Arc::new(Notify::new());
        let told = Arc::clone(&gone);
        let handler = async move || Bytes::from_owner(Large(vec![0; 32 << 20], told));
        let (_api, address) = serve(Router::new().route("/", get(handler))).await;
        let begin = Instant::now();
        let mut caller = TcpStream::connect(address).await.unwrap();
        caller.write_all(REQUEST).await.unwrap();
        timeout(WRITE_TIMEOUT * 2, gone.notified()).await.expect("the answer is still held");
        assert!(begin.elapsed() >= WRITE_TIMEOUT, "{:?}", begin.elapsed());
        let taken = caller.read_to_end(&mut Vec::new()).await;
        assert!(taken.is_ok_and(|taken| taken < 32 << 20), "he cannot have got it all");
    }

    #[tokio::test]
    async fn a_newcomer_takes_the_place_of_whoever_was_idle_longest_but_of_no_call() {
        let (app, begun, leave) = slow();
        let (_api, address) = serve_at_most(3, app).await;
        let connect = async || TcpStream::connect(address).await.unwrap();
        let call = async |caller: &mut TcpStream| caller.write_all(REQUEST).await.unwrap();
        let begins = async || begun.acquire().await.unwrap().forget();
        let mut busy = connect().await;
        call(&mut busy).await;
        begins().await;
        let (mut first, mut second) = (connect().await, connect().await);
        let mut newcomer = connect().await;
        call(&mut newcomer).await;
        begins().await;
        assert_eq!(first.read(&mut [0]).await.unwrap(), 0, "who was idle longest made room");

        call(&mut second).await;
        begins().await;
        let mut late = connect().await;
        call(&mut late).await;
        let waits = timeout(Duration::from_millis(50), begins()).await.is_err();
        assert!(waits, "all others are busy");
        leave.add_permits(1);
        begins().await;
        leave.add_permits(3);
        for mut caller in [busy, second, newcomer, late] {
            let mut answer = [0; 1000];
            let length = caller.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]);
            assert!(answer.ends_with("answered"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_call_under_way_is_answered_and_an_idle_connection_closed_at_the_end() {
        let (app, begun, leave) = slow();
        let (api, address) = serve(app).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        let mut caller = TcpStream::connect(address).await.unwrap();
        caller.write_all(REQUEST).await.unwrap();
        let _ = begun.acquire().await.unwrap();
        let drained = tokio::spawn(api.drain(sleep(Duration::from_secs(10))));
        // the idle one is told first: the end waits for the other alone
        assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
        assert!(!drained.is_finished());
        leave.add_permits(1);
        assert!(rest_of(caller).await.ends_with("answered"));
        drained.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
