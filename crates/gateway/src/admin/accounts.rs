//! Accounts: add, list, show, change.
//!
//! All but the caller's own is for the owner of the installation alone.

use http::StatusCode;
use stoker_domain::account::{Account, Feature, Service};
use stoker_engine::IdentityError;

use super::{
    api::identity as api,
    call::{Call, Reply},
    invalid::{ContentError, QueryError},
    named_account,
    page::Listing,
    problem::Error,
    time::rfc3339,
};

pub(super) async fn add(call: Call) -> Result<Reply, Error> {
    let new: api::NewAccount = call.json()?;
    let engine = &call.gateway.engine;
    if !engine.is_owner(&call.account).await? {
        return Err(Error::NotOwner);
    }
    let account = engine.add_account(&new.name).await?;
    let key = engine.create_key(account.id, None).await?;
    tracing::info!(account = account.uin, "account added");
    let (secret_id, secret_key) = (key.secret_id, key.secret_key);
    let made = api::AccountMade { account: view(&account), secret_id, secret_key };
    Ok(Reply::json(StatusCode::CREATED, &made))
}

pub(super) async fn list(call: Call) -> Result<Reply, Error> {
    if !call.gateway.engine.is_owner(&call.account).await? {
        return Err(Error::NotOwner);
    }
    let listing: Listing = call.query()?;
    if listing.account.is_some() || listing.user.is_some() {
        return Err(QueryError::AllAccounts.into());
    }
    let accounts = call.gateway.engine.accounts().await?;
    // oldest first
    let page = listing.page(accounts, |account| format!("{:019}", account.id.0))?;
    let accounts = page.rows.iter().map(view).collect();
    Ok(Reply::json(StatusCode::OK, &api::Accounts { accounts, next: page.next }))
}

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let uin = call.segment().await?;
    let account = named_account::with_uin(&call, Some(uin)).await?;
    Ok(Reply::json(StatusCode::OK, &view(&account)))
}

pub(super) async fn change(mut call: Call) -> Result<Reply, Error> {
    let uin = call.segment().await?;
    let change: api::AccountChange = call.json()?;
    let engine = &call.gateway.engine;
    if !engine.is_owner(&call.account).await? {
        return Err(Error::NotOwner);
    }
    if change == api::AccountChange::default() {
        let fields = "`name`, `is_enabled`, `service`, `features` or `is_verification_waived`";
        return Err(ContentError::Nothing(fields).into());
    }
    let mut account = named_account::with_uin(&call, Some(uin)).await?;
    // looked at first, so that nothing was changed when this is refused
    let ends =
        change.is_enabled == Some(false) || change.service.is_some_and(|it| it != Service::Active);
    if ends && account.id == call.account.id {
        return Err(IdentityError::Owner { uin: account.uin }.into());
    }
    if let Some(name) = change.name {
        account = engine.rename_account(&account.uin, &name).await?;
        tracing::info!(account = account.uin, "account renamed");
    }
    if let Some(is_enabled) = change.is_enabled {
        account = engine.enable_account(&account.uin, is_enabled).await?;
        tracing::info!(account = account.uin, is_enabled, "account switched");
    }
    if let Some(service) = change.service {
        account = engine.set_service(&account.uin, service).await?;
        tracing::info!(
            account = account.uin,
            service = service.as_str(),
            "account service changed"
        );
    }
    for (feature, is_open) in change.features {
        account = engine.open_feature(&account.uin, feature, is_open).await?;
        tracing::info!(account = account.uin, %feature, is_open, "feature opened or closed");
    }
    if let Some(is_waived) = change.is_verification_waived {
        account = engine.waive_verification(&account.uin, is_waived).await?;
        tracing::info!(account = account.uin, is_waived, "verification waived or required");
    }
    Ok(Reply::json(StatusCode::OK, &view(&account)))
}

fn view(account: &Account) -> api::AccountView {
    api::AccountView {
        uin: account.uin.clone(),
        app_id: account.app_id,
        name: account.name.clone(),
        is_enabled: account.is_enabled,
        service: account.service,
        features: Feature::ALL.map(|it| (it, !account.closed.contains(&it))).into(),
        is_verification_waived: account.is_verification_waived,
        created_at: rfc3339(account.created_at),
    }
}
