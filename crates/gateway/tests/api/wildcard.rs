//! Wildcard domains in the three APIs: by their own name where the domain is meant, by a host where
//! content is; and what sub-users may do with them.

use http::Method;
use serde_json::{Value, json};

use crate::{
    app::{App, Call, SMALL},
    identities::SUB,
    policy::{allow, domain},
};

const TEO: &str = "2022-09-01";
const WILD: &str = "*.wild.test";

fn cdn(action: &str, content: Value) -> Call {
    Call::action(action, content.to_string())
}

fn teo(action: &str, content: Value) -> Call {
    cdn(action, content).with("x-tc-version", TEO)
}

fn origin() -> Value {
    json!({ "OriginType": "ip", "Origins": ["192.0.2.1"] })
}

async fn accepted(app: &App, call: Call) -> Value {
    let response = app.call(&call).await.response();
    assert!(response["Error"].is_null(), "{call:?}: {response}");
    response
}

async fn add(app: &App) {
    let new = json!({ "Domain": WILD, "ServiceType": "web", "Origin": origin(), "Area": "global" });
    accepted(app, cdn("AddCdnDomain", new)).await;
}

fn zone(app: &App, name: &str) -> String {
    let account = stoker_domain::account::AccountId(1);
    app.engine.zone(account, name).unwrap().id.0.clone()
}

#[tokio::test]
async fn the_older_api_manages_a_wildcard_by_its_own_name_alone() {
    let app = App::new().await;
    add(&app).await;
    let config = accepted(
        &app,
        cdn(
            "DescribeDomainsConfig",
            json!({
                "Filters": [{ "Name": "domain", "Value": [WILD] }]
            }),
        ),
    )
    .await;
    assert_eq!(config["Domains"][0]["Domain"], WILD);
    assert_eq!(config["Domains"][0]["Origin"]["ServerName"], Value::Null, "{config}");
    for action in ["StopCdnDomain", "DeleteCdnDomain", "UpdateDomainConfig"] {
        let below = cdn(action, json!({ "Domain": "a.wild.test" }));
        assert_eq!(app.call(&below).await.code(), "ResourceNotFound.CdnHostNotExists", "{action}");
    }
    // what is answered may be sent back: a wildcard's own name is no host to ask for
    let mut given = origin();
    given["ServerName"] = WILD.into();
    let update = json!({ "Domain": WILD, "Origin": given });
    accepted(&app, cdn("UpdateDomainConfig", update)).await;
    let account = stoker_domain::account::AccountId(1);
    let domain = || app.engine.domain_named(account, WILD);
    assert_eq!(domain().unwrap().origin.host_header, None);
    accepted(&app, cdn("StopCdnDomain", json!({ "Domain": WILD }))).await;
    let push = cdn("PushUrlsCache", json!({ "Urls": ["http://a.wild.test/x"] }));
    assert_eq!(app.call(&push).await.code(), "ResourceUnavailable.CdnHostIsNotOnline");
    accepted(&app, cdn("StartCdnDomain", json!({ "Domain": WILD }))).await;
    accepted(&app, push).await;
    accepted(&app, cdn("StopCdnDomain", json!({ "Domain": WILD }))).await;
    accepted(&app, cdn("DeleteCdnDomain", json!({ "Domain": WILD }))).await;
    assert!(domain().is_none());
}

#[tokio::test]
async fn the_newer_api_manages_a_wildcard_in_its_zone() {
    let app = App::new().await;
    let made = accepted(&app, teo("CreateZone", json!({ "ZoneName": "wild.test" }))).await;
    let zone = made["ZoneId"].clone();
    let with = |name: &str, more: Value| {
        let mut content = json!({ "ZoneId": zone, "DomainName": name });
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        content
    };
    let info = json!({ "OriginInfo": { "OriginType": "IP_DOMAIN", "Origin": "192.0.2.1" } });
    accepted(&app, teo("CreateAccelerationDomain", with(WILD, info.clone()))).await;
    let elsewhere = teo("CreateAccelerationDomain", with("*.other.test", info.clone()));
    assert_eq!(app.call(&elsewhere).await.code(), "InvalidParameterValue.DomainNotMatchZone");
    let found = json!({ "ZoneId": zone, "Filters": [{ "Name": "domain-name", "Values": [WILD] }] });
    let found = accepted(&app, teo("DescribeAccelerationDomains", found)).await;
    let shown = &found["AccelerationDomains"][0];
    assert_eq!((&shown["DomainName"], &shown["DomainStatus"]), (&json!(WILD), &json!("online")));
    accepted(&app, teo("ModifyAccelerationDomain", with(WILD, info.clone()))).await;
    let below = teo("ModifyAccelerationDomain", with("a.wild.test", info));
    assert_eq!(app.call(&below).await.code(), "InvalidParameter.DomainNotFound");
    let limit = json!({ "Area": "Overseas", "Bandwidth": 100, "Enabled": "on" });
    accepted(&app, teo("ModifyPrefetchOriginLimit", with(WILD, limit))).await;
    let names = json!({ "ZoneId": zone, "DomainNames": [WILD], "Status": "offline" });
    accepted(&app, teo("ModifyAccelerationDomainStatuses", names)).await;
    let names = json!({ "ZoneId": zone, "DomainNames": [WILD] });
    accepted(&app, teo("DeleteAccelerationDomains", names)).await;
}

#[tokio::test]
async fn the_admin_api_shows_who_answers_and_changes_only_what_is_named() {
    let app = App::new().await;
    let new = json!({ "host": WILD, "origin": "http://1.1.1.1" }).to_string();
    let call = async |method, target: &str, content: &str| {
        app.call(&Call::admin(method, target, content)).await
    };
    assert_eq!(call(Method::POST, "domains", &new).await.status, 201);
    for name in [WILD, "a.wild.test"] {
        let shown = call(Method::GET, &format!("domains/{name}"), "").await;
        assert_eq!((shown.status.as_u16(), &shown.json()["host"]), (200, &json!(WILD)));
    }
    assert_eq!(call(Method::GET, "domains/wild.test", "").await.status, 404);
    let stop = json!({ "status": "offline" }).to_string();
    assert_eq!(call(Method::POST, "domains/a.wild.test", &stop).await.status, 404);
    assert_eq!(call(Method::POST, &format!("domains/{WILD}"), &stop).await.status, 200);
    assert_eq!(call(Method::DELETE, "domains/a.wild.test", "").await.status, 404);
    assert_eq!(call(Method::DELETE, &format!("domains/{WILD}"), "").await.status, 204);
}

#[tokio::test]
async fn nobody_gets_hosts_that_a_wildcard_of_another_account_answers_for() {
    let app = App::new().await;
    add(&app).await;
    let add = |host: &str| {
        let new = json!({ "Domain": host, "ServiceType": "web", "Origin": origin() });
        cdn("AddCdnDomain", new)
    };
    let code = app.call(&add(WILD).key(SMALL)).await.code();
    assert_eq!(code, "UnauthorizedOperation.CdnHostIsUsedByOther");
    for host in ["a.wild.test", "*.a.wild.test", "wild.test"] {
        let code = app.call(&add(host).key(SMALL)).await.code();
        assert_eq!(code, "ResourceInUse.CdnConflictHostExists", "{host}");
    }
    // small.test.com is another's
    let code = app.call(&add("*.test.com")).await.code();
    assert_eq!(code, "ResourceInUse.CdnConflictHostExists");
    assert_eq!(app.call(&add(WILD)).await.code(), "ResourceInUse.CdnHostExists");
    accepted(&app, add("a.wild.test")).await;
    let push = cdn("PushUrlsCache", json!({ "Urls": ["http://b.wild.test/x"] })).key(SMALL);
    assert_eq!(app.call(&push).await.code(), "ResourceNotFound.CdnHostNotExists");
}

#[tokio::test]
async fn a_sub_user_who_may_use_a_wildcard_may_use_its_hosts_and_not_those_with_a_domain() {
    let app = App::new().await;
    add(&app).await;
    let own = json!({ "Domain": "own.wild.test", "ServiceType": "web", "Origin": origin() });
    accepted(&app, cdn("AddCdnDomain", own)).await;
    let push = |url: &str| cdn("PushUrlsCache", json!({ "Urls": [url] })).key(SUB);
    let refused = "UnauthorizedOperation.CdnHostUnauthorized";
    // the literal name; a star in a pattern is anything, so the tests below are of an exact one too
    app.sub_user(SUB, &[&allow("cdn:*", &domain(WILD))]).await;
    accepted(&app, push("http://a.wild.test/x")).await;
    accepted(&app, push("http://b.a.wild.test/x")).await;
    assert_eq!(app.call(&push("http://www.test.com/x")).await.code(), refused);
    let range = json!({ "StartTime": "2020-01-01 00:00:00", "EndTime": "2030-01-01 00:00:00" });
    let seen = async |keyword: &str| {
        let mut content = range.clone();
        content["Keyword"] = keyword.into();
        accepted(&app, cdn("DescribePushTasks", content).key(SUB)).await["TotalCount"].clone()
    };
    for keyword in ["", WILD, "a.wild.test"] {
        assert_eq!(seen(keyword).await, 2, "{keyword}");
    }
    // permission for one host by its own name is no permission for the domain that answers for it
    app.sub_user(SUB, &[&allow("cdn:*", &domain("own.wild.test"))]).await;
    accepted(&app, push("http://own.wild.test/x")).await;
    assert_eq!(app.call(&push("http://a.wild.test/x")).await.code(), refused);
    assert_eq!(seen("").await, 1);
    app.sub_user(SUB, &[&allow("cdn:*", &domain("a.wild.test"))]).await;
    assert_eq!(app.call(&push("http://a.wild.test/x")).await.code(), refused);
}

#[tokio::test]
async fn purges_name_a_host_or_through_the_zone_all_of_them() {
    let app = App::new().await;
    add(&app).await;
    let zone = zone(&app, "wild.test");
    let purge = |kind: &str, targets: Value| {
        let tag = json!({ "Domains": ["a.wild.test"] });
        let tag = if kind == "purge_cache_tag" { tag } else { Value::Null };
        let mut content = json!({ "ZoneId": zone, "Type": kind, "Targets": targets });
        if !tag.is_null() {
            content["CacheTag"] = tag;
        }
        teo("CreatePurgeTask", content)
    };
    let none = json!([]);
    let shown = async |job: &Value| {
        let filter = json!([{ "Name": "job-id", "Values": [job["JobId"]] }]);
        let found = json!({ "ZoneId": zone, "Filters": filter });
        let reply = accepted(&app, teo("DescribePurgeTasks", found)).await;
        reply["Tasks"].as_array().unwrap().iter().map(|task| task["Target"].clone()).collect()
    };
    for (kind, targets, target) in [
        ("purge_host", json!(["a.wild.test"]), "a.wild.test"),
        ("purge_url", json!(["http://a.wild.test/x"]), "http://a.wild.test/x"),
        ("purge_all", json!([]), WILD),
        ("purge_cache_tag", json!(["news"]), "news"),
    ] {
        let done = accepted(&app, purge(kind, targets)).await;
        assert_eq!(done["FailedList"], none, "{kind}");
        let all: Vec<Value> = shown(&done).await;
        assert_eq!(all, [target], "{kind}");
    }
    for (kind, target) in [
        ("purge_host", WILD),
        ("purge_url", "http://*.wild.test/x"),
        ("purge_prefix", "http://*.wild.test/"),
        ("purge_prefix", WILD),
    ] {
        let code = app.call(&purge(kind, json!([target]))).await.code();
        assert_eq!(code, "InvalidParameter.Target", "{kind} {target}");
    }
    for (action, content, code) in [
        (
            "PurgeUrlsCache",
            json!({ "Urls": ["http://*.wild.test/x"] }),
            "InvalidParameter.CdnPurgeWildcardNotAllowed",
        ),
        (
            "PurgePathCache",
            json!({ "Paths": ["http://*.wild.test/"], "FlushType": "flush" }),
            "InvalidParameter.CdnPurgeWildcardNotAllowed",
        ),
    ] {
        assert_eq!(app.call(&cdn(action, content)).await.code(), code);
    }
    accepted(&app, cdn("PurgeUrlsCache", json!({ "Urls": ["http://a.wild.test/x"] }))).await;
    let paths = json!({ "Paths": ["http://a.wild.test/"], "FlushType": "delete" });
    accepted(&app, cdn("PurgePathCache", paths)).await;
    let tags = json!({ "ZoneId": zone, "Type": "purge_cache_tag", "Targets": ["all"],
                       "CacheTag": { "Domains": [WILD, "nope.wild.example"] } });
    let done = accepted(&app, teo("CreatePurgeTask", tags)).await;
    assert_eq!(done["FailedList"][0]["Targets"], json!(["nope.wild.example"]));
    let orders =
        app.engine.purge_orders("middle-mainland", std::time::Duration::ZERO).await.unwrap();
    let targets: Vec<String> = orders.into_iter().flat_map(|order| order.targets).collect();
    assert!(targets.contains(&"http://*.wild.test/".to_owned()), "{targets:?}");
    assert!(targets.contains(&"a.wild.test news".to_owned()), "{targets:?}");
    assert!(targets.contains(&"*.wild.test all".to_owned()), "{targets:?}");
}
