//! The admin API under `/admin/v1`: domains, zones, nodes, tasks and quota of the account that signs.
//!
//! Calls are signed like those of the vendor's API, over the real path and with the service
//! `admin`. The command line is a client of it and can do nothing that this API cannot.

pub mod api;
mod call;
mod domains;
mod nodes;
mod problem;
mod purges;
mod quota;
mod tasks;
mod zones;

use axum::{
    Router,
    body::Body,
    extract::State,
    routing::{get, post},
};
use http::Response;
use jiff::Timestamp as Moment;
use stoker_domain::time::Timestamp;

use self::{call::run, problem::Error};
use crate::Gateway;

/// Largest content of a call that carries little.
const LITTLE: usize = 64 * 1024;
/// Largest content of a call that carries URLs.
const MUCH: usize = 64 * 1024 * 1024;

/// The routes, with their whole paths: the path is signed.
pub(crate) fn routes() -> Router<Gateway> {
    Router::new()
        .route(
            "/admin/v1/domains",
            post(|s, r| run(s, r, "admin.domain.add", LITTLE, domains::add))
                .get(|s, r| run(s, r, "admin.domain.list", LITTLE, domains::list)),
        )
        .route(
            "/admin/v1/domains/{host}",
            get(|s, r| run(s, r, "admin.domain.show", LITTLE, domains::show))
                .post(|s, r| run(s, r, "admin.domain.change", LITTLE, domains::change))
                .delete(|s, r| run(s, r, "admin.domain.remove", LITTLE, domains::remove)),
        )
        .route(
            "/admin/v1/zones",
            post(|s, r| run(s, r, "admin.zone.add", LITTLE, zones::add))
                .get(|s, r| run(s, r, "admin.zone.list", LITTLE, zones::list)),
        )
        .route(
            "/admin/v1/zones/{zone}",
            get(|s, r| run(s, r, "admin.zone.show", LITTLE, zones::show))
                .delete(|s, r| run(s, r, "admin.zone.remove", LITTLE, zones::remove)),
        )
        .route(
            "/admin/v1/purges",
            post(|s, r| run(s, r, "admin.purge.submit", MUCH, purges::submit))
                .get(|s, r| run(s, r, "admin.purge.list", LITTLE, purges::list)),
        )
        .route(
            "/admin/v1/purges/{id}",
            get(|s, r| run(s, r, "admin.purge.show", LITTLE, purges::show)),
        )
        .route("/admin/v1/nodes", get(|s, r| run(s, r, "admin.node.list", LITTLE, nodes::list)))
        .route(
            "/admin/v1/tasks",
            post(|s, r| run(s, r, "admin.task.submit", MUCH, tasks::submit))
                .get(|s, r| run(s, r, "admin.task.list", LITTLE, tasks::list)),
        )
        .route(
            "/admin/v1/tasks/{id}",
            get(|s, r| run(s, r, "admin.task.show", LITTLE, tasks::show)),
        )
        .route(
            "/admin/v1/tasks/{id}/targets",
            get(|s, r| run(s, r, "admin.task.targets", LITTLE, tasks::targets)),
        )
        .route(
            "/admin/v1/quota",
            get(|s, r| run(s, r, "admin.quota.show", LITTLE, quota::show))
                .post(|s, r| run(s, r, "admin.quota.set", LITTLE, quota::change)),
        )
        .method_not_allowed_fallback(wrong_method)
}

/// The answer where there is no route.
pub(crate) async fn not_found(State(gateway): State<Gateway>) -> Response<Body> {
    Error::Page.reply(&gateway.request_id())
}

async fn wrong_method(State(gateway): State<Gateway>) -> Response<Body> {
    Error::Method.reply(&gateway.request_id())
}

/// A moment as the API writes it; a moment beyond the calendar becomes its beginning.
fn rfc3339(moment: Timestamp) -> String {
    Moment::from_millisecond(moment.as_millis()).unwrap_or(Moment::UNIX_EPOCH).to_string()
}
