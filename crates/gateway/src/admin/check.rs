//! Checks: what nodes have of URLs, and why not all of it. The sentences are made here.

use http::StatusCode;
use stoker_domain::{
    area::Tier,
    holding::{Failure, Holding, Lack},
    outcome::Outcome,
    placement::Node,
    time::Timestamp,
};
use stoker_engine::{Check, CheckTiers, Checked};

use super::{
    api::{self, CheckedTarget, CheckedView, FailureView, HoldingView, Layers},
    call::{Call, Reply},
    problem::Error,
    time::rfc3339,
};

pub(super) async fn check(mut call: Call) -> Result<Reply, Error> {
    let new: api::NewCheck = call.take_json()?;
    let check = Check {
        urls: new.urls,
        areas: new.areas,
        tiers: match new.layer {
            None => CheckTiers::AsPrefetched,
            Some(Layers::Edge) => CheckTiers::One(Tier::Edge),
            Some(Layers::Middle) => CheckTiers::One(Tier::Middle),
            Some(Layers::All) => CheckTiers::All,
        },
        encode: new.encode,
        batch_limit: api::MOST_CHECKED,
    };
    let checked = call.gateway.engine.check(call.account.id, &check).await?;
    let now = call.gateway.clock.now();
    let targets = checked.into_iter().map(|checked| target(checked, now)).collect();
    Ok(Reply::json(StatusCode::OK, &CheckedView { targets }))
}

fn target(checked: Checked, now: Timestamp) -> CheckedTarget {
    let nodes = checked.nodes.iter().map(|(node, holding)| view(node, holding, now));
    CheckedTarget { nodes: nodes.collect(), url: checked.url }
}

fn view(node: &Node, holding: &Holding, now: Timestamp) -> HoldingView {
    let is_held = holding.lack.is_none();
    let fresh_for = |until: Timestamp| (until.as_millis() - now.as_millis()).div_euclid(1000);
    let (slices_held, slices) = match holding.lack {
        Some(Lack::Partial { held, slices }) => (Some(held), slices),
        _ => (None, None),
    };
    HoldingView {
        node: node.name.clone(),
        area: node.area,
        tier: node.tier,
        is_held,
        status: holding.status,
        size_bytes: holding.size_bytes,
        fresh_for_seconds: holding.fresh_until.filter(|_| is_held).map(fresh_for),
        fresh_until: holding.fresh_until.map(rfc3339),
        lack: holding.lack.as_ref().map(|lack| lack.as_str().into()),
        lack_at: holding.lack.as_ref().and_then(Lack::at).map(rfc3339),
        reason: holding.lack.as_ref().map(|lack| reason(lack, holding)),
        slices_held,
        slices,
        last_failure: holding.last_failure.as_ref().map(failure),
    }
}

fn failure(failure: &Failure) -> FailureView {
    FailureView {
        at: rfc3339(failure.at),
        outcome: failure.outcome,
        detail: failure.detail.clone(),
    }
}

/// One sentence: what lacks, since when, and what came of the last attempt to fetch it.
fn reason(lack: &Lack, holding: &Holding) -> String {
    let mut text = match (lack, &holding.status) {
        (Lack::KeptError, Some(status)) => format!("what is kept is a {status}, not the content"),
        _ => lack.to_string(),
    };
    if let Some(at) = lack.at() {
        let word = if matches!(lack, Lack::Stale(_)) { "since" } else { "at" };
        text.push_str(&format!(" {word} {}", seconds(at)));
    }
    let Some(failure) = &holding.last_failure else { return text };
    match lack {
        Lack::Refused | Lack::Failed => {
            text.push_str(&format!(" at {}: {}", seconds(failure.at), failure_text(failure)));
        }
        // what is kept is younger than that
        Lack::KeptError | Lack::DomainUnknown | Lack::DomainStopped => {}
        _ => text.push_str(&format!(
            "; not fetched again at {}: {}",
            seconds(failure.at),
            failure_text(failure)
        )),
    }
    text
}

/// The field, rule or status that decided it.
fn failure_text(failure: &Failure) -> String {
    let cause = match failure.outcome {
        Outcome::Uncacheable(reason) => reason.cause().to_owned(),
        Outcome::TooLarge => "larger than the node's store takes".into(),
        Outcome::OriginStatus(code) => format!("status {code}"),
        other => other.to_string(),
    };
    match &failure.detail {
        Some(detail) => format!("{cause} ({detail})"),
        None => cause,
    }
}

/// A moment as people read it, to the second.
fn seconds(moment: Timestamp) -> String {
    rfc3339(Timestamp::from_seconds(moment.as_seconds())).replace(".000Z", "Z")
}

#[cfg(test)]
mod tests {
    use stoker_domain::outcome::{OriginFault, Uncacheable};

    use super::*;

    #[test]
    fn every_reason_names_what_decided_it() {
        let at = Timestamp::from_seconds(1_750_000_000);
        let failure =
            |outcome, detail: Option<&str>| Failure { at, outcome, detail: detail.map(Into::into) };
        let no_store = failure(
            Outcome::Uncacheable(Uncacheable::NoStore),
            Some("origin `http://a` answered 200 OK"),
        );
        let refused = failure(Outcome::OriginError(OriginFault::Connect), None);
        let missing = failure(Outcome::OriginStatus(404), None);
        let large = failure(Outcome::TooLarge, None);
        let when = "2025-06-15T15:06:40Z";
        for (lack, last_failure, expected) in [
            (Lack::NeverAsked, None, "never asked for".to_owned()),
            (
                Lack::Refused,
                Some(no_store),
                format!(
                    "not kept at {when}: `Cache-Control: no-store` (origin `http://a` answered 200 OK)"
                ),
            ),
            (
                Lack::Refused,
                Some(large),
                format!("not kept at {when}: larger than the node's store takes"),
            ),
            (Lack::Failed, Some(missing.clone()), format!("not fetched at {when}: status 404")),
            (Lack::KeptError, Some(missing), "what is kept is a 404, not the content".into()),
            (Lack::Stale(at), None, format!("stale since {when}")),
            (
                Lack::Stale(at),
                Some(refused),
                format!("stale since {when}; not fetched again at {when}: origin_error:connect"),
            ),
            (Lack::Evicted(at), None, format!("evicted to make room at {when}")),
            (Lack::Purged(at), None, format!("purged at {when}")),
            (Lack::Partial { held: 2, slices: Some(5) }, None, "partial: 2 of 5 slices".into()),
            (
                Lack::Varies(vec!["accept-language".into()]),
                None,
                "kept for other values of the request fields accept-language".into(),
            ),
        ] {
            let holding = Holding { status: Some(404), last_failure, ..Holding::default() };
            assert_eq!(reason(&lack, &holding), expected);
        }
    }
}
