//! `GetFlushQuota`: shows what may still be submitted today (wire.md 1.9).

use serde_json::{Value, json};
use stoker_domain::{
    account::Account,
    area::Area,
    quota::{Product, Usage},
};

use super::{error::Error, submission::MOST_URLS};
use crate::Gateway;

pub(super) async fn call(gateway: &Gateway, account: &Account) -> Result<Value, Error> {
    let usage = gateway.engine.quota(account.id, Product::Cdn).await.map_err(Error::Ledger)?;
    let of = |area| {
        let usage = usage.iter().find(|usage| usage.counter.area == area);
        usage.map_or(Value::Null, entry)
    };
    // nothing can be purged through this API yet
    let none = json!({ "batch": 0, "total": 0, "available": 0 });
    Ok(json!({
        "app_id": account.app_id,
        "ov_url_flush": none,
        "ov_dir_flush": none,
        "ov_url_push": of(Area::Overseas),
        "url_push": of(Area::Mainland),
    }))
}

fn entry(usage: &Usage) -> Value {
    json!({
        "batch": usage.limits.batch.min(MOST_URLS),
        "total": usage.limits.daily,
        "available": usage.available(),
    })
}
