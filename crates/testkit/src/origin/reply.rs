//! What a script makes of one request: status, fields and which bytes.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{
        ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, IF_NONE_MATCH, IF_RANGE,
        RANGE,
    },
};
use tokio::sync::watch;

use super::{
    body::{Scripted, Tap},
    script::{Script, Version},
};

/// A decided reply.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) start: u64,
    content: Bytes,
    range: Option<String>,
    etag: Option<String>,
}

/// First and, when given, last byte of a `bytes=a-b` range.
pub(super) fn asked_range(fields: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (start, end) = fields.get(RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    Some((start.parse().ok()?, if end.is_empty() { None } else { Some(end.parse().ok()?) }))
}

pub(super) fn decide<B>(
    script: &Script,
    request: &Request<B>,
    range: Option<(u64, Option<u64>)>,
    earlier: usize,
) -> Reply {
    let version = script.version(earlier);
    let reply = |status, start, content, range| Reply {
        status,
        start,
        content,
        range,
        etag: version.etag.clone(),
    };
    if let Some((requests, status)) = script.failing
        && earlier < requests
    {
        return reply(status, 0, Bytes::new(), None);
    }
    if matches(&version, request.headers().get(IF_NONE_MATCH), true) {
        return reply(StatusCode::NOT_MODIFIED, 0, Bytes::new(), None);
    }
    let size = version.content.len() as u64;
    let if_range = request.headers().get(IF_RANGE);
    match range.filter(|_| script.has_ranges && script.status == StatusCode::OK) {
        Some((start, end)) if if_range.is_none() || matches(&version, if_range, false) => {
            if start >= size {
                let range = Some(format!("bytes */{size}"));
                return reply(StatusCode::RANGE_NOT_SATISFIABLE, 0, Bytes::new(), range);
            }
            let end = end.unwrap_or(u64::MAX).min(size - 1);
            let content = version.content.slice(start as usize..=end as usize);
            let range = Some(format!("bytes {start}-{end}/{size}"));
            reply(StatusCode::PARTIAL_CONTENT, start, content, range)
        }
        _ => reply(script.status, 0, version.content.clone(), None),
    }
}

fn matches(version: &Version, field: Option<&HeaderValue>, weakly: bool) -> bool {
    let (Some(etag), Some(field)) = (&version.etag, field.and_then(|field| field.to_str().ok()))
    else {
        return false;
    };
    etag == field && (weakly || !etag.starts_with("W/"))
}

pub(super) fn send(script: &Script, reply: Reply, tap: Tap) -> Response<Scripted> {
    let actual = reply.content.len() as u64;
    let length = script.has_length.then(|| actual.saturating_add_signed(script.length_offset));
    let mut response = Response::new(Scripted::new(script, reply.content, length, tap));
    *response.status_mut() = reply.status;
    let fields = response.headers_mut();
    if script.has_ranges {
        fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    if let Some(range) = reply.range {
        fields.insert(CONTENT_RANGE, value(&range));
    }
    if let Some(etag) = reply.etag {
        fields.insert(ETAG, value(&etag));
    }
    if let Some(length) = length.filter(|_| reply.status != StatusCode::NOT_MODIFIED) {
        fields.insert(CONTENT_LENGTH, length.into());
    }
    for (name, text) in &script.fields {
        let name: HeaderName = name.parse().expect("a script names fields properly");
        fields.append(name, value(text));
    }
    response
}

pub(super) fn empty(status: StatusCode, gate: watch::Receiver<bool>) -> Response<Scripted> {
    let tap = Tap { sent: std::sync::Arc::default(), gate, earlier: 0 };
    let script = Script::new(Bytes::new());
    let mut response = Response::new(Scripted::new(&script, Bytes::new(), Some(0), tap));
    *response.status_mut() = status;
    response
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("a script gives proper field values")
}
