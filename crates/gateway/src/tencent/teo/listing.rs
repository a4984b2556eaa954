//! What the two lists of tasks, of prefetches and of purges, are asked for, and how they answer.
//!
//! Here is what both can be asked for; the filters that only one of them has are the action's.

use serde_json::{Map, Value};
use stoker_domain::{task::TaskId, time::Timestamp};

use super::{
    error::Error,
    filters::{self, Filter},
    range::Range,
};
use crate::tencent::{
    common::{Call, Refusal, refusal, scope::narrow},
    params::Params,
};

const PARAMETERS: &[&str] = &["ZoneId", "StartTime", "EndTime", "Offset", "Limit", "Filters"];
/// Rows of a page at most.
const MOST: i64 = 1000;

/// The filters of one list.
#[derive(Debug)]
pub(super) struct Known<S> {
    /// Their names: `job-id`, `domains`, `statuses`, and those of the action itself.
    pub(super) names: &'static [&'static str],
    /// Those that may be fuzzy.
    pub(super) fuzzy: &'static [&'static str],
    /// Those that take one value.
    pub(super) single: &'static [&'static str],
    /// Reads a word of `statuses`; nothing for one that no task has.
    pub(super) state: fn(&str) -> Result<Option<S>, Refusal>,
}

/// What a list is asked for.
#[derive(Debug)]
pub(super) struct Listing<S> {
    /// Only this zone.
    pub(super) zone: Option<String>,
    pub(super) offset: u64,
    pub(super) limit: u64,
    pub(super) range: Range,
    pub(super) task: Option<TaskId>,
    /// Only these domains, as given.
    pub(super) hosts: Option<Vec<String>>,
    pub(super) states: Option<Vec<S>>,
}

impl<S> Listing<S> {
    /// Takes the parameters; `apply` takes the filters that are the action's own.
    pub(super) fn read(
        params: &mut Params,
        known: &Known<S>,
        now: Timestamp,
        mut apply: impl FnMut(Filter) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        params.only(PARAMETERS)?;
        let zone = filters::zone_of_query(params)?;
        let (offset, limit) = refusal::page(params, MOST)?;
        let range = Range::read(params)?;
        let filters = filters::filters(params, known.names, Error::too_many_values)?;
        let (task, hosts, states) = (None, None, None);
        let mut listing = Self { zone, offset, limit, range, task, hosts, states };
        for filter in filters {
            filter.check(known.fuzzy, known.single)?;
            match filter.name.as_str() {
                "job-id" => listing.task = filter.values.into_iter().next().map(TaskId),
                "domains" => {
                    let lower = filter.values.iter().map(|value| value.to_ascii_lowercase());
                    listing.hosts = Some(lower.collect());
                }
                "statuses" => {
                    let states = filter.values.iter().map(|word| (known.state)(word));
                    let states = states.filter_map(Result::transpose).collect::<Result<_, _>>()?;
                    listing.states = Some(states);
                }
                _ => apply(filter)?,
            }
        }
        listing.range.check(listing.task.is_none(), now)?;
        Ok(listing)
    }
}

/// The domains that a list shows: those asked for that are `inside` of what it may show.
pub(super) fn hosts(
    Call { gateway, account, .. }: Call<'_>,
    inside: Option<&[String]>,
    asked: Option<Vec<String>>,
) -> Option<Vec<String>> {
    narrow(inside, asked.map(|hosts| gateway.engine.names_of(account.id, hosts)))
}

/// The reply with one page of tasks.
pub(super) fn reply<T>(total: u64, rows: &[T], task: fn(&T) -> Value) -> Map<String, Value> {
    let tasks: Vec<Value> = rows.iter().map(task).collect();
    Map::from_iter([("TotalCount".into(), total.into()), ("Tasks".into(), tasks.into())])
}
