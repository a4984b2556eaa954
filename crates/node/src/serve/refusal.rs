//! Requests that are answered without looking into the cache, each with a sentence that says why.

use http::{HeaderValue, Response, StatusCode, header};
use stoker_domain::{
    http::CacheStatus,
    outcome::{Block, OriginFault, Outcome},
};

use super::{CACHE_STATUS, body::Body};
use crate::{fault::Fault, peer};

/// Why a request is not looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Neither GET nor HEAD.
    Method,
    /// No host, several, or one that cannot be.
    Host,
    /// No domain of that host.
    UnknownDomain,
    /// The domain is stopped.
    Offline,
    /// It has passed too many nodes.
    Loop,
    /// It was sent to an origin, and that leads back here.
    CameBack,
    /// The node does not know yet what was purged while it was away.
    CatchingUp,
    /// Nothing stored answers it and the request wants nothing else (RFC 9111 section 5.2.1.7).
    OnlyIfCached,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Host => StatusCode::BAD_REQUEST,
            Self::UnknownDomain => StatusCode::MISDIRECTED_REQUEST,
            Self::Offline => StatusCode::FORBIDDEN,
            Self::Loop | Self::CameBack => StatusCode::LOOP_DETECTED,
            Self::CatchingUp => StatusCode::SERVICE_UNAVAILABLE,
            Self::OnlyIfCached => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// For the viewer.
    fn sentence(self) -> &'static str {
        match self {
            Self::Method => "only GET and HEAD are answered here",
            Self::Host => "the request names no host, or several",
            Self::UnknownDomain => "no domain of this host is served here",
            Self::Offline => "this domain is stopped",
            Self::Loop => "the request was passed on by too many nodes",
            Self::CameBack => "the request has come back: the origin of its domain leads here",
            Self::CatchingUp => "the node is catching up on purges that it missed",
            Self::OnlyIfCached => "nothing stored answers this request, and it asks for no more",
        }
    }

    /// For `Cache-Status`.
    fn detail(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Host => "host",
            Self::UnknownDomain => "unknown-domain",
            Self::Offline => "offline",
            Self::Loop => "loop",
            Self::CameBack => "came-back",
            Self::CatchingUp => "catching-up",
            Self::OnlyIfCached => "only-if-cached",
        }
    }

    /// For another node.
    fn outcome(self) -> Outcome {
        match self {
            Self::UnknownDomain => Outcome::Blocked(Block::Ownership),
            Self::Offline => Outcome::Blocked(Block::Offline),
            Self::CameBack => Outcome::Blocked(Block::Loop),
            _ => Outcome::OriginError(OriginFault::Parent),
        }
    }

    /// The reply of the cache called `cache`.
    pub(super) fn reply(self, cache: &str, to_peer: bool) -> Response<Body> {
        let mut reply = text(self.status(), self.sentence());
        let status = CacheStatus { detail: Some(self.detail().into()), ..CacheStatus::default() };
        let fields = reply.headers_mut();
        fields.insert(CACHE_STATUS, status.to_value(cache));
        if self == Self::Method {
            fields.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        if self == Self::CatchingUp {
            fields.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if to_peer {
            let detail = format!("`{cache}` refuses: {}", self.sentence());
            peer::write_fault(&Fault::new(self.outcome(), detail), fields);
        }
        reply
    }
}

/// The status with which a viewer sees `fault`.
pub(super) fn fault_status(fault: &Fault) -> StatusCode {
    match fault.outcome() {
        Outcome::OriginError(OriginFault::Timeout) | Outcome::Timeout => {
            StatusCode::GATEWAY_TIMEOUT
        }
        Outcome::OriginError(OriginFault::Busy) => StatusCode::SERVICE_UNAVAILABLE,
        Outcome::Blocked(Block::Ownership | Block::Offline) => StatusCode::FORBIDDEN,
        Outcome::Blocked(Block::Loop) => StatusCode::LOOP_DETECTED,
        Outcome::Uncacheable(_) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// A reply in plain text that nobody keeps.
pub(super) fn text(status: StatusCode, sentence: &str) -> Response<Body> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut reply =
        Response::new(Body::full(format!("{} {reason}: {sentence}\n", status.as_u16())));
    *reply.status_mut() = status;
    let fields = reply.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_node_hears_each_refusal_as_what_it_is() {
        let parent = "origin_error:parent";
        for (refusal, status, outcome) in [
            (Refusal::Method, 405, parent),
            (Refusal::Host, 400, parent),
            (Refusal::UnknownDomain, 421, "blocked:ownership"),
            (Refusal::Offline, 403, "blocked:offline"),
            (Refusal::Loop, 508, parent),
            (Refusal::CameBack, 508, "blocked:loop"),
            (Refusal::CatchingUp, 503, parent),
            (Refusal::OnlyIfCached, 504, parent),
        ] {
            let reply = refusal.reply("stoker-middle", true);
            assert_eq!(reply.status(), status);
            assert_eq!(reply.headers()["stoker-fault"], outcome);
            let detail = reply.headers()["stoker-fault-detail"].to_str().unwrap();
            assert!(detail.starts_with("`stoker-middle` refuses: "), "{detail}");
            let reply = refusal.reply("stoker-middle", false);
            assert!(!reply.headers().contains_key("stoker-fault"), "a viewer is told nothing");
        }
    }
}
