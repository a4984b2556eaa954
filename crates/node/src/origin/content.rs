//! A reply: its head, what its framing says, and its content as it comes.
//!
//! When the content has come to its end, the connection is given back and the turn is free; when it
//! is dropped before that, the connection is closed.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use stoker_domain::{
    http::{BadFraming, framed_length},
    outcome::{OriginFault, Outcome},
};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{cause, pool::Lent, turns::Turn};
use crate::{fault::Fault, pace::Reservation, request::Priority};

/// Whether the framing of a reply gives the length of its content.
pub(super) fn framed(head: &http::response::Parts) -> Result<bool, BadFraming> {
    match head.status {
        // RFC 9112 section 6.3: they end with their head, whatever it says
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Ok(true),
        _ => framed_length(&head.headers).map(|length| length.is_some()),
    }
}

/// The head of a reply, and its content to come.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    /// How long the origin asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// Why nobody is to keep it, where a parent says so.
    pub(crate) alone: Option<Outcome>,
    /// What the parent notes about it.
    pub(crate) note: Option<String>,
    pub(crate) content: Content,
}

/// A reply whose content comes on a connection that was lent for it.
#[derive(Debug)]
pub(super) struct Exchange {
    incoming: Incoming,
    lent: Lent,
    turn: Turn,
}

impl Exchange {
    pub(super) fn new(incoming: Incoming, lent: Lent, turn: Turn) -> Self {
        Self { incoming, lent, turn }
    }

    /// Nobody wants the content: where there is none, the connection can be used again.
    pub(super) fn leave(self) {
        if self.incoming.is_end_stream() {
            self.end();
        }
    }

    /// The content is over.
    pub(super) fn end(self) {
        let Self { incoming, lent, turn } = self;
        drop(incoming);
        lent.give_back();
        drop(turn);
    }
}

/// Content on its way. Dropping it ends the transfer.
#[derive(Debug)]
pub(crate) struct Content {
    /// Until its end.
    exchange: Option<Exchange>,
    idle: Duration,
    /// Runs while nothing comes; content that is there costs no timer.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Who sends it.
    to: String,
    is_parent: bool,
    /// With which a parent was asked for it; what an origin sends is interactive.
    pub(crate) priority: Priority,
    /// The framing gives its length, and lets nothing follow.
    pub(crate) is_sized: bool,
    reservation: Option<Reservation>,
}

impl Content {
    /// From `to`, `idle` being the longest time in which nothing may come.
    pub(super) fn new(exchange: Exchange, to: String, idle: Duration) -> Self {
        let mut content = Self {
            exchange: Some(exchange),
            idle,
            waiting: None,
            to,
            is_parent: false,
            priority: Priority::Interactive,
            is_sized: false,
            reservation: None,
        };
        content.end_if_over();
        content
    }

    /// Of a parent that was asked with `priority`.
    pub(super) fn of_parent(self, priority: Priority) -> Self {
        Self { is_parent: true, priority, ..self }
    }

    pub(super) fn sized(self, is_sized: bool) -> Self {
        Self { is_sized, ..self }
    }

    pub(super) fn reserved_by(self, reservation: Option<Reservation>) -> Self {
        Self { reservation, ..self }
    }

    /// Who sends it, as it stands in the detail of a fault.
    pub(crate) fn sender(&self) -> &str {
        &self.to
    }

    /// As [`Self::next`], at the pace of the origin's domain unless `is_urgent`. Cancel safe.
    pub(crate) async fn next_at_pace(
        &mut self,
        is_urgent: impl Fn() -> bool,
    ) -> Option<Result<Bytes, Fault>> {
        if let Some(reservation) = &mut self.reservation {
            reservation.cover_debt(&is_urgent).await;
        }
        let next = self.next().await;
        if let (Some(reservation), Some(Ok(bytes))) = (&mut self.reservation, &next)
            && !is_urgent()
        {
            reservation.spend(bytes.len() as u64);
        }
        next
    }

    /// The next bytes; `None` at the end. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Fault>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Self::next`].
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            let Some(exchange) = &mut self.exchange else { return Poll::Ready(None) };
            match Pin::new(&mut exchange.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting = None;
                    let data = frame.into_data();
                    self.end_if_over();
                    match data {
                        Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Some(Ok(bytes))),
                        // trailers are not kept
                        _ => {}
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.exchange = None;
                    let fault = cause::of_content(error, &self.to, self.is_parent);
                    return Poll::Ready(Some(Err(fault)));
                }
                Poll::Ready(None) => {
                    self.end();
                    return Poll::Ready(None);
                }
                Poll::Pending => break,
            }
        }
        let idle = self.idle;
        let waiting =
            self.waiting.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + idle)));
        waiting.as_mut().poll(cx).map(|()| {
            let detail = format!("no further content from {} within {idle:?}", self.to);
            let fault = Fault::origin(OriginFault::Timeout, detail);
            Some(Err(fault.met_at(self.is_parent)))
        })
    }

    fn end_if_over(&mut self) {
        if self.exchange.as_ref().is_some_and(|exchange| exchange.incoming.is_end_stream()) {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            exchange.end();
        }
    }
}
