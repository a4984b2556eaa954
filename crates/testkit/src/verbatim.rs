//! An origin that sends, byte for byte, what a test makes of each request: for replies that no
//! well-behaved server would send.
//!
//! Each connection carries one request and is closed after the reply. Runs in threads of its own,
//! so that a test needs no runtime for it.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Path with query.
    pub path: String,
    /// First and last byte asked for, when the request carried a range with both.
    pub range: Option<(u64, u64)>,
    /// Requests for the same path before this one.
    pub earlier: usize,
    head: String,
}

impl Wanted {
    /// A request field; empty when absent.
    pub fn field(&self, name: &str) -> &str {
        let lines = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        found.next().map_or("", |(_, value)| value.trim())
    }

    fn read(stream: &mut TcpStream) -> Option<Self> {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            match stream.read(&mut buffer).ok()? {
                0 => return None,
                read => bytes.extend_from_slice(&buffer[..read]),
            }
        }
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let path = head.split(' ').nth(1)?.to_owned();
        let mut wanted = Self { path, range: None, earlier: 0, head };
        let range = wanted.field("range").strip_prefix("bytes=").and_then(|r| r.split_once('-'));
        wanted.range = range.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        Some(wanted)
    }
}

/// `content` after a head with status line and field lines of the test's choice, for instance
/// `"200 OK\r\nContent-Length: 3"`.
pub fn verbatim(head: &str, content: &[u8]) -> Vec<u8> {
    let mut reply = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").into_bytes();
    reply.extend_from_slice(content);
    reply
}

/// `content` in chunks, the last one included.
pub fn chunks(content: &[u8]) -> Vec<u8> {
    let mut coded = Vec::with_capacity(content.len() + 64);
    for chunk in content.chunks(64 << 10) {
        coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(b"0\r\n\r\n");
    coded
}

/// A running origin. Stops when dropped.
#[derive(Debug)]
pub struct VerbatimOrigin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    log: Mutex<Vec<Wanted>>,
    sent: AtomicU64,
    is_over: AtomicBool,
}

impl VerbatimOrigin {
    /// Starts an origin on a free port; `answer` gives the bytes of each reply, head included.
    ///
    /// # Panics
    /// When the loopback interface has no free port.
    pub fn start(answer: impl Fn(&Wanted) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::<Shared>::default();
        let (all, answer) = (Arc::clone(&shared), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if all.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, answer) = (Arc::clone(&all), Arc::clone(&answer));
                // a client that goes away is what some tests are about
                thread::spawn(move || stream.ok().and_then(|s| shared.serve(s, &*answer)));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, as a domain's origin is written.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests for `path`, oldest first.
    pub fn requests_for(&self, path: &str) -> Vec<Wanted> {
        let log = self.shared.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|wanted| wanted.path == path).cloned().collect()
    }

    /// Bytes of replies that left so far, heads included.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for VerbatimOrigin {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // wakes the listener
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream, answer: &dyn Fn(&Wanted) -> Vec<u8>) -> Option<()> {
        let mut wanted = Wanted::read(&mut stream)?;
        {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.earlier = log.iter().filter(|other| other.path == wanted.path).count();
            log.push(wanted.clone());
        }
        for piece in answer(&wanted).chunks(64 << 10) {
            stream.write_all(piece).ok()?;
            self.sent.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
        Some(())
    }
}
