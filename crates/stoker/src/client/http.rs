//! Plain HTTP exchanges with a time limit: one request, one whole answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tokio::time::timeout;

/// Connections to servers and nodes, kept for the next request.
pub(crate) struct Connection {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A whole answer.
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its fields.
    pub(crate) fields: HeaderMap,
    /// Its content.
    pub(crate) body: Bytes,
}

impl Answer {
    /// The value of a field, when it is there and plain text.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.to_str().ok()
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request could not be put together.
    #[error("not a request that HTTP can carry")]
    Request(#[source] http::Error),
    /// The connection failed or broke.
    #[error(transparent)]
    Connection(#[from] legacy::Error),
    /// The content of the answer broke off.
    #[error("the answer broke off")]
    Body(#[source] hyper::Error),
    /// The time was over.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
}

impl Connection {
    /// No connection yet. Over TLS it trusts the authorities that browsers trust, and these.
    pub(crate) fn new(authorities: &[CertificateDer<'_>]) -> Self {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // what is no authority's certificate proves nothing, and the handshake will say so
        roots.add_parsable_certificates(authorities.iter().cloned());
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let connector = connector.build();
        Self { client: legacy::Client::builder(TokioExecutor::new()).build(connector) }
    }

    /// Sends a request and waits at most `patience` for the end of its answer.
    pub(crate) async fn send(
        &self,
        request: http::request::Builder,
        body: impl Into<Bytes>,
        patience: Duration,
    ) -> Result<Answer, Error> {
        let body = Full::new(body.into());
        let exchange = async {
            let request = request.body(body).map_err(Error::Request)?;
            let (head, body) = self.client.request(request).await?.into_parts();
            let body = body.collect().await.map_err(Error::Body)?.to_bytes();
            Ok(Answer { status: head.status, fields: head.headers, body })
        };
        timeout(patience, exchange).await.unwrap_or(Err(Error::Timeout(patience)))
    }
}
