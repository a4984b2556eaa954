//! `DescribePushTasks`: shows how far submitted URLs are.
//!
//! The only place where outcomes become the vendor's status words.

use serde_json::{Map, Value, json};
use stoker_domain::{
    host::is_new_domain_name,
    outcome::Outcome,
    task::Progress,
    view::{TargetFilter, TargetState},
};
use stoker_engine::TargetView;

use super::{Error, Reply};
use crate::tencent::{
    cdn::query::{self, Query},
    common::{Call, Refusal, clock},
    params::Params,
};

const PARAMETERS: &[&str] =
    &["StartTime", "EndTime", "TaskId", "Keyword", "Offset", "Limit", "Area", "Status"];

pub(super) async fn call(Call { gateway, account, scope, .. }: Call<'_>, params: Params) -> Reply {
    let mut filter = read(params)?;
    filter.account = Some(account.id);
    for host in filter.hosts.iter().flatten().filter(|host| !is_new_domain_name(host)) {
        // there may be one of former days
        gateway.engine.domain_named(account.id, host).ok_or(query::Error::Keyword)?;
    }
    let wanted = filter.hosts.map(|hosts| gateway.engine.names_of(account.id, hosts));
    filter.hosts = scope.narrow(wanted);
    let page = gateway.engine.targets(&filter).await?;
    let logs: Vec<Value> = page.rows.iter().map(push_log).collect();
    Ok(Map::from_iter([("PushLogs".into(), logs.into()), ("TotalCount".into(), page.total.into())]))
}

fn read(mut params: Params) -> Result<TargetFilter, Error> {
    params.only(PARAMETERS)?;
    let status = params.given("Status")?;
    let Query { from, to, task, area, url, host, offset, limit } =
        Query::read::<Error>(&mut params)?;
    Ok(TargetFilter {
        from,
        to,
        task,
        area,
        url,
        hosts: host.map(|host| vec![host]),
        states: status.map(|status| selection(&status)).transpose()?,
        offset,
        limit,
        ..TargetFilter::default()
    })
}

/// Which targets have the vendor's status word; the inverse of [`status`].
fn selection(word: &str) -> Result<Vec<TargetState>, Refusal> {
    match word {
        "process" => Ok(vec![TargetState::Processing]),
        "done" => Ok(vec![TargetState::Done]),
        "invalid" => Ok(vec![TargetState::FailedByOrigin]),
        "fail" => Ok(vec![
            TargetState::FailedByTimeout,
            TargetState::Canceled,
            TargetState::FailedOtherwise,
        ]),
        _ => Err(Refusal::word("Status", word, "`fail`, `done`, `process`, `invalid`")),
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
    use std::time::Duration;

    use stoker_domain::{
        area::Area,
        outcome::{Block, OriginFault, PlaylistFault, Uncacheable},
        time::Timestamp,
    };

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
        let filter = read(Params::from_json(json.as_bytes()).unwrap()).unwrap();
        let from = Timestamp::from_seconds(1_700_000_000);
        assert_eq!(filter.from, Some(from));
        assert_eq!(filter.to, Some(from + Duration::from_millis(999)));
        assert_eq!(filter.url.as_deref(), Some("http://www.a.example/%E4%B8%AD"));
        assert_eq!((filter.offset, filter.limit), (3, 1000));
        assert_eq!(filter.area, Some(Area::Overseas));
        assert_eq!(filter.states, Some(vec![TargetState::FailedByOrigin]));
    }
}
