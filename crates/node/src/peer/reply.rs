//! What a node says beside its reply to another node: why there is no content, and what there is to
//! note about content that comes.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use stoker_domain::outcome::{OriginFault, Outcome};

use super::fields::{ALONE, ANSWERED, FAULT, FAULT_DETAIL, FAULT_RETRY_AFTER, NOTE, strip};
use crate::fault::{Fault, whole_seconds};

/// What a node says of content that comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remarks {
    /// A sentence about what the origin did, for a person.
    pub(crate) note: Option<String>,
    /// Why nobody is to keep it, though it may look as if it could be kept.
    pub(crate) alone: Option<Outcome>,
}

impl Remarks {
    /// Writes them to the `fields` of a reply to another node.
    pub(crate) fn write(&self, fields: &mut HeaderMap) {
        if let Some(Ok(why)) = self.alone.map(|why| HeaderValue::try_from(why.to_string())) {
            fields.insert(ALONE, why);
        }
        if let Some(note) = &self.note {
            put_text(fields, NOTE, note);
        }
    }
}

/// Writes to the `fields` of a reply to another node why there is no content.
pub(crate) fn write_fault(fault: &Fault, fields: &mut HeaderMap) {
    if let Ok(outcome) = HeaderValue::try_from(fault.outcome().to_string()) {
        fields.insert(FAULT, outcome);
    }
    put_text(fields, FAULT_DETAIL, fault.detail());
    if let Some(wanted) = fault.retry_after() {
        fields.insert(FAULT_RETRY_AFTER, whole_seconds(wanted).into());
    }
    if fault.is_alone() {
        fields.insert(ALONE, HeaderValue::from_static("1"));
    }
}

/// Marks a reply to another node as a node's.
pub(crate) fn mark(fields: &mut HeaderMap) {
    fields.insert(ANSWERED, HeaderValue::from_static("1"));
}

/// Whether the reply is marked: it goes to another node.
pub(crate) fn is_from_node(fields: &HeaderMap) -> bool {
    fields.contains_key(ANSWERED)
}

/// Takes from `fields` what the parent called `from` says beside its reply.
///
/// # Errors
/// The parent says why there is no content. Or the reply is an error and is not marked: then whatever
/// stands between the nodes made it up, and it is not the origin's.
pub(crate) fn read_reply(
    fields: &mut HeaderMap,
    status: StatusCode,
    from: &str,
) -> Result<Remarks, Fault> {
    let read = read(fields, status, from);
    strip(fields);
    read
}

fn read(fields: &HeaderMap, status: StatusCode, from: &str) -> Result<Remarks, Fault> {
    let text = |name| fields.get(name).and_then(|text: &HeaderValue| text.to_str().ok());
    let outcome = text(FAULT).and_then(|outcome| outcome.parse().ok());
    if let Some(outcome) = outcome.filter(|outcome: &Outcome| !outcome.is_success()) {
        return Err(fault(fields, outcome));
    }
    let is_error = status.is_client_error() || status.is_server_error();
    if is_error && !is_from_node(fields) {
        let detail =
            format!("{from} itself answered {status}: are both nodes of one installation?");
        return Err(Fault::origin(OriginFault::Parent, detail));
    }
    let alone = text(ALONE).and_then(|outcome| outcome.parse().ok());
    Ok(Remarks { note: text(NOTE).map(str::to_owned), alone })
}

fn fault(fields: &HeaderMap, outcome: Outcome) -> Fault {
    let outcome = match outcome {
        // the parent stops, or gave up its own request; the target is not given up
        Outcome::Canceled => Outcome::OriginError(OriginFault::Parent),
        outcome => outcome,
    };
    let wanted = fields.get(FAULT_RETRY_AFTER).and_then(|text| text.to_str().ok()?.parse().ok());
    let detail = fields.get(FAULT_DETAIL).map(HeaderValue::as_bytes).unwrap_or_default();
    Fault::new(outcome, String::from_utf8_lossy(detail))
        .alone(fields.contains_key(ALONE))
        .after(wanted.map(Duration::from_secs))
        .of_peer()
}

/// Puts a sentence into a field; what is not ASCII is replaced.
fn put_text(fields: &mut HeaderMap, name: HeaderName, text: &str) {
    let ascii: String =
        text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
    if let Ok(text) = HeaderValue::try_from(ascii) {
        fields.insert(name, text);
    }
}

#[cfg(test)]
mod tests {
    use stoker_domain::outcome::Uncacheable;

    use super::*;
    use crate::fault::Retry;

    const OK: StatusCode = StatusCode::OK;
    const BAD_GATEWAY: StatusCode = StatusCode::BAD_GATEWAY;

    fn reread(write: impl FnOnce(&mut HeaderMap), status: StatusCode) -> Result<Remarks, Fault> {
        let mut fields = HeaderMap::new();
        write(&mut fields);
        let read = read_reply(&mut fields, status, "parent node `m`");
        assert!(fields.is_empty(), "nothing of it travels on: {fields:?}");
        read
    }

    #[test]
    fn remarks_are_read_as_they_were_written() {
        let alone = Some(Outcome::Uncacheable(Uncacheable::NoStore));
        for (note, alone) in [(None, None), (Some("the origin sent other bytes".to_owned()), alone)]
        {
            let remarks = Remarks { note, alone };
            assert_eq!(reread(|fields| remarks.write(fields), OK), Ok(remarks.clone()));
        }
        let foreign = Remarks { note: Some("größer\n".into()), alone: None };
        let read = reread(|fields| foreign.write(fields), OK).unwrap();
        assert_eq!(read.note.as_deref(), Some("gr??er?"));
    }

    #[test]
    fn every_fault_is_read_as_it_was_written() {
        for outcome in [
            "origin_status:404",
            "origin_status:503",
            "origin_error:connect",
            "origin_error:truncated",
            "uncacheable:no-store",
            "blocked:loop",
            "too_large",
            "timeout",
        ] {
            let outcome: Outcome = outcome.parse().unwrap();
            for (is_alone, seconds) in [(false, None), (true, Some(7))] {
                let written = Fault::new(outcome, "cannot fetch from origin `http://x`")
                    .alone(is_alone)
                    .after(seconds.map(Duration::from_secs));
                let read = reread(|fields| write_fault(&written, fields), BAD_GATEWAY).unwrap_err();
                assert_eq!(read, written.of_peer(), "{outcome}");
                assert_eq!(read.retry(), Retry::No, "the other node has tried again");
            }
        }
        let soon = Fault::origin(OriginFault::Busy, "").after(Some(Duration::from_millis(1)));
        let read = reread(|fields| write_fault(&soon, fields), BAD_GATEWAY).unwrap_err();
        assert_eq!(read.retry_after(), Some(Duration::from_secs(1)), "whole seconds, rounded up");
    }

    #[test]
    fn what_the_parent_gave_up_is_the_parents_fault() {
        let canceled = Fault::new(Outcome::Canceled, "it stops");
        let read = reread(|fields| write_fault(&canceled, fields), BAD_GATEWAY).unwrap_err();
        assert_eq!(read.outcome(), Outcome::OriginError(OriginFault::Parent));
    }

    #[test]
    fn an_error_counts_as_the_origins_only_where_a_node_passes_it_on() {
        let not_found = StatusCode::NOT_FOUND;
        assert_eq!(reread(mark, not_found), Ok(Remarks::default()));
        for status in [not_found, BAD_GATEWAY] {
            let fault = reread(|_| {}, status).unwrap_err();
            assert_eq!(fault.outcome(), Outcome::OriginError(OriginFault::Parent));
            assert!(fault.detail().starts_with("parent node `m` itself answered"), "{fault}");
        }
        for status in [OK, StatusCode::FOUND, StatusCode::NOT_MODIFIED] {
            assert_eq!(reread(|_| {}, status), Ok(Remarks::default()), "{status}");
        }
    }

    #[test]
    fn a_fault_that_is_none_is_not_believed() {
        for text in ["filled", "nonsense", ""] {
            let write = |fields: &mut HeaderMap| {
                mark(fields);
                fields.insert(FAULT, HeaderValue::from_static(text));
            };
            assert_eq!(reread(write, OK), Ok(Remarks::default()), "{text}");
        }
    }
}
