//! The files that operators give and the callers who mean harm.

use std::{
    fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc, time::Duration,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use stoker_domain::time::Timestamp;
use stoker_listen::{
    Accept,
    tls::{HANDSHAKE_TIMEOUT, MAX_HANDSHAKES},
};
use stoker_testkit::{Authority, FakeClock, Issued};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Certificate, Options, Port};

/// Folder with the files that the options name.
struct Fixture {
    folder: TempDir,
    authority: Authority,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new() };
        fixture.put(&fixture.authority.issue(&["localhost"]));
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, issued: &Issued) {
        fs::write(self.path("cert.pem"), &issued.certificate).unwrap();
        fs::write(self.path("key.pem"), &issued.key).unwrap();
        self.set_mode(0o600);
    }

    fn set_mode(&self, mode: u32) {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.path("key.pem"), mode).unwrap();
    }

    fn options(&self) -> Options {
        Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            certificate: self.path("cert.pem"),
            key: self.path("key.pem"),
        }
    }

    /// What is said when the files cannot be used.
    fn refusal(&self) -> (String, String) {
        let failure = Certificate::read(self.options(), &clock()).err().unwrap();
        (failure.message().to_owned(), failure.hint_text().unwrap().to_owned())
    }

    /// A port that answers every caller with one byte.
    async fn serve(&self) -> (SocketAddr, Certificate) {
        let port = Port::open(self.options(), &clock()).await.unwrap();
        let address = port.tcp.local_addr().unwrap();
        let mut listener = port.certificate.used.listener(port.tcp, MAX_HANDSHAKES);
        stoker_testkit::spawn(async move {
            loop {
                let (mut stream, _) = Accept::accept(&mut listener).await.unwrap();
                stoker_testkit::spawn(async move {
                    let _ = stream.write_all(b"!").await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        (address, port.certificate)
    }

    /// Shakes hands as an honest caller, who trusts the authority alone, and reads the answer.
    async fn call(&self, address: SocketAddr) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.authority.certificate().as_bytes());
        roots.add(root.unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, stream).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"!");
        stream
    }
}

fn clock() -> FakeClock {
    FakeClock::new(Timestamp::from_seconds(1_800_000_000))
}

#[test]
fn files_that_cannot_be_used_are_named_with_the_way_out() {
    let fixture = Fixture::new();
    let own = fs::read_to_string(fixture.path("cert.pem")).unwrap();
    let key = fs::read_to_string(fixture.path("key.pem")).unwrap();
    assert!(Certificate::read(fixture.options(), &clock()).is_ok());
    let refused = |file: &str, text: &str, message: &str, hint: &str| {
        let before = fs::read(fixture.path(file)).unwrap();
        fs::write(fixture.path(file), text).unwrap();
        let said = fixture.refusal();
        assert!(said.0.contains(file) && said.0.contains(message), "{said:?}");
        assert!(said.1.contains(hint), "{said:?}");
        fs::write(fixture.path(file), before).unwrap();
    };
    refused("cert.pem", "", "holds no certificate", "PEM");
    refused("cert.pem", &key, "holds no certificate", "PEM");
    refused("cert.pem", &own.replace("-----END", "-----AND"), "not a certificate", "PEM");
    refused("cert.pem", &own.replace("MII", "MIA"), "cannot use", "X.509");
    refused("key.pem", "", "holds no private key", "PEM");
    refused("key.pem", &own, "holds no private key", "PEM");
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    refused("key.pem", &encrypted, "encrypted", "openssl pkey");
    let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n";
    refused("key.pem", older, "encrypted", "openssl pkey");
    refused("key.pem", &fixture.authority.issue(&["localhost"]).key, "not that of", "first");
    refused("key.pem", &key.replace("-----\nM", "-----\nA"), "key.pem", "key");
    fs::remove_file(fixture.path("key.pem")).unwrap();
    assert!(fixture.refusal().0.contains("key.pem"));
}

#[test]
fn an_expired_certificate_is_read_all_the_same() {
    let fixture = Fixture::new();
    fixture.put(&fixture.authority.issue_until(&["localhost"], (2021, 2, 28)));
    assert!(Certificate::read(fixture.options(), &clock()).is_ok());
}

#[tokio::test]
async fn a_new_certificate_is_taken_when_told_and_a_broken_one_is_not() {
    let fixture = Fixture::new();
    let (address, certificate) = fixture.serve().await;
    let shown = async || {
        let stream = fixture.call(address).await;
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let first = shown().await;
    fixture.put(&fixture.authority.issue(&["localhost"]));
    assert_eq!(shown().await, first, "nobody told the server");
    certificate.read_again(&clock());
    let second = shown().await;
    assert_ne!(second, first);
    fs::write(fixture.path("key.pem"), "").unwrap();
    certificate.read_again(&clock());
    assert_eq!(shown().await, second);
}

#[tokio::test]
async fn callers_who_say_nothing_or_rubbish_or_half_of_it_block_nobody() {
    let fixture = Fixture::new();
    let (address, _certificate) = fixture.serve().await;
    // the beginning of a record that announces more
    let beginnings: [&[u8]; 4] =
        [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", &[0xff; 2000], &[0x16, 3, 1, 2, 0, 1, 0]];
    let mut hostile = Vec::new();
    for n in 0..MAX_HANDSHAKES + 40 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // whoever was pushed out or refused may be told so
        let _ = stream.write_all(beginnings[n % beginnings.len()]).await;
        hostile.push(stream);
        if n % 50 == 0 {
            let begin = Instant::now();
            fixture.call(address).await;
            assert!(begin.elapsed() < Duration::from_secs(30), "{n}: {:?}", begin.elapsed());
        }
    }
    fixture.call(address).await;
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_takes_too_long_is_hung_up_on() {
    let fixture = Fixture::new();
    let (address, _certificate) = fixture.serve().await;
    let begin = Instant::now();
    let mut silent = TcpStream::connect(address).await.unwrap();
    // paused time moves on as soon as there is nothing else to do
    let end = timeout(HANDSHAKE_TIMEOUT * 2, silent.read_to_end(&mut Vec::new())).await;
    assert!(end.is_ok(), "still connected");
    assert!(begin.elapsed() >= HANDSHAKE_TIMEOUT, "{:?}", begin.elapsed());
}

#[test]
fn a_key_that_everybody_may_read_is_refused() {
    let fixture = Fixture::new();
    for (mode, is_good) in [(0o600, true), (0o640, true), (0o644, false), (0o602, false)] {
        fixture.set_mode(mode);
        assert_eq!(Certificate::read(fixture.options(), &clock()).is_ok(), is_good, "{mode:o}");
        if !is_good {
            let (message, hint) = fixture.refusal();
            assert!(message.contains("can be read by other users"), "{message}");
            assert!(hint.starts_with("chmod 600 ") && hint.ends_with("key.pem"), "{hint}");
        }
    }
}
