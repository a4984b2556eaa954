//! What the calls about domains mean for the nodes: servers, rules and how the origin is asked.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use stoker_domain::{
    account::AccountId,
    domain::{Domain, RuleLifetime},
};

use crate::app::{App, Call};

const HOST: &str = "www.test.com";

async fn update(app: &App, mut change: Value) -> Option<String> {
    change["Domain"] = HOST.into();
    let call = Call::action("UpdateDomainConfig", change.to_string());
    let reply = app.call(&call).await.response();
    reply["Error"]["Code"].as_str().map(str::to_owned)
}

async fn described(app: &App) -> Value {
    let filter = json!({ "Filters": [{ "Name": "domain", "Value": [HOST] }] });
    let call = Call::action("DescribeDomainsConfig", filter.to_string());
    app.call(&call).await.response()["Domains"][0].take()
}

async fn set(app: &App, change: Value) {
    let target = format!("domains/{HOST}");
    let call = Call::admin(Method::POST, &target, &change.to_string());
    assert_eq!(app.call(&call).await.status, 200, "{change}");
}

fn domain(app: &App) -> Arc<Domain> {
    app.engine.domain(AccountId(1), HOST).unwrap()
}

#[tokio::test]
async fn leave_for_private_addresses_ends_when_a_server_is_added() {
    let app = App::new().await;
    let origins = |first: &[&str], backups: &[&str]| json!({ "Origin": { "Origins": first, "BackupOrigins": backups } });
    for (given, is_kept) in [
        (origins(&["10.0.0.1", "10.0.0.2:81:5"], &["10.0.0.3"]), true),
        (origins(&["10.0.0.2:81"], &["10.0.0.1"]), true),
        (origins(&["10.0.0.1"], &["10.0.0.4"]), false),
        (origins(&["10.0.0.1", "10.0.0.4"], &[]), false),
        (origins(&["10.0.0.1:8080"], &[]), false),
    ] {
        let before = origins(&["10.0.0.1", "10.0.0.2:81"], &["10.0.0.3"]);
        assert_eq!(update(&app, before).await, None);
        set(&app, json!({ "allow_private_origin": true })).await;
        assert_eq!(update(&app, given.clone()).await, None);
        assert_eq!(domain(&app).origin.allow_private, is_kept, "{given}");
    }
}

#[tokio::test]
async fn a_change_of_one_thing_leaves_the_others_in_force() {
    let app = App::new().await;
    let rule = json!({ "RuleType": "file", "RulePaths": ["php"],
        "CacheConfig": { "NoCache": { "Switch": "on" } } });
    for change in [
        json!({ "Cache": { "RuleCache": [rule] } }),
        json!({ "FollowRedirect": { "Switch": "on" } }),
        json!({ "Origin": { "Origins": ["192.0.2.1:80:9", "192.0.2.2"] } }),
        json!({ "OriginPullTimeout": { "ConnectTimeout": 5, "ReceiveTimeout": 10 } }),
        json!({ "RangeOriginPull": { "Switch": "off" } }),
        json!({ "ProjectId": 3 }),
    ] {
        assert_eq!(update(&app, change.clone()).await, None, "{change}");
    }
    let is_whole = |domain: &Domain| {
        let pull = &domain.origin.pull;
        assert!(pull.follows_redirects && pull.without_ranges);
        assert_eq!(pull.receive_timeout_seconds, Some(10));
        assert_eq!(domain.cache.policy_for("/a.php").lifetime, RuleLifetime::Never);
    };
    is_whole(&domain(&app));
    assert_eq!((domain(&app).origin.weight, domain(&app).origin.others.len()), (9, 1));

    let show = Call::admin(Method::GET, &format!("domains/{HOST}"), "");
    let shown = app.call(&show).await.json();
    assert_eq!(shown["further_origins"], json!(["192.0.2.2:80"]));
    assert_eq!(shown["cache_rules"], json!(["*.php: not kept"]));

    // changed by another way, what is described is what there is
    set(&app, json!({ "origin": "http://o.example:81", "default_lifetime_seconds": 60 })).await;
    is_whole(&domain(&app));
    let shown = described(&app).await;
    assert_eq!(shown["Origin"]["Origins"], json!(["o.example:81"]));
    assert_eq!(shown["FollowRedirect"]["Switch"], "on");
    assert_eq!(shown["Cache"]["RuleCache"][1]["RulePaths"], json!(["php"]));
    assert_eq!(update(&app, json!({ "ProjectId": 4 })).await, None);
    is_whole(&domain(&app));
    assert_eq!(domain(&app).cache.default_lifetime_seconds, 60);
    assert!(domain(&app).origin.others.is_empty());
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_and_changes_nothing() {
    let app = App::new().await;
    let before = domain(&app);
    for change in [
        json!({ "Origin": { "Origins": ["192.0.2.1", "a/b"] } }),
        json!({ "Origin": { "Origins": ["192.0.2.1"], "BackupOrigins": ["192.0.2.1:0:0"] } }),
        json!({ "Cache": { "RuleCache": [{ "RuleType": "any", "RulePaths": ["*"] }] } }),
        json!({ "OriginPullTimeout": { "ReceiveTimeout": 5 } }),
        json!({ "RequestHeader": { "Switch": "on", "HeaderRules": [{ "HeaderMode": "x" }] } }),
    ] {
        let code = update(&app, change.clone()).await;
        assert_eq!(code.as_deref(), Some("InvalidParameter.CdnParamError"), "{change}");
    }
    assert_eq!(domain(&app), before);
}
