//! Who made a call with signature v1.
//!
//! The checks, in this order: credentials, key, time, signature, token. API v2 and
//! API 3.0 differ in how far a timestamp may be off and in what they answer, which is theirs.

use std::sync::Arc;

use http::request::Parts;
use stoker_engine::{Caller, Error as EngineError};

use super::{
    Covered, Message,
    pairs::{self, Pair, SIGNATURE},
    read::{self, Unverified},
};
use crate::{
    Gateway,
    auth::{self, token},
    content::{self, Taken},
};

/// Why a caller is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A parameter that every call needs is absent.
    #[error("the parameter `{0}` is missing")]
    Missing(&'static str),
    /// A parameter that every call needs is not a number.
    #[error("the parameter `{0}` is not a number")]
    Number(&'static str),
    /// The key is unknown or disabled.
    #[error("the SecretId is unknown")]
    SecretId,
    /// The timestamp is too far off.
    #[error("the timestamp is too far off")]
    Expired,
    /// The signature is not the caller's.
    #[error("the signature does not match")]
    Signature,
    /// The token is not the key's.
    #[error("the token is not valid")]
    Token(#[source] token::Error),
    /// The call would take too much memory now.
    #[error("the content cannot be taken")]
    Content(#[source] content::Error),
    /// The ledger did not answer.
    #[error("the key cannot be looked up")]
    Ledger(#[source] EngineError),
}

/// A verified call.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Whose key signed.
    pub(crate) caller: Arc<Caller>,
    /// When the client signed, by its own clock, in seconds.
    pub(crate) timestamp: i64,
    /// The client's random number.
    pub(crate) nonce: u64,
    /// The public half of the key.
    pub(crate) secret_id: String,
    /// What the signature covers.
    pub(crate) pairs: Vec<Pair>,
    /// What the call takes of memory; to be kept until it is answered.
    pub(crate) taken: Option<Taken>,
}

/// Verifies a call whose timestamp may be `tolerance` seconds off.
pub(crate) async fn verify(
    gateway: &Gateway,
    parts: &Parts,
    call: Unverified,
    tolerance: u64,
) -> Result<Verified, Error> {
    let Unverified { mut pairs, bytes, taken: unverified } = call;
    let given = |name| pairs::value(&pairs, name).filter(|value| !value.is_empty());
    let needed = |name| given(name).ok_or(Error::Missing(name));
    let timestamp = needed("Timestamp")?.parse().map_err(|_| Error::Number("Timestamp"))?;
    let nonce = needed("Nonce")?.parse().map_err(|_| Error::Number("Nonce"))?;
    let secret_id = needed("SecretId")?.to_owned();
    needed(SIGNATURE)?;
    let caller = gateway.engine.caller(&secret_id).await.map_err(Error::Ledger)?;
    let caller = caller.ok_or(Error::SecretId)?;
    if gateway.clock.now().as_seconds().abs_diff(timestamp) > tolerance {
        return Err(Error::Expired);
    }
    let message = Message {
        method: &parts.method,
        host: auth::host(parts),
        path: parts.uri.path(),
        pairs: &pairs,
        aliases: &gateway.config.host_aliases,
    };
    let (contents, sender) = (&gateway.contents, read::sender(parts));
    let Some(covered) = super::verify(&caller.key.secret_key, &message) else {
        contents.failed(&sender, gateway.clock.now());
        return Err(Error::Signature);
    };
    contents.verified(&sender, parts);
    let token = given("Token").map(str::as_bytes);
    token::check(&caller.key, token, gateway.clock.now()).map_err(Error::Token)?;
    gateway.engine.key_used(&secret_id);
    let taken = contents.work(caller.account.id, bytes).await.map_err(Error::Content)?;
    drop(unverified);
    if covered == Covered::WithoutAt {
        pairs.retain(|pair| !pair.value.starts_with('@'));
    }
    Ok(Verified { caller, timestamp, nonce, secret_id, pairs, taken })
}
