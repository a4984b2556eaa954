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
    view::{PurgeFilter, PurgeRow, PurgeState},
};

use super::{
    clock,
    error::{Error, Reply},
    filters::{self, Filter},
    listing::{self, Known, Listing, reply},
    purge_kind::{EXPECTED, KINDS, Kind},
};
use crate::tencent::{
    common::{Call, Refusal},
    params::Params,
};

const FILTERS: Known<PurgeState> = Known {
    names: &["job-id", "target", "domains", "statuses", "type"],
    fuzzy: &["target"],
    single: &["job-id", "target", "type"],
    state,
};

pub(super) async fn call(call: Call<'_>, mut params: Params) -> Reply {
    let Call { gateway, account, scope, .. } = call;
    let mut filter = PurgeFilter { account: Some(account.id), ..PurgeFilter::default() };
    let apply = |wanted| apply(&mut filter, wanted);
    let listing = Listing::read(&mut params, &FILTERS, gateway.clock.now(), apply)?;
    let inside = filters::hosts_of_query(gateway, account, listing.zone, scope)?;
    let filter = PurgeFilter {
        id: listing.task,
        hosts: listing::hosts(call, inside.as_deref(), listing.hosts),
        states: listing.states,
        from: listing.range.from,
        to: listing.range.to,
        offset: listing.offset,
        limit: listing.limit,
        ..filter
    };
    let page = gateway.engine.purges(&filter).await.map_err(Error::Ledger)?;
    Ok(reply(page.total, &page.rows, task))
}

fn apply(filter: &mut PurgeFilter, wanted: Filter) -> Result<(), Error> {
    let Filter { name, values, is_fuzzy } = wanted;
    let first = values.into_iter().next().unwrap_or_default();
    match name.as_str() {
        "target" if is_fuzzy => filter.text = Some(first),
        "target" => filter.urls = Some(spellings(first)),
        _ => filter.products = Some(products(first)?),
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
