//! What people read in replies: in one language, the one that was asked for, and true.

use serde_json::{Value, json};
use stoker_domain::account::AccountId;
use stoker_engine::ZoneChoice;
use stoker_gateway::Language;

use crate::{
    app::{App, Call},
    v1_call::V1Call,
};

const TEO: &str = "2022-09-01";
const CDN: &str = "2018-06-06";

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// Every text in a reply: messages and reasons.
fn messages(reply: &Value) -> Vec<String> {
    match reply {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value) {
                ("Message" | "Reason" | "message", Value::String(text)) => vec![text.clone()],
                _ => messages(value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(messages).collect(),
        _ => Vec::new(),
    }
}

async fn call(app: &App, (version, action): (&str, &str), body: &Value, word: &str) -> Value {
    let call = Call::action(action, body.to_string());
    let call = call.with("x-tc-version", version).with("x-tc-language", word);
    app.call(&call).await.response()
}

/// An app where a domain is in another zone than the others.
async fn app() -> (App, String) {
    let app = App::new().await;
    let other = ZoneChoice::Named("other.example".into());
    app.engine.move_domain(AccountId(1), "sea.test.com", other).await.unwrap();
    let zone = app.zone();
    (app, zone)
}

#[tokio::test]
async fn the_reasons_in_a_list_of_refused_targets_are_in_the_language_that_was_asked_for() {
    let (app, zone) = app().await;
    app.engine
        .move_domain(AccountId(1), "off.test.com", ZoneChoice::Named("test.com".into()))
        .await
        .unwrap();
    let urls = json!([
        "http://www.test.com/1",
        "http://nobody.test.org/1",
        "x",
        "http://off.test.com/1",
        "http://sea.test.com/1"
    ]);
    let prefetch = json!({ "ZoneId": zone, "Targets": urls });
    let purge = json!({ "ZoneId": zone, "Targets": urls, "Type": "purge_url" });
    let tags = json!({ "ZoneId": zone, "Targets": ["a", "a b"], "Type": "purge_cache_tag",
        "CacheTag": { "Domains": ["www.test.com", "off.test.com", "sea.test.com", "no.test.org"] } });
    let english = ["domain not valid", "target not valid", "domain not online"];
    for (action, body) in
        [("CreatePrefetchTask", prefetch), ("CreatePurgeTask", purge), ("CreatePurgeTask", tags)]
    {
        let en = call(&app, (TEO, action), &body, "en-US").await;
        let mut reasons = messages(&en);
        reasons.sort();
        let mut expected = english.map(String::from);
        expected.sort();
        assert_eq!(reasons, expected, "{en}");
        let zh = call(&app, (TEO, action), &body, "zh-CN").await;
        let reasons = messages(&zh);
        assert_eq!(reasons.len(), 3, "{zh}");
        assert!(reasons.iter().all(|reason| is_chinese(reason)), "{zh}");
    }
}

#[tokio::test]
async fn what_is_in_the_account_is_never_reported_as_missing() {
    let (app, zone) = app().await;
    let off = "http://off.test.com/1";
    let cn = "http://cn.test.com/1";
    let info = json!({ "OriginType": "IP_DOMAIN", "Origin": "o.example" });
    app.engine.move_domain(AccountId(1), "cn.test.com", ZoneChoice::Outside).await.unwrap();
    for (version, action, body) in [
        (CDN, "PushUrlsCache", json!({ "Urls": [off] })),
        (CDN, "PushUrlsCache", json!({ "Urls": [cn], "Area": "overseas" })),
        (CDN, "PurgeUrlsCache", json!({ "Urls": [off] })),
        (CDN, "PurgeUrlsCache", json!({ "Urls": [cn], "Area": "overseas" })),
        (
            CDN,
            "PurgePathCache",
            json!({ "Paths": ["http://off.test.com/a/"], "FlushType": "flush" }),
        ),
        (CDN, "StopCdnDomain", json!({ "Domain": "off.test.com" })),
        (CDN, "DeleteCdnDomain", json!({ "Domain": "WWW.test.com" })),
        (CDN, "StartCdnDomain", json!({ "Domain": "WWW.Test.com" })),
        (TEO, "CreatePrefetchTask", json!({ "ZoneId": zone, "Targets": [off] })),
        (TEO, "CreatePrefetchTask", json!({ "ZoneId": "*", "Targets": [off] })),
        (TEO, "CreatePrefetchTask", json!({ "ZoneId": zone, "Targets": [cn] })),
        (TEO, "CreatePrefetchTask", json!({ "ZoneId": zone, "Targets": ["http://sea.test.com/"] })),
        (TEO, "CreatePrefetchTask", json!({ "ZoneId": "test.com", "Targets": [off] })),
        (
            TEO,
            "DescribePrefetchTasks",
            json!({ "ZoneId": "test.com",
            "StartTime": "2025-06-15T00:00:00Z" }),
        ),
        (TEO, "DescribeContentQuota", json!({ "ZoneId": "test.com" })),
        (TEO, "CreatePurgeTask", json!({ "ZoneId": zone, "Type": "purge_url", "Targets": [cn] })),
        (
            TEO,
            "CreatePurgeTask",
            json!({ "ZoneId": zone, "Type": "purge_host",
            "Targets": ["sea.test.com"] }),
        ),
        (
            TEO,
            "CreatePurgeTask",
            json!({ "ZoneId": zone, "Type": "purge_cache_tag",
            "Targets": ["a"], "CacheTag": { "Domains": ["sea.test.com"] } }),
        ),
        (
            TEO,
            "CreatePurgeTask",
            json!({ "ZoneId": "*", "Type": "purge_cache_tag",
            "Targets": ["a"], "CacheTag": { "Domains": ["off.test.com"] } }),
        ),
        (
            TEO,
            "ModifyAccelerationDomain",
            json!({ "ZoneId": zone, "DomainName": "sea.test.com",
            "OriginInfo": info }),
        ),
        (
            TEO,
            "DeleteAccelerationDomains",
            json!({ "ZoneId": zone,
            "DomainNames": ["cn.test.com"] }),
        ),
    ] {
        for (word, lie) in [("en-US", "not in this account"), ("zh-CN", "不属于当前账号")] {
            let reply = call(&app, (version, action), &body, word).await;
            let texts = messages(&reply);
            assert_eq!(texts.len(), 1, "{action}: {reply}");
            assert!(!texts[0].contains(lie), "{action}: {reply}");
            assert_eq!(is_chinese(&texts[0]), word == "zh-CN", "{action}: {reply}");
        }
    }
    for (action, urls) in [("CdnPusherV2", off), ("CdnOverseaPushser", cn), ("RefreshCdnUrl", off)]
    {
        let call = V1Call::v2(&[("Action", action), ("urls.0", urls), ("Nonce", action)]);
        let reply = app.v1(&call.with("Nonce", &action.len().to_string())).await.json();
        let text = reply["message"].as_str().unwrap();
        assert!(is_chinese(text) && !text.contains("不属于当前账号"), "{action}: {reply}");
    }
}

#[tokio::test]
async fn api_v2_answers_in_the_language_of_the_installation() {
    let mut app = App::new().await;
    let push = || V1Call::v2(&[("Action", "CdnPusherV2"), ("urls.0", "http://nobody.test.org/1")]);
    let reply = app.v1(&push()).await.json();
    assert!(is_chinese(reply["message"].as_str().unwrap()), "{reply}");
    app.speak(Language::English);
    let reply = app.v1(&push().with("Nonce", "8")).await.json();
    let text = reply["message"].as_str().unwrap();
    assert!(text.starts_with("(9110)domain `nobody.test.org`"), "{reply}");
    let reply = app.v1(&push().with("Nonce", "9").with("Language", "zh-CN")).await.json();
    assert!(is_chinese(reply["message"].as_str().unwrap()), "{reply}");
}

#[tokio::test]
async fn a_limit_that_an_action_of_api_v2_does_not_have_is_refused_by_name() {
    let app = App::new().await;
    let push = [("urls.0", "http://www.test.com/1"), ("limitRate", "5")];
    let all = [("command", "push"), ("type", "url"), ("mainland", "1")];
    for (nonce, action, is_taken) in [
        ("1", "CdnPusherV2", true),
        ("2", "CdnUrlPusher", true),
        ("3", "CdnOverseaPushser", false),
        ("4", "FlushOrPushOverall", false),
    ] {
        let mut call = V1Call::v2(&[("Action", action), ("Nonce", nonce)]);
        let further = if action == "FlushOrPushOverall" { &all[..] } else { &[] };
        for (name, value) in push.iter().chain(further) {
            call = call.with(name, value);
        }
        let reply = app.v1(&call).await.json();
        let text = reply["message"].as_str().unwrap();
        if is_taken {
            assert_eq!(reply["code"], 0, "{action}: {reply}");
        } else {
            assert_eq!(
                (&reply["code"], text),
                (&json!(4000), "无法识别参数 `limitRate`"),
                "{action}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_left_of_the_day_is_shown_for_all_zones_too() {
    let (app, zone) = app().await;
    let quota = async |zone: &str| {
        let body = json!({ "ZoneId": zone });
        let mut reply = call(&app, (TEO, "DescribeContentQuota"), &body, "en-US").await;
        reply["RequestId"].take();
        reply
    };
    let all = quota("*").await;
    assert_eq!(all["PrefetchQuota"][0]["Type"], "prefetch_url", "{all}");
    assert_eq!(all, quota(&zone).await);
}

#[tokio::test]
async fn a_host_that_cannot_be_one_is_an_invalid_parameter() {
    let app = App::new().await;
    for host in ["-a.com", "a-.com", "a_b.com", "a.-b.com"] {
        let url = format!("http://{host}/1");
        let info = json!({ "OriginType": "IP_DOMAIN", "Origin": "o.example" });
        let origin = json!({ "Origins": ["o.example"], "OriginType": "domain" });
        for (version, action, body, code) in [
            (
                CDN,
                "PushUrlsCache",
                json!({ "Urls": [url] }),
                "InvalidParameter.CdnHostInvalidParam",
            ),
            (
                CDN,
                "DescribePushTasks",
                json!({ "TaskId": "1", "Keyword": host }),
                "InvalidParameter.CdnHostInvalidParam",
            ),
            (CDN, "PurgeUrlsCache", json!({ "Urls": [url] }), "InvalidParameter.CdnParamError"),
            (
                CDN,
                "AddCdnDomain",
                json!({ "Domain": host, "ServiceType": "web", "Origin": origin }),
                "InvalidParameter.CdnConfigInvalidHost",
            ),
            (
                TEO,
                "CreatePrefetchTask",
                json!({ "ZoneId": "*", "Targets": [url] }),
                "InvalidParameter.Target",
            ),
            (
                TEO,
                "CreatePurgeTask",
                json!({ "ZoneId": "*", "Type": "purge_url", "Targets": [url] }),
                "InvalidParameter.Target",
            ),
            (
                TEO,
                "CreateZone",
                json!({ "ZoneName": host }),
                "InvalidParameterValue.ZoneNameInvalid",
            ),
            (
                TEO,
                "CreateAccelerationDomain",
                json!({ "ZoneId": app.zone(),
                "DomainName": format!("{host}.test.com"), "OriginInfo": info }),
                "InvalidParameterValue.InvalidDomainName",
            ),
        ] {
            let reply = call(&app, (version, action), &body, "en-US").await;
            assert_eq!(reply["Error"]["Code"], code, "{action} {host}: {reply}");
        }
    }
    let old = V1Call::v2(&[("Action", "CdnPusherV2"), ("urls.0", "http://a_b.com/1")]);
    assert_eq!(app.v1(&old).await.json()["codeDesc"], "9107");
}
