//! What sub-users may do: every action, refused and allowed, in the words of its API.

use serde_json::{Value, json};
use stoker_domain::{account::AccountId, time::Clock, view::TaskFilter};

use crate::{
    app::{App, Call, OWNER, SMALL},
    identities::SUB,
    policy::{allow, deny, document, domain, zone},
};

const TEO: &str = "2022-09-01";
const COMMON: &str = "AuthFailure.UnauthorizedOperation";
const CAM: &str = "UnauthorizedOperation.CdnCamUnauthorized";
const HOST: &str = "UnauthorizedOperation.CdnHostUnauthorized";
const TEO_CAM: &str = "UnauthorizedOperation.CamUnauthorized";
const TEO_ZONE: &str = "UnauthorizedOperation.NoPermission";

/// What an action needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// The resource `*`.
    All,
    /// A domain that it names.
    Domain,
    /// Some domain.
    SomeDomain,
    /// The zone that it names.
    Zone,
    /// Some zone.
    SomeZone,
}

/// Every action with a call of it, what it needs, and its codes.
fn actions(zone: &str) -> Vec<(&'static str, Value, Needs, [&'static str; 2])> {
    let url = "http://www.test.com/a";
    let range = json!({ "StartTime": "2025-06-15 00:00:00", "EndTime": "2025-06-16 00:00:00" });
    let teo_range = json!({ "StartTime": "2025-06-15T00:00:00Z" });
    let in_zone = |more: Value| {
        let mut content = json!({ "ZoneId": zone });
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        content
    };
    let domain = json!({ "Domain": "www.test.com" });
    let origin = json!({ "OriginType": "ip", "Origins": ["192.0.2.1"] });
    let info = json!({ "OriginType": "IP_DOMAIN", "Origin": "192.0.2.1" });
    let add = json!({ "Domain": "www.test.com", "ServiceType": "web", "Origin": origin });
    let limit = json!({
        "DomainName": "www.test.com", "Area": "Overseas", "Bandwidth": 100, "Enabled": "on",
    });
    let named = json!({ "DomainName": "www.test.com", "OriginInfo": info });
    let names = json!({ "DomainNames": ["www.test.com"], "Status": "online" });
    vec![
        ("PushUrlsCache", json!({ "Urls": [url] }), Needs::Domain, [CAM, HOST]),
        ("DescribePushTasks", range.clone(), Needs::SomeDomain, [CAM, COMMON]),
        ("DescribePushQuota", json!({}), Needs::All, [COMMON, COMMON]),
        ("PurgeUrlsCache", json!({ "Urls": [url] }), Needs::Domain, [CAM, HOST]),
        (
            "PurgePathCache",
            json!({ "Paths": ["http://www.test.com/a/"], "FlushType": "flush" }),
            Needs::Domain,
            [CAM, HOST],
        ),
        ("DescribePurgeTasks", range, Needs::SomeDomain, [CAM, COMMON]),
        ("DescribePurgeQuota", json!({}), Needs::All, [COMMON, COMMON]),
        ("AddCdnDomain", add, Needs::Domain, [CAM, HOST]),
        ("UpdateDomainConfig", domain.clone(), Needs::Domain, [CAM, HOST]),
        ("DescribeDomains", json!({}), Needs::SomeDomain, [CAM, HOST]),
        ("DescribeDomainsConfig", json!({}), Needs::SomeDomain, [CAM, HOST]),
        ("StartCdnDomain", domain.clone(), Needs::Domain, [CAM, HOST]),
        ("StopCdnDomain", domain.clone(), Needs::Domain, [CAM, HOST]),
        ("DeleteCdnDomain", domain.clone(), Needs::Domain, [CAM, HOST]),
        ("CreateVerifyRecord", domain.clone(), Needs::Domain, [CAM, HOST]),
        ("VerifyDomainRecord", domain, Needs::Domain, [CAM, HOST]),
        (
            "teo:CreatePrefetchTask",
            in_zone(json!({ "Targets": [url] })),
            Needs::Zone,
            [TEO_CAM, TEO_ZONE],
        ),
        (
            "teo:CreatePurgeTask",
            in_zone(json!({ "Type": "purge_url", "Targets": [url] })),
            Needs::Zone,
            [TEO_CAM, TEO_ZONE],
        ),
        ("teo:DescribePurgeTasks", teo_range.clone(), Needs::SomeZone, [COMMON, COMMON]),
        ("teo:DescribePrefetchTasks", teo_range, Needs::SomeZone, [COMMON, COMMON]),
        ("teo:DescribeContentQuota", in_zone(json!({})), Needs::Zone, [TEO_CAM, TEO_ZONE]),
        ("teo:ModifyPrefetchOriginLimit", in_zone(limit), Needs::Zone, [TEO_CAM, TEO_ZONE]),
        ("teo:DescribePrefetchOriginLimit", in_zone(json!({})), Needs::Zone, [TEO_CAM, TEO_ZONE]),
        ("teo:CreateZone", json!({ "ZoneName": "new.com" }), Needs::All, [TEO_CAM, TEO_ZONE]),
        ("teo:IdentifyZone", json!({ "ZoneName": "new.com" }), Needs::All, [TEO_CAM, TEO_ZONE]),
        ("teo:VerifyOwnership", json!({ "Domain": "new.com" }), Needs::All, [TEO_CAM, TEO_ZONE]),
        ("teo:DescribeIdentifications", json!({}), Needs::All, [TEO_CAM, TEO_ZONE]),
        ("teo:DescribeZones", json!({}), Needs::SomeZone, [TEO_CAM, TEO_ZONE]),
        ("teo:DeleteZone", in_zone(json!({})), Needs::Zone, [TEO_CAM, TEO_ZONE]),
        ("teo:CreateAccelerationDomain", in_zone(named.clone()), Needs::Zone, [TEO_CAM, TEO_ZONE]),
        ("teo:DescribeAccelerationDomains", in_zone(json!({})), Needs::Zone, [TEO_CAM, TEO_ZONE]),
        ("teo:ModifyAccelerationDomain", in_zone(named), Needs::Zone, [TEO_CAM, TEO_ZONE]),
        (
            "teo:ModifyAccelerationDomainStatuses",
            in_zone(names.clone()),
            Needs::Zone,
            [TEO_CAM, TEO_ZONE],
        ),
        ("teo:DeleteAccelerationDomains", in_zone(names), Needs::Zone, [TEO_CAM, TEO_ZONE]),
    ]
}

fn call(action: &str, content: &Value) -> Call {
    let content = content.to_string();
    match action.strip_prefix("teo:") {
        Some(action) => Call::action(action, content).with("x-tc-version", TEO),
        None => Call::action(action, content),
    }
    .key(SUB)
}

fn qualified(action: &str) -> String {
    if action.contains(':') { action.into() } else { format!("cdn:{action}") }
}

fn is_permission(code: &str) -> bool {
    [COMMON, CAM, HOST, TEO_CAM, TEO_ZONE].contains(&code)
}

/// The code of the reply; nothing when it succeeded.
async fn code(app: &App, call: &Call) -> Option<String> {
    let response = app.call(call).await.response();
    response["Error"]["Code"].as_str().map(Into::into)
}

#[tokio::test]
async fn every_action_is_refused_without_a_statement_that_allows_it() {
    let app = App::new().await;
    app.sub_user(SUB, &[&allow("cdn:Nothing", "*"), &allow("teo:Nothing", "*")]).await;
    for (action, content, _, [nowhere, _]) in actions(&app.zone()) {
        assert_eq!(code(&app, &call(action, &content)).await.as_deref(), Some(nowhere), "{action}");
    }
}

#[tokio::test]
async fn every_action_is_refused_where_another_resource_is_allowed() {
    let app = App::new().await;
    for (action, content, _, [_, elsewhere]) in actions(&app.zone()) {
        let name = qualified(action);
        let other = match name.starts_with("cdn:") {
            true => domain("other.test.com"),
            false => zone("zone-of-another"),
        };
        app.sub_user(SUB, &[&allow(&name, &other)]).await;
        let found = code(&app, &call(action, &content)).await;
        assert_eq!(found.as_deref(), Some(elsewhere), "{action}");
    }
}

#[tokio::test]
async fn every_action_is_carried_out_where_its_resource_is_allowed() {
    for (action, _, needs, _) in actions("") {
        let app = App::new().await;
        let resource = match needs {
            Needs::All => "*".into(),
            Needs::Domain | Needs::SomeDomain => domain("www.test.com"),
            Needs::Zone | Needs::SomeZone => zone(&app.zone()),
        };
        app.sub_user(SUB, &[&allow(&qualified(action), &resource)]).await;
        let (_, content, ..) =
            actions(&app.zone()).into_iter().find(|(name, ..)| *name == action).unwrap();
        let found = code(&app, &call(action, &content)).await;
        assert!(!found.as_deref().is_some_and(is_permission), "{action}: {found:?}");
    }
}

#[tokio::test]
async fn a_whole_service_is_allowed_by_a_star_and_a_deny_overrides_it() {
    let app = App::new().await;
    let push = |url: &str| call("PushUrlsCache", &json!({ "Urls": [url] }));
    app.sub_user(SUB, &[&allow("cdn:*", "*"), &deny("cdn:Push*", &domain("cn.test.com"))]).await;
    assert_eq!(code(&app, &push("http://www.test.com/a")).await, None);
    let found = code(&app, &push("http://CN.test.com:80/a")).await;
    assert_eq!(found.as_deref(), Some(HOST));
    // one that is not allowed refuses all
    let both = json!({ "Urls": ["http://www.test.com/b", "http://cn.test.com/b"] });
    assert_eq!(code(&app, &call("PushUrlsCache", &both)).await.as_deref(), Some(HOST));
    assert_eq!(app.targets("http://www.test.com/b").await, 0);
}

#[tokio::test]
async fn parameters_that_cannot_be_read_are_the_actions_own_errors() {
    let app = App::new().await;
    let resource = domain("www.test.com");
    app.sub_user(SUB, &[&allow("cdn:*", &resource), &allow("teo:*", &zone("zone-1"))]).await;
    for (action, content, expected) in [
        ("PushUrlsCache", json!({}), "MissingParameter"),
        ("PushUrlsCache", json!({ "Urls": "x" }), "InvalidParameter"),
        ("PushUrlsCache", json!({ "Urls": [] }), "InvalidParameter.CdnParamError"),
        ("PushUrlsCache", json!({ "Urls": ["x"] }), "InvalidParameter.CdnParamError"),
        (
            "PushUrlsCache",
            json!({ "Urls": ["http://www.test.com/a"], "Area": "x" }),
            "InvalidParameter.CdnParamError",
        ),
        (
            "PushUrlsCache",
            json!({ "Urls": ["http://*.test.com/"] }),
            "InvalidParameter.CdnPushWildcardNotAllowed",
        ),
        ("PushUrlsCache", json!({ "No": 1 }), "UnknownParameter"),
        ("StopCdnDomain", json!({}), "MissingParameter"),
        ("DescribePushTasks", json!({}), "InvalidParameter.CdnParamError"),
        ("teo:DeleteZone", json!({}), "MissingParameter"),
        ("teo:CreatePrefetchTask", json!({ "ZoneId": 1 }), "InvalidParameter"),
    ] {
        let found = code(&app, &call(action, &content)).await;
        assert_eq!(found.as_deref(), Some(expected), "{action} {content}");
    }
}

#[tokio::test]
async fn a_domain_of_another_account_is_no_more_than_an_unknown_one() {
    let app = App::new().await;
    let push = |url: &str| call("PushUrlsCache", &json!({ "Urls": [url] }));
    app.sub_user(SUB, &[&allow("cdn:*", &domain("www.test.com"))]).await;
    for url in ["http://small.test.com/a", "http://nobody.test.com/a"] {
        assert_eq!(code(&app, &push(url)).await.as_deref(), Some(HOST), "{url}");
    }
    app.sub_user(SUB, &[&allow("*", "*")]).await;
    for url in ["http://small.test.com/a", "http://nobody.test.com/a"] {
        let found = code(&app, &push(url)).await;
        assert_eq!(found.as_deref(), Some("ResourceNotFound.CdnHostNotExists"), "{url}");
    }
}

#[tokio::test]
async fn all_zones_at_once_need_all_zones() {
    let app = App::new().await;
    let other = app
        .call(&Call::action("CreateZone", r#"{"ZoneName":"other.com"}"#).with("x-tc-version", TEO))
        .await
        .response()["ZoneId"]
        .as_str()
        .unwrap()
        .to_owned();
    let params = json!({ "ZoneId": "*", "Targets": ["http://www.test.com/a"] });
    let prefetch = call("teo:CreatePrefetchTask", &params);
    app.sub_user(SUB, &[&allow("teo:*", &zone(&app.zone()))]).await;
    assert_eq!(code(&app, &prefetch).await.as_deref(), Some(TEO_ZONE));
    let zones = [allow("teo:*", &zone(&app.zone())), allow("teo:*", &zone(&other))];
    app.sub_user(SUB, &[&zones[0], &zones[1]]).await;
    // one domain of the app is in no zone
    assert_eq!(code(&app, &prefetch).await.as_deref(), Some(TEO_ZONE));
    app.sub_user(SUB, &[&allow("teo:*", &zone("*"))]).await;
    assert_eq!(code(&app, &prefetch).await, None);
    app.sub_user(SUB, &[&allow("teo:*", "*"), &deny("teo:*", &zone(&other))]).await;
    assert_eq!(code(&app, &prefetch).await.as_deref(), Some(TEO_ZONE));
}

#[tokio::test]
async fn a_group_lends_its_policies() {
    let app = App::new().await;
    let user = app.sub_user(SUB, &[]).await;
    let push = call("PushUrlsCache", &json!({ "Urls": ["http://www.test.com/a"] }));
    assert_eq!(code(&app, &push).await.as_deref(), Some(CAM));
    app.group("editors", &[&user], &[&allow("cdn:PushUrlsCache", &domain("www.test.com"))]).await;
    assert_eq!(code(&app, &push).await, None);
    app.group("barred", &[&user], &[&deny("cdn:*", "*")]).await;
    assert_eq!(code(&app, &push).await.as_deref(), Some(HOST));
}

#[tokio::test]
async fn conditions_ask_for_address_time_caller_and_tags() {
    let app = App::new().await;
    let push = |host: &str| call("PushUrlsCache", &json!({ "Urls": [format!("http://{host}/a")] }));
    let only = async |condition: Value| {
        app.sub_user(SUB, &[&document("allow", "cdn:*", "*", &condition)]).await;
    };
    only(json!({ "ip_equal": { "qcs:ip": ["10.0.0.0/8", "::1"] } })).await;
    for (address, expected) in [
        (Some("10.1.2.3:99"), None),
        (Some("[::ffff:10.1.2.3]:99"), None),
        (Some("[::1]:99"), None),
        (Some("11.1.2.3:99"), Some(HOST)),
        (None, Some(HOST)),
    ] {
        let mut request = push("www.test.com").sign(app.clock.now());
        if let Some(address) = address {
            let address: std::net::SocketAddr = address.parse().unwrap();
            request.extensions_mut().insert(axum::extract::ConnectInfo(address));
        }
        let response = app.send(request).await.response();
        assert_eq!(response["Error"]["Code"].as_str(), expected, "{address:?}");
    }
    for (condition, expected) in [
        (json!({ "date_less_than": { "qcs:current_time": "2025-06-16T00:00:00Z" } }), None),
        (json!({ "date_less_than": { "qcs:current_time": "2025-06-15T00:00:00Z" } }), Some(HOST)),
        (json!({ "string_equal": { "qcs:owner_uin": "100000000001" } }), None),
        (json!({ "string_equal": { "qcs:uin": "100000000001" } }), Some(HOST)),
    ] {
        only(condition.clone()).await;
        let found = code(&app, &push("www.test.com")).await;
        assert_eq!(found.as_deref(), expected, "{condition}");
    }
    let tagged = app.add_tagged_domain().await;
    only(json!({ "for_any_value:string_equal": { "qcs:resource_tag": ["team&video"] } })).await;
    assert_eq!(code(&app, &push("tagged.test.com")).await, None);
    assert_eq!(code(&app, &push("www.test.com")).await.as_deref(), Some(HOST));
    // and on the tags that the call itself gives
    for (key, host) in [("qcs:request_tag", "one.test.com"), ("qcs:tag", "two.test.com")] {
        only(json!({ "for_any_value:string_equal": { key: ["team&video"] } })).await;
        let mut new = tagged.clone();
        new["Domain"] = host.into();
        assert_eq!(code(&app, &call("AddCdnDomain", &new)).await, None, "{key}");
        new["Tag"][0]["TagValue"] = "news".into();
        new["Domain"] = "three.test.com".into();
        let refused = code(&app, &call("AddCdnDomain", &new)).await;
        assert_eq!(refused.as_deref(), Some(HOST), "{key}");
    }
}

#[tokio::test]
async fn the_root_user_needs_no_policy_and_a_disabled_sub_user_is_nobody() {
    let app = App::new().await;
    let push = call("PushUrlsCache", &json!({ "Urls": ["http://www.test.com/a"] }));
    let user = app.sub_user(SUB, &[&deny("*", "*")]).await;
    assert_eq!(code(&app, &push.clone().key(OWNER)).await, None);
    assert_eq!(code(&app, &push).await.as_deref(), Some(CAM));
    app.disable(&user).await;
    assert_eq!(code(&app, &push).await.as_deref(), Some("AuthFailure.SecretIdNotFound"));
    assert_eq!(
        code(&app, &push.key(SMALL)).await.as_deref(),
        Some("ResourceNotFound.CdnHostNotExists")
    );
}

#[tokio::test]
async fn the_admin_api_is_for_root_keys() {
    let app = App::new().await;
    app.sub_user(SUB, &[&allow("*", "*")]).await;
    for (method, target) in [("GET", "domains"), ("GET", "nodes"), ("POST", "tasks")] {
        let call = Call::admin(method.parse().unwrap(), target, "{}").key(SUB);
        let answer = app.call(&call).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (403, "root-key-needed"));
    }
}

#[tokio::test]
async fn playlists_of_a_sub_user_lead_to_allowed_domains_only() {
    let app = App::new().await;
    let zone_id = app.zone();
    let urls = json!({ "Urls": ["http://www.test.com/a.m3u8"], "ParseM3U8": true });
    let targets = json!({ "ZoneId": zone_id, "Targets": ["http://www.test.com/b.m3u8"],
        "PrefetchMediaSegments": "on" });
    let allowed = [allow("cdn:*", &domain("www.test.com")), allow("teo:*", &zone(&zone_id))];
    app.sub_user(SUB, &[&allowed[0], &allowed[1]]).await;
    assert_eq!(code(&app, &call("PushUrlsCache", &urls)).await, None);
    assert_eq!(code(&app, &call("teo:CreatePrefetchTask", &targets)).await, None);
    app.sub_user(SUB, &[&allow("*", "*")]).await;
    assert_eq!(code(&app, &call("PushUrlsCache", &urls)).await, None);
    let all = TaskFilter { limit: 9, ..TaskFilter::default() };
    let tasks = app.engine.tasks(&all).await.unwrap().rows;
    let hosts: Vec<_> = tasks.into_iter().map(|it| it.row.task.options.playlist_hosts).collect();
    let of_zone = app.engine.domains(tasks_owner(&app).await);
    let of_zone = of_zone.iter().filter(|it| it.zone.as_ref().is_some_and(|it| it.0 == zone_id));
    let of_zone: Vec<_> = of_zone.map(|it| it.name.clone()).collect();
    assert_eq!(hosts, [None, Some(of_zone), Some(vec!["www.test.com".into()])]);
}

async fn tasks_owner(app: &App) -> AccountId {
    app.engine.accounts().await.unwrap()[0].id
}
