//! Nodes: who they are and whether they were heard of lately; the ledger: whether it takes writes.

use http::StatusCode;
use stoker_engine::NodeView;

use super::{
    api,
    call::{Call, Reply},
    invalid::QueryError,
    page::Listing,
    problem::Error,
    time::rfc3339,
};

pub(super) async fn list(call: Call) -> Result<Reply, Error> {
    let listing: Listing = call.query()?;
    if listing.account.is_some() || listing.user.is_some() {
        return Err(QueryError::OwnerOfNodes.into());
    }
    let nodes = call.gateway.engine.nodes().iter().map(view).collect();
    let page = listing.page(nodes, |node: &api::NodeView| node.name.clone())?;
    Ok(Reply::json(StatusCode::OK, &api::Nodes { nodes: page.rows, next: page.next }))
}

/// Fails as a call that writes would. For the owner alone: it costs a sync of the disk.
pub(super) async fn try_ledger(call: Call) -> Result<Reply, Error> {
    let engine = &call.gateway.engine;
    if !engine.is_owner(&call.account).await? {
        return Err(Error::NotOwner);
    }
    engine.try_ledger().await?;
    Ok(Reply::json(StatusCode::OK, &api::LedgerView { takes_writes: true }))
}

fn view(view: &NodeView) -> api::NodeView {
    let node = &view.node;
    api::NodeView {
        name: node.name.clone(),
        area: node.area,
        tier: node.tier,
        cluster: node.cluster.clone(),
        address: node.address.clone(),
        is_alive: view.is_alive,
        last_seen: Some(rfc3339(view.last_seen)),
        store: view.store,
    }
}
