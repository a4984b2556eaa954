//! Searches for what accounts publish to prove that they own hosts.
//!
//! The caller chooses the host, so the search must not reach other systems: all addresses of the host
//! must be public, the connection goes to the addresses that were checked, port and path are fixed, no
//! redirect is followed, and only a little of the reply is read.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use stoker_domain::{address::is_public, dns::Kind};
use stoker_engine::{Evidence, EvidenceError};
use tokio::{net::TcpStream, time::timeout};

use super::dns::Resolver;

/// The port of `http://HOST/`.
const PORT: u16 = 80;
/// Most bytes of a file that are read.
const MOST_BYTES: usize = 1024;
/// Addresses of a host that are tried.
const MOST_ADDRESSES: usize = 2;
/// How long a search may take as a whole.
const WHOLE: Duration = Duration::from_secs(20);
/// How long a file may take, from the connection to its end, at each address.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks name servers, and hosts for files.
#[derive(Debug)]
pub(crate) struct Search {
    resolver: Resolver,
    /// Whether hosts may have private addresses; only in tests.
    allows_private: bool,
    port: u16,
    patience: Duration,
}

impl Search {
    /// Asks this name server, or those of the system.
    pub(crate) fn new(name_server: Option<SocketAddr>, seed: u64) -> Self {
        let resolver = Resolver::new(name_server, seed);
        Self { resolver, allows_private: false, port: PORT, patience: PATIENCE }
    }

    /// The addresses of a host, all of them public.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, EvidenceError> {
        let no_address = || EvidenceError::NoAddress(host.into());
        let mut found = Vec::new();
        for kind in [Kind::A, Kind::Aaaa] {
            let records = self.resolver.records(host, kind).await.map_err(|error| {
                tracing::info!(host, error = &error as &dyn std::error::Error, "no answer");
                EvidenceError::NoAnswer(host.into())
            })?;
            found.extend(records.iter().filter_map(|record| address(record)));
        }
        // one private address among public ones refuses them all, as of origins
        let is_vetted = |address: &IpAddr| self.allows_private || is_public(*address);
        if found.is_empty() || !found.iter().all(is_vetted) {
            return Err(no_address());
        }
        Ok(found)
    }

    async fn fetch(
        &self,
        address: IpAddr,
        host: &str,
        path: &str,
    ) -> Result<Vec<u8>, EvidenceError> {
        let no_reply = || EvidenceError::NoReply(host.into());
        let exchange = async {
            let stream = TcpStream::connect((address, self.port)).await.map_err(|_| no_reply())?;
            let connected = http1::handshake(TokioIo::new(stream)).await;
            let (mut sender, connection) = connected.map_err(|_| no_reply())?;
            let host_field = HeaderValue::from_str(host).map_err(|_| no_reply())?;
            let request = Request::get(path)
                .header(header::HOST, host_field)
                .header(header::USER_AGENT, "stoker-verification")
                .header(header::CONNECTION, "close")
                .body(Empty::<Bytes>::new())
                .map_err(|_| no_reply())?;
            let reading = async {
                let response = sender.send_request(request).await.map_err(|_| no_reply())?;
                let status = response.status();
                if status != StatusCode::OK {
                    return Err(EvidenceError::Status {
                        host: host.into(),
                        status: status.as_u16(),
                    });
                }
                let mut body = response.into_body();
                let mut content = Vec::new();
                while let Some(frame) = body.frame().await {
                    let frame = frame.map_err(|_| no_reply())?;
                    let data = frame.into_data().unwrap_or_default();
                    if content.len() + data.len() > MOST_BYTES {
                        return Err(EvidenceError::TooLong(host.into()));
                    }
                    content.extend_from_slice(&data);
                }
                Ok(content)
            };
            tokio::pin!(reading);
            // the connection ends with the exchange, whatever it still holds
            tokio::select! {
                read = &mut reading => read,
                _ = connection => reading.await,
            }
        };
        timeout(self.patience, exchange).await.unwrap_or_else(|_| Err(no_reply()))
    }
}

#[async_trait]
impl Evidence for Search {
    async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, EvidenceError> {
        let asking = timeout(WHOLE, self.resolver.records(name, Kind::Txt));
        match asking.await {
            Err(_) => Err(EvidenceError::NoAnswer(name.into())),
            Ok(Ok(records)) if records.is_empty() => Err(EvidenceError::NoRecord(name.into())),
            Ok(Ok(records)) => Ok(records),
            Ok(Err(error)) => {
                tracing::info!(name, error = &error as &dyn std::error::Error, "no answer");
                Err(EvidenceError::NoAnswer(name.into()))
            }
        }
    }

    async fn file(&self, host: &str, path: &str) -> Result<Vec<u8>, EvidenceError> {
        let searching = async {
            let mut last = EvidenceError::NoAddress(host.into());
            for address in self.addresses(host).await?.into_iter().take(MOST_ADDRESSES) {
                match self.fetch(address, host, path).await {
                    Err(error @ EvidenceError::NoReply(_)) => last = error,
                    done => return done,
                }
            }
            Err(last)
        };
        timeout(WHOLE.max(self.patience), searching)
            .await
            .unwrap_or_else(|_| Err(EvidenceError::NoReply(host.into())))
    }
}

fn address(record: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(record).map(|bytes| Ipv4Addr::from(bytes).into());
    v4.or_else(|_| <[u8; 16]>::try_from(record).map(|bytes| Ipv6Addr::from(bytes).into())).ok()
}

#[cfg(test)]
mod tests {
    use stoker_testkit::{Answer, NameServer, Question, VerbatimOrigin, verbatim};

    use super::*;

    const HOST: &str = "www.example.com";
    const PATH: &str = "/.well-known/stoker-verification.txt";
    const LONG: Duration = Duration::from_secs(60);

    fn addresses(list: &'static [[u8; 4]]) -> NameServer {
        NameServer::start(move |question: &Question| {
            let answer = Answer::to(question);
            let answer = match question.kind {
                1 => list.iter().fold(answer, |answer, address| answer.a((*address).into())),
                _ => answer,
            };
            vec![answer.bytes()]
        })
    }

    fn search(server: &NameServer, port: u16, allows_private: bool) -> Search {
        let search = Search::new(Some(server.address()), 7);
        Search { allows_private, port, patience: LONG, ..search }
    }

    /// What is found at an origin that answers like this.
    async fn found(reply: Vec<u8>) -> (Result<Vec<u8>, EvidenceError>, usize) {
        let origin = VerbatimOrigin::start(move |_| reply.clone());
        let server = addresses(&[[127, 0, 0, 1]]);
        let search = search(&server, origin.address().port(), true);
        let found = search.file(HOST, PATH).await;
        (found, origin.requests_for(PATH).len())
    }

    #[tokio::test]
    async fn a_file_is_read_from_the_host_that_was_named() {
        let origin = VerbatimOrigin::start(|wanted| {
            let text = format!("{} {}", wanted.field("host"), wanted.path);
            verbatim(&format!("200 OK\r\nContent-Length: {}", text.len()), text.as_bytes())
        });
        let server = addresses(&[[127, 0, 0, 1]]);
        let search = search(&server, origin.address().port(), true);
        assert_eq!(search.file(HOST, PATH).await.unwrap(), format!("{HOST} {PATH}").into_bytes());
    }

    #[tokio::test]
    async fn nobody_with_a_private_address_is_asked() {
        let origin = VerbatimOrigin::start(|_| verbatim("200 OK\r\nContent-Length: 0", b""));
        for list in [
            &[[127, 0, 0, 1]][..],
            &[[10, 0, 0, 1]],
            &[[169, 254, 169, 254]],
            &[[8, 8, 8, 8], [127, 0, 0, 1]],
            &[],
        ] {
            let server = addresses(list);
            let search = search(&server, origin.address().port(), false);
            let refused = search.file(HOST, PATH).await.unwrap_err();
            assert_eq!(refused, EvidenceError::NoAddress(HOST.into()), "{list:?}");
            assert!(!refused.to_string().contains("127."), "the address is not shown");
        }
        assert!(origin.requests_for(PATH).is_empty());
    }

    #[tokio::test]
    async fn redirects_and_errors_prove_nothing_and_lead_nowhere() {
        for (status, head) in [
            (302, "302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0"),
            (301, "301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0"),
            (404, "404 Not Found\r\nContent-Length: 0"),
            (206, "206 Partial Content\r\nContent-Length: 0"),
            (204, "204 No Content"),
        ] {
            let (found, requests) = found(verbatim(head, b"")).await;
            assert_eq!(found, Err(EvidenceError::Status { host: HOST.into(), status }));
            assert_eq!(requests, 1);
        }
    }

    #[tokio::test]
    async fn a_file_has_at_most_a_kibibyte() {
        let of = |length: usize| {
            let head = format!("200 OK\r\nContent-Length: {length}");
            verbatim(&head, &vec![b'x'; length])
        };
        assert_eq!(found(of(1024)).await.0.unwrap().len(), 1024);
        for reply in [of(1025), of(1 << 20), verbatim("200 OK", &vec![b'x'; 4096])] {
            assert_eq!(found(reply).await.0, Err(EvidenceError::TooLong(HOST.into())));
        }
    }

    #[tokio::test]
    async fn what_is_not_http_or_breaks_off_proves_nothing() {
        for reply in [
            Vec::new(),
            b"\x16\x03\x01 hello".to_vec(),
            b"HTTP/1.1 200 OK\r\n".to_vec(),
            verbatim("200 OK\r\nContent-Length: 9", b"short"),
            verbatim("200 OK\r\nTransfer-Encoding: chunked", b"zz\r\n"),
        ] {
            assert_eq!(found(reply).await.0, Err(EvidenceError::NoReply(HOST.into())));
        }
    }

    #[tokio::test]
    async fn a_host_that_says_nothing_is_given_up() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = addresses(&[[127, 0, 0, 1]]);
        let search = search(&server, listener.local_addr().unwrap().port(), true);
        let search = Search { patience: Duration::from_millis(50), ..search };
        let refused = search.file(HOST, PATH).await;
        assert_eq!(refused, Err(EvidenceError::NoReply(HOST.into())));
    }

    #[tokio::test]
    async fn a_record_that_is_absent_and_a_server_that_fails_are_told_apart() {
        for (code, expected) in [
            (0, EvidenceError::NoRecord("_cdnauth.example.com".into())),
            (3, EvidenceError::NoRecord("_cdnauth.example.com".into())),
            (2, EvidenceError::NoAnswer("_cdnauth.example.com".into())),
        ] {
            let server =
                NameServer::start(move |question| vec![Answer::to(question).code(code).bytes()]);
            let search = search(&server, 1, false);
            assert_eq!(search.txt("_cdnauth.example.com").await, Err(expected));
        }
    }
}
