//! The certificate of the API's TLS port: its files are read at the start and again on a signal.
//!
//! Errors name the file and the way out. An expired certificate is used all the same, with a
//! warning: some callers do not check, and none is served better by a server that does not start.
//! Handshakes, ALPN and validity are `stoker_listen::tls`.

mod endpoint;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use stoker_domain::time::Clock;
use stoker_listen::tls::{self, MAX_HANDSHAKES, Validity, ValidityState};
use tokio::net::TcpListener;

use crate::{
    failure::Failure,
    pem::{read_chain, unreadable},
    private,
    server::api::Api,
};

pub(super) use endpoint::tell;
pub(crate) use endpoint::{Endpoint, read_endpoint};

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
        let most = MAX_HANDSHAKES.min(api.bounds().connections);
        api.serve("api-tls", self.certificate.used.listener(self.tcp, most));
        (self.endpoint, self.certificate)
    }
}

/// The files of a certificate, and what of them is in use.
pub(super) struct Certificate {
    options: Options,
    used: tls::Certificate,
}

impl Certificate {
    fn read(options: Options, clock: &dyn Clock) -> Result<Self, Failure> {
        let (chain, key) = read(&options, clock)?;
        let used = tls::Certificate::new(chain, key).map_err(|error| unusable(&options, &error))?;
        Ok(Self { options, used })
    }

    /// Reads both files again. When they cannot be used, the present certificate stays in use.
    pub(super) fn read_again(&self, clock: &dyn Clock) {
        let replaced = read(&self.options, clock).and_then(|(chain, key)| {
            self.used.replace(chain, key).map_err(|error| unusable(&self.options, &error))
        });
        match replaced {
            Ok(()) => tracing::info!("the TLS certificate was read again"),
            Err(failure) => tracing::error!(
                error = failure.message(),
                hint = failure.hint_text(),
                "the previous TLS certificate stays in use"
            ),
        }
    }
}

type ChainAndKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(options: &Options, clock: &dyn Clock) -> Result<ChainAndKey, Failure> {
    let Options { certificate, key, .. } = options;
    let chain = read_chain(certificate)?;
    warn_of_validity(certificate, &chain, clock);
    Ok((chain, read_key(key)?))
}

fn unusable(Options { certificate, key, .. }: &Options, error: &rustls::Error) -> Failure {
    let (certificate, key) = (certificate.display(), key.display());
    match error {
        rustls::Error::InconsistentKeys(_) => Failure::new(format!(
            "the key in `{key}` is not that of the certificate in `{certificate}`"
        ))
        .hint("the first certificate in the file must be the server's own, its issuers follow"),
        error => {
            Failure::because(format!("cannot use `{certificate}` with `{key}` for TLS"), error)
                .hint("use an ECDSA P-256 or P-384, Ed25519 or RSA key and an X.509 certificate")
        }
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

fn warn_of_validity(path: &Path, chain: &[CertificateDer<'_>], clock: &dyn Clock) {
    let Some(validity) = chain.first().and_then(|own| Validity::of(own)) else {
        return;
    };
    let file = path.display();
    let (from, until) = span(validity);
    match validity.at(clock.now().as_millis()) {
        ValidityState::NotYetValid => {
            tracing::warn!(%file, %from, "the TLS certificate is not valid yet");
        }
        ValidityState::Valid => {}
        ValidityState::ExpiringSoon => {
            tracing::warn!(%file, %until, "the TLS certificate will expire soon");
        }
        ValidityState::Expired => tracing::warn!(%file, %until, "the TLS certificate has expired"),
    }
}

/// Both ends, for people.
pub(crate) fn span(validity: Validity) -> (Timestamp, Timestamp) {
    let moment = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    (moment(validity.not_before), moment(validity.not_after))
}

#[cfg(test)]
mod tests;
