//! Purges: submit and show. The rules are the engine's.

use http::StatusCode;
use stoker_domain::{
    purge::{Method, Scope},
    quota::Product,
    task::{Progress, TaskId},
};
use stoker_engine::{PurgeError, PurgeFilter, PurgeSubmission};

use super::{
    api,
    call::{Call, Reply},
    problem::Error,
    rfc3339,
};

pub(super) async fn submit(call: Call) -> Result<Reply, Error> {
    let new: api::NewPurge = call.json()?;
    let (product, method) = match new.scope {
        Scope::Url => (Product::CdnPurgeUrl, Method::Delete),
        Scope::Path => (Product::CdnPurgePath, new.method),
    };
    let usage = call.gateway.engine.quota(call.account.id, product).await?;
    let submission = PurgeSubmission {
        targets: new.targets,
        scope: new.scope,
        method,
        areas: new.areas,
        encode: new.encode,
        batch_limit: usage.iter().map(|usage| usage.limits.batch).min().unwrap_or(0),
    };
    let receipt = call.gateway.engine.purge(&call.account, submission).await;
    let receipt = receipt.map_err(|error| match error {
        PurgeError::Refused(error) => Error::Submit(error),
        PurgeError::Query { .. } => Error::Content(error.to_string()),
    })?;
    let receipt = api::PurgeReceipt {
        purge: receipt.task.0,
        targets: receipt.targets,
        merged: receipt.merged,
    };
    Ok(Reply::json(StatusCode::ACCEPTED, &receipt))
}

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let id = TaskId(call.segment().await?);
    let filter = PurgeFilter {
        account: Some(call.account.id),
        id: Some(id.clone()),
        limit: 1,
        ..PurgeFilter::default()
    };
    let mut page = call.gateway.engine.purges(&filter).await?;
    let Some(row) = page.rows.pop() else { return Err(Error::Task(id.0)) };
    let nodes = call.gateway.engine.purge_nodes(&id).await?;
    let nodes = nodes.into_iter().map(|node| api::PurgeNodeView {
        node: node.node,
        turn: node.phase + 1,
        done_at: node.done_at.map(rfc3339),
    });
    let is_done = row.finished_at.is_some();
    let view = api::PurgeView {
        purge: row.id.0,
        scope: row.scope,
        method: row.method,
        areas: row.areas,
        status: if is_done { Progress::Done } else { Progress::Processing },
        targets: page.total,
        created_at: rfc3339(row.created_at),
        finished_at: row.finished_at.map(rfc3339),
        nodes: nodes.collect(),
    };
    Ok(Reply::json(StatusCode::OK, &view))
}
