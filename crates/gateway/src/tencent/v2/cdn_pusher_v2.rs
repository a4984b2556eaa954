//! `CdnPusherV2`: submits URLs for the mainland, one task per domain.

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
    let accepted = gateway.engine.submit_by_domain(account, wish).await?;
    let date = number::date(accepted.accepted_at).replace('-', "");
    let tasks: Vec<Value> = accepted
        .receipts
        .iter()
        .map(|receipt| json!({ "task_id": number::of(&receipt.task), "date": date }))
        .collect();
    Ok(json!({ "task_ids": tasks }))
}
