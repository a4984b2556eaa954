//! `DescribePrefetchTasks`: shows how far submitted targets are.
//!
//! The only place where outcomes become this API's status and failure words. Tasks of the account
//! are shown whichever API submitted them.

use serde_json::{Value, json};
use stoker_domain::{
    media::is_playlist,
    outcome::{Block, Outcome},
    target::Target,
    task::{MediaPolicy, Progress, TaskId},
    time::Timestamp,
    view::{TargetFilter, TargetState},
};
use stoker_engine::TargetView;

use super::{
    clock,
    error::{Error, Reply},
    filters::{self, Filter},
    listing::{Listing, reply},
    rule::FilterRule,
};
use crate::tencent::{
    common::{
        Call, Refusal,
        scope::{Scope, narrow},
    },
    params::Params,
};

const FILTERS: &[&str] = &["job-id", "target", "domains", "statuses"];

pub(super) async fn call(
    Call { gateway, account, scope, .. }: Call<'_>,
    mut params: Params,
) -> Reply {
    let listing = Listing::read(&mut params, FILTERS)?;
    let mut filter = read(&listing, gateway.clock.now())?;
    filter.account = Some(account.id);
    let domains = gateway.engine.domains(account.id).len();
    if domains == 0 {
        return Err(Error::DomainEmpty);
    }
    let inside = filters::hosts_of_query(gateway, account, listing.zone, scope)?;
    let is_bound = *scope != Scope::Everything;
    let is_every = !is_bound && inside.as_ref().is_some_and(|hosts| hosts.len() == domains);
    filter.hosts = filter.hosts.map(|hosts| gateway.engine.names_of(account.id, hosts));
    // every domain: no need to look at each
    if !is_every || filter.hosts.is_some() {
        filter.hosts = narrow(inside.as_deref(), filter.hosts);
    }
    let page = gateway.engine.targets(&filter).await.map_err(Error::Ledger)?;
    Ok(reply(page.total, &page.rows, task))
}

fn read(listing: &Listing, now: Timestamp) -> Result<TargetFilter, Error> {
    let &Listing { offset, limit, range, .. } = listing;
    let mut filter =
        TargetFilter { from: range.from, to: range.to, offset, limit, ..TargetFilter::default() };
    for wanted in &listing.filters {
        apply(&mut filter, wanted.clone())?;
    }
    range.check(filter.task.is_none(), now)?;
    Ok(filter)
}

fn apply(filter: &mut TargetFilter, wanted: Filter) -> Result<(), Error> {
    wanted.check(&[], &["job-id", "target"])?;
    let Filter { name, values, .. } = wanted;
    let first = values.first().cloned().unwrap_or_default();
    match name.as_str() {
        "job-id" => filter.task = Some(TaskId(first)),
        "target" => {
            let target = Target::parse(&first, true);
            filter.url = Some(target.map_err(|_| FilterRule::Target)?.url);
        }
        "domains" => {
            filter.hosts = Some(values.iter().map(|value| value.to_ascii_lowercase()).collect());
        }
        _ => {
            let states = values.iter().map(|word| selection(word));
            filter.states = Some(states.filter_map(Result::transpose).collect::<Result<_, _>>()?);
        }
    }
    Ok(())
}

/// Which targets have the status word; the inverse of [`verdict`]. Targets cannot be canceled.
fn selection(word: &str) -> Result<Option<TargetState>, Refusal> {
    match word {
        "processing" => Ok(Some(TargetState::Processing)),
        "success" => Ok(Some(TargetState::Done)),
        "invalid" => Ok(Some(TargetState::FailedByOrigin)),
        "failed" => Ok(Some(TargetState::FailedOtherwise)),
        "timeout" => Ok(Some(TargetState::FailedByTimeout)),
        "canceled" => Ok(None),
        _ => Err(Refusal::word(
            "Filters",
            word,
            "`processing`, `success`, `failed`, `timeout`, `canceled`, `invalid`",
        )),
    }
}

/// What became of a target, in this API's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    status: &'static str,
    fail_type: &'static str,
}

/// The status and the kind of failure. `is_followed` tells a playlist whose segments were asked
/// for: that it could not be had is a kind of its own.
const fn verdict(progress: Progress, outcome: Option<Outcome>, is_followed: bool) -> Verdict {
    let pull = if is_followed { "downloadManifestFailed" } else { "originPullFailed" };
    let (status, fail_type) = match (progress, outcome) {
        (Progress::Processing, _) => ("processing", ""),
        (Progress::Done, _) => ("success", ""),
        (Progress::Failed, Some(outcome)) => match outcome {
            Outcome::OriginStatus(401 | 403) => ("invalid", "accessDenied"),
            Outcome::OriginStatus(_) if outcome.is_refusal() => ("invalid", pull),
            Outcome::OriginStatus(_) => ("failed", pull),
            Outcome::OriginError(_) => ("failed", pull),
            // what is named is too much or lies too deep: counted for the playlist, or for one of them
            Outcome::Blocked(Block::TooManyChildren | Block::TooDeep) if is_followed => {
                ("failed", "downloadManifestFailed")
            }
            Outcome::Blocked(Block::TooManyChildren | Block::TooDeep) => {
                ("failed", "quotaExceeded")
            }
            Outcome::Blocked(_) => ("failed", "accessDenied"),
            Outcome::Playlist(_) => ("failed", "downloadManifestFailed"),
            Outcome::OverQuota => ("failed", "quotaExceeded"),
            Outcome::Timeout => ("timeout", "taskFailed"),
            Outcome::Canceled => ("canceled", "taskFailed"),
            Outcome::Filled
            | Outcome::AlreadyFresh
            | Outcome::Revalidated
            | Outcome::Uncacheable(_)
            | Outcome::TooLarge => ("failed", "taskFailed"),
        },
        (Progress::Failed, None) => ("failed", "taskFailed"),
    };
    Verdict { status, fail_type }
}

fn task(view: &TargetView) -> Value {
    let row = &view.row;
    let is_followed = row.task.options.media == MediaPolicy::Segments
        && Target::parse(&row.url, true).is_ok_and(|target| is_playlist(&target.path_and_query));
    let Verdict { status, fail_type } = verdict(row.progress, row.outcome, is_followed);
    let message = match row.outcome {
        Some(outcome) if !fail_type.is_empty() => outcome.to_string(),
        _ => String::new(),
    };
    json!({
        "JobId": row.task.id,
        "Target": row.url,
        "Type": "prefetch_url",
        "Method": "",
        "Status": status,
        "CreateTime": clock::format(row.created_at),
        "UpdateTime": clock::format(row.finished_at.unwrap_or(row.created_at)),
        "FailType": fail_type,
        "FailMessage": message,
    })
}

#[cfg(test)]
mod tests {
    use stoker_domain::outcome::{OriginFault, PlaylistFault, Uncacheable};

    use super::*;

    #[test]
    fn each_outcome_has_its_status_and_kind_of_failure() {
        let words = |outcome, is_followed| {
            let verdict = verdict(Progress::Failed, Some(outcome), is_followed);
            (verdict.status, verdict.fail_type)
        };
        assert_eq!(verdict(Progress::Processing, None, true).status, "processing");
        assert_eq!(verdict(Progress::Done, Some(Outcome::Filled), true).status, "success");
        assert_eq!(verdict(Progress::Failed, None, true).fail_type, "taskFailed");
        for (outcome, expected) in [
            (Outcome::OriginStatus(404), ("invalid", "originPullFailed")),
            (Outcome::OriginStatus(403), ("invalid", "accessDenied")),
            (Outcome::OriginStatus(302), ("invalid", "originPullFailed")),
            (Outcome::OriginStatus(204), ("failed", "originPullFailed")),
            (Outcome::OriginError(OriginFault::Connect), ("failed", "originPullFailed")),
            (Outcome::Blocked(Block::Ownership), ("failed", "accessDenied")),
            (Outcome::Blocked(Block::TooManyChildren), ("failed", "quotaExceeded")),
            (Outcome::OverQuota, ("failed", "quotaExceeded")),
            (Outcome::Playlist(PlaylistFault::NotAPlaylist), ("failed", "downloadManifestFailed")),
            (Outcome::Uncacheable(Uncacheable::NoStore), ("failed", "taskFailed")),
            (Outcome::TooLarge, ("failed", "taskFailed")),
            (Outcome::Timeout, ("timeout", "taskFailed")),
            (Outcome::Canceled, ("canceled", "taskFailed")),
        ] {
            assert_eq!(words(outcome, false), expected, "{outcome}");
        }
        assert_eq!(words(Outcome::OriginStatus(404), true).1, "downloadManifestFailed");
        for limit in [Block::TooManyChildren, Block::TooDeep] {
            assert_eq!(words(Outcome::Blocked(limit), true).1, "downloadManifestFailed");
        }
        assert_eq!(words(Outcome::OriginStatus(401), true).1, "accessDenied");
    }
}
