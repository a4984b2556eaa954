//! `PushUrlsCache`: submits URLs to be prefetched.

use serde_json::Map;
use stoker_domain::{
    area::Tier,
    quota::Product,
    task::{FetchOptions, MediaPolicy},
};
use stoker_engine::Submission;

use super::{Error, Reply};
use crate::{
    request_fields,
    tencent::{
        common::{
            Call, Scope,
            refusal::{Refusal, headers, parsed},
        },
        params::Params,
    },
};

const PARAMETERS: &[&str] =
    &["Urls", "UserAgent", "Area", "Layer", "ParseM3U8", "DisableRange", "Headers", "UrlEncode"];

/// `User-Agent` of the origin request where the caller gives none.
const USER_AGENT: &str = "TencentCdn";

pub(super) async fn call(Call { gateway, account, scope, .. }: Call<'_>, params: Params) -> Reply {
    let receipt = gateway.engine.submit(account, read(params, scope)?).await?;
    Ok(Map::from_iter([("TaskId".into(), receipt.task.0.into())]))
}

fn read(mut params: Params, scope: &Scope) -> Result<Submission, Error> {
    params.only(PARAMETERS)?;
    let urls = params.texts("Urls")?.ok_or_else(|| params.missing("Urls"))?;
    let areas = parsed(&mut params, "Area")?.unwrap_or_default();
    let tier = params.text("Layer")?.map(|layer| tier(&layer)).transpose()?;
    let user_agent = params.given("UserAgent")?;
    let mut headers = headers(&mut params)?;
    let named_agent = request_fields::take_user_agent(&mut headers);
    if let Some(user_agent) = &user_agent {
        request_fields::check_value("UserAgent", user_agent).map_err(Refusal::Fields)?;
    }
    let follows = params.boolean("ParseM3U8")?.unwrap_or_default();
    let options = FetchOptions {
        user_agent: user_agent.or(named_agent),
        default_user_agent: Some(USER_AGENT.into()),
        headers,
        disable_range: params.boolean("DisableRange")?.unwrap_or_default(),
        media: if follows { MediaPolicy::Segments } else { MediaPolicy::Off },
        playlist_hosts: scope.names().map(<[String]>::to_vec).filter(|_| follows),
        ..FetchOptions::default()
    };
    let encode = params.boolean("UrlEncode")?.unwrap_or_default();
    let areas = Some(areas);
    Ok(Submission {
        areas,
        tier,
        options,
        encode,
        ..Submission::new(Product::DomainPrefetch, urls)
    })
}

/// `middle` and an empty text mean the middle tier; `edge` is taken too.
fn tier(layer: &str) -> Result<Tier, Refusal> {
    match layer {
        "" | "middle" => Ok(Tier::Middle),
        "edge" => Ok(Tier::Edge),
        _ => Err(Refusal::word("Layer", layer, "`middle`, `edge`")),
    }
}

#[cfg(test)]
mod tests {
    use stoker_domain::area::AreaScope;

    use super::*;

    fn submission(json: &str) -> Submission {
        read(Params::from_json(json.as_bytes()).unwrap(), &Scope::Everything).unwrap()
    }

    #[test]
    fn what_is_not_given_is_the_vendors_default() {
        let submission = submission(r#"{"Urls":["http://a/x"]}"#);
        assert_eq!((submission.areas, submission.tier), (Some(AreaScope::Mainland), None));
        assert_eq!(submission.options.user_agent, None);
        assert_eq!(submission.options.default_user_agent.as_deref(), Some("TencentCdn"));
        assert_eq!(submission.options.media, MediaPolicy::Off);
        assert!(!submission.options.disable_range && !submission.encode);
    }

    #[test]
    fn every_parameter_reaches_the_engine() {
        let submission = submission(
            r#"{"Urls":["http://a/x"],"Area":"global","Layer":"edge","ParseM3U8":true,
                "DisableRange":true,"UrlEncode":true,
                "Headers":[{"Name":"X-A","Value":"1"},{"Name":"user-agent","Value":"mine"}]}"#,
        );
        assert_eq!(
            (submission.areas, submission.tier),
            (Some(AreaScope::Global), Some(Tier::Edge))
        );
        assert_eq!(submission.options.user_agent.as_deref(), Some("mine"));
        assert_eq!(submission.options.headers, [("X-A".into(), "1".into())]);
        assert_eq!(submission.options.media, MediaPolicy::Segments);
        assert!(submission.options.disable_range && submission.encode);
    }

    #[test]
    fn an_empty_layer_is_the_middle_tier_and_user_agent_wins_over_headers() {
        let submission = submission(
            r#"{"Urls":["http://a/x"],"Layer":"","UserAgent":"first",
                "Headers":[{"Name":"User-Agent","Value":"second"}]}"#,
        );
        assert_eq!(submission.tier, Some(Tier::Middle));
        assert_eq!(submission.options.user_agent.as_deref(), Some("first"));
    }
}
