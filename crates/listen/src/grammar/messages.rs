//! The requests in the bytes of a connection: where each begins and ends.
//!
//! Content passes as it comes. Of a head nothing passes before all of it is there and is judged, so
//! that nobody reads a request that is refused in its last line. Whatever pieces the bytes come in,
//! the same passes and the same is refused.

use super::{
    Refusal,
    chunked::Chunked,
    head::{self, Framing, LONGEST_METHOD},
};
use crate::{Bounds, Hosts};

/// What a request line has beside method and target: two spaces and the version.
const REST_OF_LINE: usize = 10;

/// How far a connection has been read.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
    state: State,
    head_bytes: usize,
    target_bytes: usize,
    hosts: Hosts,
    /// Heads that have passed.
    heads: u64,
}

#[derive(Clone, Debug)]
enum State {
    Head(Scan),
    /// So many bytes of content are left.
    Content(u64),
    Chunks(Chunked),
}

/// How far a head that is not whole has been looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    /// Bytes without another line end.
    scanned: usize,
    /// Where the line begins that has not ended.
    line: usize,
}

/// Why nothing more passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A head is refused. The requests before it are answered first.
    Refused(Refusal),
    /// The content of a request that has begun is broken.
    Broken(Refusal),
}

impl Messages {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            state: State::Head(Scan::default()),
            head_bytes: bounds.head_bytes,
            target_bytes: bounds.target_bytes,
            hosts: bounds.hosts,
            heads: 0,
        }
    }

    /// How many heads have passed.
    pub(crate) fn heads(&self) -> u64 {
        self.heads
    }

    /// Reads on in `bytes`, which begin where the last call let them pass: how many pass now, and
    /// why no more ever will. What is left is the beginning of a head, to be shown again with more
    /// behind it. A minor version that is not known is made 1.
    pub(crate) fn read(&mut self, bytes: &mut [u8]) -> (usize, Option<Verdict>) {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.state {
                State::Content(left) => {
                    let here = (*left).min((bytes.len() - at) as u64);
                    at += here as usize;
                    *left -= here;
                    if *left == 0 {
                        self.state = State::Head(Scan::default());
                    }
                }
                State::Chunks(chunked) => match chunked.read(&bytes[at..]) {
                    Ok((taken, is_over)) => {
                        at += taken;
                        if is_over {
                            self.state = State::Head(Scan::default());
                        }
                    }
                    Err((taken, refusal)) => return (at + taken, Some(Verdict::Broken(refusal))),
                },
                State::Head(_) => match self.head(&mut bytes[at..]) {
                    Ok(Some(length)) => at += length,
                    Ok(None) => break,
                    Err(refusal) => return (at, Some(Verdict::Refused(refusal))),
                },
            }
        }
        (at, None)
    }

    /// The length of the head at the beginning of `bytes`, once it is whole.
    fn head(&mut self, bytes: &mut [u8]) -> Result<Option<usize>, Refusal> {
        let State::Head(mut scan) = self.state else { return Ok(None) };
        // an empty line may precede a request (RFC 9112 section 2.2)
        let begin = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
        if scan.scanned < begin {
            scan = Scan { scanned: begin, line: begin };
        }
        let length = loop {
            let Some(found) = memchr::memchr(b'\n', &bytes[scan.scanned..]) else {
                self.check_unfinished(&bytes[begin..], scan.line == begin)?;
                scan.scanned = bytes.len();
                self.state = State::Head(scan);
                return Ok(None);
            };
            let end = scan.scanned + found;
            let is_first = scan.line == begin;
            self.check_unfinished(&bytes[begin..=end], is_first)?;
            if end == scan.line || bytes[end - 1] != b'\r' {
                return Err(Refusal::LineEnd);
            }
            let is_empty = end - 1 == scan.line;
            scan = Scan { scanned: end + 1, line: end + 1 };
            if is_empty {
                break end + 1;
            }
        };
        let head = head::check(&bytes[begin..length], self.target_bytes, self.hosts)?;
        if let Some(minor_at) = head.minor_at {
            bytes[begin + minor_at] = b'1';
        }
        self.heads += 1;
        self.state = match head.framing {
            Framing::Length(0) => State::Head(Scan::default()),
            Framing::Length(length) => State::Content(length),
            Framing::Chunked => State::Chunks(Chunked::default()),
        };
        Ok(Some(length))
    }

    /// What can be judged of a head before it is whole; the same in whatever pieces it comes.
    fn check_unfinished(&self, head: &[u8], is_first_line: bool) -> Result<(), Refusal> {
        if is_first_line && head != b"\r" {
            head::check_method_so_far(head)?;
            if head.len() > LONGEST_METHOD + self.target_bytes + REST_OF_LINE {
                return Err(Refusal::LongTarget);
            }
        }
        if head.len() > self.head_bytes { Err(Refusal::LargeHead) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::pass;

    fn check(text: &str, passed: &str, verdict: Option<Verdict>) {
        for size in [1, 2, 3, 7, text.len()] {
            let found = pass(&Bounds::node(), text.as_bytes(), size);
            let found = (String::from_utf8_lossy(&found.0).into_owned(), found.1);
            assert_eq!(found, (passed.into(), verdict), "{text:?} in pieces of {size}");
        }
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn requests_pass_whole_and_in_their_order() {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n";
        let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n\
                      2\r\nab\r\n0\r\n\r\n";
        let all = [GET, post, "\r\n", GET, chunks, GET].concat();
        check(&all, &all, None);
        check(&GET.replace("1.1", "1.7"), GET, None);
    }

    #[test]
    fn a_head_passes_when_it_is_whole() {
        check(&GET[..GET.len() - 1], "", None);
        check(&[GET, &GET[..5]].concat(), GET, None);
        check(&[GET, "\r"].concat(), GET, None);
    }

    #[test]
    fn what_was_asked_before_a_refused_request_passes() {
        let bad = "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n";
        check(&[GET, bad, GET].concat(), GET, Some(Verdict::Refused(Refusal::Host)));
        let chunks = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab";
        let passed = &chunks[..chunks.len() - 1];
        check(&[chunks, GET].concat(), passed, Some(Verdict::Broken(Refusal::Chunk)));
    }

    #[test]
    fn line_ends_are_refused_as_they_come() {
        for bad in ["GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nHost: a\n", "GET / HTTP/1.1\r\n\n"] {
            check(bad, "", Some(Verdict::Refused(Refusal::LineEnd)));
        }
        for bad in ["\n", "\r\n\n", "\r\n\r\n", "\rGET"] {
            check(bad, "", Some(Verdict::Refused(Refusal::RequestLine)));
        }
    }

    #[test]
    fn what_cannot_become_a_head_is_not_waited_for() {
        let refused = |text: &str| pass(&Bounds::node(), text.as_bytes(), 1000).1;
        let cases = [
            ("\u{16}\u{3}\u{1}".to_owned(), Refusal::RequestLine),
            (" GET /".into(), Refusal::RequestLine),
            ("A".repeat(33), Refusal::Method),
            (format!("GET /{}", "a".repeat(64 << 10)), Refusal::LongTarget),
            (format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(64 << 10)), Refusal::LargeHead),
            (format!("GET / HTTP/1.1\r\n{}", "X: a\r\n".repeat(12_000)), Refusal::LargeHead),
        ];
        for (text, refusal) in cases {
            let start = &text[..text.len().min(20)];
            assert_eq!(refused(&text), Some(Verdict::Refused(refusal)), "{start:?}");
        }
    }
}
