//! A signed call: who made it, and its content, read within bounds.
//!
//! Every check of a caller happens here, in this order: credentials, key, time, the
//! signature over the raw bytes, then the token. Where the head alone tells what was signed, they all
//! happen before any content is read. Serves the API at `/` and the admin API; decides no code and no
//! status.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, header, request::Parts};
use stoker_engine::{Caller, Error as EngineError};

use super::{
    address,
    authorization::{self, Authorization},
    host,
    tc3::{self, Message, SignedContent, TOKEN, hex},
    token,
};
use crate::{
    Gateway,
    content::{self, Sender, Taken},
};

/// A call whose signature was verified.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Whose key signed.
    pub(crate) caller: Arc<Caller>,
    /// Content as sent.
    pub(crate) content: Bytes,
    /// What the call takes of memory; to be kept until it is answered.
    pub(crate) taken: Option<Taken>,
}

/// Why a caller is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No `Authorization` field.
    #[error("the request is not signed")]
    Unsigned,
    /// The `Authorization` field is not understood.
    #[error("the `Authorization` field is malformed")]
    Authorization(#[source] authorization::Error),
    /// The key is unknown or disabled.
    #[error("the SecretId is unknown")]
    SecretId,
    /// No X-TC-Timestamp.
    #[error("the request has no timestamp")]
    NoTimestamp,
    /// X-TC-Timestamp is not a number.
    #[error("the timestamp is not a number of seconds")]
    Timestamp,
    /// X-TC-Timestamp is more than five minutes off.
    #[error("the timestamp is more than {} seconds off", tc3::TOLERANCE_SECONDS)]
    Expired,
    /// The content could not be read.
    #[error("the content cannot be taken")]
    Content(#[source] content::Error),
    /// The signature is not the caller's.
    #[error("the signature does not match")]
    Signature,
    /// The token is not the key's.
    #[error("the token is not valid")]
    Token(#[source] token::Error),
    /// The ledger did not answer.
    #[error("the key cannot be looked up")]
    Ledger(#[source] EngineError),
}

/// Verifies a call whose signed path is `path` and reads its content of at most `limit` bytes, or of
/// [`content::MOST_UNVERIFIED`] where only the content itself tells its hash.
///
/// The content of a caller who is refused earlier is read and dropped, so that the answer arrives.
pub(crate) async fn verify(
    gateway: &Gateway,
    parts: &Parts,
    body: Body,
    path: &str,
    limit: usize,
) -> Result<Verified, Error> {
    let claimed = match identify(gateway, parts).await {
        Ok(claimed) => claimed,
        Err(error) => {
            gateway.contents.discard(body, limit).await;
            return Err(error);
        }
    };
    let claim = Claim { gateway, parts, path, claimed };
    let declared = match SignedContent::of(&parts.method, &parts.headers) {
        SignedContent::Undeclared => return claim.read_and_check(body, limit).await,
        SignedContent::Declared(hash) => Some(hash),
        SignedContent::Nothing => None,
    };
    if let Err(error) = claim.check(declared.unwrap_or_default()) {
        gateway.contents.discard(body, limit).await;
        return Err(error);
    }
    let account = claim.claimed.caller.account.id;
    let content = gateway.contents.read_verified(body, limit, account).await;
    let content = content.map_err(Error::Content)?;
    if declared.is_some_and(|hash| hash != hex(&content.hash)) {
        return Err(Error::Signature);
    }
    Ok(claim.verified(content.bytes, content.taken))
}

/// Checks the token of a call whose signature was verified, and records that its key was used.
pub(crate) fn check_token(gateway: &Gateway, parts: &Parts, caller: &Caller) -> Result<(), Error> {
    let token = parts.headers.get(TOKEN).map(HeaderValue::as_bytes);
    token::check(&caller.key, token, gateway.clock.now()).map_err(Error::Token)?;
    gateway.engine.key_used(&caller.key.secret_id);
    Ok(())
}

/// A call that claims to be from somebody.
struct Claim<'a> {
    gateway: &'a Gateway,
    parts: &'a Parts,
    path: &'a str,
    claimed: ClaimedCaller,
}

impl Claim<'_> {
    /// Reads the content, whose hash was signed, before anything can be checked.
    async fn read_and_check(self, body: Body, limit: usize) -> Result<Verified, Error> {
        let contents = &self.gateway.contents;
        let now = self.gateway.clock.now();
        let sender = self.claimed.sender(self.parts);
        let read = contents.read(body, limit, &sender, now).await.map_err(Error::Content)?;
        self.check(&hex(&read.hash))?;
        let account = self.claimed.caller.account.id;
        let taken = contents.work(account, read.bytes.len()).await.map_err(Error::Content)?;
        Ok(self.verified(read.bytes, taken))
    }

    /// Checks signature and token, of content with this hash.
    fn check(&self, content_hash: &str) -> Result<(), Error> {
        let Self { gateway, parts, path, claimed } = self;
        let ClaimedCaller { caller, authorization, timestamp } = claimed;
        let message = Message {
            method: &parts.method,
            path,
            query: parts.uri.query().unwrap_or_default(),
            fields: &parts.headers,
            host: host(parts),
            content_hash,
            aliases: &gateway.config.host_aliases,
        };
        let (keys, secret_key) = (&gateway.signing_keys, &caller.key.secret_key);
        let is_right = tc3::verify(keys, secret_key, authorization, timestamp, &message);
        claimed.record(gateway, parts, is_right)?;
        check_token(gateway, parts, caller)
    }

    fn verified(self, content: Bytes, taken: Option<Taken>) -> Verified {
        Verified { caller: self.claimed.caller, content, taken }
    }
}

/// Who a call claims to be from, before the signature is checked.
pub(crate) struct ClaimedCaller {
    pub(crate) caller: Arc<Caller>,
    pub(crate) authorization: Authorization,
    /// The text of X-TC-Timestamp, a number of seconds.
    pub(crate) timestamp: String,
}

impl ClaimedCaller {
    fn sender(&self, parts: &Parts) -> Sender<'_> {
        let key = (self.caller.key.secret_id.as_str(), self.caller.account.id);
        Sender { address: address(parts), key: Some(key) }
    }

    /// Records whether the signature is right.
    ///
    /// # Errors
    /// [`Error::Signature`] where it is not.
    pub(crate) fn record(
        &self,
        gateway: &Gateway,
        parts: &Parts,
        is_right: bool,
    ) -> Result<(), Error> {
        if !is_right {
            gateway.contents.failed(&self.sender(parts), gateway.clock.now());
            return Err(Error::Signature);
        }
        gateway.contents.verified(&self.sender(parts), parts);
        Ok(())
    }
}

pub(crate) async fn identify(gateway: &Gateway, parts: &Parts) -> Result<ClaimedCaller, Error> {
    let field = parts.headers.get(header::AUTHORIZATION).ok_or(Error::Unsigned)?;
    let text = field.to_str().map_err(|_| Error::Authorization(authorization::Error::Algorithm))?;
    let authorization = Authorization::parse(text).map_err(Error::Authorization)?;
    let caller = gateway.engine.caller(&authorization.secret_id).await.map_err(Error::Ledger)?;
    let caller = caller.ok_or(Error::SecretId)?;
    let timestamp = parts.headers.get(tc3::TIMESTAMP).ok_or(Error::NoTimestamp)?;
    let timestamp = timestamp.to_str().map_err(|_| Error::Timestamp)?.trim();
    let seconds = timestamp.parse().map_err(|_| Error::Timestamp)?;
    if !tc3::is_current(seconds, gateway.clock.now()) {
        return Err(Error::Expired);
    }
    Ok(ClaimedCaller { caller, authorization, timestamp: timestamp.into() })
}
