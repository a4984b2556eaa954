//! The actions that submit URLs: `CdnPusherV2`, `CdnUrlPusher`, `CdnOverseaPushser` (spelt as published)
//! and `FlushOrPushOverall`, which purges too.

use serde_json::{Value, json};
use stoker_domain::{area::AreaScope, purge::Scope, quota::Product, task::FetchOptions};
use stoker_engine::{BatchLimit, Receipt, Submission};

use super::{error::Error, number, refresh};
use crate::tencent::{
    common::{Call, clock},
    params::{self, Params},
};

/// URLs in one call, unless the account may have fewer.
pub(super) const MOST_URLS: u32 = 20;

/// `User-Agent` of the origin request.
const USER_AGENT: &str = "TencentCdn";

/// `CdnPusherV2`: URLs for the mainland, one task for each domain.
pub(super) async fn mainland_by_domain(
    Call { gateway, account, .. }: Call<'_>,
    mut params: Params,
) -> Result<Value, Error> {
    let mut submission = read(&mut params, AreaScope::Mainland)?;
    submission.options.limit_mbps = limit_rate(&mut params)?;
    let accepted = gateway.engine.submit_by_domain(account, submission).await?;
    let date = number::date(accepted.accepted_at).replace('-', "");
    let task = |receipt: &Receipt| json!({ "task_id": number::of(&receipt.task), "date": date });
    Ok(json!({ "task_ids": accepted.receipts.iter().map(task).collect::<Vec<_>>() }))
}

/// `CdnUrlPusher`: URLs for the mainland, as one task.
pub(super) async fn mainland(
    Call { gateway, account, .. }: Call<'_>,
    mut params: Params,
) -> Result<Value, Error> {
    let mut submission = read(&mut params, AreaScope::Mainland)?;
    submission.options.limit_mbps = limit_rate(&mut params)?;
    let receipt = gateway.engine.submit(account, submission).await?;
    Ok(json!({ "task_id": number::of(&receipt.task).to_string(), "count": receipt.targets }))
}

/// `CdnOverseaPushser`: URLs for overseas, one task for each domain.
pub(super) async fn overseas_by_domain(
    Call { gateway, account, .. }: Call<'_>,
    mut params: Params,
) -> Result<Value, Error> {
    without_limit_rate(&params)?;
    let submission = read(&mut params, AreaScope::Overseas)?;
    let accepted = gateway.engine.submit_by_domain(account, submission).await?;
    let task = |receipt: &Receipt| {
        json!({
            "task_id": number::overseas(&receipt.task, accepted.accepted_at),
            "date": clock::format(accepted.accepted_at),
        })
    };
    Ok(accepted.receipts.iter().map(task).collect())
}

/// `FlushOrPushOverall`: URLs for the mainland, overseas or both; or URLs or directories to purge there.
pub(super) async fn overall(call: Call<'_>, mut params: Params) -> Result<(), Error> {
    let command = params.text("command")?.ok_or(Error::missing("command"))?;
    let kind = params.text("type")?.ok_or(Error::missing("type"))?;
    let areas = match (flag(&mut params, "mainland")?, flag(&mut params, "oversea")?) {
        (true, true) => AreaScope::Global,
        (true, false) => AreaScope::Mainland,
        (false, true) => AreaScope::Overseas,
        (false, false) => return Err(Error::Value("mainland")),
    };
    match (command.as_str(), kind.as_str()) {
        ("push", "url") => without_limit_rate(&params)?,
        ("flush", "url" | "dir") => {
            let scope = if kind == "dir" { Scope::Path } else { Scope::Url };
            refresh::purge(call, &mut params, (scope, "urls", areas)).await?;
            return Ok(());
        }
        ("push" | "flush", _) => return Err(Error::Value("type")),
        _ => return Err(Error::Value("command")),
    }
    let Call { gateway, account, .. } = call;
    let submission = read(&mut params, areas)?;
    gateway.engine.submit_by_domain(account, submission).await?;
    Ok(())
}

fn flag(params: &mut Params, name: &'static str) -> Result<bool, Error> {
    match params.integer(name)? {
        None | Some(0) => Ok(false),
        Some(1) => Ok(true),
        Some(_) => Err(Error::Value(name)),
    }
}

/// What `params` ask to be prefetched to `areas`.
fn read(params: &mut Params, areas: AreaScope) -> Result<Submission, Error> {
    let urls = params.texts("urls")?.ok_or(Error::missing("urls"))?;
    let default_user_agent = Some(USER_AGENT.into());
    let options = FetchOptions { default_user_agent, ..FetchOptions::default() };
    Ok(Submission {
        areas: Some(areas),
        options,
        encode: true,
        batch_limit: BatchLimit::OfAccountUpTo(MOST_URLS),
        ..Submission::new(Product::DomainPrefetch, urls)
    })
}

/// Refuses `limitRate` where an action does not have it: a caller must not believe in a limit
/// that is not applied.
fn without_limit_rate(params: &Params) -> Result<(), Error> {
    if params.has("limitRate") {
        return Err(params::Error::Unknown("limitRate".into()).into());
    }
    Ok(())
}

/// `limitRate`: megabits per second, at least 1.
fn limit_rate(params: &mut Params) -> Result<Option<u32>, Error> {
    let given = params.integer("limitRate")?;
    let positive = |rate: i64| u32::try_from(rate).ok().filter(|rate| *rate > 0);
    given.map(|rate| positive(rate).ok_or(Error::Value("limitRate"))).transpose()
}
