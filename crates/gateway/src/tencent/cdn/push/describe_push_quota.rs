//! `DescribePushQuota`: shows what may still be submitted today.

use serde_json::Map;
use stoker_domain::quota::Product;

use super::Reply;
use crate::tencent::{cdn::quota, common::Call, params::Params};

pub(super) async fn call(Call { gateway, account, .. }: Call<'_>, params: Params) -> Reply {
    params.only(&[])?;
    let usage = gateway.engine.quota(account.id, Product::DomainPrefetch).await?;
    Ok(Map::from_iter([("UrlPush".into(), quota::entries(&usage))]))
}
