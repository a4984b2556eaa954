//! Reads the parameters of a call that is signed, if at all, with signature v1: those of a query or
//! of content.
//!
//! Where they cannot be read, it still finds out how the answer has to be worded.

use axum::body::Body;
use http::{HeaderMap, Method, header, request::Parts};

use super::pairs::{self, Pair};
use crate::{
    content,
    tencent::{message::Language, multipart},
};

/// Longest query of a GET call (wire.md 1.1, 2.1).
pub(crate) const LONGEST_QUERY: usize = 32 * 1024;
/// Largest content of a POST (wire.md 1.1, 2.1).
const MOST_CONTENT: usize = 1024 * 1024;

/// The parameters of a call, or why there are none, and how to answer it.
pub(crate) struct Read {
    pub(crate) pairs: Result<Vec<Pair>, Unread>,
    /// The language that the parameter `Language` asks for.
    pub(crate) language: Option<Language>,
    /// Whether `Version` is among them, which calls of API 3.0 have.
    pub(crate) has_version: bool,
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
pub(crate) async fn call(parts: &Parts, body: Body) -> Read {
    let is_get = parts.method == Method::GET;
    let is_form = is_form(&parts.headers);
    match content::read(body, MOST_CONTENT).await {
        _ if is_get => query(parts),
        Ok(content) if is_form => Read::new(pairs::from_form(&content), &content),
        Err(error) if is_form => Read::failed(Unread::Content(error), b""),
        _ => Read::new(Ok(Vec::new()), b""),
    }
}

/// Reads a call of API v2, whose content may be multipart and otherwise is a form.
pub(crate) async fn old_call(parts: &Parts, body: Body) -> Read {
    if parts.method != Method::POST {
        return query(parts);
    }
    match content::read(body, MOST_CONTENT).await {
        Ok(content) => Read::new(pairs::from_content(&parts.headers, &content), &content),
        Err(error) => Read::failed(Unread::Content(error), b""),
    }
}

fn query(parts: &Parts) -> Read {
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    if parts.method != Method::GET {
        Read::failed(Unread::Method, query)
    } else if query.len() > LONGEST_QUERY {
        Read::failed(Unread::LongQuery, query)
    } else {
        Read::new(pairs::from_form(query), query)
    }
}

impl Read {
    /// What was read of `text`.
    fn new(read: Result<Vec<Pair>, pairs::Error>, text: &[u8]) -> Self {
        let pairs = match read {
            Ok(pairs) => pairs,
            Err(error) => return Self::failed(Unread::Pairs(error), text),
        };
        let value = |name| pairs::value(&pairs, name);
        let language = value("Language").and_then(Language::from_word);
        let has_version = value("Version").is_some();
        Self { pairs: Ok(pairs), language, has_version }
    }

    fn failed(error: Unread, text: &[u8]) -> Self {
        let word = pairs::undecoded(text, "Language");
        let language = word.and_then(Language::from_word);
        let has_version = pairs::undecoded(text, "Version").is_some();
        Self { pairs: Err(error), language, has_version }
    }
}

/// Whether content is a form; also without any Content-Type.
fn is_form(fields: &HeaderMap) -> bool {
    let Some(content_type) = fields.get(header::CONTENT_TYPE) else { return true };
    let content_type = content_type.to_str().unwrap_or_default();
    multipart::essence(content_type).eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
