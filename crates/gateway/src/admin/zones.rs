//! Zones: add, list, show, remove. The rules are the engine's.

use http::StatusCode;
use stoker_domain::{area::AreaScope, setting::VendorSettings, zone::Zone};
use stoker_engine::{NewZone, ZoneError};

use super::{
    api,
    call::{Call, Reply},
    named_account,
    problem::Error,
    time::rfc3339,
};

pub(super) async fn add(call: Call) -> Result<Reply, Error> {
    let new: api::NewZone = call.json()?;
    let area = new.area.unwrap_or(AreaScope::Global);
    let new = NewZone { name: new.name, area, settings: VendorSettings::new() };
    let account = named_account::of_call(&call).await?.id;
    let zone = call.gateway.engine.add_zone(account, new).await?;
    tracing::info!(zone = %zone.id, "zone added");
    Ok(Reply::json(StatusCode::CREATED, &view(&call, &zone)))
}

pub(super) async fn list(call: Call) -> Result<Reply, Error> {
    let (account, listing) = named_account::of_list(&call).await?;
    let zones = call.gateway.engine.zones(account.id);
    let page = listing.page(zones, |zone| zone.name.clone())?;
    let zones = page.rows.iter().map(|zone| view(&call, zone)).collect();
    Ok(Reply::json(StatusCode::OK, &api::Zones { zones, next: page.next }))
}

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let zone = call.segment().await?;
    let account = named_account::of_call(&call).await?.id;
    match call.gateway.engine.zone(account, &zone) {
        Some(zone) => Ok(Reply::json(StatusCode::OK, &view(&call, &zone))),
        None => Err(ZoneError::Unknown { zone }.into()),
    }
}

pub(super) async fn remove(mut call: Call) -> Result<Reply, Error> {
    let zone = call.segment().await?;
    let account = named_account::of_call(&call).await?.id;
    let zone = call.gateway.engine.remove_zone(account, &zone).await?;
    tracing::info!(zone = %zone.id, "zone removed");
    Ok(Reply::empty())
}

fn view(call: &Call, zone: &Zone) -> api::ZoneView {
    let domains = call.gateway.engine.domains(zone.account);
    let inside = domains.iter().filter(|domain| domain.zone.as_ref() == Some(&zone.id));
    api::ZoneView {
        zone_id: zone.id.to_string(),
        name: zone.name.clone(),
        area: zone.area,
        status: zone.status,
        domains: inside.map(|domain| domain.name.clone()).collect(),
        created_at: rfc3339(zone.created_at),
    }
}
