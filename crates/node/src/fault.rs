//! What went wrong on the way to the content: the outcome it comes to, whose fault it is and
//! whether asking again makes sense.
//!
//! How errors of the network become faults is decided in `origin::cause`; how faults travel between
//! nodes, in `peer`.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use stoker_domain::outcome::{OriginFault, Outcome, Uncacheable};

/// Why content did not come, or did not stay.
#[derive(Clone, Debug)]
pub struct Fault {
    outcome: Outcome,
    /// What was attempted.
    attempt: String,
    /// That, and all causes: what a person reads, here or in a report.
    detail: String,
    cause: Option<Arc<dyn Error + Send + Sync>>,
    retry_after: Option<Duration>,
    is_alone: bool,
    /// Another node tried what could be tried.
    is_of_peer: bool,
}

/// Where a fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The origin, or the way to it.
    Origin,
    /// The next cache towards it.
    Parent,
    /// This node.
    Local,
}

/// Whether the same request may succeed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It will not; the engine may try much later.
    No,
    /// After a short delay, for what is still missing.
    AfterDelay,
}

impl Fault {
    /// A fault with this outcome; `detail` is a sentence for a person, without a final period.
    pub fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            outcome,
            attempt: detail.clone(),
            detail,
            cause: None,
            retry_after: None,
            is_alone: false,
            is_of_peer: false,
        }
    }

    /// The same, with the error that caused it; `causes` is that error in words.
    #[must_use]
    pub(crate) fn because(
        self,
        error: impl Error + Send + Sync + 'static,
        causes: impl fmt::Display,
    ) -> Self {
        let detail = format!("{}: {causes}", self.attempt);
        Self { detail, cause: Some(Arc::new(error)), ..self }
    }

    /// The same, where request fields of one viewer may have led to it: it counts for nobody else.
    #[must_use]
    pub fn alone(self, is_alone: bool) -> Self {
        Self { is_alone, ..self }
    }

    /// Whether it counts for nobody else.
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// The same, where the origin asked to be left alone for so long.
    #[must_use]
    pub fn after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// The same, where another node met it and has tried again what could be.
    #[must_use]
    pub(crate) fn of_peer(self) -> Self {
        Self { is_of_peer: true, ..self }
    }

    /// How long the origin asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// A fault of the origin.
    pub fn origin(fault: OriginFault, detail: impl Into<String>) -> Self {
        Self::new(Outcome::OriginError(fault), detail)
    }

    /// Whether the origin was not asked, for want of a turn.
    pub fn is_busy(&self) -> bool {
        self.outcome == Outcome::OriginError(OriginFault::Busy)
    }

    /// What it comes to.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// What was attempted and what came back, for a person.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Where it lies.
    pub fn side(&self) -> Side {
        match self.outcome {
            Outcome::OriginError(OriginFault::Parent) => Side::Parent,
            Outcome::OriginError(_) | Outcome::OriginStatus(_) => Side::Origin,
            _ => Side::Local,
        }
    }

    /// Whether a fill may go on after a short delay.
    pub fn retry(&self) -> Retry {
        match self.outcome {
            _ if self.is_of_peer => Retry::No,
            Outcome::OriginError(OriginFault::Truncated) => Retry::AfterDelay,
            _ if self.retry_after.is_some() => Retry::No,
            Outcome::OriginStatus(429 | 500 | 502 | 503 | 504) => Retry::AfterDelay,
            _ => Retry::No,
        }
    }

    /// The same, met while a parent was asked if `is_parent`: one that cannot be spoken to is one
    /// fault, whatever the reason.
    pub(crate) fn met_at(mut self, is_parent: bool) -> Self {
        let is_unreachable = !matches!(self.outcome, Outcome::OriginError(OriginFault::Truncated));
        if is_parent && is_unreachable && self.side() == Side::Origin {
            self.outcome = Outcome::OriginError(OriginFault::Parent);
        }
        self
    }

    /// What a write to the store that did not succeed comes to.
    pub(crate) fn uncacheable(reason: Uncacheable, detail: impl Into<String>) -> Self {
        Self::new(Outcome::Uncacheable(reason), detail)
    }
}

impl fmt::Display for Fault {
    /// What was attempted; what came back is its [`Error::source`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempt)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl PartialEq for Fault {
    /// Of the cause, what it says in words.
    fn eq(&self, other: &Self) -> bool {
        let key =
            |fault: &Self| (fault.outcome, fault.retry_after, fault.is_alone, fault.is_of_peer);
        key(self) == key(other) && self.detail == other.detail
    }
}

impl Eq for Fault {}

/// Whole seconds, rounded up.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_detail_is_one_sentence_and_the_cause_is_told_once() {
        let fault = Fault::origin(OriginFault::Connect, "cannot fetch from origin `x`");
        assert_eq!(
            (fault.detail(), fault.source().is_none()),
            ("cannot fetch from origin `x`", true)
        );
        let cause = io::Error::other("refused");
        let fault = fault.because(cause, "no connection: refused");
        assert_eq!(fault.detail(), "cannot fetch from origin `x`: no connection: refused");
        assert_eq!(fault.to_string(), "cannot fetch from origin `x`");
        assert_eq!(fault.source().unwrap().to_string(), "refused");
        assert_eq!(fault.clone(), fault);
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (millis, seconds) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }

    #[test]
    fn a_parent_that_cannot_be_spoken_to_is_one_fault() {
        for (fault, is_parent, outcome) in [
            (OriginFault::Connect, true, OriginFault::Parent),
            (OriginFault::Timeout, true, OriginFault::Parent),
            (OriginFault::Truncated, true, OriginFault::Truncated),
            (OriginFault::Connect, false, OriginFault::Connect),
        ] {
            let met = Fault::origin(fault, "x").met_at(is_parent);
            assert_eq!(met.outcome(), Outcome::OriginError(outcome), "{fault:?} {is_parent}");
        }
        let local = Fault::uncacheable(Uncacheable::DiskFull, "x").met_at(true);
        assert_eq!(local.side(), Side::Local);
    }
}
