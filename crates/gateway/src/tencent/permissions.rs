//! What the check of a call goes by, for the admin API's test of policies, which makes no call: the
//! names under which policies allow an action, and the tags of a resource.

use stoker_domain::{
    account::Account,
    policy::{Action, Resource},
};

use super::{access::tags, v2};
use crate::Gateway;

/// The names under which policies allow an action: one of them suffices, none may be denied. `None`
/// = no policy can allow it.
pub(crate) fn names(action: &Action) -> Option<Vec<Action>> {
    let is_named = |of_v2: &v2::Action| {
        let name = of_v2.name();
        action.service.eq_ignore_ascii_case("cdn") && action.name.eq_ignore_ascii_case(name)
    };
    match v2::Action::ALL.into_iter().find(is_named).map(v2::rule) {
        None => Some(vec![action.clone()]),
        Some(rule) => Some(rule.actions()).filter(|_| !rule.is_root_only()),
    }
}

/// The resource with the tags of the domain or the zone that it is, if the account has it.
pub(crate) fn tagged(gateway: &Gateway, account: &Account, resource: Resource) -> Resource {
    let (text, uin) = (resource.to_string(), &account.uin);
    let engine = &gateway.engine;
    let tags = if let Some(host) = text.strip_prefix(&format!("qcs::cdn::uin/{uin}:domain/")) {
        engine.domain_named(account.id, host).map(|domain| tags::of_domain(&domain))
    } else if let Some(id) = text.strip_prefix(&format!("qcs::teo::uin/{uin}:zone/")) {
        let zone = engine.zone(account.id, id).filter(|zone| zone.id.0 == id);
        zone.map(|zone| tags::of_zone(&zone))
    } else {
        None
    };
    resource.with_tags(tags.unwrap_or_default())
}
