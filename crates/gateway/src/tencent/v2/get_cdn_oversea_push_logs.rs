//! `GetCdnOverseaPushLogs`: shows the tasks or the URLs of one day overseas.

use std::time::Duration;

use serde_json::{Value, json};
use stoker_domain::{
    account::Account, area::Area, target::encoded, task::Progress, view::TargetFilter,
};
use stoker_engine::TargetView;

use super::{
    error::Error,
    get_push_logs::{scan, start_of},
    number,
};
use crate::tencent::{
    common::{Call, clock},
    params::Params,
};

pub(super) async fn call(
    Call { gateway, account, scope, .. }: Call<'_>,
    mut params: Params,
) -> Result<Value, Error> {
    let date = params.text("date")?.ok_or(Error::missing("date"))?;
    let kind = params.text("type")?.ok_or(Error::missing("type"))?;
    let keyword = params.text("keyword")?.filter(|keyword| !keyword.is_empty());
    let keyword = encoded(&keyword.ok_or(Error::missing("keyword"))?);
    let is_task = match kind.as_str() {
        "task" => true,
        "url" => false,
        _ => return Err(Error::Value("type")),
    };
    let from = start_of(&date)?;
    let filter = TargetFilter {
        account: Some(account.id),
        from: Some(from),
        to: Some(from + Duration::from_millis(86_399_999)),
        area: Some(Area::Overseas),
        hosts: scope.narrow(None),
        ..TargetFilter::default()
    };
    let views = scan(gateway, filter, |_| true).await?;
    let mut logs = Vec::new();
    for task in by_task(&views) {
        let is_named = name(&task[0]) == keyword;
        let is_wanted = |view: &TargetView| is_named || view.row.url.contains(&keyword);
        if is_task {
            logs.extend(task.iter().any(is_wanted).then(|| task_log(account, task)));
        } else if status(task) != "pending" {
            let wanted = task.iter().filter(|view| is_wanted(view));
            logs.extend(wanted.map(|view| url_log(account, view)));
        }
    }
    Ok(logs.into())
}

/// The targets of each task, which stand together.
fn by_task(views: &[TargetView]) -> impl Iterator<Item = &[TargetView]> {
    views.chunk_by(|a, b| a.row.task.id == b.row.task.id)
}

fn name(view: &TargetView) -> String {
    number::overseas(&view.row.task.id, view.row.task.created_at)
}

fn status(task: &[TargetView]) -> &'static str {
    let has_begun = |view: &TargetView| {
        view.percent > 0 || view.row.settled_nodes > 0 || view.row.progress != Progress::Processing
    };
    if task.iter().all(|view| view.row.progress != Progress::Processing) {
        "done"
    } else if task.iter().any(has_begun) {
        "in-process"
    } else {
        "pending"
    }
}

fn task_log(account: &Account, task: &[TargetView]) -> Value {
    let urls: Vec<&str> = task.iter().map(|view| view.row.url.as_str()).collect();
    json!({
        "app_id": account.app_id,
        "urls": urls,
        "status": status(task),
        "task_id": name(&task[0]),
        "task_create_time": clock::format(task[0].row.task.created_at),
    })
}

fn url_log(account: &Account, view: &TargetView) -> Value {
    let is_final = view.row.progress != Progress::Processing;
    json!({
        "task_id": name(view),
        "app_id": account.app_id,
        "url": view.row.url,
        "status": if is_final { "done" } else { "in-process" },
        "task_create_time": clock::format(view.row.task.created_at),
    })
}
