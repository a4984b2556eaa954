//! Accounts, users, groups, keys and policies through the admin API.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{Answer, App, Call, OWNER, SMALL},
    identities::SUB,
};

const SMALLS: &str = "100000000002";

async fn post(app: &App, target: &str, content: Value) -> Answer {
    app.call(&Call::admin(Method::POST, target, &content.to_string())).await
}

async fn made(app: &App, target: &str, content: Value) -> Value {
    let answer = post(app, target, content).await;
    assert!(answer.status.is_success(), "{target}: {}", answer.json());
    answer.json()
}

async fn get(app: &App, target: &str) -> Value {
    let answer = app.call(&Call::admin(Method::GET, target, "")).await;
    assert_eq!(answer.status, StatusCode::OK, "{target}: {}", answer.json());
    answer.json()
}

async fn remove(app: &App, target: &str) -> Answer {
    app.call(&Call::admin(Method::DELETE, target, "")).await
}

fn document(effect: &str, action: &str, resource: &str) -> String {
    let statement = json!({ "effect": effect, "action": action, "resource": resource });
    json!({ "version": "2.0", "statement": [statement] }).to_string()
}

#[tokio::test]
async fn the_owner_makes_names_and_disables_accounts() {
    let app = App::new().await;
    let account = made(&app, "accounts", json!({ "name": "Film & Co" })).await;
    let uin = account["uin"].as_str().unwrap();
    assert_eq!((uin.len(), &account["is_enabled"]), (12, &json!(true)));
    let key = account["secret_id"].as_str().unwrap();
    assert!(app.engine.caller(key).await.unwrap().is_some_and(|it| it.user.is_none()));
    let path = format!("accounts/{uin}");
    let shown = get(&app, &path).await;
    assert_eq!((&shown["name"], shown.get("secret_key")), (&json!("Film & Co"), None));
    let all = get(&app, "accounts").await;
    let uins: Vec<_> = all["accounts"].as_array().unwrap().iter().map(|it| &it["uin"]).collect();
    assert_eq!(uins, ["100000000001", SMALLS, uin]);
    // the vendor's defaults
    let quota = get(&app, &format!("quota?account={uin}")).await;
    assert_eq!(quota["prefetch"][0]["daily"], 1000);

    let change = json!({ "name": "Film", "is_enabled": false });
    let changed = made(&app, &path, change).await;
    assert_eq!((&changed["name"], &changed["is_enabled"]), (&json!("Film"), &json!(false)));
    assert!(app.engine.caller(key).await.unwrap().is_none());
    let changed = made(&app, &path, json!({ "is_enabled": true })).await;
    assert_eq!(changed["name"], "Film");
    assert!(app.engine.caller(key).await.unwrap().is_some());
    let owner = post(&app, "accounts/100000000001", json!({ "is_enabled": false })).await;
    assert_eq!(owner.problem(), "account-owns");
    let both = json!({ "is_enabled": false, "name": "x" });
    assert_eq!(post(&app, "accounts/100000000001", both).await.problem(), "account-owns");
    assert_eq!(get(&app, "accounts/100000000001").await["name"], "");
    assert_eq!(post(&app, &path, json!({})).await.problem(), "bad-content");
    assert_eq!(post(&app, "accounts", json!({ "name": "a\nb" })).await.problem(), "bad-name");
}

#[tokio::test]
async fn an_account_that_does_not_own_the_installation_sees_itself_alone() {
    let app = App::new().await;
    made(&app, "users", json!({ "name": "ann" })).await;
    for target in ["accounts", "accounts/100000000001", "users?account=100000000001"] {
        let call = Call::admin(Method::GET, target, "").key(SMALL);
        assert_eq!(app.call(&call).await.problem(), "not-owner", "{target}");
    }
    let own = format!("accounts/{SMALLS}");
    for (target, content) in [
        ("accounts", json!({})),
        (own.as_str(), json!({ "is_enabled": false })),
        ("keys?account=100000000001", json!({})),
        ("keys/temporary?account=100000000001", json!({})),
    ] {
        let call = Call::admin(Method::POST, target, &content.to_string()).key(SMALL);
        assert_eq!(app.call(&call).await.problem(), "not-owner", "{target}");
    }
    for target in [own.as_str(), "users", "groups", "keys", "policies"] {
        let answer = app.call(&Call::admin(Method::GET, target, "").key(SMALL)).await;
        assert_eq!(answer.status, 200, "{target}");
        let text = answer.json().to_string();
        assert!(!text.contains("ann") && !text.contains(OWNER), "{text}");
    }
    let others = [format!("keys/{OWNER}"), "users/ann".into()];
    for (target, word) in others.iter().zip(["no-such-key", "user-unknown"]) {
        for method in [Method::GET, Method::DELETE] {
            let call = Call::admin(method, target, "").key(SMALL);
            assert_eq!(app.call(&call).await.problem(), word, "{target}");
        }
    }
    // the owner may name any
    made(&app, &format!("users?account={SMALLS}"), json!({ "name": "bob" })).await;
    let theirs = app.call(&Call::admin(Method::GET, "users", "").key(SMALL)).await.json();
    assert_eq!(theirs["users"][0]["name"], "bob");
    let nobody = app.call(&Call::admin(Method::GET, "users?account=9", "")).await;
    assert_eq!(nobody.problem(), "account-unknown");
}

#[tokio::test]
async fn users_join_groups_and_get_policies() {
    let app = App::new().await;
    let ann = made(&app, "users", json!({ "name": "ann" })).await;
    let uin = ann["uin"].as_str().unwrap();
    assert_eq!((uin.len(), &ann["groups"], &ann["policies"]), (12, &json!([]), &json!([])));
    assert_eq!(post(&app, "users", json!({ "name": "ann" })).await.problem(), "name-taken");
    made(&app, "groups", json!({ "name": "ops" })).await;
    let joined = made(&app, "groups/ops/members", json!({ "user": uin })).await;
    assert_eq!(joined["members"], json!(["ann"]));
    let text = document("allow", "cdn:*", "*");
    made(&app, "policies", json!({ "name": "all", "document": text })).await;
    made(&app, "policies/all/attach", json!({ "group": "ops" })).await;
    let policy = made(&app, "policies/all/attach", json!({ "user": "ann" })).await;
    assert_eq!((&policy["users"], &policy["groups"]), (&json!(["ann"]), &json!(["ops"])));
    assert_eq!(policy["document"], text);
    let listed = get(&app, "policies").await;
    assert_eq!(listed["policies"][0]["document"], Value::Null);
    assert_eq!(listed["policies"][0]["users"], json!(["ann"]));
    let shown = get(&app, "users/ann").await;
    assert_eq!((&shown["groups"], &shown["policies"]), (&json!(["ops"]), &json!(["all"])));
    assert_eq!(get(&app, "groups/ops").await["policies"], json!(["all"]));

    let answer = remove(&app, "policies/all").await;
    assert_eq!(answer.problem(), "policy-attached");
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains("`ann`") && detail.contains("`ops`"), "{detail}");
    made(&app, "policies/all/detach", json!({ "user": "ann" })).await;
    made(&app, "policies/all/detach", json!({ "group": "ops" })).await;
    assert_eq!(remove(&app, "policies/all").await.status, 204);
    assert_eq!(remove(&app, "groups/ops/members/ann").await.status, 204);
    assert_eq!(get(&app, "groups").await["groups"][0]["members"], json!([]));
    assert_eq!(remove(&app, "groups/ops").await.status, 204);

    let key = made(&app, "keys", json!({ "user": "ann" })).await;
    let key = key["secret_id"].as_str().unwrap();
    let switched = made(&app, "users/ann", json!({ "is_enabled": false })).await;
    assert_eq!(switched["is_enabled"], false);
    assert!(app.engine.caller(key).await.unwrap().is_none());
    assert_eq!(remove(&app, &format!("users/{uin}")).await.status, 204);
    assert_eq!(get(&app, "users").await["users"], json!([]));
    assert_eq!(remove(&app, &format!("keys/{key}")).await.problem(), "no-such-key");
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let app = App::new().await;
    made(&app, "users", json!({ "name": "ann" })).await;
    let key = made(&app, "keys", json!({ "user": "ann" })).await;
    let (id, secret) = (key["secret_id"].as_str().unwrap(), key["secret_key"].as_str().unwrap());
    let caller = app.engine.caller(id).await.unwrap().unwrap();
    let user = caller.user.as_ref().unwrap();
    assert_eq!((caller.key.secret_key.as_str(), user.name.as_str()), (secret, "ann"));
    let path = format!("keys/{id}");
    for shown in [get(&app, "keys").await, get(&app, &path).await] {
        let text = shown.to_string();
        assert!(text.contains(id) && !text.contains(secret), "{text}");
    }
    let anns = get(&app, "keys?user=ann").await;
    assert_eq!(anns["keys"].as_array().unwrap().len(), 1);
    assert_eq!(anns["keys"][0]["last_used_at"], Value::Null);
    assert_eq!(made(&app, &path, json!({ "is_enabled": false })).await["is_enabled"], false);
    assert!(app.engine.caller(id).await.unwrap().is_none());
    made(&app, &path, json!({ "is_enabled": true })).await;

    let new = made(&app, &format!("{path}/rotate"), json!({ "keep_old": true })).await;
    assert_eq!(new["user"], "ann");
    assert!(app.engine.caller(id).await.unwrap().is_some());
    let newer = made(&app, &format!("{path}/rotate"), json!({})).await;
    assert!(app.engine.caller(id).await.unwrap().is_none());
    for key in [new, newer] {
        let id = key["secret_id"].as_str().unwrap();
        assert!(app.engine.caller(id).await.unwrap().is_some());
    }
    for _ in 0..2 {
        made(&app, "keys", json!({ "user": "ann" })).await;
    }
    let answer = post(&app, "keys", json!({ "user": "ann" })).await;
    assert_eq!(answer.problem(), "too-many");
    assert_eq!(remove(&app, &path).await.status, 204);
    made(&app, "keys", json!({ "user": "ann" })).await;
}

#[tokio::test]
async fn a_temporary_key_ends_and_is_narrowed() {
    let app = App::new().await;
    let policy = document("allow", "cdn:PushUrlsCache", "*");
    let content = json!({ "duration_seconds": 60, "policy": policy });
    let key = made(&app, "keys/temporary", content).await;
    assert_eq!(key["expires_at"], "2025-06-15T15:07:40.000Z");
    assert_eq!(key["token"].as_str().unwrap().len(), 64);
    let id = key["secret_id"].as_str().unwrap();
    let caller = app.engine.caller(id).await.unwrap().unwrap();
    assert!(caller.user.is_none() && caller.session.is_some());
    assert_eq!(get(&app, &format!("keys/{id}")).await["expires_at"], key["expires_at"]);
    assert!(!get(&app, "keys").await.to_string().contains(id));
    let listed = get(&app, "keys/temporary").await;
    assert_eq!(listed["keys"], json!([get(&app, &format!("keys/{id}")).await]));
    made(&app, "users", json!({ "name": "ann" })).await;
    assert_eq!(get(&app, "keys/temporary?user=ann").await["keys"], json!([]));
    for (content, word) in [
        (json!({ "duration_seconds": 59 }), "bad-lifetime"),
        (json!({ "duration_seconds": 129_601 }), "bad-lifetime"),
        (json!({ "policy": "{}" }), "bad-policy"),
        (json!({ "user": "nobody" }), "user-unknown"),
    ] {
        let answer = post(&app, "keys/temporary", content.clone()).await;
        assert_eq!(answer.problem(), word, "{content}");
    }
    let rotate = post(&app, &format!("keys/{id}/rotate"), json!({})).await;
    assert_eq!(rotate.problem(), "key-temporary");
    assert_eq!(remove(&app, &format!("keys/{id}")).await.status, 204);
    assert!(app.engine.caller(id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_test_of_policies_names_the_statement_that_decides() {
    let app = App::new().await;
    made(&app, "users", json!({ "name": "ann" })).await;
    let network = json!({ "ip_equal": { "qcs:ip": "10.0.0.0/8" } });
    let statements = json!([
        { "effect": "allow", "action": "cdn:Describe*", "resource": "*" },
        { "effect": "allow", "action": "cdn:PushUrlsCache", "condition": network,
          "resource": "qcs::cdn::uin/100000000001:domain/www.test.com" },
    ]);
    let text = json!({ "version": "2.0", "statement": statements }).to_string();
    made(&app, "policies", json!({ "name": "push", "document": text })).await;
    made(&app, "policies/push/attach", json!({ "user": "ann" })).await;
    let ask = async |content: Value| made(&app, "policies/test", content).await;
    let push = |ip: &str, resources: &[&str]| json!({ "user": "ann", "action": "cdn:PushUrlsCache", "ip": ip, "resources": resources });
    let decided = ask(push("10.1.2.3", &["domain/www.test.com", "domain/cn.test.com"])).await;
    assert_eq!(
        decided,
        json!({ "is_allowed": false, "decisions": [
            { "resource": "qcs::cdn::uin/100000000001:domain/www.test.com", "verdict": "allowed",
              "policy": "push", "statement": 2, "text": statements[1] },
            { "resource": "qcs::cdn::uin/100000000001:domain/cn.test.com", "verdict": "no_match",
              "policy": null, "statement": null, "text": null },
        ] })
    );
    let decided = ask(push("11.1.2.3", &["domain/www.test.com"])).await;
    assert_eq!(decided["decisions"][0]["verdict"], "no_match");
    // the older action is covered by the newer one's permission, and some by none
    let resources = json!(["qcs::cdn:::domain/www.test.com"]);
    for (action, verdict) in [("CdnPusherV2", "allowed"), ("CdnUrlPusher", "root_only")] {
        let decided = ask(json!({ "user": "ann", "action": format!("cdn:{action}"),
            "ip": "10.1.2.3", "resources": resources }))
        .await;
        assert_eq!(decided["decisions"][0]["verdict"], verdict, "{action}");
    }
    // what names no resource, and a document besides
    let quota = json!({ "user": "ann", "action": "cdn:DescribePushQuota" });
    assert_eq!(ask(quota.clone()).await["is_allowed"], true);
    let mut denied = quota;
    denied["document"] = document("deny", "cdn:*", "*").into();
    let decided = ask(denied).await;
    assert_eq!(decided["decisions"][0]["verdict"], "denied");
    assert_eq!(decided["decisions"][0]["policy"], "(document)");
    assert_eq!(decided["decisions"][0]["text"]["effect"], "deny");
    // a document alone binds, though there is no user
    let alone = json!({ "document": document("allow", "teo:*", "*"), "action": "cdn:X" });
    assert_eq!(ask(alone).await["is_allowed"], false);
}

#[tokio::test]
async fn a_test_of_policies_knows_time_tags_and_further_keys() {
    let app = App::new().await;
    app.add_tagged_domain().await;
    let ask = async |condition: Value, further: Value| {
        let statement = json!([{ "effect": "allow", "action": "*", "resource": "*",
            "condition": condition }]);
        let document = json!({ "version": "2.0", "statement": statement }).to_string();
        let mut content = json!({ "document": document, "action": "cdn:PushUrlsCache" });
        for (key, value) in further.as_object().unwrap() {
            content[key] = value.clone();
        }
        made(&app, "policies/test", content).await["is_allowed"].as_bool().unwrap()
    };
    let before = json!({ "date_less_than": { "qcs:current_time": "2025-07-01T00:00:00Z" } });
    assert!(ask(before.clone(), json!({})).await);
    assert!(!ask(before.clone(), json!({ "time": "2025-07-01T08:00:00+08:00" })).await);
    assert!(ask(before, json!({ "time": "2025-07-01T07:59:59+08:00" })).await);
    let tag = json!({ "for_any_value:string_equal": { "qcs:resource_tag": ["team&video"] } });
    assert!(ask(tag.clone(), json!({ "resources": ["domain/tagged.test.com"] })).await);
    assert!(!ask(tag, json!({ "resources": ["domain/www.test.com"] })).await);
    let key = json!({ "string_equal": { "qcs:request_tag": "a&b" } });
    assert!(ask(key.clone(), json!({ "context": { "qcs:request_tag": ["a&b"] } })).await);
    assert!(!ask(key, json!({})).await);
}

#[tokio::test]
async fn a_test_of_policies_and_the_call_itself_come_to_the_same() {
    let app = App::new().await;
    let www = "qcs::cdn::uin/100000000001:domain/www.test.com";
    let later = json!({ "date_greater_than": { "qcs:current_time": "2026-01-01T00:00:00Z" } });
    let conditioned = json!({ "version": "2.0", "statement": [
        { "effect": "allow", "action": "cdn:*", "resource": "*", "condition": later },
        { "effect": "allow", "action": "cdn:PurgeUrlsCache", "resource": www },
    ] });
    let mut counts = [0, 0];
    for policies in [
        vec![],
        vec![document("allow", "*", "*")],
        vec![document("allow", "cdn:Push*", www)],
        vec![document("allow", "cdn:*", "*"), document("deny", "cdn:*", www)],
        vec![document("allow", "cdn:*", "*"), document("deny", "cdn:PurgeUrlsCache", "*")],
        vec![document("allow", "cdn:*Quota", "*"), document("allow", "teo:*", "*")],
        vec![document("allow", "cdn:*", "qcs::cdn:::domain/*")],
        vec![conditioned.to_string()],
    ] {
        let texts: Vec<_> = policies.iter().map(String::as_str).collect();
        app.sub_user(SUB, &texts).await;
        for (action, hosts) in [
            ("PushUrlsCache", &["www.test.com"][..]),
            ("PushUrlsCache", &["www.test.com", "cn.test.com"]),
            ("PurgeUrlsCache", &["cn.test.com"]),
            ("PurgeUrlsCache", &["www.test.com"]),
            ("DescribePushQuota", &[]),
            ("DescribePurgeQuota", &[]),
        ] {
            let urls: Vec<_> = hosts.iter().map(|host| format!("http://{host}/a")).collect();
            let content = if urls.is_empty() { json!({}) } else { json!({ "Urls": urls }) };
            let call = Call::action(action, content.to_string()).key(SUB);
            let response = app.call(&call).await.response();
            let code = response["Error"]["Code"].as_str().unwrap_or_default();
            let is_allowed = !code.contains("UnauthorizedOperation");
            let resources: Vec<_> = hosts.iter().map(|host| format!("domain/{host}")).collect();
            let asked = json!({ "user": "sub", "action": format!("cdn:{action}"),
                "resources": resources });
            let decided = made(&app, "policies/test", asked).await;
            assert_eq!(
                decided["is_allowed"], is_allowed,
                "{policies:?} {action} {hosts:?}: {code}"
            );
            counts[usize::from(is_allowed)] += 1;
        }
    }
    assert!(counts.iter().all(|count| *count >= 10), "{counts:?}");
}

#[tokio::test]
async fn misuse_is_named() {
    let app = App::new().await;
    let deep = document("allow", "cdn:*", "domain/www.test.com");
    for (target, content, word) in [
        ("users", json!({ "name": "a b" }), "bad-name"),
        ("users/nobody", json!({ "is_enabled": true }), "user-unknown"),
        ("groups/nothing/members", json!({ "user": "nobody" }), "user-unknown"),
        ("keys", json!({ "user": "nobody" }), "user-unknown"),
        ("keys?user=nobody", json!({}), "bad-query"),
        ("policies", json!({ "name": "x", "document": deep }), "bad-policy"),
        ("policies", json!({ "name": "x", "document": { "version": "2.0" } }), "bad-content"),
        ("policies/x/attach", json!({}), "bad-content"),
        ("policies/x/attach", json!({ "user": "a", "group": "b" }), "bad-content"),
        ("policies/x/attach", json!({ "group": "b" }), "policy-unknown"),
        ("policies/test", json!({ "action": "cdn:X" }), "bad-content"),
        ("policies/test", json!({ "user": "nobody", "action": "cdn:X" }), "user-unknown"),
        ("policies/test", json!({ "document": "{}", "action": "cdn:X" }), "bad-policy"),
    ] {
        assert_eq!(post(&app, target, content.clone()).await.problem(), word, "{target}");
    }
    let bad = post(&app, "policies", json!({ "name": "x", "document": deep })).await.json();
    let detail = bad["detail"].as_str().unwrap();
    assert!(detail.contains("statement 1") && detail.contains("`domain/www.test.com`"), "{bad}");
    for (field, value) in [("ip", "10.0.0"), ("time", "noon"), ("action", "push")] {
        let mut content = json!({ "document": document("allow", "*", "*"), "action": "cdn:X" });
        content[field] = value.into();
        let answer = post(&app, "policies/test", content).await;
        assert_eq!(answer.problem(), "bad-content");
        assert!(answer.json()["detail"].as_str().unwrap().contains(&format!("`{value}`")));
    }
    for resource in ["domain/*", "www.test.com", "qcs::cdn:::domain/*", "qcs::cdn", "/", ""] {
        let content = json!({ "document": document("allow", "*", "*"), "action": "cdn:X",
            "resources": [resource] });
        let answer = post(&app, "policies/test", content).await;
        assert_eq!(answer.problem(), "bad-content", "{resource}");
    }
    // also a policy of that name can be seen and removed
    let text = document("allow", "*", "*");
    made(&app, "policies", json!({ "name": "test", "document": text })).await;
    assert_eq!(get(&app, "policies/test").await["document"], text);
    assert_eq!(remove(&app, "policies/test").await.status, 204);
    assert_eq!(remove(&app, "policies/test").await.problem(), "policy-unknown");
}
