//! `DescribePurgeTasks`: shows how far purges are.
//!
//! Purges of the account are shown whichever API they came through. A tag is shown once for each
//! domain that it is purged in, and a whole zone as its domains.

use serde_json::{Value, json};
use stoker_domain::{
    host::is_domain_name,
    purge::{Method, root},
    quota::Product,
    target::Target,
    task::TaskId,
    time::Timestamp,
    view::{PurgeFilter, PurgeRow, PurgeState},
};

use super::{
    clock,
    error::{Error, Reply},
    filters::{self, Filter},
    listing::{Listing, reply},
    purge_kind::{EXPECTED, KINDS, Kind},
};
use crate::tencent::{
    common::{Call, Refusal, scope::narrow},
    params::Params,
};

const FILTERS: &[&str] = &["job-id", "target", "domains", "statuses", "type"];

pub(super) async fn call(
    Call { gateway, account, scope, .. }: Call<'_>,
    mut params: Params,
) -> Reply {
    let listing = Listing::read(&mut params, FILTERS)?;
    let mut filter = read(&listing, gateway.clock.now())?;
    let inside = filters::hosts_of_query(gateway, account, listing.zone, scope)?;
    filter.account = Some(account.id);
    filter.hosts = filter.hosts.map(|hosts| gateway.engine.names_of(account.id, hosts));
    filter.hosts = narrow(inside.as_deref(), filter.hosts);
    let page = gateway.engine.purges(&filter).await.map_err(Error::Ledger)?;
    Ok(reply(page.total, &page.rows, task))
}

fn read(listing: &Listing, now: Timestamp) -> Result<PurgeFilter, Error> {
    let &Listing { offset, limit, range, .. } = listing;
    let mut filter =
        PurgeFilter { from: range.from, to: range.to, offset, limit, ..PurgeFilter::default() };
    for wanted in &listing.filters {
        apply(&mut filter, wanted.clone())?;
    }
    range.check(filter.id.is_none(), now)?;
    Ok(filter)
}

fn apply(filter: &mut PurgeFilter, wanted: Filter) -> Result<(), Error> {
    wanted.check(&["target"], &["job-id", "target", "type"])?;
    let Filter { name, values, is_fuzzy } = wanted;
    let first = values.first().cloned().unwrap_or_default();
    match name.as_str() {
        "job-id" => filter.id = Some(TaskId(first)),
        "target" if is_fuzzy => filter.text = Some(first),
        "target" => filter.urls = Some(spellings(first)),
        "type" => filter.products = Some(products(first)?),
        "domains" => {
            filter.hosts = Some(values.iter().map(|value| value.to_ascii_lowercase()).collect());
        }
        _ => {
            let states = values.iter().map(|word| state(word));
            filter.states = Some(states.filter_map(Result::transpose).collect::<Result<_, _>>()?);
        }
    }
    Ok(())
}

/// What `given` may be in the records: a URL, a host, a tag.
fn spellings(given: String) -> Vec<String> {
    let url = Target::parse(&given, true).ok().map(|target| target.url);
    let host = Some(given.to_ascii_lowercase()).filter(|host| is_domain_name(host));
    let host = host.map(|host| root(&host));
    url.into_iter().chain(host).chain([given]).collect()
}

/// The purges that are shown as the given kind.
fn products(given: String) -> Result<Vec<Product>, Refusal> {
    let Some((_, kind)) = KINDS.iter().find(|(word, _)| *word == given) else {
        return Err(Refusal::word("Filters", given, EXPECTED));
    };
    let shown = Product::ALL.into_iter().filter(|product| !Product::PREFETCH.contains(product));
    Ok(shown.filter(|product| Kind::of(*product) == *kind).collect())
}

/// Which purges have the status word; none fails otherwise than by time.
fn state(word: &str) -> Result<Option<PurgeState>, Refusal> {
    match word {
        "processing" => Ok(Some(PurgeState::Processing)),
        "success" => Ok(Some(PurgeState::Done)),
        "timeout" => Ok(Some(PurgeState::Overdue)),
        "failed" | "canceled" => Ok(None),
        _ => Err(Refusal::word(
            "Filters",
            word,
            "`processing`, `success`, `failed`, `timeout`, `canceled`",
        )),
    }
}

fn task(row: &PurgeRow) -> Value {
    let kind = Kind::of(row.product);
    let (status, fail_type, message) = match row.state {
        PurgeState::Processing => ("processing", "", ""),
        PurgeState::Done => ("success", "", ""),
        PurgeState::Overdue => ("timeout", "taskFailed", "some node has not confirmed yet"),
    };
    json!({
        "JobId": row.id,
        "Target": kind.shown(&row.url),
        "Type": kind.name(),
        "Method": match row.method {
            Method::Delete => "delete",
            Method::Invalidate => "invalidate",
        },
        "Status": status,
        "CreateTime": clock::format(row.created_at),
        "UpdateTime": clock::format(row.finished_at.unwrap_or(row.created_at)),
        "FailType": fail_type,
        "FailMessage": message,
    })
}
