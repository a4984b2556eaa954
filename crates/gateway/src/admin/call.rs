//! An admin call: verified, with its content, query and path; and what it answers.
//!
//! Knows nothing of what a call does, and no route.

use axum::{
    RequestPartsExt,
    body::Body,
    extract::{Path, Query},
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};
use stoker_domain::account::Account;
use stoker_engine::SignedCall;

use super::{
    invalid::{ContentError, QueryError},
    problem::Error,
};
use crate::{
    Gateway,
    auth::{
        account,
        admin::{By, Head, SERVICE},
        replay, signed,
    },
    content::Taken,
    frame::{Api, Frame},
};

/// A verified call.
pub(crate) struct Call {
    pub(crate) gateway: Gateway,
    pub(crate) account: Account,
    parts: Parts,
    content: Bytes,
    /// What the call takes of memory.
    _taken: Option<Taken>,
}

/// What a call answers when it succeeds.
pub(crate) struct Reply {
    status: StatusCode,
    content: Option<String>,
}

impl Reply {
    /// `content` as JSON under `status`.
    pub(crate) fn json(status: StatusCode, content: &impl Serialize) -> Self {
        let text = serde_json::to_string(content).expect("views are plain data");
        Self { status, content: Some(text) }
    }

    /// Done, and nothing to say.
    pub(crate) const fn empty() -> Self {
        Self { status: StatusCode::NO_CONTENT, content: None }
    }

    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.content.map_or_else(Body::empty, Body::from));
        *response.status_mut() = self.status;
        if self.status != StatusCode::NO_CONTENT {
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        response
    }
}

impl Call {
    /// Reads the content as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.content).map_err(|error| ContentError::from(error).into())
    }

    /// Reads the content as JSON, and lets go of it.
    pub(crate) fn take_json<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let read = self.json();
        self.content = Bytes::new();
        read
    }

    /// Reads the query.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, Error> {
        match Query::try_from_uri(&self.parts.uri) {
            Ok(Query(query)) => Ok(query),
            Err(error) => Err(QueryError::Unreadable(error).into()),
        }
    }

    /// The one variable segment of the path, decoded.
    pub(crate) async fn segment(&mut self) -> Result<String, Error> {
        let Path(segment) = self.parts.extract().await.map_err(|_| Error::Page)?;
        Ok(segment)
    }

    /// The two variable segments of the path, decoded.
    pub(crate) async fn segments(&mut self) -> Result<(String, String), Error> {
        let Path(segments) = self.parts.extract().await.map_err(|_| Error::Page)?;
        Ok(segments)
    }
}

/// Carries one call out, and answers it.
pub(super) async fn run<F>(
    gateway: Gateway,
    request: Request<Body>,
    (action, limit): (&'static str, usize),
    act: impl FnOnce(Call) -> F,
) -> Response<Body>
where
    F: Future<Output = Result<Reply, Error>>,
{
    let frame = Frame::open(&gateway, Api::Admin);
    let result = match verified(&gateway, request, limit).await {
        Ok(call) => act(call).await,
        Err(error) => Err(error),
    };
    match frame.close(action, result) {
        Ok(reply) => reply.into_response(),
        Err(error) => error.reply(&frame.request_id),
    }
}

async fn verified(gateway: &Gateway, request: Request<Body>, limit: usize) -> Result<Call, Error> {
    let (parts, body) = request.into_parts();
    let (account, head) = match admit(gateway, &parts).await {
        Ok(admitted) => admitted,
        Err(error) => {
            // read and dropped, so that the answer arrives
            gateway.contents.discard(body, limit).await;
            return Err(error);
        }
    };
    let read = gateway.contents.read_verified(body, limit, account.id).await;
    let read = read.map_err(signed::Error::Content)?;
    head.check(&read.hash)?;
    let (gateway, content) = (gateway.clone(), read.bytes);
    Ok(Call { gateway, account, parts, content, _taken: read.taken })
}

/// The account of a call, once its head is verified and taken: before any content is read, so that nobody
/// has content read by repeating a call.
async fn admit<'a>(gateway: &Gateway, parts: &'a Parts) -> Result<(Account, Head<'a>), Error> {
    let claimed = signed::identify(gateway, parts).await?;
    let head = Head::read(parts, &claimed.authorization)?;
    let by = By {
        secret_key: &claimed.caller.key.secret_key,
        keys: &gateway.signing_keys,
        aliases: &gateway.config.host_aliases,
    };
    let is_right = head.is_signed(parts, &claimed.authorization, &claimed.timestamp, &by);
    claimed.record(gateway, parts, is_right)?;
    let time = claimed.timestamp.parse().map_err(|_| signed::Error::Timestamp)?;
    let (caller, service) = (claimed.caller, claimed.authorization.service);
    signed::check_token(gateway, parts, &caller)?;
    if service != SERVICE {
        return Err(Error::Service);
    }
    // a session's policy names actions of the vendor's, so it grants nothing here; and a session
    // without one could make itself a key that does not end
    if caller.user.is_some() || caller.key.temporary.is_some() {
        return Err(Error::RootKey(caller.account.uin.clone()));
    }
    account::check(&caller.account)?;
    let call = SignedCall { secret_id: &caller.key.secret_id, nonce: head.nonce, time };
    replay::take(gateway, caller.account.id, &call, &parts.method).await?;
    Ok((caller.account.clone(), head))
}
