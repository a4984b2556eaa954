//! Quota: what an account may still have prefetched and purged today, and its limits.
//!
//! Limits are set by the owner of the installation alone, who may name any account.

use http::StatusCode;
use stoker_domain::{
    account::Account,
    area::AreaScope,
    quota::{Product, Usage},
};

use super::{
    api,
    call::{Call, Reply},
    invalid::ContentError,
    named_account,
    problem::Error,
    time::rfc3339,
};

pub(super) async fn show(call: Call) -> Result<Reply, Error> {
    let api::QuotaQuery { account } = call.query()?;
    let account = named_account::with_uin(&call, account).await?;
    Ok(Reply::json(StatusCode::OK, &view(&call, &account).await?))
}

pub(super) async fn change(call: Call) -> Result<Reply, Error> {
    let change: api::QuotaChange = call.json()?;
    if !call.gateway.engine.is_owner(&call.account).await? {
        return Err(Error::NotOwner);
    }
    let account = named_account::with_uin(&call, change.account).await?;
    let product = change.product;
    if let Some(area) = change.area
        && !product.counted(AreaScope::Global).contains(&area)
    {
        return Err(ContentError::CountedTogether(product.as_str()).into());
    }
    if change.batch.is_none() && change.daily.is_none() {
        return Err(ContentError::Nothing("`batch`, `daily` or both").into());
    }
    let limits = (change.batch, change.daily);
    call.gateway.engine.change_limits(account.id, product, change.area, limits).await?;
    tracing::info!(
        account = account.uin,
        product = product.as_str(),
        area = change.area.map(|area| area.as_str()),
        batch = change.batch,
        daily = change.daily,
        "limits set"
    );
    Ok(Reply::json(StatusCode::OK, &view(&call, &account).await?))
}

pub(super) async fn change_day(call: Call) -> Result<Reply, Error> {
    let api::QuotaDay { begins_at } = call.json()?;
    if !call.gateway.engine.is_owner(&call.account).await? {
        return Err(Error::NotOwner);
    }
    call.gateway.engine.set_quota_reset(begins_at).await?;
    Ok(Reply::json(StatusCode::OK, &view(&call, &call.account).await?))
}

async fn view(call: &Call, account: &Account) -> Result<api::Quota, Error> {
    let mut products = Vec::new();
    for product in Product::ALL {
        let usages = call.gateway.engine.quota(account.id, product).await?;
        let counted = product.counted(AreaScope::Global);
        let is_counted = |usage: &&Usage| counted.contains(&usage.counter.area);
        products.extend(usages.iter().filter(is_counted).map(entry));
    }
    let is_prefetch = |entry: &&api::QuotaView| entry.product == Product::DomainPrefetch;
    Ok(api::Quota {
        account: account.uin.clone(),
        resets_at: rfc3339(call.gateway.engine.quota_resets_at()),
        prefetch: products.iter().filter(is_prefetch).cloned().collect(),
        products,
    })
}

fn entry(usage: &Usage) -> api::QuotaView {
    api::QuotaView {
        product: usage.counter.product,
        area: usage.counter.area,
        batch: usage.limits.batch,
        daily: usage.limits.daily,
        used: usage.used,
        available: usage.available(),
    }
}
