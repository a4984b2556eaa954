//! Acceleration domains of a zone: create, describe, modify, switch, delete.

use std::{mem, sync::Arc};

use serde_json::{Map, Value, json};
use stoker_domain::{
    account::Account,
    domain::{CacheRules, Domain, Lock, Origin, Shield},
    setting::{Status, VendorSettings},
    zone::Zone,
};
use stoker_engine::{DomainError, NewDomain, ZoneChoice};

use super::{
    clock,
    error::{Error, Reply},
    filters::{self, Filter},
    origin, zones,
};
use crate::{
    Gateway,
    tencent::{
        common::{
            Call,
            refusal::{page, word},
            settings::TEO,
        },
        params::Params,
    },
};

const FILTERS: &[&str] =
    &["domain-name", "origin-type", "origin", "backup-origin", "domain-cname", "share-cname"];

pub(super) async fn create(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    let known = [&["ZoneId", "DomainName", "SharedCNAME"][..], &origin::FIELDS].concat();
    params.only(&known)?;
    let zone = filters::zone(gateway, account, &mut params)?;
    let host = params.required_text("DomainName")?.to_ascii_lowercase();
    let mut settings = origin::take(&mut params)?;
    if !settings.contains_key("OriginInfo") {
        return Err(params.missing("OriginInfo").into());
    }
    if let Some(shared) = origin::setting(&mut params, "SharedCNAME")? {
        settings.insert("SharedCNAME".into(), shared);
    }
    let is_below = host == zone.name || host.ends_with(&format!(".{}", zone.name));
    if zones::is_bound(&zone) && !is_below {
        return Err(Error::DomainNotMatchZone { host, zone: zone.name.clone() });
    }
    let new = NewDomain {
        host,
        origin: origin::read(&settings)?,
        areas: zone.area,
        shield: Shield::default(),
        cache: CacheRules::default(),
        is_vouched_for: false,
    };
    let kept = VendorSettings::from([(TEO.into(), settings)]);
    let choice = ZoneChoice::Existing(zone.id.clone());
    let domain = gateway.engine.add_domain_to(account.id, new, choice, kept).await;
    let domain = domain.map_err(Error::Domain)?;
    tracing::info!(domain = domain.name, "domain added");
    Ok(Map::from_iter([("OwnershipVerification".into(), Value::Null)]))
}

pub(super) async fn modify(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&[&["ZoneId", "DomainName"][..], &origin::FIELDS].concat())?;
    let zone = filters::zone(gateway, account, &mut params)?;
    let name = params.required_text("DomainName")?;
    let given = origin::take(&mut params)?;
    let domain = find(gateway, account, &zone, &name)?;
    let change = |domain: &mut Domain| -> Result<(), Error> {
        let mut settings = origin::settings(domain);
        settings.extend(given);
        let origin = origin::read(&settings)?;
        // a private address was allowed for the origin's present servers, not for new ones
        let allow_private = domain.origin.allow_private && origin.is_within(&domain.origin);
        let pull = mem::take(&mut domain.origin.pull);
        domain.origin = Origin { allow_private, pull, ..origin };
        domain.settings.insert(TEO.into(), settings);
        Ok(())
    };
    gateway.engine.change_domain(account.id, &domain.name, change).await?;
    Ok(Map::new())
}

pub(super) async fn modify_statuses(
    Call { gateway, account, .. }: Call<'_>,
    mut params: Params,
) -> Reply {
    params.only(&["ZoneId", "DomainNames", "Status", "Force"])?;
    let zone = filters::zone(gateway, account, &mut params)?;
    let domains = named(gateway, account, &zone, &mut params)?;
    let words = [("online", Status::Online), ("offline", Status::Offline)];
    let status = word(&mut params, "Status", &words, "`online`, `offline`")?;
    let status = status.ok_or_else(|| params.missing("Status"))?;
    params.boolean("Force")?;
    for domain in domains {
        let put = |domain: &mut Domain| -> Result<(), Error> {
            domain.status = status;
            Ok(())
        };
        gateway.engine.change_domain(account.id, &domain.name, put).await?;
    }
    Ok(Map::new())
}

pub(super) async fn delete(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["ZoneId", "DomainNames", "Force"])?;
    let zone = filters::zone(gateway, account, &mut params)?;
    let domains = named(gateway, account, &zone, &mut params)?;
    params.boolean("Force")?;
    for domain in domains {
        let removed = gateway.engine.remove_domain(account.id, &domain.name).await;
        removed.map_err(Error::Domain)?;
        tracing::info!(domain = domain.name, "domain removed");
    }
    Ok(Map::new())
}

pub(super) async fn describe(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["ZoneId", "Offset", "Limit", "Filters", "Order", "Direction", "Match"])?;
    let zone = filters::zone(gateway, account, &mut params)?;
    let range = page(&mut params, 200)?;
    let filters = filters::filters(&mut params, FILTERS, Error::TooManyFilterValues)?;
    let orders = [("created_on", true), ("domain-name", false)];
    let by_time = word(&mut params, "Order", &orders, "`created_on`, `domain-name`")?;
    let directions = [("asc", false), ("desc", true)];
    let is_descending = word(&mut params, "Direction", &directions, "`asc`, `desc`")?;
    let matches_any = word(&mut params, "Match", &[("all", false), ("any", true)], "`all`, `any`")?;
    let mut domains = gateway.engine.domains(account.id);
    domains.retain(|domain| domain.zone.as_ref() == Some(&zone.id));
    domains.retain(|domain| {
        let settings = origin::settings(domain);
        let mut each = filters.iter().map(|filter| matches(filter, domain, &settings));
        if matches_any == Some(true) && !filters.is_empty() {
            each.any(|is| is)
        } else {
            each.all(|is| is)
        }
    });
    if by_time == Some(true) {
        domains.sort_by_key(|domain| domain.created_at);
    }
    if is_descending == Some(true) {
        domains.reverse();
    }
    let total = domains.len();
    let rows = filters::cut(domains, range);
    let rows: Vec<Value> = rows.iter().map(|domain| view(&zone, domain)).collect();
    Ok(Map::from_iter([
        ("TotalCount".into(), total.into()),
        ("AccelerationDomains".into(), rows.into()),
    ]))
}

/// The domain of the zone with this name.
pub(super) fn find(
    gateway: &Gateway,
    account: &Account,
    zone: &Zone,
    name: &str,
) -> Result<Arc<Domain>, Error> {
    let domain = gateway.engine.domain_named(account.id, name);
    let inside = domain.filter(|domain| domain.zone.as_ref() == Some(&zone.id));
    inside.ok_or_else(|| Error::DomainNotFound(name.into()))
}

/// The domains that `DomainNames` names, all of which may be changed; or a refusal.
fn named(
    gateway: &Gateway,
    account: &Account,
    zone: &Zone,
    params: &mut Params,
) -> Result<Vec<Arc<Domain>>, Error> {
    let names = params.texts("DomainNames")?.ok_or_else(|| params.missing("DomainNames"))?;
    let found = names.iter().map(|name| {
        let domain = find(gateway, account, zone, name)?;
        match domain.lock {
            Some(lock) => Err(DomainError::Locked { host: domain.name.clone(), lock }.into()),
            None => Ok(domain),
        }
    });
    found.collect()
}

fn matches(filter: &Filter, domain: &Domain, settings: &Map<String, Value>) -> bool {
    let info = |field: &str| {
        let value = settings.get("OriginInfo").map(|info| info[field].clone()).unwrap_or_default();
        value.as_str().unwrap_or_default().to_owned()
    };
    match filter.name.as_str() {
        "domain-name" => filter.matches(&[&domain.name]),
        // taken in either letter case
        "origin-type" => {
            let values = filter.values.iter().map(|value| value.to_ascii_uppercase()).collect();
            let filter = Filter { values, ..filter.clone() };
            filter.matches(&[&info("OriginType").to_ascii_uppercase()])
        }
        "origin" => filter.matches(&[&info("Origin")]),
        "backup-origin" => filter.matches(&[&info("BackupOrigin")]),
        "share-cname" => {
            let shared = settings.get("SharedCNAME").and_then(Value::as_str);
            filter.matches(&[shared.unwrap_or_default()])
        }
        // no client is pointed here by name
        _ => filter.matches(&[""]),
    }
}

fn view(zone: &Zone, domain: &Domain) -> Value {
    let settings = origin::settings(domain);
    let or = |field: &str, default: Value| settings.get(field).cloned().unwrap_or(default);
    json!({
        "ZoneId": zone.id,
        "DomainName": domain.name,
        "DomainStatus": match (domain.lock, domain.status) {
            (Some(Lock::Changing), _) => "process",
            (_, Status::Online) => "online",
            (_, Status::Offline) => "offline",
        },
        "Cname": "",
        "IPv6Status": or("IPv6Status", "follow".into()),
        "IdentificationStatus": "finished",
        "OwnershipVerification": null,
        "OriginDetail": or("OriginInfo", Value::Null),
        "OriginProtocol": or("OriginProtocol", "FOLLOW".into()),
        "HttpOriginPort": or("HttpOriginPort", 80.into()),
        "HttpsOriginPort": or("HttpsOriginPort", 443.into()),
        "Certificate": null,
        "CreatedOn": clock::format(domain.created_at),
        "ModifiedOn": clock::format(domain.updated_at),
        "ComplianceRestrictions": [],
    })
}
