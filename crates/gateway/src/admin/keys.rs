//! Keys: add, list, show, switch, rotate, remove; and temporary ones. The rules are the engine's.
//!
//! The secret half and the token are in the answer that makes a key and nowhere else.

use std::time::Duration;

use http::StatusCode;
use stoker_domain::account::{AccessKey, Account, User, UserId};
use stoker_engine::{DEFAULT_LIFETIME, Issued};

use super::{
    api::identity as api,
    call::{Call, Reply},
    named_account,
    page::{Listing, aged},
    problem::Error,
    time::rfc3339,
};

pub(super) async fn add(call: Call) -> Result<Reply, Error> {
    let new: api::NewKey = call.json()?;
    let account = named_account::of_call(&call).await?;
    let user = user(&call, &account, new.user).await?;
    let key = call.gateway.engine.create_key(account.id, user.as_ref().map(|user| user.id)).await?;
    tracing::info!(account = account.uin, key = key.secret_id, "key added");
    Ok(Reply::json(StatusCode::CREATED, &made(&account, user.as_ref(), key)))
}

pub(super) async fn list(call: Call) -> Result<Reply, Error> {
    list_of(&call, false).await
}

pub(super) async fn list_temporary(call: Call) -> Result<Reply, Error> {
    list_of(&call, true).await
}

async fn list_of(call: &Call, is_temporary: bool) -> Result<Reply, Error> {
    let listing: Listing = call.query()?;
    let account = named_account::with_uin(call, listing.account.clone()).await?;
    let of_user = user(call, &account, listing.user.clone()).await?.map(|user| user.id);
    let engine = &call.gateway.engine;
    let users = engine.users(account.id).await?;
    let mut keys = match is_temporary {
        false => engine.keys(account.id).await?,
        true => engine.temporary_keys(account.id).await?,
    };
    if of_user.is_some() {
        keys.retain(|key| key.user == of_user);
    }
    // oldest first, or the soonest to end first
    let page = listing.page(keys, |key| {
        let end = key.temporary.as_ref().map(|temporary| temporary.expires_at);
        aged(end.unwrap_or(key.created_at), &key.secret_id)
    })?;
    let keys = page.rows.iter().map(|key| view(&users, key)).collect();
    Ok(Reply::json(StatusCode::OK, &api::Keys { keys, next: page.next }))
}

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let secret_id = call.segment().await?;
    let account = named_account::of_call(&call).await?;
    shown(&call, &account, &secret_id).await
}

pub(super) async fn change(mut call: Call) -> Result<Reply, Error> {
    let secret_id = call.segment().await?;
    let api::Switch { is_enabled } = call.json()?;
    let account = named_account::of_call(&call).await?;
    call.gateway.engine.enable_key(account.id, &secret_id, is_enabled).await?;
    tracing::info!(account = account.uin, key = secret_id, is_enabled, "key switched");
    shown(&call, &account, &secret_id).await
}

pub(super) async fn remove(mut call: Call) -> Result<Reply, Error> {
    let secret_id = call.segment().await?;
    let account = named_account::of_call(&call).await?;
    call.gateway.engine.remove_key(account.id, &secret_id).await?;
    tracing::info!(account = account.uin, key = secret_id, "key removed");
    Ok(Reply::empty())
}

pub(super) async fn rotate(mut call: Call) -> Result<Reply, Error> {
    let secret_id = call.segment().await?;
    let api::Rotation { keep_old } = call.json()?;
    let account = named_account::of_call(&call).await?;
    let key = call.gateway.engine.rotate_key(account.id, &secret_id, !keep_old).await?;
    tracing::info!(account = account.uin, old = secret_id, new = key.secret_id, "key rotated");
    let users = call.gateway.engine.users(account.id).await?;
    let user = named(&users, key.user);
    Ok(Reply::json(StatusCode::CREATED, &made(&account, user, key)))
}

pub(super) async fn issue(call: Call) -> Result<Reply, Error> {
    let new: api::NewTemporaryKey = call.json()?;
    let account = named_account::of_call(&call).await?;
    let user = user(&call, &account, new.user).await?;
    let id = user.as_ref().map(|user| user.id);
    let lifetime = new.duration_seconds.map_or(DEFAULT_LIFETIME, Duration::from_secs);
    let engine = &call.gateway.engine;
    let issued = engine.issue_key(account.id, id, lifetime, new.policy).await?;
    let Issued { key, token, expires_at } = issued;
    tracing::info!(account = account.uin, key = key.secret_id, "temporary key added");
    let made = api::KeyMade {
        token: Some(token),
        expires_at: Some(rfc3339(expires_at)),
        ..made(&account, user.as_ref(), key)
    };
    Ok(Reply::json(StatusCode::CREATED, &made))
}

async fn user(call: &Call, account: &Account, name: Option<String>) -> Result<Option<User>, Error> {
    match name {
        Some(name) => Ok(Some(call.gateway.engine.user(account.id, &name).await?)),
        None => Ok(None),
    }
}

async fn shown(call: &Call, account: &Account, secret_id: &str) -> Result<Reply, Error> {
    let key = call.gateway.engine.key(account.id, secret_id).await?;
    let users = call.gateway.engine.users(account.id).await?;
    Ok(Reply::json(StatusCode::OK, &view(&users, &key)))
}

fn named(users: &[User], id: Option<UserId>) -> Option<&User> {
    users.iter().find(|user| Some(user.id) == id)
}

fn made(account: &Account, user: Option<&User>, key: AccessKey) -> api::KeyMade {
    api::KeyMade {
        uin: user.map_or(&account.uin, |user| &user.uin).clone(),
        user: user.map(|user| user.name.clone()),
        secret_id: key.secret_id,
        secret_key: key.secret_key,
        token: None,
        expires_at: None,
    }
}

fn view(users: &[User], key: &AccessKey) -> api::KeyView {
    api::KeyView {
        secret_id: key.secret_id.clone(),
        user: named(users, key.user).map(|user| user.name.clone()),
        is_enabled: key.is_enabled,
        created_at: rfc3339(key.created_at),
        last_used_at: key.last_used_at.map(rfc3339),
        expires_at: key.temporary.as_ref().map(|temporary| rfc3339(temporary.expires_at)),
    }
}
