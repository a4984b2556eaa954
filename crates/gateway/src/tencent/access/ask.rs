//! What a check goes by, for whoever asks about a call that nobody makes: the names under which an
//! action is allowed, and the tags of a resource.

use stoker_domain::{
    account::Account,
    policy::{Action, Resource},
};

use super::{Rule, Touches, peek};
use crate::{Gateway, tencent::v2};

/// The names under which policies allow an action: one of them suffices, none may be denied. `None`
/// = no policy can allow it.
pub(crate) fn names(action: &Action) -> Option<Vec<Action>> {
    let is_old = |old: &v2::Action| {
        action.service.eq_ignore_ascii_case("cdn") && action.name.eq_ignore_ascii_case(old.name())
    };
    match v2::Action::ALL.into_iter().find(is_old).map(Rule::of_old) {
        None => Some(vec![action.clone()]),
        Some(Rule { touches: Touches::NotForUsers, .. }) => None,
        Some(rule) => Some(rule.actions()),
    }
}

/// The resource with the tags of the domain or the zone that it is, if the account has it.
pub(crate) fn tagged(gateway: &Gateway, account: &Account, resource: Resource) -> Resource {
    let (text, uin) = (resource.to_string(), &account.uin);
    let engine = &gateway.engine;
    let tags = if let Some(host) = text.strip_prefix(&format!("qcs::cdn::uin/{uin}:domain/")) {
        engine.domain_named(account.id, host).map(|domain| peek::domain_tags(&domain))
    } else if let Some(id) = text.strip_prefix(&format!("qcs::teo::uin/{uin}:zone/")) {
        let zone = engine.zone(account.id, id).filter(|zone| zone.id.0 == id);
        zone.map(|zone| peek::zone_tags(&zone))
    } else {
        None
    };
    resource.with_tags(tags.unwrap_or_default())
}
