//! A client that sends any bytes and tells which replies came.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// How long anything may take before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A request that may be none, with what must come of it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Its bytes: each character is one; `¶` stands for a path that is there, `$` for its host.
    pub(crate) raw: String,
    pub(crate) has_content: bool,
    pub(crate) api: Outcome,
    pub(crate) node: Outcome,
    /// The section of an RFC, or the reason.
    pub(crate) why: &'static str,
}

/// Which replies must come. `200` and no more; `200+`: the connection goes on to the next request;
/// `200?`: it may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome(pub(crate) &'static str);

impl Outcome {
    pub(crate) fn allows(self, replies: &[u16]) -> bool {
        let (text, after) = match self.0.strip_suffix('+') {
            Some(text) => (text, [true, false]),
            None => match self.0.strip_suffix('?') {
                Some(text) => (text, [true, true]),
                None => (self.0, [false, true]),
            },
        };
        let mut wanted: Vec<u16> = text.split_whitespace().map(|s| s.parse().unwrap()).collect();
        let is_alone = after[1] && replies == wanted;
        wanted.push(200);
        is_alone || (after[0] && replies == wanted)
    }
}

impl Case {
    pub(crate) fn bytes(&self, place: &Place) -> Vec<u8> {
        let text = self.raw.replace('¶', place.path).replace('$', place.host);
        text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
    }

    pub(crate) fn shown(&self) -> String {
        let start: String = self.raw.chars().take(160).collect();
        format!("{start:?}")
    }
}

/// Somebody who answers, with something that is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) port: u16,
    pub(crate) path: &'static str,
    pub(crate) host: &'static str,
}

impl Place {
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends the bytes in pieces, and behind them a good request after which the connection ends; the
    /// statuses of the replies.
    pub(crate) fn send(&self, bytes: &[u8], pieces: usize) -> Vec<u16> {
        let mut stream = self.connect();
        // what is there at the API, whatever the path of the case
        let path = if self.path == "/" { "/healthz" } else { self.path };
        let probe =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host);
        for piece in bytes.chunks(pieces).chain([probe.as_bytes()]) {
            // whoever has refused reads no more
            if stream.write_all(piece).is_err() {
                break;
            }
        }
        statuses(&read_all(&mut stream))
    }

    /// The status of one good request on a connection of its own.
    pub(crate) fn ask(&self) -> Option<u16> {
        self.send(b"", 1).first().copied()
    }
}

/// Everything until the server closes.
pub(crate) fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return all,
            Ok(length) => all.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) =>
            {
                return all;
            }
            Err(error) => panic!("nothing for {PATIENCE:?} after {all:?}: {error}"),
        }
    }
}

/// The statuses of the replies in `bytes`. No content of a reply looks like a status line.
fn statuses(bytes: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(bytes);
    let after = text.split("HTTP/1.").skip(1);
    after.filter_map(|reply| reply.get(2..5)?.parse().ok()).collect()
}

/// What is at `path`, with its head.
pub(crate) fn get(port: u16, host: &'static str, path: &'static str) -> String {
    let mut stream = Place { port, path, host }.connect();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    String::from_utf8_lossy(&read_all(&mut stream)).into_owned()
}

/// The value of a metric in `text`.
pub(crate) fn metric(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).trim().parse().unwrap()
}
