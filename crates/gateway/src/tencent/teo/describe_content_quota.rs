//! `DescribeContentQuota`: what may still be submitted today.
//!
//! No type is published for the allotment of edge prefetches, so it is not shown.

use serde_json::{Map, Value, json};
use stoker_domain::{account::Account, quota::Product};

use super::{
    error::{Error, Reply},
    filters,
    purge_kind::KINDS,
};
use crate::{
    Gateway,
    tencent::{common::Call, params::Params},
};

/// All zones of the account.
const ANY: &str = "*";

pub(super) async fn call(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["ZoneId"])?;
    let zone = params.required_text("ZoneId")?;
    // what is left is the account's, whichever zone it is spent in
    if zone != ANY && filters::find_zone(gateway, account, &zone).is_none() {
        return Err(Error::ZoneForeign(zone));
    }
    let mut purges = Vec::new();
    for (_, kind) in KINDS {
        purges.extend(quota(gateway, account, kind.product(), kind.name()).await?);
    }
    let prefetch = quota(gateway, account, Product::ZonePrefetch, "prefetch_url").await?;
    Ok(Map::from_iter([
        ("PurgeQuota".into(), purges.into()),
        ("PrefetchQuota".into(), Vec::from_iter(prefetch).into()),
    ]))
}

async fn quota(
    gateway: &Gateway,
    account: &Account,
    product: Product,
    kind: &'static str,
) -> Result<Option<Value>, Error> {
    let usage = gateway.engine.quota(account.id, product).await.map_err(Error::Ledger)?;
    // counted once, wherever it goes: the first entry holds it
    Ok(usage.first().map(|usage| {
        json!({
            "Batch": usage.limits.batch,
            "Daily": usage.limits.daily,
            "DailyAvailable": usage.available(),
            "Type": kind,
        })
    }))
}
