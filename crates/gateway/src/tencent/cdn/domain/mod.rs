//! Accelerated domains of `cdn`: verify, add, change, describe, start, stop, delete.
//!
//! What acts is read from what the caller said; all of it is kept and answered back.

mod config;
mod describe;
mod error;
mod origin;
mod pull;
mod rules;
mod verify;

use serde_json::{Map, Value};
use stoker_domain::{
    account::Account,
    area::AreaScope,
    domain::{Domain, Origin, Shield},
    setting::{Status, VendorSettings},
};
use stoker_engine::{NewDomain, ZoneChoice};

pub(crate) use self::{
    config::KEPT,
    error::{Error, lock_code},
};
use crate::{
    Gateway,
    tencent::{error::Error as CallError, params::Params},
};

/// The fields of a reply.
type Reply = Result<Map<String, Value>, CallError>;

/// The actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Adds one, online at once.
    AddCdnDomain,
    /// Changes what is named.
    UpdateDomainConfig,
    /// Lists them in short.
    DescribeDomains,
    /// Lists them with all that was said of them.
    DescribeDomainsConfig,
    /// Brings one online that is stopped.
    StartCdnDomain,
    /// Stops one that is online.
    StopCdnDomain,
    /// Deletes one that is stopped.
    DeleteCdnDomain,
    /// Says what is to be published to prove that one is the account's own.
    CreateVerifyRecord,
    /// Looks for that.
    VerifyDomainRecord,
}

impl Action {
    pub(crate) const ALL: [Self; 9] = [
        Self::AddCdnDomain,
        Self::UpdateDomainConfig,
        Self::DescribeDomains,
        Self::DescribeDomainsConfig,
        Self::StartCdnDomain,
        Self::StopCdnDomain,
        Self::DeleteCdnDomain,
        Self::CreateVerifyRecord,
        Self::VerifyDomainRecord,
    ];

    /// The action with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Its name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AddCdnDomain => "AddCdnDomain",
            Self::UpdateDomainConfig => "UpdateDomainConfig",
            Self::DescribeDomains => "DescribeDomains",
            Self::DescribeDomainsConfig => "DescribeDomainsConfig",
            Self::StartCdnDomain => "StartCdnDomain",
            Self::StopCdnDomain => "StopCdnDomain",
            Self::DeleteCdnDomain => "DeleteCdnDomain",
            Self::CreateVerifyRecord => "CreateVerifyRecord",
            Self::VerifyDomainRecord => "VerifyDomainRecord",
        }
    }

    /// Carries the action out for `account`.
    pub(crate) async fn call(self, gateway: &Gateway, account: &Account, params: Params) -> Reply {
        match self {
            Self::AddCdnDomain => add(gateway, account, params).await,
            Self::UpdateDomainConfig => update(gateway, account, params).await,
            Self::DescribeDomains => describe::brief(gateway, account, params),
            Self::DescribeDomainsConfig => describe::detailed(gateway, account, params),
            Self::StartCdnDomain => switch(gateway, account, params, Status::Online).await,
            Self::StopCdnDomain => switch(gateway, account, params, Status::Offline).await,
            Self::DeleteCdnDomain => delete(gateway, account, params).await,
            Self::CreateVerifyRecord => verify::create(gateway, account, params).await,
            Self::VerifyDomainRecord => verify::verify(gateway, account, params).await,
        }
    }
}

async fn add(gateway: &Gateway, account: &Account, mut params: Params) -> Reply {
    let parameters = config::of_add();
    params.only(&[&["Domain"][..], &parameters].concat())?;
    let host = params.required_text("Domain")?;
    let said = config::take(&mut params, &parameters)?;
    for field in ["ServiceType", "Origin"] {
        if !said.contains_key(field) {
            return Err(params.missing(field).into());
        }
    }
    let new = NewDomain {
        host,
        origin: origin::read(&said)?,
        areas: config::areas(&said)?.unwrap_or(AreaScope::Mainland),
        shield: Shield::default(),
        cache: rules::read(&said)?,
        is_vouched_for: false,
    };
    let kept = VendorSettings::from([(KEPT.into(), said)]);
    let added = gateway.engine.add_domain_to(account.id, new, ZoneChoice::default(), kept).await;
    let domain = added.map_err(Error::Domain)?;
    tracing::info!(domain = domain.name, "domain added");
    Ok(Map::new())
}

async fn update(gateway: &Gateway, account: &Account, mut params: Params) -> Reply {
    let parameters = config::of_update();
    params.only(&[&["Domain"][..], &parameters].concat())?;
    let host = params.required_text("Domain")?;
    let given = config::take(&mut params, &parameters)?;
    let change = |domain: &mut Domain| -> Result<(), Error> {
        let mut said = config::said(domain);
        said.extend(given);
        config::check_size(&said)?;
        let origin = origin::read(&said)?;
        // leave to connect to a private address was given for the servers there were
        let allow_private = domain.origin.allow_private && origin.is_within(&domain.origin);
        domain.origin = Origin { allow_private, ..origin };
        domain.areas = config::areas(&said)?.unwrap_or(domain.areas);
        domain.cache = rules::read(&said)?;
        domain.settings.insert(KEPT.into(), said);
        Ok(())
    };
    gateway.engine.change_domain(account.id, &host, change).await?;
    Ok(Map::new())
}

async fn switch(gateway: &Gateway, account: &Account, mut params: Params, to: Status) -> Reply {
    params.only(&["Domain"])?;
    let host = params.required_text("Domain")?;
    let change = |domain: &mut Domain| {
        if domain.status == to {
            return Err(Error::Status(domain.name.clone()));
        }
        domain.status = to;
        Ok(())
    };
    gateway.engine.change_domain(account.id, &host, change).await?;
    Ok(Map::new())
}

async fn delete(gateway: &Gateway, account: &Account, mut params: Params) -> Reply {
    params.only(&["Domain"])?;
    let host = params.required_text("Domain")?;
    let domain = gateway.engine.domain_named(account.id, &host);
    if domain.is_some_and(|domain| domain.status == Status::Online) {
        return Err(Error::NotOffline(host).into());
    }
    gateway.engine.remove_domain(account.id, &host).await.map_err(Error::Domain)?;
    tracing::info!(domain = host, "domain removed");
    Ok(Map::new())
}
