//! Adding, showing and removing zones, and choosing the one that a domain belongs to.
//!
//! A zone's name is unique within its account. Domains name their zone; a zone with domains is not
//! removed. VendorSettings in memory and in the ledger; written under the same turn as domains, so that a
//! zone cannot vanish while a domain enters it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use stoker_domain::{
    account::AccountId,
    area::AreaScope,
    host::is_host_name,
    ownership::{Ownership, are_related, registrable},
    setting::{Status, VendorSettings},
    zone::{Zone, ZoneId},
};
use stoker_ledger::ErrorKind;

use super::ZoneError;
use crate::{Engine, Error, names::short};

/// A zone to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewZone {
    /// A host name or a word of letters, digits, `-` and `.`, in any letter case.
    pub name: String,
    /// Areas that it is made for.
    pub area: AreaScope,
    /// Settings that are stored and answered back.
    pub settings: VendorSettings,
}

/// The zone that a domain is put into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ZoneChoice {
    /// That of its registrable domain, made if absent; none for `localhost` and IP literals.
    #[default]
    Registrable,
    /// The one with this name, made if absent.
    Named(String),
    /// This one, which must be there.
    Existing(ZoneId),
    /// None.
    Outside,
}

/// All zones. A std mutex, never held across an await.
#[derive(Debug, Default)]
pub(crate) struct Zones(Mutex<BTreeMap<ZoneId, Arc<Zone>>>);

impl Zones {
    pub(crate) fn new(zones: Vec<Zone>) -> Self {
        Self(Mutex::new(zones.into_iter().map(|zone| (zone.id.clone(), zone.into())).collect()))
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<ZoneId, Arc<Zone>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Engine {
    /// The zones of `account`, ordered by name.
    pub fn zones(&self, account: AccountId) -> Vec<Arc<Zone>> {
        let mut zones: Vec<_> = self
            .zones
            .with(|all| all.values().filter(|zone| zone.account == account).cloned().collect());
        zones.sort_by(|a: &Arc<Zone>, b| a.name.cmp(&b.name));
        zones
    }

    /// The zone of `account` with this id or, failing that, this name.
    pub fn zone(&self, account: AccountId, id_or_name: &str) -> Option<Arc<Zone>> {
        let zones = self.zones(account);
        zones
            .iter()
            .find(|zone| zone.id.0 == id_or_name)
            .or_else(|| zones.iter().find(|zone| zone.name.eq_ignore_ascii_case(id_or_name)))
            .cloned()
    }

    /// Adds a zone. It claims its name for the account, if that may: otherwise others may have hosts
    /// below it.
    ///
    /// # Errors
    /// [`ZoneError::InvalidName`], [`ZoneError::Exists`], [`ZoneError::Related`], or a failure of the
    /// ledger.
    pub async fn add_zone(&self, account: AccountId, new: NewZone) -> Result<Arc<Zone>, ZoneError> {
        let _turn = self.domain_writes.lock().await;
        if let Some(zone) = self.zone(account, &new.name) {
            return Err(ZoneError::Exists { name: zone.name.clone() });
        }
        let mut zone = self.new_zone(account, new)?;
        let right = self.right_to_zone(account, &zone).await;
        zone.claim =
            right.map_err(|source| ZoneError::Ledger { name: zone.name.clone(), source })?;
        self.put_zone(zone).await
    }

    /// Removes a zone that no domain is in.
    ///
    /// # Errors
    /// [`ZoneError::Unknown`], [`ZoneError::InUse`], or a failure of the ledger.
    pub async fn remove_zone(
        &self,
        account: AccountId,
        id_or_name: &str,
    ) -> Result<Arc<Zone>, ZoneError> {
        let _turn = self.domain_writes.lock().await;
        let zone = self.known_zone(account, id_or_name)?;
        let domains = self.domains(account);
        let inside = domains.iter().filter(|domain| domain.zone.as_ref() == Some(&zone.id)).count();
        if inside > 0 {
            return Err(ZoneError::InUse { name: zone.name.clone(), domains: inside });
        }
        let removed = self.ledger.remove_zone(&zone.id).await;
        removed
            .map_err(|error| ZoneError::Ledger { name: zone.name.clone(), source: error.into() })?;
        self.zones.with(|zones| zones.remove(&zone.id));
        Ok(zone)
    }

    /// The zone that `choice` means for `host`, made if need be. The caller holds the turn.
    pub(crate) async fn chosen_zone(
        &self,
        account: AccountId,
        host: &str,
        choice: ZoneChoice,
    ) -> Result<Option<ZoneId>, ZoneError> {
        let name = match choice {
            ZoneChoice::Outside => return Ok(None),
            ZoneChoice::Existing(id) => {
                return Ok(Some(self.known_zone(account, &id.0)?.id.clone()));
            }
            ZoneChoice::Named(name) => name,
            ZoneChoice::Registrable => match registrable(host) {
                Some(name) => name.into(),
                None => return Ok(None),
            },
        };
        if let Some(zone) = self.zone(account, &name) {
            return Ok(Some(zone.id.clone()));
        }
        let new = NewZone { name, area: AreaScope::Global, settings: VendorSettings::new() };
        let zone = self.new_zone(account, new)?;
        Ok(Some(self.put_zone(zone).await?.id.clone()))
    }

    /// Whether a zone that another account claims is related to `claim`.
    pub(crate) fn is_related_to_zone(&self, account: AccountId, claim: &str) -> bool {
        let is_others = |zone: &Zone| zone.claim.is_some() && zone.account != account;
        self.zones.with(|all| all.values().any(|it| is_others(it) && are_related(&it.name, claim)))
    }

    fn known_zone(&self, account: AccountId, id_or_name: &str) -> Result<Arc<Zone>, ZoneError> {
        self.zone(account, id_or_name).ok_or_else(|| ZoneError::Unknown { zone: id_or_name.into() })
    }

    /// Lets a zone claim its name, unless that meets another account's claims. The caller holds the turn.
    pub(crate) async fn claim(&self, zone: &Zone, by: Ownership) -> Result<(), Error> {
        let zone = Zone { claim: Some(by), updated_at: self.clock.now(), ..zone.clone() };
        match self.ledger.put_zone(&zone).await {
            Ok(()) => {
                self.zones.with(|zones| zones.insert(zone.id.clone(), Arc::new(zone)));
                Ok(())
            }
            Err(error) if error.kind == ErrorKind::Conflict => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn new_zone(&self, account: AccountId, new: NewZone) -> Result<Zone, ZoneError> {
        let name = new.name.to_ascii_lowercase();
        if !is_host_name(&name) || name.starts_with('[') {
            return Err(ZoneError::InvalidName { name: new.name });
        }
        let limit = self.config.max_zones;
        if self.zones(account).len() >= limit {
            return Err(ZoneError::TooMany { limit });
        }
        let now = self.clock.now();
        Ok(Zone {
            id: ZoneId(format!("zone-{}", short(self.random()))),
            account,
            name,
            claim: None,
            area: new.area,
            status: Status::Online,
            created_at: now,
            updated_at: now,
            settings: new.settings,
        })
    }

    async fn put_zone(&self, zone: Zone) -> Result<Arc<Zone>, ZoneError> {
        let zone = Arc::new(zone);
        if let Err(source) = self.ledger.put_zone(&zone).await {
            let name = zone.name.clone();
            return Err(match source.kind {
                ErrorKind::Conflict => ZoneError::Related { name },
                _ => ZoneError::Ledger { name, source: source.into() },
            });
        }
        self.zones.with(|zones| zones.insert(zone.id.clone(), Arc::clone(&zone)));
        Ok(zone)
    }
}
