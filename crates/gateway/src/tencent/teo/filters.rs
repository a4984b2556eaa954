//! What the queries of this API share: the zone, pages, filters and words.

use std::sync::Arc;

use stoker_domain::{
    account::Account,
    area::UnknownWord,
    zone::{Zone, ZoneId},
};

use super::Error;
use crate::{
    Gateway,
    tencent::{error::Error as CallError, message::Message, params::Params},
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
    pub(super) fn check(&self, fuzzy: &[&str], single: &[&str]) -> Result<(), Error> {
        let name = &self.name;
        let is_in = |names: &[&str]| names.contains(&name.as_str());
        if self.is_fuzzy && !is_in(fuzzy) {
            return Err(Error::Filter(Message::new(
                format!("`{name}` is never fuzzy"),
                format!("`{name}` 不支持模糊查询"),
            )));
        }
        if self.values.len() > 1 && is_in(single) {
            return Err(Error::Filter(Message::new(
                format!("`{name}` takes one value"),
                format!("`{name}` 只接受一个值"),
            )));
        }
        Ok(())
    }
}

/// The zone that a query is about; an empty text and `*` count as none.
pub(super) fn zone_of_query(params: &mut Params) -> Result<Option<String>, CallError> {
    Ok(params.text("ZoneId")?.filter(|zone| !zone.is_empty() && zone != "*"))
}

/// The hosts that a query may show: of the domains in `zone`, and in zones that the caller may see.
/// `None` = all of the account, also those of former days.
pub(super) fn hosts_of_query(
    gateway: &Gateway,
    account: &Account,
    zone: Option<String>,
    params: &Params,
) -> Result<Option<Vec<String>>, CallError> {
    let zone = zone.map(|id| find_zone(gateway, account, &id).ok_or(Error::ZoneDenied(id)));
    let zone = zone.transpose()?;
    if zone.is_none() && params.visible().is_none() {
        return Ok(None);
    }
    let is_inside =
        |id: &ZoneId| zone.as_ref().is_none_or(|zone| zone.id == *id) && params.shows(&id.0);
    let domains = gateway.engine.domains(account.id);
    let inside = domains.iter().filter(|domain| domain.zone.as_ref().is_some_and(is_inside));
    Ok(Some(inside.map(|domain| domain.name.clone()).collect()))
}

/// The zone that `ZoneId` names, which is required.
pub(super) fn zone(
    gateway: &Gateway,
    account: &Account,
    params: &mut Params,
) -> Result<Arc<Zone>, CallError> {
    let id = params.required_text("ZoneId")?;
    Ok(find_zone(gateway, account, &id).ok_or(Error::ZoneForeign(id))?)
}

/// The zone with this id.
pub(super) fn find_zone(gateway: &Gateway, account: &Account, id: &str) -> Option<Arc<Zone>> {
    gateway.engine.zone(account.id, id).filter(|zone| zone.id.0 == id)
}

/// Takes `Offset` (0) and `Limit` (20).
pub(super) fn page(params: &mut Params, most: i64) -> Result<(u64, u64), CallError> {
    let offset = params.bounded("Offset", 0, 0..=1_000_000_000)?.map_err(Error::Range)?;
    let limit = params.bounded("Limit", 20, 1..=most)?.map_err(Error::Range)?;
    Ok((offset, limit))
}

/// Takes `Filters`, each with a name of `known` and none twice. `too_many` makes the refusal of a
/// filter with more than 20 values.
pub(super) fn filters(
    params: &mut Params,
    known: &[&str],
    too_many: fn(String) -> Error,
) -> Result<Vec<Filter>, CallError> {
    read(params, known, too_many, &["Name", "Values", "Fuzzy"])
}

/// The same of an action whose filters have no `Fuzzy`.
pub(super) fn plain_filters(params: &mut Params, known: &[&str]) -> Result<Vec<Filter>, CallError> {
    read(params, known, Error::too_many_values, &["Name", "Values"])
}

fn read(
    params: &mut Params,
    known: &[&str],
    too_many: fn(String) -> Error,
    members: &[&str],
) -> Result<Vec<Filter>, CallError> {
    let mut filters: Vec<Filter> = Vec::new();
    for mut entry in params.structures("Filters")? {
        entry.only(members)?;
        let name = entry.required_text("Name")?;
        let values = entry.texts("Values")?.ok_or_else(|| entry.missing("Values"))?;
        let is_fuzzy = entry.boolean("Fuzzy")?.unwrap_or_default();
        if !known.contains(&name.as_str()) {
            let known = known.join("`, `");
            let rule = Message::new(
                format!("`{name}` is not one of `{known}`"),
                format!("`{name}` 不在可选值 `{known}` 之中"),
            );
            return Err(Error::Filter(rule).into());
        }
        if values.len() > MOST_VALUES {
            return Err(too_many(name).into());
        }
        if values.is_empty() || filters.iter().any(|filter| filter.name == name) {
            let rule = Message::new(
                format!("`{name}` must be given once, with a value"),
                format!("`{name}` 只能填写一次，且必须有值"),
            );
            return Err(Error::Filter(rule).into());
        }
        filters.push(Filter { name, values, is_fuzzy });
    }
    Ok(filters)
}

/// Takes an optional word: the value beside it in `words`.
pub(super) fn word<T: Copy>(
    params: &mut Params,
    name: &'static str,
    words: &[(&str, T)],
    expected: &'static str,
) -> Result<Option<T>, CallError> {
    let Some(given) = params.text(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    match words.iter().find(|(word, _)| *word == given) {
        Some((_, value)) => Ok(Some(*value)),
        None => Err(Error::Word { name, error: UnknownWord { given, expected } }.into()),
    }
}

/// Takes `on` or `off`.
pub(super) fn switch(params: &mut Params, name: &'static str) -> Result<Option<bool>, CallError> {
    word(params, name, &[("on", true), ("off", false)], "`on`, `off`")
}

/// The page of `rows` that was asked for.
pub(super) fn cut<T>(rows: Vec<T>, (offset, limit): (u64, u64)) -> Vec<T> {
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    rows.into_iter().skip(skip).take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
}
