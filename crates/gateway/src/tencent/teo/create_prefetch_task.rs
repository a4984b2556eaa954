//! `CreatePrefetchTask`: submits targets; those that cannot be accepted are named.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use stoker_domain::{
    account::Account,
    area::Tier,
    domain::{Domain, Lock},
    quota::Product,
    task::{FetchOptions, MediaPolicy},
};
use stoker_engine::{Submission, SubmitError};

use super::{
    error::{Error, Reply},
    filters,
};
use crate::{
    Gateway, request_fields,
    tencent::{
        common::{
            Call,
            refusal::{headers, word},
        },
        message::Message,
        params::Params,
    },
};

const PARAMETERS: &[&str] =
    &["ZoneId", "Targets", "Mode", "EncodeUrl", "Headers", "PrefetchMediaSegments"];

/// `User-Agent` of the origin request where the caller gives none.
const USER_AGENT: &str = "TencentCdn";

/// All zones of the account, and what is in none.
const ANY: &str = "*";

pub(super) async fn call(
    Call { gateway, account, scope, language }: Call<'_>,
    mut params: Params,
) -> Reply {
    params.only(PARAMETERS)?;
    let zone = match params.required_text("ZoneId")?.as_str() {
        ANY => None,
        id => {
            let zone = filters::find_zone(gateway, account, id);
            Some(zone.ok_or_else(|| Error::ZoneForeign(id.into()))?.id.clone())
        }
    };
    let allowed = scope.names().map(|zones| hosts(gateway, account, zones));
    let mut submission = read(params)?;
    submission.zone = zone;
    let follows = submission.options.media != MediaPolicy::Off;
    submission.options.playlist_hosts = allowed.filter(|_| follows);
    let done = gateway.engine.submit_what_can_be(account, submission).await;
    let done = done.map_err(Error::from)?;
    match (done.receipt, done.refused) {
        (Some(receipt), refused) => {
            let refused = refused.into_iter();
            let refused = refused.map(|(url, error)| (url, reason(&error).text(language)));
            Ok(Map::from_iter([
                ("JobId".into(), receipt.task.0.into()),
                ("FailedList".into(), failed_list(refused).into()),
            ]))
        }
        (None, refused) => {
            let first = refused.into_iter().next().map_or(SubmitError::NoUrls, |(_, error)| error);
            Err(Error::NoneAccepted(first))
        }
    }
}

/// The hosts of the domains in `zones`.
fn hosts(gateway: &Gateway, account: &Account, zones: &[String]) -> Vec<String> {
    let domains = gateway.engine.domains(account.id);
    let is_in =
        |domain: &&Arc<Domain>| domain.zone.as_ref().is_some_and(|it| zones.contains(&it.0));
    domains.iter().filter(is_in).map(|domain| domain.name.clone()).collect()
}

fn read(mut params: Params) -> Result<Submission, Error> {
    let modes = [("default", false), ("edge", true)];
    let mode = word(&mut params, "Mode", &modes, "`default`, `edge`")?;
    let is_edge = mode.unwrap_or_default();
    let mut headers = headers(&mut params)?;
    let user_agent = request_fields::take_user_agent(&mut headers);
    let follows = filters::switch(&mut params, "PrefetchMediaSegments")?.unwrap_or_default();
    let urls = params.texts("Targets")?.unwrap_or_default();
    let product = if is_edge { Product::ZoneEdgePrefetch } else { Product::ZonePrefetch };
    Ok(Submission {
        // edges fill through the middle tier, so that both hold it
        tier: Some(if is_edge { Tier::Edge } else { Tier::Middle }),
        options: FetchOptions {
            user_agent,
            default_user_agent: Some(USER_AGENT.into()),
            headers,
            media: if follows { MediaPolicy::Segments } else { MediaPolicy::Off },
            ..FetchOptions::default()
        },
        encode: params.boolean("EncodeUrl")?.unwrap_or_default(),
        ..Submission::new(product, urls)
    })
}

/// Refused targets by reason, both in the order given.
pub(super) fn failed_list(refused: impl IntoIterator<Item = (String, String)>) -> Vec<Value> {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for (url, reason) in refused {
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, urls)) => urls.push(url),
            None => reasons.push((reason, vec![url])),
        }
    }
    let entry = |(reason, urls)| json!({ "Reason": reason, "Targets": urls });
    reasons.into_iter().map(entry).collect()
}

/// Why a target is in the list.
pub(super) fn reason(error: &SubmitError) -> Message {
    match error {
        SubmitError::DomainUnknown { .. } | SubmitError::OtherZone { .. } => {
            Message::new("domain not valid", "域名无效")
        }
        SubmitError::DomainOffline { .. } | SubmitError::AreaNotEnabled { .. } => {
            Message::new("domain not online", "域名未上线")
        }
        SubmitError::DomainLocked { lock: Lock::Locked, .. } => {
            Message::new("domain locked", "域名已锁定")
        }
        SubmitError::DomainLocked { lock: Lock::Changing, .. } => {
            Message::new("domain being changed", "域名正在变更中")
        }
        SubmitError::Url { .. }
        | SubmitError::FeatureDisabled { .. }
        | SubmitError::NoUrls
        | SubmitError::TooManyUrls { .. }
        | SubmitError::OverQuota { .. }
        | SubmitError::NoNode { .. }
        | SubmitError::Ledger(_) => invalid_target(),
    }
}

/// That a target is in the list because of itself.
pub(super) fn invalid_target() -> Message {
    Message::new("target not valid", "目标无效")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(json: &str) -> Submission {
        read(Params::from_json(json.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_given_is_the_vendors_default() {
        let submission = submission(r#"{"Targets":["http://a/x"]}"#);
        assert_eq!(
            (submission.tier, submission.product),
            (Some(Tier::Middle), Product::ZonePrefetch)
        );
        assert_eq!(submission.options.user_agent, None);
        assert_eq!(submission.options.default_user_agent.as_deref(), Some("TencentCdn"));
        assert_eq!(submission.options.media, MediaPolicy::Off);
        assert!(!submission.encode);
    }

    #[test]
    fn every_parameter_reaches_the_engine() {
        let submission = submission(
            r#"{"Targets":["http://a/x"],"Mode":"edge","EncodeUrl":true,
                "PrefetchMediaSegments":"on",
                "Headers":[{"Name":"X-A","Value":"1"},{"Name":"user-agent","Value":"mine"}]}"#,
        );
        assert_eq!(
            (submission.tier, submission.product),
            (Some(Tier::Edge), Product::ZoneEdgePrefetch)
        );
        assert_eq!(submission.options.user_agent.as_deref(), Some("mine"));
        assert_eq!(submission.options.headers, [("X-A".into(), "1".into())]);
        assert_eq!(submission.options.media, MediaPolicy::Segments);
        assert!(submission.encode);
    }
}
