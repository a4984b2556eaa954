//! The content of a reply: nothing, bytes at hand, bytes of the store read as the viewer takes
//! them, or bytes of a running fill. What the store turns out to have lost comes from a fill, too: the
//! head of the reply has promised it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::{
    fill::{self, Fills},
    memory::Window,
    origin::Fault,
    request::Request,
    store::Stored,
};

/// Why the content of a reply ends early. The connection is closed, so the client sees it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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

/// What comes next of a stored representation.
enum Next {
    Chunk(Bytes),
    /// All the rest.
    Fill(Box<fill::Body>),
}

type Reading = Pin<Box<dyn Future<Output = Result<Next, Fault>> + Send>>;

/// How that is got which the store loses while it is being sent.
pub(super) struct Refill {
    pub(super) fills: Fills,
    pub(super) request: Request,
}

/// A part of a stored representation, from its first chunk on.
pub struct StoredBody {
    stored: Stored,
    refill: Arc<Refill>,
    window: Window,
    first: Option<Bytes>,
    /// Next byte to be read.
    offset: u64,
    /// One past the last byte.
    end: u64,
    /// Bytes not yet handed out.
    left: u64,
    reading: Option<Reading>,
    /// What takes the place of the store.
    fill: Option<Box<fill::Body>>,
}

impl StoredBody {
    /// The bytes from `start` up to `end` (exclusive), of which `first` has been read.
    pub(super) fn new(
        stored: Stored,
        refill: Refill,
        (first, window): (Bytes, Window),
        (start, end): (u64, u64),
    ) -> Self {
        let offset = start + first.len() as u64;
        Self {
            stored,
            refill: Arc::new(refill),
            window,
            first: Some(first),
            offset,
            end,
            left: end - start,
            reading: None,
            fill: None,
        }
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        if let Some(first) = self.first.take() {
            self.left -= first.len() as u64;
            return Poll::Ready(Some(Ok(first)));
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        loop {
            if let Some(fill) = &mut self.fill {
                let frame = ready!(Pin::new(fill.as_mut()).poll_frame(context));
                let chunk = frame.map(|frame| frame.map(|f| f.into_data().unwrap_or_default()));
                if let Some(Ok(chunk)) = &chunk {
                    self.left = self.left.saturating_sub(chunk.len() as u64);
                }
                return Poll::Ready(chunk);
            }
            let (offset, end) = (self.offset, self.end);
            let most = self.window.piece(end - offset);
            let reading = self.reading.get_or_insert_with(|| {
                let (stored, refill) = (self.stored.clone(), Arc::clone(&self.refill));
                Box::pin(next(stored, refill, (offset, end), most))
            });
            let next = ready!(reading.as_mut().poll(context));
            self.reading = None;
            match next {
                Ok(Next::Chunk(chunk)) => {
                    self.offset += chunk.len() as u64;
                    self.left -= chunk.len() as u64;
                    return Poll::Ready(Some(Ok(chunk)));
                }
                Ok(Next::Fill(fill)) => self.fill = Some(fill),
                Err(fault) => return Poll::Ready(Some(Err(fault))),
            }
        }
    }
}

async fn next(
    stored: Stored,
    refill: Arc<Refill>,
    (offset, end): (u64, u64),
    most: usize,
) -> Result<Next, Fault> {
    match stored.read(offset, most).await {
        Ok(chunk) if !chunk.is_empty() => Ok(Next::Chunk(chunk)),
        _ => {
            let request = refill.request.clone();
            let rest = refill.fills.rest_of(request, &stored, (offset, end)).await?;
            Ok(Next::Fill(Box::new(rest)))
        }
    }
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
                ready!(stored.poll_chunk(context)).map(|chunk| chunk.map_err(Error::Fill))
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
