//! The content of a reply: nothing, bytes at hand, bytes of the store read as the viewer takes
//! them, or bytes of a running fill.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::{
    fill,
    origin::Fault,
    store::{ReadError, Stored},
};

/// Bytes that are read at once from the store. The store pools its buffers.
pub(super) const CHUNK: usize = 256 << 10;

/// Why the content of a reply ends early. The connection is closed, so the client sees it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot read what it holds.
    #[error("cannot read stored content")]
    Read(#[source] ReadError),
    /// The fill that feeds the reply failed.
    #[error("cannot fetch the rest of the content")]
    Fill(#[source] Fault),
}

/// The content of a reply.
#[derive(Default)]
pub enum Body {
    /// No content.
    #[default]
    Empty,
    /// All of it is here.
    Full(Bytes),
    /// It is read from the store in step with the client.
    Stored(Box<StoredBody>),
    /// It comes from a running fill.
    Fill(Box<fill::Body>),
}

impl Body {
    /// Content that is at hand.
    pub fn full(content: impl Into<Bytes>) -> Self {
        Self::Full(content.into())
    }
}

type Reading = Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send>>;

/// A part of a stored representation, from its first chunk on.
pub struct StoredBody {
    stored: Stored,
    first: Option<Bytes>,
    /// Next byte to be read.
    offset: u64,
    /// One past the last byte.
    end: u64,
    /// Bytes not yet handed out.
    left: u64,
    reading: Option<Reading>,
}

impl StoredBody {
    /// The bytes from `start` up to `end` (exclusive), of which `first` has been read.
    pub(super) fn new(stored: Stored, first: Bytes, start: u64, end: u64) -> Self {
        let offset = start + first.len() as u64;
        Self { stored, first: Some(first), offset, end, left: end - start, reading: None }
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ReadError>>> {
        if let Some(first) = self.first.take() {
            self.left -= first.len() as u64;
            return Poll::Ready(Some(Ok(first)));
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let (offset, most) = (self.offset, most(self.end - self.offset));
        let reading = self.reading.get_or_insert_with(|| {
            let stored = self.stored.clone();
            Box::pin(async move { stored.read(offset, most).await })
        });
        let read = ready!(reading.as_mut().poll(context));
        self.reading = None;
        match read {
            Ok(chunk) if chunk.is_empty() => Poll::Ready(Some(Err(ReadError::Missing))),
            Ok(chunk) => {
                self.offset += chunk.len() as u64;
                self.left -= chunk.len() as u64;
                Poll::Ready(Some(Ok(chunk)))
            }
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

/// How much to read where `left` bytes are wanted.
pub(super) fn most(left: u64) -> usize {
    usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let data = match this {
            Self::Empty => None,
            Self::Full(content) => {
                let content = std::mem::take(content);
                *this = Self::Empty;
                Some(Ok(content)).filter(|content| content.as_ref().is_ok_and(|c| !c.is_empty()))
            }
            Self::Stored(stored) => {
                ready!(stored.poll_chunk(context)).map(|chunk| chunk.map_err(Error::Read))
            }
            Self::Fill(fill) => {
                return Pin::new(fill.as_mut())
                    .poll_frame(context)
                    .map(|frame| frame.map(|frame| frame.map_err(Error::Fill)));
            }
        };
        Poll::Ready(data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(content) => content.is_empty(),
            Self::Stored(stored) => stored.left == 0,
            Self::Fill(fill) => fill.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(content) => SizeHint::with_exact(content.len() as u64),
            Self::Stored(stored) => SizeHint::with_exact(stored.left),
            Self::Fill(fill) => fill.size_hint(),
        }
    }
}
