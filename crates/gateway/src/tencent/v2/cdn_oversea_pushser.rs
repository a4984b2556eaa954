//! `CdnOverseaPushser`, spelt as published: submits URLs for overseas, one task per domain.

use serde_json::{Value, json};
use stoker_domain::{account::Account, area::AreaScope};

use super::{error::Error, number, submission};
use crate::{
    Gateway,
    tencent::{clock, params::Params},
};

pub(super) async fn call(
    gateway: &Gateway,
    account: &Account,
    mut params: Params,
) -> Result<Value, Error> {
    submission::without_limit_rate(&params)?;
    let wish = submission::read(gateway, account, &mut params, AreaScope::Overseas).await?;
    let accepted = gateway.engine.submit_by_domain(account, wish).await?;
    let task = |receipt: &stoker_engine::Receipt| {
        json!({
            "task_id": number::overseas(&receipt.task, accepted.accepted_at),
            "date": clock::format(accepted.accepted_at),
        })
    };
    Ok(accepted.receipts.iter().map(task).collect())
}
