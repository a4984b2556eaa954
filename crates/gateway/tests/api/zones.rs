//! Zones and changes of domains through the admin API.

use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App, Call, SMALL};

async fn post(app: &App, target: &str, content: Value) -> Answer {
    app.call(&Call::admin(Method::POST, target, &content.to_string())).await
}

async fn domain(app: &App, host: &str) -> Value {
    app.call(&Call::admin(Method::GET, &format!("domains/{host}"), "")).await.json()
}

#[tokio::test]
async fn a_zone_is_added_shown_listed_and_removed_when_it_is_empty() {
    let app = App::new().await;
    let added = post(&app, "zones", json!({ "name": "New.example", "area": "overseas" })).await;
    assert_eq!(added.status, 201);
    let added = added.json();
    assert_eq!((&added["name"], &added["area"]), (&json!("new.example"), &json!("overseas")));
    let id = added["zone_id"].as_str().unwrap().to_owned();
    for name in [&id, "new.example"] {
        let show = Call::admin(Method::GET, &format!("zones/{name}"), "");
        assert_eq!(app.call(&show).await.json(), added);
        assert_eq!(app.call(&show.key(SMALL)).await.problem(), "zone-unknown");
    }
    let list = app.call(&Call::admin(Method::GET, "zones", "")).await.json();
    let names: Vec<_> = list["zones"].as_array().unwrap().iter().map(|z| &z["name"]).collect();
    assert_eq!(names, ["new.example", "test.com"]);
    let again = post(&app, "zones", json!({ "name": "new.example" })).await;
    assert_eq!(again.problem(), "zone-exists");
    assert_eq!(post(&app, "zones", json!({ "name": "a b" })).await.problem(), "bad-zone");
    let remove = |zone: &str| Call::admin(Method::DELETE, &format!("zones/{zone}"), "");
    assert_eq!(app.call(&remove("test.com")).await.problem(), "zone-in-use");
    assert_eq!(app.call(&remove(&id)).await.status, 204);
    assert_eq!(app.call(&remove(&id)).await.problem(), "zone-unknown");
}

#[tokio::test]
async fn a_domain_is_changed_field_by_field() {
    let app = App::new().await;
    let change = async |content| post(&app, "domains/www.test.com", content).await.json();
    let before = domain(&app, "www.test.com").await;
    for (content, field, value) in [
        (json!({ "areas": "overseas" }), "areas", json!("overseas")),
        (json!({ "status": "offline" }), "status", json!("offline")),
        (json!({ "shield": "per-area" }), "shield", json!("per-area")),
        (json!({ "allow_private_origin": true }), "allow_private_origin", json!(true)),
        (json!({ "host_header": "o.example" }), "host_header", json!("o.example")),
        (json!({ "host_header": "" }), "host_header", json!(null)),
        (json!({ "default_lifetime_seconds": 60 }), "default_lifetime_seconds", json!(60)),
        (json!({ "zone": "" }), "zone_id", json!(null)),
        (json!({ "origin": "https://o.example/b" }), "origin", json!("https://o.example/b")),
    ] {
        assert_ne!(domain(&app, "www.test.com").await[field], value, "{content}");
        let changed = change(content).await;
        assert_eq!(changed[field], value);
        assert_eq!(domain(&app, "www.test.com").await, changed);
    }
    let after = change(json!({ "zone": "test.com" })).await;
    assert_eq!(after["allow_private_origin"], false, "that was set for the former origin");
    assert_eq!(after["zone_id"], before["zone_id"]);
    assert_eq!(after["created_at"], before["created_at"]);
    let unknown = post(&app, "domains/small.test.com", json!({ "areas": "global" })).await;
    assert_eq!(unknown.problem(), "domain-unknown");
    for (content, problem) in [
        (json!({ "origin": "x" }), "bad-origin"),
        (json!({ "colour": "x" }), "bad-content"),
        (json!({ "host_header": "a\nb" }), "bad-request-header"),
        (json!({ "zone": "a b" }), "bad-zone"),
    ] {
        let answer = post(&app, "domains/www.test.com", content).await;
        assert_eq!(answer.problem(), problem);
    }
}

#[tokio::test]
async fn the_zone_of_a_new_domain_is_chosen_by_name_or_left_out() {
    let app = App::new().await;
    for (more, is_in_one) in
        [(json!({}), true), (json!({ "zone": "lab" }), true), (json!({ "no_zone": true }), false)]
    {
        let mut content = json!({ "host": "a.example.net", "origin": "http://o.example" });
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let added = post(&app, "domains", content).await.json();
        assert_eq!(added["zone_id"].is_string(), is_in_one, "{more}");
        let remove = Call::admin(Method::DELETE, "domains/a.example.net", "");
        assert_eq!(app.call(&remove).await.status, 204);
    }
    let list = app.call(&Call::admin(Method::GET, "zones", "")).await.json();
    assert_eq!(list["zones"].as_array().unwrap().len(), 3);
}
