//! Purges of `cdn`: `PurgeUrlsCache`, `PurgePathCache` and what became of them.

mod describe;
mod error;

use serde_json::{Map, Value, json};
use stoker_domain::{
    account::Account,
    area::{AreaScope, UnknownWord},
    purge::{Method, Scope},
    quota::{Product, Usage},
};
use stoker_engine::PurgeSubmission;

pub(crate) use self::error::Error;
use super::word;
use crate::{
    Gateway,
    tencent::{error::Error as CallError, params::Params},
};

/// The fields of a reply.
type Reply = Result<Map<String, Value>, CallError>;

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

    /// Carries the action out for `account`.
    pub(crate) async fn call(self, gateway: &Gateway, account: &Account, params: Params) -> Reply {
        match self {
            Self::PurgeUrlsCache => purge(gateway, account, urls(params)?).await,
            Self::PurgePathCache => purge(gateway, account, paths(params)?).await,
            Self::DescribePurgeTasks => describe::call(gateway, account, params).await,
            Self::DescribePurgeQuota => quota(gateway, account, params).await,
        }
    }
}

fn urls(mut params: Params) -> Result<PurgeSubmission, CallError> {
    params.only(&["Urls", "Area", "UrlEncode"])?;
    let targets = params.texts("Urls")?.ok_or_else(|| params.missing("Urls"))?;
    submission(params, targets, Scope::Url, Method::Delete)
}

fn paths(mut params: Params) -> Result<PurgeSubmission, CallError> {
    params.only(&["Paths", "FlushType", "Area", "UrlEncode"])?;
    let targets = params.texts("Paths")?.ok_or_else(|| params.missing("Paths"))?;
    let method = match params.required_text("FlushType")?.as_str() {
        // "changed resources only": kept where the origin confirms it
        "flush" => Method::Invalidate,
        "delete" => Method::Delete,
        other => {
            let error = UnknownWord { given: other.into(), expected: "`flush`, `delete`" };
            return Err(Error::Parameter(super::Error::Word { name: "FlushType", error }).into());
        }
    };
    submission(params, targets, Scope::Path, method)
}

fn submission(
    mut params: Params,
    targets: Vec<String>,
    scope: Scope,
    method: Method,
) -> Result<PurgeSubmission, CallError> {
    let areas: Option<AreaScope> = word(&mut params, "Area")?;
    let encode = params.boolean("UrlEncode")?.unwrap_or_default();
    let product = product(scope);
    Ok(PurgeSubmission { targets, scope, method, areas, encode, product, batch_limit: 0 })
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

async fn purge(gateway: &Gateway, account: &Account, mut submission: PurgeSubmission) -> Reply {
    let scope = submission.scope;
    // without areas each target goes to those of its domain
    let areas = submission.areas.unwrap_or(AreaScope::Global);
    submission.batch_limit = gateway.engine.batch_limit(account.id, product(scope), areas).await?;
    let receipt = gateway.engine.purge(account, submission).await;
    let receipt = receipt.map_err(|error| Error::Purge { scope, error })?;
    Ok(Map::from_iter([("TaskId".into(), receipt.task.0.into())]))
}

async fn quota(gateway: &Gateway, account: &Account, params: Params) -> Reply {
    params.only(&[])?;
    let mut reply = Map::new();
    for (name, scope) in [("UrlPurge", Scope::Url), ("PathPurge", Scope::Path)] {
        let usage = gateway.engine.quota(account.id, product(scope)).await?;
        reply.insert(name.into(), usage.iter().map(entry).collect::<Vec<_>>().into());
    }
    Ok(reply)
}

fn entry(usage: &Usage) -> Value {
    json!({
        "Batch": usage.limits.batch,
        "Total": usage.limits.daily,
        "Available": usage.available(),
        "Area": usage.counter.area.as_str(),
    })
}
