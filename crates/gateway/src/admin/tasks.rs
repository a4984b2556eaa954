//! Tasks: submit, list, show, pause, resume, cancel, try again, and what became of each target on each node.

use std::{collections::HashMap, mem, sync::Arc};

use http::StatusCode;
use serde::Deserialize;
use stoker_domain::{
    account::AccountId,
    area::{Area, AreaScope},
    domain::Domain,
    job::NodeOutcome,
    outcome::Outcome,
    quota::Product,
    retry::MOST_PATIENCE,
    target::Target,
    task::{FetchOptions, Progress, TaskCommand, TaskId, TaskState},
    view::{TargetFilter, TargetState, TaskFilter},
};
use stoker_engine::{
    BatchLimit, ControlError, Engine, RetryError, Submission, SubmitError, TargetView, TaskView,
    Waiting,
};

use super::{
    api,
    call::{Call, Reply},
    invalid::{ContentError, QueryError},
    problem::Error,
    time::rfc3339,
};
use crate::request_fields;

const DEFAULT_LIMIT: u64 = 100;
const MOST: u64 = 1000;
/// Rows that may be skipped: there are as many targets in a task at most. For more there is `after`.
const FURTHEST: u64 = 1_000_000;
/// Targets that are not tried again which are named.
const MOST_REFUSED: usize = 100;

/// The query of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    #[serde(default)]
    offset: u64,
    limit: Option<u64>,
    status: Option<api::TargetStatus>,
    after: Option<String>,
}

impl Selection {
    fn limit(&self) -> Result<u64, QueryError> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MOST => Ok(limit),
            given => Err(QueryError::Limit { given, most: MOST }),
        }
    }

    fn offset(&self) -> Result<u64, QueryError> {
        match self.offset {
            offset @ 0..=FURTHEST => Ok(offset),
            given => Err(QueryError::Offset { given, most: FURTHEST }),
        }
    }
}

pub(super) async fn submit(mut call: Call) -> Result<Reply, Error> {
    let mut new: api::NewTask = call.take_json()?;
    request_fields::check(&new.headers)?;
    if let Some(user_agent) = &new.user_agent {
        request_fields::check_value("User-Agent", user_agent)?;
    }
    if new.limit_mbps == Some(0) {
        return Err(ContentError::LimitMbps.into());
    }
    check_patience(new.patience_seconds)?;
    let areas = match new.areas {
        Some(areas) => areas,
        None => served(&call.gateway.engine, call.account.id, &new)?,
    };
    let agent = request_fields::take_user_agent(&mut new.headers);
    let options = FetchOptions {
        user_agent: new.user_agent.or(agent),
        headers: new.headers,
        disable_range: new.disable_range,
        media: new.media,
        limit_mbps: new.limit_mbps,
        patience_seconds: new.patience_seconds,
        ..FetchOptions::default()
    };
    let submission = Submission {
        areas: Some(areas),
        tier: new.layer,
        options,
        encode: new.encode,
        batch_limit: BatchLimit::AtMost(api::MOST_URLS),
        ..Submission::new(Product::DomainPrefetch, new.urls)
    };
    let receipt = call.gateway.engine.submit(&call.account, submission).await?;
    let accepted =
        api::Accepted { task_id: receipt.task.0, targets: receipt.targets, merged: receipt.merged };
    Ok(Reply::json(StatusCode::ACCEPTED, &accepted))
}

/// Refuses a patience without end.
pub(super) fn check_patience(seconds: Option<u64>) -> Result<(), ContentError> {
    let most = MOST_PATIENCE.as_secs();
    match seconds {
        Some(given) if given > most => Err(ContentError::Patience { given, most }),
        _ => Ok(()),
    }
}

/// The areas in which all domains of the URLs are served. URLs and domains that are wrong are left
/// to the engine, which names them.
fn served(engine: &Engine, account: AccountId, new: &api::NewTask) -> Result<AreaScope, Error> {
    let domains = engine.domains(account);
    let mut all = domains.iter().map(|domain| domain.areas);
    let areas = all.next().unwrap_or_default();
    if all.all(|other| other == areas) {
        // whichever they name: the engine is the only one to read the URLs
        return Ok(areas);
    }
    let mut first: Option<Arc<Domain>> = None;
    for url in &new.urls {
        let Ok(target) = Target::parse(url, new.encode) else { continue };
        match (&first, engine.domain(account, &target.host)) {
            (None, domain) => first = domain,
            (Some(known), Some(domain)) if known.areas != domain.areas => {
                return Err(Error::Areas(known.name.clone(), domain.name.clone()));
            }
            _ => {}
        }
    }
    Ok(first.map(|domain| domain.areas).unwrap_or_default())
}

pub(super) async fn list(call: Call) -> Result<Reply, Error> {
    let selection: Selection = call.query()?;
    if selection.status.is_some() {
        return Err(QueryError::StatusOfTasks.into());
    }
    let filter = TaskFilter {
        account: Some(call.account.id),
        offset: selection.offset()?,
        limit: selection.limit()?,
        after: selection.after.map(TaskId),
        ..TaskFilter::default()
    };
    let page = call.gateway.engine.tasks(&filter).await?;
    let tasks: Vec<_> = page.rows.iter().map(task_view).collect();
    // a full page may be the last one; then the next is empty
    let is_full = tasks.len() as u64 == filter.limit;
    let next = tasks.last().filter(|_| is_full).map(|task| task.id.clone());
    Ok(Reply::json(StatusCode::OK, &api::Tasks { tasks, total: page.total, next }))
}

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let id = call.segment().await?;
    let task = find(&call, id).await?;
    Ok(Reply::json(StatusCode::OK, &task_view(&task)))
}

pub(super) async fn targets(mut call: Call) -> Result<Reply, Error> {
    let id = call.segment().await?;
    let selection: Selection = call.query()?;
    let (offset, limit) = (selection.offset()?, selection.limit()?);
    if selection.after.is_some() {
        return Err(QueryError::AfterOfTargets.into());
    }
    let task = find(&call, id).await?.row.task.id;
    let filter = TargetFilter {
        account: Some(call.account.id),
        task: Some(task.clone()),
        states: selection.status.map(states),
        offset,
        limit,
        ..TargetFilter::default()
    };
    let page = call.gateway.engine.targets(&filter).await?;
    let ids: Vec<i64> = page.rows.iter().map(|view| view.row.id).collect();
    let outcomes = call.gateway.engine.outcomes(&task, &ids).await?;
    let mut outcomes: HashMap<i64, Vec<NodeOutcome>> = outcomes.into_iter().collect();
    let nodes = call.gateway.engine.nodes();
    let areas: HashMap<&str, Area> =
        nodes.iter().map(|view| (view.node.name.as_str(), view.node.area)).collect();
    let view = |view: TargetView| {
        let mut outcomes = outcomes.remove(&view.row.id).unwrap_or_default();
        // the ledger keeps only names
        for outcome in &mut outcomes {
            outcome.area = areas.get(outcome.node.as_str()).copied();
        }
        target_view(view, outcomes)
    };
    let targets = page.rows.into_iter().map(view).collect();
    Ok(Reply::json(StatusCode::OK, &api::Targets { targets, total: page.total }))
}

/// The states of targets with this status.
fn states(status: api::TargetStatus) -> Vec<TargetState> {
    use api::TargetStatus as Status;
    match status {
        Status::Processing => vec![TargetState::Processing],
        Status::Done => vec![TargetState::Done],
        Status::Canceled => vec![TargetState::Canceled],
        Status::Failed => {
            let mut failed = TargetState::of(Progress::Failed);
            failed.retain(|state| *state != TargetState::Canceled);
            failed
        }
    }
}

pub(super) async fn pause(call: Call) -> Result<Reply, Error> {
    change(call, TaskCommand::Pause).await
}

pub(super) async fn resume(call: Call) -> Result<Reply, Error> {
    change(call, TaskCommand::Resume).await
}

pub(super) async fn cancel(call: Call) -> Result<Reply, Error> {
    change(call, TaskCommand::Cancel).await
}

async fn change(mut call: Call, command: TaskCommand) -> Result<Reply, Error> {
    let id = call.segment().await?;
    let (engine, account) = (&call.gateway.engine, call.account.id);
    let is_changed = match engine.control(account, &TaskId(id.clone()), command).await {
        Err(ControlError::Unknown { .. }) => return Err(Error::Task(id)),
        changed => changed?,
    };
    let task = task_view(&find(&call, id).await?);
    Ok(Reply::json(StatusCode::OK, &api::TaskChanged { is_changed, task }))
}

pub(super) async fn retry(mut call: Call) -> Result<Reply, Error> {
    let id = call.segment().await?;
    let retried = match call.gateway.engine.retry(&call.account, &TaskId(id.clone())).await {
        Err(RetryError::Unknown { .. }) => return Err(Error::Task(id)),
        Err(RetryError::Refused(error)) => return Err(Error::Submit(error)),
        retried => retried?,
    };
    let shown = retried.refused.iter().take(MOST_REFUSED);
    let refused = |(url, error): &(String, SubmitError)| api::RefusedTarget {
        url: url.clone(),
        detail: error.to_string(),
    };
    let reply = api::Retried {
        task_id: retried.receipt.task.0,
        retry_of: id,
        targets: retried.receipt.targets,
        refused: retried.refused.len() as u64,
        first_refused: shown.map(refused).collect(),
    };
    Ok(Reply::json(StatusCode::ACCEPTED, &reply))
}

async fn find(call: &Call, id: String) -> Result<TaskView, Error> {
    let filter = TaskFilter {
        account: Some(call.account.id),
        id: Some(TaskId(id.clone())),
        limit: 1,
        ..TaskFilter::default()
    };
    let page = call.gateway.engine.tasks(&filter).await?;
    page.rows.into_iter().next().ok_or(Error::Task(id))
}

fn task_view(view: &TaskView) -> api::TaskView {
    let row = &view.row;
    let status = match (row.state, row.finished_at, row.failed) {
        (TaskState::Canceled(_), ..) => api::TaskStatus::Canceled,
        (_, Some(_), 0) => api::TaskStatus::Done,
        (_, Some(_), _) => api::TaskStatus::Failed,
        (TaskState::Paused(_), ..) => api::TaskStatus::Paused,
        (TaskState::Running, ..) => api::TaskStatus::Processing,
    };
    let (paused_at, canceled_at) = match row.state {
        TaskState::Running => (None, None),
        TaskState::Paused(at) => (Some(rfc3339(at)), None),
        TaskState::Canceled(at) => (None, Some(rfc3339(at))),
    };
    api::TaskView {
        id: row.task.id.0.clone(),
        status,
        areas: row.task.areas,
        layer: row.task.tier,
        targets: row.targets,
        done: row.done,
        failed: row.failed - row.canceled,
        canceled: row.canceled,
        percent: view.percent,
        done_bytes: view.done_bytes,
        total_bytes: view.total_bytes,
        pulled_bytes: view.pulled_bytes,
        waiting: view.waiting.map(waiting_view),
        created_at: rfc3339(row.task.created_at),
        updated_at: rfc3339(row.updated_at),
        finished_at: row.finished_at.map(rfc3339),
        paused_at,
        canceled_at,
        retry_of: row.retry_of.as_ref().map(|id| id.0.clone()),
        not_followed: row.not_followed.clone(),
    }
}

fn target_view(view: TargetView, outcomes: Vec<NodeOutcome>) -> api::TargetView {
    let row = view.row;
    let status = match (row.progress, row.outcome) {
        (Progress::Processing, _) => api::TargetStatus::Processing,
        (Progress::Done, _) => api::TargetStatus::Done,
        (Progress::Failed, Some(Outcome::Canceled)) => api::TargetStatus::Canceled,
        (Progress::Failed, _) => api::TargetStatus::Failed,
    };
    api::TargetView {
        id: row.id,
        url: row.url,
        parent: row.parent,
        status,
        outcome: row.outcome,
        percent: view.percent,
        nodes: row.nodes,
        settled_nodes: row.settled_nodes,
        size_bytes: view.total_bytes,
        done_bytes: view.done_bytes,
        waiting: view.waiting.map(waiting_view),
        created_at: rfc3339(row.created_at),
        finished_at: row.finished_at.map(rfc3339),
        outcomes: outcomes.into_iter().map(outcome_view).collect(),
    }
}

fn waiting_view(waiting: Waiting) -> api::WaitingView {
    let next_attempt_at = rfc3339(waiting.next_attempt);
    api::WaitingView { outcome: waiting.outcome, next_attempt_at }
}

fn outcome_view(outcome: NodeOutcome) -> api::NodeOutcomeView {
    let mut report = outcome.report;
    let not_followed = report.as_mut().map(|report| mem::take(&mut report.not_followed));
    api::NodeOutcomeView {
        node: outcome.node,
        area: outcome.area,
        outcome: report.as_ref().map(|report| report.outcome),
        size_bytes: report.as_ref().and_then(|report| report.size_bytes),
        pulled_bytes: report.as_ref().map_or(0, |report| report.pulled_bytes),
        validator: report.as_ref().and_then(|report| report.validator.clone()),
        verified_at: report.as_ref().and_then(|report| report.verified_at).map(rfc3339),
        fresh_until: report.as_ref().and_then(|report| report.fresh_until).map(rfc3339),
        detail: report.and_then(|report| report.detail),
        not_followed: not_followed.unwrap_or_default(),
    }
}
