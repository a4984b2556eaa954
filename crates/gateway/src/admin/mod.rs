//! The admin API under `/admin/v1`: domains, zones, nodes, tasks, quota, users, keys and policies of
//! the account that signs, and for the owner of the installation the accounts themselves.
//!
//! Calls are signed as `signature` says and taken once (`once`). The command line is a client of it and can do nothing that this API cannot.

mod accounts;
pub mod api;
mod call;
mod check;
mod domains;
mod keys;
mod nodes;
pub(crate) mod once;
mod policies;
mod policy_test;
mod problem;
mod purges;
mod quota;
mod reach;
mod signature;
mod tasks;
mod users;
mod zones;

use axum::{
    Router,
    body::Body,
    extract::State,
    routing::{delete, get, post},
};
use http::Response;
use jiff::Timestamp as Moment;
use stoker_domain::time::Timestamp;

pub use signature::OutgoingCall;

use self::{call::run, problem::Error};
use crate::Gateway;

/// Largest content of a call that carries little.
const LITTLE: usize = 64 * 1024;
/// Largest content of a call that carries a policy, whose quotes are escaped in it.
const POLICY: usize = 128 * 1024;
/// Largest content of a check: a thousand of the longest URLs.
const CHECKED: usize = 8 * 1024 * 1024;
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
            "/admin/v1/domains/{host}/lock",
            post(|s, r| run(s, r, "admin.domain.lock", LITTLE, domains::lock))
                .delete(|s, r| run(s, r, "admin.domain.unlock", LITTLE, domains::unlock)),
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
        .route("/admin/v1/check", post(|s, r| run(s, r, "admin.check", CHECKED, check::check)))
        .route(
            "/admin/v1/ledger",
            get(|s, r| run(s, r, "admin.ledger.try", LITTLE, nodes::try_ledger)),
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
        .route(
            "/admin/v1/quota/day",
            post(|s, r| run(s, r, "admin.quota.day", LITTLE, quota::change_day)),
        )
        .merge(accounts_and_users())
        .merge(keys_and_policies())
        .method_not_allowed_fallback(wrong_method)
}

fn accounts_and_users() -> Router<Gateway> {
    Router::new()
        .route(
            "/admin/v1/accounts",
            post(|s, r| run(s, r, "admin.account.add", LITTLE, accounts::add))
                .get(|s, r| run(s, r, "admin.account.list", LITTLE, accounts::list)),
        )
        .route(
            "/admin/v1/accounts/{uin}",
            get(|s, r| run(s, r, "admin.account.show", LITTLE, accounts::show))
                .post(|s, r| run(s, r, "admin.account.change", LITTLE, accounts::change)),
        )
        .route(
            "/admin/v1/users",
            post(|s, r| run(s, r, "admin.user.add", LITTLE, users::add))
                .get(|s, r| run(s, r, "admin.user.list", LITTLE, users::list)),
        )
        .route(
            "/admin/v1/users/{user}",
            get(|s, r| run(s, r, "admin.user.show", LITTLE, users::show))
                .post(|s, r| run(s, r, "admin.user.change", LITTLE, users::change))
                .delete(|s, r| run(s, r, "admin.user.remove", LITTLE, users::remove)),
        )
        .route(
            "/admin/v1/groups",
            post(|s, r| run(s, r, "admin.group.add", LITTLE, users::add_group))
                .get(|s, r| run(s, r, "admin.group.list", LITTLE, users::list_groups)),
        )
        .route(
            "/admin/v1/groups/{group}",
            get(|s, r| run(s, r, "admin.group.show", LITTLE, users::show_group))
                .delete(|s, r| run(s, r, "admin.group.remove", LITTLE, users::remove_group)),
        )
        .route(
            "/admin/v1/groups/{group}/members",
            post(|s, r| run(s, r, "admin.group.join", LITTLE, users::join)),
        )
        .route(
            "/admin/v1/groups/{group}/members/{user}",
            delete(|s, r| run(s, r, "admin.group.leave", LITTLE, users::leave)),
        )
}

fn keys_and_policies() -> Router<Gateway> {
    Router::new()
        .route(
            "/admin/v1/keys",
            post(|s, r| run(s, r, "admin.key.add", LITTLE, keys::add))
                .get(|s, r| run(s, r, "admin.key.list", LITTLE, keys::list)),
        )
        .route(
            "/admin/v1/keys/temporary",
            get(|s, r| run(s, r, "admin.key.list", LITTLE, keys::list_temporary))
                .post(|s, r| run(s, r, "admin.key.issue", POLICY, keys::issue)),
        )
        .route(
            "/admin/v1/keys/{key}",
            get(|s, r| run(s, r, "admin.key.show", LITTLE, keys::show))
                .post(|s, r| run(s, r, "admin.key.change", LITTLE, keys::change))
                .delete(|s, r| run(s, r, "admin.key.remove", LITTLE, keys::remove)),
        )
        .route(
            "/admin/v1/keys/{key}/rotate",
            post(|s, r| run(s, r, "admin.key.rotate", LITTLE, keys::rotate)),
        )
        .route(
            "/admin/v1/policies",
            post(|s, r| run(s, r, "admin.policy.put", POLICY, policies::put))
                .get(|s, r| run(s, r, "admin.policy.list", LITTLE, policies::list)),
        )
        .route(
            "/admin/v1/policies/{policy}",
            get(|s, r| run(s, r, "admin.policy.show", LITTLE, policies::show))
                .delete(|s, r| run(s, r, "admin.policy.remove", LITTLE, policies::remove)),
        )
        .route(
            "/admin/v1/policies/test",
            post(|s, r| run(s, r, "admin.policy.test", POLICY, policy_test::test))
                .get(|s, r| run(s, r, "admin.policy.show", LITTLE, policies::show))
                .delete(|s, r| run(s, r, "admin.policy.remove", LITTLE, policies::remove)),
        )
        .route(
            "/admin/v1/policies/{policy}/attach",
            post(|s, r| run(s, r, "admin.policy.attach", LITTLE, policies::attach)),
        )
        .route(
            "/admin/v1/policies/{policy}/detach",
            post(|s, r| run(s, r, "admin.policy.detach", LITTLE, policies::detach)),
        )
}

/// The answer where there is no route.
pub(crate) async fn not_found(State(gateway): State<Gateway>) -> Response<Body> {
    Error::Page.reply(&gateway.request_id())
}

async fn wrong_method(State(gateway): State<Gateway>) -> Response<Body> {
    Error::Method.reply(&gateway.request_id())
}

/// A moment as the API writes it, always to the millisecond, so that texts sort as moments do; a
/// moment beyond the calendar becomes its beginning.
fn rfc3339(moment: Timestamp) -> String {
    let moment = Moment::from_millisecond(moment.as_millis()).unwrap_or(Moment::UNIX_EPOCH);
    format!("{moment:.3}")
}
