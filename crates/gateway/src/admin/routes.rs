//! Every call of the admin API, in one list: method, path, name in metrics and logs, bound of its
//! content, and what carries it out. The router is made of it, and tests go through it.

use std::pin::Pin;

use axum::{
    Router,
    body::Body,
    extract::State,
    routing::{MethodFilter, on},
};
use http::{Method, Request};

use super::{
    accounts,
    call::{Call, Reply, run},
    check, domains, keys, nodes, ownership, policies, policy_test,
    problem::Error,
    purges, quota, tasks, users, wrong_method, zones,
};
use crate::Gateway;

/// Largest content of a call that carries little.
const LITTLE: usize = 64 * 1024;
/// Largest content of a call that carries a policy, whose quotes are escaped in it.
const POLICY: usize = 128 * 1024;
/// Largest content of a check: a thousand of the longest URLs.
const CHECKED: usize = 8 * 1024 * 1024;
/// Largest content of a call that carries URLs.
const MUCH: usize = 64 * 1024 * 1024;

/// One call.
pub(super) struct Route {
    method: Method,
    /// The whole path: it is signed.
    path: &'static str,
    /// What it is called in metrics and logs.
    pub(super) action: &'static str,
    /// Bytes that its content may have.
    pub(super) limit: usize,
    /// Carries it out.
    pub(super) act: fn(Call) -> Answer,
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
    POST "domains" "domain.add" LITTLE domains::add;
    GET "domains" "domain.list" LITTLE domains::list;
    GET "domains/{host}" "domain.show" LITTLE domains::show;
    POST "domains/{host}" "domain.change" LITTLE domains::change;
    DELETE "domains/{host}" "domain.remove" LITTLE domains::remove;
    POST "domains/{host}/lock" "domain.lock" LITTLE domains::lock;
    DELETE "domains/{host}/lock" "domain.unlock" LITTLE domains::unlock;
    GET "domains/{host}/verification" "domain.record" LITTLE ownership::show;
    POST "domains/{host}/verification" "domain.verify" LITTLE ownership::verify;
    POST "zones" "zone.add" LITTLE zones::add;
    GET "zones" "zone.list" LITTLE zones::list;
    GET "zones/{zone}" "zone.show" LITTLE zones::show;
    DELETE "zones/{zone}" "zone.remove" LITTLE zones::remove;
    POST "purges" "purge.submit" MUCH purges::submit;
    GET "purges" "purge.list" LITTLE purges::list;
    GET "purges/{purge}" "purge.show" LITTLE purges::show;
    POST "check" "check" CHECKED check::check;
    GET "ledger" "ledger.try" LITTLE nodes::try_ledger;
    GET "nodes" "node.list" LITTLE nodes::list;
    POST "tasks" "task.submit" MUCH tasks::submit;
    GET "tasks" "task.list" LITTLE tasks::list;
    GET "tasks/{task}" "task.show" LITTLE tasks::show;
    GET "tasks/{task}/targets" "task.targets" LITTLE tasks::targets;
    GET "quota" "quota.show" LITTLE quota::show;
    POST "quota" "quota.set" LITTLE quota::change;
    POST "quota/day" "quota.day" LITTLE quota::change_day;
    POST "accounts" "account.add" LITTLE accounts::add;
    GET "accounts" "account.list" LITTLE accounts::list;
    GET "accounts/{account}" "account.show" LITTLE accounts::show;
    POST "accounts/{account}" "account.change" LITTLE accounts::change;
    POST "users" "user.add" LITTLE users::add;
    GET "users" "user.list" LITTLE users::list;
    GET "users/{user}" "user.show" LITTLE users::show;
    POST "users/{user}" "user.change" LITTLE users::change;
    DELETE "users/{user}" "user.remove" LITTLE users::remove;
    POST "groups" "group.add" LITTLE users::add_group;
    GET "groups" "group.list" LITTLE users::list_groups;
    GET "groups/{group}" "group.show" LITTLE users::show_group;
    DELETE "groups/{group}" "group.remove" LITTLE users::remove_group;
    POST "groups/{group}/members" "group.join" LITTLE users::join;
    DELETE "groups/{group}/members/{user}" "group.leave" LITTLE users::leave;
    POST "keys" "key.add" LITTLE keys::add;
    GET "keys" "key.list" LITTLE keys::list;
    POST "keys/temporary" "key.issue" POLICY keys::issue;
    GET "keys/temporary" "key.list" LITTLE keys::list_temporary;
    GET "keys/{key}" "key.show" LITTLE keys::show;
    POST "keys/{key}" "key.change" LITTLE keys::change;
    DELETE "keys/{key}" "key.remove" LITTLE keys::remove;
    POST "keys/{key}/rotate" "key.rotate" LITTLE keys::rotate;
    POST "policies" "policy.put" POLICY policies::put;
    GET "policies" "policy.list" LITTLE policies::list;
    GET "policies/{policy}" "policy.show" LITTLE policies::show;
    DELETE "policies/{policy}" "policy.remove" LITTLE policies::remove;
    POST "policies/test" "policy.test" POLICY policy_test::test;
    GET "policies/test" "policy.show" LITTLE policies::show;
    DELETE "policies/test" "policy.remove" LITTLE policies::remove;
    POST "policies/{policy}/attach" "policy.attach" LITTLE policies::attach;
    POST "policies/{policy}/detach" "policy.detach" LITTLE policies::detach;
};

/// The router of all routes.
pub(crate) fn router() -> Router<Gateway> {
    let add = |router: Router<Gateway>, route: &'static Route| {
        let method = MethodFilter::try_from(route.method.clone());
        let method = method.expect("the methods of the list are GET, POST and DELETE");
        let act =
            move |gateway: State<Gateway>, request: Request<Body>| run(gateway, request, route);
        router.route(route.path, on(method, act))
    };
    ROUTES.iter().fold(Router::new(), add).method_not_allowed_fallback(wrong_method)
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
