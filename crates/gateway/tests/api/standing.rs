//! What an operator says of an account and of a domain, in the vendor's words: a service that is
//! suspended or awaits approval, features that are closed, domains that are locked or being changed.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use stoker_domain::{
    account::{Account, AccountId, Feature, Service},
    domain::Lock,
};

use crate::{
    app::{App, Call, OWNER, SMALL},
    v1_call::V1Call,
};

const SMALLS: &str = "100000000002";
const CDN: &str = "2018-06-06";
const TEO: &str = "2022-09-01";
const URL: &str = "http://small.test.com/1";

async fn call(app: &App, (version, action): (&str, &str), body: Value) -> Value {
    call_as(app, OWNER, (version, action), body).await
}

async fn call_as(
    app: &App,
    key: &'static str,
    (version, action): (&str, &str),
    body: Value,
) -> Value {
    let call = Call::action(action, body.to_string()).with("x-tc-version", version);
    app.call(&call.key(key)).await.response()
}

fn code(reply: &Value) -> &str {
    reply["Error"]["Code"].as_str().unwrap_or("none")
}

#[tokio::test]
async fn an_account_that_is_not_served_is_refused_in_every_api() {
    let app = App::new().await;
    let (suspended, waiting) =
        ("UnauthorizedOperation.CdnUserIsSuspended", "UnauthorizedOperation.CdnUserAuthWait");
    let (common, denied, zone) =
        ("UnauthorizedOperation", "OperationDenied", "UnauthorizedOperation.NoPermission");
    let range = json!({ "StartTime": "2025-06-15T00:00:00Z" });
    for (version, action, body, expected) in [
        (CDN, "PushUrlsCache", json!({ "Urls": [URL] }), [suspended, waiting]),
        (CDN, "DescribePushTasks", json!({ "TaskId": "1" }), [suspended, waiting]),
        (CDN, "DescribePushQuota", json!({}), [suspended, common]),
        (CDN, "PurgeUrlsCache", json!({ "Urls": [URL] }), [suspended, waiting]),
        (CDN, "DescribePurgeTasks", json!({ "TaskId": "1" }), [common, common]),
        (CDN, "DescribePurgeQuota", json!({}), [common, common]),
        (CDN, "DescribeDomains", json!({}), [suspended, waiting]),
        (CDN, "DeleteCdnDomain", json!({ "Domain": "small.test.com" }), [common, waiting]),
        (TEO, "CreatePrefetchTask", json!({ "ZoneId": "*", "Targets": [URL] }), [zone, zone]),
        (TEO, "DescribePrefetchTasks", range, [denied, denied]),
        (TEO, "DescribeZones", json!({}), [zone, zone]),
    ] {
        for (service, expected) in
            [Service::Suspended, Service::AwaitingApproval].into_iter().zip(expected)
        {
            app.engine.set_service(SMALLS, service).await.unwrap();
            let reply = call_as(&app, SMALL, (version, action), body.clone()).await;
            assert_eq!(code(&reply), expected, "{action} {service:?}");
        }
    }
    for (nonce, service, desc) in
        [("1", Service::Suspended, "9169"), ("2", Service::AwaitingApproval, "9111")]
    {
        app.engine.set_service(SMALLS, service).await.unwrap();
        let pairs = [("Action", "GetFlushQuota"), ("SecretId", SMALL), ("Nonce", nonce)];
        let reply = app.v1(&V1Call::v2(&pairs)).await.json();
        assert_eq!((&reply["code"], &reply["codeDesc"]), (&json!(4000), &json!(desc)), "{reply}");
    }
    // its keys are known, and it is served again
    app.engine.set_service(SMALLS, Service::Active).await.unwrap();
    let reply = call_as(&app, SMALL, (CDN, "PushUrlsCache"), json!({ "Urls": [URL] })).await;
    assert_eq!(code(&reply), "none");
}

async fn admin(app: &App, key: &'static str, method: Method, target: &str, body: Value) -> Value {
    let answer = app.call(&Call::admin(method, target, &body.to_string()).key(key)).await;
    match answer.status {
        StatusCode::OK => answer.json(),
        _ => answer.problem().into(),
    }
}

#[tokio::test]
async fn the_owner_suspends_through_the_admin_api_and_nobody_passes_it_by() {
    let app = App::new().await;
    let path = format!("accounts/{SMALLS}");
    let post = async |key, body| admin(&app, key, Method::POST, &path, body).await;
    assert_eq!(post(SMALL, json!({ "service": "active" })).await, "not-owner");
    for (service, problem) in
        [("suspended", "account-suspended"), ("awaiting-approval", "approval-awaited")]
    {
        let shown = post(OWNER, json!({ "service": service })).await;
        assert_eq!((&shown["service"], &shown["is_enabled"]), (&json!(service), &json!(true)));
        for target in ["domains", path.as_str()] {
            assert_eq!(admin(&app, SMALL, Method::GET, target, json!({})).await, problem);
        }
        // the owner acts for it nevertheless
        let target = format!("domains?account={SMALLS}");
        let domains = admin(&app, OWNER, Method::GET, &target, json!({})).await;
        assert_eq!(domains["domains"][0]["host"], "small.test.com");
    }
    let own = "accounts/100000000001";
    let body = json!({ "service": "suspended", "name": "x" });
    assert_eq!(admin(&app, OWNER, Method::POST, own, body).await, "account-owns");
    assert_eq!(admin(&app, OWNER, Method::GET, own, json!({})).await["name"], "");
    let shown = post(OWNER, json!({ "service": "active", "features": { "disable-range": false } }));
    let shown = shown.await;
    assert_eq!(shown["features"]["disable-range"], false);
    assert_eq!(shown["features"]["edge-prefetch"], true);
    assert_eq!(post(OWNER, json!({ "features": { "x": true } })).await, "bad-content");
    let body = json!({ "urls": [URL], "disable_range": true });
    assert_eq!(admin(&app, SMALL, Method::POST, "tasks", body).await, "feature-closed");
}

#[tokio::test]
async fn a_feature_is_open_until_the_operator_closes_it() {
    let app = App::new().await;
    let owner = "100000000001";
    let zone = app.zone();
    let url = "http://www.test.com/1";
    let targets = |further: Value| {
        let mut body = json!({ "ZoneId": zone, "Targets": [url] });
        body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        body
    };
    let whitelist = "UnauthorizedOperation.CdnUserNoWhitelist";
    let plan = "UnauthorizedOperation.NoPermission";
    let limits = "OperationDenied.NotInPrefetchOriginLimitWhiteList";
    let limit = json!({ "ZoneId": zone, "DomainName": "www.test.com", "Area": "Overseas",
        "Bandwidth": 200, "Enabled": "on" });
    for (feature, version, action, body, expected) in [
        (
            Feature::DisableRange,
            CDN,
            "PushUrlsCache",
            json!({ "Urls": [url], "DisableRange": true }),
            whitelist,
        ),
        (
            Feature::EdgePrefetch,
            TEO,
            "CreatePrefetchTask",
            targets(json!({ "Mode": "edge" })),
            plan,
        ),
        (
            Feature::MediaSegments,
            TEO,
            "CreatePrefetchTask",
            targets(json!({ "PrefetchMediaSegments": "on" })),
            plan,
        ),
        (Feature::OriginLimit, TEO, "ModifyPrefetchOriginLimit", limit, limits),
        (
            Feature::OriginLimit,
            TEO,
            "DescribePrefetchOriginLimit",
            json!({ "ZoneId": zone }),
            limits,
        ),
    ] {
        assert_eq!(code(&call(&app, (version, action), body.clone()).await), "none", "{action}");
        app.engine.open_feature(owner, feature, false).await.unwrap();
        let reply = call(&app, (version, action), body.clone()).await;
        assert_eq!(code(&reply), expected, "{action}");
        assert!(reply["Error"]["Message"].as_str().unwrap().contains(feature.as_str()));
        // what does not ask for it is taken
        let plain =
            json!({ "Urls": [url], "DisableRange": false, "ParseM3U8": true, "Layer": "edge" });
        assert_eq!(code(&call(&app, (CDN, "PushUrlsCache"), plain).await), "none");
        let plain = targets(json!({ "Mode": "default", "PrefetchMediaSegments": "off" }));
        assert_eq!(code(&call(&app, (TEO, "CreatePrefetchTask"), plain).await), "none");
        app.engine.open_feature(owner, feature, true).await.unwrap();
        assert_eq!(code(&call(&app, (version, action), body).await), "none", "{action}");
    }
}

#[tokio::test]
async fn a_domain_that_is_locked_or_being_changed_is_neither_prefetched_nor_changed() {
    let app = App::new().await;
    let (host, zone, account) = ("www.test.com", app.zone(), AccountId(1));
    let url = "http://www.test.com/1";
    let info = json!({ "OriginType": "IP_DOMAIN", "Origin": "o.example" });
    for (nonce, lock, expected, old) in [
        ("1", Lock::Locked, "ResourceUnavailable.CdnHostIsLocked", "9161"),
        ("2", Lock::Changing, "ResourceInUse.CdnOpInProgress", "9135"),
    ] {
        let locked = app.engine.lock_domain(account, host, Some(lock)).await.unwrap();
        let denied = "OperationDenied";
        for (version, action, body, expected) in [
            (CDN, "PushUrlsCache", json!({ "Urls": [url] }), expected),
            (CDN, "UpdateDomainConfig", json!({ "Domain": host, "Area": "global" }), expected),
            (CDN, "StopCdnDomain", json!({ "Domain": host }), expected),
            (CDN, "StartCdnDomain", json!({ "Domain": host }), expected),
            (
                TEO,
                "CreatePrefetchTask",
                json!({ "ZoneId": zone, "Targets": [url] }),
                "InvalidParameter.TaskNotGenerated",
            ),
            (
                TEO,
                "ModifyAccelerationDomain",
                json!({ "ZoneId": zone, "DomainName": host,
                "OriginInfo": info }),
                denied,
            ),
            (
                TEO,
                "ModifyAccelerationDomainStatuses",
                json!({ "ZoneId": zone,
                "DomainNames": ["cn.test.com", host], "Status": "offline" }),
                denied,
            ),
            (
                TEO,
                "DeleteAccelerationDomains",
                json!({ "ZoneId": zone,
                "DomainNames": ["cn.test.com", host] }),
                denied,
            ),
            (CDN, "PurgeUrlsCache", json!({ "Urls": [url] }), "none"),
        ] {
            let reply = call(&app, (version, action), body).await;
            assert_eq!(code(&reply), expected, "{action} {lock:?}: {reply}");
        }
        let body = json!({ "ZoneId": zone, "Targets": [url, "http://cn.test.com/1"] });
        let reply = call(&app, (TEO, "CreatePrefetchTask"), body).await;
        let reason = ["domain locked", "domain being changed"][usize::from(lock == Lock::Changing)];
        assert_eq!(reply["FailedList"][0]["Reason"], reason, "{reply}");
        // all or nothing: the other domain is as it was
        assert!(app.engine.domain_named(account, "cn.test.com").is_some());
        let push = V1Call::v2(&[("Action", "CdnPusherV2"), ("urls.0", url), ("Nonce", nonce)]);
        assert_eq!(app.v1(&push).await.json()["codeDesc"], old);
        let filter = json!({ "Filters": [{ "Name": "domain", "Value": [host] }] });
        let shown = call(&app, (CDN, "DescribeDomains"), filter).await;
        let shown = ["Status", "Disable", "Readonly"].map(|field| &shown["Domains"][0][field]);
        let expected = match lock {
            Lock::Locked => ["online", "readonly", "global"],
            Lock::Changing => ["processing", "normal", "normal"],
        };
        assert_eq!(shown, expected);
        assert_eq!(locked.lock, Some(lock));
    }
    let unlocked = app.engine.lock_domain(account, host, None).await.unwrap();
    assert_eq!(unlocked.lock, None);
    assert_eq!(code(&call(&app, (CDN, "PushUrlsCache"), json!({ "Urls": [url] })).await), "none");
}

#[tokio::test]
async fn only_the_owner_locks_and_locks_outlive_a_restart() {
    let mut app = App::new().await;
    let (lock, own) = ("domains/small.test.com/lock", json!({ "lock": "locked" }));
    assert_eq!(admin(&app, SMALL, Method::POST, lock, own.clone()).await, "not-owner");
    let target = format!("{lock}?account={SMALLS}");
    let shown = admin(&app, OWNER, Method::POST, &target, own).await;
    assert_eq!(shown["lock"], "locked");
    let change = json!({ "status": "offline" });
    let stop = "domains/small.test.com";
    assert_eq!(admin(&app, SMALL, Method::POST, stop, change).await, "domain-locked");
    assert_eq!(admin(&app, SMALL, Method::DELETE, stop, json!({})).await, "domain-locked");
    assert_eq!(admin(&app, SMALL, Method::DELETE, lock, json!({})).await, "not-owner");
    let waiting = Service::AwaitingApproval;
    app.engine.set_service(SMALLS, waiting).await.unwrap();
    app.engine.open_feature(SMALLS, Feature::EdgePrefetch, false).await.unwrap();
    app.restart().await;
    let account: Account = app.engine.account(SMALLS).await.unwrap();
    assert_eq!((account.service, account.closed), (waiting, [Feature::EdgePrefetch].into()));
    let domain = app.engine.domain_named(account.id, "small.test.com").unwrap();
    assert_eq!(domain.lock, Some(Lock::Locked));
    let shown = admin(&app, OWNER, Method::DELETE, &target, json!({})).await;
    assert_eq!(shown.get("lock"), None);
}
