//! Adding, showing, changing and removing accelerated domains.
//!
//! Each life of a host has a content epoch of its own: what nodes stored for a former owner, or
//! before the content was discarded, is never reused.
//!
//! A host belongs to one account at most, and so does what lies above it and below it: the ledger
//! refuses whatever is related. Checks the name and who may have it; the origin was checked when it was
//! read. Never touches tasks: what runs for a removed domain ends as blocked.

use std::sync::Arc;

use stoker_domain::{
    account::AccountId,
    area::AreaScope,
    domain::{CacheRules, Domain, Lock, Origin, Shield},
    host::{self, normal_name},
    ownership::are_related,
    setting::{Status, VendorSettings},
};
use stoker_ledger::ErrorKind;

use super::{DomainError, ZoneChoice};
use crate::Engine;

/// A domain to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDomain {
    /// Host without port, or a wildcard; in any letter case.
    pub host: String,
    /// Where its content comes from.
    pub origin: Origin,
    /// Areas in which it is served.
    pub areas: AreaScope,
    /// How many middle nodes may speak to the origin.
    pub shield: Shield,
    /// What its cache does where the origin says nothing.
    pub cache: CacheRules,
    /// Whether the owner of the installation adds it for the account, which then has to prove nothing.
    pub is_vouched_for: bool,
}

impl Engine {
    /// Adds a domain to the zone of its registrable domain, online at once, and publishes it.
    ///
    /// # Errors
    /// [`DomainError::InvalidHost`], [`DomainError::Exists`], [`DomainError::Unclaimable`],
    /// [`DomainError::Unverified`], [`DomainError::Taken`], [`DomainError::Related`], [`DomainError::Port`],
    /// [`DomainError::TooMany`], or a failure of the ledger.
    pub async fn add_domain(
        &self,
        account: AccountId,
        new: NewDomain,
    ) -> Result<Domain, DomainError> {
        self.add_domain_to(account, new, ZoneChoice::default(), VendorSettings::new()).await
    }

    /// Adds a domain to the zone of `choice`, with settings that are only kept, online at once, and
    /// publishes it.
    ///
    /// # Errors
    /// Those of [`Self::add_domain`], and [`DomainError::Zone`].
    pub async fn add_domain_to(
        &self,
        account: AccountId,
        new: NewDomain,
        choice: ZoneChoice,
        settings: VendorSettings,
    ) -> Result<Domain, DomainError> {
        let host = normal_name(&new.host);
        if !host::is_new_domain_name(&host) {
            return Err(DomainError::InvalidHost { host: new.host });
        }
        // held over the write, so that a zone cannot go while a domain enters it
        let _turn = self.domain_writes.lock().await;
        if self.domain_named(account, &host).is_some() {
            return Err(DomainError::Exists { host });
        }
        // before looking at what other accounts have: a caller without a proof must not learn of it
        let ownership = self.right_to(account, &host, new.is_vouched_for).await?;
        if self.directory.current().named(&host).is_some() {
            return Err(DomainError::Taken { host });
        }
        if self.is_related(account, &host) {
            return Err(DomainError::Related { host });
        }
        let limit = self.config.max_domains;
        if self.domains(account).len() >= limit {
            return Err(DomainError::TooMany { limit });
        }
        self.check_ports(account, &host, None, &new.origin).await?;
        let zone = self.chosen_zone(account, &host, choice).await?;
        let now = self.clock.now();
        let domain = Domain {
            name: host,
            account,
            origin: new.origin,
            areas: new.areas,
            status: Status::Online,
            shield: new.shield,
            cache: new.cache,
            created_at: now,
            updated_at: now,
            zone,
            content_epoch: self.fresh_epoch(),
            origin_limits: Vec::new(),
            patience_seconds: None,
            settings,
            lock: None,
            ownership,
        };
        if let Err(source) = self.ledger.add_domain(&domain).await {
            return Err(match source.kind {
                ErrorKind::Conflict => DomainError::Related { host: domain.name },
                _ => DomainError::Ledger { host: domain.name, source: source.into() },
            });
        }
        self.directory.put_domain(Arc::new(domain.clone()));
        Ok(domain)
    }

    /// Whether a claim of another account is related to `claim`. The ledger looks again when it is
    /// written; here so that no zone is made for a domain that is refused.
    fn is_related(&self, account: AccountId, claim: &str) -> bool {
        let directory = self.directory.current();
        let mut domains = directory.domains();
        domains.any(|domain| domain.account != account && are_related(&domain.name, claim))
            || self.is_related_to_zone(account, claim)
    }

    /// A content epoch under which no node has stored anything.
    pub fn fresh_epoch(&self) -> u64 {
        self.random().max(1)
    }

    /// The domains of `account`, ordered by host.
    pub fn domains(&self, account: AccountId) -> Vec<Arc<Domain>> {
        let directory = self.directory.current();
        let mut domains: Vec<_> =
            directory.domains().filter(|domain| domain.account == account).cloned().collect();
        domains.sort_by(|a, b| a.name.cmp(&b.name));
        domains
    }

    /// The domain of `account` that answers for `host`.
    pub fn domain(&self, account: AccountId, host: &str) -> Option<Arc<Domain>> {
        self.directory.current().domain(host).filter(|domain| domain.account == account).cloned()
    }

    /// The domain of `account` with this name, be it a host or a wildcard.
    pub fn domain_named(&self, account: AccountId, name: &str) -> Option<Arc<Domain>> {
        self.directory.current().named(name).filter(|domain| domain.account == account).cloned()
    }

    /// The domain of `account` with this name, or else the one that answers for the host.
    pub fn domain_named_or_over(&self, account: AccountId, name: &str) -> Option<Arc<Domain>> {
        self.directory
            .current()
            .named_or_over(name)
            .filter(|domain| domain.account == account)
            .cloned()
    }

    /// The names under which tasks and purges of `hosts` are found: the hosts, and the names of the
    /// wildcards that answer for them.
    pub fn names_of(&self, account: AccountId, hosts: Vec<String>) -> Vec<String> {
        let wildcards: Vec<String> = hosts
            .iter()
            .filter_map(|host| self.domain(account, host))
            .filter(|domain| domain.is_wildcard())
            .map(|domain| domain.name.clone())
            .collect();
        hosts.into_iter().chain(wildcards).collect()
    }

    /// Changes a domain as `change` says, all of it or nothing, and publishes it. Its host, owner
    /// and creation stay.
    ///
    /// # Errors
    /// [`DomainError::Unknown`], [`DomainError::Locked`], [`DomainError::Port`], what `change` refused
    /// with, or a failure of the ledger.
    pub async fn change_domain<E: From<DomainError>>(
        &self,
        account: AccountId,
        host: &str,
        change: impl FnOnce(&mut Domain) -> Result<(), E>,
    ) -> Result<Arc<Domain>, E> {
        let _turn = self.domain_writes.lock().await;
        self.change_in_turn(account, host, change).await
    }

    /// As [`Self::change_domain`], for a caller who holds the turn.
    async fn change_in_turn<E: From<DomainError>>(
        &self,
        account: AccountId,
        host: &str,
        change: impl FnOnce(&mut Domain) -> Result<(), E>,
    ) -> Result<Arc<Domain>, E> {
        let Some(known) = self.domain_named(account, host) else {
            return Err(DomainError::Unknown { host: host.into() }.into());
        };
        check_lock(&known)?;
        let mut changed = Domain::clone(&known);
        change(&mut changed)?;
        self.check_ports(account, host, Some(&known.origin), &changed.origin).await?;
        Ok(self.publish(&known, changed).await?)
    }

    /// Ports at which no web server is expected are for the owner of the installation, or for whom
    /// the owner vouches by allowing private addresses. What was there before is left alone.
    async fn check_ports(
        &self,
        account: AccountId,
        host: &str,
        before: Option<&Origin>,
        origin: &Origin,
    ) -> Result<(), DomainError> {
        let Some(port) = origin.guarded_port(before) else { return Ok(()) };
        let accounts = self.ledger.accounts().await;
        let accounts = accounts
            .map_err(|error| DomainError::Ledger { host: host.into(), source: error.into() })?;
        match accounts.first().is_some_and(|owner| owner.id == account) {
            true => Ok(()),
            false => Err(DomainError::Port { port }),
        }
    }

    /// Writes a changed domain; its host, owner and creation stay.
    async fn publish(&self, known: &Domain, changed: Domain) -> Result<Arc<Domain>, DomainError> {
        let changed = Arc::new(Domain {
            name: known.name.clone(),
            account: known.account,
            created_at: known.created_at,
            updated_at: self.clock.now(),
            ..changed
        });
        if let Err(source) = self.ledger.put_domain(&changed).await {
            return Err(DomainError::Ledger { host: known.name.clone(), source: source.into() });
        }
        self.directory.put_domain(Arc::clone(&changed));
        Ok(changed)
    }

    /// Locks a domain, or lifts its lock: a locked one is neither prefetched nor changed.
    ///
    /// # Errors
    /// [`DomainError::Unknown`], or a failure of the ledger.
    pub async fn lock_domain(
        &self,
        account: AccountId,
        host: &str,
        lock: Option<Lock>,
    ) -> Result<Arc<Domain>, DomainError> {
        let _turn = self.domain_writes.lock().await;
        let Some(known) = self.domain_named(account, host) else {
            return Err(DomainError::Unknown { host: host.into() });
        };
        self.publish(&known, Domain { lock, ..Domain::clone(&known) }).await
    }

    /// Puts a domain into another zone, or out of all.
    ///
    /// # Errors
    /// [`DomainError::Unknown`], [`DomainError::Zone`], or a failure of the ledger.
    pub async fn move_domain(
        &self,
        account: AccountId,
        host: &str,
        choice: ZoneChoice,
    ) -> Result<Arc<Domain>, DomainError> {
        // held over both, so that the zone cannot be removed in between
        let _turn = self.domain_writes.lock().await;
        let zone = self.chosen_zone(account, host, choice).await?;
        let put = |domain: &mut Domain| {
            domain.zone = zone;
            Ok(())
        };
        self.change_in_turn(account, host, put).await
    }

    /// Removes a domain and publishes that.
    ///
    /// # Errors
    /// [`DomainError::Unknown`] when the account does not have it, [`DomainError::Locked`], or a failure of
    /// the ledger.
    pub async fn remove_domain(&self, account: AccountId, host: &str) -> Result<(), DomainError> {
        let _turn = self.domain_writes.lock().await;
        let Some(domain) = self.domain_named(account, host) else {
            return Err(DomainError::Unknown { host: host.into() });
        };
        check_lock(&domain)?;
        match self.ledger.remove_domain(&domain.name).await {
            Ok(_) => {
                self.directory.remove_domain(&domain.name);
                Ok(())
            }
            Err(source) => {
                Err(DomainError::Ledger { host: domain.name.clone(), source: source.into() })
            }
        }
    }
}

fn check_lock(domain: &Domain) -> Result<(), DomainError> {
    match domain.lock {
        Some(lock) => Err(DomainError::Locked { host: domain.name.clone(), lock }),
        None => Ok(()),
    }
}
