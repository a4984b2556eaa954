//! The admin API: what the command line can do, and how each misuse is answered.

use std::collections::HashMap;

use http::Method;
use serde_json::{Value, json};
use stoker_domain::time::Clock;

use crate::app::{App, Call, OWNER, SMALL};

async fn get(app: &App, target: &str) -> Value {
    let answer = app.call(&Call::admin(Method::GET, target, "")).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

async fn submit(app: &App, content: &Value) -> Value {
    let call = Call::admin(Method::POST, "tasks", &content.to_string());
    let answer = app.call(&call).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    answer.json()
}

#[tokio::test]
async fn a_domain_is_added_shown_listed_and_removed() {
    let app = App::new().await;
    let content = json!({
        "host": "New.example", "origin": "http://127.0.0.1:8080/base",
        "areas": "overseas", "allow_private_origin": true, "host_header": "origin.example",
    });
    let call = Call::admin(Method::POST, "domains", &content.to_string());
    let answer = app.call(&call).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.fields["content-type"], "application/json");
    let added = answer.json();
    let zone = get(&app, "zones/new.example").await;
    assert_eq!(zone["domains"], json!(["new.example"]));
    assert_eq!(
        added,
        json!({
            "host": "new.example", "origin": "http://127.0.0.1:8080/base", "areas": "overseas",
            "status": "online", "shield": "global", "allow_private_origin": true,
            "host_header": "origin.example", "default_lifetime_seconds": 2_592_000,
            "zone_id": zone["zone_id"], "ownership": "owner",
            "created_at": "2025-06-15T15:06:40.000Z", "updated_at": "2025-06-15T15:06:40.000Z",
        })
    );
    assert_eq!(app.call(&call).await.problem(), "domain-exists");
    assert_eq!(get(&app, "domains/new.example").await, added);
    let all = get(&app, "domains").await;
    let hosts: Vec<_> = all["domains"].as_array().unwrap().iter().map(|d| &d["host"]).collect();
    assert_eq!(
        hosts,
        ["cn.test.com", "new.example", "off.test.com", "sea.test.com", "www.test.com"]
    );
    let remove = Call::admin(Method::DELETE, "domains/new.example", "");
    assert_eq!(app.call(&remove).await.status, 204);
    assert_eq!(app.call(&remove).await.problem(), "domain-unknown");
}

#[tokio::test]
async fn an_ip_literal_in_brackets_is_a_domain_too() {
    let app = App::new().await;
    let content =
        json!({ "host": "[::1]", "origin": "http://[::1]:81", "allow_private_origin": true });
    let call = Call::admin(Method::POST, "domains", &content.to_string());
    assert_eq!(app.call(&call).await.status, 201);
    assert_eq!(get(&app, "domains/%5B::1%5D").await["areas"], "global");
}

#[tokio::test]
async fn a_task_shows_the_outcome_of_each_target_on_each_node() {
    let app = App::new().await;
    let accepted = submit(
        &app,
        &json!({
            "urls": ["http://www.test.com/ok", "http://www.test.com/gone", "http://www.test.com/ok"],
            "areas": "global", "layer": "edge", "headers": [["X-A", "1"]],
        }),
    )
    .await;
    assert_eq!((&accepted["targets"], &accepted["merged"]), (&json!(2), &json!(1)));
    let id = accepted["task_id"].as_str().unwrap();
    app.settle(&HashMap::from([("gone".into(), "origin_status:404".into())])).await;
    let task = get(&app, &format!("tasks/{id}")).await;
    assert_eq!((&task["status"], &task["done"]), (&json!("failed"), &json!(1)));
    assert_eq!((&task["failed"], &task["areas"]), (&json!(1), &json!("global")));
    assert_eq!(task["finished_at"], "2025-06-15T15:06:42.000Z");
    let targets = get(&app, &format!("tasks/{id}/targets?status=failed")).await;
    assert_eq!(targets["total"], 1);
    let gone = &targets["targets"][0];
    assert_eq!(gone["outcome"], "origin_status:404");
    assert_eq!(gone["outcomes"][0]["detail"], "the origin said no");
    let targets = get(&app, &format!("tasks/{id}/targets?offset=0&limit=1")).await;
    assert_eq!(targets["total"], 2);
    assert_eq!(
        targets["targets"][0]["outcomes"][0],
        json!({
            "node": "edge-mainland", "area": "mainland", "outcome": "filled", "size_bytes": 4096,
            "pulled_bytes": 4096, "validator": "\"v1\"", "verified_at": "2025-06-15T15:06:42.000Z",
            "fresh_until": "2025-06-15T16:06:42.000Z", "detail": null,
        })
    );
    let list = get(&app, "tasks?limit=1").await;
    assert_eq!((&list["total"], &list["tasks"][0]["id"]), (&json!(1), &json!(id)));
}

#[tokio::test]
async fn a_task_is_paused_resumed_canceled_and_tried_again() {
    let app = App::new().await;
    let urls = json!({ "urls": ["http://www.test.com/ok", "http://www.test.com/slow"] });
    let id = submit(&app, &urls).await["task_id"].as_str().unwrap().to_owned();
    let call = async |id: &str, verb: &str| {
        let answer = app.call(&Call::admin(Method::POST, &format!("tasks/{id}/{verb}"), "")).await;
        (answer.status.as_u16(), answer.json())
    };
    for (verb, is_changed, status) in [
        ("resume", false, "processing"),
        ("pause", true, "paused"),
        ("pause", false, "paused"),
        ("resume", true, "processing"),
    ] {
        let (code, changed) = call(&id, verb).await;
        assert_eq!((code, &changed["is_changed"]), (200, &json!(is_changed)), "{verb} {changed}");
        assert_eq!(changed["task"]["status"], status, "{verb}");
        assert_eq!(changed["task"]["paused_at"].is_string(), status == "paused", "{changed}");
    }
    let (code, refused) = call(&id, "retry").await;
    assert_eq!((code, &refused["type"]), (409, &json!("urn:stoker:problem:task-unfinished")));
    app.settle(&HashMap::from([("slow".into(), "waiting".into())])).await;
    for is_changed in [true, false] {
        let (code, canceled) = call(&id, "cancel").await;
        assert_eq!((code, &canceled["is_changed"]), (200, &json!(is_changed)), "{canceled}");
        let task = &canceled["task"];
        assert_eq!((&task["status"], &task["done"]), (&json!("canceled"), &json!(1)));
        assert_eq!((&task["failed"], &task["canceled"]), (&json!(0), &json!(1)));
        assert_eq!(task["canceled_at"], task["finished_at"]);
    }
    for (status, total) in [("canceled", 1), ("failed", 0), ("done", 1)] {
        let targets = get(&app, &format!("tasks/{id}/targets?status={status}")).await;
        assert_eq!(targets["total"], total, "{status}");
        let all = targets["targets"].as_array().unwrap();
        assert!(all.iter().all(|target| target["status"] == status), "{targets}");
    }
    for verb in ["pause", "resume"] {
        let (code, refused) = call(&id, verb).await;
        assert_eq!((code, &refused["type"]), (409, &json!("urn:stoker:problem:task-over")));
    }
    let (code, retried) = call(&id, "retry").await;
    assert_eq!((code, &retried["targets"], &retried["refused"]), (202, &json!(1), &json!(0)));
    assert_eq!(retried["retry_of"], id);
    let again = retried["task_id"].as_str().unwrap().to_owned();
    app.settle(&HashMap::new()).await;
    let task = get(&app, &format!("tasks/{again}")).await;
    assert_eq!((&task["status"], &task["retry_of"]), (&json!("done"), &json!(id)));
    let (code, refused) = call(&again, "retry").await;
    assert_eq!((code, &refused["type"]), (409, &json!("urn:stoker:problem:nothing-failed")));
    let (code, finished) = call(&again, "cancel").await;
    assert_eq!((code, &finished["is_changed"]), (200, &json!(false)), "{finished}");
    for verb in ["cancel", "pause", "resume", "retry"] {
        assert_eq!(call("1", verb).await.0, 404, "{verb}");
        let others = Call::admin(Method::POST, &format!("tasks/{id}/{verb}"), "").key(SMALL);
        assert_eq!(app.call(&others).await.problem(), "task-unknown", "{verb}");
    }
}

#[tokio::test]
async fn without_areas_a_task_goes_where_its_domains_are_served() {
    let app = App::new().await;
    for (host, areas) in
        [("www.test.com", "global"), ("cn.test.com", "mainland"), ("sea.test.com", "overseas")]
    {
        let accepted = submit(&app, &json!({ "urls": [format!("http://{host}/a")] })).await;
        let id = accepted["task_id"].as_str().unwrap();
        assert_eq!(get(&app, &format!("tasks/{id}")).await["areas"], areas);
    }
    let mixed = json!({ "urls": ["http://www.test.com/a", "http://cn.test.com/a"] });
    let call = Call::admin(Method::POST, "tasks", &mixed.to_string());
    assert_eq!(app.call(&call).await.problem(), "areas-differ");
}

#[tokio::test]
async fn nodes_and_quota_are_shown() {
    let app = App::new().await;
    let nodes = get(&app, "nodes").await;
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 4);
    assert_eq!(nodes["nodes"][0]["name"], "edge-mainland");
    assert_eq!(nodes["nodes"][0]["is_alive"], true);
    submit(&app, &json!({ "urls": ["http://www.test.com/a"], "areas": "mainland" })).await;
    let quota = get(&app, "quota").await;
    assert_eq!(
        quota["prefetch"][0],
        json!({ "product": "cdn", "area": "mainland", "batch": 500, "daily": 1000, "used": 1,
            "available": 999 })
    );
}

#[tokio::test]
async fn the_owner_sets_limits_of_any_account_while_all_is_running() {
    let app = App::new().await;
    let set = async |content: Value| {
        let answer = app.call(&Call::admin(Method::POST, "quota", &content.to_string())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let entry = |quota: &Value, product: &str, area: &str| -> Value {
        let products = quota["products"].as_array().unwrap();
        let found =
            products.iter().find(|entry| entry["product"] == product && entry["area"] == area);
        found.unwrap_or_else(|| panic!("{product} {area}: {quota}")).clone()
    };
    submit(&app, &json!({ "urls": ["http://www.test.com/a", "http://www.test.com/b"] })).await;
    // below what was used: nothing is left, and the other area and the batch stay as they were
    let quota = set(json!({ "product": "cdn", "area": "overseas", "daily": 1 })).await;
    let overseas = entry(&quota, "cdn", "overseas");
    assert_eq!((&overseas["batch"], &overseas["daily"]), (&500.into(), &1.into()));
    assert_eq!((&overseas["used"], &overseas["available"]), (&2.into(), &0.into()));
    assert_eq!(entry(&quota, "cdn", "mainland")["available"], 998);
    assert_eq!(quota["account"], "100000000001");
    // 00:00 in UTC+8
    assert!(quota["resets_at"].as_str().unwrap().ends_with("T16:00:00.000Z"), "{quota}");
    for (area, code) in [("global", "LimitExceeded.CdnPushExceedDayLimit"), ("mainland", "")] {
        let content = json!({ "Urls": ["http://www.test.com/c"], "Area": area }).to_string();
        let response = app.call(&Call::action("PushUrlsCache", content)).await.response();
        assert_eq!(response["Error"]["Code"].as_str().unwrap_or_default(), code, "{response}");
    }
    let day = json!({ "begins_at": "18:30+00:00" }).to_string();
    let quota = app.call(&Call::admin(Method::POST, "quota/day", &day)).await.json();
    assert!(quota["resets_at"].as_str().unwrap().ends_with("T18:30:00.000Z"), "{quota}");
    // of another account, in both areas, and a purge product
    let small =
        json!({ "account": "100000000002", "product": "cdn-purge-path", "batch": 1, "daily": 9 });
    let quota = set(small).await;
    assert_eq!(quota["account"], "100000000002");
    for area in ["mainland", "overseas"] {
        let entry = entry(&quota, "cdn-purge-path", area);
        assert_eq!((&entry["batch"], &entry["daily"]), (&1.into(), &9.into()));
    }
    let paths = json!({ "Paths": ["http://small.test.com/a/", "http://small.test.com/b/"],
        "FlushType": "flush" });
    let call = Call::action("PurgePathCache", paths.to_string()).key(SMALL);
    assert_eq!(app.call(&call).await.code(), "LimitExceeded.CdnPurgePathExceedBatchLimit");
    let shown = get(&app, "quota?account=100000000002").await;
    assert_eq!(shown["products"], quota["products"]);
}

#[tokio::test]
async fn limits_are_the_owners_alone_and_wrong_ones_are_refused() {
    let app = App::new().await;
    let change = json!({ "product": "cdn", "daily": 5000 });
    let others = json!({ "product": "cdn", "daily": 5000, "account": "100000000001" });
    for content in [&change, &others] {
        let call = Call::admin(Method::POST, "quota", &content.to_string()).key(SMALL);
        assert_eq!(app.call(&call).await.problem(), "not-owner");
    }
    let day = json!({ "begins_at": "18:30+00:00" }).to_string();
    let call = Call::admin(Method::POST, "quota/day", &day).key(SMALL);
    assert_eq!(app.call(&call).await.problem(), "not-owner");
    let call = Call::admin(Method::POST, "quota/day", r#"{ "begins_at": "18:30" }"#);
    assert_eq!(app.call(&call).await.problem(), "bad-content");
    let call = |target| Call::admin(Method::GET, target, "").key(SMALL);
    assert_eq!(app.call(&call("quota?account=100000000001")).await.problem(), "not-owner");
    assert_eq!(app.call(&call("quota?account=100000000002")).await.status, 200);
    for (content, word) in [
        (json!({ "product": "cdn", "daily": 1, "account": "9" }), "account-unknown"),
        (json!({ "product": "cdn" }), "bad-content"),
        (json!({ "product": "dns", "daily": 1 }), "bad-content"),
        (json!({ "product": "teo", "area": "overseas", "daily": 1 }), "bad-content"),
        (json!({ "product": "cdn", "daily": -1 }), "bad-content"),
    ] {
        let call = Call::admin(Method::POST, "quota", &content.to_string());
        assert_eq!(app.call(&call).await.problem(), word, "{content}");
    }
}

#[tokio::test]
async fn one_call_takes_more_urls_than_the_vendor_does() {
    let app = App::new().await;
    let urls: Vec<_> = (0..1000).map(|n| format!("http://www.test.com/{n}")).collect();
    let accepted = submit(&app, &json!({ "urls": urls, "areas": "mainland" })).await;
    assert_eq!(accepted["targets"], 1000);
}

#[tokio::test]
async fn an_account_sees_nothing_of_another() {
    let app = App::new().await;
    let accepted = submit(&app, &json!({ "urls": ["http://www.test.com/a"] })).await;
    let id = accepted["task_id"].as_str().unwrap();
    for (target, word) in [
        (format!("tasks/{id}"), "task-unknown"),
        (format!("tasks/{id}/targets"), "task-unknown"),
        ("domains/www.test.com".into(), "domain-unknown"),
    ] {
        let call = Call::admin(Method::GET, &target, "").key(SMALL);
        assert_eq!(app.call(&call).await.problem(), word, "{target}");
    }
    let remove = Call::admin(Method::DELETE, "domains/www.test.com", "").key(SMALL);
    assert_eq!(app.call(&remove).await.problem(), "domain-unknown");
    assert_eq!(get(&app, "domains/www.test.com").await["host"], "www.test.com");
}

#[tokio::test]
async fn misuse_is_named() {
    let app = App::new().await;
    let post =
        |target: &str, content: Value| Call::admin(Method::POST, target, &content.to_string());
    let read = |target: &str| Call::admin(Method::GET, target, "");
    let url = "http://www.test.com/a";
    for (call, word) in [
        (post("domains", json!({ "host": "a.example" })), "bad-content"),
        (post("domains", json!({ "host": "a", "origin": "http://x", "x": 1 })), "bad-content"),
        (post("domains", json!({ "host": "a b", "origin": "http://x" })), "bad-host"),
        (post("domains", json!({ "host": "a", "origin": "x" })), "bad-origin"),
        (post("tasks", json!({ "urls": [] })), "no-urls"),
        (post("tasks", json!({ "urls": ["x"] })), "bad-url"),
        (post("tasks", json!({ "urls": ["http://b.example/"] })), "domain-unknown"),
        (post("tasks", json!({ "urls": ["http://off.test.com/"] })), "domain-offline"),
        (
            post("tasks", json!({ "urls": ["http://cn.test.com/"], "areas": "global" })),
            "area-not-enabled",
        ),
        (post("tasks", json!({ "urls": [url], "headers": [["Host", "x"]] })), "bad-request-header"),
        (post("tasks", json!({ "urls": [url], "areas": "moon" })), "bad-content"),
        (read("tasks/1"), "task-unknown"),
        (read("purges/1"), "purge-unknown"),
        (read("tasks?limit=0"), "bad-query"),
        (read("tasks?limit=1001"), "bad-query"),
        (read("tasks?x=1"), "bad-query"),
        (read("tasks?status=done"), "bad-query"),
        (read("nowhere"), "no-such-page"),
        (Call::admin(Method::PUT, "tasks", ""), "wrong-method"),
    ] {
        assert_eq!(app.call(&call).await.problem(), word, "{call:?}");
    }
}

#[tokio::test]
async fn over_quota_says_what_is_left() {
    let app = App::new().await;
    let content = json!({ "urls": (0..4).map(|n| format!("http://small.test.com/{n}"))
        .collect::<Vec<_>>(), "areas": "mainland" });
    let call = Call::admin(Method::POST, "tasks", &content.to_string()).key(SMALL);
    let answer = app.call(&call).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (429, "over-quota"));
    let problem = answer.json();
    assert_eq!(problem["detail"], "cannot accept 4 URLs: 3 of 3 left today in area `mainland`");
    assert!(problem["hint"].as_str().unwrap().contains("at most 3"), "{problem}");
}

#[tokio::test]
async fn a_signature_counts_for_its_path_query_service_and_time_only() {
    let app = App::new().await;
    let good = || Call::admin(Method::GET, "tasks?limit=1", "");
    let now = app.clock.now();
    assert_eq!(app.send(good().sign(now)).await.status, 200);
    for (target, word) in [
        ("/admin/v1/nodes?limit=1", "bad-signature"),
        ("/admin/v1/tasks?limit=2", "bad-signature"),
        ("/admin/v1/tasks", "bad-signature"),
    ] {
        let mut request = good().sign(now);
        *request.uri_mut() = target.parse().unwrap();
        assert_eq!(app.send(request).await.problem(), word, "{target}");
    }
    // as clients of the API at `/` sign
    let mut other = good();
    other.service = "cdn";
    assert_eq!(app.call(&other).await.problem(), "no-nonce");
    assert_eq!(app.call(&good().key("AKIDNOBODY")).await.problem(), "key-unknown");
    let mut request = good().sign(now);
    request.headers_mut().remove("authorization");
    assert_eq!(app.send(request).await.problem(), "unsigned");
    app.clock.advance(std::time::Duration::from_secs(301));
    assert_eq!(app.send(good().sign(now)).await.problem(), "expired");
}

#[tokio::test]
async fn a_private_origin_is_for_the_owner_to_allow_in_every_account() {
    let app = App::new().await;
    let send = async |method: Method, target: &str, content: Value, key| {
        app.call(&Call::admin(method, target, &content.to_string()).key(key)).await
    };
    let new = |is_private: bool| {
        json!({ "host": "film.test.com", "origin": "http://10.0.0.1",
                "allow_private_origin": is_private })
    };
    let refused = send(Method::POST, "domains", new(true), SMALL).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (403, "not-owner"));
    // who could allow it at once is refused, who could not is warned
    let refused = send(Method::POST, "domains", new(false), OWNER).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (400, "private-origin"));
    let added = send(Method::POST, "domains", new(false), SMALL).await;
    assert_eq!(added.status, 201);
    assert_eq!(added.json()["warnings"].as_array().map(Vec::len), Some(1));
    let allow = json!({ "allow_private_origin": true });
    let refused = send(Method::POST, "domains/film.test.com", allow.clone(), SMALL).await;
    assert_eq!(refused.problem(), "not-owner");

    let target = "domains/film.test.com?account=100000000002";
    let allowed = send(Method::POST, target, allow, OWNER).await;
    assert_eq!(allowed.json()["allow_private_origin"], true);
    let shown = send(Method::GET, "domains/film.test.com", json!({}), SMALL).await;
    assert_eq!(shown.json()["allow_private_origin"], true);
    // who names another account is the owner, and another origin is none that was allowed
    let foreign = send(Method::GET, "domains?account=100000000001", json!({}), SMALL).await;
    assert_eq!(foreign.problem(), "not-owner");
    let other = json!({ "origin": "http://10.0.0.2" });
    let refused = send(Method::POST, target, other.clone(), OWNER).await;
    assert_eq!(refused.problem(), "private-origin");
    let moved = send(Method::POST, "domains/film.test.com", other, SMALL).await.json();
    assert_eq!(moved["allow_private_origin"], false);
    assert_eq!(moved["warnings"].as_array().map(Vec::len), Some(1), "{moved}");
    let listed = send(Method::GET, "domains", json!({}), SMALL).await.json();
    assert_eq!(listed["domains"][0].get("warnings"), None, "names are looked up for one alone");
    let removed = send(Method::DELETE, target, json!({}), OWNER).await;
    assert_eq!(removed.status, 204);
}
