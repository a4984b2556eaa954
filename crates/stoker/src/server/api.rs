//! The API and its status on their listeners: one application, drained as one.
//!
//! Every request carries the caller's address as `ConnectInfo<SocketAddr>`, and its [`Connection`], on
//! which the gateway marks that the caller is verified.

use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use http::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use stoker_listen::{Accept, Bounds, Connection, Content, Listener};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// An application being served.
pub(super) struct Api {
    app: Router,
    bounds: Bounds,
    drain: CancellationToken,
    served: JoinSet<()>,
    listeners: Vec<(&'static str, Listener)>,
}

impl Api {
    /// Each listener has these bounds for itself.
    pub(super) fn new(app: Router, bounds: Bounds) -> Self {
        let drain = CancellationToken::new();
        Self { app, bounds, drain, served: JoinSet::new(), listeners: Vec::new() }
    }

    /// The bounds of each listener.
    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The listeners, with their names in metrics.
    pub(super) fn listeners(&self) -> impl Iterator<Item = (String, Listener)> + '_ {
        self.listeners.iter().map(|(name, listener)| ((*name).into(), listener.clone()))
    }

    /// Serves the connections of `from` as well.
    pub(super) fn serve(&mut self, name: &'static str, from: impl Accept) {
        let listener = Listener::new(self.bounds);
        let app = self.app.clone();
        let answer = move |request: Request<Content>, connection: &Connection| {
            answer(app.clone(), request, connection)
        };
        // at the end of the grace period the process ends
        let never = CancellationToken::new();
        self.served.spawn(listener.clone().serve(from, answer, self.drain.clone(), never));
        self.listeners.push((name, listener));
    }

    /// Accepts no more calls; running ones have until `cut` to end.
    pub(super) async fn drain(mut self, cut: impl Future<Output = ()>) {
        self.drain.cancel();
        tokio::select! {
            () = async { while self.served.join_next().await.is_some() {} } => {}
            () = cut => {
                tracing::warn!("calls were still running at the end of the grace period");
            }
        }
    }
}

fn answer(
    app: Router,
    request: Request<Content>,
    connection: &Connection,
) -> impl Future<Output = Response> + Send + use<> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(connection.peer()));
    request.extensions_mut().insert(connection.clone());
    let answered = TowerToHyperService::new(app).call(request);
    async move { answered.await.unwrap_or_else(|never| match never {}) }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Arc, time::Duration};

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
        serve_at_most(Bounds::api().connections, app).await
    }

    async fn serve_at_most(most: usize, app: Router) -> (Api, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut api = Api::new(app, Bounds { connections: most, ..Bounds::api() });
        api.serve("api", listener);
        (api, address)
    }

    /// Answers when permitted; signals each call.
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
    async fn a_caller_who_sends_nothing_is_disconnected() {
        let (_api, address) = serve(own_address()).await;
        for beginning in ["", "GET / HTTP/1.1\r\nHost: x\r\n"] {
            let begin = Instant::now();
            let mut caller = TcpStream::connect(address).await.unwrap();
            caller.write_all(beginning.as_bytes()).await.unwrap();
            // paused time moves on as soon as there is nothing else to do
            let end =
                timeout(Bounds::api().head_timeout * 2, caller.read_to_end(&mut Vec::new())).await;
            assert!(end.is_ok(), "still connected after {beginning:?}");
            assert!(begin.elapsed() >= Bounds::api().head_timeout, "{:?}", begin.elapsed());
        }
    }

    /// A reply larger than the buffers of the system; notifies when it is dropped.
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
    async fn a_caller_who_reads_nothing_of_the_reply_is_disconnected() {
        let gone = Arc::new(Notify::new());
        let dropped = Arc::clone(&gone);
        let handler = async move || Bytes::from_owner(Large(vec![0; 32 << 20], dropped));
        let (_api, address) = serve(Router::new().route("/", get(handler))).await;
        let begin = Instant::now();
        let mut caller = TcpStream::connect(address).await.unwrap();
        caller.write_all(REQUEST).await.unwrap();
        timeout(Bounds::api().write_timeout * 2, gone.notified())
            .await
            .expect("the answer is still held");
        assert!(begin.elapsed() >= Bounds::api().write_timeout, "{:?}", begin.elapsed());
        let taken = caller.read_to_end(&mut Vec::new()).await;
        assert!(taken.is_ok_and(|taken| taken < 32 << 20), "the caller cannot have read it all");
    }

    #[tokio::test]
    async fn a_new_connection_replaces_the_longest_idle_one_but_no_call() {
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
        assert_eq!(first.read(&mut [0]).await.unwrap(), 0, "the longest-idle connection is closed");

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
        let mut drained = JoinSet::new();
        drained.spawn(api.drain(sleep(Duration::from_secs(10))));
        // the idle one is closed first: the end waits only for the other
        assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
        assert!(drained.try_join_next().is_none());
        leave.add_permits(1);
        assert!(rest_of(caller).await.ends_with("answered"));
        drained.join_next().await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "no listener is left");
    }
}
