//! What the queries of this API share: the zone, filters and switches.

use std::sync::Arc;

use stoker_domain::{
    account::Account,
    zone::{Zone, ZoneId},
};

use super::{error::Error, rule::FilterRule};
use crate::{
    Gateway,
    tencent::{
        common::{
            Scope,
            refusal::{Refusal, word},
        },
        params::{self, Params},
    },
};

/// Values that one filter takes.
const MOST_VALUES: usize = 20;

/// One filter: a target of it must match one of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) values: Vec<String>,
    pub(super) is_fuzzy: bool,
}

impl Filter {
    /// Whether one of `texts` is one of the values, or holds it where the filter is fuzzy.
    pub(super) fn matches(&self, texts: &[&str]) -> bool {
        let one = |value: &String| {
            texts
                .iter()
                .any(|text| if self.is_fuzzy { text.contains(value) } else { text == value })
        };
        self.values.iter().any(one)
    }

    /// Refuses a fuzzy filter unless its name is in `fuzzy`, and several values of one in `single`.
    pub(super) fn check(&self, fuzzy: &[&str], single: &[&str]) -> Result<(), FilterRule> {
        let is_in = |names: &[&str]| names.contains(&self.name.as_str());
        if self.is_fuzzy && !is_in(fuzzy) {
            return Err(FilterRule::NeverFuzzy(self.name.clone()));
        }
        if self.values.len() > 1 && is_in(single) {
            return Err(FilterRule::OneValue(self.name.clone()));
        }
        Ok(())
    }
}

/// The zone that a query is about; an empty text and `*` count as none.
pub(super) fn zone_of_query(params: &mut Params) -> Result<Option<String>, params::Error> {
    Ok(params.given("ZoneId")?.filter(|zone| zone != "*"))
}

/// The hosts that a query may show: of the domains in `zone`, and in zones that the caller may see.
/// `None` = all of the account, also those of former days.
pub(super) fn hosts_of_query(
    gateway: &Gateway,
    account: &Account,
    zone: Option<String>,
    scope: &Scope,
) -> Result<Option<Vec<String>>, Error> {
    let zone = zone.map(|id| find_zone(gateway, account, &id).ok_or(Error::ZoneDenied(id)));
    let zone = zone.transpose()?;
    if zone.is_none() && *scope == Scope::Everything {
        return Ok(None);
    }
    let is_inside =
        |id: &ZoneId| zone.as_ref().is_none_or(|zone| zone.id == *id) && scope.shows(&id.0);
    let domains = gateway.engine.domains(account.id);
    let inside = domains.iter().filter(|domain| domain.zone.as_ref().is_some_and(is_inside));
    Ok(Some(inside.map(|domain| domain.name.clone()).collect()))
}

/// The zone that `ZoneId` names, which is required.
pub(super) fn zone(
    gateway: &Gateway,
    account: &Account,
    params: &mut Params,
) -> Result<Arc<Zone>, Error> {
    let id = params.required_text("ZoneId")?;
    find_zone(gateway, account, &id).ok_or(Error::ZoneForeign(id))
}

/// The zone with this id.
pub(super) fn find_zone(gateway: &Gateway, account: &Account, id: &str) -> Option<Arc<Zone>> {
    gateway.engine.zone(account.id, id).filter(|zone| zone.id.0 == id)
}

/// Takes `Filters`, each with a name of `known` and none twice. `too_many` makes the refusal of a
/// filter with more than 20 values.
pub(super) fn filters(
    params: &mut Params,
    known: &'static [&'static str],
    too_many: fn(String) -> Error,
) -> Result<Vec<Filter>, Error> {
    read(params, known, too_many, &["Name", "Values", "Fuzzy"])
}

/// The same of an action whose filters have no `Fuzzy`.
pub(super) fn plain_filters(
    params: &mut Params,
    known: &'static [&'static str],
) -> Result<Vec<Filter>, Error> {
    read(params, known, Error::too_many_values, &["Name", "Values"])
}

fn read(
    params: &mut Params,
    known: &'static [&'static str],
    too_many: fn(String) -> Error,
    members: &[&str],
) -> Result<Vec<Filter>, Error> {
    let mut filters: Vec<Filter> = Vec::new();
    for mut entry in params.structures("Filters")? {
        entry.only(members)?;
        let name = entry.required_text("Name")?;
        let values = entry.texts("Values")?.ok_or_else(|| entry.missing("Values"))?;
        let is_fuzzy = entry.boolean("Fuzzy")?.unwrap_or_default();
        if !known.contains(&name.as_str()) {
            return Err(FilterRule::Unknown { name, known }.into());
        }
        if values.len() > MOST_VALUES {
            return Err(too_many(name));
        }
        if values.is_empty() || filters.iter().any(|filter| filter.name == name) {
            return Err(FilterRule::Once(name).into());
        }
        filters.push(Filter { name, values, is_fuzzy });
    }
    Ok(filters)
}

/// Takes `on` or `off`.
pub(super) fn switch(params: &mut Params, name: &'static str) -> Result<Option<bool>, Refusal> {
    word(params, name, &[("on", true), ("off", false)], "`on`, `off`")
}

/// The page of `rows` that was asked for.
pub(super) fn cut<T>(rows: Vec<T>, (offset, limit): (u64, u64)) -> Vec<T> {
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    rows.into_iter().skip(skip).take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
}
