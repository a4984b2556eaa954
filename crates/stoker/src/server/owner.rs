//! The owner of the installation and its key.
//!
//! Ledger and `credentials.json` are two places, and a crash may come between their writes. So the file is
//! written first, and the key in the ledger is written from the file: the next start finds either
//! nothing, or a key that it writes again.

use std::path::Path;

use stoker_domain::{
    account::{AccessKey, Account},
    quota::Limits,
};
use stoker_engine::{Engine, Error as EngineError, IdentityError};

use crate::{
    credentials::{self, Credentials},
    entropy,
    failure::Failure,
};

/// Letters and digits of a secret id after its prefix, and of a secret key.
const SECRET_LENGTH: usize = 32;

/// Creates the owner and its key if needed, and returns the content of `credentials.json`.
pub(super) async fn ensure(
    data: &Path,
    engine: &Engine,
    endpoint: String,
) -> Result<Credentials, Failure> {
    let refused = |error| super::unusable(data, &error);
    let account = match engine.accounts().await.map_err(refused)?.into_iter().next() {
        Some(account) => account,
        None => {
            let uin = format!("1{}", entropy::digits(11)?);
            let app_id = 1_250_000_000 + i64::try_from(entropy::seed()? % 50_000_000).unwrap_or(0);
            engine.create_account(uin, app_id, Limits::OWNER).await.map_err(refused)?
        }
    };
    // again at each start, because a crash may have come between account and limits
    engine.add_owner_limits(account.id).await.map_err(refused)?;
    let found = credentials::read_if_there(data)?;
    let wanted = match found.clone() {
        Some(found) => Credentials { uin: account.uin.clone(), endpoint, ..found },
        None => Credentials {
            uin: account.uin.clone(),
            secret_id: format!("AKID{}", entropy::secret(SECRET_LENGTH)?),
            secret_key: entropy::secret(SECRET_LENGTH)?,
            endpoint,
        },
    };
    if found.as_ref() != Some(&wanted) {
        credentials::write(data, &wanted).map_err(|error| {
            let path = credentials::path(data);
            Failure::because(format!("cannot write `{}`", path.display()), &error)
                .hint("is the disk full or read-only?")
        })?;
    }
    if is_known(engine, &account, &wanted).await.map_err(refused)? {
        return Ok(wanted);
    }
    let key = AccessKey {
        secret_id: wanted.secret_id.clone(),
        secret_key: wanted.secret_key.clone(),
        account: account.id,
        user: None,
        is_enabled: true,
        created_at: account.created_at,
        last_used_at: None,
        temporary: None,
    };
    engine.put_key(key).await.map_err(refused)?;
    Ok(wanted)
}

/// Whether the ledger has the key already. A disabled key stays disabled.
async fn is_known(
    engine: &Engine,
    account: &Account,
    wanted: &Credentials,
) -> Result<bool, EngineError> {
    let secret_id = &wanted.secret_id;
    match engine.key(account.id, secret_id).await {
        Ok(key) if !key.is_enabled => {
            tracing::warn!(key = secret_id, "key in credentials.json is disabled");
            Ok(true)
        }
        Ok(_) => {
            let caller = engine.caller(secret_id).await?;
            Ok(caller.is_some_and(|caller| caller.key.secret_key == wanted.secret_key))
        }
        Err(IdentityError::Ledger(error)) => Err(error),
        Err(_) => Ok(false),
    }
}
