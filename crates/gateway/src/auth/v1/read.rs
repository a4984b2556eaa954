//! Reads the parameters of a call that is signed, if at all, with signature v1: those of a query or
//! of content.
//!
//! Where they cannot be read, it still finds out how the answer has to be worded.

use axum::body::Body;
use http::{HeaderMap, Method, header, request::Parts};

use super::pairs::{self, Pair};
use crate::{
    Gateway,
    auth::address,
    content::{self, Content, Sender, Taken},
    multipart,
};

/// Longest query of a GET call.
pub(crate) const LONGEST_QUERY: usize = 32 * 1024;
/// Largest content of a POST.
const MOST_CONTENT: usize = 1024 * 1024;

/// The parameters of a call, or why there are none, and how to answer it.
pub(crate) struct Read {
    pub(crate) call: Result<Unverified, Unread>,
    /// The value of the parameter `Language`.
    pub(crate) language: Option<String>,
    /// Whether `Version` is among them, which calls of API 3.0 have.
    pub(crate) has_version: bool,
}

/// The parameters of a call whose caller is not verified yet.
pub(crate) struct Unverified {
    pub(crate) pairs: Vec<Pair>,
    /// Bytes that they were read from.
    pub(crate) bytes: usize,
    /// What they take of the budget.
    pub(crate) taken: Option<Taken>,
}

/// Why parameters cannot be read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Neither GET nor POST.
    Method,
    /// The query is too long.
    LongQuery,
    /// The content is too large, or did not come whole.
    Content(content::Error),
    /// They cannot be decoded.
    Pairs(pairs::Error),
}

/// Reads a call at `/`. Content that is no form has no parameters.
pub(crate) async fn call(gateway: &Gateway, parts: &Parts, body: Body) -> Read {
    let is_get = parts.method == Method::GET;
    if is_get || !is_form(&parts.headers) {
        gateway.contents.discard(body, MOST_CONTENT).await;
        return if is_get { query(parts) } else { Read::new(Ok(Vec::new()), b"", None) };
    }
    match content(gateway, parts, body).await {
        Ok(Content { bytes, taken, .. }) => Read::new(pairs::from_form(&bytes), &bytes, taken),
        Err(error) => Read::failed(Unread::Content(error), b""),
    }
}

/// Reads a call of API v2, whose content may be multipart and otherwise is a form.
pub(crate) async fn v2_call(gateway: &Gateway, parts: &Parts, body: Body) -> Read {
    if parts.method != Method::POST {
        return query(parts);
    }
    match content(gateway, parts, body).await {
        Ok(Content { bytes, taken, .. }) => {
            Read::new(pairs::from_content(&parts.headers, &bytes), &bytes, taken)
        }
        Err(error) => Read::failed(Unread::Content(error), b""),
    }
}

async fn content(gateway: &Gateway, parts: &Parts, body: Body) -> Result<Content, content::Error> {
    let sender = sender(parts);
    gateway.contents.read(body, MOST_CONTENT, &sender, gateway.clock.now()).await
}

/// The key stands in the content.
pub(crate) fn sender(parts: &Parts) -> Sender<'static> {
    Sender { address: address(parts), key: None }
}

fn query(parts: &Parts) -> Read {
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    if parts.method != Method::GET {
        Read::failed(Unread::Method, query)
    } else if query.len() > LONGEST_QUERY {
        Read::failed(Unread::LongQuery, query)
    } else {
        Read::new(pairs::from_form(query), query, None)
    }
}

impl Read {
    /// What was read of `text`, which takes so much of the budget.
    fn new(read: Result<Vec<Pair>, pairs::Error>, text: &[u8], taken: Option<Taken>) -> Self {
        let pairs = match read {
            Ok(pairs) => pairs,
            Err(error) => return Self::failed(Unread::Pairs(error), text),
        };
        let value = |name| pairs::value(&pairs, name);
        let language = value("Language").map(Into::into);
        let has_version = value("Version").is_some();
        Self { call: Ok(Unverified { pairs, bytes: text.len(), taken }), language, has_version }
    }

    fn failed(error: Unread, text: &[u8]) -> Self {
        let language = pairs::undecoded(text, "Language").map(Into::into);
        let has_version = pairs::undecoded(text, "Version").is_some();
        Self { call: Err(error), language, has_version }
    }
}

/// Whether content is a form; also without any Content-Type.
fn is_form(fields: &HeaderMap) -> bool {
    let Some(content_type) = fields.get(header::CONTENT_TYPE) else { return true };
    let content_type = content_type.to_str().unwrap_or_default();
    multipart::essence(content_type).eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
