//! `CreateZone`, `DescribeZones`, `DeleteZone`.
//!
//! Plans and name servers do not exist here: settings of them are kept and answered back.

use serde_json::{Map, Value, json};
use stoker_domain::{area::AreaScope, setting::Status, zone::Zone};
use stoker_engine::NewZone;

use super::{
    clock,
    error::{Error, Reply},
    filters::{self, Filter},
    origin, ownership,
};
use crate::tencent::{
    common::{
        Call,
        refusal::{page, word},
        settings::TEO,
    },
    params::Params,
};

const CREATE: &[&str] = &[
    "Type",
    "ZoneName",
    "Area",
    "PlanId",
    "AliasZoneName",
    "Tags",
    "AllowDuplicates",
    "JumpStart",
];
const FILTERS: &[&str] =
    &["zone-name", "zone-type", "zone-id", "status", "tag-key", "tag-value", "alias-zone-name"];
const TYPES: &[(&str, &str)] = &[
    ("partial", "partial"),
    ("full", "full"),
    ("noDomainAccess", "noDomainAccess"),
    ("dnsPodAccess", "dnsPodAccess"),
    ("ai", "ai"),
];
const AREAS: &[(&str, AreaScope)] = &[
    ("global", AreaScope::Global),
    ("mainland", AreaScope::Mainland),
    ("overseas", AreaScope::Overseas),
];
const ORDERS: &[(&str, &str)] = &[
    ("type", "type"),
    ("area", "area"),
    ("create-time", "create-time"),
    ("zone-name", "zone-name"),
    ("use-time", "use-time"),
    ("active-status", "active-status"),
];

pub(super) async fn create(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(CREATE)?;
    let types = "`partial`, `full`, `noDomainAccess`, `dnsPodAccess`, `ai`";
    let kind = word(&mut params, "Type", TYPES, types)?.unwrap_or("partial");
    let name = params.required_text("ZoneName")?;
    let areas = "`global`, `mainland`, `overseas`";
    let area = word(&mut params, "Area", AREAS, areas)?.unwrap_or(AreaScope::Overseas);
    let mut kept = Map::from_iter([("Type".into(), kind.into())]);
    for field in ["PlanId", "AliasZoneName", "Tags", "AllowDuplicates", "JumpStart"] {
        if let Some(value) = origin::setting(&mut params, field)? {
            kept.insert(field.into(), value);
        }
    }
    let new = NewZone { name, area, settings: [(TEO.into(), kept)].into() };
    let zone = gateway.engine.add_zone(account.id, new).await.map_err(Error::Zone)?;
    tracing::info!(zone = %zone.id, "zone added");
    Ok(Map::from_iter([
        ("ZoneId".into(), zone.id.to_string().into()),
        ("OwnershipVerification".into(), ownership::pending(gateway, account, &zone.name).await),
    ]))
}

pub(super) async fn delete(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["ZoneId"])?;
    let zone = filters::zone(gateway, account, &mut params)?;
    gateway.engine.remove_zone(account.id, &zone.id.0).await.map_err(Error::Zone)?;
    tracing::info!(zone = %zone.id, "zone removed");
    Ok(Map::new())
}

pub(super) async fn describe(
    Call { gateway, account, scope, .. }: Call<'_>,
    mut params: Params,
) -> Reply {
    params.only(&["Offset", "Limit", "Filters", "Order", "Direction"])?;
    let range = page(&mut params, 100)?;
    let too_many = Error::too_many_values;
    let filters = filters::filters(&mut params, FILTERS, too_many)?;
    let words = "`type`, `area`, `create-time`, `zone-name`, `use-time`, `active-status`";
    let order = word(&mut params, "Order", ORDERS, words)?.unwrap_or("create-time");
    let directions = [("asc", false), ("desc", true)];
    let is_descending =
        word(&mut params, "Direction", &directions, "`asc`, `desc`")?.unwrap_or(true);
    let mut zones = gateway.engine.zones(account.id);
    zones.retain(|zone| scope.shows(&zone.id.0));
    zones.retain(|zone| filters.iter().all(|filter| matches(filter, zone)));
    // sorts are stable, so equal ones stay in the order of their names
    zones.sort_by(|a, b| match order {
        "type" => kind(a).cmp(&kind(b)),
        "area" => a.area.as_str().cmp(b.area.as_str()),
        "zone-name" => a.name.cmp(&b.name),
        _ => a.created_at.cmp(&b.created_at),
    });
    if is_descending {
        zones.reverse();
    }
    let total = zones.len();
    let rows: Vec<Value> = filters::cut(zones, range).iter().map(|zone| view(zone)).collect();
    Ok(Map::from_iter([("TotalCount".into(), total.into()), ("Zones".into(), rows.into())]))
}

fn matches(filter: &Filter, zone: &Zone) -> bool {
    let tags = || match kept(zone, "Tags") {
        Value::Array(tags) => tags,
        _ => Vec::new(),
    };
    let tag = |field: &str| {
        let tags = tags();
        let texts: Vec<&str> = tags.iter().filter_map(|tag| tag[field].as_str()).collect();
        filter.matches(&texts)
    };
    match filter.name.as_str() {
        "zone-name" => filter.matches(&[&zone.name]),
        "zone-type" => filter.matches(&[&kind(zone)]),
        "zone-id" => filter.matches(&[&zone.id.0]),
        "status" => filter.matches(&[status(zone)]),
        "tag-key" => tag("TagKey"),
        "tag-value" => tag("TagValue"),
        _ => filter.matches(&[kept(zone, "AliasZoneName").as_str().unwrap_or_default()]),
    }
}

fn kept(zone: &Zone, field: &str) -> Value {
    let value = zone.settings.get(TEO).and_then(|kept| kept.get(field));
    value.cloned().unwrap_or_default()
}

fn kind(zone: &Zone) -> String {
    kept(zone, "Type").as_str().unwrap_or("partial").into()
}

/// Whether a name must end like the zone's to be in it: not in zones that no domain gives access
/// to, nor in those that are only a word.
pub(super) fn is_bound(zone: &Zone) -> bool {
    kind(zone) != "noDomainAccess" && zone.name.contains('.')
}

const fn status(zone: &Zone) -> &'static str {
    match zone.status {
        Status::Online => "active",
        Status::Offline => "deactivated",
    }
}

fn view(zone: &Zone) -> Value {
    let is_active = zone.status == Status::Online;
    let or_empty = |value: Value| if value.is_null() { json!([]) } else { value };
    json!({
        "ZoneId": zone.id,
        "ZoneName": zone.name,
        "AliasZoneName": kept(zone, "AliasZoneName").as_str().unwrap_or_default(),
        "Area": zone.area.as_str(),
        "Type": kind(zone),
        "Tags": or_empty(kept(zone, "Tags")),
        "Resources": [],
        "NSDetail": null,
        "CNAMEDetail": null,
        "DNSPodDetail": null,
        "CreatedOn": clock::format(zone.created_at),
        "ModifiedOn": clock::format(zone.updated_at),
        "Status": status(zone),
        "CnameStatus": "finished",
        "ActiveStatus": if is_active { "active" } else { "inactive" },
        "LockStatus": "enable",
        "Paused": !is_active,
        "IsFake": 0,
        "CnameSpeedUp": "disabled",
        "OwnershipVerification": null,
        "OriginalNameServers": [],
        "NameServers": [],
        "VanityNameServers": null,
        "VanityNameServersIps": null,
        "WorkModeInfos": null,
    })
}
