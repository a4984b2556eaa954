//! Crowds of connections, and an origin that never answers.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Connections that stay open until they are dropped.
pub(super) struct Crowd {
    streams: Vec<TcpStream>,
    senders: Vec<JoinHandle<()>>,
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

impl Crowd {
    /// `count` connections that say the same and then nothing.
    pub(super) fn gather(port: u16, count: usize, text: &str) -> Self {
        Self::of_each(port, count, |_| text.to_owned())
    }

    /// `count` connections of which each has its own to say.
    pub(super) fn of_each(port: u16, count: usize, text: impl Fn(usize) -> String) -> Self {
        let one = |number| {
            let mut stream = connect(port);
            // the server may have closed it: that is its right
            let _ = stream.write_all(text(number).as_bytes());
            stream
        };
        Self { streams: (0..count).map(one).collect(), senders: Vec::new() }
    }

    /// `count` connections that send the head and `length` bytes of content at once, as fast as they
    /// are taken, and read what comes.
    pub(super) fn sending(port: u16, count: usize, head: &str, length: u64) -> Self {
        let one = |_| {
            let head = head.to_owned();
            thread::spawn(move || {
                let mut stream = connect(port);
                let _ = stream.write_all(head.as_bytes());
                let piece = vec![b'a'; 64 << 10];
                let mut left = length;
                while left > 0 {
                    let part = left.min(piece.len() as u64) as usize;
                    if stream.write_all(&piece[..part]).is_err() {
                        break;
                    }
                    left -= part as u64;
                }
                let _ = stream.read(&mut [0; 4096]);
            })
        };
        Self { streams: Vec::new(), senders: (0..count).map(one).collect() }
    }

    /// Waits until all that send have sent or been refused.
    pub(super) fn wait(mut self) {
        for sender in self.senders.drain(..) {
            sender.join().unwrap();
        }
        self.streams.clear();
    }
}

/// An origin that takes every connection and says nothing.
pub(super) struct Hanging {
    port: u16,
    taken: Arc<Mutex<Vec<TcpStream>>>,
    ends: Arc<AtomicBool>,
}

impl Hanging {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (taken, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let parts = (Arc::clone(&taken), Arc::clone(&ends));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if parts.1.load(Ordering::Relaxed) {
                    return;
                }
                parts.0.lock().unwrap().push(stream.unwrap());
            }
        });
        Self { port, taken, ends }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Connections that were ever made to it.
    pub(super) fn connections(&self) -> usize {
        self.taken.lock().unwrap().len()
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // wakes the thread that accepts
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}
