//! Connections whose TLS handshake is done.
//!
//! Handshakes go on beside each other, each within a time limit. When there are too many, the oldest
//! is closed: an honest caller needs milliseconds, so whoever opens connections and sends nothing
//! only displaces others who do the same.

use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::Accept;

/// Handshakes under way at once.
pub const MAX_HANDSHAKES: usize = 256;
/// Longest time for one handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

type Connection = (TlsStream<TcpStream>, SocketAddr);

/// A port on which callers speak TLS.
#[derive(Debug)]
pub struct TlsListener {
    tcp: TcpListener,
    /// For the handshakes that begin from now on.
    config: watch::Receiver<Arc<ServerConfig>>,
    handshakes: JoinSet<Option<Connection>>,
    most: usize,
    /// Those under way, the oldest first.
    order: VecDeque<AbortHandle>,
}

impl TlsListener {
    /// With `most` handshakes under way at once.
    pub(super) fn new(
        tcp: TcpListener,
        config: watch::Receiver<Arc<ServerConfig>>,
        most: usize,
    ) -> Self {
        Self { tcp, config, handshakes: JoinSet::new(), most, order: VecDeque::new() }
    }

    fn begin(&mut self, stream: TcpStream, peer: SocketAddr) {
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config.borrow()));
        self.order.push_back(self.handshakes.spawn(handshake(acceptor, stream, peer)));
    }
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
) -> Option<Connection> {
    match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some((stream, peer)),
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "a TLS handshake took too long");
            None
        }
    }
}

impl Accept for TlsListener {
    type Stream = TlsStream<TcpStream>;

    async fn accept(&mut self) -> io::Result<Connection> {
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.handshakes.join_next() => {
                    self.order.retain(|handshake| !handshake.is_finished());
                    if let Ok(Some(connection)) = ended {
                        return Ok(connection);
                    }
                }
                accepted = Accept::accept(&mut self.tcp) => {
                    let (stream, peer) = accepted?;
                    self.begin(stream, peer);
                }
            }
        }
    }
}
