//! `ModifyPrefetchOriginLimit`, `DescribePrefetchOriginLimit`: how fast an origin may be read for
//! prefetches. Kept on the domain; the pace is kept elsewhere.

use serde_json::{Map, Value, json};
use stoker_domain::{
    account::{Account, Feature},
    area::Area,
    domain::{Domain, OriginLimit},
};

use super::{
    clock, domains,
    error::{Error, Reply},
    filters,
};
use crate::tencent::{
    common::{Call, refusal},
    params::Params,
};

/// Limits that one account may have.
const MOST: usize = 100;

pub(super) async fn modify(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["ZoneId", "DomainName", "Area", "Bandwidth", "Enabled"])?;
    check_open(account)?;
    let zone = filters::zone(gateway, account, &mut params)?;
    let name = params.required_text("DomainName")?;
    let area = area(&params.required_text("Area")?)?;
    let bandwidth = params.integer("Bandwidth")?.ok_or_else(|| params.missing("Bandwidth"))?;
    let is_set = match params.required_text("Enabled")?.as_str() {
        "on" => true,
        "off" => false,
        _ => return Err(Error::LimitEnabled),
    };
    let bandwidth = match u32::try_from(bandwidth) {
        Ok(bandwidth @ 100..=100_000) => bandwidth,
        Ok(100_001..) => return Err(Error::LimitTooLarge),
        Ok(_) => return Err(Error::LimitTooSmall),
        Err(_) if bandwidth > 0 => return Err(Error::LimitTooLarge),
        Err(_) => return Err(Error::LimitTooSmall),
    };
    let domain = domains::find(gateway, account, &zone, &name)?;
    let limited = gateway.engine.domains(account.id);
    let count: usize = limited.iter().map(|domain| domain.origin_limits.len()).sum();
    let now = gateway.clock.now();
    let change = |domain: &mut Domain| -> Result<(), Error> {
        let known = domain.origin_limits.iter_mut().find(|limit| limit.area == area);
        match (known, is_set) {
            (None, false) => return Err(Error::LimitNotFound),
            (Some(_), false) => domain.origin_limits.retain(|limit| limit.area != area),
            _ if !zone.area.contains(area) => return Err(Error::LimitZoneArea),
            _ if !domain.areas.contains(area) => return Err(Error::LimitDomainArea),
            (Some(limit), true) => {
                limit.megabits_per_second = bandwidth;
                limit.updated_at = now;
            }
            (None, true) if count >= MOST => return Err(Error::LimitCount),
            (None, true) => domain.origin_limits.push(OriginLimit {
                area,
                megabits_per_second: bandwidth,
                created_at: now,
                updated_at: now,
            }),
        }
        Ok(())
    };
    gateway.engine.change_domain(account.id, &domain.name, change).await?;
    Ok(Map::new())
}

pub(super) async fn describe(Call { gateway, account, .. }: Call<'_>, mut params: Params) -> Reply {
    params.only(&["ZoneId", "Offset", "Limit", "Filters"])?;
    check_open(account)?;
    let zone = filters::zone(gateway, account, &mut params)?;
    let page = refusal::page(&mut params, 100)?;
    let filters = filters::plain_filters(&mut params, &["domain-name", "area"])?;
    for filter in filters.iter().filter(|filter| filter.name == "area") {
        for value in &filter.values {
            area(value)?;
        }
    }
    let mut rows = Vec::new();
    let domains = gateway.engine.domains(account.id);
    for domain in domains.iter().filter(|domain| domain.zone.as_ref() == Some(&zone.id)) {
        for limit in &domain.origin_limits {
            let is_wanted = filters.iter().all(|filter| match filter.name.as_str() {
                "domain-name" => filter.matches(&[&domain.name]),
                _ => filter.matches(&[word(limit.area)]),
            });
            if is_wanted {
                rows.push(json!({
                    "ZoneId": zone.id,
                    "DomainName": domain.name,
                    "Area": word(limit.area),
                    "Bandwidth": limit.megabits_per_second,
                    "CreateTime": clock::format(limit.created_at),
                    "UpdateTime": clock::format(limit.updated_at),
                }));
            }
        }
    }
    let total = rows.len();
    let rows: Vec<Value> = filters::cut(rows, page);
    Ok(Map::from_iter([("TotalCount".into(), total.into()), ("Limits".into(), rows.into())]))
}

fn check_open(account: &Account) -> Result<(), Error> {
    if account.closed.contains(&Feature::OriginLimit) { Err(Error::LimitClosed) } else { Ok(()) }
}

fn area(word: &str) -> Result<Area, Error> {
    match word {
        "MainlandChina" => Ok(Area::Mainland),
        "Overseas" => Ok(Area::Overseas),
        _ => Err(Error::LimitArea),
    }
}

const fn word(area: Area) -> &'static str {
    match area {
        Area::Mainland => "MainlandChina",
        Area::Overseas => "Overseas",
    }
}
