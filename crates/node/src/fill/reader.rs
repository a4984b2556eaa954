//! A reader of a fill: it waits for the head, the content or the end.
//!
//! A reader never slows or cancels a fill that others want; dropped, it only withdraws its interest.
//! When the fill it joined turns out to be for somebody else alone (not kept, or selected by other
//! request fields), it asks on its own.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    http::{ByteRange, Reuse, reuse},
    outcome::{Outcome, Uncacheable},
};
use tokio::{pin, time::timeout};

use super::{
    Fills,
    head::{FillHead, Filled, is_content},
    state::{Fill, State},
};
use crate::{
    origin::Fault,
    request::{Request, Want},
};

/// A prefetch that shared the failure of another's request asks again, so often in all;
const ATTEMPTS: u32 = 2;
/// and so often if that request may have been answered before the prefetch was wanted.
const ATTEMPTS_AT_OLD: u32 = 4;

/// A reader of a fill.
#[derive(Debug)]
pub struct Reader {
    pub(super) membership: Membership,
    pub(super) fills: Fills,
    pub(super) request: Arc<Request>,
    is_collapsed: bool,
}

/// A reader's membership of a fill; dropped, it leaves.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) fill: Arc<Fill>,
    pub(super) reader: u64,
    /// The epoch whose head was read.
    pub(super) epoch: u32,
    /// It waits for something: if it is dropped now, nobody wants that any more.
    pub(super) is_waiting: bool,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let is_left = {
            let mut state = self.fill.state();
            state.leave(self.reader, self.is_waiting);
            state.is_left_by_background()
        };
        // The driver may have nobody left to work for.
        self.fill.asked.notify_one();
        if is_left {
            self.fill.changed.notify_waiters();
        }
    }
}

impl Reader {
    pub(super) fn new(
        fills: Fills,
        fill: Arc<Fill>,
        reader: u64,
        request: Arc<Request>,
        is_collapsed: bool,
    ) -> Self {
        Self {
            membership: Membership { fill, reader, epoch: 0, is_waiting: true },
            fills,
            request,
            is_collapsed,
        }
    }

    /// Whether it shares the upstream request of another. Final once the head is known.
    pub fn is_collapsed(&self) -> bool {
        self.is_collapsed
    }

    /// Awaits the head. Cancel safe.
    ///
    /// # Errors
    /// There is no response; the fault says why.
    pub async fn head(&mut self) -> Result<Arc<FillHead>, Fault> {
        loop {
            let (epoch, head) = match self.membership.fill.head().await {
                Err(fault) if self.is_collapsed && fault.is_alone() => {
                    *self = self.fills.ask_again(Arc::clone(&self.request));
                    continue;
                }
                found => found?,
            };
            if self.is_collapsed && self.is_old_error(&head) {
                *self = self.fills.ask_anew(Arc::clone(&self.request), &self.membership.fill);
                continue;
            }
            if self.is_collapsed && !self.may_share(&head) {
                *self = self.fills.ask_again(Arc::clone(&self.request));
                continue;
            }
            (self.membership.epoch, self.membership.is_waiting) = (epoch, false);
            return Ok(head);
        }
    }

    fn may_share(&self, head: &FillHead) -> bool {
        head.not_kept.is_none()
            && reuse(&head.response, &self.request.selecting(), head.response.response_time)
                != Reuse::VaryMiss
    }

    fn is_old_error(&self, head: &FillHead) -> bool {
        !is_content(head.response.status) && !self.is_new_enough()
    }

    /// Whether an error that the fill brings is as new as this reader wants it.
    fn is_new_enough(&self) -> bool {
        let asked_at = self.membership.fill.asked_at();
        self.request.errors_since.is_none_or(|since| asked_at >= Some(since))
    }

    /// Whether the end may be another for this one: `outcome` depends on who asked, or what came was
    /// selected by request fields that this one does not have.
    fn is_of_others(&self, outcome: Outcome) -> bool {
        let (head, is_alone) = {
            let state = self.membership.fill.state();
            (state.head.clone(), state.broken.as_ref().is_some_and(Fault::is_alone))
        };
        let is_selected = |head: &FillHead| head.not_kept.is_none() && !self.may_share(head);
        is_alone || depends_on_request(outcome) || head.is_some_and(|head| is_selected(&head))
    }

    /// It is about to be dropped, and whoever it reads for asks again: that is no giving up.
    pub(crate) fn will_come_again(&mut self) {
        self.membership.is_waiting = false;
    }

    /// Wants from now on all of the content, or first and last byte of `range`.
    pub(super) fn narrow(&self, range: Option<(u64, u64)>) {
        let start = range.map_or(0, |(start, _)| start);
        let want = range.map_or(Want::All, |(start, last)| {
            Want::Range(ByteRange::From { start, end_inclusive: Some(last) })
        });
        self.membership.fill.state().narrow(self.membership.reader, want, start);
        self.membership.fill.asked.notify_one();
    }

    /// Awaits the end of it: everything durable, or the reason why not. Cancel safe.
    pub async fn durable(self) -> Filled {
        self.end().await.0
    }

    pub(super) async fn end(mut self) -> (Filled, Self) {
        let mut attempts = 0;
        loop {
            let filled = self.membership.fill.verdict().await;
            attempts += 1;
            let is_old = is_error(filled.outcome) && !self.is_new_enough();
            let is_others = match is_old {
                true => attempts < ATTEMPTS_AT_OLD,
                false => attempts < ATTEMPTS && self.is_of_others(filled.outcome),
            };
            if !(self.is_collapsed && is_others) {
                let mut filled = Filled::clone(&filled);
                if filled.outcome.is_success() && filled.stored.is_none() {
                    let fill = &self.membership.fill;
                    filled.stored = self.fills.store().lookup(fill.key, &fill.url).await;
                }
                return (filled, self);
            }
            self = self.fills.join_or_start(Arc::clone(&self.request), None);
        }
    }

    /// Bytes that are there so far and bytes in all, when known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        let state = self.membership.fill.state();
        (state.bytes_here(), state.size)
    }

    /// Whether the fill ends within `limit`, for those who look in on it now and then. Cancel safe.
    pub async fn ends_within(&self, limit: Duration) -> bool {
        timeout(limit, self.membership.fill.verdict()).await.is_ok()
    }
}

/// Whether the same target, asked for with other request fields, may end otherwise.
fn depends_on_request(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Uncacheable(reason) => {
            !matches!(reason, Uncacheable::DiskFull | Uncacheable::DiskError)
        }
        Outcome::OriginStatus(_) => true,
        _ => false,
    }
}

fn is_error(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::OriginStatus(_) | Outcome::OriginError(_))
}

impl Fill {
    async fn head(&self) -> Result<(u32, Arc<FillHead>), Fault> {
        self.wait_for(|state| {
            if let Some(head) = &state.head {
                return Some(Ok((state.epoch, Arc::clone(head))));
            }
            state.broken.as_ref().map(|fault| Err(fault.clone()))
        })
        .await
    }

    /// Awaits a viewer who waits for any of slices `first..=last`. Cancel safe.
    pub(super) async fn until_urgent(&self, first: u32, last: u32) {
        self.wait_for(|state| state.is_urgent(first, last).then_some(())).await;
    }

    async fn verdict(&self) -> Arc<Filled> {
        self.wait_for(|state| state.verdict.clone()).await
    }

    /// Awaits what `look` finds in the state. Cancel safe.
    pub(super) async fn wait_for<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(&self.state()) {
                return found;
            }
            let changed = self.changed.notified();
            pin!(changed);
            // from here on no change is missed
            changed.as_mut().enable();
            if let Some(found) = look(&self.state()) {
                return found;
            }
            changed.await;
        }
    }
}
