//! Domains: add, list, show, change, remove. The rules are the engine's, but for one: that an origin
//! may be at a private address is for the owner of the installation to say, whose network it is.

use std::mem;

use http::StatusCode;
use stoker_domain::{
    area::AreaScope,
    domain::{CacheRules, Domain, Lock, Origin, Server},
    setting::VendorSettings,
};
use stoker_engine::{DomainError, NewDomain, ZoneChoice};

use super::{
    api,
    call::{Call, Reply},
    named_account,
    problem::Error,
    reach,
    tasks::check_patience,
    time::rfc3339,
};
use crate::request_fields;

pub(super) async fn add(call: Call) -> Result<Reply, Error> {
    let account = named_account::of_call(&call).await?.id;
    let new: api::NewDomain = call.json()?;
    if new.allow_private_origin {
        need_owner(&call).await?;
    }
    if let Some(host) = &new.host_header {
        request_fields::check_host("Host", host)?;
    }
    let zone = match new.zone {
        _ if new.no_zone => ZoneChoice::Outside,
        None => ZoneChoice::Registrable,
        Some(name) => ZoneChoice::Named(name),
    };
    let origin = Origin {
        host_header: new.host_header,
        allow_private: new.allow_private_origin,
        ..new.origin.parse()?
    };
    if may_allow(&call).await? {
        reach::check(&origin)?;
    }
    let cache = new.default_lifetime_seconds.map_or_else(CacheRules::default, |seconds| {
        CacheRules { default_lifetime_seconds: seconds, ..CacheRules::default() }
    });
    let areas = new.areas.unwrap_or(AreaScope::Global);
    // only the owner of the installation acts for others
    let is_vouched_for = account != call.account.id;
    let (host, shield) = (new.host, new.shield);
    let new = NewDomain { host, origin, areas, shield, cache, is_vouched_for };
    let engine = &call.gateway.engine;
    let domain = engine.add_domain_to(account, new, zone, VendorSettings::new()).await?;
    tracing::info!(domain = domain.name, "domain added");
    Ok(Reply::json(StatusCode::CREATED, &view_with_warnings(&domain).await))
}

pub(super) async fn list(call: Call) -> Result<Reply, Error> {
    let (account, listing) = named_account::of_list(&call).await?;
    let domains = call.gateway.engine.domains(account.id);
    let page = listing.page(domains, |domain| domain.name.clone())?;
    let domains = page.rows.iter().map(|domain| view(domain)).collect();
    Ok(Reply::json(StatusCode::OK, &api::Domains { domains, next: page.next }))
}

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let host = call.segment().await?;
    let account = named_account::of_call(&call).await?.id;
    match call.gateway.engine.domain_named_or_over(account, &host) {
        Some(domain) => Ok(Reply::json(StatusCode::OK, &view_with_warnings(&domain).await)),
        None => Err(DomainError::Unknown { host }.into()),
    }
}

/// Nothing is changed unless all of it can be; only the zone is a step of its own, and the first.
pub(super) async fn change(mut call: Call) -> Result<Reply, Error> {
    let host = call.segment().await?;
    let account = named_account::of_call(&call).await?.id;
    let change: api::DomainChange = call.json()?;
    if change.allow_private_origin == Some(true) {
        need_owner(&call).await?;
    }
    if let Some(host) = change.host_header.as_ref().filter(|host| !host.is_empty()) {
        request_fields::check_host("Host", host)?;
    }
    check_patience(change.patience_seconds)?;
    let origin: Option<Origin> = change.origin.as_deref().map(str::parse).transpose()?;
    let engine = &call.gateway.engine;
    if let Some(name) = change.zone {
        let choice = if name.is_empty() { ZoneChoice::Outside } else { ZoneChoice::Named(name) };
        engine.move_domain(account, &host, choice).await?;
    }
    let is_about_origin = origin.is_some() || change.allow_private_origin.is_some();
    let is_checked = is_about_origin && may_allow(&call).await?;
    let apply = |domain: &mut Domain| -> Result<(), Error> {
        if let Some(origin) = origin {
            let (host_header, pull) =
                (domain.origin.host_header.take(), mem::take(&mut domain.origin.pull));
            domain.origin = Origin { host_header, pull, ..origin };
        }
        if let Some(text) = change.host_header {
            domain.origin.host_header = Some(text).filter(|text| !text.is_empty());
        }
        if let Some(is_allowed) = change.allow_private_origin {
            domain.origin.allow_private = is_allowed;
        }
        if let Some(seconds) = change.default_lifetime_seconds {
            domain.cache.default_lifetime_seconds = seconds;
        }
        if change.discard_cached {
            domain.content_epoch = engine.fresh_epoch();
        }
        if is_checked {
            reach::check(&domain.origin)?;
        }
        if let Some(seconds) = change.patience_seconds {
            domain.patience_seconds = Some(seconds);
        }
        domain.areas = change.areas.unwrap_or(domain.areas);
        domain.status = change.status.unwrap_or(domain.status);
        domain.shield = change.shield.unwrap_or(domain.shield);
        Ok(())
    };
    let domain = engine.change_domain(account, &host, apply).await?;
    tracing::info!(domain = domain.name, "domain changed");
    Ok(Reply::json(StatusCode::OK, &view_with_warnings(&domain).await))
}

pub(super) async fn remove(mut call: Call) -> Result<Reply, Error> {
    let host = call.segment().await?;
    call.gateway.engine.remove_domain(named_account::of_call(&call).await?.id, &host).await?;
    tracing::info!(domain = host, "domain removed");
    Ok(Reply::empty())
}

pub(super) async fn lock(call: Call) -> Result<Reply, Error> {
    let api::DomainLock { lock } = call.json()?;
    put_lock(call, Some(lock)).await
}

pub(super) async fn unlock(call: Call) -> Result<Reply, Error> {
    put_lock(call, None).await
}

async fn put_lock(mut call: Call, lock: Option<Lock>) -> Result<Reply, Error> {
    if !call.gateway.engine.is_owner(&call.account).await? {
        return Err(Error::NotOwner);
    }
    let host = call.segment().await?;
    let account = named_account::of_call(&call).await?.id;
    let domain = call.gateway.engine.lock_domain(account, &host, lock).await?;
    tracing::info!(domain = domain.name, ?lock, "domain locked or unlocked");
    Ok(Reply::json(StatusCode::OK, &view(&domain)))
}

async fn need_owner(call: &Call) -> Result<(), Error> {
    if may_allow(call).await? { Ok(()) } else { Err(Error::PrivateOrigin) }
}

/// Whether the caller may let an origin be at a private address. A caller who may not is warned of one and
/// not refused: the owner of the installation can allow it afterwards.
async fn may_allow(call: &Call) -> Result<bool, Error> {
    Ok(call.gateway.engine.is_owner(&call.account).await?)
}

async fn view_with_warnings(domain: &Domain) -> api::DomainView {
    api::DomainView { warnings: reach::warnings(&domain.origin).await, ..view(domain) }
}

fn view(domain: &Domain) -> api::DomainView {
    let servers = |servers: &[Server]| -> Vec<String> {
        servers.iter().map(|server| format!("{}:{}", server.host, server.port)).collect()
    };
    api::DomainView {
        host: domain.name.clone(),
        origin: domain.origin.to_string(),
        areas: domain.areas,
        status: domain.status,
        shield: domain.shield,
        allow_private_origin: domain.origin.allow_private,
        host_header: domain.origin.host_header.clone(),
        further_origins: servers(&domain.origin.others),
        backup_origins: servers(&domain.origin.backups),
        cache_rules: domain.cache.rules.iter().map(ToString::to_string).collect(),
        default_lifetime_seconds: domain.cache.default_lifetime_seconds,
        patience_seconds: domain.patience_seconds,
        lock: domain.lock,
        zone_id: domain.zone.as_ref().map(ToString::to_string),
        ownership: domain.ownership,
        created_at: rfc3339(domain.created_at),
        updated_at: rfc3339(domain.updated_at),
        warnings: Vec::new(),
    }
}
