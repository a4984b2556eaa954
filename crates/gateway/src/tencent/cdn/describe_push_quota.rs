//! `DescribePushQuota`: shows what may still be submitted today.

use serde_json::{Map, Value, json};
use stoker_domain::{
    account::Account,
    quota::{Product, Usage},
};

use crate::{
    Gateway,
    tencent::{error, params::Params},
};

pub(super) async fn call(
    gateway: &Gateway,
    account: &Account,
    params: Params,
) -> Result<Map<String, Value>, error::Error> {
    params.only(&[])?;
    let usage = gateway.engine.quota(account.id, Product::DomainPrefetch).await?;
    let entries: Vec<Value> = usage.iter().map(entry).collect();
    Ok(Map::from_iter([("UrlPush".into(), entries.into())]))
}

fn entry(usage: &Usage) -> Value {
    json!({
        "Batch": usage.limits.batch,
        "Total": usage.limits.daily,
        "Available": usage.available(),
        "Area": usage.counter.area.as_str(),
    })
}
