//! `RefreshCdnUrl`, `RefreshCdnDir` and their overseas twins: purge URLs or directories.

use serde_json::{Value, json};
use stoker_domain::{
    area::AreaScope,
    purge::{Method, Scope},
    quota::Product,
};
use stoker_engine::{BatchLimit, PurgeSubmission, Receipt};

use super::error::Error;
use crate::tencent::{common::Call, params::Params};

/// Directories that one call may name; the newer API takes more.
pub(super) const MOST_DIRS: u32 = 20;

pub(super) async fn urls(
    call: Call<'_>,
    mut params: Params,
    areas: AreaScope,
) -> Result<Value, Error> {
    let receipt = purge(call, &mut params, (Scope::Url, "urls", areas)).await?;
    Ok(match areas {
        AreaScope::Overseas => json!({ "count": receipt.targets }),
        AreaScope::Mainland | AreaScope::Global => {
            json!({ "count": receipt.targets, "task_id": receipt.task })
        }
    })
}

pub(super) async fn dirs(
    call: Call<'_>,
    mut params: Params,
    areas: AreaScope,
) -> Result<Option<Value>, Error> {
    let receipt = purge(call, &mut params, (Scope::Path, "dirs", areas)).await?;
    Ok((areas == AreaScope::Overseas).then(|| json!({ "count": receipt.targets })))
}

/// Purges what the parameter `name` lists.
pub(super) async fn purge(
    Call { gateway, account, .. }: Call<'_>,
    params: &mut Params,
    (scope, name, areas): (Scope, &'static str, AreaScope),
) -> Result<Receipt, Error> {
    let targets = params.texts(name)?.ok_or(Error::missing(name))?;
    let (product, method, most) = match scope {
        Scope::Url => (Product::DomainPurgeUrl, Method::Delete, u32::MAX),
        Scope::Path | Scope::Tag => (Product::DomainPurgePath, method(params, name)?, MOST_DIRS),
    };
    let submission = PurgeSubmission {
        method,
        areas: Some(areas),
        encode: true,
        batch_limit: BatchLimit::OfAccountUpTo(most),
        ..PurgeSubmission::new(product, scope, targets)
    };
    let purged = gateway.engine.purge(account, submission).await;
    purged.map_err(|error| Error::Purge { scope, error })
}

/// `type` of a directory: 1 = what has changed, 2 = all. Where `type` is `dir`, all.
fn method(params: &mut Params, name: &str) -> Result<Method, Error> {
    if name == "urls" {
        return Ok(Method::Delete);
    }
    match params.integer("type")? {
        None | Some(1) => Ok(Method::Invalidate),
        Some(2) => Ok(Method::Delete),
        Some(_) => Err(Error::Value("type")),
    }
}
