//! `GetPushLogs`: shows how far submitted URLs are.
//!
//! What the ledger cannot select (parts of URLs, what has not begun) is selected here, among the
//! newest 10,000 URLs.

use std::time::Duration;

use serde_json::{Value, json};
use stoker_domain::{
    target::encoded,
    task::Progress,
    time::Timestamp,
    view::{Page, TargetFilter, TargetState},
};
use stoker_engine::TargetView;

use super::{error::Error, number};
use crate::{
    Gateway,
    tencent::{
        common::{Call, clock},
        params::{OutOfBounds, Params},
    },
};

const DEFAULT_LIMIT: i64 = 20;
const MOST: i64 = 1000;
const FURTHEST: i64 = 1_000_000_000;
/// URLs looked at one by one.
const MOST_SCANNED: usize = 10_000;
const DAY: Duration = Duration::from_secs(86_400);

/// What is asked for beyond what the ledger selects.
#[derive(Debug, Default)]
struct Selection {
    /// Whether a target is `init`, not `process`.
    is_untouched: Option<bool>,
    keyword: Option<String>,
}

pub(super) async fn call(
    Call { gateway, account, scope, .. }: Call<'_>,
    mut params: Params,
) -> Result<Value, Error> {
    let (mut filter, selection) = read(&mut params)?;
    filter.account = Some(account.id);
    let wanted = filter.hosts.map(|hosts| gateway.engine.names_of(account.id, hosts));
    filter.hosts = scope.narrow(wanted);
    if let Some(id) = &filter.task {
        // of a task whose URLs may not be shown, not even its being there is
        let wanted = TargetFilter {
            account: filter.account,
            task: Some(id.clone()),
            hosts: scope.narrow(None),
            limit: 1,
            ..TargetFilter::default()
        };
        let found = gateway.engine.targets(&wanted).await.map_err(Error::Ledger)?;
        let created_at = found.rows.first().ok_or(Error::TaskUnknown)?.row.task.created_at;
        let is_within = filter.from.is_none_or(|from| from <= created_at)
            && filter.to.is_none_or(|to| created_at <= to);
        if !is_within {
            return Err(Error::Date);
        }
    }
    let page = page(gateway, filter, &selection).await?;
    let logs: Vec<Value> = page.rows.iter().map(log).collect();
    Ok(json!({ "logs": logs, "total": page.total }))
}

fn read(params: &mut Params) -> Result<(TargetFilter, Selection), Error> {
    let mut filter = TargetFilter {
        task: params.text("taskId")?.filter(|id| !id.is_empty()).map(|id| number::task(&id)),
        from: moment(params, "startDate")?,
        to: moment(params, "endDate")?.map(|time| time + Duration::from_millis(999)),
        offset: params.bounded("offset", 0, 0..=FURTHEST)?.map_err(out_of_bounds)?,
        limit: params.bounded("limit", DEFAULT_LIMIT, 1..=MOST)?.map_err(out_of_bounds)?,
        ..TargetFilter::default()
    };
    if let Some(day) = params.text("date")?.filter(|date| !date.is_empty()) {
        let from = start_of(&day)?;
        (filter.from, filter.to) = (Some(from), Some(from + DAY - Duration::from_millis(1)));
    }
    if filter.from.zip(filter.to).is_some_and(|(from, to)| to < from) {
        return Err(Error::Date);
    }
    let hosts = params.texts("hosts")?.unwrap_or_default();
    if !hosts.is_empty() {
        filter.hosts = Some(hosts.iter().map(|host| host.to_ascii_lowercase()).collect());
    }
    let statuses = params.texts("status")?.unwrap_or_default();
    if !statuses.iter().all(|word| ["init", "process", "done"].contains(&word.as_str())) {
        return Err(Error::Value("status"));
    }
    let asks = |wanted: &str| statuses.iter().any(|word| word == wanted);
    let (init, process, done) = (asks("init"), asks("process"), asks("done"));
    if init || process || done {
        let mut states = Vec::new();
        states.extend((init || process).then_some(TargetState::Processing));
        states.extend(done.then_some(TargetState::Done));
        filter.states = Some(states);
    }
    let selection = Selection {
        is_untouched: (init != process).then_some(init),
        keyword: params
            .text("keyword")?
            .filter(|keyword| !keyword.is_empty())
            .map(|keyword| encoded(&keyword)),
    };
    Ok((filter, selection))
}

fn out_of_bounds(bounds: OutOfBounds) -> Error {
    Error::Value(bounds.name)
}

/// The first moment of a day.
pub(super) fn start_of(day: &str) -> Result<Timestamp, Error> {
    clock::parse(&format!("{day} 00:00:00")).ok_or(Error::Date)
}

fn moment(params: &mut Params, name: &str) -> Result<Option<Timestamp>, Error> {
    let text = params.text(name)?.filter(|text| !text.is_empty());
    text.map(|text| clock::parse(&text).ok_or(Error::Date)).transpose()
}

async fn page(
    gateway: &Gateway,
    filter: TargetFilter,
    selection: &Selection,
) -> Result<Page<TargetView>, Error> {
    let is_plain = selection.is_untouched.is_none() && selection.keyword.is_none();
    if is_plain {
        return gateway.engine.targets(&filter).await.map_err(Error::Ledger);
    }
    let (skip, take) = (filter.offset, filter.limit);
    let rows = scan(gateway, filter, |view| selection.holds(view)).await?;
    let total = rows.len() as u64;
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let take = usize::try_from(take).unwrap_or(usize::MAX);
    Ok(Page { rows: rows.into_iter().skip(skip).take(take).collect(), total })
}

/// Those for which `holds` is true, among the newest targets that match `filter`.
pub(super) async fn scan(
    gateway: &Gateway,
    mut filter: TargetFilter,
    holds: impl Fn(&TargetView) -> bool,
) -> Result<Vec<TargetView>, Error> {
    let mut found = Vec::new();
    let mut seen = 0;
    filter.limit = MOST.unsigned_abs();
    while seen < MOST_SCANNED {
        filter.offset = seen as u64;
        let page = gateway.engine.targets(&filter).await.map_err(Error::Ledger)?;
        let rows = page.rows.len();
        seen += rows;
        found.extend(page.rows.into_iter().filter(&holds));
        if rows == 0 || seen as u64 >= page.total {
            break;
        }
    }
    Ok(found)
}

impl Selection {
    fn holds(&self, view: &TargetView) -> bool {
        let url = view.row.url.as_str();
        let is_processing = view.row.progress == Progress::Processing;
        self.is_untouched.is_none_or(|wanted| !is_processing || wanted == (status(view) == "init"))
            && self.keyword.as_deref().is_none_or(|keyword| url.contains(keyword))
    }
}

/// The host of a normalised URL, without its port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.split(':').next().unwrap_or_default()
}

/// The vendor's status word.
fn status(view: &TargetView) -> &'static str {
    match view.row.progress {
        Progress::Processing if view.percent == 0 && view.row.settled_nodes == 0 => "init",
        Progress::Processing => "process",
        Progress::Done => "done",
        Progress::Failed => "fail",
    }
}

fn log(view: &TargetView) -> Value {
    let row = &view.row;
    let result = match (row.progress, row.outcome) {
        (Progress::Failed, Some(outcome)) => outcome.to_string(),
        _ => String::new(),
    };
    json!({
        "log_id": row.id,
        "task_id": number::of(&row.task.id),
        "host": host(&row.url),
        "datetime": clock::format(row.created_at),
        "status": status(view),
        "url": row.url,
        "result": result,
        "progress": view.percent,
    })
}
