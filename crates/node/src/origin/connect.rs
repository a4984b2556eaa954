//! New connections: resolve once, vet every address, connect to a vetted one, all within a limit.
//!
//! The name is resolved here and nowhere else, and what was vetted is what is connected to, so a
//! name that changes its answer between two questions gains nothing. One private address among
//! public ones refuses them all: whoever controls the name chooses which is used. Addresses are for
//! the log; errors name the host alone, because tenants read them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use stoker_domain::address::is_public;
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::either::Either;
use tracing::info;

use super::stream::{Stream, Wire};
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
    #[error("`{0}` has a private address")]
    Private(String),
    /// Nobody takes the connection.
    #[error("`{host}` takes no connection on port {port}")]
    Refused {
        host: String,
        port: u16,
        #[source]
        cause: io::Error,
    },
    /// The handshake, or a name that no certificate can have.
    #[error("no TLS connection to `{host}`")]
    Tls {
        host: String,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The limit has passed, in whatever step.
    #[error("no connection within {0:?}")]
    TimedOut(Duration),
}

/// Finds the addresses of a host, each with the port.
pub type Resolver =
    Arc<dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The system's resolver.
pub(super) fn system() -> Resolver {
    Arc::new(|host, port| {
        Box::pin(async move { Ok(lookup_host((host.as_str(), port)).await?.collect()) })
    })
}

/// What is connected to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Server {
    /// Name or IP literal (IPv6 in brackets).
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_tls: bool,
    /// Private addresses pass.
    pub(super) allows_private: bool,
    /// What may be on the way ahead of the reader; what the system likes when nothing is paced.
    pub(super) window: Option<Window>,
}

/// A connection, plain or TLS.
pub(super) type Link = Either<Stream, TlsStream<Stream>>;

/// Makes connections to vetted addresses.
#[derive(Clone)]
pub(super) struct Connector {
    tls: TlsConnector,
    resolver: Resolver,
    /// For one connection as a whole: resolution, TCP and TLS.
    limit: Duration,
}

impl Connector {
    pub(super) fn new(resolver: Resolver, limit: Duration) -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring provides the default protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: TlsConnector::from(Arc::new(config)), resolver, limit }
    }

    /// The same, with names found by `resolver`.
    pub(super) fn resolving(&self, resolver: Resolver) -> Self {
        Self { resolver, ..self.clone() }
    }

    pub(super) async fn connect(
        &self,
        server: &Server,
        wire: Arc<Wire>,
    ) -> Result<Link, ConnectError> {
        match timeout(self.limit, self.link(server, wire)).await {
            Ok(link) => link,
            Err(_) => Err(ConnectError::TimedOut(self.limit)),
        }
    }

    async fn link(&self, server: &Server, wire: Arc<Wire>) -> Result<Link, ConnectError> {
        let tcp = self.tcp(server).await?;
        let stream = Stream::new(tcp, wire, server.window.is_some());
        if !server.is_tls {
            return Ok(Either::Left(stream));
        }
        let host = &server.host;
        let failed = |cause| ConnectError::Tls { host: host.clone(), cause };
        let name = ServerName::try_from(bare(host).to_owned()).map_err(|e| failed(e.into()))?;
        let stream = self.tls.connect(name, stream).await.map_err(|e| failed(e.into()))?;
        Ok(Either::Right(stream))
    }

    async fn tcp(&self, server: &Server) -> Result<TcpStream, ConnectError> {
        let addresses = self.resolve(server).await?;
        let share = self.limit / u32::try_from(addresses.len()).unwrap_or(1).clamp(1, 4);
        let mut last = None;
        for address in addresses {
            match timeout(share, open(address, server.window)).await {
                Ok(Ok(stream)) => {
                    // only costs latency when it cannot be set
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(cause)) => {
                    info!(target.host = server.host, %address, error = %cause, "no connection");
                    let (host, port) = (server.host.clone(), server.port);
                    last = Some(ConnectError::Refused { host, port, cause });
                }
                Err(_) => last = Some(ConnectError::TimedOut(share)),
            }
        }
        let none = || ConnectError::Dns { host: server.host.clone(), cause: None };
        Err(last.unwrap_or_else(none))
    }

    async fn resolve(&self, server: &Server) -> Result<Vec<SocketAddr>, ConnectError> {
        let (host, port) = (bare(&server.host), server.port);
        let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => (self.resolver)(host.into(), port)
                .await
                .map_err(|cause| ConnectError::Dns { host: host.into(), cause: Some(cause) })?,
        };
        match addresses.iter().find(|address| !server.allows_private && !is_public(address.ip())) {
            Some(private) => {
                info!(target.host = host, address = %private.ip(), "a private address is refused");
                Err(ConnectError::Private(host.into()))
            }
            None => Ok(addresses),
        }
    }
}

/// A host without the brackets of an IPv6 literal.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

async fn open(address: SocketAddr, window: Option<Window>) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    if let Some(window) = window {
        // before connecting, so that it is never offered larger
        socket.set_recv_buffer_size(window.bytes())?;
    }
    socket.connect(address).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(host: &str, allows_private: bool) -> Result<Vec<SocketAddr>, ConnectError> {
        let (host, port) = (host.to_owned(), 80);
        let server = Server { host, port, is_tls: false, allows_private, window: None };
        Connector::new(system(), Duration::from_secs(60)).resolve(&server).await
    }

    #[tokio::test]
    async fn a_private_address_is_refused_unless_allowed_however_it_is_written() {
        for host in ["127.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "localhost"] {
            let refused = resolve(host, false).await;
            assert!(matches!(refused, Err(ConnectError::Private(_))), "{host}: {refused:?}");
            let text = refused.unwrap_err().to_string();
            assert_eq!(text, format!("`{}` has a private address", bare(host)));
            assert!(resolve(host, true).await.is_ok(), "{host}");
        }
    }

    #[tokio::test]
    async fn one_private_address_among_public_ones_refuses_them_all_and_is_not_told() {
        let resolver: Resolver = Arc::new(|_, port| {
            let found = ["1.1.1.1", "10.7.7.7", "2606:4700::1111"];
            let found = found.map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
            Box::pin(async move { Ok(found.to_vec()) })
        });
        let connector = Connector::new(resolver, Duration::from_secs(60));
        let server = Server {
            host: "mixed.example".into(),
            port: 80,
            is_tls: false,
            allows_private: false,
            window: None,
        };
        let refused = connector.resolve(&server).await.unwrap_err().to_string();
        assert_eq!(refused, "`mixed.example` has a private address");
    }
}
