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
    /// The key has expired.
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

#[cfg(test)]
mod tests {
    use stoker_domain::account::{AccountId, Temporary};

    use super::*;

    fn key(temporary: Option<Temporary>) -> AccessKey {
        AccessKey {
            secret_id: "AKID".into(),
            secret_key: "SK".into(),
            account: AccountId(1),
            user: None,
            is_enabled: true,
            created_at: Timestamp::from_seconds(0),
            last_used_at: None,
            temporary,
        }
    }

    #[test]
    fn a_token_belongs_to_a_temporary_key_and_ends_with_it() {
        let expires_at = Timestamp::from_seconds(100);
        let token_hash = Sha256::digest(b"TOKEN").into();
        let temporary = key(Some(Temporary { token_hash, expires_at, policy: None }));
        let lasting = key(None);
        let at = |seconds| Timestamp::from_seconds(seconds);
        for (key, token, now, expected) in [
            (&lasting, None, 0, Ok(())),
            (&lasting, Some(""), 0, Ok(())),
            (&lasting, Some("TOKEN"), 0, Err(Error::Unasked)),
            (&temporary, None, 0, Err(Error::Missing)),
            (&temporary, Some(""), 0, Err(Error::Missing)),
            (&temporary, Some("token"), 0, Err(Error::Wrong)),
            (&temporary, Some("TOKEN"), 99, Ok(())),
            (&temporary, Some("TOKEN"), 100, Err(Error::Expired)),
            (&temporary, Some("other"), 100, Err(Error::Wrong)),
        ] {
            assert_eq!(check(key, token.map(str::as_bytes), at(now)), expected, "{token:?}");
        }
    }
}
