//! Content as it passes: of requests, whose arrival is watched, and of replies, whose end is.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::Connection;

/// Content of a request.
#[derive(Debug)]
pub struct Content {
    incoming: Incoming,
    connection: Connection,
}

impl Content {
    pub(crate) fn new(incoming: Incoming, connection: Connection) -> Self {
        Self { incoming, connection }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        match &polled {
            Poll::Pending => self.connection.content_waits(),
            Poll::Ready(Some(Ok(frame))) => {
                self.connection.content_came(frame.data_ref().map_or(0, Bytes::len));
                if self.incoming.is_end_stream() {
                    self.connection.content_ended();
                }
            }
            Poll::Ready(_) => self.connection.content_ended(),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Content of a reply, or the sentence that says why a request is refused.
#[derive(Debug)]
pub struct Reply<B> {
    content: Option<B>,
    sentence: Option<Bytes>,
    connection: Connection,
}

impl<B> Reply<B> {
    pub(crate) fn new(content: B, connection: Connection) -> Self {
        Self { content: Some(content), sentence: None, connection }
    }

    pub(crate) fn sentence(sentence: &'static str, connection: Connection) -> Self {
        let sentence = Some(Bytes::from_static(sentence.as_bytes()));
        Self { content: None, sentence, connection }
    }
}

impl<B> Drop for Reply<B> {
    fn drop(&mut self) {
        self.connection.reply_ended();
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Reply<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.content {
            Some(content) => Pin::new(content).poll_frame(cx),
            None => Poll::Ready(self.sentence.take().map(|sentence| Ok(Frame::data(sentence)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.content.as_ref().map_or(self.sentence.is_none(), Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let sentence = || self.sentence.as_ref().map_or(0, Bytes::len) as u64;
        match &self.content {
            Some(content) => content.size_hint(),
            None => SizeHint::with_exact(sentence()),
        }
    }
}
