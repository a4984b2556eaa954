//! Purges of `cdn`: `PurgeUrlsCache`, `PurgePathCache` and what became of them.

mod codes;
mod describe;

use serde_json::Map;
use stoker_domain::{
    area::AreaScope,
    purge::{Method, Scope},
    quota::Product,
};
use stoker_engine::PurgeSubmission;

pub(crate) use self::codes::RefusedPurge;
use super::{error, quota::entries};
use crate::tencent::{
    common::{
        Call,
        refusal::{Refusal, parsed},
    },
    params::Params,
};

/// Why an action was refused.
pub(crate) type Error = error::Error<RefusedPurge>;

type Reply = error::Reply<RefusedPurge>;

/// The actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Purges URLs.
    PurgeUrlsCache,
    /// Purges directories.
    PurgePathCache,
    /// Shows how far purges are.
    DescribePurgeTasks,
    /// Shows what may still be purged today.
    DescribePurgeQuota,
}

impl Action {
    pub(crate) const ALL: [Self; 4] = [
        Self::PurgeUrlsCache,
        Self::PurgePathCache,
        Self::DescribePurgeTasks,
        Self::DescribePurgeQuota,
    ];

    /// The action with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Its name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::PurgeUrlsCache => "PurgeUrlsCache",
            Self::PurgePathCache => "PurgePathCache",
            Self::DescribePurgeTasks => "DescribePurgeTasks",
            Self::DescribePurgeQuota => "DescribePurgeQuota",
        }
    }

    /// Carries the action out.
    pub(crate) async fn call(self, call: Call<'_>, params: Params) -> Reply {
        match self {
            Self::PurgeUrlsCache => purge(call, urls(params)?).await,
            Self::PurgePathCache => purge(call, paths(params)?).await,
            Self::DescribePurgeTasks => describe::call(call, params).await,
            Self::DescribePurgeQuota => quota(call, params).await,
        }
    }
}

fn urls(mut params: Params) -> Result<PurgeSubmission, Error> {
    params.only(&["Urls", "Area", "UrlEncode"])?;
    let targets = params.texts("Urls")?.ok_or_else(|| params.missing("Urls"))?;
    submission(params, targets, Scope::Url, Method::Delete)
}

fn paths(mut params: Params) -> Result<PurgeSubmission, Error> {
    params.only(&["Paths", "FlushType", "Area", "UrlEncode"])?;
    let targets = params.texts("Paths")?.ok_or_else(|| params.missing("Paths"))?;
    let method = match params.required_text("FlushType")?.as_str() {
        // "changed resources only": kept where the origin confirms it
        "flush" => Method::Invalidate,
        "delete" => Method::Delete,
        other => return Err(Refusal::word("FlushType", other, "`flush`, `delete`").into()),
    };
    submission(params, targets, Scope::Path, method)
}

fn submission(
    mut params: Params,
    targets: Vec<String>,
    scope: Scope,
    method: Method,
) -> Result<PurgeSubmission, Error> {
    let areas: Option<AreaScope> = parsed(&mut params, "Area")?;
    let encode = params.boolean("UrlEncode")?.unwrap_or_default();
    let purge = PurgeSubmission::new(product(scope), scope, targets);
    Ok(PurgeSubmission { method, areas, encode, ..purge })
}

/// The kinds of purges that these APIs have words for.
pub(crate) const SHOWN: [Product; 6] = [
    Product::DomainPurgeUrl,
    Product::DomainPurgePath,
    Product::ZonePurgeUrl,
    Product::ZonePurgePrefix,
    Product::ZonePurgeHost,
    Product::ZonePurgeAll,
];

const fn product(scope: Scope) -> Product {
    match scope {
        Scope::Url => Product::DomainPurgeUrl,
        Scope::Path | Scope::Tag => Product::DomainPurgePath,
    }
}

async fn purge(Call { gateway, account, .. }: Call<'_>, submission: PurgeSubmission) -> Reply {
    let scope = submission.scope;
    let receipt = gateway.engine.purge(account, submission).await;
    let receipt = receipt.map_err(|error| Error::Engine(RefusedPurge { scope, error }))?;
    Ok(Map::from_iter([("TaskId".into(), receipt.task.0.into())]))
}

async fn quota(Call { gateway, account, .. }: Call<'_>, params: Params) -> Reply {
    params.only(&[])?;
    let mut reply = Map::new();
    for (name, scope) in [("UrlPurge", Scope::Url), ("PathPurge", Scope::Path)] {
        let usage = gateway.engine.quota(account.id, product(scope)).await?;
        reply.insert(name.into(), entries(&usage));
    }
    Ok(reply)
}
