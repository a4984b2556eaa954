//! `FlushOrPushOverall`: submits URLs for the mainland, overseas or both, or
//! purges URLs or directories there.

use stoker_domain::{account::Account, area::AreaScope, purge::Scope};

use super::{error::Error, refresh, submission};
use crate::{Gateway, tencent::params::Params};

pub(super) async fn call(
    gateway: &Gateway,
    account: &Account,
    mut params: Params,
) -> Result<(), Error> {
    let command = params.text("command")?.ok_or(Error::missing("command"))?;
    let kind = params.text("type")?.ok_or(Error::missing("type"))?;
    let areas = match (flag(&mut params, "mainland")?, flag(&mut params, "oversea")?) {
        (true, true) => AreaScope::Global,
        (true, false) => AreaScope::Mainland,
        (false, true) => AreaScope::Overseas,
        (false, false) => return Err(Error::Value("mainland")),
    };
    match (command.as_str(), kind.as_str()) {
        ("push", "url") => submission::without_limit_rate(&params)?,
        ("flush", "url" | "dir") => {
            let scope = if kind == "dir" { Scope::Path } else { Scope::Url };
            refresh::purge(gateway, account, &mut params, (scope, "urls", areas)).await?;
            return Ok(());
        }
        ("push" | "flush", _) => return Err(Error::Value("type")),
        _ => return Err(Error::Value("command")),
    }
    let wish = submission::read(gateway, account, &mut params, areas).await?;
    gateway.engine.submit_by_domain(account, wish).await?;
    Ok(())
}

fn flag(params: &mut Params, name: &'static str) -> Result<bool, Error> {
    match params.integer(name)? {
        None | Some(0) => Ok(false),
        Some(1) => Ok(true),
        Some(_) => Err(Error::Value(name)),
    }
}
