//! `DescribePurgeTasks`: shows how far purges are.

use serde_json::{Map, Value, json};
use stoker_domain::purge::{Method, Scope};
use stoker_domain::view::{PurgeFilter, PurgeRow, PurgeState};

use super::{Error, Reply, SHOWN};
use crate::tencent::{
    cdn::query::Query,
    common::{Call, clock, refusal::word},
    params::Params,
};

const PARAMETERS: &[&str] = &[
    "PurgeType",
    "StartTime",
    "EndTime",
    "TaskId",
    "Offset",
    "Limit",
    "Keyword",
    "Status",
    "Area",
];
const SCOPES: &[(&str, Scope)] = &[("url", Scope::Url), ("path", Scope::Path)];
const STATES: &[(&str, PurgeState)] = &[
    ("fail", PurgeState::Overdue),
    ("done", PurgeState::Done),
    ("process", PurgeState::Processing),
];

pub(super) async fn call(Call { gateway, account, scope, .. }: Call<'_>, params: Params) -> Reply {
    let mut filter = PurgeFilter { account: Some(account.id), ..read(params)? };
    let wanted = filter.hosts.map(|hosts| gateway.engine.names_of(account.id, hosts));
    filter.hosts = scope.narrow(wanted);
    let page = gateway.engine.purges(&filter).await?;
    let logs: Vec<Value> = page.rows.iter().map(log).collect();
    let total = page.total;
    Ok(Map::from_iter([("PurgeLogs".into(), logs.into()), ("TotalCount".into(), total.into())]))
}

fn read(mut params: Params) -> Result<PurgeFilter, Error> {
    params.only(PARAMETERS)?;
    let scope = word(&mut params, "PurgeType", SCOPES, "`url`, `path`")?;
    let state = word(&mut params, "Status", STATES, "`fail`, `done`, `process`")?;
    let Query { from, to, task, area, url, host, offset, limit } =
        Query::read::<Error>(&mut params)?;
    Ok(PurgeFilter {
        from,
        to,
        id: task,
        scope,
        products: Some(SHOWN.into()),
        area,
        urls: url.map(|url| vec![url]),
        hosts: host.map(|host| vec![host]),
        states: state.map(|state| vec![state]),
        offset,
        limit,
        ..PurgeFilter::default()
    })
}

fn log(row: &PurgeRow) -> Value {
    json!({
        "TaskId": row.id,
        "Url": row.url,
        "Status": match row.state {
            PurgeState::Processing => "process",
            PurgeState::Overdue => "fail",
            PurgeState::Done => "done",
        },
        "PurgeType": row.scope.as_str(),
        "FlushType": match row.method {
            Method::Delete => "delete",
            Method::Invalidate => "flush",
        },
        "CreateTime": clock::format(row.created_at),
    })
}
