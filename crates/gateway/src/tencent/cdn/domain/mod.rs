//! Accelerated domains of `cdn`: verify, add, change, describe, start, stop, delete.
//!
//! The settings that act are read from what the caller gave; all settings are kept and answered back.

mod codes;
mod config;
mod describe;
mod error;
mod origin;
mod pull;
mod rule;
mod rules;
mod verify;

use serde_json::Map;
use stoker_domain::{
    area::AreaScope,
    domain::{Domain, Origin, Shield},
    setting::{Status, VendorSettings},
};
use stoker_engine::{NewDomain, ZoneChoice};

use self::error::Reply;
#[cfg(test)]
pub(crate) use self::rule::Rule;
pub(crate) use self::{codes::lock_code, error::Error};
use crate::tencent::{
    common::{Call, settings::CDN},
    params::Params,
};

/// The actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Adds one, online at once.
    AddCdnDomain,
    /// Changes what is named.
    UpdateDomainConfig,
    /// Lists them in short.
    DescribeDomains,
    /// Lists them with all their settings.
    DescribeDomainsConfig,
    /// Brings one online that is stopped.
    StartCdnDomain,
    /// Stops one that is online.
    StopCdnDomain,
    /// Deletes one that is stopped.
    DeleteCdnDomain,
    /// Tells what to publish to prove that one belongs to the account.
    CreateVerifyRecord,
    /// Looks for what was published.
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

    /// Carries the action out.
    pub(crate) async fn call(self, call: Call<'_>, params: Params) -> Reply {
        match self {
            Self::AddCdnDomain => add(call, params).await,
            Self::UpdateDomainConfig => update(call, params).await,
            Self::DescribeDomains => describe::brief(call, params),
            Self::DescribeDomainsConfig => describe::detailed(call, params),
            Self::StartCdnDomain => switch(call, params, Status::Online).await,
            Self::StopCdnDomain => switch(call, params, Status::Offline).await,
            Self::DeleteCdnDomain => delete(call, params).await,
            Self::CreateVerifyRecord => verify::create(call, params).await,
            Self::VerifyDomainRecord => verify::verify(call, params).await,
        }
    }
}

async fn add(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    let parameters = config::add_parameters();
    params.only(&[&["Domain"][..], &parameters].concat())?;
    let host = params.required_text("Domain")?;
    let settings = config::take(&mut params, &parameters)?;
    for field in ["ServiceType", "Origin"] {
        if !settings.contains_key(field) {
            return Err(params.missing(field).into());
        }
    }
    let new = NewDomain {
        host,
        origin: origin::read(&settings)?,
        areas: config::areas(&settings)?.unwrap_or(AreaScope::Mainland),
        shield: Shield::default(),
        cache: rules::read(&settings)?,
        is_vouched_for: false,
    };
    let kept = VendorSettings::from([(CDN.into(), settings)]);
    let added = gateway.engine.add_domain_to(account.id, new, ZoneChoice::default(), kept).await;
    let domain = added.map_err(Error::Domain)?;
    tracing::info!(domain = domain.name, "domain added");
    Ok(Map::new())
}

async fn update(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    let parameters = config::update_parameters();
    params.only(&[&["Domain"][..], &parameters].concat())?;
    let host = params.required_text("Domain")?;
    let given = config::take(&mut params, &parameters)?;
    let change = |domain: &mut Domain| -> Result<(), Error> {
        let mut settings = config::settings(domain);
        settings.extend(given);
        config::check_size(&settings)?;
        let origin = origin::read(&settings)?;
        // a private address was allowed for the origin's present servers, not for new ones
        let allow_private = domain.origin.allow_private && origin.is_within(&domain.origin);
        domain.origin = Origin { allow_private, ..origin };
        domain.areas = config::areas(&settings)?.unwrap_or(domain.areas);
        domain.cache = rules::read(&settings)?;
        domain.settings.insert(CDN.into(), settings);
        Ok(())
    };
    gateway.engine.change_domain(account.id, &host, change).await?;
    Ok(Map::new())
}

async fn switch(Call { gateway, account, .. }: Call<'_>, mut params: Params, to: Status) -> Reply {
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

async fn delete(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["Domain"])?;
    let host = params.required_text("Domain")?;
    let domain = gateway.engine.domain_named(account.id, &host);
    if domain.is_some_and(|domain| domain.status == Status::Online) {
        return Err(Error::NotOffline(host));
    }
    gateway.engine.remove_domain(account.id, &host).await.map_err(Error::Domain)?;
    tracing::info!(domain = host, "domain removed");
    Ok(Map::new())
}
