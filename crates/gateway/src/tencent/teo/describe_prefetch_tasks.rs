//! `DescribePrefetchTasks`: shows how far submitted targets are.
//!
//! The only place where outcomes become this API's status and failure words. Tasks of the account
//! are shown whichever API submitted them.

use serde_json::{Value, json};
use stoker_domain::{
    media::is_playlist,
    outcome::{Block, Outcome},
    target::Target,
    task::{MediaPolicy, Progress},
    view::{TargetFilter, TargetState},
};
use stoker_engine::TargetView;

use super::{
    clock,
    error::{Error, Reply},
    filters::{self, Filter},
    listing::{self, Known, Listing, reply},
    rule::FilterRule,
};
use crate::tencent::{
    common::{Call, Refusal, Scope},
    params::Params,
};

const FILTERS: Known<TargetState> = Known {
    names: &["job-id", "target", "domains", "statuses"],
    fuzzy: &[],
    single: &["job-id", "target"],
    state: selection,
};

pub(super) async fn call(call: Call<'_>, mut params: Params) -> Reply {
    let Call { gateway, account, scope, .. } = call;
    let mut url = None;
    let listing = Listing::read(&mut params, &FILTERS, gateway.clock.now(), |target| {
        url = Some(normal_url(&target)?);
        Ok(())
    })?;
    let domains = gateway.engine.domains(account.id).len();
    if domains == 0 {
        return Err(Error::DomainEmpty);
    }
    let inside = filters::hosts_of_query(gateway, account, listing.zone, scope)?;
    let is_narrowed = *scope != Scope::Everything || listing.hosts.is_some();
    // every domain: no need to look at each
    let inside = inside.filter(|hosts| is_narrowed || hosts.len() != domains);
    let filter = TargetFilter {
        account: Some(account.id),
        task: listing.task,
        url,
        hosts: listing::hosts(call, inside.as_deref(), listing.hosts),
        states: listing.states,
        from: listing.range.from,
        to: listing.range.to,
        offset: listing.offset,
        limit: listing.limit,
        ..TargetFilter::default()
    };
    let page = gateway.engine.targets(&filter).await.map_err(Error::Ledger)?;
    Ok(reply(page.total, &page.rows, task))
}

/// The URL that a filter `target` names.
fn normal_url(target: &Filter) -> Result<String, FilterRule> {
    let given = target.values.first().map(String::as_str).unwrap_or_default();
    Target::parse(given, true).map(|target| target.url).map_err(|_| FilterRule::Target)
}

/// Which targets have the status word; the inverse of [`verdict`].
fn selection(word: &str) -> Result<Option<TargetState>, Refusal> {
    match word {
        "processing" => Ok(Some(TargetState::Processing)),
        "success" => Ok(Some(TargetState::Done)),
        "invalid" => Ok(Some(TargetState::FailedByOrigin)),
        "failed" => Ok(Some(TargetState::FailedOtherwise)),
        "timeout" => Ok(Some(TargetState::FailedByTimeout)),
        "canceled" => Ok(Some(TargetState::Canceled)),
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
