//! Which outcome an error of the network comes to, found in its chain of causes.

use std::{error::Error, fmt::Write, io};

use stoker_domain::outcome::{Block, OriginFault, Outcome};

use super::connect::ConnectError;
use crate::fault::Fault;

/// The fault behind a request to `to` that brought no reply.
pub(super) fn of_request(
    error: impl Error + Send + Sync + 'static,
    to: &str,
    is_parent: bool,
) -> Fault {
    let outcome = classify(&error).unwrap_or(Outcome::OriginError(OriginFault::Connect));
    let causes = chain(&error);
    Fault::new(outcome, format!("cannot fetch from {to}")).because(error, causes).met_at(is_parent)
}

/// The fault behind content that breaks off: whatever else it was, it ended early.
pub(super) fn of_content(
    error: impl Error + Send + Sync + 'static,
    to: &str,
    is_parent: bool,
) -> Fault {
    let outcome = match classify(&error) {
        Some(outcome @ Outcome::OriginError(OriginFault::Protocol | OriginFault::Timeout)) => {
            outcome
        }
        _ => Outcome::OriginError(OriginFault::Truncated),
    };
    let causes = chain(&error);
    Fault::new(outcome, format!("content from {to} broke off"))
        .because(error, causes)
        .met_at(is_parent)
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
