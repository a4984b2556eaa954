//! `DescribeContentQuota`: what may still be submitted today (wire.md 4.4).
//!
//! No type is published for the allotment of edge prefetches, so it is not shown.

use serde_json::{Map, Value, json};
use stoker_domain::{account::Account, quota::Product};

use super::{Error, Reply, filters};
use crate::{Gateway, tencent::params::Params};

pub(super) async fn call(gateway: &Gateway, account: &Account, mut params: Params) -> Reply {
    params.only(&["ZoneId"])?;
    filters::zone(gateway, account, &mut params)?;
    let usage = gateway.engine.quota(account.id, Product::Teo).await.map_err(Error::Ledger)?;
    // counted once, wherever it goes: the first entry holds it
    let prefetch: Vec<Value> = usage
        .iter()
        .take(1)
        .map(|usage| {
            json!({
                "Batch": usage.limits.batch,
                "Daily": usage.limits.daily,
                "DailyAvailable": usage.available(),
                "Type": "prefetch_url",
            })
        })
        .collect();
    Ok(Map::from_iter([
        ("PurgeQuota".into(), Value::Null),
        ("PrefetchQuota".into(), prefetch.into()),
    ]))
}
