//! One upstream transfer: a row of slices, cut while they stream.
//!
//! A transfer may take several replies: a paced one is asked for in pieces, and where a viewer joins a
//! background transfer it is asked for again at interactive priority. **Invariant:** a reply continues
//! a generation only with its validator and its size (`GenerationContext::continues`); anything else is a
//! `Change`, and what to do about it is decided by `driver`. Which slices are asked for, and how many
//! transfers run at once, is decided by `pull`.

use std::{mem, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use stoker_domain::{
    http::{Validator, strong_validator},
    outcome::{OriginFault, Outcome},
};
use tokio::{select, time::sleep};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{
    Fills,
    extent::Extent,
    reply::Reply,
    slices::{slice_of, start_of},
    state::Fill,
};
use crate::{
    origin::{Ask, Content, Fault, NEVER_PROMOTED, Response, Retry, Source},
    request::Request,
};

/// Between two requests that raise the priority of what a parent brings.
const RAISE_AGAIN: Duration = Duration::from_secs(1);

/// What every transfer of one generation has in common.
#[derive(Debug)]
pub(super) struct GenerationContext {
    pub(super) fills: Fills,
    pub(super) fill: Arc<Fill>,
    pub(super) request: Arc<Request>,
    pub(super) source: Source,
    pub(super) epoch: u32,
    /// Without one, no further transfer can join this generation.
    pub(super) validator: Option<Validator>,
    pub(super) size: Option<u64>,
}

/// A transfer of bytes up to `end`.
#[derive(Debug)]
pub(super) struct Transfer {
    context: Arc<GenerationContext>,
    content: Option<Content>,
    /// Bytes beyond the slice that was cut last.
    carry: Bytes,
    /// Offset of the next byte.
    pub(super) next: u64,
    /// Offset after the last byte; open while the size is unknown.
    pub(super) end: Option<u64>,
    /// Offset after the last byte that this reply brings; a transfer may take several.
    reply_end: Option<u64>,
    /// Bytes that came and were not there yet.
    pub(super) brought: u64,
    /// The reply honours ranges.
    pub(super) is_partial: bool,
    /// A reply to `If-Range` continued what others brought.
    pub(super) has_joined: bool,
    /// Raises the priority at the parent of a reply that no other can continue.
    raising: Option<AbortOnDropHandle<()>>,
}

/// What one step of a transfer came to.
#[derive(Debug)]
pub(super) enum TransferEvent {
    /// This slice is in the window, whole.
    Slice { number: u32 },
    /// The content is over; the last slice, if any was begun, is in the window.
    End,
    /// It broke off.
    Failed(Fault),
    /// What comes is of another generation.
    Changed(Change),
}

/// What comes does not belong to the generation that is being filled.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) detail: String,
    pub(super) kind: ChangeKind,
    /// The beginning of the next generation, where the reply is that.
    pub(super) reply: Option<Box<Reply>>,
}

/// What a change says of the origin's ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeKind {
    /// Nothing: there is another representation now.
    Replaced,
    /// A range was refused. That may be so because of a change, or of ranges alone.
    Refused,
    /// Nothing has changed and parts do not go together: only the whole is of use.
    Inconsistent,
}

impl Change {
    pub(super) fn replaced(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), kind: ChangeKind::Replaced, reply: None }
    }

    fn refused(detail: impl Into<String>) -> Self {
        Self { kind: ChangeKind::Refused, ..Self::replaced(detail) }
    }

    fn inconsistent(detail: impl Into<String>) -> Self {
        Self { kind: ChangeKind::Inconsistent, ..Self::replaced(detail) }
    }
}

impl Transfer {
    /// A transfer whose reply has begun.
    pub(super) fn begun(context: Arc<GenerationContext>, content: Content, extent: Extent) -> Self {
        let carry = Bytes::new();
        let Extent { start: next, end: reply_end, is_partial, .. } = extent;
        // a reply that was asked to end within a slice is followed by others
        let whole = |end: u64| start_of(slice_of(end - 1) + 1).min(context.size.unwrap_or(end));
        let end = reply_end.map(|end| if is_partial && end > 0 { whole(end) } else { end });
        let content = Some(content);
        Self {
            context,
            content,
            carry,
            next,
            end,
            reply_end,
            brought: 0,
            is_partial,
            has_joined: false,
            raising: None,
        }
    }

    /// A transfer that has yet to ask for bytes `next..end`.
    pub(super) fn planned(context: Arc<GenerationContext>, next: u64, end: u64) -> Self {
        let (carry, end) = (Bytes::new(), Some(end));
        Self {
            context,
            content: None,
            carry,
            next,
            end,
            reply_end: None,
            brought: 0,
            is_partial: false,
            has_joined: false,
            raising: None,
        }
    }

    /// Slices that the transfer would still bring, the one it is in included.
    pub(super) fn rest(&self) -> std::ops::RangeInclusive<u32> {
        let last = self.end.map_or(u32::MAX, |end| slice_of(end.saturating_sub(1)));
        slice_of(self.next)..=last
    }

    pub(super) fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }

    /// Brings the rest of one slice.
    pub(super) async fn step(mut self) -> (Self, TransferEvent) {
        let event = match self.try_step().await {
            Ok(event) | Err(event) => event,
        };
        (self, event)
    }

    async fn try_step(&mut self) -> Result<TransferEvent, TransferEvent> {
        if self.content.is_none() {
            self.open().await?;
        }
        let number = slice_of(self.next);
        let slice_end = start_of(number.saturating_add(1));
        let limit = self.context.size.map_or(slice_end, |size| slice_end.min(size));
        self.hold(number, limit).await;
        loop {
            if self.next >= limit {
                self.end_of_reply().await?;
                return Ok(TransferEvent::Slice { number });
            }
            if self.is_over() {
                return Ok(TransferEvent::End);
            }
            if self.reply_end.is_some_and(|end| self.next >= end) {
                self.end_of_reply().await?;
                self.open().await?;
            }
            let Some(chunk) = self.more().await? else {
                let Some(end) = self.end else { return Ok(TransferEvent::End) };
                let detail = format!("content ended at byte {} of {end}", self.next);
                return Err(TransferEvent::Failed(Fault::origin(OriginFault::Truncated, detail)));
            };
            self.give(chunk, limit);
        }
    }

    /// Waits for the memory of slice `number`, which ends at `end`.
    async fn hold(&self, number: u32, end: u64) {
        let GenerationContext { fill, fills, epoch, .. } = &*self.context;
        if fill.state().is_admitted(number) {
            return;
        }
        let len = end - start_of(number);
        let hold = match fills.memory().slice_now(len) {
            Some(hold) => hold,
            None => {
                // Slices that this fill began and does not bring hold memory too. Waiting while it holds
                // them could be waiting for itself.
                fill.state().drop_unclaimed();
                fills.memory().slice(len).await
            }
        };
        fill.state().admit(*epoch, number, hold);
    }

    /// Checks that nothing follows where a part should end: `Content-Range` is believed only where
    /// the framing agrees.
    async fn end_of_reply(&mut self) -> Result<(), TransferEvent> {
        if !self.is_partial || self.reply_end.is_none_or(|end| self.next < end) {
            return Ok(());
        }
        let has_more = !self.carry.is_empty()
            || match &mut self.content {
                Some(content) if !content.is_sized => {
                    matches!(content.next().await, Some(Ok(_)))
                }
                _ => false,
            };
        if has_more {
            let detail = format!("206 with content beyond byte {}, its last", self.next - 1);
            return Err(TransferEvent::Changed(Change::inconsistent(detail)));
        }
        Ok(())
    }

    async fn more(&mut self) -> Result<Option<Bytes>, TransferEvent> {
        if !self.carry.is_empty() {
            return Ok(Some(mem::take(&mut self.carry)));
        }
        let fill = Arc::clone(&self.context.fill);
        let (first, last) = self.rest().into_inner();
        let is_urgent = || fill.state().is_urgent(first, last);
        // The viewer has left: the parent need not hurry for this node any more.
        if self.raising.is_some() && !is_urgent() {
            self.raising = None;
        }
        let chunk = loop {
            let Some(content) = &mut self.content else { return Ok(None) };
            if !content.priority.is_background() || self.raising.is_some() {
                break content.next_at_pace(is_urgent).await;
            }
            select! {
                biased;
                () = fill.until_urgent(first, last) => {}
                chunk = content.next() => break chunk,
            }
            // A viewer waits now, and the parent does not know. Where another reply can continue this
            // one, that is asked for at interactive priority; the former is dropped only after it has
            // begun, so that the parent's fill is never without a reader.
            if self.end.is_some() && self.context.can_go_on() {
                let former = self.content.take();
                self.open().await?;
                drop(former);
            } else {
                // Nothing can continue it: another request beside it raises its priority.
                let raising = TaskTracker::new().spawn(Arc::clone(&self.context).raise_priority());
                self.raising = Some(AbortOnDropHandle::new(raising));
            }
        };
        let chunk = chunk.transpose().map_err(TransferEvent::Failed)?;
        if let Some(chunk) = &chunk {
            self.context.fill.count_pulled(chunk.len());
        }
        Ok(chunk)
    }

    fn give(&mut self, mut chunk: Bytes, limit: u64) {
        let room = usize::try_from(limit - self.next).unwrap_or(usize::MAX);
        if chunk.len() > room {
            self.carry = chunk.split_off(room);
        }
        let offset = self.next;
        self.next += chunk.len() as u64;
        self.brought += self.context.fill.append(self.context.epoch, offset, chunk);
    }

    async fn open(&mut self) -> Result<(), TransferEvent> {
        let context = Arc::clone(&self.context);
        // Dropped first: the reservation of the former reply gives back what it did not use before
        // the next one reserves.
        self.content = None;
        let whole = self.end.unwrap_or(u64::MAX);
        let piece = context.fills.piece(&context.fill, &context.source);
        let end = whole.min(self.next.saturating_add(piece));
        let ask = Ask {
            range: Some((self.next, end - 1)),
            if_range: context.validator.as_ref().map(|validator| validator.as_value().clone()),
            is_further: true,
            ..Ask::default()
        };
        let rest = self.rest();
        let (first, last) = rest.into_inner();
        let request_time = context.fills.now();
        // Before upstream is asked, as in `Driver::ask`: a purge that comes meanwhile is newer.
        let writer = context.fills.store().begin(context.fill.key, &context.fill.url);
        let response = context
            .fills
            .get(&context.fill, &context.source, &context.request, (ask.clone(), first, last))
            .await
            .map_err(|fault| match fault.outcome() {
                // a request for the whole will show whether the range was the reason
                Outcome::OriginError(OriginFault::Protocol) => {
                    TransferEvent::Changed(Change::refused(fault.detail()))
                }
                _ => TransferEvent::Failed(fault),
            })?;
        let extent = match context.continues(&response, ask.range) {
            Ok(extent) => extent,
            Err(TransferEvent::Changed(change)) if is_whole(&response) => {
                let (asked, response_time) = (ask.range, context.fills.now());
                let reply = Reply { response, asked, request_time, response_time, writer };
                return Err(TransferEvent::Changed(Change {
                    reply: Some(Box::new(reply)),
                    ..change
                }));
            }
            Err(event) => return Err(event),
        };
        self.has_joined = true;
        self.next = extent.start;
        if extent.end != Some(end) {
            self.end = extent.end;
        }
        self.reply_end = extent.end;
        self.is_partial = extent.is_partial;
        self.content = Some(response.content);
        Ok(())
    }
}

/// Whether it is a whole that stands for itself.
fn is_whole(response: &Response) -> bool {
    response.status == StatusCode::OK && Extent::of(response.status, &response.fields, None).is_ok()
}

impl GenerationContext {
    /// Further transfers can join this generation.
    fn can_go_on(&self) -> bool {
        self.validator.is_some() && self.size.is_some()
    }

    /// Asks at interactive priority for the last byte of what the parent brings already, or all of it
    /// where the last is not known: that joins the parent's fill and raises its priority. What comes is
    /// of no use here.
    async fn raise_priority(self: Arc<Self>) {
        let range = self.size.and_then(|size| size.checked_sub(1)).map(|last| (last, last));
        let ask = Ask { range, is_promotion: true, ..Ask::default() };
        loop {
            let client = &self.fills.0.client;
            let got = client.get(&self.source, &self.request, &ask, None, NEVER_PROMOTED).await;
            if let Ok(mut response) = got {
                while let Some(Ok(_)) = response.content.next().await {}
            }
            // The parent may have given up waiting before its fill was done.
            sleep(RAISE_AGAIN).await;
        }
    }

    /// What `response` carries, if it is of this generation.
    pub(super) fn continues(
        &self,
        response: &Response,
        asked: Option<(u64, u64)>,
    ) -> Result<Extent, TransferEvent> {
        match response.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::RANGE_NOT_SATISFIABLE
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::NOT_MODIFIED => {
                let detail = format!("{} to a request for the rest", response.status);
                return Err(TransferEvent::Changed(Change::refused(detail)));
            }
            status => {
                let outcome = Outcome::OriginStatus(status.as_u16());
                let detail = format!("answered {status} to a request for the rest");
                let fault = Fault::new(outcome, &detail);
                return Err(match fault.retry() {
                    Retry::AfterDelay => TransferEvent::Failed(fault.after(response.retry_after)),
                    // a request for the whole will show whether the range was the reason
                    Retry::No => TransferEvent::Changed(Change::refused(detail)),
                });
            }
        }
        let extent = Extent::of(response.status, &response.fields, asked)
            .map_err(|fault| TransferEvent::Changed(Change::inconsistent(fault.detail())))?;
        let is_another = extent.total.is_some_and(|total| Some(total) != self.size);
        let validator = strong_validator(&response.fields);
        if self.validator.is_none() || validator != self.validator {
            let detail = match validator {
                Some(_) => "its validator changes from reply to reply",
                None => "its validator is missing in replies to ranges",
            };
            return Err(TransferEvent::Changed(match is_another {
                true => Change::replaced("its validator has changed"),
                false => Change::inconsistent(detail),
            }));
        }
        if is_another {
            return Err(TransferEvent::Changed(Change::inconsistent(
                "its size changes under one validator",
            )));
        }
        Ok(Extent { end: extent.end.or(self.size), total: self.size, ..extent })
    }
}
