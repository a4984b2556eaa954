//! The token of temporary credentials: whether a call carries the one that belongs to its key.
//!
//! Looked at after the signature. Only the hash of a token is known here; it is compared in constant
//! time.

use sha2::{Digest, Sha256};
use stoker_domain::{account::AccessKey, time::Timestamp};
use subtle::ConstantTimeEq;

/// Why a token does not fit its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The key is temporary and the call carries no token.
    #[error("the key is temporary and needs its token")]
    Missing,
    /// The key is not temporary.
    #[error("the key is not temporary and has no token")]
    Unasked,
    /// It is another one.
    #[error("the token is not the key's")]
    Wrong,
    /// The key is no longer good.
    #[error("the temporary key is expired")]
    Expired,
}

/// Checks the token that came with `key`; an empty one is none.
///
/// # Errors
/// What does not fit.
pub(crate) fn check(key: &AccessKey, token: Option<&[u8]>, now: Timestamp) -> Result<(), Error> {
    let token = token.filter(|token| !token.is_empty());
    let (temporary, token) = match (&key.temporary, token) {
        (None, None) => return Ok(()),
        (None, Some(_)) => return Err(Error::Unasked),
        (Some(_), None) => return Err(Error::Missing),
        (Some(temporary), Some(token)) => (temporary, token),
    };
    let hash = Sha256::digest(token);
    if !bool::from(hash.as_slice().ct_eq(&temporary.token_hash)) {
        return Err(Error::Wrong);
    }
    if temporary.expires_at <= now {
        return Err(Error::Expired);
    }
    Ok(())
}
