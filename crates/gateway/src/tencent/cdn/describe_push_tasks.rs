//! `DescribePushTasks`: shows how far submitted URLs are.
//!
//! The only place where outcomes become the vendor's status words.

use std::time::Duration;

use serde_json::{Map, Value, json};
use stoker_domain::{
    account::Account,
    area::{Area, AreaScope, UnknownWord},
    host::{is_domain_name, is_new_domain_name},
    outcome::Outcome,
    target::Target,
    task::{Progress, TaskId},
    time::Timestamp,
    view::{TargetFilter, TargetState},
};
use stoker_engine::TargetView;

use super::{Error, word};
use crate::{
    Gateway,
    tencent::{clock, error, params::Params},
};

const PARAMETERS: &[&str] =
    &["StartTime", "EndTime", "TaskId", "Keyword", "Offset", "Limit", "Area", "Status"];

const DEFAULT_LIMIT: i64 = 20;
const MOST: i64 = 1000;
const FURTHEST: i64 = 1_000_000_000;

pub(super) async fn call(
    gateway: &Gateway,
    account: &Account,
    mut params: Params,
) -> Result<Map<String, Value>, error::Error> {
    let mut filter = read(&mut params)?;
    filter.account = Some(account.id);
    for host in filter.hosts.iter().flatten().filter(|host| !is_new_domain_name(host)) {
        // there may be one of former days
        gateway.engine.domain_named(account.id, host).ok_or(Error::Keyword)?;
    }
    let wanted = filter.hosts.map(|hosts| gateway.engine.names_of(account.id, hosts));
    filter.hosts = params.visible_of(wanted);
    let page = gateway.engine.targets(&filter).await?;
    let logs: Vec<Value> = page.rows.iter().map(push_log).collect();
    Ok(Map::from_iter([("PushLogs".into(), logs.into()), ("TotalCount".into(), page.total.into())]))
}

fn read(params: &mut Params) -> Result<TargetFilter, error::Error> {
    params.only(PARAMETERS)?;
    let mut filter = TargetFilter {
        from: time(params, "StartTime")?,
        // times have whole seconds, and the last one belongs to the range
        to: time(params, "EndTime")?.map(|time| time + Duration::from_millis(999)),
        task: params.text("TaskId")?.filter(|id| !id.is_empty()).map(TaskId),
        offset: params.bounded("Offset", 0, 0..=FURTHEST)?.map_err(Error::Range)?,
        limit: params.bounded("Limit", DEFAULT_LIMIT, 1..=MOST)?.map_err(Error::Range)?,
        ..TargetFilter::default()
    };
    // `global` finds the tasks that asked for both areas and those that asked for one
    filter.area = match word(params, "Area")? {
        None | Some(AreaScope::Global) => None,
        Some(AreaScope::Mainland) => Some(Area::Mainland),
        Some(AreaScope::Overseas) => Some(Area::Overseas),
    };
    if let Some(status) = params.text("Status")?.filter(|status| !status.is_empty()) {
        filter.states = Some(selection(&status)?);
    }
    if let Some(keyword) = params.text("Keyword")?.filter(|keyword| !keyword.is_empty()) {
        if keyword.contains("://") {
            filter.url = Some(Target::parse(&keyword, true).map_err(|_| Error::Keyword)?.url);
        } else {
            let host = keyword.to_ascii_lowercase();
            let host = Some(host).filter(|host| is_domain_name(host)).ok_or(Error::Keyword)?;
            filter.hosts = Some(vec![host]);
        }
    }
    if filter.task.is_none() && filter.from.is_none() {
        return Err(Error::NoSelection.into());
    }
    if filter.from.zip(filter.to).is_some_and(|(from, to)| to < from) {
        return Err(Error::DateOrder.into());
    }
    Ok(filter)
}

fn time(params: &mut Params, name: &'static str) -> Result<Option<Timestamp>, error::Error> {
    let text = params.text(name)?.filter(|text| !text.is_empty());
    let read = text.map(|text| clock::parse(&text).ok_or(Error::Date { name }));
    Ok(read.transpose()?)
}

/// Which targets have the vendor's status word; the inverse of [`status`].
fn selection(word: &str) -> Result<Vec<TargetState>, Error> {
    match word {
        "process" => Ok(vec![TargetState::Processing]),
        "done" => Ok(vec![TargetState::Done]),
        "invalid" => Ok(vec![TargetState::FailedByOrigin]),
        "fail" => Ok(vec![TargetState::FailedByTimeout, TargetState::FailedOtherwise]),
        _ => Err(Error::Word {
            name: "Status",
            error: UnknownWord {
                given: word.into(),
                expected: "`fail`, `done`, `process`, `invalid`",
            },
        }),
    }
}

/// The vendor's status word. `done` means that every cache holds it and was read back, so a
/// response that no cache may keep is `fail`.
const fn status(progress: Progress, outcome: Option<Outcome>) -> &'static str {
    match (progress, outcome) {
        (Progress::Processing, _) => "process",
        (Progress::Done, _) => "done",
        (Progress::Failed, Some(outcome)) if outcome.is_refusal() => "invalid",
        (Progress::Failed, _) => "fail",
    }
}

fn push_log(view: &TargetView) -> Value {
    let row = &view.row;
    json!({
        "TaskId": row.task.id,
        "Url": row.url,
        "Status": status(row.progress, row.outcome),
        "Percent": view.percent,
        "CreateTime": clock::format(row.created_at),
        "Area": row.task.areas.as_str(),
        "UpdateTime": row.finished_at.map(clock::format),
    })
}

#[cfg(test)]
mod tests {
    use stoker_domain::outcome::{Block, OriginFault, PlaylistFault, Uncacheable};

    use super::*;

    #[test]
    fn done_means_there_and_only_the_origins_refusal_is_invalid() {
        assert_eq!(status(Progress::Processing, None), "process");
        assert_eq!(status(Progress::Done, Some(Outcome::AlreadyFresh)), "done");
        for code in [302, 404, 500] {
            assert_eq!(status(Progress::Failed, Some(Outcome::OriginStatus(code))), "invalid");
        }
        for outcome in [
            Outcome::OriginStatus(204),
            Outcome::Uncacheable(Uncacheable::NoStore),
            Outcome::OriginError(OriginFault::Connect),
            Outcome::Blocked(Block::Ownership),
            Outcome::Playlist(PlaylistFault::NotAPlaylist),
            Outcome::TooLarge,
            Outcome::OverQuota,
            Outcome::Timeout,
            Outcome::Canceled,
        ] {
            assert_eq!(status(Progress::Failed, Some(outcome)), "fail", "{outcome}");
        }
    }

    #[test]
    fn a_query_becomes_a_filter() {
        let json = r#"{"StartTime":"2023-11-15 06:13:20","EndTime":"2023-11-15 06:13:20",
            "Keyword":"HTTP://WWW.a.example/中","Limit":1000,"Offset":3,"Area":"overseas",
            "Status":"invalid"}"#;
        let filter = read(&mut Params::from_json(json.as_bytes()).unwrap()).unwrap();
        let from = Timestamp::from_seconds(1_700_000_000);
        assert_eq!(filter.from, Some(from));
        assert_eq!(filter.to, Some(from + Duration::from_millis(999)));
        assert_eq!(filter.url.as_deref(), Some("http://www.a.example/%E4%B8%AD"));
        assert_eq!((filter.offset, filter.limit), (3, 1000));
        assert_eq!(filter.area, Some(Area::Overseas));
        assert_eq!(filter.states, Some(vec![TargetState::FailedByOrigin]));
    }
}
