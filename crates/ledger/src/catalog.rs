//! What accounts serve: domains, zones, and who owns a name.

use async_trait::async_trait;
use stoker_domain::{
    account::AccountId,
    domain::Domain,
    ownership::{Proof, VerificationRecord},
    zone::{Zone, ZoneId},
};

use crate::Error;

/// Everything about domains and zones.
pub trait Catalog: Domains + Zones + Ownership {}

impl<L: Domains + Zones + Ownership> Catalog for L {}

/// Domains of all accounts.
#[async_trait]
pub trait Domains: Send + Sync {
    /// Adds a domain.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when there is one with this host, or when a domain of another account,
    /// or a zone that another account claims, is related to it
    /// ([`stoker_domain::ownership::are_related`]).
    async fn add_domain(&self, domain: &Domain) -> Result<(), Error>;
    /// Creates or replaces the domain with this host, whoever owns it: the caller has checked.
    async fn put_domain(&self, domain: &Domain) -> Result<(), Error>;
    /// All domains of all accounts, ordered by host.
    async fn domains(&self) -> Result<Vec<Domain>, Error>;
    /// Removes a domain; whether it was there. Records and proofs of its account that are related to
    /// its host end with it.
    async fn remove_domain(&self, host: &str) -> Result<bool, Error>;
}

/// Zones: groups of the domains of an account.
#[async_trait]
pub trait Zones: Send + Sync {
    /// Creates or replaces the zone with this id.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when it is claimed and related to a claim of another account.
    async fn put_zone(&self, zone: &Zone) -> Result<(), Error>;
    /// All zones of all accounts, ordered by id.
    async fn zones(&self) -> Result<Vec<Zone>, Error>;
    /// Removes a zone; whether it was there. Domains in it are not touched: the caller has checked.
    async fn remove_zone(&self, id: &ZoneId) -> Result<bool, Error>;
}

/// What accounts are to publish to own a name, and what they have proved.
#[async_trait]
pub trait Ownership: Send + Sync {
    /// Writes what an account is to publish for a name, unless it has such a record that has not
    /// expired when the new one is created: then that stays and is returned. Nothing when the account
    /// has `most` others.
    async fn put_ownership_record(
        &self,
        new: &VerificationRecord,
        most: u32,
    ) -> Result<Option<VerificationRecord>, Error>;
    /// What an account is to publish, expired ones among it, by name.
    async fn ownership_records(&self, account: AccountId)
    -> Result<Vec<VerificationRecord>, Error>;
    /// Writes a proof in place of the older one of its account, name and method. Of more than `most`
    /// of the account those that expire first go.
    async fn put_ownership_proof(&self, proof: &Proof, most: u32) -> Result<(), Error>;
    /// What an account has proved, expired ones among it, by name and method.
    async fn ownership_proofs(&self, account: AccountId) -> Result<Vec<Proof>, Error>;
}
