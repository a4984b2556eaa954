//! What the actions that submit have in common: `urls.n`, the limits of a call, the defaults.

use stoker_domain::{account::Account, area::AreaScope, quota::Product, task::FetchOptions};
use stoker_engine::Submission;

use super::error::Error;
use crate::{
    Gateway,
    tencent::params::{self, Params},
};

/// URLs in one call, unless the account may have fewer.
pub(super) const MOST_URLS: u32 = 20;

/// `User-Agent` of the origin request.
const USER_AGENT: &str = "TencentCdn";

/// What `params` ask to be prefetched to `areas`.
pub(super) async fn read(
    gateway: &Gateway,
    account: &Account,
    params: &mut Params,
    areas: AreaScope,
) -> Result<Submission, Error> {
    let urls = params.texts("urls")?.ok_or(Error::missing("urls"))?;
    let batch_limit = gateway.engine.batch_limit(account.id, Product::DomainPrefetch, areas).await;
    let batch_limit = batch_limit.map_err(Error::Ledger)?.min(MOST_URLS);
    let default_user_agent = Some(USER_AGENT.into());
    let options = FetchOptions { default_user_agent, ..FetchOptions::default() };
    Ok(Submission {
        urls,
        areas,
        tier: None,
        options,
        encode: true,
        product: Product::DomainPrefetch,
        batch_limit,
    })
}

/// Refuses `limitRate` where an action does not have it: a limit that nobody keeps is not to be
/// taken for one that is kept.
pub(super) fn without_limit_rate(params: &Params) -> Result<(), Error> {
    match params.peek("limitRate", Some) {
        Some(_) => Err(params::Error::Unknown("limitRate".into()).into()),
        None => Ok(()),
    }
}

/// `limitRate`: megabits per second, at least 1.
pub(super) fn limit_rate(params: &mut Params) -> Result<Option<u32>, Error> {
    let given = params.integer("limitRate")?;
    let positive = |rate: i64| u32::try_from(rate).ok().filter(|rate| *rate > 0);
    given.map(|rate| positive(rate).ok_or(Error::Value("limitRate"))).transpose()
}
