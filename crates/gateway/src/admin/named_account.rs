//! Which account a call is about: the caller's own, unless the owner of the installation names another.

use serde::Deserialize;
use stoker_domain::account::Account;

use super::{call::Call, invalid::QueryError, page::Listing, problem::Error};

/// The query of every call about one account that lists nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountQuery {
    /// Number of the account; absent = the caller's own.
    account: Option<String>,
}

/// The account that the query of a call names.
pub(super) async fn of_call(call: &Call) -> Result<Account, Error> {
    let AccountQuery { account } = call.query()?;
    with_uin(call, account).await
}

/// The account that a list is about, and which page of it.
pub(super) async fn of_list(call: &Call) -> Result<(Account, Listing), Error> {
    let listing: Listing = call.query()?;
    if listing.user.is_some() {
        return Err(QueryError::UserOfKeys.into());
    }
    Ok((with_uin(call, listing.account.clone()).await?, listing))
}

/// The account with this number, which only the owner may name; absent = the caller's own.
pub(super) async fn with_uin(call: &Call, uin: Option<String>) -> Result<Account, Error> {
    let Some(uin) = uin.filter(|uin| *uin != call.account.uin) else {
        return Ok(call.account.clone());
    };
    let engine = &call.gateway.engine;
    if !engine.is_owner(&call.account).await? {
        return Err(Error::NotOwner);
    }
    let accounts = engine.accounts().await?;
    accounts.into_iter().find(|account| account.uin == uin).ok_or(Error::Account(uin))
}
