//! Quota: what the account may still have prefetched today.

use http::StatusCode;
use stoker_domain::quota::{Product, Usage};

use super::{
    api,
    call::{Call, Reply},
    problem::Error,
};

pub(super) async fn show(call: Call) -> Result<Reply, Error> {
    let usage = call.gateway.engine.quota(call.account.id, Product::Cdn).await?;
    let prefetch = usage.iter().map(view).collect();
    Ok(Reply::json(StatusCode::OK, &api::Quota { prefetch }))
}

fn view(usage: &Usage) -> api::QuotaView {
    api::QuotaView {
        area: usage.counter.area,
        batch: usage.limits.batch,
        daily: usage.limits.daily,
        used: usage.used,
        available: usage.available(),
    }
}
