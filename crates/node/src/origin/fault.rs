//! What went wrong on the way to the content: the outcome it comes to, whose fault it is and
//! whether asking again makes sense.

use std::{error::Error, fmt::Write, io, time::Duration};

use stoker_domain::outcome::{Block, OriginFault, Outcome, Uncacheable};

use super::connect::ConnectError;

/// Why content did not come, or did not stay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Fault {
    outcome: Outcome,
    detail: String,
    retry_after: Option<Duration>,
    is_alone: bool,
    /// Another node tried what could be tried.
    is_told: bool,
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
        Self { outcome, detail: detail.into(), retry_after: None, is_alone: false, is_told: false }
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
    pub(super) fn told(self) -> Self {
        Self { is_told: true, ..self }
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
            _ if self.is_told => Retry::No,
            Outcome::OriginError(OriginFault::Truncated) => Retry::AfterDelay,
            _ if self.retry_after.is_some() => Retry::No,
            Outcome::OriginStatus(429 | 500 | 502 | 503 | 504) => Retry::AfterDelay,
            _ => Retry::No,
        }
    }

    /// The fault behind a failed request or a broken body.
    pub(super) fn of(error: &(dyn Error + 'static), to: &str, is_parent: bool) -> Self {
        let outcome = classify(error).unwrap_or(Outcome::OriginError(OriginFault::Connect));
        Self::new(outcome, format!("cannot fetch from {to}: {}", chain(error))).seen(is_parent)
    }

    /// The fault behind content that breaks off: whatever else it was, it ended early.
    pub(super) fn of_content(error: &(dyn Error + 'static), to: &str, is_parent: bool) -> Self {
        let outcome = match classify(error) {
            Some(outcome @ Outcome::OriginError(OriginFault::Protocol | OriginFault::Timeout)) => {
                outcome
            }
            _ => Outcome::OriginError(OriginFault::Truncated),
        };
        Self::new(outcome, format!("content from {to} broke off: {}", chain(error))).seen(is_parent)
    }

    /// A parent that cannot be spoken to is one fault, whatever the reason.
    pub(super) fn seen(mut self, is_parent: bool) -> Self {
        let is_speechless = !matches!(self.outcome, Outcome::OriginError(OriginFault::Truncated));
        if is_parent && is_speechless && self.side() == Side::Origin {
            self.outcome = Outcome::OriginError(OriginFault::Parent);
        }
        self
    }

    /// What a write to the store that did not succeed comes to.
    pub(crate) fn uncacheable(reason: Uncacheable, detail: impl Into<String>) -> Self {
        Self::new(Outcome::Uncacheable(reason), detail)
    }
}

/// The first cause in the chain that says what happened.
fn classify(error: &(dyn Error + 'static)) -> Option<Outcome> {
    let own = if let Some(error) = error.downcast_ref::<ConnectError>() {
        Some(match error {
            ConnectError::Dns { .. } => Outcome::OriginError(OriginFault::Dns),
            ConnectError::Private(_) => Outcome::Blocked(Block::PrivateAddress),
            ConnectError::Refused { .. } => Outcome::OriginError(OriginFault::Connect),
            ConnectError::Tls { .. } => Outcome::OriginError(OriginFault::Tls),
            ConnectError::TimedOut(_) => Outcome::OriginError(OriginFault::Timeout),
        })
    } else if error.is::<rustls::Error>() {
        Some(Outcome::OriginError(OriginFault::Tls))
    } else if let Some(error) = error.downcast_ref::<hyper::Error>() {
        hyper_outcome(error)
    } else if let Some(error) = error.downcast_ref::<io::Error>() {
        // the source() of an io::Error leaves out the error that it wraps
        return error.get_ref().and_then(|inner| classify(inner)).or(Some(Outcome::OriginError(
            match error.kind() {
                // what the decoder of chunks says
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => OriginFault::Protocol,
                _ => OriginFault::Truncated,
            },
        )));
    } else {
        None
    };
    own.or_else(|| error.source().and_then(classify))
}

fn hyper_outcome(error: &hyper::Error) -> Option<Outcome> {
    let fault = if error.is_parse_too_large() || error.is_parse() {
        OriginFault::Protocol
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        OriginFault::Truncated
    } else if error.is_timeout() {
        OriginFault::Timeout
    } else {
        return None;
    };
    Some(Outcome::OriginError(fault))
}

fn chain(error: &(dyn Error + 'static)) -> String {
    // the outermost names only the library's step
    let mut text = String::new();
    let mut next = error.source();
    if next.is_none() {
        let _ = write!(text, "{error}");
    }
    while let Some(cause) = next {
        let own = cause.to_string();
        if !text.ends_with(&own) {
            let separator = if text.is_empty() { "" } else { ": " };
            let _ = write!(text, "{separator}{own}");
        }
        next = cause.source();
    }
    text
}
