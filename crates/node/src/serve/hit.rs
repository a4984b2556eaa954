//! Answering from the store. The fast path: for a small response nothing is awaited but memory.

use std::sync::atomic::Ordering;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use stoker_domain::{
    http::{CacheControl, CacheStatus, StoredResponse, http_date},
    time::Timestamp,
};

use super::{
    CACHE_STATUS, ClientRequest, Proof, Service,
    body::{Body, Refill, StoredBody},
    forward::upstream,
    select::{Selection, select},
};
use crate::{
    memory::Window,
    peer,
    store::{ReadError, SLICE, Stored},
};

/// Whether the store holds all that `asked` gets of `response`: everything, every slice of its
/// range, or nothing but the head.
///
/// Who wants only what is cached asks about the content: where a reply has none, it is a hit only
/// if every byte is there, so that a HEAD never promises what a GET would not get.
pub(super) fn holds(stored: &Stored, response: &StoredResponse, asked: &ClientRequest) -> bool {
    if stored.is_complete() {
        return true;
    }
    let is_enough = !CacheControl::of(&asked.fields).only_if_cached;
    let Some(size) = stored.size() else { return false };
    match select(&asked.fields, asked.is_head, response, Some(size)) {
        Selection::Whole => asked.is_head && is_enough,
        Selection::Part { start, end_inclusive } => {
            let mut slices = (start / SLICE)..=(end_inclusive / SLICE);
            slices.all(|number| u32::try_from(number).is_ok_and(|n| stored.has_slice(n)))
        }
        Selection::NotModified | Selection::PreconditionFailed => is_enough,
        Selection::Unsatisfiable => true,
    }
}

impl Service {
    /// The reply to `asked` from `stored`.
    ///
    /// # Errors
    /// The first bytes cannot be read; nothing has been sent.
    pub(super) async fn hit(
        &self,
        asked: &ClientRequest,
        stored: Stored,
        response: StoredResponse,
        now: Timestamp,
    ) -> Result<Response<Body>, ReadError> {
        let memory = self.0.fills.memory();
        let size = stored.size().unwrap_or(response.size);
        let selection = select(&asked.fields, asked.is_head, &response, Some(size));
        let first = match selection.span(size) {
            Some((start, end)) if start < end && !asked.is_head => {
                let window = match asked.wants_proof {
                    // who reads back sends nothing on
                    true => Window::of_reading(),
                    false => match memory.window(end - start).await {
                        Ok(window) => window,
                        Err(fault) => return Ok(self.out_of_memory(asked, &fault)),
                    },
                };
                let first = stored.read(start, window.piece(end - start)).await?;
                Some((start, end, first, window))
            }
            _ => None,
        };
        let mut reply = Response::new(Body::Empty);
        *reply.status_mut() = selection.status(&response);
        if asked.wants_proof {
            reply.extensions_mut().insert(Proof {
                stored: stored.clone(),
                fresh_until: response.fresh_until(),
                validator: response.validator_text(),
            });
        }
        let named = response.vary.iter().map(|(name, _)| name.clone()).collect();
        *reply.headers_mut() = self.hit_fields(response, selection, size, now);
        if let Some((start, end, first, window)) = first {
            *reply.body_mut() = match first.len() as u64 == end - start {
                true => Body::Full(first),
                false => {
                    let (refill, first) = (self.refill(asked, named), (first, window));
                    Body::Stored(Box::new(StoredBody::new(stored, refill, first, (start, end))))
                }
            };
        }
        self.0.counters.hits.fetch_add(1, Ordering::Relaxed);
        Ok(reply)
    }

    fn refill(&self, asked: &ClientRequest, named: Vec<HeaderName>) -> Refill {
        Refill { fills: self.0.fills.clone(), request: upstream(asked, named) }
    }

    fn hit_fields(
        &self,
        response: StoredResponse,
        selection: Selection,
        size: u64,
        now: Timestamp,
    ) -> HeaderMap {
        let ttl = seconds_between(now, response.fresh_until());
        let status = CacheStatus { is_hit: true, ttl: Some(ttl), ..CacheStatus::default() };
        let status = status.to_value(&self.0.cache);
        let stored_status = response.status;
        let mut fields = outgoing(response, Some(now));
        // who handled the request that brought it does not matter to this one
        fields.insert(CACHE_STATUS, status);
        selection.amend(&mut fields, stored_status, Some(size));
        fields
    }
}

/// The fields with which `response` goes out, `Content-Length` and `Cache-Status` left to the
/// caller; with an `Age` at `now` when it comes from a cache.
pub(super) fn outgoing(response: StoredResponse, now: Option<Timestamp>) -> HeaderMap {
    let age = now.map(|now| response.age(now).as_secs());
    let response_time = response.response_time;
    let has_ranges = response.status == StatusCode::OK;
    let mut fields = response.fields;
    peer::strip(&mut fields);
    if let Some(age) = age {
        fields.insert(header::AGE, age.into());
    }
    // RFC 9110 section 6.6.1: the time of receipt stands for a missing Date
    fields.entry(header::DATE).or_insert_with(|| http_date(response_time));
    if has_ranges {
        fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    fields
}

/// Whole seconds from `now` to `then`, negative when it has passed.
pub(super) fn seconds_between(now: Timestamp, then: Timestamp) -> i64 {
    then.as_millis().saturating_sub(now.as_millis()).div_euclid(1000)
}
