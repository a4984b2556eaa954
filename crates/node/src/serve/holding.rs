//! What the node has of a target, and why not all of it, for people who ask.
//!
//! Held is what the serving function gives to a viewer who wants only what is cached; the reasons are
//! read from the store and from the history.

use http::{HeaderMap, HeaderValue, Method, Request, header, request::Parts};
use stoker_domain::{
    holding::{Holding, Lack},
    http::{CacheControl, Reuse, StoredResponse, reuse},
    setting::Status,
    target::Target,
};

use super::{Proof, Service};
use crate::{
    fill::is_content,
    history::History,
    request::stored_url,
    store::{SLICE, Stored, Verified},
};

impl Service {
    /// What is held of `target`.
    pub(crate) async fn holding(&self, target: &Target, history: &History) -> Holding {
        let lacking = |lack| Holding { lack: Some(lack), ..Holding::default() };
        let domain = self.0.directory.borrow().domain(&target.host).cloned();
        let Some(domain) = domain else { return lacking(Lack::DomainUnknown) };
        if domain.status == Status::Offline {
            return lacking(Lack::DomainStopped);
        }
        if !self.0.readiness.is_ready() {
            return lacking(Lack::CatchingUp);
        }
        // what was before is another owner's
        let (key, since) = (target.key(), domain.created_at);
        let last_failure = history.last_failure(key, since);
        let reply = self.prove(cached_only(target, HeaderMap::new())).await;
        let proven = reply.extensions().get::<Proof>().map(|proof| proof.stored.clone());
        // every byte of it is looked at
        let is_proven = match &proven {
            Some(stored) => stored.verify().await == Verified::Sound,
            None => false,
        };
        let stored = match proven {
            Some(stored) => Some(stored),
            None => {
                let path = &target.path_and_query;
                let url = stored_url(&target.host, path, domain.content_epoch);
                self.0.store.lookup(key, &url).await
            }
        };
        let response = stored.as_ref().and_then(Stored::response);
        let (Some(stored), Some(response)) = (&stored, response) else {
            return Holding { last_failure, ..lacking(history.lack(key, since)) };
        };
        Holding {
            lack: self.lack(stored, response, is_proven).map(|lack| match lack {
                // its head is carried along, and no more
                Lack::Partial { held: 0, .. } => history.loss(key, since).unwrap_or(lack),
                lack => lack,
            }),
            status: Some(response.status.as_u16()),
            size_bytes: stored.size(),
            fresh_until: Some(response.fresh_until()),
            last_failure,
        }
    }

    /// Why `stored` is not the whole of the content, fresh; whether it is what a viewer gets is
    /// known.
    fn lack(&self, stored: &Stored, response: &StoredResponse, is_proven: bool) -> Option<Lack> {
        if !is_content(response.status) {
            return Some(Lack::KeptError);
        }
        if is_proven && stored.is_complete() {
            return None;
        }
        if stored.is_invalidated() {
            return Some(Lack::Invalidated);
        }
        Some(match reuse(response, &HeaderMap::new(), self.0.clock.now()) {
            Reuse::VaryMiss => {
                let names = response.vary.iter().map(|(name, _)| name.to_string());
                Lack::Varies(names.collect())
            }
            _ if !stored.is_complete() => partial(stored),
            Reuse::Stale if needs_validation(response) => Lack::AlwaysValidated,
            Reuse::Stale => Lack::Stale(response.fresh_until()),
            Reuse::Fresh => Lack::Unreadable,
        })
    }
}

/// What a viewer sends who wants `target` only if it is cached.
pub(crate) fn cached_only(target: &Target, fields: HeaderMap) -> Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::GET;
    head.headers = fields;
    // both were checked when the target was parsed
    if let Ok(uri) = target.path_and_query.parse() {
        head.uri = uri;
    }
    if let Ok(host) = HeaderValue::from_str(&target.host) {
        head.headers.insert(header::HOST, host);
    }
    let only = HeaderValue::from_static("only-if-cached");
    head.headers.insert(header::CACHE_CONTROL, only);
    head
}

fn partial(stored: &Stored) -> Lack {
    let slices = stored.size().map(|size| size.div_ceil(SLICE) as u32);
    let is_held = |number: &u32| stored.has_slice(*number);
    let held = match slices {
        Some(slices) => (0..slices).filter(is_held).count(),
        None => (0..).take_while(is_held).count(),
    };
    Lack::Partial { held: held as u32, slices }
}

fn needs_validation(response: &StoredResponse) -> bool {
    response.lifetime_ms == 0 || CacheControl::of(&response.fields).no_cache
}
