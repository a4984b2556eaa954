//! `CdnUrlPusher`: submits URLs for the mainland as one task.

use serde_json::{Value, json};
use stoker_domain::{account::Account, area::AreaScope};

use super::{error::Error, number, submission};
use crate::{Gateway, tencent::params::Params};

pub(super) async fn call(
    gateway: &Gateway,
    account: &Account,
    mut params: Params,
) -> Result<Value, Error> {
    let mut wish = submission::read(gateway, account, &mut params, AreaScope::Mainland).await?;
    wish.options.limit_mbps = submission::limit_rate(&mut params)?;
    let receipt = gateway.engine.submit(account, wish).await?;
    Ok(json!({ "task_id": number::of(&receipt.task).to_string(), "count": receipt.targets }))
}
