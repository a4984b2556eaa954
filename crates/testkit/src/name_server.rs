//! A name server that answers what a test makes of each question, over UDP and TCP on one port.
//!
//! Knows no zones and no rules. Runs in threads of its own, so that a test needs no runtime for it.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Types of records.
const A: u16 = 1;
const CNAME: u16 = 5;
const TXT: u16 = 16;
/// Names that are tried for a port that is free for both.
const TRIES: usize = 100;

/// A question, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name, in lower case.
    pub name: String,
    /// The type of record that is asked for.
    pub kind: u16,
    /// Whether it came over TCP.
    pub is_tcp: bool,
    message: Vec<u8>,
    end: usize,
}

impl Question {
    fn read(message: &[u8], is_tcp: bool) -> Option<Self> {
        let (mut at, mut labels) = (12, Vec::new());
        loop {
            let length = usize::from(*message.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(message.get(at..at + length)?).to_lowercase());
            at += length;
        }
        let kind = u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]);
        let (name, message) = (labels.join("."), message.to_vec());
        Some(Self { name, kind, is_tcp, message, end: at + 4 })
    }
}

/// An answer to a question, made up record by record.
#[derive(Clone, Debug)]
pub struct Answer {
    head: [u8; 12],
    question: Vec<u8>,
    records: Vec<u8>,
}

impl Answer {
    /// To `question`: there is no record.
    pub fn to(question: &Question) -> Self {
        let mut head = [0; 12];
        head[..2].copy_from_slice(&question.message[..2]);
        head[2..6].copy_from_slice(&[0x81, 0x80, 0, 1]);
        let question = question.message[12..question.end].to_vec();
        Self { head, question, records: Vec::new() }
    }

    /// With this code: 2 = the server failed, 3 = no such name, 5 = refused.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.head[3] = 0x80 | code;
        self
    }

    /// Marked as cut.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        self.head[2] |= 2;
        self
    }

    /// With another number than the question has.
    #[must_use]
    pub fn with_wrong_id(mut self) -> Self {
        self.head[0] ^= 0xff;
        self
    }

    /// With a text of the name in question, in one or several strings.
    #[must_use]
    pub fn txt(self, strings: &[&str]) -> Self {
        let mut data = Vec::new();
        for string in strings {
            data.push(u8::try_from(string.len()).expect("a string has at most 255 bytes"));
            data.extend_from_slice(string.as_bytes());
        }
        self.record(&[0xc0, 12], TXT, &data)
    }

    /// With an address of the name in question.
    #[must_use]
    pub fn a(self, address: Ipv4Addr) -> Self {
        self.record(&[0xc0, 12], A, &address.octets())
    }

    /// With an alias of `name`.
    #[must_use]
    pub fn alias(self, name: &str, target: &str) -> Self {
        self.record(&wire(name), CNAME, &wire(target))
    }

    /// With a text of another name.
    #[must_use]
    pub fn txt_of(self, name: &str, string: &str) -> Self {
        let length = u8::try_from(string.len()).expect("a string has at most 255 bytes");
        self.record(&wire(name), TXT, &[&[length], string.as_bytes()].concat())
    }

    fn record(mut self, name: &[u8], kind: u16, data: &[u8]) -> Self {
        let count = u16::from_be_bytes([self.head[6], self.head[7]]) + 1;
        self.head[6..8].copy_from_slice(&count.to_be_bytes());
        let length = u16::try_from(data.len()).expect("data of a record has at most 65535 bytes");
        self.records.extend_from_slice(name);
        self.records.extend_from_slice(&kind.to_be_bytes());
        self.records.extend_from_slice(&[0, 1, 0, 0, 0, 0]);
        self.records.extend_from_slice(&length.to_be_bytes());
        self.records.extend_from_slice(data);
        self
    }

    /// The message.
    pub fn bytes(&self) -> Vec<u8> {
        [&self.head[..], &self.question, &self.records].concat()
    }
}

fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.') {
        wire.push(u8::try_from(label.len()).expect("a label has at most 63 bytes"));
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

/// A running name server. Stops when dropped.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    log: Mutex<Vec<Question>>,
    is_over: AtomicBool,
}

impl Shared {
    fn note(&self, question: &Question) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(question.clone());
    }
}

impl NameServer {
    /// Starts a server on a free port of the loopback interface; `answer` gives the messages that are
    /// sent for each question, none of them checked.
    ///
    /// # Panics
    /// When no port is free for both UDP and TCP.
    pub fn start(answer: impl Fn(&Question) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        let both = (0..TRIES).find_map(|_| {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
            let udp = UdpSocket::bind(tcp.local_addr().ok()?).ok()?;
            Some((tcp, udp))
        });
        let (tcp, udp) = both.expect("a port that is free for both");
        let address = tcp.local_addr().expect("a bound listener has an address");
        let (shared, answer) = (Arc::<Shared>::default(), Arc::new(answer));
        let (all, make) = (Arc::clone(&shared), Arc::clone(&answer));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut buffer) {
                if all.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let Some(question) = Question::read(&buffer[..length], false) else { continue };
                all.note(&question);
                for message in make(&question) {
                    // whoever asked may be gone
                    let _ = udp.send_to(&message, from);
                }
            }
        });
        let all = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in tcp.incoming() {
                if all.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (all, answer) = (Arc::clone(&all), Arc::clone(&answer));
                thread::spawn(move || stream.ok().and_then(|it| serve(&all, it, &*answer)));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The questions that came, oldest first.
    pub fn questions(&self) -> Vec<Question> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(
    shared: &Shared,
    mut stream: TcpStream,
    answer: &dyn Fn(&Question) -> Vec<Vec<u8>>,
) -> Option<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).ok()?;
    let question = Question::read(&message, true)?;
    shared.note(&question);
    for message in answer(&question) {
        let length = u16::try_from(message.len()).ok()?;
        stream.write_all(&length.to_be_bytes()).ok()?;
        stream.write_all(&message).ok()?;
    }
    Some(())
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // wakes both
        drop(TcpStream::connect(self.address));
        if let Ok(udp) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
            let _ = udp.send_to(&[], self.address);
        }
    }
}
