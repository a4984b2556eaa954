//! The certificate of the API's TLS port: read, looked over, and read again when told to.
//!
//! What cannot be used is told with the file's name and the way out. A certificate whose time is
//! over is used all the same, with a warning: some callers do not look, and none is served better
//! by a server that does not start.

mod endpoint;
mod listener;
mod validity;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use stoker_domain::time::Clock;
use tokio::{net::TcpListener, sync::watch};

use crate::{failure::Failure, private, server::api::Api};

pub(super) use endpoint::tell;
pub(crate) use endpoint::{Endpoint, read_endpoint};
pub(crate) use validity::{Stage, Validity};

use listener::{MOST_HANDSHAKES, TlsListener};

/// What `stoker up` was told about TLS.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Address of the API for callers who speak TLS.
    pub(crate) listen: SocketAddr,
    /// PEM: the certificate, then those that lead to a root.
    pub(crate) certificate: PathBuf,
    /// PEM: the certificate's private key, not encrypted.
    pub(crate) key: PathBuf,
}

/// The port, taken; callers wait until it is served.
pub(super) struct Port {
    tcp: TcpListener,
    endpoint: Endpoint,
    certificate: Certificate,
}

impl Port {
    /// Reads both files and takes the port.
    pub(super) async fn open(options: Options, clock: &dyn Clock) -> Result<Self, Failure> {
        let path = std::path::absolute(&options.certificate);
        let path = path.unwrap_or_else(|_| options.certificate.clone());
        let listen = options.listen;
        let certificate = Certificate::read(options, clock)?;
        let tcp = super::listen(listen, "--tls-listen").await?;
        let address = tcp.local_addr().map_err(|error| Failure::because_of(&error))?;
        let endpoint = format!("https://{}", super::reachable(address));
        Ok(Self { tcp, endpoint: Endpoint { endpoint, certificate: path }, certificate })
    }

    /// Serves the API there.
    pub(super) fn serve(self, api: &mut Api) -> (Endpoint, Certificate) {
        let config = self.certificate.config.subscribe();
        let most = MOST_HANDSHAKES.min(api.bounds().connections);
        api.serve("api-tls", TlsListener::new(self.tcp, config, most));
        (self.endpoint, self.certificate)
    }
}

/// A certificate with its key, for the handshakes that begin from now on.
pub(super) struct Certificate {
    options: Options,
    config: watch::Sender<Arc<ServerConfig>>,
}

impl Certificate {
    fn read(options: Options, clock: &dyn Clock) -> Result<Self, Failure> {
        let config = read(&options, clock)?;
        Ok(Self { options, config: watch::Sender::new(Arc::new(config)) })
    }

    /// Reads both files again. When they cannot be used, the certificate of before stays.
    pub(super) fn read_again(&self, clock: &dyn Clock) {
        match read(&self.options, clock) {
            Ok(config) => {
                self.config.send_replace(Arc::new(config));
                tracing::info!("the TLS certificate was read again");
            }
            Err(failure) => tracing::error!(
                error = failure.message(),
                hint = failure.way_out(),
                "the TLS certificate of before stays in use"
            ),
        }
    }
}

fn read(options: &Options, clock: &dyn Clock) -> Result<ServerConfig, Failure> {
    let Options { certificate, key, .. } = options;
    let chain = read_chain(certificate)?;
    look_at_time(certificate, &chain, clock);
    let unusable = |error: rustls::Error| match error {
        rustls::Error::InconsistentKeys(_) => Failure::new(format!(
            "the key in `{}` is not that of the certificate in `{}`",
            key.display(),
            certificate.display()
        ))
        .hint("the first certificate in the file must be the server's own, its issuers follow"),
        error => {
            let files = format!("`{}` with `{}`", certificate.display(), key.display());
            Failure::because(format!("cannot use {files} for TLS"), &error)
                .hint("use an ECDSA P-256 or P-384, Ed25519 or RSA key and an X.509 certificate")
        }
    };
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, read_key(key)?)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates in a file; at least one.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let text = read_file(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let wrong = |text: String| {
        Failure::new(text).hint("it must be PEM, with `-----BEGIN CERTIFICATE-----` above each")
    };
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err(wrong(format!("`{}` holds no certificate", path.display())))
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err(wrong(format!("`{}` is not a certificate: {error}", path.display()))),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    let text = private::read_named_secret(path).map_err(|error| unreadable(path, &error))??;
    let shown = path.display();
    let says = |words: &str| text.windows(words.len()).any(|window| window == words.as_bytes());
    // the two ways of writing that: PKCS #8, and what came before it
    if says("BEGIN ENCRYPTED PRIVATE KEY") || says("Proc-Type: 4,ENCRYPTED") {
        return Err(Failure::new(format!("the key in `{shown}` is encrypted"))
            .hint("decrypt it: openssl pkey -in FILE -out NEW_FILE; let nobody else read that"));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        Failure::because(format!("`{shown}` holds no private key"), &error)
            .hint("it must be PEM, with `-----BEGIN PRIVATE KEY-----` above the key")
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::because(format!("cannot read `{}`", path.display()), error)
        .hint("is the path right, and may the user who runs `stoker` read it?")
}

fn look_at_time(path: &Path, chain: &[CertificateDer<'_>], clock: &dyn Clock) {
    let Some(validity) = chain.first().and_then(|own| Validity::of(own)) else {
        return;
    };
    let file = path.display();
    let from = validity.from;
    let until = validity.until;
    match validity.at(clock.now()) {
        Stage::Early => tracing::warn!(%file, %from, "the TLS certificate is not valid yet"),
        Stage::Good => {}
        Stage::Late => tracing::warn!(%file, %until, "the TLS certificate will expire soon"),
        Stage::Over => tracing::warn!(%file, %until, "the TLS certificate has expired"),
    }
}

#[cfg(test)]
mod tests;
