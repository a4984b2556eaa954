//! One reply from upstream: when it was asked for, when it came, and the response it begins.

use http::{HeaderMap, StatusCode};
use stoker_domain::{
    http::{Lifetime, StoredResponse},
    time::Timestamp,
};

use super::extent::Extent;
use crate::{
    origin::{Content, Response},
    store::Writer,
};

/// A reply, and when it was asked for and came.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) response: Response,
    pub(super) asked: Option<(u64, u64)>,
    pub(super) request_time: Timestamp,
    pub(super) response_time: Timestamp,
    /// Of the generation that it may begin, taken before it was asked for: what is purged meanwhile
    /// is older than the purge, however late it comes.
    pub(super) writer: Writer,
}

/// The head as it will be stored, and the content of `reply`.
pub(super) fn made(
    reply: Reply,
    extent: &Extent,
    lifetime: Lifetime,
    selecting: &HeaderMap,
) -> (StoredResponse, Content) {
    let status = if extent.is_partial { StatusCode::OK } else { reply.response.status };
    let response = StoredResponse::new(
        selecting,
        status,
        reply.response.fields,
        extent.total.unwrap_or(0),
        lifetime,
        reply.response_time,
    );
    (response, reply.response.content)
}
