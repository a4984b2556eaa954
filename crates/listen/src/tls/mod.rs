//! TLS: the certificate in use, handshakes that are bounded in number and time, and how long a
//! certificate is valid.
//!
//! Provider is ring, protocols are TLS 1.2 and 1.3, and ALPN offers HTTP/1.1 alone, because the
//! grammar of requests is judged for that version. Where certificates are stored, and what is said
//! about files that cannot be used, is the caller's.

mod listener;
mod validity;

use std::sync::Arc;

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{net::TcpListener, sync::watch};

pub use self::{
    listener::{HANDSHAKE_TIMEOUT, MAX_HANDSHAKES, TlsListener},
    validity::{Validity, ValidityState},
};

/// What ALPN offers, the first choice first.
const ALPN: [&[u8]; 1] = [b"http/1.1"];

/// The certificate and key with which handshakes begin from now on.
#[derive(Debug)]
pub struct Certificate(watch::Sender<Arc<ServerConfig>>);

impl Certificate {
    /// The server's own certificate first, then those that lead to a root; and its key.
    ///
    /// # Errors
    /// They do not belong together, or cannot be used for TLS.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, rustls::Error> {
        Ok(Self(watch::Sender::new(Arc::new(config(chain, key)?))))
    }

    /// Takes others; connections that exist keep theirs.
    ///
    /// # Errors
    /// As of [`Self::new`]; the present ones stay in use.
    pub fn replace(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), rustls::Error> {
        self.0.send_replace(Arc::new(config(chain, key)?));
        Ok(())
    }

    /// Connections of `tcp` with this certificate, at most `most` handshakes under way at once.
    pub fn listener(&self, tcp: TcpListener, most: usize) -> TlsListener {
        TlsListener::new(tcp, self.0.subscribe(), most)
    }
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).into();
    Ok(config)
}
