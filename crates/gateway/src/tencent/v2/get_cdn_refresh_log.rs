//! `GetCdnRefreshLog`: shows how far purges are. One record for each purge.

use std::time::Duration;

use serde_json::{Value, json};
use stoker_domain::{
    account::Account,
    host::is_domain_name,
    purge::Scope,
    target::Target,
    task::TaskId,
    time::Timestamp,
    view::{PurgeFilter, PurgeRow, PurgeState},
};

use super::{error::Error, get_push_logs::start_of};
use crate::tencent::{
    cdn::purge::SHOWN,
    common::{Call, clock},
    params::Params,
};

/// URLs looked at; the newest.
const MOST: u64 = 10_000;
const DAY: Duration = Duration::from_secs(86_400);

pub(super) async fn call(
    Call { gateway, account, scope, .. }: Call<'_>,
    params: Params,
) -> Result<Value, Error> {
    let mut filter = PurgeFilter { account: Some(account.id), limit: MOST, ..read(params)? };
    let wanted = filter.hosts.map(|hosts| gateway.engine.names_of(account.id, hosts));
    filter.hosts = scope.narrow(wanted);
    let page = gateway.engine.purges(&filter).await.map_err(Error::Ledger)?;
    if page.rows.is_empty() && filter.id.is_some() {
        return Err(Error::TaskUnknown);
    }
    let logs: Vec<Value> =
        page.rows.chunk_by(|a, b| a.id == b.id).map(|rows| log(account, rows)).collect();
    Ok(json!({ "total": logs.len(), "logs": logs }))
}

fn read(mut params: Params) -> Result<PurgeFilter, Error> {
    let mut text = |name| Ok::<_, Error>(params.text(name)?.filter(|text| !text.is_empty()));
    let mut filter = PurgeFilter {
        products: Some(SHOWN.into()),
        id: text("taskId")?.map(TaskId),
        from: text("startDate")?.map(|text| moment(&text, Duration::ZERO)).transpose()?,
        to: text("endDate")?.map(|text| moment(&text, DAY)).transpose()?,
        ..PurgeFilter::default()
    };
    if let Some(url) = text("url")? {
        let target = Target::parse(&url, true).map_err(|_| Error::Value("url"))?;
        filter.urls = Some(vec![target.url]);
    }
    if let Some(host) = text("host")?.map(|host| host.to_ascii_lowercase()) {
        let host = Some(host).filter(|host| is_domain_name(host));
        filter.hosts = Some(vec![host.ok_or(Error::Value("host"))?]);
    }
    match (&filter.id, filter.from, filter.to) {
        (Some(_), ..) => {}
        (None, Some(from), Some(to)) if from <= to => {}
        (None, Some(_), Some(_)) => return Err(Error::Date),
        (None, None, _) => return Err(Error::missing("startDate")),
        (None, _, None) => return Err(Error::missing("endDate")),
    }
    Ok(filter)
}

/// A moment, or `further` a day without a time; the last second belongs to the range.
fn moment(text: &str, further: Duration) -> Result<Timestamp, Error> {
    match clock::parse(text) {
        Some(moment) if further.is_zero() => Ok(moment),
        Some(moment) => Ok(moment + Duration::from_millis(999)),
        None => {
            let day = start_of(text)? + further;
            Ok(if further.is_zero() { day } else { day - Duration::from_millis(1) })
        }
    }
}

/// One purge; `rows` are its targets and there is at least one.
fn log(account: &Account, rows: &[PurgeRow]) -> Value {
    let first = &rows[0];
    let urls: Vec<&str> = rows.iter().map(|row| row.url.as_str()).collect();
    let host = Target::parse(&first.url, false).map(|target| target.host).unwrap_or_default();
    json!({
        "id": first.id,
        "app_id": account.app_id,
        "project_id": 0,
        "host": host,
        "type": u8::from(first.scope == Scope::Path),
        "status": match first.state {
            PurgeState::Processing => 0,
            PurgeState::Done => 1,
            PurgeState::Overdue => -1,
        },
        "url_list": urls,
        "datetime": clock::format(first.created_at),
    })
}
