//! Purges: submit and show. The rules are the engine's.

use http::StatusCode;
use serde::Deserialize;
use stoker_domain::{
    purge::{Method, Scope, tagged},
    quota::Product,
    task::{Progress, TaskId},
    view::{PurgeFilter, PurgeRow, PurgeState},
};
use stoker_engine::{PurgeError, PurgeSubmission};

use super::{
    api,
    call::{Call, Reply},
    invalid::{ContentError, QueryError},
    problem::Error,
    time::rfc3339,
};

const DEFAULT_LIMIT: u64 = 20;
const MOST: u64 = 1000;
/// Purges that may be skipped; for more there is `after`.
const FURTHEST: u64 = 1_000_000;
/// Targets of one purge that are shown.
const MOST_SHOWN: u64 = 10_000;

/// Which purges.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    offset: Option<u64>,
    limit: Option<u64>,
    after: Option<String>,
}

pub(super) async fn submit(mut call: Call) -> Result<Reply, Error> {
    let new: api::NewPurge = call.take_json()?;
    if new.targets.len() > api::MOST_LISTED {
        return Err(ContentError::TooManyTargets(api::MOST_LISTED).into());
    }
    let (product, method) = match new.scope {
        Scope::Url => (Product::DomainPurgeUrl, Method::Delete),
        Scope::Path => (Product::DomainPurgePath, new.method),
        Scope::Tag => return Err(ContentError::Tags.into()),
    };
    let submission = PurgeSubmission {
        method,
        areas: new.areas,
        encode: new.encode,
        ..PurgeSubmission::new(product, new.scope, new.targets)
    };
    let receipt = call.gateway.engine.purge(&call.account, submission).await;
    let receipt = receipt.map_err(|error| match error {
        PurgeError::Refused(error) => Error::Submit(error),
        error @ (PurgeError::Query { .. } | PurgeError::Tag { .. }) => {
            ContentError::Purge(error).into()
        }
    })?;
    let receipt = api::PurgeReceipt {
        purge: receipt.task.0,
        targets: receipt.targets,
        merged: receipt.merged,
    };
    Ok(Reply::json(StatusCode::ACCEPTED, &receipt))
}

pub(super) async fn list(call: Call) -> Result<Reply, Error> {
    let Selection { offset, limit, after } = call.query()?;
    let offset = offset.unwrap_or_default();
    if offset > FURTHEST {
        return Err(QueryError::Offset { given: offset, most: FURTHEST }.into());
    }
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MOST).contains(&limit) {
        return Err(QueryError::Limit { given: limit, most: MOST }.into());
    }
    let filter = PurgeFilter {
        account: Some(call.account.id),
        offset,
        limit,
        after: after.map(TaskId),
        is_per_purge: true,
        ..PurgeFilter::default()
    };
    let page = call.gateway.engine.purges(&filter).await?;
    let mut purges = Vec::with_capacity(page.rows.len());
    for row in page.rows {
        purges.push(view(&call, row).await?);
    }
    // a full page may be the last one; then the next is empty
    let is_full = purges.len() as u64 == limit;
    let next = purges.last().filter(|_| is_full).map(|purge| purge.purge.clone());
    Ok(Reply::json(StatusCode::OK, &api::Purges { purges, total: page.total, next }))
}

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let id = TaskId(call.segment().await?);
    let filter = PurgeFilter {
        account: Some(call.account.id),
        id: Some(id.clone()),
        limit: MOST_SHOWN,
        ..PurgeFilter::default()
    };
    let page = call.gateway.engine.purges(&filter).await?;
    let names = page.rows.iter().map(name).collect();
    let Some(row) = page.rows.into_iter().next() else { return Err(Error::Purge(id.0)) };
    let row = PurgeRow { targets: Some(page.total), ..row };
    Ok(Reply::json(StatusCode::OK, &api::PurgeView { names, ..view(&call, row).await? }))
}

/// What a target names; a tag with its host.
fn name(row: &PurgeRow) -> String {
    match row.scope {
        Scope::Url | Scope::Path => row.url.clone(),
        Scope::Tag => tagged(&row.host, &row.url),
    }
}

async fn view(call: &Call, row: PurgeRow) -> Result<api::PurgeView, Error> {
    let nodes = call.gateway.engine.purge_nodes(&row.id).await?;
    let nodes = nodes.into_iter().map(|node| api::PurgeNodeView {
        node: node.node,
        turn: node.phase + 1,
        done_at: node.done_at.map(rfc3339),
    });
    Ok(api::PurgeView {
        purge: row.id.0,
        scope: row.scope,
        method: row.method,
        areas: row.areas,
        status: match row.state {
            PurgeState::Processing => Progress::Processing,
            PurgeState::Overdue => Progress::Failed,
            PurgeState::Done => Progress::Done,
        },
        targets: row.targets.unwrap_or_default(),
        created_at: rfc3339(row.created_at),
        finished_at: row.finished_at.map(rfc3339),
        names: Vec::new(),
        nodes: nodes.collect(),
    })
}
