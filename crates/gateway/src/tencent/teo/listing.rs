//! What the two lists of tasks, of prefetches and of purges, are asked for, and how they answer.

use serde_json::{Map, Value};

use super::{
    error::Error,
    filters::{self, Filter},
    range::Range,
};
use crate::tencent::{common::refusal, params::Params};

const PARAMETERS: &[&str] = &["ZoneId", "StartTime", "EndTime", "Offset", "Limit", "Filters"];
/// Rows of a page at most.
const MOST: i64 = 1000;

/// What a list is asked for.
#[derive(Debug)]
pub(super) struct Listing {
    /// Only this zone.
    pub(super) zone: Option<String>,
    pub(super) offset: u64,
    pub(super) limit: u64,
    pub(super) range: Range,
    pub(super) filters: Vec<Filter>,
}

impl Listing {
    /// Takes the parameters; filters have a name of `known`.
    pub(super) fn read(params: &mut Params, known: &'static [&'static str]) -> Result<Self, Error> {
        params.only(PARAMETERS)?;
        let zone = filters::zone_of_query(params)?;
        let (offset, limit) = refusal::page(params, MOST)?;
        let range = Range::read(params)?;
        let filters = filters::filters(params, known, Error::too_many_values)?;
        Ok(Self { zone, offset, limit, range, filters })
    }
}

/// The reply with one page of tasks.
pub(super) fn reply<T>(total: u64, rows: &[T], task: fn(&T) -> Value) -> Map<String, Value> {
    let tasks: Vec<Value> = rows.iter().map(task).collect();
    Map::from_iter([("TotalCount".into(), total.into()), ("Tasks".into(), tasks.into())])
}
