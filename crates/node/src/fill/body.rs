//! The content that a reader gets, as an [`http_body::Body`].
//!
//! Three sources in this order: what has just arrived, the store, and, when the store could not
//! keep it, a request of the reader's own from where it stands, checked against the validator. What
//! the store has lost since is filled again, and no more than that.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::header;
use http_body::{Frame, SizeHint};
use stoker_domain::{
    http::{ByteRange, Validator},
    outcome::{Outcome, Uncacheable},
};

use super::{
    Fills,
    head::{FillHead, Filled},
    passing::PassThrough,
    reader::Reader,
    slices::slice_of,
    state::{Cursor, Take, changed},
};
use crate::{
    memory::Window,
    origin::Fault,
    request::{Intent, Request, Want},
    store::Stored,
};

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
        passing: PassThrough,
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
                reader.membership.fill.count_pulled(chunk.len());
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
    pub(super) fn shared(
        reader: Reader,
        cursor: Cursor,
        (end, is_sized): (u64, bool),
        window: Window,
    ) -> Self {
        let left = is_sized.then(|| end.saturating_sub(cursor.offset));
        let shared = Shared { reader, cursor, end, window, stored: None, own: None, lost_at: None };
        let stream = stream::try_unfold(shared, |mut shared| async move {
            Ok(shared.next().await?.map(|chunk| (chunk, shared)))
        });
        Self { stream: Box::pin(stream), left }
    }
}

impl Reader {
    /// The content after [`Self::head`]: all of it, or first and last byte of `range`, which must
    /// lie within the size.
    pub fn body(self, range: Option<(u64, u64)>) -> Body {
        self.body_within(range, Window::of_all())
    }

    /// The same, in pieces as `window` has them.
    pub(crate) fn body_within(mut self, range: Option<(u64, u64)>, window: Window) -> Body {
        self.membership.is_waiting = true;
        let (start, end) = range.map_or((0, u64::MAX), |(start, last)| (start, last + 1));
        self.narrow(range);
        let (passing, size) = {
            let mut state = self.membership.fill.state();
            // Reader 0 began the fill: the reply that passes is to its request.
            let is_first = self.membership.reader == 0;
            (is_first.then(|| state.passing.take()).flatten(), state.size)
        };
        let end = size.map_or(end, |size| end.min(size));
        match passing {
            Some(passing) => Body::passing(self, passing, start, end, size.is_some()),
            None => Body::shared(self, Cursor::at(start), (end, size.is_some()), window),
        }
    }

    /// As [`Self::durable`]; and head and content of a playlist that is not kept, for
    /// [`Intent::PrefetchAndRead`](super::Intent).
    pub async fn durable_or_passing(self) -> (Filled, Option<(Arc<FillHead>, Body)>) {
        let (filled, reader) = self.end().await;
        let head = {
            let state = reader.membership.fill.state();
            let is_ours = reader.membership.reader == 0 && state.passing.is_some();
            state.head.clone().filter(|_| is_ours)
        };
        let is_passing = matches!(filled.outcome, Outcome::Uncacheable(_) | Outcome::TooLarge);
        let passing = head.filter(|_| is_passing).map(|head| (head, reader.body(None)));
        (filled, passing)
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
    window: Window,
    stored: Option<Stored>,
    /// The reader's own request for the rest.
    own: Option<Body>,
    /// Where the store did not have last what it should have.
    lost_at: Option<u64>,
}

impl Shared {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let next = self.next_piece().await;
        // whoever knows the length does not ask for what follows the last byte
        if self.cursor.offset >= self.end || matches!(next, Ok(None)) {
            self.reader.membership.is_waiting = false;
        }
        next
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            if let Some(own) = &mut self.own {
                return next_of(own).await;
            }
            match self.take().await {
                Take::Chunk(chunk) => return Ok(Some(self.window.cut(chunk))),
                Take::End => return Ok(None),
                Take::Failed(fault) => return Err(fault),
                Take::InStore(generation) => match self.read(generation).await {
                    Some(chunk) => return Ok(Some(chunk)),
                    None => self.refill().await?,
                },
                Take::Lost => self.ask_alone().await?,
                // `take` waits
                Take::Wait => {}
            }
        }
    }

    async fn take(&mut self) -> Take {
        let membership = &self.reader.membership;
        let piece = self.piece() as u64;
        let end = self.end.min(self.cursor.offset.saturating_add(piece));
        let (reader, epoch) = (membership.reader, membership.epoch);
        let mut take = membership.fill.take(reader, epoch, &mut self.cursor, end);
        while matches!(take, Take::Wait) {
            let changed = membership.fill.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed; the state is looked at once more before the wait.
            changed.as_mut().enable();
            take = membership.fill.take(reader, epoch, &mut self.cursor, end);
            if matches!(take, Take::Wait) {
                changed.await;
            }
        }
        take
    }

    /// Bytes that may be taken at once.
    fn piece(&self) -> usize {
        self.window.piece(self.end.saturating_sub(self.cursor.offset).max(1))
    }

    /// Bytes at the cursor from the store; `None` when it no longer has them.
    async fn read(&mut self, generation: u64) -> Option<Bytes> {
        let fill = &self.reader.membership.fill;
        let most = self.piece().min(READ);
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

    /// Has the slice at the cursor filled again, which the store has lost: by this fill while it runs,
    /// else by another.
    async fn refill(&mut self) -> Result<(), Fault> {
        let offset = self.cursor.offset;
        // Lost again although it was filled: the store does not keep it.
        if self.lost_at.replace(offset) == Some(offset) {
            return self.ask_alone().await;
        }
        let fill = &self.reader.membership.fill;
        if fill.lose(slice_of(offset)) {
            return Ok(());
        }
        let fills = self.reader.fills.clone();
        let stored = fills.store().lookup(fill.key, &fill.url).await;
        let mut reader = fills.join_or_start(Arc::new(self.rest()), stored);
        let head = self.rest_of_it(&mut reader).await?;
        if head.not_kept.is_some() {
            self.own = Some(reader.body(Some((offset, self.last(&head)))));
        } else {
            reader.narrow(Some((offset, self.last(&head))));
            self.reader = reader;
            self.cursor = Cursor::at(offset);
        }
        self.stored = None;
        Ok(())
    }

    /// Asks for the rest alone, because the store could not keep it.
    async fn ask_alone(&mut self) -> Result<(), Fault> {
        // one reader's own request never shares, so this cannot go round in circles
        let mut alone = self.reader.fills.start_unshared(Arc::new(self.rest()));
        let head = self.rest_of_it(&mut alone).await?;
        self.own = Some(alone.body(Some((self.cursor.offset, self.last(&head)))));
        self.stored = None;
        Ok(())
    }

    /// A request for what the reader has not got yet.
    fn rest(&self) -> Request {
        let end_inclusive = (self.end != u64::MAX).then(|| self.end - 1);
        let range = ByteRange::From { start: self.cursor.offset, end_inclusive };
        let intent = Intent::Demand(Want::Range(range));
        Request { intent, ..Request::clone(&self.reader.request) }
    }

    /// The last byte that the reader wants.
    fn last(&self, head: &FillHead) -> u64 {
        match (self.end, head.size) {
            (u64::MAX, None) => u64::MAX - 1,
            (u64::MAX, Some(size)) => size.saturating_sub(1),
            (end, _) => end - 1,
        }
    }

    async fn rest_of_it(&mut self, reader: &mut Reader) -> Result<Arc<FillHead>, Fault> {
        let before = self.head()?;
        let head = Box::pin(reader.head()).await?;
        is_rest_of(before.response.strong_validator(), before.size, &head)?;
        Ok(head)
    }

    fn head(&self) -> Result<Arc<FillHead>, Fault> {
        let head = self.reader.membership.fill.state().head.clone();
        head.ok_or_else(|| Fault::uncacheable(Uncacheable::DiskError, "the store lost it"))
    }
}

/// Whether a response of this validator and size goes on with what has this `head`.
fn is_rest_of(
    validator: Option<Validator>,
    size: Option<u64>,
    head: &FillHead,
) -> Result<(), Fault> {
    let is_same = validator.is_some() && validator == head.response.strong_validator();
    if !is_same || (size.is_some() && size != head.size) {
        return Err(changed("the rest of it belongs to another representation"));
    }
    Ok(())
}

impl Fills {
    /// Bytes `start..end` of `stored`, of which the store has lost some: those are filled again.
    ///
    /// # Errors
    /// They cannot be had, or are not of the same representation any more.
    pub(crate) async fn rest_of(
        &self,
        request: Request,
        stored: &Stored,
        (start, end): (u64, u64),
    ) -> Result<Body, Fault> {
        let validator = stored.response().and_then(|response| response.strong_validator());
        let range = ByteRange::From { start, end_inclusive: Some(end - 1) };
        let mut request = Request { intent: Intent::Demand(Want::Range(range)), ..request };
        // it was answered from the cache already; what is fetched now is the cache's own affair
        request.fields.remove(header::CACHE_CONTROL);
        let left = self.store().lookup(request.key, &request.url()).await;
        let mut reader = self.join_or_start(Arc::new(request), left);
        let head = reader.head().await?;
        is_rest_of(validator, stored.size(), &head)?;
        Ok(reader.body(Some((start, end - 1))))
    }
}

async fn next_of(body: &mut Body) -> Result<Option<Bytes>, Fault> {
    std::future::poll_fn(|cx| body.stream.as_mut().poll_next(cx)).await.transpose()
}
