//! The rules by which a target is accepted, each written once: whose its domain is, in which zone,
//! whether it is online, locked and enabled where asked, and whether there are nodes.
//!
//! Prefetches, purges, children of playlists and checks all judge by these; they differ in which of
//! them they ask. Pure: reads one directory and writes nothing.

use std::sync::Arc;

use stoker_domain::{
    account::AccountId,
    area::{AreaScope, Tier, tier_for},
    domain::Domain,
    host,
    placement::NodeSet,
    setting::Status,
    target::{self, Target},
    zone::ZoneId,
};

use super::SubmitError;
use crate::catalog::Catalog;

/// Whom and where a call is for; its targets are judged by this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    /// The domains as they are at the moment of the call.
    pub(crate) directory: &'a Catalog,
    /// Who asks.
    pub(crate) account: AccountId,
    /// The zone in which domains must be; absent = any, or none.
    pub(crate) zone: Option<&'a ZoneId>,
    /// The areas asked for; absent = each target goes where its own domain is enabled.
    pub(crate) areas: Option<AreaScope>,
}

/// How a refusal names a target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    /// Its place in the list, from 0.
    pub(crate) index: usize,
    /// The host that was asked for.
    pub(crate) host: &'a str,
    /// With this URL.
    pub(crate) url: &'a str,
}

impl<'a> Named<'a> {
    pub(crate) fn of(index: usize, target: &'a Target) -> Self {
        Self { index, host: &target.host, url: &target.url }
    }
}

impl<'a> Rules<'a> {
    /// The domain that answers for a host, if it is the account's. One of another account is answered
    /// like one that does not exist.
    pub(crate) fn owned(
        &self,
        domain: Option<&'a Arc<Domain>>,
        named: Named<'_>,
    ) -> Result<&'a Arc<Domain>, SubmitError> {
        let own = domain.filter(|domain| domain.account == self.account);
        own.ok_or_else(|| {
            let url = named.url.to_owned();
            if host::is_host_name(named.host) {
                SubmitError::DomainUnknown { host: named.host.into(), url }
            } else {
                SubmitError::Url { index: named.index, url, error: target::Error::Host }
            }
        })
    }

    /// As [`Self::owned`], if it is also in the zone that was named, and online.
    pub(crate) fn usable(
        &self,
        domain: Option<&'a Arc<Domain>>,
        named: Named<'_>,
    ) -> Result<&'a Arc<Domain>, SubmitError> {
        let domain = self.owned(domain, named)?;
        if !self.is_in_zone(domain) {
            return Err(SubmitError::OtherZone { host: named.host.into() });
        }
        check_online(domain, named.host)?;
        Ok(domain)
    }

    /// Whether `domain` is in the zone that was named, if one was.
    pub(crate) fn is_in_zone(&self, domain: &Domain) -> bool {
        self.zone.is_none_or(|zone| domain.zone.as_ref() == Some(zone))
    }

    /// The areas to which a target of `domain` goes.
    pub(crate) fn areas(&self, domain: &Domain, host: &str) -> Result<AreaScope, SubmitError> {
        let Some(asked) = self.areas else { return Ok(domain.areas) };
        match asked.areas().iter().find(|area| !domain.areas.contains(**area)) {
            Some(area) => Err(SubmitError::AreaNotEnabled { host: host.into(), area: *area }),
            None => Ok(asked),
        }
    }
}

/// The target that the entry at `index` names.
pub(crate) fn parse(index: usize, url: &str, encode: bool) -> Result<Target, SubmitError> {
    Target::parse(url, encode).map_err(|error| SubmitError::Url { index, url: url.into(), error })
}

/// Whether `domain`, which answers for `host`, is online.
pub(crate) fn check_online(domain: &Domain, host: &str) -> Result<(), SubmitError> {
    match domain.status {
        Status::Online => Ok(()),
        Status::Offline => Err(SubmitError::DomainOffline { host: host.into() }),
    }
}

/// Whether `domain`, which answers for `host`, may be prefetched.
pub(crate) fn check_lock(domain: &Domain, host: &str) -> Result<(), SubmitError> {
    match domain.lock {
        Some(lock) => Err(SubmitError::DomainLocked { host: host.into(), lock }),
        None => Ok(()),
    }
}

/// Whether there are nodes for a prefetch of `areas`.
pub(crate) fn check_nodes(
    directory: &Catalog,
    areas: AreaScope,
    tier: Option<Tier>,
) -> Result<(), SubmitError> {
    for area in areas.areas().iter().copied() {
        let tier = tier_for(area, tier);
        if !directory.fleet().has(area, tier) {
            return Err(SubmitError::NoNode { area, tier });
        }
    }
    Ok(())
}

/// The nodes that must hold `target`.
pub(crate) fn holders(
    directory: &Catalog,
    target: &Target,
    areas: AreaScope,
    tier: Option<Tier>,
) -> NodeSet {
    directory.fleet().holders(target.key(), areas, tier)
}
