//! New connections: resolve once, vet every address, connect to a vetted one, all within a limit.
//!
//! The name is resolved here and nowhere else, and what was vetted is what is connected to, so a
//! name that changes its answer between two questions gains nothing. One private address among
//! public ones refuses them all: whoever controls the name chooses which is used.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use stoker_domain::address::is_public;
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};
use tower_service::Service;

use super::stream::Stream;
use crate::pace::Window;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The name does not resolve.
    #[error("`{host}` does not resolve")]
    Dns {
        host: String,
        #[source]
        cause: Option<io::Error>,
    },
    /// The name resolves to an address that is not public.
    #[error("`{host}` has the private address {address}")]
    Private { host: String, address: IpAddr },
    /// Nobody takes the connection.
    #[error("{address} takes no connection")]
    Refused {
        address: SocketAddr,
        #[source]
        cause: io::Error,
    },
    /// The limit has passed, in whatever step.
    #[error("no connection within {0:?}")]
    TimedOut(Duration),
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Boxed<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Makes TCP connections to vetted addresses.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    /// Private addresses pass.
    pub(super) allows_private: bool,
    /// What may be on the way ahead of the reader; what the system likes when nothing is paced.
    pub(super) window: Option<Window>,
    /// For each address.
    pub(super) limit: Duration,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Boxed<Self::Response, ConnectError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let tcp = this.connect(&uri).await?;
            Ok(TokioIo::new(Stream::new(tcp, this.window.is_some())))
        })
    }
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> Result<TcpStream, ConnectError> {
        let addresses = self.resolve(uri).await?;
        let share = self.limit / u32::try_from(addresses.len()).unwrap_or(1).clamp(1, 4);
        let mut last = None;
        for address in addresses {
            match timeout(share, self.open(address)).await {
                Ok(Ok(stream)) => {
                    // only costs latency when it cannot be set
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(cause)) => last = Some(ConnectError::Refused { address, cause }),
                Err(_) => last = Some(ConnectError::TimedOut(share)),
            }
        }
        Err(last.unwrap_or_else(|| ConnectError::Dns { host: host_of(uri), cause: None }))
    }

    async fn open(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        if let Some(window) = self.window {
            // before connecting, so that it is never offered larger
            socket.set_recv_buffer_size(window.bytes())?;
        }
        socket.connect(address).await
    }

    async fn resolve(&self, uri: &Uri) -> Result<Vec<SocketAddr>, ConnectError> {
        let host = uri.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default_port);
        let addresses: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => lookup_host((bare, port))
                .await
                .map_err(|cause| ConnectError::Dns { host: bare.into(), cause: Some(cause) })?
                .collect(),
        };
        match addresses.iter().find(|address| !self.allows_private && !is_public(address.ip())) {
            Some(private) => {
                Err(ConnectError::Private { host: bare.into(), address: private.ip() })
            }
            None => Ok(addresses),
        }
    }
}

fn host_of(uri: &Uri) -> String {
    uri.host().unwrap_or_default().into()
}

/// Bounds a connector as a whole: resolution, TCP and TLS.
#[derive(Clone, Debug)]
pub(super) struct Timed<C> {
    pub(super) inner: C,
    pub(super) limit: Duration,
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Boxed<C::Response, BoxError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = self.limit;
        let connecting = self.inner.call(uri);
        Box::pin(async move {
            match timeout(limit, connecting).await {
                Ok(done) => done.map_err(Into::into),
                Err(_) => Err(ConnectError::TimedOut(limit).into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(host: &str, allows_private: bool) -> Result<Vec<SocketAddr>, ConnectError> {
        let connector = Connector { allows_private, window: None, limit: Duration::from_secs(1) };
        connector.resolve(&format!("http://{host}/").parse().unwrap()).await
    }

    #[tokio::test]
    async fn a_private_address_is_refused_unless_allowed_however_it_is_written() {
        for host in ["127.0.0.1:80", "[::1]", "[::ffff:10.0.0.1]:99", "localhost"] {
            let refused = resolve(host, false).await;
            assert!(matches!(refused, Err(ConnectError::Private { .. })), "{host}: {refused:?}");
            assert!(resolve(host, true).await.is_ok(), "{host}");
        }
    }
}
