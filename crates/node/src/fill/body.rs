//! The content that a reader gets, as an [`http_body::Body`].
//!
//! Three sources in this order: what has just arrived, the store, and, when the store could not
//! keep it, a request of the reader's own from where it stands, checked against the validator.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body::{Frame, SizeHint};
use stoker_domain::{http::ByteRange, outcome::Uncacheable};

use super::{
    head::FillHead,
    reader::Reader,
    request::{Intent, Request, Want},
    state::{Cursor, Passing, Take, changed},
};
use crate::{origin::Fault, store::Stored};

/// Bytes that are read from the store at once.
const READ: usize = 256 << 10;

/// Content of a fill. Its length is announced when it is known.
pub struct Body {
    stream: Pin<Box<dyn Stream<Item = Result<Bytes, Fault>> + Send>>,
    left: Option<u64>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Body {
    /// Bytes `start..end` of a response that is handed through.
    pub(super) fn passing(
        reader: Reader,
        passing: Passing,
        start: u64,
        end: u64,
        is_sized: bool,
    ) -> Self {
        let left = is_sized.then(|| end.saturating_sub(start));
        let first = (passing, start, reader);
        let stream = stream::try_unfold(first, move |(mut passing, offset, reader)| async move {
            if offset >= end {
                return Ok(None);
            }
            loop {
                let Some(chunk) = passing.next().await.transpose()? else {
                    return Ok(None);
                };
                reader.seat.fill.count_pulled(chunk.len());
                let from = passing.start;
                passing.start += chunk.len() as u64;
                if passing.start > offset {
                    let skip = offset.saturating_sub(from) as usize;
                    let most = usize::try_from(end - offset).unwrap_or(usize::MAX);
                    let chunk = chunk.slice(skip..chunk.len().min(skip.saturating_add(most)));
                    let offset = offset + chunk.len() as u64;
                    return Ok(Some((chunk, (passing, offset, reader))));
                }
            }
        });
        Self { stream: Box::pin(stream), left }
    }

    /// Bytes from the cursor to `end` of a fill that is shared.
    pub(super) fn shared(reader: Reader, cursor: Cursor, end: u64, is_sized: bool) -> Self {
        let left = is_sized.then(|| end.saturating_sub(cursor.offset));
        let shared = Shared { reader, cursor, end, stored: None, own: None };
        let stream = stream::try_unfold(shared, |mut shared| async move {
            Ok(shared.next().await?.map(|chunk| (chunk, shared)))
        });
        Self { stream: Box::pin(stream), left }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let polled = self.stream.as_mut().poll_next(cx);
        if let (Poll::Ready(Some(Ok(chunk))), Some(left)) = (&polled, &mut self.left) {
            *left = left.saturating_sub(chunk.len() as u64);
        }
        polled.map(|next| next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

struct Shared {
    reader: Reader,
    cursor: Cursor,
    end: u64,
    stored: Option<Stored>,
    /// The reader's own request for the rest.
    own: Option<Body>,
}

impl Shared {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            if let Some(own) = &mut self.own {
                return next_of(own).await;
            }
            match self.take().await {
                Take::Chunk(chunk) => return Ok(Some(chunk)),
                Take::End => return Ok(None),
                Take::Failed(fault) => return Err(fault),
                Take::InStore(generation) => match self.read(generation).await {
                    Some(chunk) => return Ok(Some(chunk)),
                    None => self.ask_alone().await?,
                },
                Take::Lost => self.ask_alone().await?,
                // `take` waits
                Take::Wait => {}
            }
        }
    }

    async fn take(&mut self) -> Take {
        let seat = &self.reader.seat;
        let (reader, epoch, end) = (seat.reader, seat.epoch, self.end);
        let mut take = seat.fill.take(reader, epoch, &mut self.cursor, end);
        while matches!(take, Take::Wait) {
            let changed = seat.fill.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            take = seat.fill.take(reader, epoch, &mut self.cursor, end);
            if matches!(take, Take::Wait) {
                changed.await;
            }
        }
        take
    }

    /// Bytes at the cursor from the store; `None` when it no longer has them.
    async fn read(&mut self, generation: u64) -> Option<Bytes> {
        let fill = &self.reader.seat.fill;
        let most = usize::try_from(self.end - self.cursor.offset).unwrap_or(READ).min(READ);
        if self.stored.is_none() {
            self.stored = fill.state().stored.clone();
        }
        // a handle may be older than the slice, so a second look is worth it
        for _ in 0..2 {
            if let Some(stored) = &self.stored
                && stored.generation() == generation
                && let Ok(chunk) = stored.read(self.cursor.offset, most).await
                && !chunk.is_empty()
            {
                self.cursor.offset += chunk.len() as u64;
                return Some(chunk);
            }
            self.stored = self.reader.fills.store().lookup(fill.key, &fill.url).await;
        }
        None
    }

    /// Asks for the rest alone, because the store could not keep it.
    async fn ask_alone(&mut self) -> Result<(), Fault> {
        let before = self.head()?;
        let offset = self.cursor.offset;
        let last = (self.end != u64::MAX).then(|| self.end - 1);
        let range = ByteRange::From { start: offset, end_inclusive: last };
        let intent = Intent::Demand(Want::Range(range));
        let request = Request { intent, ..Request::clone(&self.reader.request) };
        let mut alone = self.reader.fills.on_its_own(Arc::new(request));
        // one reader's own request never shares, so this cannot go round in circles
        let head = Box::pin(alone.head()).await?;
        let validator = before.response.strong_validator();
        if validator.is_none()
            || validator != head.response.strong_validator()
            || (before.size.is_some() && before.size != head.size)
        {
            return Err(changed("the rest of it belongs to another representation"));
        }
        let last = last.or(head.size.map(|size| size.saturating_sub(1)));
        self.own = Some(alone.body(Some((offset, last.unwrap_or(u64::MAX - 1)))));
        self.stored = None;
        Ok(())
    }

    fn head(&self) -> Result<Arc<FillHead>, Fault> {
        let head = self.reader.seat.fill.state().head.clone();
        head.ok_or_else(|| Fault::uncacheable(Uncacheable::DiskError, "the store lost it"))
    }
}

async fn next_of(body: &mut Body) -> Result<Option<Bytes>, Fault> {
    std::future::poll_fn(|cx| body.stream.as_mut().poll_next(cx)).await.transpose()
}
