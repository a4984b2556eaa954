//! Domains: add, list, show, remove. The rules are the engine's.

use http::StatusCode;
use stoker_domain::{
    area::AreaScope,
    domain::{CacheRules, Domain, Origin},
};
use stoker_engine::{DomainError, NewDomain};

use super::{
    api,
    call::{Call, Reply},
    problem::Error,
    rfc3339,
};
use crate::request_fields;

pub(super) async fn add(call: Call) -> Result<Reply, Error> {
    let new: api::NewDomain = call.json()?;
    if let Some(host) = &new.host_header {
        request_fields::check_value("Host", host)?;
    }
    let origin = Origin {
        host_header: new.host_header,
        allow_private: new.allow_private_origin,
        ..new.origin.parse()?
    };
    let cache = new.default_lifetime_seconds.map_or_else(CacheRules::default, |seconds| {
        CacheRules { default_lifetime_seconds: seconds }
    });
    let areas = new.areas.unwrap_or(AreaScope::Global);
    let new = NewDomain { host: new.host, origin, areas, shield: new.shield, cache };
    let domain = call.gateway.engine.add_domain(call.account.id, new).await?;
    tracing::info!(domain = domain.host, "domain added");
    Ok(Reply::json(StatusCode::CREATED, &view(&domain)))
}

pub(super) async fn list(call: Call) -> Result<Reply, Error> {
    let domains = call.gateway.engine.domains(call.account.id);
    let domains = domains.iter().map(|domain| view(domain)).collect();
    Ok(Reply::json(StatusCode::OK, &api::Domains { domains }))
}

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let host = call.segment().await?;
    match call.gateway.engine.domain(call.account.id, &host) {
        Some(domain) => Ok(Reply::json(StatusCode::OK, &view(&domain))),
        None => Err(DomainError::Unknown { host }.into()),
    }
}

pub(super) async fn remove(mut call: Call) -> Result<Reply, Error> {
    let host = call.segment().await?;
    call.gateway.engine.remove_domain(call.account.id, &host).await?;
    tracing::info!(domain = host, "domain removed");
    Ok(Reply::empty())
}

fn view(domain: &Domain) -> api::DomainView {
    api::DomainView {
        host: domain.host.clone(),
        origin: domain.origin.to_string(),
        areas: domain.areas,
        status: domain.status,
        shield: domain.shield,
        allow_private_origin: domain.origin.allow_private,
        host_header: domain.origin.host_header.clone(),
        default_lifetime_seconds: domain.cache.default_lifetime_seconds,
        created_at: rfc3339(domain.created_at),
        updated_at: rfc3339(domain.updated_at),
    }
}
