//! Queries to name servers: those of the system, or a given one.
//!
//! Queries use UDP with a random port and a random id, and TCP if the answer is truncated. Messages are
//! written and parsed in `stoker_domain::dns`. Nothing is cached, because queries are few.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use stoker_domain::dns::{Kind, Reply, Unread, query, read};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    task::spawn_blocking,
    time::timeout,
};

/// The file with the name servers of the system.
const SYSTEM: &str = "/etc/resolv.conf";
/// Name servers that are tried, one after the other.
const MOST_SERVERS: usize = 2;
/// Attempts for each.
const TRIES: usize = 2;
/// Timeout of one attempt.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest message over UDP that is read.
const BUFFER: usize = 4096;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Not a name.
    #[error("`{0}` is not a name that can be asked for")]
    Name(String),
    /// The system names no server.
    #[error("{SYSTEM} names no name server")]
    NoServer,
    /// The system or the network failed.
    #[error("cannot ask {server}")]
    Io {
        server: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// No answer in time.
    #[error("{server} does not answer within {0} s", PATIENCE.as_secs())]
    Silent { server: SocketAddr },
    /// The answer is none.
    #[error("the answer of {server} cannot be used")]
    Unread {
        server: SocketAddr,
        #[source]
        source: Unread,
    },
}

/// Asks name servers.
#[derive(Debug)]
pub(crate) struct Resolver {
    /// The only server; absent = those of the system, read again for each query.
    server: Option<SocketAddr>,
    patience: Duration,
    // a std mutex, held for one number and never across an await
    random: Mutex<StdRng>,
}

impl Resolver {
    pub(crate) fn new(server: Option<SocketAddr>, seed: u64) -> Self {
        let random = Mutex::new(StdRng::seed_from_u64(seed));
        Self { server, patience: PATIENCE, random }
    }

    /// The data of the records of `kind` that `name` has.
    ///
    /// # Errors
    /// The error of the last server.
    pub(crate) async fn records(&self, name: &str, kind: Kind) -> Result<Vec<Vec<u8>>, Error> {
        let servers = match self.server {
            Some(server) => vec![server],
            None => {
                let reading = spawn_blocking(|| fs::read_to_string(SYSTEM)).await;
                servers(&reading.ok().and_then(Result::ok).unwrap_or_default())
            }
        };
        let mut last = Error::NoServer;
        for server in servers.into_iter().take(MOST_SERVERS) {
            for _ in 0..TRIES {
                let asking = timeout(self.patience, self.ask(server, name, kind)).await;
                match asking.unwrap_or(Err(Error::Silent { server })) {
                    Ok(records) => return Ok(records),
                    Err(error @ Error::Name(_)) => return Err(error),
                    Err(error) => last = error,
                }
            }
        }
        Err(last)
    }

    async fn ask(&self, server: SocketAddr, name: &str, kind: Kind) -> Result<Vec<Vec<u8>>, Error> {
        let id = self.random.lock().unwrap_or_else(PoisonError::into_inner).next_u32() as u16;
        let question = query(id, name, kind).ok_or_else(|| Error::Name(name.into()))?;
        let failed = |source| Error::Io { server, source };
        let unread = |source| Error::Unread { server, source };
        let socket = UdpSocket::bind(any(server.ip())).await.map_err(failed)?;
        // from now on the system takes nothing that comes from elsewhere
        socket.connect(server).await.map_err(failed)?;
        socket.send(&question).await.map_err(failed)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = socket.recv(&mut buffer).await.map_err(failed)?;
            match read(&buffer[..length], id, name, kind) {
                Ok(Reply::Records(records)) => return Ok(records),
                Ok(Reply::Truncated) => break,
                // late, or forged: the right one may still come
                Err(Unread::Foreign) => {}
                Err(source) => return Err(unread(source)),
            }
        }
        let message = over_tcp(server, &question).await.map_err(failed)?;
        match read(&message, id, name, kind) {
            Ok(Reply::Records(records)) => Ok(records),
            Ok(Reply::Truncated) => Err(unread(Unread::Malformed)),
            Err(source) => Err(unread(source)),
        }
    }
}

/// The address of no interface in the family of `server`.
const fn any(server: IpAddr) -> SocketAddr {
    match server {
        IpAddr::V4(_) => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        IpAddr::V6(_) => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
    }
}

async fn over_tcp(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// The addresses that a file in the form of resolv.conf names, in order.
fn servers(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        words.next()?.parse::<IpAddr>().ok()
    });
    named.map(|address| SocketAddr::new(address, 53)).collect()
}

#[cfg(test)]
mod tests {
    use stoker_testkit::{Answer, NameServer, Question};

    use super::*;

    const NAME: &str = "_cdnauth.example.com";
    /// Longer than any machine takes, where an answer comes.
    const LONG: Duration = Duration::from_secs(60);

    fn resolver(server: SocketAddr, patience: Duration) -> Resolver {
        Resolver { patience, ..Resolver::new(Some(server), 7) }
    }

    async fn texts(server: &NameServer) -> Result<Vec<String>, Error> {
        let records = resolver(server.address(), LONG).records(NAME, Kind::Txt).await?;
        Ok(records.into_iter().map(|text| String::from_utf8(text).unwrap()).collect())
    }

    fn start(answer: impl Fn(&Question) -> Answer + Send + Sync + 'static) -> NameServer {
        NameServer::start(move |question| vec![answer(question).bytes()])
    }

    #[tokio::test]
    async fn texts_of_several_strings_and_records_are_found() {
        let server = start(|q| Answer::to(q).txt(&["one", "-two"]).txt(&["three"]));
        assert_eq!(texts(&server).await.unwrap(), ["one-two", "three"]);
        let questions = server.questions();
        assert_eq!((questions.len(), questions[0].name.as_str()), (1, NAME));
        assert_eq!((questions[0].kind, questions[0].is_tcp), (Kind::Txt.code(), false));
    }

    #[tokio::test]
    async fn no_such_name_and_no_such_record_are_answers() {
        for code in [0, 3] {
            let server = start(move |q| Answer::to(q).code(code));
            assert_eq!(texts(&server).await.unwrap(), Vec::<String>::new());
            assert_eq!(server.questions().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_server_that_fails_is_asked_twice() {
        let server = start(|q| Answer::to(q).code(2));
        let error = texts(&server).await.unwrap_err();
        assert!(matches!(error, Error::Unread { source: Unread::Refused(2), .. }), "{error:?}");
        assert_eq!(server.questions().len(), 2);
    }

    #[tokio::test]
    async fn a_forged_answer_is_passed_over_and_the_right_one_taken() {
        let server = NameServer::start(|q| {
            let forged = Answer::to(q).txt(&["forged"]);
            let mut wrong_name = forged.bytes();
            wrong_name[14] ^= 1;
            vec![
                forged.with_wrong_id().bytes(),
                wrong_name,
                vec![0; 3],
                Answer::to(q).txt(&["right"]).bytes(),
                Answer::to(q).txt(&["late"]).bytes(),
            ]
        });
        assert_eq!(texts(&server).await.unwrap(), ["right"]);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_asked_for_over_tcp() {
        let long = "x".repeat(200);
        let strings: Vec<String> = (0..300).map(|n| format!("{long}{n}")).collect();
        let expected: Vec<String> = strings.clone();
        let server = start(move |q| {
            let answer = Answer::to(q);
            if q.is_tcp {
                strings.iter().fold(answer, |answer, text| answer.txt(&[text]))
            } else {
                answer.truncated()
            }
        });
        assert_eq!(texts(&server).await.unwrap(), expected);
        let over: Vec<bool> = server.questions().iter().map(|q| q.is_tcp).collect();
        assert_eq!(over, [false, true]);
        let server = start(|q| Answer::to(q).truncated());
        let error = texts(&server).await.unwrap_err();
        assert!(matches!(error, Error::Unread { .. }), "cut over TCP too: {error:?}");
    }

    #[tokio::test]
    async fn aliases_are_followed_and_a_loop_of_them_is_no_answer() {
        let server = start(|q| {
            Answer::to(q).alias(NAME, "a.net").alias("a.net", "b.net").txt_of("b.net", "found")
        });
        assert_eq!(texts(&server).await.unwrap(), ["found"]);
        let server = start(|q| Answer::to(q).alias(NAME, "a.net").alias("a.net", NAME));
        let error = texts(&server).await.unwrap_err();
        assert!(matches!(error, Error::Unread { source: Unread::Malformed, .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_silent_server_is_not_waited_for_for_ever() {
        let server = NameServer::start(|_| Vec::new());
        let resolver = resolver(server.address(), Duration::from_millis(50));
        let error = resolver.records(NAME, Kind::Txt).await.unwrap_err();
        assert!(matches!(error, Error::Silent { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn what_is_not_a_name_is_not_asked_for() {
        let server = start(Answer::to);
        let name = "x".repeat(64);
        let error = resolver(server.address(), LONG).records(&name, Kind::A).await.unwrap_err();
        assert!(matches!(error, Error::Name(_)), "{error:?}");
        assert!(server.questions().is_empty());
    }

    #[test]
    fn the_servers_of_the_system_are_read_in_order() {
        let text = "# nameserver 9.9.9.9\nnameserver 192.0.2.1\nsearch a b\n nameserver  ::1 \n\
                    nameserver fe80::1%eth0\nnameserver\noptions edns0\n";
        let expected: Vec<SocketAddr> =
            ["192.0.2.1:53", "[::1]:53"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(servers(text), expected);
        assert!(servers("").is_empty());
    }
}
