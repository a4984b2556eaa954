//! The vendor's APIs: API 3.0 at `/` and API v2 at `/v2/index.php`.
//!
//! The vendor's words, shapes and codes exist only below here. This file alone knows all products: it
//! verifies, finds the action, checks what its caller may do, and turns what a product answers into a
//! reply. A product's action gets a [`Call`] and its parameters, and returns the fields of the reply or
//! that product's own error; what comes out of it is a command of the engine.
//!
//! A call passes, in this order, the signature, the token, the action, the rate, the parameters as a
//! whole, the account and the policies (`access`); only then its action looks at its parameters.

mod access;
mod action;
mod cdn;
mod codes;
mod common;
mod error;
#[cfg(any(fuzzing, test))]
#[path = "../../tests/internals/fuzzing/mod.rs"]
pub mod fuzzing;
mod inactive;
pub(crate) mod message;
mod params;
pub(crate) mod permissions;
mod reply;
mod request;
mod rules;
mod teo;
mod v2;

use axum::{body::Body, extract::State};
use http::{Method, Request, Response, header, request::Parts};
use serde_json::{Map, Value};
use stoker_domain::account::AccountId;
use stoker_engine::Caller;

use self::{
    action::{Action, NoVersion},
    common::Call,
    error::Error,
    message::Language,
    params::Params,
    request::{ACTION, VERSION, field, from_content, language},
};
use crate::{
    Gateway,
    auth::{
        account, rate,
        signed::{self, Verified},
        v1::{
            caller, pairs,
            read::{self, LONGEST_QUERY, Read},
        },
    },
    content,
    frame::{Api, Frame},
};

/// Largest content of a signed call.
const MOST_CONTENT: usize = 10 * 1024 * 1024;
/// Seconds that the timestamp of a call with signature v1 may be off.
const TOLERANCE_SECONDS: u64 = 300;

/// What is known so far of a call of API 3.0, for its log line and its reply.
struct Context {
    action: &'static str,
    language: Language,
}

impl Context {
    fn new(language: Language) -> Self {
        Self { action: "unknown", language }
    }
}

/// Answers one call at `/`.
pub(crate) async fn answer(
    State(gateway): State<Gateway>,
    request: Request<Body>,
) -> Response<Body> {
    let frame = Frame::open(&gateway, Api::Vendor);
    let (parts, body) = request.into_parts();
    let mut context = Context::new(language(&gateway, &parts, None));
    let result = call(&gateway, &parts, body, &mut context).await;
    finish(&frame, &context, result)
}

/// Answers one call at `/v2/index.php`. With a `Version` parameter it is one of API 3.0 that came
/// here, and is answered as such.
pub(crate) async fn answer_v2(
    State(gateway): State<Gateway>,
    request: Request<Body>,
) -> Response<Body> {
    let frame = Frame::open(&gateway, Api::Vendor);
    let (parts, body) = request.into_parts();
    let read = read::v2_call(&gateway, &parts, body).await;
    let language = language(&gateway, &parts, read.language.as_deref());
    if !read.has_version {
        return v2::answer(&gateway, &frame, &parts, read.call, language).await;
    }
    let mut context = Context::new(language);
    let result = call_v1(&gateway, &parts, read, &mut context).await;
    finish(&frame, &context, result)
}

fn finish(
    frame: &Frame<'_>,
    context: &Context,
    result: Result<Map<String, Value>, Error>,
) -> Response<Body> {
    match frame.close(context.action, result) {
        Ok(fields) => reply::success(fields, &frame.request_id),
        Err(error) => {
            let (code, message) = error.answer();
            let message = message.text(context.language);
            let response = reply::failure(code, &message, &frame.request_id);
            if error.is_busy() { content::with_retry_after(response) } else { response }
        }
    }
}

async fn call(
    gateway: &Gateway,
    parts: &Parts,
    body: Body,
    context: &mut Context,
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
        context.language = language(gateway, parts, read.language.as_deref());
        return call_v1(gateway, parts, read, context).await;
    }
    let Verified { caller, content, taken: _taken } =
        signed::verify(gateway, parts, body, "/", MOST_CONTENT).await?;
    let action = find(field(parts, &ACTION), field(parts, &VERSION))?;
    context.action = action.name();
    admit(gateway, caller.account.id, action)?;
    let params = match parts.method {
        Method::GET => Params::from_query(query)?,
        _ => from_content(&parts.headers, &content).ok_or(Error::ContentType)??,
    };
    drop(content);
    carry_out(gateway, &caller, parts, action, params, context.language).await
}

async fn call_v1(
    gateway: &Gateway,
    parts: &Parts,
    read: Read,
    context: &mut Context,
) -> Result<Map<String, Value>, Error> {
    let verified = caller::verify(gateway, parts, read.call?, TOLERANCE_SECONDS).await?;
    let value = |name| pairs::value(&verified.pairs, name).filter(|value| !value.is_empty());
    let action = find(value("Action"), value("Version"))?;
    context.action = action.name();
    admit(gateway, verified.caller.account.id, action)?;
    let params = Params::from_signed(verified.pairs)?;
    let _taken = verified.taken;
    carry_out(gateway, &verified.caller, parts, action, params, context.language).await
}

/// The action with this name in this version.
fn find(action: Option<&str>, version: Option<&str>) -> Result<Action, Error> {
    let action = action.ok_or(Error::MissingCommon("Action"))?;
    let version = version.ok_or(Error::MissingCommon("Version"))?;
    match Action::find(action, version) {
        Ok(found) => found.ok_or(Error::Action),
        Err(NoVersion) => Err(Error::Version(version.chars().take(32).collect())),
    }
}

/// Counts a call of `account`, unless it had too many.
fn admit(gateway: &Gateway, account: AccountId, action: Action) -> Result<(), rate::Exceeded> {
    let name = (action.version(), action.name());
    gateway.calls.admit(&gateway.config.calls, account, name, gateway.clock.now())
}

/// Carries out what the caller may do.
async fn carry_out(
    gateway: &Gateway,
    caller: &Caller,
    parts: &Parts,
    action: Action,
    params: Params,
    language: Language,
) -> Result<Map<String, Value>, Error> {
    let account = &caller.account;
    account::check(account).map_err(|error| Error::NotActive { error, action })?;
    let scope = access::check(gateway, caller, parts, &rules::of(action), &params)?;
    let call = Call { gateway, account, scope: &scope, language };
    Ok(match action {
        Action::CdnPush(action) => action.call(call, params).await?,
        Action::CdnDomain(action) => action.call(call, params).await?,
        Action::CdnPurge(action) => action.call(call, params).await?,
        Action::Teo(action) => action.call(call, params).await?,
    })
}

/// Every action that is answered, as the version that names its API (`v2` for the older one) and its
/// own name: what tests and documents must not leave out.
pub fn actions() -> Vec<(&'static str, &'static str)> {
    let of_v2 = v2::Action::ALL.into_iter().map(|action| ("v2", action.name()));
    Action::all().map(|action| (action.version(), action.name())).chain(of_v2).collect()
}
