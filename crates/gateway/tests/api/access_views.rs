//! What sub-users see: of every query, only what they may.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use stoker_domain::{
    account::AccountId,
    target::Target,
    view::{PurgeFilter, TargetFilter},
};

use crate::{
    app::{App, Call, OWNER},
    identities::SUB,
    policy::{allow, deny, domain, zone},
    v1_call::V1Call,
};

const TEO: &str = "2022-09-01";

fn call(action: &str, content: &Value) -> Call {
    let content = content.to_string();
    match action.strip_prefix("teo:") {
        Some(action) => Call::action(action, content).with("x-tc-version", TEO),
        None => Call::action(action, content),
    }
}

/// Everything that is called `name`, at any depth, in order of its text.
fn all(name: &str, value: &Value) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Object(fields) => {
                let own = fields.get(name).map(|own| own.as_str().unwrap().to_owned());
                found.extend(own);
                left.extend(fields.values());
            }
            Value::Array(values) => left.extend(values),
            _ => {}
        }
    }
    found.into_iter().collect()
}

/// An app with something on two domains, and the names of its three tasks.
async fn furnished() -> (App, [String; 3]) {
    let app = App::new().await;
    let task = async |action: &str, field: &str, hosts: &[&str]| {
        let urls: Vec<String> = hosts.iter().map(|host| format!("http://{host}/x/")).collect();
        let content = json!({ field: urls, "Area": "global", "FlushType": "flush" });
        let mut content = content;
        if field == "Urls" {
            content.as_object_mut().unwrap().remove("FlushType");
        }
        let response = app.call(&call(action, &content)).await.response();
        response["TaskId"].as_str().unwrap_or_else(|| panic!("{response}")).to_owned()
    };
    for host in ["one.test.com", "two.test.com", "three.other.com"] {
        let domain = json!({
            "Domain": host, "ServiceType": "web", "Area": "global",
            "Origin": { "OriginType": "ip", "Origins": ["192.0.2.1"] },
        });
        let added = app.call(&call("AddCdnDomain", &domain)).await.response();
        assert!(added["Error"].is_null(), "{added}");
    }
    let hosts = ["one.test.com", "two.test.com"];
    let both = task("PushUrlsCache", "Urls", &hosts).await;
    let second = task("PushUrlsCache", "Urls", &hosts[1..]).await;
    let purge = task("PurgePathCache", "Paths", &hosts).await;
    (app, [both, second, purge])
}

const RANGE: &str = "2025-06-15 00:00:00";

#[tokio::test]
async fn lists_of_tasks_and_purges_show_the_hosts_that_are_allowed() {
    let (app, [both, second, purge]) = furnished().await;
    app.sub_user(SUB, &[&allow("cdn:Describe*", &domain("one.test.com"))]).await;
    let urls = async |action: &str, content: Value, key| {
        let response = app.call(&call(action, &content).key(key)).await.response();
        assert!(response["Error"].is_null(), "{response}");
        (all("Url", &response), response["TotalCount"].as_u64().unwrap())
    };
    let one = || (vec!["http://one.test.com/x/".to_owned()], 1);
    let since = json!({ "StartTime": RANGE });
    assert_eq!(urls("DescribePushTasks", since.clone(), OWNER).await.1, 3);
    assert_eq!(urls("DescribePushTasks", since.clone(), SUB).await, one());
    assert_eq!(urls("DescribePushTasks", json!({ "TaskId": both }), SUB).await, one());
    assert_eq!(urls("DescribePushTasks", json!({ "TaskId": second }), SUB).await, (vec![], 0));
    assert_eq!(urls("DescribePurgeTasks", since.clone(), OWNER).await.1, 2);
    assert_eq!(urls("DescribePurgeTasks", since.clone(), SUB).await, one());
    assert_eq!(urls("DescribePurgeTasks", json!({ "TaskId": purge }), SUB).await, one());
    // one that is named is refused as out of bounds
    for keyword in ["two.test.com", "http://two.test.com/x/", "small.test.com"] {
        let params = json!({ "StartTime": RANGE, "Keyword": keyword });
        for action in ["DescribePushTasks", "DescribePurgeTasks"] {
            let answer = app.call(&call(action, &params).key(SUB)).await;
            assert_eq!(answer.code(), "AuthFailure.UnauthorizedOperation", "{keyword}");
        }
    }
    let params = json!({ "StartTime": RANGE, "Keyword": "ONE.test.com" });
    assert_eq!(urls("DescribePushTasks", params, SUB).await, one());
}

#[tokio::test]
async fn lists_of_domains_show_those_that_are_allowed() {
    let (app, _) = furnished().await;
    let names = async |content: Value| {
        let response = app.call(&call("DescribeDomains", &content).key(SUB)).await.response();
        (all("Domain", &response), response["TotalNumber"].as_u64().unwrap())
    };
    app.sub_user(SUB, &[&allow("cdn:*", &domain("*.other.com"))]).await;
    assert_eq!(names(json!({})).await, (vec!["three.other.com".to_owned()], 1));
    let fuzzy = json!({ "Filters": [{ "Name": "domain", "Value": ["test"], "Fuzzy": true }] });
    assert_eq!(names(fuzzy).await, (vec![], 0));
    app.sub_user(SUB, &[&allow("cdn:*", "*"), &deny("*", &domain("*.test.com"))]).await;
    assert_eq!(names(json!({})).await.1, 1);
    app.sub_user(SUB, &[&allow("cdn:*", "*"), &deny("*", &domain("*"))]).await;
    let answer = app.call(&call("DescribeDomains", &json!({})).key(SUB)).await;
    assert_eq!(answer.code(), "UnauthorizedOperation.CdnHostUnauthorized");
}

#[tokio::test]
async fn lists_of_teo_show_the_zones_that_are_allowed() {
    let (app, [both, second, _]) = furnished().await;
    let zones = app.call(&call("teo:DescribeZones", &json!({}))).await.response();
    let id = |name: &str| {
        let zones = zones["Zones"].as_array().unwrap();
        let zone = zones.iter().find(|zone| zone["ZoneName"] == name).unwrap();
        zone["ZoneId"].as_str().unwrap().to_owned()
    };
    let (test, other) = (id("test.com"), id("other.com"));
    let shown = async |action: &str, field: &str, content: Value| {
        let response = app.call(&call(action, &content).key(SUB)).await.response();
        assert!(response["Error"].is_null(), "{response}");
        all(field, &response).len()
    };
    let since = json!({ "StartTime": "2025-06-15T00:00:00Z" });
    let job = |id: &str| json!({ "Filters": [{ "Name": "job-id", "Values": [id] }] });
    app.sub_user(SUB, &[&allow("teo:*", &zone(&other))]).await;
    assert_eq!(shown("teo:DescribeZones", "ZoneId", json!({})).await, 1);
    assert_eq!(shown("teo:DescribePrefetchTasks", "Target", since.clone()).await, 0);
    for task in [&both, &second] {
        assert_eq!(shown("teo:DescribePrefetchTasks", "Target", job(task)).await, 0);
    }
    app.sub_user(SUB, &[&allow("teo:*", &zone(&test))]).await;
    assert_eq!(shown("teo:DescribePrefetchTasks", "Target", since.clone()).await, 2);
    let mut every = since;
    for id in ["*", ""] {
        every["ZoneId"] = id.into();
        assert_eq!(shown("teo:DescribePrefetchTasks", "Target", every.clone()).await, 2);
    }
    every["ZoneId"] = other.into();
    let answer = app.call(&call("teo:DescribePrefetchTasks", &every).key(SUB)).await;
    assert_eq!(answer.code(), "AuthFailure.UnauthorizedOperation");
}

#[tokio::test]
async fn logs_of_v2_show_the_hosts_that_are_allowed() {
    let (app, _) = furnished().await;
    let mut nonce = 0;
    let mut send = async |key: &str, params: &[(&str, &str)]| {
        nonce += 1;
        let call = V1Call::v2(params).with("SecretId", key).with("Nonce", &nonce.to_string());
        app.v1(&call).await.json()
    };
    let push = [("Action", "CdnPusherV2"), ("urls.0", "http://two.test.com/v2")];
    let task = send(OWNER, &push).await["data"]["task_ids"][0]["task_id"].to_string();
    app.sub_user(
        SUB,
        &[
            &allow("cdn:GetPushLogs", &domain("one.test.com")),
            &allow("cdn:DescribePushTasks", &domain("one.test.com")),
            &allow("cdn:GetCdnRefreshLog", &domain("one.test.com")),
        ],
    )
    .await;
    let range = [("startDate", "2025-06-15 00:00:00"), ("endDate", "2025-06-17 00:00:00")];
    let logs = |action| [("Action", action), range[0], range[1]];
    let reply = send(SUB, &logs("GetPushLogs")).await;
    assert_eq!(all("host", &reply), ["one.test.com"], "{reply}");
    let reply = send(SUB, &logs("GetCdnRefreshLog")).await;
    assert_eq!(all("host", &reply), ["one.test.com"], "{reply}");
    let reply =
        send(SUB, &[("Action", "GetPushLogs"), range[0], range[1], ("taskId", &task)]).await;
    assert_eq!(reply["codeDesc"], "21001", "{reply}");
    let named = [("Action", "GetPushLogs"), range[0], range[1], ("hosts.0", "two.test.com")];
    assert_eq!(send(SUB, &named).await["code"], 4102);
    let oversea = [
        ("Action", "GetCdnOverseaPushLogs"),
        ("date", "2025-06-16"),
        ("type", "url"),
        ("keyword", "http"),
    ];
    let reply = send(SUB, &oversea).await;
    assert!(!reply.to_string().contains("two.test.com"), "{reply}");
}

#[tokio::test]
async fn records_of_a_removed_domain_are_shown_where_nothing_is_denied() {
    let (app, _) = furnished().await;
    for action in ["StopCdnDomain", "DeleteCdnDomain"] {
        let response =
            app.call(&call(action, &json!({ "Domain": "two.test.com" }))).await.response();
        assert!(response["Error"].is_null(), "{response}");
    }
    let seen = async || {
        let params = json!({ "StartTime": RANGE });
        app.call(&call("DescribePushTasks", &params).key(SUB)).await.response()["TotalCount"]
            .as_u64()
            .unwrap()
    };
    app.sub_user(SUB, &[&allow("cdn:*", "*")]).await;
    assert_eq!(seen().await, 3);
    app.sub_user(SUB, &[&allow("cdn:*", "*"), &deny("cdn:*", &domain("two.test.com"))]).await;
    assert_eq!(seen().await, 1);
}

/// A URL of some host, in some spelling; often a plain one of the first host.
fn url(random: &mut StdRng) -> String {
    let mut pick = |of: &[&'static str]| match random.random_bool(0.5) {
        true => of[0],
        false => of.choose(random).unwrap(),
    };
    let host = pick(&["www.test.com", "WWW.Test.com", "cn.test.com", "CN.TEST.COM"]);
    let scheme = pick(&["http://", "HTTP://", "https://", " http://", "http:/", ""]);
    let user = pick(&["", "", "", "www.test.com@", "www.test.com:80@"]);
    let port = pick(&["", ":80", ":8080", ".", ".:80", ":x", ":80.", "/@cn.test.com"]);
    let tail =
        pick(&["/", "/a b", "/中", "?u=http://www.test.com/", "#@www.test.com", "\\@x/", "/../"]);
    format!("{scheme}{user}{host}{port}{tail}{}", random.random_range(0..1000))
}

#[tokio::test]
async fn whatever_is_submitted_touches_only_what_was_allowed() {
    const SEED: u64 = 0x5eed_0002;
    println!("seed {SEED:#x}");
    let mut random = StdRng::seed_from_u64(SEED);
    let app = App::new().await;
    let owner = AccountId(1);
    let actions = ["cdn:PushUrlsCache", "cdn:PurgeUrlsCache", "cdn:PurgePathCache"];
    let statements = actions.map(|action| allow(action, &domain("www.test.com")));
    let policies: Vec<&str> = statements.iter().map(String::as_str).collect();
    app.sub_user(SUB, &policies).await;
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..400 {
        let urls: Vec<String> = (0..random.random_range(1..3)).map(|_| url(&mut random)).collect();
        let content = match round % 3 {
            0 => json!({ "Urls": urls, "UrlEncode": random.random_bool(0.5) }),
            1 => json!({ "Urls": urls, "UrlEncode": random.random_bool(0.5) }),
            _ => json!({ "Paths": urls, "UrlEncode": true, "FlushType": "delete" }),
        };
        let action = ["PushUrlsCache", "PurgeUrlsCache", "PurgePathCache"][round % 3];
        let response = app.call(&call(action, &content).key(SUB)).await.response();
        if response["Error"].is_null() {
            accepted += 1;
        } else {
            refused += 1;
        }
        // where the check lets pass, the root user would have been let pass the parameters too
        if response["Error"]["Code"] == "UnauthorizedOperation.CdnHostUnauthorized" {
            let touches_other = urls.iter().any(|url| {
                Target::parse(url, true).is_ok_and(|target| target.host != "www.test.com")
            });
            assert!(touches_other, "{urls:?}");
        }
    }
    assert!(accepted > 40 && refused > 40, "{accepted} accepted, {refused} refused");
    let filter = TargetFilter { account: Some(owner), limit: 1000, ..TargetFilter::default() };
    let targets = app.engine.targets(&filter).await.unwrap();
    let filter = PurgeFilter { account: Some(owner), limit: 1000, ..PurgeFilter::default() };
    let purges = app.engine.purges(&filter).await.unwrap();
    let urls = targets.rows.iter().map(|view| &view.row.url);
    for url in urls.chain(purges.rows.iter().map(|row| &row.url)) {
        assert_eq!(Target::parse(url, false).unwrap().host, "www.test.com", "{url}");
    }
    assert!(!targets.rows.is_empty() && !purges.rows.is_empty());
}
