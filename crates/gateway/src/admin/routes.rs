//! Every call of the admin API, in one list: method, path, name in metrics and logs, bound of its
//! content, and what carries it out. The router is made of it, and tests go through it.

use std::pin::Pin;

use axum::{
    Router,
    body::Body,
    extract::State,
    routing::{MethodFilter, on},
};
use http::{Method, Request, Response};

use super::{
    accounts,
    call::{Call, Reply, run},
    check, domains, keys, nodes, ownership, policies, policy_check,
    problem::Error,
    purges, quota, tasks, users, zones,
};
use crate::Gateway;

/// Largest content of a call that carries little.
const SMALL_BODY: usize = 64 * 1024;
/// Largest content of a call that carries a policy, whose quotes are escaped in it.
const POLICY_BODY: usize = 128 * 1024;
/// Largest content of a check: a thousand of the longest URLs.
const CHECK_BODY: usize = 8 * 1024 * 1024;
/// Largest content of a call that carries URLs.
const LARGE_BODY: usize = 64 * 1024 * 1024;

/// One call.
struct Route {
    method: Method,
    /// The whole path: it is signed.
    path: &'static str,
    /// What it is called in metrics and logs.
    action: &'static str,
    /// Bytes that its content may have.
    limit: usize,
    /// Carries it out.
    act: fn(Call) -> Answer,
}

/// What becomes of a call.
type Answer = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

macro_rules! routes {
    ($($method:ident $path:literal $action:literal $limit:ident $act:path;)+) => {
        &[$(Route {
            method: Method::$method,
            path: concat!("/admin/v1/", $path),
            action: concat!("admin.", $action),
            limit: $limit,
            act: |call| Box::pin($act(call)),
        }),+]
    };
}

static ROUTES: &[Route] = routes! {
    POST "domains" "domain.add" SMALL_BODY domains::add;
    GET "domains" "domain.list" SMALL_BODY domains::list;
    GET "domains/{host}" "domain.show" SMALL_BODY domains::show;
    POST "domains/{host}" "domain.change" SMALL_BODY domains::change;
    DELETE "domains/{host}" "domain.remove" SMALL_BODY domains::remove;
    POST "domains/{host}/lock" "domain.lock" SMALL_BODY domains::lock;
    DELETE "domains/{host}/lock" "domain.unlock" SMALL_BODY domains::unlock;
    GET "domains/{host}/verification" "domain.record" SMALL_BODY ownership::show;
    POST "domains/{host}/verification" "domain.verify" SMALL_BODY ownership::verify;
    POST "zones" "zone.add" SMALL_BODY zones::add;
    GET "zones" "zone.list" SMALL_BODY zones::list;
    GET "zones/{zone}" "zone.show" SMALL_BODY zones::show;
    DELETE "zones/{zone}" "zone.remove" SMALL_BODY zones::remove;
    POST "purges" "purge.submit" LARGE_BODY purges::submit;
    GET "purges" "purge.list" SMALL_BODY purges::list;
    GET "purges/{purge}" "purge.show" SMALL_BODY purges::show;
    POST "check" "check" CHECK_BODY check::check;
    GET "ledger" "ledger.try" SMALL_BODY nodes::try_ledger;
    GET "nodes" "node.list" SMALL_BODY nodes::list;
    POST "tasks" "task.submit" LARGE_BODY tasks::submit;
    GET "tasks" "task.list" SMALL_BODY tasks::list;
    GET "tasks/{task}" "task.show" SMALL_BODY tasks::show;
    POST "tasks/{task}/cancel" "task.cancel" SMALL_BODY tasks::cancel;
    POST "tasks/{task}/pause" "task.pause" SMALL_BODY tasks::pause;
    POST "tasks/{task}/resume" "task.resume" SMALL_BODY tasks::resume;
    POST "tasks/{task}/retry" "task.retry" SMALL_BODY tasks::retry;
    GET "tasks/{task}/targets" "task.targets" SMALL_BODY tasks::targets;
    GET "quota" "quota.show" SMALL_BODY quota::show;
    POST "quota" "quota.set" SMALL_BODY quota::change;
    POST "quota/day" "quota.day" SMALL_BODY quota::change_day;
    POST "accounts" "account.add" SMALL_BODY accounts::add;
    GET "accounts" "account.list" SMALL_BODY accounts::list;
    GET "accounts/{account}" "account.show" SMALL_BODY accounts::show;
    POST "accounts/{account}" "account.change" SMALL_BODY accounts::change;
    POST "users" "user.add" SMALL_BODY users::add;
    GET "users" "user.list" SMALL_BODY users::list;
    GET "users/{user}" "user.show" SMALL_BODY users::show;
    POST "users/{user}" "user.change" SMALL_BODY users::change;
    DELETE "users/{user}" "user.remove" SMALL_BODY users::remove;
    POST "groups" "group.add" SMALL_BODY users::add_group;
    GET "groups" "group.list" SMALL_BODY users::list_groups;
    GET "groups/{group}" "group.show" SMALL_BODY users::show_group;
    DELETE "groups/{group}" "group.remove" SMALL_BODY users::remove_group;
    POST "groups/{group}/members" "group.join" SMALL_BODY users::join;
    DELETE "groups/{group}/members/{user}" "group.leave" SMALL_BODY users::leave;
    POST "keys" "key.add" SMALL_BODY keys::add;
    GET "keys" "key.list" SMALL_BODY keys::list;
    POST "keys/temporary" "key.issue" POLICY_BODY keys::issue;
    GET "keys/temporary" "key.list" SMALL_BODY keys::list_temporary;
    GET "keys/{key}" "key.show" SMALL_BODY keys::show;
    POST "keys/{key}" "key.change" SMALL_BODY keys::change;
    DELETE "keys/{key}" "key.remove" SMALL_BODY keys::remove;
    POST "keys/{key}/rotate" "key.rotate" SMALL_BODY keys::rotate;
    POST "policies" "policy.put" POLICY_BODY policies::put;
    GET "policies" "policy.list" SMALL_BODY policies::list;
    GET "policies/{policy}" "policy.show" SMALL_BODY policies::show;
    DELETE "policies/{policy}" "policy.remove" SMALL_BODY policies::remove;
    POST "policies/test" "policy.test" POLICY_BODY policy_check::test;
    GET "policies/test" "policy.show" SMALL_BODY policies::show;
    DELETE "policies/test" "policy.remove" SMALL_BODY policies::remove;
    POST "policies/{policy}/attach" "policy.attach" SMALL_BODY policies::attach;
    POST "policies/{policy}/detach" "policy.detach" SMALL_BODY policies::detach;
};

/// The router of all routes.
pub(crate) fn router() -> Router<Gateway> {
    let add = |router: Router<Gateway>, route: &'static Route| {
        let method = MethodFilter::try_from(route.method.clone());
        let method = method.expect("the methods of the list are GET, POST and DELETE");
        let act = move |State(gateway): State<Gateway>, request: Request<Body>| {
            run(gateway, request, (route.action, route.limit), route.act)
        };
        router.route(route.path, on(method, act))
    };
    ROUTES.iter().fold(Router::new(), add).method_not_allowed_fallback(wrong_method)
}

/// The answer where there is no route.
pub(crate) async fn not_found(State(gateway): State<Gateway>) -> Response<Body> {
    Error::Page.reply(&gateway.request_id())
}

async fn wrong_method(State(gateway): State<Gateway>) -> Response<Body> {
    Error::Method.reply(&gateway.request_id())
}

/// Every call of the admin API as its method and its path, with `{…}` where a name stands: what
/// tests and documents must not leave out.
pub fn calls() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(|route| (route.method.as_str(), route.path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_call_is_listed_once_and_stands_in_the_reference() {
        let reference = include_str!("../../../../docs/reference/admin-api.md");
        let all: BTreeSet<_> = calls().collect();
        assert_eq!(all.len(), ROUTES.len());
        for (method, path) in all {
            // a policy may be called so
            let is_odd = path.ends_with("/test") && method != "POST";
            let names = path.replace("{key}", "{secret_id}").replace("{account}", "{uin}");
            let names = names.replace("s/{purge}", "s/{id}").replace("s/{task}", "s/{id}");
            assert!(
                is_odd || reference.contains(&format!("`{method} {names}`")),
                "{method} {path}"
            );
        }
    }
}
