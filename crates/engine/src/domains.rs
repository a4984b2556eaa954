//! Adding, showing and removing accelerated domains.
//!
//! A host belongs to one account at most. Checks the name and the owner; the origin was checked
//! when it was read. Never touches tasks: what runs for a removed domain ends as blocked.

use std::sync::Arc;

use stoker_domain::{
    account::AccountId,
    area::AreaScope,
    domain::{CacheRules, Domain, Origin, Shield, Status},
    target::is_host,
};

use crate::{DomainError, Engine};

/// A domain to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDomain {
    /// Host without port, in any letter case.
    pub host: String,
    /// Where its content comes from.
    pub origin: Origin,
    /// Areas in which it is served.
    pub areas: AreaScope,
    /// How many middle nodes may speak to the origin.
    pub shield: Shield,
    /// What its cache does where the origin says nothing.
    pub cache: CacheRules,
}

impl Engine {
    /// Adds a domain, online at once, and publishes it.
    ///
    /// # Errors
    /// [`DomainError::InvalidHost`], [`DomainError::Exists`], or what the ledger said.
    pub async fn add_domain(
        &self,
        account: AccountId,
        new: NewDomain,
    ) -> Result<Domain, DomainError> {
        let host = new.host.to_ascii_lowercase();
        if !is_host(&host) {
            return Err(DomainError::InvalidHost { host: new.host });
        }
        // held over the write, so that two callers cannot both find the host free
        let _turn = self.domain_writes.lock().await;
        if self.board.now().domains.contains_key(&host) {
            return Err(DomainError::Exists { host });
        }
        let now = self.clock.now();
        let domain = Domain {
            host,
            account,
            origin: new.origin,
            areas: new.areas,
            status: Status::Online,
            shield: new.shield,
            cache: new.cache,
            created_at: now,
            updated_at: now,
        };
        if let Err(source) = self.ledger.put_domain(&domain).await {
            return Err(DomainError::Ledger { host: domain.host, source });
        }
        self.board.put_domain(Arc::new(domain.clone()));
        Ok(domain)
    }

    /// The domains of `account`, ordered by host.
    pub fn domains(&self, account: AccountId) -> Vec<Arc<Domain>> {
        let directory = self.board.now();
        let mut domains: Vec<_> = directory
            .domains
            .values()
            .filter(|domain| domain.account == account)
            .cloned()
            .collect();
        domains.sort_by(|a, b| a.host.cmp(&b.host));
        domains
    }

    /// The domain of `account` that answers for `host`.
    pub fn domain(&self, account: AccountId, host: &str) -> Option<Arc<Domain>> {
        self.board.now().domain(host).filter(|domain| domain.account == account).cloned()
    }

    /// Removes a domain and publishes that.
    ///
    /// # Errors
    /// [`DomainError::Unknown`] when the account does not have it, or what the ledger said.
    pub async fn remove_domain(&self, account: AccountId, host: &str) -> Result<(), DomainError> {
        let _turn = self.domain_writes.lock().await;
        let Some(domain) = self.domain(account, host) else {
            return Err(DomainError::Unknown { host: host.into() });
        };
        match self.ledger.remove_domain(&domain.host).await {
            Ok(_) => {
                self.board.remove_domain(&domain.host);
                Ok(())
            }
            Err(source) => Err(DomainError::Ledger { host: domain.host.clone(), source }),
        }
    }
}
