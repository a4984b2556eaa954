//! The steady state of a fill: transfers come in, slices go to the store, until all that is wanted
//! is there.
//!
//! One task does it all, so nothing here is locked but the state it shares with readers. **Invariant:**
//! memory is bounded by the transfers that are open and the slices that wait for the store; what goes
//! beyond is *parked*, which stops reading from its connection. **Invariant:** success is announced
//! only after every ticket of the store said durable, if anybody asked for that.
//!
//! The slowest reader does not count while the store takes the content: readers then take it from
//! there. When the store refuses it, the fill *relays*: it holds a few slices until the slowest reader
//! has them. Retries within a generation are decided here, new attempts in `driver`.

use std::{future::Future, mem, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::StatusCode;
use stoker_domain::{
    http::StoredResponse,
    outcome::{OriginFault, Outcome, Uncacheable},
};
use tokio::{
    select,
    time::{Sleep, sleep},
};

use super::{
    driver::{Driver, Stop},
    failures::Failure,
    head::{Filled, is_content},
    slices::{SliceSet, count, slice_of, start_of},
    state::State,
    transfer::{GenerationContext, Transfer, TransferEvent},
};
use crate::{
    origin::{Fault, Retry},
    store::{Ticket, WriteError, Writer},
};

/// Slices that wait for the slowest reader when the store does not take them.
const RELAYED: usize = 4;
/// Transfers of one fill that is read at a pace, or whose parts have not yet been seen to go
/// together: the next is asked for while one comes.
const PACED: usize = 2;
/// A transfer that brought so much made progress: the next failure counts as a first one.
const PROGRESS_BYTES: u64 = 64 << 10;

/// One generation of the representation, being written.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) context: Arc<GenerationContext>,
    pub(super) writer: Writer,
    pub(super) response: StoredResponse,
    pub(super) forward_status: StatusCode,
    /// The store knows the head.
    pub(super) is_announced: bool,
    /// The store knows that it is whole.
    pub(super) is_completed: bool,
    /// A 304 confirmed what was stored.
    pub(super) is_revalidated: bool,
}

type Stepping = Pin<Box<dyn Future<Output = (Transfer, TransferEvent)> + Send>>;
type Writing = Pin<Box<dyn Future<Output = (u32, Ticket, Result<(), WriteError>)> + Send>>;

/// Pulls one generation.
pub(super) struct Puller<'a> {
    driver: &'a Driver,
    generation: Generation,
    size: Option<u64>,
    transfers: FuturesUnordered<Stepping>,
    /// Transfers that pause because the store or a reader is behind.
    parked: Vec<Transfer>,
    writing: FuturesUnordered<Writing>,
    /// Slices that the store was given and that are not written yet.
    handed: SliceSet,
    /// Writes that are not known to be durable.
    tickets: Vec<Ticket>,
    failures: u32,
    has_ranges: bool,
    /// A second reply has continued the first: further ones will.
    has_joined: bool,
    retrying: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
    /// The store takes nothing more; what became of the fill is already said.
    is_relaying: bool,
}

impl<'a> Puller<'a> {
    pub(super) fn new(driver: &'a Driver, generation: Generation) -> Self {
        Self {
            driver,
            size: generation.context.size,
            generation,
            transfers: FuturesUnordered::new(),
            parked: Vec::new(),
            writing: FuturesUnordered::new(),
            handed: SliceSet::default(),
            tickets: Vec::new(),
            failures: 0,
            has_ranges: false,
            has_joined: false,
            retrying: None,
            lingering: None,
            is_relaying: false,
        }
    }

    /// The end of the fill has to await `ticket` too.
    pub(super) fn await_later(&mut self, ticket: Ticket) {
        self.tickets.push(ticket);
    }

    /// Pulls until all that is wanted is there, beginning with `first`.
    pub(super) async fn pull(mut self, first: Option<Transfer>) -> Result<Filled, Stop> {
        self.driver.fill.state().can_resume = self.can_resume();
        if let Some(transfer) = first {
            // At a pace the first slice may take long, and a viewer may want another one meanwhile.
            self.has_ranges =
                transfer.is_partial && self.driver.fills.is_limited(&self.driver.source);
            self.claim(&transfer);
            self.go_on(transfer);
        }
        loop {
            self.plan();
            if self.transfers.is_empty()
                && self.parked.is_empty()
                && self.writing.is_empty()
                && self.retrying.is_none()
                && let Some(filled) = self.settle().await?
            {
                return Ok(filled);
            }
            if let Some(filled) = self.turn().await? {
                return Ok(filled);
            }
        }
    }

    /// Awaits one thing and deals with it.
    async fn turn(&mut self) -> Result<Option<Filled>, Stop> {
        self.track_readers();
        let fill = Arc::clone(&self.driver.fill);
        // In this order: what was written frees memory, which transfers then may use.
        select! {
            biased;
            Some((number, ticket, written)) = self.writing.next(), if !self.writing.is_empty() => {
                self.written(number, ticket, written)
            }
            Some((transfer, event)) = self.transfers.next(), if !self.transfers.is_empty() => {
                self.stepped(transfer, event).await
            }
            () = fill.asked.notified() => Ok(None),
            () = due(&mut self.retrying), if self.retrying.is_some() => {
                self.retrying = None;
                Ok(None)
            }
            () = due(&mut self.lingering), if self.lingering.is_some() => {
                self.abandon();
                Ok(None)
            }
        }
    }

    /// Starts the clock when nobody wants the fill any more, and stops it when somebody does.
    fn track_readers(&mut self) {
        let is_idle = self.transfers.is_empty() && self.parked.is_empty();
        let linger = self.driver.fill.state().linger(self.driver.fills.config());
        match linger {
            None => self.lingering = None,
            Some(time) if self.lingering.is_none() && !is_idle => {
                self.lingering = Some(Box::pin(sleep(time)));
            }
            Some(_) => {}
        }
    }

    /// Ends all transfers.
    fn abandon(&mut self) {
        self.lingering = None;
        self.transfers.clear();
        self.parked.clear();
        let mut state = self.driver.fill.state();
        state.claimed = state.kept.clone();
        // The store has been given these; they need not come again.
        state.claimed.extend(&self.handed);
        state.drop_unclaimed();
    }

    fn claim(&self, transfer: &Transfer) {
        let mut state = self.driver.fill.state();
        let (first, last) = transfer.rest().into_inner();
        let last = match (transfer.end, self.size) {
            (None, None) => first,
            (None, Some(size)) => count(size).saturating_sub(1),
            (Some(_), _) => last,
        };
        for number in first..=last {
            state.claimed.insert(number);
        }
    }

    fn unclaim(&self, transfer: &Transfer) {
        let mut state = self.driver.fill.state();
        let (first, last) = transfer.rest().into_inner();
        let last = last.min(self.size.map_or(first, |size| count(size).saturating_sub(1)));
        for number in first..=last {
            if !state.kept.contains(number) && !self.handed.contains(number) {
                state.claimed.remove(number);
            }
        }
    }

    /// Further transfers can join this generation.
    fn can_resume(&self) -> bool {
        self.generation.context.validator.is_some()
            && self.size.is_some()
            && self.generation.context.size == self.size
            && !self.driver.asks_whole()
    }

    fn is_parallel(&self) -> bool {
        self.has_ranges && self.can_resume()
    }

    /// Lets parked transfers go on and starts new ones, as far as the bounds allow.
    fn plan(&mut self) {
        let config = self.driver.fills.config();
        if self.is_relaying {
            let waiting = self.driver.fill.state().trim();
            while waiting < self.relayed()
                && let Some(transfer) = self.parked.pop()
            {
                self.go_on(transfer);
            }
            return;
        }
        while self.writing.len() < config.in_flight
            && !self.is_enough()
            && let Some(transfer) = self.parked.pop()
        {
            self.go_on(transfer);
        }
        if self.retrying.is_some() || !self.can_resume() {
            return;
        }
        let is_paced = self.driver.fills.is_paced(&self.driver.fill, &self.driver.source);
        let most = match self.is_parallel() {
            // other fills need some of the memory too
            true if self.driver.fills.memory().is_short() => 1,
            // that parts do not go together is found out with one further transfer, not with all
            true if is_paced || !self.has_joined => config.parallel.min(PACED),
            true => config.parallel,
            false => 1,
        };
        while self.transfers.len() + self.parked.len() < most
            && self.writing.len() < config.in_flight
            && let Some(transfer) = self.next_transfer()
        {
            self.claim(&transfer);
            self.go_on(transfer);
        }
    }

    /// Whether this fill receives as much at a time as it may where memory is short.
    fn is_enough(&self) -> bool {
        !self.transfers.is_empty() && self.driver.fills.memory().is_short()
    }

    /// Slices that may wait for the slowest reader.
    fn relayed(&self) -> usize {
        if self.driver.fills.memory().is_short() { 1 } else { RELAYED }
    }

    fn next_transfer(&self) -> Option<Transfer> {
        let size = self.size?;
        let state = self.driver.fill.state();
        let (first, last) = state.next_slices(size)?;
        // what the window has of the first slice need not come again
        let begun = state.slice(first).map_or(0, |slice| slice.len);
        drop(state);
        let end = start_of(last.saturating_add(1)).min(size);
        let context = Arc::clone(&self.generation.context);
        Some(Transfer::planned(context, start_of(first) + begun, end))
    }

    fn go_on(&mut self, transfer: Transfer) {
        self.transfers.push(Box::pin(transfer.step()));
    }

    async fn stepped(
        &mut self,
        transfer: Transfer,
        event: TransferEvent,
    ) -> Result<Option<Filled>, Stop> {
        if transfer.brought >= PROGRESS_BYTES {
            self.failures = 0;
        }
        self.has_ranges |= transfer.is_partial;
        self.has_joined |= transfer.has_joined;
        match event {
            TransferEvent::Slice { number } => {
                let stopped = self.hand_over(number, transfer.next).await?;
                if stopped.is_some() {
                    return Ok(stopped);
                }
                self.after_slice(transfer);
                Ok(None)
            }
            TransferEvent::End if transfer.end.is_none() => self.learn_size(&transfer).await,
            TransferEvent::End => {
                let detail = format!("a reply ended at byte {}, within a slice", transfer.next);
                self.failed(&transfer, Fault::origin(OriginFault::Truncated, detail))
            }
            TransferEvent::Changed(change) => Err(Stop::Changed(change)),
            TransferEvent::Failed(fault) => self.failed(&transfer, fault),
        }
    }

    fn after_slice(&mut self, transfer: Transfer) {
        if transfer.is_over() {
            return;
        }
        let is_wanted = match self.size {
            // what ignores ranges is taken as a whole while anybody is there
            Some(size) if transfer.is_partial && self.can_resume() => {
                self.driver.fill.state().is_wanted(slice_of(transfer.next), size)
            }
            // When it changed, the nodes behind were cut off. They ask again within the linger time.
            _ => {
                let state = self.driver.fill.state();
                state.has_readers() || state.epoch > 0
            }
        };
        if !is_wanted {
            self.unclaim(&transfer);
            return;
        }
        let is_behind = match self.is_relaying {
            true => self.driver.fill.state().trim() >= self.relayed(),
            false => self.writing.len() >= self.driver.fills.config().in_flight || self.is_enough(),
        };
        if is_behind {
            self.parked.push(transfer);
        } else {
            self.go_on(transfer);
        }
    }

    /// The content of unknown length is over.
    async fn learn_size(&mut self, transfer: &Transfer) -> Result<Option<Filled>, Stop> {
        let size = transfer.next;
        self.size = Some(size);
        {
            let mut state = self.driver.fill.state();
            state.size = Some(size);
            state.drop_empty();
        }
        self.generation.response.size = size;
        let last = slice_of(size);
        if size > start_of(last) || size == 0 {
            let stopped = self.hand_over(last, size).await?;
            self.driver.fill.changed.notify_waiters();
            return Ok(stopped);
        }
        self.driver.fill.changed.notify_waiters();
        Ok(None)
    }

    /// Gives a slice that is whole to the store. `end` is the offset after it.
    async fn hand_over(&mut self, number: u32, end: u64) -> Result<Option<Filled>, Stop> {
        if self.is_relaying {
            return Ok(None);
        }
        if self.handed.contains(number) || self.driver.fill.state().kept.contains(number) {
            return Ok(None);
        }
        if end > self.driver.fills.store().largest() {
            return self.refused(WriteError::TooLarge);
        }
        let chunks = self.chunks(number);
        let is_small = self.size.is_some_and(|size| count(size) <= 1);
        if is_small {
            return self.write_whole(chunks).await;
        }
        if !self.generation.is_announced {
            let head = self.generation.response.encode().into();
            let ticket = self.generation.writer.head(head, self.size).await;
            self.tickets.push(ticket);
            self.generation.is_announced = true;
        }
        self.handed.insert(number);
        let mut ticket = self.generation.writer.slice(number, chunks).await;
        self.writing.push(Box::pin(async move {
            let written = ticket.written().await;
            (number, ticket, written)
        }));
        Ok(None)
    }

    fn chunks(&self, number: u32) -> Vec<Bytes> {
        self.driver.fill.state().slice(number).map(|slice| slice.chunks.clone()).unwrap_or_default()
    }

    /// Head and content in one record. The window keeps the content for those who read it.
    async fn write_whole(&mut self, chunks: Vec<Bytes>) -> Result<Option<Filled>, Stop> {
        let head = self.generation.response.encode().into();
        let mut ticket = self.generation.writer.whole(head, chunks).await;
        if let Err(error) = ticket.written().await {
            return self.refused(error);
        }
        self.tickets.push(ticket);
        self.generation.is_announced = true;
        self.generation.is_completed = true;
        let is_short = self.driver.fills.memory().is_short();
        let mut state = self.driver.fill.state();
        if self.size != Some(0) {
            state.kept.insert(0);
            state.claimed.insert(0);
            if is_short {
                // readers take it from the store
                state.keep(0);
            }
        }
        Ok(None)
    }

    fn written(
        &mut self,
        number: u32,
        ticket: Ticket,
        written: Result<(), WriteError>,
    ) -> Result<Option<Filled>, Stop> {
        if let Err(error) = written {
            return self.refused(error);
        }
        self.tickets.push(ticket);
        self.driver.fill.state().keep(number);
        self.handed.remove(number);
        self.driver.fill.changed.notify_waiters();
        Ok(None)
    }

    /// The store refuses it. The outcome is announced at once; readers read on.
    fn refused(&mut self, error: WriteError) -> Result<Option<Filled>, Stop> {
        if self.is_relaying {
            return Ok(None);
        }
        let fault = refusal(error);
        let mut filled = self.driver.ended(fault.outcome(), &self.generation.response);
        filled.detail = Some(fault.detail().into());
        let is_last = self.size.is_some_and(|size| count(size) <= 1);
        let is_read = self.driver.fill.state().has_demand();
        if error == WriteError::TooLarge && self.generation.is_announced && !is_read {
            // What was written of it is of no use. Whether the removal succeeds changes nothing for
            // anybody, so its ticket is dropped.
            drop(self.driver.fills.store().remove(self.driver.fill.key));
        }
        if self.can_resume() || is_last || !is_read {
            self.driver.fill.state().is_lost = true;
            return Ok(Some(filled));
        }
        self.is_relaying = true;
        self.driver.fill.state().is_relayed = true;
        self.driver.finish(filled, None);
        Ok(None)
    }

    fn failed(&mut self, transfer: &Transfer, fault: Fault) -> Result<Option<Filled>, Stop> {
        let again = fault.retry() == Retry::AfterDelay;
        if self.is_relaying || !again || !self.can_resume() {
            return Err(if self.is_relaying { Stop::Fault(fault) } else { fault.into() });
        }
        self.failures += 1;
        if self.failures > self.driver.fills.config().retries {
            return Err(Stop::Fault(fault));
        }
        self.unclaim(transfer);
        let delay = self.driver.fills.retry_delay(self.failures);
        self.retrying = Some(Box::pin(sleep(delay)));
        Ok(None)
    }

    /// Nothing is on its way: either all that is wanted is there, or it cannot come.
    async fn settle(&mut self) -> Result<Option<Filled>, Stop> {
        let fill = &self.driver.fill;
        if self.is_relaying {
            let verdict = fill.state().verdict.clone();
            return Ok(verdict.map(|verdict| Filled::clone(&verdict)));
        }
        let is_whole = fill.state().is_whole();
        if !is_whole {
            let size = self.size;
            let is_satisfied = |state: &State| {
                !state.has_readers()
                    || size.is_some_and(|size| {
                        state.next_slices(size).is_none() && !state.has_prefetch()
                    })
            };
            if self.driver.retire_if(is_satisfied) {
                let outcome = Outcome::Canceled;
                return Ok(Some(self.driver.ended(outcome, &self.generation.response)));
            }
            if self.can_resume() {
                return Ok(None);
            }
            let detail = "the content ended before it was whole";
            return Err(Stop::Again(Fault::origin(OriginFault::Truncated, detail)));
        }
        if !self.generation.is_completed {
            let head = self.generation.response.encode().into();
            let size = self.generation.response.size;
            let mut ticket = self.generation.writer.complete(head, size).await;
            if let Err(error) = ticket.written().await {
                return self.refused(error);
            }
            self.tickets.push(ticket);
            self.generation.is_completed = true;
        }
        self.close().await
    }

    /// Everything is in the store: awaits durability, if anybody cares, and retires.
    async fn close(&mut self) -> Result<Option<Filled>, Stop> {
        let filled = self.ended();
        if !filled.outcome.is_success() {
            self.remember_kept(&filled);
        }
        let mut is_durable = self.tickets.is_empty();
        loop {
            let is_satisfied =
                |state: &State| state.is_whole() && (is_durable || !state.has_prefetch());
            if self.driver.retire_if(is_satisfied) {
                break;
            }
            if !self.driver.fill.state().is_whole() {
                // a reader found that the store has lost some of it
                return Ok(None);
            }
            for ticket in mem::take(&mut self.tickets) {
                if let Err(error) = ticket.durable().await {
                    return self.refused(error);
                }
            }
            is_durable = true;
        }
        Ok(Some(filled))
    }

    /// What became of it, now that all of it is in the store.
    fn ended(&self) -> Filled {
        let outcome = match self.generation.response.status {
            status if !is_content(status) => Outcome::OriginStatus(status.as_u16()),
            _ if self.generation.is_revalidated && self.driver.fill.pulled() == 0 => {
                Outcome::Revalidated
            }
            _ => Outcome::Filled,
        };
        let mut filled = self.driver.ended(outcome, &self.generation.response);
        if !outcome.is_success() {
            let status = self.generation.response.status;
            filled.detail = Some(format!("{} answered {status}", self.driver.source.describe()));
        }
        filled
    }

    /// That the origin has just given the error that is kept, if it was asked.
    fn remember_kept(&self, filled: &Filled) {
        let (fill, fills) = (&self.driver.fill, &self.driver.fills);
        let Some(asked_at) = fill.asked_at() else { return };
        fills.0.failures.remember(Failure {
            request: Arc::clone(&self.driver.request),
            head: fill.state().head.as_deref().cloned(),
            content: Bytes::new(),
            broken: None,
            is_exposed: false,
            filled: filled.clone(),
            asked_at: Some(asked_at),
            is_kept: true,
        });
    }
}

async fn due(sleep: &mut Option<Pin<Box<Sleep>>>) {
    match sleep {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}

fn refusal(error: WriteError) -> Fault {
    let outcome = match error {
        WriteError::NoSpace => Outcome::Uncacheable(Uncacheable::DiskFull),
        WriteError::Io | WriteError::Closed => Outcome::Uncacheable(Uncacheable::DiskError),
        WriteError::TooLarge => Outcome::TooLarge,
        WriteError::Superseded => Outcome::OriginError(OriginFault::Changed),
    };
    Fault::new(outcome, error.to_string())
}
