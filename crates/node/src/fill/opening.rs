//! The first request of an attempt, and what its reply leads to.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, header};
use stoker_domain::{
    domain::RuleLifetime,
    http::{
        ByteRange, Lifetime, Reuse, StoredResponse, Validator, drop_cookies, reuse, storable,
        strong_validator,
    },
    outcome::{OriginFault, Outcome, Uncacheable},
};

use super::{
    driver::{Driver, Stop},
    extent::Extent,
    head::{FillHead, Filled, is_content},
    pull::{Generation, Puller},
    reply::{Reply, made},
    slices::{SLICE_BYTES, count, slice_of, start_of},
    transfer::{Change, GenerationContext, Transfer, TransferEvent},
};
use crate::{
    origin::{Ask, Fault},
    pace::AHEAD,
    request::Want,
    store::{Stored, Ticket, Verified, Writer},
};

/// A stored response that may be validated or completed.
struct CachedResponse {
    stored: Stored,
    response: StoredResponse,
    is_fresh: bool,
    size: u64,
}

impl CachedResponse {
    /// Whether it is of no use. Of what is sliced, the slices are verified as they are read.
    async fn is_damaged(&self) -> bool {
        self.stored.is_one_record() && self.stored.verify().await != Verified::Sound
    }
}

impl Driver {
    /// One attempt, from the first request to the end, or from `begun`, its reply.
    pub(super) async fn attempt(
        &self,
        stored: Option<Stored>,
        begun: Option<Box<Reply>>,
    ) -> Result<Filled, Stop> {
        let selecting = self.request.selecting();
        if let Some(begun) = begun {
            return self.take_reply(*begun, &selecting).await;
        }
        let stored = self.without_old_error(stored).await;
        let cached = stored.and_then(|stored| self.cached_response(stored, &selecting));
        let cached = match cached {
            // a new head takes the content along, which must be what it was
            Some(cached) if cached.is_damaged().await => None,
            cached => cached,
        };
        let Some(cached) = cached else { return self.begin_anew(&selecting).await };
        // Claims what is there, so that the slices left over are what has to be asked for.
        self.take_over(&cached);
        let missing = self.fill.state().next_slices(cached.size);
        match missing {
            None if cached.is_fresh => self.nothing_to_do(cached).await,
            None => self.validate(cached, &selecting).await,
            Some(run) => match cached.response.strong_validator() {
                Some(validator) if !self.asks_whole() => {
                    self.complete(cached, run, validator, &selecting).await
                }
                _ => {
                    self.fill.restart();
                    self.begin_anew(&selecting).await
                }
            },
        }
    }

    fn probe(&self, want: Want) -> (u64, u64) {
        let (start, end) = self.piece_of(want.probe());
        // what is paid for in advance is a guess, and many may begin at once
        let is_limited = self.fills.is_paced(&self.fill, &self.source);
        (start, if is_limited { end.min(start.saturating_add(AHEAD - 1)) } else { end })
    }

    /// As much of `start..=end` as one request may bring.
    fn piece_of(&self, (start, end): (u64, u64)) -> (u64, u64) {
        let piece = self.fills.piece(&self.fill, &self.source);
        (start, end.min(start.saturating_add(piece - 1)))
    }

    /// What the store has, if it can be built upon.
    fn cached_response(&self, mut stored: Stored, selecting: &HeaderMap) -> Option<CachedResponse> {
        let size = stored.size()?;
        let response = stored.take_response()?;
        let is_fresh = match reuse(&response, selecting, self.fills.now()) {
            Reuse::Fresh => !stored.is_invalidated(),
            Reuse::Stale => false,
            Reuse::VaryMiss => return None,
        };
        Some(CachedResponse { stored, response, is_fresh, size })
    }

    /// Continues the stored generation: what it has need not come again.
    fn take_over(&self, cached: &CachedResponse) {
        let mut state = self.fill.state();
        state.size = Some(cached.size);
        state.generation = Some(cached.stored.generation());
        let is_complete = cached.stored.is_complete();
        for number in 0..count(cached.size) {
            if is_complete || cached.stored.has_slice(number) {
                state.keep(number);
            }
        }
        state.stored = Some(cached.stored.clone());
    }

    async fn begin_anew(&self, selecting: &HeaderMap) -> Result<Filled, Stop> {
        let want = self.fill.state().widest_want();
        // what is not kept in any case is asked for as it is wanted, once
        let keeps = self.keeps && self.request.policy().lifetime != RuleLifetime::Never;
        let range = match want {
            _ if self.asks_whole() => None,
            Want::Range(_) | Want::All if keeps => Some(self.probe(want)),
            Want::Head if keeps => Some(self.probe(want)),
            Want::Head | Want::All => None,
            Want::Range(range) => exact(range),
        };
        let mut reply = self.ask(Ask { range, ..Ask::default() }).await;
        if let Ok(short) = &reply
            && short.response.status == StatusCode::RANGE_NOT_SATISFIABLE
            && range.is_some_and(|(start, _)| start > 0)
        {
            // the head is wanted nevertheless
            let range = self.keeps.then_some((0, SLICE_BYTES - 1));
            reply = self.ask(Ask { range, ..Ask::default() }).await;
        }
        let reply = match range {
            Some(_) => self.or_whole(reply).await?,
            None => reply?,
        };
        self.take_reply(reply, selecting).await
    }

    pub(super) async fn ask(&self, ask: Ask) -> Result<Reply, Stop> {
        let asked = ask.range;
        let request_time = self.fills.now();
        self.note_asked(request_time);
        // Begun before upstream is asked: a purge that comes in between is newer and wins.
        let writer = self.fills.store().begin(self.fill.key, &self.fill.url);
        let asking = (ask, 0, u32::MAX);
        let response = self.fills.get(&self.fill, &self.source, &self.request, asking).await?;
        Ok(Reply { response, asked, request_time, response_time: self.fills.now(), writer })
    }

    /// Everything that is wanted is there and fresh: another fill was faster.
    async fn nothing_to_do(&self, cached: CachedResponse) -> Result<Filled, Stop> {
        let head = cached.stored.head().clone();
        let generation = self.generation(&cached, cached.response.clone(), StatusCode::OK);
        self.show(self.head_of(&generation, Some(cached.size)));
        let mut puller = Puller::new(self, generation);
        if !cached.stored.is_durable() {
            // the log is synced in order: once the new head is durable, what precedes it is too
            puller.await_later(self.fills.store().refresh(&cached.stored, head));
        }
        let mut filled = puller.pull(None).await?;
        if filled.outcome.is_success() {
            filled.outcome = Outcome::AlreadyFresh;
        }
        Ok(filled)
    }

    /// Asks whether what is stored is still right.
    async fn validate(
        &self,
        cached: CachedResponse,
        selecting: &HeaderMap,
    ) -> Result<Filled, Stop> {
        let fields = &cached.response.fields;
        let if_none_match = fields.get(header::ETAG).cloned();
        let if_modified_since = fields.get(header::LAST_MODIFIED).cloned();
        let want = self.fill.state().widest_want();
        let range = (!self.asks_whole()).then(|| self.probe(want));
        let reply =
            self.ask(Ask { range, if_none_match, if_modified_since, ..Ask::default() }).await;
        if let Ok(reply) = &reply
            && reply.response.status == StatusCode::NOT_MODIFIED
            && cached.response.is_confirmed_by(&reply.response.fields, cached.size)
        {
            return self.confirmed(cached, reply, selecting).await;
        }
        // What was claimed stands for the stored generation; the reply begins another.
        self.fill.restart();
        let reply = match range {
            Some(_) => self.or_whole(reply).await?,
            None => reply?,
        };
        match reply.response.status {
            // a 304 of another representation says nothing of what is stored, nor has it content
            StatusCode::NOT_MODIFIED | StatusCode::RANGE_NOT_SATISFIABLE => {
                self.begin_anew(selecting).await
            }
            _ => self.take_reply(reply, selecting).await,
        }
    }

    /// 304: the stored response gets a new head.
    async fn confirmed(
        &self,
        cached: CachedResponse,
        reply: &Reply,
        selecting: &HeaderMap,
    ) -> Result<Filled, Stop> {
        self.check_vary(&reply.response.fields)?;
        let refreshed = match reply.response.alone {
            // it says that the content is right, not for how long, nor for whom
            Some(_) => Err(Uncacheable::Private),
            None => self.refreshed(&cached, reply, selecting),
        };
        let response = match refreshed {
            Ok(response) => response,
            Err(reason) => {
                let outcome = Outcome::Uncacheable(reason);
                let response = cached.response.clone();
                let generation = self.generation(&cached, response, StatusCode::NOT_MODIFIED);
                let head = self.head_of(&generation, Some(cached.size));
                self.show(FillHead { not_kept: Some(outcome), ..head });
                return Ok(self.ended(outcome, &cached.response));
            }
        };
        let ticket = self.confirm(&cached, &response, reply);
        let generation = self.generation(&cached, response, StatusCode::NOT_MODIFIED);
        self.show(self.head_of(&generation, Some(cached.size)));
        let mut puller = Puller::new(self, generation);
        puller.await_later(ticket);
        puller.pull(None).await
    }

    /// Stores `response` as the new head of what `reply` confirmed.
    fn confirm(&self, cached: &CachedResponse, response: &StoredResponse, reply: &Reply) -> Ticket {
        let (head, validated) = (response.encode().into(), reply.writer.generation());
        self.fills.store().refresh_confirmed(&cached.stored, head, validated)
    }

    fn refreshed(
        &self,
        cached: &CachedResponse,
        reply: &Reply,
        selecting: &HeaderMap,
    ) -> Result<StoredResponse, Uncacheable> {
        let fields = cached.response.fields_with(&reply.response.fields, &self.request.policy());
        self.note_reply(reply, cached.response.status, &fields);
        cached.response.refreshed_by_304(
            &reply.response.fields,
            selecting,
            &self.request.policy(),
            reply.request_time,
            reply.response_time,
        )
    }

    /// Completes what is stored in part, beginning with slices `run`.
    async fn complete(
        &self,
        cached: CachedResponse,
        run: (u32, u32),
        validator: Validator,
        selecting: &HeaderMap,
    ) -> Result<Filled, Stop> {
        let end = start_of(run.1 + 1).min(cached.size);
        let ask = Ask {
            range: Some(self.piece_of((start_of(run.0), end - 1))),
            if_range: Some(validator.as_value().clone()),
            ..Ask::default()
        };
        let reply = self.ask(ask).await?;
        let status = reply.response.status;
        let mut generation = self.generation(&cached, cached.response.clone(), status);
        match generation.context.continues(&reply.response, reply.asked) {
            Ok(extent) => {
                let mut ticket = None;
                if !cached.is_fresh {
                    // a reply to a range carries the fields of the whole: it confirms like a 304
                    let Ok(response) = self.refreshed(&cached, &reply, selecting) else {
                        // What is stored is still right, and may not be kept any longer.
                        self.fill.restart();
                        return self.begin_anew(selecting).await;
                    };
                    ticket = Some(self.confirm(&cached, &response, &reply));
                    generation.response = response;
                }
                self.admit_first(extent.start, Some(cached.size)).await?;
                self.show(self.head_of(&generation, Some(cached.size)));
                let content = reply.response.content;
                let mut transfer =
                    Transfer::begun(Arc::clone(&generation.context), content, extent);
                transfer.has_joined = true;
                let mut puller = Puller::new(self, generation);
                ticket.into_iter().for_each(|ticket| puller.await_later(ticket));
                puller.pull(Some(transfer)).await
            }
            Err(TransferEvent::Failed(fault)) => Err(fault.into()),
            Err(_) => {
                self.fill.restart();
                if status == StatusCode::OK || status == StatusCode::PARTIAL_CONTENT {
                    let reply = self.or_whole(Ok(reply)).await?;
                    self.take_reply(reply, selecting).await
                } else {
                    self.begin_anew(selecting).await
                }
            }
        }
    }

    /// A reply that stands for itself: the beginning of a new generation, or not to be kept.
    async fn take_reply(&self, reply: Reply, selecting: &HeaderMap) -> Result<Filled, Stop> {
        let reply = match self.judged(reply, selecting).await? {
            Judged::Keep(reply, extent, lifetime) => {
                return self.keep(reply, extent, lifetime, selecting).await;
            }
            Judged::Pass(reply, extent, outcome) if self.serves_first(&reply, &extent) => {
                return self.pass(reply, &extent, outcome, selecting).await;
            }
            Judged::Pass(..) | Judged::Whole => self.ask(Ask::default()).await?,
        };
        match self.judged(reply, selecting).await? {
            Judged::Keep(reply, extent, lifetime) => {
                self.keep(reply, extent, lifetime, selecting).await
            }
            Judged::Pass(reply, extent, outcome) => {
                self.pass(reply, &extent, outcome, selecting).await
            }
            // a reply without 206 is never asked for again
            Judged::Whole => {
                Err(Stop::Changed(Change::replaced("it has neither length nor validator")))
            }
        }
    }

    pub(super) fn judge(&self, reply: Reply, selecting: &HeaderMap) -> Result<Judged, Stop> {
        let Reply { response, asked, request_time, response_time, .. } = &reply;
        if response.status == StatusCode::NOT_MODIFIED {
            let detail = "304 to a request without a condition";
            return Err(Fault::origin(OriginFault::Protocol, detail).into());
        }
        let extent = Extent::of(response.status, &response.fields, *asked)?;
        let status = if extent.is_partial { StatusCode::OK } else { response.status };
        let is_content = is_content(status);
        self.note_reply(&reply, status, &response.fields);
        let judged = storable(
            selecting,
            status,
            &response.fields,
            &self.request.policy(),
            *request_time,
            *response_time,
        );
        if let Some(outcome) = response.alone {
            return Ok(Judged::Pass(reply, extent, outcome));
        }
        let outcome = match judged {
            _ if !is_content && self.is_alone => Outcome::OriginStatus(status.as_u16()),
            Err(_) if !is_content => Outcome::OriginStatus(status.as_u16()),
            Err(reason) => Outcome::Uncacheable(reason),
            Ok(_) if extent.total.is_some_and(|total| total > self.fills.store().largest()) => {
                Outcome::TooLarge
            }
            Ok(_) if self.is_alone => Outcome::Uncacheable(Uncacheable::Private),
            Ok(_) if !self.keeps => Outcome::Uncacheable(Uncacheable::Unshared),
            Ok(lifetime) => {
                let has_validator = strong_validator(&response.fields).is_some();
                let is_usable = extent.is_whole() || (has_validator && extent.total.is_some());
                return Ok(match is_usable {
                    true => Judged::Keep(reply, extent, lifetime),
                    false => Judged::Whole,
                });
            }
        };
        Ok(Judged::Pass(reply, extent, outcome))
    }

    /// Whether what comes is all that the first reader wants, or nobody wants content at all.
    fn serves_first(&self, reply: &Reply, extent: &Extent) -> bool {
        let is_playlist = self.is_playlist(&reply.response.fields);
        let Some(want) = self.fill.state().first_want(is_playlist) else { return true };
        if extent.is_whole() {
            return true;
        }
        extent.end.is_some_and(|end| want.is_within(extent.start, end - 1, extent.total))
    }

    /// Begins a new generation.
    async fn keep(
        &self,
        mut reply: Reply,
        extent: Extent,
        lifetime: Lifetime,
        selecting: &HeaderMap,
    ) -> Result<Filled, Stop> {
        let forward_status = reply.response.status;
        let writer = reply.writer.clone();
        drop_cookies(&self.request.policy(), &mut reply.response.fields);
        self.admit_first(extent.start, extent.total).await?;
        let (response, content) = made(reply, &extent, lifetime, selecting);
        let generation = self.new_generation(writer, response, extent.total, forward_status);
        self.fill.state().generation = Some(generation.writer.generation());
        self.show(self.head_of(&generation, extent.total));
        let transfer = Transfer::begun(Arc::clone(&generation.context), content, extent);
        Puller::new(self, generation).pull(Some(transfer)).await
    }

    /// Waits for the memory of the slice that holds byte `start`, before anybody is promised the
    /// content.
    async fn admit_first(&self, start: u64, size: Option<u64>) -> Result<(), Stop> {
        let number = slice_of(start);
        let end = start_of(number.saturating_add(1));
        let len = size.map_or(end, |size| end.min(size)) - start_of(number);
        let is_background = || !self.fill.state().has_viewer();
        let hold = self.fills.memory().first_slice(len, is_background).await?;
        let mut state = self.fill.state();
        let epoch = state.epoch;
        state.admit(epoch, number, hold);
        Ok(())
    }

    /// The stored generation, going on.
    fn generation(
        &self,
        cached: &CachedResponse,
        response: StoredResponse,
        by: StatusCode,
    ) -> Generation {
        let mut generation =
            self.new_generation(cached.stored.writer(), response, Some(cached.size), by);
        generation.is_announced = true;
        generation.is_completed = cached.stored.is_complete();
        generation.is_revalidated = by == StatusCode::NOT_MODIFIED;
        generation
    }

    fn new_generation(
        &self,
        writer: Writer,
        response: StoredResponse,
        size: Option<u64>,
        forward_status: StatusCode,
    ) -> Generation {
        let context = GenerationContext {
            fills: self.fills.clone(),
            fill: Arc::clone(&self.fill),
            request: Arc::clone(&self.request),
            source: self.source.clone(),
            epoch: self.fill.state().epoch,
            validator: response.strong_validator(),
            size,
        };
        Generation {
            context: Arc::new(context),
            writer,
            response,
            forward_status,
            is_announced: false,
            is_completed: false,
            is_revalidated: false,
        }
    }

    fn head_of(&self, generation: &Generation, size: Option<u64>) -> FillHead {
        FillHead {
            response: generation.response.clone(),
            size,
            not_kept: None,
            is_alone: false,
            is_revalidated: generation.is_revalidated,
            forward_status: generation.forward_status,
            note: self.note(),
        }
    }
}

/// What a reply that stands for itself is good for.
pub(super) enum Judged {
    Keep(Reply, Extent, Lifetime),
    Pass(Reply, Extent, Outcome),
    /// For nothing: a part that no further part can join.
    Whole,
}

/// Stands for "to the end" in a range with two ends; some servers refuse larger numbers.
const OPEN_END: u64 = 1 << 60;

fn exact(range: ByteRange) -> Option<(u64, u64)> {
    match range {
        ByteRange::From { start, end_inclusive } => {
            Some((start, end_inclusive.unwrap_or(OPEN_END)))
        }
        ByteRange::Suffix(_) => None,
    }
}
