//! Zones: add, list, show, remove. The rules are the engine's.

use http::StatusCode;
use stoker_domain::{area::AreaScope, domain::Kept, zone::Zone};
use stoker_engine::{NewZone, ZoneError};

use super::{
    api,
    call::{Call, Reply},
    problem::Error,
    rfc3339,
};

pub(super) async fn add(call: Call) -> Result<Reply, Error> {
    let new: api::NewZone = call.json()?;
    let area = new.area.unwrap_or(AreaScope::Global);
    let new = NewZone { name: new.name, area, kept: Kept::new() };
    let zone = call.gateway.engine.add_zone(call.account.id, new).await?;
    tracing::info!(zone = %zone.id, "zone added");
    Ok(Reply::json(StatusCode::CREATED, &view(&call, &zone)))
}

pub(super) async fn list(call: Call) -> Result<Reply, Error> {
    let zones = call.gateway.engine.zones(call.account.id);
    let zones = zones.iter().map(|zone| view(&call, zone)).collect();
    Ok(Reply::json(StatusCode::OK, &api::Zones { zones }))
}

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let zone = call.segment().await?;
    match call.gateway.engine.zone(call.account.id, &zone) {
        Some(zone) => Ok(Reply::json(StatusCode::OK, &view(&call, &zone))),
        None => Err(ZoneError::Unknown { zone }.into()),
    }
}

pub(super) async fn remove(mut call: Call) -> Result<Reply, Error> {
    let zone = call.segment().await?;
    let zone = call.gateway.engine.remove_zone(call.account.id, &zone).await?;
    tracing::info!(zone = %zone.id, "zone removed");
    Ok(Reply::empty())
}

fn view(call: &Call, zone: &Zone) -> api::ZoneView {
    let domains = call.gateway.engine.domains(call.account.id);
    let inside = domains.iter().filter(|domain| domain.zone.as_ref() == Some(&zone.id));
    api::ZoneView {
        zone_id: zone.id.to_string(),
        name: zone.name.clone(),
        area: zone.area,
        status: zone.status,
        domains: inside.map(|domain| domain.host.clone()).collect(),
        created_at: rfc3339(zone.created_at),
    }
}
