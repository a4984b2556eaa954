//! One TCP connection, and whether it may carry another exchange.
//!
//! Decides on the bytes of the wire, below TLS: a connection may be used again only if nothing came
//! between the end of a reply and the first byte of the next request. Bytes that no request asked
//! for would answer the next one, for another URL. All reads and the first write are done by the one
//! task that drives the connection, so what it sees cannot be overtaken.
//!
//! Where content is read at a pace, little is read at once: what is not read stays with the sender,
//! and the limit holds from the first byte.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
};

use futures_util::task::AtomicWaker;
use rustix::net::{RecvFlags, recv};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Bytes that one read of a paced connection brings at most.
const SIP: usize = 16 << 10;

/// An exchange is on its way, or the connection is new.
const BUSY: u8 = 0;
/// A reply has ended; what may follow it has not been looked for.
const ENDED: u8 = 1;
/// Nothing follows: another request may be sent.
const IDLE: u8 = 2;
/// The other side closed it while it was idle.
const CLOSED: u8 = 3;
/// Bytes came that nobody had asked for.
const DIRTY: u8 = 4;

/// What is known of a connection by those who do not drive it.
#[derive(Debug, Default)]
pub(super) struct Wire {
    state: AtomicU8,
    /// Of the task that drives the connection.
    pub(super) driver: AtomicWaker,
}

impl Wire {
    /// The reply is over: the connection becomes idle as soon as its task finds that nothing follows.
    pub(super) fn end_exchange(&self) {
        self.state.store(ENDED, Ordering::Release);
        self.driver.wake();
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state.load(Ordering::Acquire) == IDLE
    }

    /// Whether bytes came while it was idle.
    pub(super) fn is_dirty(&self) -> bool {
        self.is(DIRTY)
    }

    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Acquire) == state
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Release);
    }
}

/// A TCP connection.
#[derive(Debug)]
pub(super) struct Stream {
    tcp: TcpStream,
    wire: Arc<Wire>,
    /// Bytes that one read brings.
    most: usize,
}

impl Stream {
    pub(super) fn new(tcp: TcpStream, wire: Arc<Wire>, is_paced: bool) -> Self {
        Self { tcp, wire, most: if is_paced { SIP } else { usize::MAX } }
    }

    fn poll_some(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() <= self.most {
            return Pin::new(&mut self.tcp).poll_read(cx, buffer);
        }
        let mut some = ReadBuf::new(buffer.initialize_unfilled_to(self.most));
        ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut some))?;
        let read = some.filled().len();
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }

    /// Before the first byte of a request on a connection that was idle: the system is asked whether
    /// anything has come, because its task may not have been woken yet.
    fn leave_idle(&self) -> io::Result<()> {
        let mut byte = [0_u8; 1];
        let state = match recv(&self.tcp, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Err(rustix::io::Errno::AGAIN) => {
                self.wire.set(BUSY);
                return Ok(());
            }
            Ok((_, 1..)) => DIRTY,
            Ok(_) | Err(_) => CLOSED,
        };
        self.wire.set(state);
        Err(spoiled())
    }

    fn before_write(&self) -> io::Result<()> {
        match self.wire.state.load(Ordering::Acquire) {
            IDLE => self.leave_idle(),
            CLOSED | DIRTY => Err(spoiled()),
            _ => Ok(()),
        }
    }
}

fn spoiled() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the idle connection cannot be used again")
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.wire.is(BUSY) {
            return this.poll_some(cx, buffer);
        }
        let was_idle = this.wire.is(IDLE);
        let before = buffer.filled().len();
        let polled = this.poll_some(cx, buffer);
        let has_read = buffer.filled().len() > before;
        match polled {
            // while bytes of the reply are left, nothing more is read before they have been looked at
            Poll::Pending if this.wire.is(ENDED) => {
                this.wire.set(IDLE);
                Poll::Pending
            }
            Poll::Ready(Ok(())) if was_idle => {
                this.wire.set(if has_read { DIRTY } else { CLOSED });
                Poll::Ready(Err(spoiled()))
            }
            // after the end of a reply TLS may have something of its own to say; HTTP has not
            polled => polled,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.before_write()?;
        Pin::new(&mut this.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.before_write()?;
        Pin::new(&mut this.tcp).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}
