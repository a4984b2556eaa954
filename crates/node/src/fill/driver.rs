//! The task behind a fill: attempts until it has an end, and says what became of it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use stoker_domain::{
    domain::RuleLifetime,
    http::{StoredResponse, staleness},
    outcome::{OriginFault, Outcome},
    time::Timestamp,
};
use tokio::time::sleep;
use tracing::debug;

use super::{
    Fills,
    failures::Failure,
    head::{FillHead, Filled, is_content},
    reply::Reply,
    state::{Fill, State},
    transfer::{Change, ChangeKind},
};
use crate::{
    origin::{Fault, Retry, Source},
    request::{Handed, Request},
    store::Stored,
};

/// How often other fields are handed on because `Vary` names others: the second reply may, too.
const SELECTIONS: u32 = 2;

/// Why an attempt did not reach its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The representation is another one now; begin anew.
    Changed(Change),
    /// It broke off and cannot be resumed; begin anew, after a delay.
    Again(Fault),
    /// These fields of the viewer select a response; ask with them.
    Select(Vec<HeaderName>),
    /// Fields that `Vary` named before were sent, and it names them no more; ask without them.
    Plain,
    /// What comes is not kept, and may be about the viewer: ask for this one alone.
    Alone,
    /// No further attempt makes sense.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        match fault.retry() {
            // A status is an answer: whether it is asked for again is decided by the engine.
            Retry::AfterDelay if !matches!(fault.outcome(), Outcome::OriginStatus(_)) => {
                Self::Again(fault)
            }
            _ => Self::Fault(fault),
        }
    }
}

/// Drives one fill.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) fills: Fills,
    pub(super) fill: Arc<Fill>,
    pub(super) request: Arc<Request>,
    pub(super) source: Source,
    /// What comes is stored, if it may be.
    pub(super) keeps: bool,
    /// The origin gets all fields of the viewer.
    pub(super) is_alone: bool,
    /// Why ranges are not asked for, unless somebody wants it so; set between two transfers.
    whole_because: OnceLock<String>,
    /// What the reply in force is worth a word for.
    noted: Mutex<Option<String>>,
}

impl Drop for Driver {
    /// However the task ends, nobody waits for it for ever.
    fn drop(&mut self) {
        if self.fill.state().verdict.is_none() {
            let fault = Fault::new(Outcome::Canceled, "the node stops");
            self.finish(self.failed(&fault), Some(fault));
        }
    }
}

impl Driver {
    pub(super) fn new(fills: Fills, fill: Arc<Fill>, request: Arc<Request>, keeps: bool) -> Self {
        let source = fills.source(&request);
        // what is kept in no case can be asked for as the viewer does, once
        let is_kept = keeps && request.policy().lifetime != RuleLifetime::Never;
        let (whole_because, noted) = (OnceLock::new(), Mutex::default());
        let is_alone = false;
        let mut driver =
            Self { fills, fill, request, source, keeps, is_alone, whole_because, noted };
        if !is_kept {
            driver.forward_all_fields();
        }
        if let Source::Origin(domain) = &driver.source
            && let Some(why) = driver.fills.0.ranges.why_unreliable(domain)
        {
            driver.ask_whole_because(&why);
        }
        driver
    }

    /// From now on the origin gets all fields of the viewer, and hears who he is.
    fn forward_all_fields(&mut self) {
        if self.source.is_parent() {
            return;
        }
        self.is_alone = self.request.has_own_fields() || self.request.client.is_some();
        if self.is_alone {
            self.request = self.request.handing(Handed::All);
        }
    }

    /// From now on nothing but the whole is asked for.
    pub(super) fn ask_whole_because(&self, why: &str) {
        let asked = || format!("asked for whole, as ranges of the origin cannot be trusted: {why}");
        self.whole_because.get_or_init(asked);
    }

    fn note_down(&self, note: Option<String>) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = note;
    }

    /// Notes what the parent says of its reply, or why that is stale as it comes.
    pub(super) fn note_reply(&self, reply: &Reply, status: StatusCode, fields: &HeaderMap) {
        let (request_time, response_time) = (reply.request_time, reply.response_time);
        let stale =
            || staleness(status, fields, &self.request.policy(), request_time, response_time);
        let told = reply.response.note.clone();
        self.note_down(told.or_else(|| {
            stale().filter(|_| is_content(status)).map(|staleness| staleness.to_string())
        }));
    }

    /// What a person should know of how it came.
    pub(super) fn note(&self) -> Option<String> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (noted, self.whole_because.get()) {
            (Some(noted), Some(whole)) => Some(format!("{noted}; {whole}")),
            (noted, whole) => noted.or_else(|| whole.cloned()),
        }
    }

    /// Ranges are not to be asked for: the task says so, or the domain of the origin that is asked,
    /// or they have turned out to be of no use.
    pub(super) fn asks_whole(&self) -> bool {
        let without_ranges =
            matches!(&self.source, Source::Origin(domain) if domain.origin.pull.without_ranges);
        self.request.options.disable_range || without_ranges || self.whole_because.get().is_some()
    }

    pub(super) async fn run(mut self, stored: Option<Stored>) {
        let config = *self.fills.config();
        let (mut restarts, mut retries, mut selections) = (0, 0, 0);
        let (mut stored, mut begun) = (stored, None);
        loop {
            // The handle on what is stored serves the first attempt alone.
            let fault = match self.attempt(stored.take(), begun.take()).await {
                Ok(filled) => return self.finish(filled, None),
                Err(Stop::Fault(fault)) => fault,
                Err(Stop::Select(names)) if selections < SELECTIONS => {
                    selections += 1;
                    self.request = self.request.handing(Handed::Named(names));
                    self.fill.restart();
                    continue;
                }
                Err(Stop::Plain) if selections < SELECTIONS => {
                    selections += 1;
                    self.request = self.request.handing_none();
                    self.fill.restart();
                    continue;
                }
                Err(Stop::Select(_) | Stop::Plain | Stop::Alone) => {
                    // From here on it is asked as the one viewer would ask: nobody may join that.
                    self.leave_registry();
                    self.fills.0.unshared.remember(&self.request);
                    self.keeps = false;
                    self.forward_all_fields();
                    self.fill.restart();
                    continue;
                }
                Err(Stop::Changed(Change { detail, kind, reply })) => {
                    restarts += 1;
                    // once it may have changed; twice, its parts will not go together either
                    if kind == ChangeKind::Inconsistent || restarts > 1 {
                        self.stop_using_ranges(&detail, kind != ChangeKind::Replaced);
                    }
                    if restarts <= config.restarts {
                        self.fill.restart();
                        begun = reply;
                        continue;
                    }
                    let detail = format!("{detail}; gave up after {restarts} attempts");
                    Fault::origin(OriginFault::Changed, detail)
                }
                Err(Stop::Again(fault)) => {
                    retries += 1;
                    if retries <= config.retries {
                        self.fill.restart();
                        sleep(self.fills.retry_delay(retries)).await;
                        continue;
                    }
                    fault
                }
            };
            let tells = !self.source.is_parent() && self.request.tells_of_viewer();
            let is_alone = fault.is_alone() || tells;
            let fault = fault.alone(is_alone);
            let filled = self.failed(&fault);
            self.remember(&fault, &filled);
            return self.finish(filled, Some(fault));
        }
    }

    /// For others who ask within the next moment, if nothing came at all.
    fn remember(&self, fault: &Fault, filled: &Filled) {
        // an origin that is left alone was not asked: a viewer asks it
        if self.fill.state().head.is_none() && fault.retry_after().is_none() {
            self.fills.0.failures.remember(Failure {
                request: Arc::clone(&self.request),
                head: None,
                content: Bytes::new(),
                broken: Some(fault.clone()),
                is_exposed: self.is_exposed(),
                filled: filled.clone(),
                asked_at: self.fill.asked_at(),
                is_kept: false,
            });
        }
    }

    /// Notes that upstream is asked at `now`, for [`Fill::asked_at`].
    pub(super) fn note_asked(&self, now: Timestamp) {
        self.fill.note_asked(match &self.source {
            Source::Origin(_) => Some(now),
            // it holds itself to the same
            Source::Parent(_) => self.request.errors_since,
        });
    }

    /// Whether fields of one viewer may have led to what came.
    pub(super) fn is_exposed(&self) -> bool {
        match self.source.is_parent() {
            true => !self.request.fields.is_empty(),
            false => self.request.tells_of_viewer(),
        }
    }

    /// Announces the end, once: later calls change nothing.
    pub(super) fn finish(&self, filled: Filled, broken: Option<Fault>) {
        self.leave_registry();
        debug!(
            target.host = self.request.host,
            outcome = %filled.outcome,
            size_bytes = filled.size,
            pulled_bytes = filled.pulled_bytes,
            "fill ended"
        );
        if self.keeps
            && let Some(history) = self.fills.0.history.get()
        {
            history.ended(self.fill.key, filled.outcome, filled.detail.as_deref());
        }
        {
            let mut state = self.fill.state();
            state.is_retired = true;
            state.drop_empty();
            if state.broken.is_none() {
                state.broken = broken;
            }
            // A fill that relays has said before what became of it.
            state.verdict.get_or_insert_with(|| Arc::new(filled));
        }
        self.fill.changed.notify_waiters();
    }

    /// Leaves the registry if nothing more is wanted of this fill; whether it did. Nobody can join
    /// between the question and the answer.
    pub(super) fn retire_if(&self, is_satisfied: impl FnOnce(&State) -> bool) -> bool {
        // Registry before state, as joining does: the two are never taken the other way round.
        let mut shard = self.keeps.then(|| self.fills.shard(self.fill.key));
        let mut state = self.fill.state();
        if !state.is_retired && !is_satisfied(&state) {
            return false;
        }
        state.is_retired = true;
        if let Some(shard) = &mut shard
            && shard.get(&self.fill.key).is_some_and(|found| Arc::ptr_eq(found, &self.fill))
        {
            shard.remove(&self.fill.key);
        }
        true
    }

    pub(super) fn leave_registry(&self) {
        self.retire_if(|_| true);
    }

    fn failed(&self, fault: &Fault) -> Filled {
        let size = self.fill.state().size;
        Filled {
            outcome: fault.outcome(),
            size,
            pulled_bytes: self.fill.pulled(),
            validator: None,
            fresh_until: None,
            detail: Some(fault.detail().into()),
            retry_after: fault.retry_after(),
            stored: None,
        }
    }

    /// The end of a fill whose response was `response`.
    pub(super) fn ended(&self, outcome: Outcome, response: &StoredResponse) -> Filled {
        Filled {
            outcome,
            size: self.fill.state().size,
            pulled_bytes: self.fill.pulled(),
            validator: response.validator_text(),
            fresh_until: Some(response.fresh_until()),
            detail: self.note(),
            retry_after: None,
            stored: None,
        }
    }

    /// Shows the head to the readers.
    pub(super) fn show(&self, head: FillHead) {
        {
            let mut state = self.fill.state();
            state.size = head.size;
            state.head = Some(Arc::new(head));
        }
        self.fill.changed.notify_waiters();
    }
}
