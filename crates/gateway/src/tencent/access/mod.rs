//! Whether a caller may do what a call asks for: looked at after the parameters were
//! read and before the action runs.
//!
//! A [`Rule`] tells what an action touches; what the call touches is read from its parameters, which
//! stay as they are. What cannot be read there touches nothing: the action refuses it in its own
//! words. A query that names nothing shows what the caller may see, its [`Scope`]. Keys of the root user
//! may do everything, unless a session's policy narrows them.

mod peek;
mod rule;
pub(super) mod tags;

use std::slice;

use http::request::Parts;
use stoker_domain::policy::{Action, Call, Context, Decision, Resource, denies_somewhere};
use stoker_engine::Caller;

pub(crate) use self::rule::{Kind, Refused, Rule, Touches};
use super::{common::Scope, params::Params};
use crate::{Gateway, auth::address};

/// Checks the call against `rule`; what its caller may be shown.
///
/// # Errors
/// The first thing that the call touches and its caller may not.
pub(crate) fn check(
    gateway: &Gateway,
    caller: &Caller,
    parts: &Parts,
    rule: &Rule,
    params: &Params,
) -> Result<Scope, Box<Refused>> {
    if caller.user.is_none() && caller.session.is_none() {
        return Ok(Scope::Everything);
    }
    let identity = caller.identity();
    let context = Context::of_call(&identity, gateway.clock.now(), address(parts))
        .with_request_tags(tags::of_request(params));
    Check { gateway, caller, rule, actions: rule.actions(), context }.run(params)
}

/// One call whose caller is bound by policies.
struct Check<'a> {
    gateway: &'a Gateway,
    caller: &'a Caller,
    rule: &'a Rule,
    /// Names under which policies allow the action: one of them suffices, none may be denied.
    actions: Vec<Action>,
    context: Context,
}

impl Check<'_> {
    /// What the call may show.
    fn run(&self, params: &Params) -> Result<Scope, Box<Refused>> {
        match self.rule.touches {
            Touches::Nothing => self.need(None)?,
            Touches::NotForUsers => return Err(self.refused(Kind::User, None, None)),
            Touches::Urls(name) => {
                self.need_each(peek::hosts(params, name).iter().map(|host| self.domain_of(host)))?;
                if self.follows_playlists(params) {
                    return Ok(self.allowed(self.hosts(), |host| self.domain(host)).0);
                }
            }
            Touches::Domain(name) => {
                self.need_each(peek::domain(params, name).iter().map(|host| self.domain(host)))?;
            }
            Touches::Domains(names) => {
                let named = names.iter().flat_map(|name| peek::named_hosts(params, name));
                self.need_each(named.map(|host| self.domain_of(&host)))?;
                return self.visible(self.hosts(), |host| self.domain(host));
            }
            Touches::Zone => match peek::zone(params) {
                Some(peek::EVERY_ZONE) => self.need_each(self.every_zone())?,
                zone => {
                    self.need_each(zone.iter().map(|id| self.zone(id)))?;
                    if self.follows_playlists(params) {
                        return Ok(self.allowed(self.zones(), |id| self.zone(id)).0);
                    }
                }
            },
            Touches::Zones => {
                return match peek::zone(params) {
                    Some(id) if id != peek::EVERY_ZONE => {
                        self.need(Some(&self.zone(id)))?;
                        Ok(Scope::Only(vec![id.into()]))
                    }
                    _ => self.visible(self.zones(), |id| self.zone(id)),
                };
            }
        }
        Ok(Scope::Everything)
    }

    /// Whether the call asks for what playlists lead to. The value of the parameter is the action's to
    /// judge; that it is there suffices to look where playlists may lead.
    fn follows_playlists(&self, params: &Params) -> bool {
        self.rule.playlists.is_some_and(|name| params.has(name))
    }

    /// Every one must be allowed. Where there is none, the action itself finds out that its
    /// parameter is missing; only those who may use it somewhere learn that.
    fn need_each(&self, resources: impl IntoIterator<Item = Resource>) -> Result<(), Box<Refused>> {
        let mut is_empty = true;
        for resource in resources {
            self.need(Some(&resource))?;
            is_empty = false;
        }
        if is_empty && !self.may_somewhere() {
            return Err(self.refused(Kind::Action, None, None));
        }
        Ok(())
    }

    fn need(&self, resource: Option<&Resource>) -> Result<(), Box<Refused>> {
        self.decide(resource).map_err(|by| self.refused(self.kind(), resource, by))
    }

    /// Whether it is allowed; otherwise the statement that denies it, if there is one.
    fn decide(&self, resource: Option<&Resource>) -> Result<(), Option<String>> {
        let mut is_allowed = false;
        for action in &self.actions {
            let resources = resource.map_or(&[][..], slice::from_ref);
            let call = Call { action, resources, context: &self.context };
            match self.caller.decide(&call) {
                Decision::Denied { policy, statement, .. } => {
                    return Err(Some(format!("statement {statement} of policy `{policy}`")));
                }
                decision => is_allowed |= decision.is_allowed(),
            }
        }
        if is_allowed { Ok(()) } else { Err(None) }
    }

    /// Those of `all` that may be seen; a refusal where there are none.
    fn visible(
        &self,
        all: Vec<String>,
        resource: impl Fn(&str) -> Resource,
    ) -> Result<Scope, Box<Refused>> {
        let (scope, has_hidden) = self.allowed(all, &resource);
        let sees_nothing = scope.names().is_some_and(<[String]>::is_empty);
        if sees_nothing && (has_hidden || !self.may_somewhere()) {
            return Err(self.refused(self.kind(), Some(&resource("*")), None));
        }
        Ok(scope)
    }

    /// Those of `all` on which the action is allowed, and whether there are others.
    fn allowed(&self, all: Vec<String>, resource: impl Fn(&str) -> Resource) -> (Scope, bool) {
        let (seen, hidden): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|name| self.decide(Some(&resource(name))).is_ok());
        // a statement may deny what is in the records and no longer in the account
        let is_all = hidden.is_empty() && self.decide(None).is_ok() && !self.is_denied_somewhere();
        let scope = if is_all { Scope::Everything } else { Scope::Only(seen) };
        (scope, !hidden.is_empty())
    }

    fn hosts(&self) -> Vec<String> {
        let domains = self.gateway.engine.domains(self.caller.account.id);
        domains.iter().map(|domain| domain.name.clone()).collect()
    }

    fn zones(&self) -> Vec<String> {
        let zones = self.gateway.engine.zones(self.caller.account.id);
        zones.iter().map(|zone| zone.id.0.clone()).collect()
    }

    fn may_somewhere(&self) -> bool {
        self.actions.iter().any(|action| self.caller.may_somewhere(action))
    }

    fn is_denied_somewhere(&self) -> bool {
        let identity = self.caller.identity();
        let policies = || self.caller.policies.iter().chain(self.caller.session.as_deref());
        self.actions.iter().any(|action| denies_somewhere(policies(), &identity, action))
    }

    fn kind(&self) -> Kind {
        if self.may_somewhere() { Kind::Resource } else { Kind::Action }
    }

    fn refused(&self, kind: Kind, resource: Option<&Resource>, by: Option<String>) -> Box<Refused> {
        Box::new(Refused {
            kind,
            action: self.actions[0].to_string(),
            resource: resource.map_or_else(|| "*".into(), Resource::to_string),
            codes: self.rule.codes,
            denied_by: by,
        })
    }

    /// The domain that answers for `host`, under its own name.
    fn domain_of(&self, host: &str) -> Resource {
        let domain = self.gateway.engine.domain(self.caller.account.id, host);
        self.domain(domain.as_ref().map_or(host, |domain| &domain.name))
    }

    fn domain(&self, host: &str) -> Resource {
        let account = &self.caller.account;
        let domain = self.gateway.engine.domain_named(account.id, host);
        let tags = domain.map(|domain| tags::of_domain(&domain)).unwrap_or_default();
        Resource::new("cdn", &account.uin, &format!("domain/{host}")).with_tags(tags)
    }

    fn zone(&self, id: &str) -> Resource {
        let account = &self.caller.account;
        let zone = self.gateway.engine.zone(account.id, id).filter(|zone| zone.id.0 == id);
        let tags = zone.map(|zone| tags::of_zone(&zone)).unwrap_or_default();
        Resource::new("teo", &account.uin, &format!("zone/{id}")).with_tags(tags)
    }

    /// All zones. Domains may lie outside of all of them: only who may use every zone that there
    /// could be may use those.
    fn every_zone(&self) -> Vec<Resource> {
        let account = self.caller.account.id;
        let zones = self.gateway.engine.zones(account);
        let domains = self.gateway.engine.domains(account);
        let has_outside = domains.iter().any(|domain| domain.zone.is_none());
        let rest = has_outside || zones.is_empty();
        let zones = zones.iter().map(|zone| self.zone(&zone.id.0));
        zones.chain(rest.then(|| self.zone(peek::EVERY_ZONE))).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
