//! API 3.0 at `/`: verifies, routes by version and action, answers in the vendor's envelope.
//!
//! The vendor's words, shapes and codes exist only below here. A caller is verified before a
//! parameter is read (wire.md 2.7 gives the order); what comes out is a command of the engine.

mod authorization;
mod cdn;
mod clock;
mod envelope;
mod error;
mod multipart;
mod params;
pub(crate) mod signed;
pub(crate) mod tc3;
mod teo;
mod value;

use std::time::Instant;

use axum::{body::Body, extract::State};
use http::{HeaderMap, HeaderName, Method, Request, Response, header, request::Parts};
use serde_json::{Map, Value};
use stoker_domain::account::Account;

pub(crate) use self::error::chain;
use self::{
    error::{Answer, Error, Language},
    params::Params,
};
use crate::{Gateway, content};

/// Largest content of a signed call (wire.md 2.1).
const MOST_CONTENT: usize = 10 * 1024 * 1024;
/// Longest query of a GET call.
const LONGEST_QUERY: usize = 32 * 1024;
/// Largest content that is looked into to tell the old signature.
const MOST_FORM: usize = 1024 * 1024;

const ACTION: HeaderName = HeaderName::from_static("x-tc-action");
const VERSION: HeaderName = HeaderName::from_static("x-tc-version");
const TOKEN: HeaderName = HeaderName::from_static("x-tc-token");
const LANGUAGE: HeaderName = HeaderName::from_static("x-tc-language");

/// Answers one call.
pub(crate) async fn answer(
    State(gateway): State<Gateway>,
    request: Request<Body>,
) -> Response<Body> {
    let started = Instant::now();
    let request_id = gateway.request_id();
    let (parts, body) = request.into_parts();
    let mut action = "unknown";
    let result = call(&gateway, &parts, body, &mut action).await;
    let duration = started.elapsed();
    let duration_ms = duration.as_millis() as u64;
    let error = match result {
        Ok(fields) => {
            gateway.metrics.record(action, "ok", duration);
            tracing::info!(
                request.id = request_id,
                action,
                code = "ok",
                duration_ms,
                "call answered"
            );
            return envelope::success(fields, &request_id);
        }
        Err(error) => error,
    };
    let Answer { code, message } = error.answer(language(&parts.headers));
    gateway.metrics.record(action, code, duration);
    let reason = error.for_log();
    if error.is_internal() {
        tracing::error!(request.id = request_id, action, code, duration_ms, reason, "call failed");
    } else {
        tracing::info!(request.id = request_id, action, code, duration_ms, reason, "call refused");
    }
    envelope::failure(code, &message, &request_id)
}

async fn call(
    gateway: &Gateway,
    parts: &Parts,
    body: Body,
    name: &mut &'static str,
) -> Result<Map<String, Value>, Error> {
    let query = parts.uri.query().unwrap_or_default();
    match parts.method {
        Method::POST => {}
        Method::GET if query.len() > LONGEST_QUERY => return Err(Error::LongQuery),
        Method::GET => {}
        _ => return Err(Error::Method),
    }
    if !parts.headers.contains_key(header::AUTHORIZATION) {
        return Err(unsigned(parts, body).await);
    }
    let verified = signed::verify(gateway, parts, body, "/", MOST_CONTENT).await?;
    if parts.headers.get(TOKEN).is_some_and(|token| !token.is_empty()) {
        return Err(Error::Token);
    }
    let action = route(&parts.headers)?;
    *name = action.name();
    let params = match parts.method {
        Method::GET => Params::from_query(query)?,
        _ => from_content(&parts.headers, &verified.content)?,
    };
    action.call(gateway, &verified.account, params).await
}

/// An action of one of the products.
#[derive(Clone, Copy, Debug)]
enum Action {
    Cdn(cdn::Action),
    CdnDomain(cdn::domain::Action),
    Teo(teo::Action),
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Cdn(action) => action.name(),
            Self::CdnDomain(action) => action.name(),
            Self::Teo(action) => action.name(),
        }
    }

    async fn call(
        self,
        gateway: &Gateway,
        account: &Account,
        params: Params,
    ) -> Result<Map<String, Value>, Error> {
        match self {
            Self::Cdn(action) => action.call(gateway, account, params).await,
            Self::CdnDomain(action) => action.call(gateway, account, params).await,
            Self::Teo(action) => action.call(gateway, account, params).await,
        }
    }
}

fn route(fields: &HeaderMap) -> Result<Action, Error> {
    let field = |name: &HeaderName| fields.get(name).and_then(|value| value.to_str().ok());
    let action = field(&ACTION).ok_or(Error::MissingCommon("Action"))?;
    match field(&VERSION).ok_or(Error::MissingCommon("Version"))? {
        cdn::VERSION => {
            let found = cdn::Action::from_name(action).map(Action::Cdn);
            let found =
                found.or_else(|| cdn::domain::Action::from_name(action).map(Action::CdnDomain));
            found.ok_or(Error::Action)
        }
        teo::VERSION => teo::Action::from_name(action).map(Action::Teo).ok_or(Error::Action),
        other => Err(Error::Version(other.chars().take(32).collect())),
    }
}

fn from_content(fields: &HeaderMap, content: &[u8]) -> Result<Params, Error> {
    let content_type =
        fields.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match multipart::essence(content_type).to_ascii_lowercase().as_str() {
        "application/json" => Ok(Params::from_json(content)?),
        "multipart/form-data" => Ok(Params::from_multipart(content, content_type)?),
        _ => Err(Error::ContentType),
    }
}

/// Tells a call with the old signature, whose parameters stand in the query or the form, from one
/// without any.
async fn unsigned(parts: &Parts, body: Body) -> Error {
    let content = match content::read(body, MOST_FORM).await {
        Ok(content) => content,
        Err(error) => return signed::Error::Content(error).into(),
    };
    let form = match parts.method {
        Method::GET => parts.uri.query().unwrap_or_default().as_bytes(),
        _ => &content,
    };
    let has_signature =
        form.split(|byte| *byte == b'&').any(|pair| pair.starts_with(b"Signature="));
    if has_signature { Error::SignatureMethod } else { signed::Error::Unsigned.into() }
}

fn language(fields: &HeaderMap) -> Language {
    match fields.get(LANGUAGE) {
        Some(language) if language == "en-US" => Language::English,
        _ => Language::Chinese,
    }
}
