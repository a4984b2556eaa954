//! The stream of a connection as hyper sees it: requests that were judged, nothing else.
//!
//! In place of a head that is refused hyper reads one that is not; the service knows its number and
//! answers with the refusal, after the replies to the requests before it. Behind it nothing is read.
//! Content that breaks its framing ends the connection.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use crate::{
    Bounds, Connection,
    grammar::{Messages, Verdict},
};

/// What hyper reads in place of a refused head.
const REFUSED: &[u8] = b"GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n";
const REFUSED_HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n";

/// How long, and for how much, a refused client is read on, so that it gets to read why instead of
/// being reset,
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;
/// so much at a time.
const LINGER_READ: usize = 4096;

/// A stream with its requests judged.
pub(crate) struct Guard<S> {
    stream: S,
    connection: Connection,
    messages: Messages,
    /// The beginning of a head.
    held: BytesMut,
    /// What passed and was not asked for yet.
    passed: BytesMut,
    end: Option<Verdict>,
    is_stuck: bool,
    linger: Option<Linger>,
}

struct Linger {
    time: Pin<Box<Sleep>>,
    bytes: usize,
}

impl<S> Guard<S> {
    pub(crate) fn new(stream: S, connection: Connection, bounds: &Bounds) -> Self {
        Self {
            stream,
            connection,
            messages: Messages::new(bounds),
            held: BytesMut::new(),
            passed: BytesMut::new(),
            end: None,
            is_stuck: false,
            linger: None,
        }
    }

    /// Judges what has come behind `before` in `buf`, and leaves there what passes.
    fn judge(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let new = &mut buf.filled_mut()[before..];
        let verdict = if self.held.is_empty() {
            let (length, verdict) = self.messages.read(new);
            if verdict.is_none() {
                self.held.extend_from_slice(&new[length..]);
            } else if is_head_request(&new[length..]) {
                self.held.extend_from_slice(b"HEAD ");
            }
            buf.set_filled(before + length);
            verdict
        } else {
            self.held.extend_from_slice(new);
            let (length, verdict) = self.messages.read(&mut self.held);
            buf.set_filled(before);
            self.passed = self.held.split_to(length);
            verdict
        };
        if let Some(verdict) = verdict {
            self.end_with(verdict);
        }
        if self.held.is_empty() {
            // an idle connection keeps no memory for heads
            self.held = BytesMut::new();
        }
    }

    fn end_with(&mut self, verdict: Verdict) {
        let shared = self.connection.shared();
        self.end = Some(verdict);
        match verdict {
            Verdict::Refused(refusal) => {
                shared.refused(refusal);
                self.connection.refuse(self.messages.heads() + 1, refusal);
                let stands_for = if is_head_request(&self.held) { REFUSED_HEAD } else { REFUSED };
                self.passed.extend_from_slice(stands_for);
            }
            Verdict::Broken(refusal) => shared.refused(refusal),
        }
        self.held.clear();
    }
}

fn is_head_request(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HEAD ") || bytes.starts_with(b"\r\nHEAD ")
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            if !self.passed.is_empty() {
                let length = self.passed.len().min(buf.remaining());
                buf.put_slice(&self.passed[..length]);
                self.passed.advance(length);
                return Poll::Ready(Ok(()));
            }
            match self.end {
                None => {}
                // the reply is on its way, and ends the connection
                Some(Verdict::Refused(_)) => return Poll::Pending,
                Some(Verdict::Broken(refusal)) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, refusal.sentence());
                    return Poll::Ready(Err(error));
                }
            }
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
            if buf.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            self.judge(buf, before);
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    fn note<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &polled {
            Poll::Pending if !self.is_stuck => {
                self.is_stuck = true;
                self.connection.stuck();
            }
            Poll::Ready(_) if self.is_stuck => {
                self.is_stuck = false;
                self.connection.moves();
            }
            _ => {}
        }
        polled
    }

    /// Reads on and drops it, until the client has closed or has had enough time.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self
            .linger
            .get_or_insert_with(|| Linger { time: Box::pin(sleep(LINGER)), bytes: LINGER_BYTES });
        let mut space = [0; LINGER_READ];
        while linger.bytes > 0 {
            if linger.time.as_mut().poll(cx).is_ready() {
                break;
            }
            let mut buf = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {
                    linger.bytes = linger.bytes.saturating_sub(buf.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.connection.flushed();
        }
        self.note(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if self.end.is_some() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
