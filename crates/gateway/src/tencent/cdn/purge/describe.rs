//! `DescribePurgeTasks`: shows how far purges are.

use std::time::Duration;

use serde_json::{Map, Value, json};
use stoker_domain::{
    account::Account,
    area::{Area, AreaScope, UnknownWord},
    host::is_domain_name,
    purge::{Method, Scope},
    target::Target,
    task::TaskId,
    time::Timestamp,
    view::{PurgeFilter, PurgeRow, PurgeState},
};

use super::{Error, Reply, SHOWN};
use crate::{
    Gateway,
    tencent::{
        cdn, clock,
        error::Error as CallError,
        params::{OutOfBounds, Params},
    },
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
const DEFAULT_LIMIT: i64 = 20;
const MOST: i64 = 1000;
const FURTHEST: i64 = 1_000_000_000;

pub(super) async fn call(gateway: &Gateway, account: &Account, mut params: Params) -> Reply {
    let mut filter = PurgeFilter { account: Some(account.id), ..read(&mut params)? };
    let wanted = filter.hosts.map(|hosts| gateway.engine.names_of(account.id, hosts));
    filter.hosts = params.visible_of(wanted);
    let page = gateway.engine.purges(&filter).await?;
    let logs: Vec<Value> = page.rows.iter().map(log).collect();
    let total = page.total;
    Ok(Map::from_iter([("PurgeLogs".into(), logs.into()), ("TotalCount".into(), total.into())]))
}

fn read(params: &mut Params) -> Result<PurgeFilter, CallError> {
    params.only(PARAMETERS)?;
    let area: Option<AreaScope> = word(params, "Area")?;
    let mut filter = PurgeFilter {
        from: time(params, "StartTime")?,
        // times have whole seconds, and the last one belongs to the range
        to: time(params, "EndTime")?.map(|time| time + Duration::from_millis(999)),
        id: params.text("TaskId")?.filter(|id| !id.is_empty()).map(TaskId),
        scope: one_of(params, "PurgeType", "`url`, `path`", |word| match word {
            "url" => Some(Scope::Url),
            "path" => Some(Scope::Path),
            _ => None,
        })?,
        products: Some(SHOWN.into()),
        // `global` finds the purges that reach both areas and those that reach one
        area: match area {
            None | Some(AreaScope::Global) => None,
            Some(AreaScope::Mainland) => Some(Area::Mainland),
            Some(AreaScope::Overseas) => Some(Area::Overseas),
        },
        offset: params.bounded("Offset", 0, 0..=FURTHEST)?.map_err(out_of_bounds)?,
        limit: params.bounded("Limit", DEFAULT_LIMIT, 1..=MOST)?.map_err(out_of_bounds)?,
        ..PurgeFilter::default()
    };
    let status = one_of(params, "Status", "`fail`, `done`, `process`", |word| match word {
        "done" => Some(PurgeState::Done),
        "process" => Some(PurgeState::Processing),
        "fail" => Some(PurgeState::Overdue),
        _ => None,
    })?;
    filter.states = status.map(|state| vec![state]);
    if let Some(keyword) = params.text("Keyword")?.filter(|keyword| !keyword.is_empty()) {
        if keyword.contains("://") {
            let target = Target::parse(&keyword, true).map_err(|_| refused(cdn::Error::Keyword))?;
            filter.urls = Some(vec![target.url]);
        } else {
            let host = Some(keyword.to_ascii_lowercase()).filter(|host| is_domain_name(host));
            filter.hosts = Some(vec![host.ok_or_else(|| refused(cdn::Error::Keyword))?]);
        }
    }
    if filter.id.is_none() && filter.from.is_none() {
        return Err(refused(cdn::Error::NoSelection));
    }
    if filter.from.zip(filter.to).is_some_and(|(from, to)| to < from) {
        return Err(refused(cdn::Error::DateOrder));
    }
    Ok(filter)
}

fn refused(error: cdn::Error) -> CallError {
    Error::Parameter(error).into()
}

fn out_of_bounds(bounds: OutOfBounds) -> CallError {
    refused(cdn::Error::Range(bounds))
}

fn time(params: &mut Params, name: &'static str) -> Result<Option<Timestamp>, CallError> {
    let text = params.text(name)?.filter(|text| !text.is_empty());
    text.map(|text| clock::parse(&text).ok_or_else(|| refused(cdn::Error::Date { name })))
        .transpose()
}

fn word(params: &mut Params, name: &'static str) -> Result<Option<AreaScope>, CallError> {
    let text = params.text(name)?.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(|error| refused(cdn::Error::Word { name, error })))
        .transpose()
}

fn one_of<T>(
    params: &mut Params,
    name: &'static str,
    expected: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, CallError> {
    let Some(given) = params.text(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let unknown =
        |given| refused(cdn::Error::Word { name, error: UnknownWord { given, expected } });
    read(&given).ok_or_else(|| unknown(given)).map(Some)
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
