//! Answering through a fill: what the store does not hold, or holds and must ask about.

use std::{sync::Arc, sync::atomic::Ordering};

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use stoker_domain::{
    http::{CacheControl, CacheStatus, Forward, parse_byte_range, strip_hop_by_hop},
    outcome::{Block, OriginFault, Outcome},
};
use tokio::time::timeout;
use tracing::debug;

use super::{
    CACHE_STATUS, ClientRequest, Miss, Service,
    body::Body,
    hit::{outgoing, seconds_between},
    refusal::{fault_status, text},
    select::select,
};
use crate::{
    fault::{Fault, whole_seconds},
    fill::{FillHead, Reader},
    memory::Window,
    peer::{self, Remarks},
    request::{Handed, Intent, Priority, Request, Want},
    store::Stored,
};

/// Fields that a node makes itself when it asks upstream, or that mean nothing there. The viewer's
/// `Cache-Control` travels: who wants it validated wants that of every cache on the way.
const NOT_FORWARDED: [HeaderName; 13] = [
    header::HOST,
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::ACCEPT_ENCODING,
    header::PRAGMA,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::MAX_FORWARDS,
];

impl Service {
    pub(super) async fn forward(
        &self,
        asked: ClientRequest,
        Miss { stored: stale, why, named }: Miss,
    ) -> Response<Body> {
        let must_validate = stale.as_ref().is_some_and(must_validate);
        let request = upstream(&asked, named);
        let priority = request.priority;
        let mut reader = self.0.fills.get_or_start(request, stale);
        let head = match priority {
            Priority::Interactive => reader.head().await,
            // the node that asks hears that this one lives, and asks again
            Priority::Background => {
                timeout(self.0.peer_patience, reader.head()).await.unwrap_or_else(|_| {
                    reader.will_come_again();
                    Err(Fault::origin(OriginFault::Busy, "the content has not come yet"))
                })
            }
        };
        let reason = ForwardReason { why, is_collapsed: reader.is_collapsed(), must_validate };
        match head {
            Ok(head) => {
                let len = if asked.is_head { 0 } else { head.size.unwrap_or(u64::MAX) };
                match self.0.fills.memory().window(len).await {
                    Ok(window) => self.reply(&asked, (reader, window), &head, reason),
                    Err(fault) => self.fault(&asked, &fault, reason),
                }
            }
            Err(fault) => self.fault(&asked, &fault, reason),
        }
    }

    fn reply(
        &self,
        asked: &ClientRequest,
        (reader, window): (Reader, Window),
        head: &FillHead,
        reason: ForwardReason,
    ) -> Response<Body> {
        let now = self.0.clock.now();
        let selection = select(&asked.fields, asked.is_head, &head.response, head.size);
        let is_stored = head.not_kept.is_none();
        let status = CacheStatus {
            forward: Some(reason.why),
            forward_status: Some(head.forward_status.as_u16()),
            ttl: is_stored.then(|| seconds_between(now, head.response.fresh_until())),
            is_stored,
            is_collapsed: reason.is_collapsed,
            detail: head.not_kept.map(|outcome| outcome.to_string().into()),
            ..CacheStatus::default()
        };
        let mut reply = Response::new(Body::Empty);
        *reply.status_mut() = selection.status(&head.response);
        // what is passed on has an age only if it came from another cache
        let has_age = is_stored || head.response.corrected_initial_age_ms >= 1000;
        let mut fields = outgoing(head.response.clone(), has_age.then_some(now));
        fields.append(CACHE_STATUS, status.to_value(&self.0.cache));
        selection.amend(&mut fields, head.response.status, head.size);
        if asked.peer.is_some() {
            let alone = head.not_kept.filter(|_| head.is_alone);
            Remarks { note: head.note.clone(), alone }.write(&mut fields);
        }
        *reply.headers_mut() = fields;
        let span = match head.size {
            Some(size) => selection.span(size).filter(|(start, end)| start < end),
            None => selection.span(u64::MAX),
        };
        if let Some((start, end)) = span.filter(|_| !asked.is_head) {
            let range = head.size.map(|_| (start, end - 1));
            *reply.body_mut() = Body::Fill(Box::new(reader.body_within(range, window)));
        }
        reply
    }

    fn fault(&self, asked: &ClientRequest, fault: &Fault, reason: ForwardReason) -> Response<Body> {
        self.0.counters.faults.fetch_add(1, Ordering::Relaxed);
        let outcome = fault.outcome();
        debug!(
            target.host = asked.host(),
            outcome = %outcome,
            detail = fault.detail(),
            "cannot answer"
        );
        let status = match outcome {
            Outcome::OriginError(_) if reason.must_validate && !fault.is_busy() => {
                StatusCode::GATEWAY_TIMEOUT
            }
            _ => fault_status(fault),
        };
        let mut reply = text(status, &sentence(outcome));
        let member = CacheStatus {
            forward: Some(reason.why),
            is_collapsed: reason.is_collapsed,
            detail: Some(outcome.to_string().into()),
            ..CacheStatus::default()
        };
        let fields = reply.headers_mut();
        fields.insert(CACHE_STATUS, member.to_value(&self.0.cache));
        explain(asked, fault, fields);
        reply
    }
}

/// Adds when the content may be asked for again and, for another node, why there is none.
fn explain(asked: &ClientRequest, fault: &Fault, fields: &mut HeaderMap) {
    if let Some(wanted) = fault.retry_after().filter(|_| fault.is_busy()) {
        fields.insert(header::RETRY_AFTER, whole_seconds(wanted).into());
    }
    if asked.peer.is_some() {
        peer::write_fault(fault, fields);
    }
}

impl Service {
    /// The reply where there is no memory to send what is stored.
    pub(super) fn out_of_memory(&self, asked: &ClientRequest, fault: &Fault) -> Response<Body> {
        let mut reply = text(fault_status(fault), "this cache has no memory left: ask again later");
        let status = CacheStatus { detail: Some("memory".into()), ..CacheStatus::default() };
        reply.headers_mut().insert(CACHE_STATUS, status.to_value(&self.0.cache));
        explain(asked, fault, reply.headers_mut());
        reply
    }
}

/// Why there is no content, for a viewer.
fn sentence(outcome: Outcome) -> String {
    match outcome {
        Outcome::Blocked(Block::Loop) => {
            "the origin leads back to this cache: the request would loop".into()
        }
        Outcome::OriginError(OriginFault::Busy) => {
            "too much is on its way already: ask again later".into()
        }
        outcome => format!("cannot fetch the content ({outcome})"),
    }
}

/// Why upstream was asked, as `Cache-Status` tells it.
#[derive(Clone, Copy)]
struct ForwardReason {
    why: Forward,
    is_collapsed: bool,
    /// What is stored must not be used without asking the origin.
    must_validate: bool,
}

/// Whether the origin forbids `stored` to be used stale: then its silence is a 504 (RFC 9111
/// section 5.2.2.2).
fn must_validate(stored: &Stored) -> bool {
    stored.response().is_some_and(|response| {
        let rules = CacheControl::of(&response.fields);
        rules.must_revalidate || rules.proxy_revalidate || rules.s_maxage.is_some()
    })
}

/// What is asked upstream for `asked`; fields that are `named` select what the origin answers.
pub(super) fn upstream(asked: &ClientRequest, named: Vec<HeaderName>) -> Request {
    let peer = asked.peer.as_ref();
    let range = asked.fields.get(header::RANGE).and_then(parse_byte_range);
    let want = match range {
        _ if asked.is_head => Want::Head,
        Some(range) => Want::Range(range),
        None => Want::All,
    };
    Request {
        key: asked.key,
        domain: Arc::clone(&asked.domain),
        host: asked.host().to_owned(),
        path_and_query: asked.path_and_query().to_owned(),
        fields: forwarded(&asked.fields),
        handed: Handed::Named(named),
        options: peer.map(|peer| Arc::clone(&peer.options)).unwrap_or_default(),
        intent: Intent::Demand(want),
        hops: peer.map_or(0, |peer| peer.hops),
        client: asked.client.clone(),
        priority: peer.map_or(Priority::Interactive, |peer| peer.priority),
        errors_since: peer.and_then(|peer| peer.errors_since),
    }
}

/// The viewer's fields that may travel upstream.
fn forwarded(fields: &HeaderMap<HeaderValue>) -> HeaderMap {
    let mut fields = fields.clone();
    strip_hop_by_hop(&mut fields);
    peer::strip(&mut fields);
    for name in NOT_FORWARDED {
        fields.remove(name);
    }
    fields
}
