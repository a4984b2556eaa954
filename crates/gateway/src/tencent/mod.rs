//! API 3.0 at `/`: verifies, routes by version and action, answers in the vendor's envelope.
//!
//! The vendor's words, shapes and codes exist only below here. A caller is verified before a
//! parameter is read; what comes out is a command of the engine.

mod access;
mod cdn;
mod clock;
mod envelope;
mod error;
#[cfg(any(fuzzing, test))]
#[path = "../../tests/internals/fuzzing/mod.rs"]
pub mod fuzzing;
pub(crate) mod message;
mod params;
mod teo;
pub(crate) mod v2;
mod value;

use std::time::Instant;

use axum::{body::Body, extract::State};
use http::{HeaderMap, HeaderName, Method, Request, Response, header, request::Parts};
use serde_json::{Map, Value};
use stoker_domain::account::{Account, AccountId};
use stoker_engine::Caller;

use self::{
    access::Rule,
    error::{Answer, Error},
    message::Language,
    params::Params,
};
pub(crate) use self::{access::ask, error::chain};
use crate::{
    Gateway,
    auth::{
        self, account, rate,
        signed::{self, Verified},
        v1::{
            self, caller,
            pairs::{self, Pair},
            read::{self, LONGEST_QUERY, Read},
        },
    },
    content, multipart,
};

/// Largest content of a signed call.
const MOST_CONTENT: usize = 10 * 1024 * 1024;
/// Seconds that the timestamp of a call with signature v1 may be off.
const TOLERANCE_SECONDS: u64 = 300;

const ACTION: HeaderName = HeaderName::from_static("x-tc-action");
const VERSION: HeaderName = HeaderName::from_static("x-tc-version");
const LANGUAGE: HeaderName = HeaderName::from_static("x-tc-language");

/// What becomes known of a call while it is looked at.
struct Seen {
    action: &'static str,
    language: Language,
}

/// Answers one call at `/`.
pub(crate) async fn answer(
    State(gateway): State<Gateway>,
    request: Request<Body>,
) -> Response<Body> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let mut seen = Seen { action: "unknown", language: language(&gateway, &parts) };
    let result = call(&gateway, &parts, body, &mut seen).await;
    finish(&gateway, started, &seen, result)
}

/// Answers a call with signature v1 that was read already, at whatever path.
async fn answer_v1(gateway: &Gateway, parts: &Parts, read: Read) -> Response<Body> {
    let started = Instant::now();
    let mut seen = Seen { action: "unknown", language: language(gateway, parts) };
    let result = call_v1(gateway, parts, read, &mut seen).await;
    finish(gateway, started, &seen, result)
}

fn finish(
    gateway: &Gateway,
    started: Instant,
    seen: &Seen,
    result: Result<Map<String, Value>, Error>,
) -> Response<Body> {
    let request_id = gateway.request_id();
    let action = seen.action;
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
    let Answer { code, message } = error.answer(seen.language);
    gateway.metrics.record(action, code, duration);
    let reason = error.for_log();
    if error.is_internal() {
        tracing::error!(request.id = request_id, action, code, duration_ms, reason, "call failed");
    } else {
        tracing::info!(request.id = request_id, action, code, duration_ms, reason, "call refused");
    }
    let response = envelope::failure(code, &message, &request_id);
    if error.is_busy() { content::come_again(response) } else { response }
}

async fn call(
    gateway: &Gateway,
    parts: &Parts,
    body: Body,
    seen: &mut Seen,
) -> Result<Map<String, Value>, Error> {
    let query = parts.uri.query().unwrap_or_default();
    match parts.method {
        Method::POST => {}
        Method::GET if query.len() > LONGEST_QUERY => return Err(Error::LongQuery),
        Method::GET => {}
        _ => return Err(Error::Method),
    }
    if !parts.headers.contains_key(header::AUTHORIZATION) {
        let read = read::call(gateway, parts, body).await;
        return call_v1(gateway, parts, read, seen).await;
    }
    let Verified { caller, content, taken: _taken, .. } =
        signed::verify(gateway, parts, body, "/", MOST_CONTENT).await?;
    let field = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let action = route(field(&ACTION), field(&VERSION))?;
    seen.action = action.name();
    action.admit(gateway, caller.account.id)?;
    let params = match parts.method {
        Method::GET => Params::from_query(query)?,
        _ => from_content(&parts.headers, &content)?,
    };
    drop(content);
    let params = params.answered_in(seen.language);
    carry_out(gateway, &caller, parts, action, params).await
}

async fn call_v1(
    gateway: &Gateway,
    parts: &Parts,
    read: Read,
    seen: &mut Seen,
) -> Result<Map<String, Value>, Error> {
    let language = read.language.as_deref().and_then(Language::from_word);
    seen.language = language.unwrap_or(seen.language);
    let verified = caller::verify(gateway, parts, read.call?, TOLERANCE_SECONDS).await?;
    let value = |name| pairs::value(&verified.pairs, name).filter(|value| !value.is_empty());
    let action = route(value("Action"), value("Version"))?;
    seen.action = action.name();
    action.admit(gateway, verified.caller.account.id)?;
    let params = own_params(verified.pairs)?.answered_in(seen.language);
    let _taken = verified.taken;
    carry_out(gateway, &verified.caller, parts, action, params).await
}

/// Carries out what the caller may do.
async fn carry_out(
    gateway: &Gateway,
    caller: &Caller,
    parts: &Parts,
    action: Action,
    mut params: Params,
) -> Result<Map<String, Value>, Error> {
    account::check(&caller.account).map_err(|error| Error::NotActive { error, action })?;
    access::check(gateway, caller, parts, &Rule::of(action), &mut params)?;
    action.call(gateway, &caller.account, params).await
}

/// The parameters that are the action's own. Clients write `_` for `.`, and sign either.
fn own_params(pairs: Vec<Pair>) -> Result<Params, params::Error> {
    let own = pairs.into_iter().filter(|pair| !v1::COMMON.contains(&pair.name.as_str()));
    Params::from_pairs(own.map(|pair| (pair.name.replace('_', "."), pair.value)))
}

/// An action of one of the products.
#[derive(Clone, Copy, Debug)]
enum Action {
    Cdn(cdn::Action),
    CdnDomain(cdn::domain::Action),
    CdnPurge(cdn::purge::Action),
    Teo(teo::Action),
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Cdn(action) => action.name(),
            Self::CdnDomain(action) => action.name(),
            Self::CdnPurge(action) => action.name(),
            Self::Teo(action) => action.name(),
        }
    }

    /// The version that names its API.
    const fn version(self) -> &'static str {
        match self {
            Self::Cdn(_) | Self::CdnDomain(_) | Self::CdnPurge(_) => cdn::VERSION,
            Self::Teo(_) => teo::VERSION,
        }
    }

    /// Counts a call of `account`, unless it had too many.
    fn admit(self, gateway: &Gateway, account: AccountId) -> Result<(), rate::Exceeded> {
        let version = self.version();
        gateway.calls.admit(
            &gateway.config.calls,
            account,
            (version, self.name()),
            gateway.clock.now(),
        )
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
            Self::CdnPurge(action) => action.call(gateway, account, params).await,
            Self::Teo(action) => action.call(gateway, account, params).await,
        }
    }
}

/// Every action that is answered, as the version that names its API (`v2` for the older one) and its
/// own name: what tests and documents must not leave out.
pub fn actions() -> Vec<(&'static str, &'static str)> {
    let cdn = cdn::Action::ALL.into_iter().map(Action::Cdn);
    let domains = cdn::domain::Action::ALL.into_iter().map(Action::CdnDomain);
    let purges = cdn::purge::Action::ALL.into_iter().map(Action::CdnPurge);
    let teo = teo::Action::ALL.iter().copied().map(Action::Teo);
    let new = cdn.chain(domains).chain(purges).chain(teo);
    let old = v2::Action::ALL.into_iter().map(|action| ("v2", action.name()));
    new.map(|action| (action.version(), action.name())).chain(old).collect()
}

fn route(action: Option<&str>, version: Option<&str>) -> Result<Action, Error> {
    let action = action.ok_or(Error::MissingCommon("Action"))?;
    match version.ok_or(Error::MissingCommon("Version"))? {
        cdn::VERSION => {
            let found = cdn::Action::from_name(action).map(Action::Cdn);
            let found =
                found.or_else(|| cdn::domain::Action::from_name(action).map(Action::CdnDomain));
            let found =
                found.or_else(|| cdn::purge::Action::from_name(action).map(Action::CdnPurge));
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

/// The language that the call asks for, else that of its host.
fn language(gateway: &Gateway, parts: &Parts) -> Language {
    let word = parts.headers.get(&LANGUAGE).and_then(|field| field.to_str().ok());
    let default = || Language::of_host(auth::host(parts), gateway.config.language);
    word.and_then(Language::from_word).unwrap_or_else(default)
}
