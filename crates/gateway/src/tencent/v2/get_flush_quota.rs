//! `GetFlushQuota`: shows what may still be submitted today.

use serde_json::{Value, json};
use stoker_domain::{
    area::Area,
    quota::{Product, Usage},
};

use super::{error::Error, push::MOST_URLS, refresh::MOST_DIRS};
use crate::tencent::common::Call;

pub(super) async fn call(Call { gateway, account, .. }: Call<'_>) -> Result<Value, Error> {
    let read = async |product| gateway.engine.quota(account.id, product).await;
    let push = read(Product::DomainPrefetch).await.map_err(Error::Ledger)?;
    let urls = read(Product::DomainPurgeUrl).await.map_err(Error::Ledger)?;
    let dirs = read(Product::DomainPurgePath).await.map_err(Error::Ledger)?;
    Ok(json!({
        "app_id": account.app_id,
        "ov_url_flush": entry(&urls, Area::Overseas, u32::MAX),
        "ov_dir_flush": entry(&dirs, Area::Overseas, MOST_DIRS),
        "ov_url_push": entry(&push, Area::Overseas, MOST_URLS),
        "url_push": entry(&push, Area::Mainland, MOST_URLS),
    }))
}

fn entry(usages: &[Usage], area: Area, most: u32) -> Value {
    let Some(usage) = usages.iter().find(|usage| usage.counter.area == area) else {
        return Value::Null;
    };
    json!({
        "batch": usage.limits.batch.min(most),
        "total": usage.limits.daily,
        "available": usage.available(),
    })
}
