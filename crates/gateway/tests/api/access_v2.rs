//! What sub-users may do through API v2, and temporary credentials in all generations.

use std::time::Duration;

use serde_json::Value;
use stoker_domain::time::Clock;

use crate::{
    app::{App, Call, OWNER},
    identities::{SUB, TEMPORARY, TOKEN},
    policy::{allow, deny, domain},
    v1_call::V1Call,
};

const URL: &str = "http://www.test.com/a";

/// Every action with a call of it.
const ACTIONS: [&[(&str, &str)]; 12] = [
    &[("Action", "CdnPusherV2"), ("urls.0", URL)],
    &[("Action", "CdnOverseaPushser"), ("urls_0", URL)],
    &[("Action", "CdnUrlPusher"), ("urls.0", URL)],
    &[
        ("Action", "FlushOrPushOverall"),
        ("urls.0", URL),
        ("command", "push"),
        ("type", "url"),
        ("mainland", "1"),
    ],
    &[
        ("Action", "GetPushLogs"),
        ("startDate", "2025-06-15 00:00:00"),
        ("endDate", "2025-06-16 00:00:00"),
    ],
    &[
        ("Action", "GetCdnOverseaPushLogs"),
        ("date", "2025-06-15"),
        ("type", "url"),
        ("keyword", "a"),
    ],
    &[("Action", "GetFlushQuota")],
    &[("Action", "RefreshCdnUrl"), ("urls.0", URL)],
    &[("Action", "RefreshCdnOverSeaUrl"), ("urls.0", URL)],
    &[("Action", "RefreshCdnDir"), ("dirs.0", "http://www.test.com/a/")],
    &[("Action", "RefreshCdnOverSeaDir"), ("dirs.0", "http://www.test.com/a/")],
    &[
        ("Action", "GetCdnRefreshLog"),
        ("startDate", "2025-06-15 00:00:00"),
        ("endDate", "2025-06-16 00:00:00"),
    ],
];

/// The newer action whose permission covers each, in the same order.
const NEWER: [&str; 12] = [
    "PushUrlsCache",
    "PushUrlsCache",
    "",
    "",
    "DescribePushTasks",
    "DescribePushTasks",
    "DescribePushQuota",
    "PurgeUrlsCache",
    "PurgeUrlsCache",
    "PurgePathCache",
    "PurgePathCache",
    "DescribePurgeTasks",
];

fn is_for_root(action: &str) -> bool {
    ["CdnUrlPusher", "FlushOrPushOverall"].contains(&action)
}

fn resource(action: &str) -> String {
    if action == "GetFlushQuota" { "*".into() } else { domain("www.test.com") }
}

struct Client<'a> {
    app: &'a App,
    nonce: u32,
}

impl Client<'_> {
    async fn send(&mut self, key: &str, params: &[(&str, &str)]) -> Value {
        self.nonce += 1;
        let call = V1Call::v2(params).with("SecretId", key).with("Nonce", &self.nonce.to_string());
        self.app.v1(&call).await.json()
    }
}

#[tokio::test]
async fn without_a_statement_every_action_is_refused() {
    let app = App::new().await;
    let mut client = Client { app: &app, nonce: 0 };
    app.sub_user(SUB, &[&allow("cdn:Nothing", "*")]).await;
    for params in ACTIONS {
        let reply = client.send(SUB, params).await;
        let expected = if is_for_root(params[0].1) { 4103 } else { 4101 };
        assert_eq!(reply["code"], expected, "{params:?}: {reply}");
    }
}

#[tokio::test]
async fn an_action_is_allowed_under_its_own_name_or_the_newer_ones() {
    for (params, newer) in ACTIONS.iter().zip(NEWER) {
        let app = App::new().await;
        let mut client = Client { app: &app, nonce: 0 };
        let action = params[0].1;
        if is_for_root(action) {
            app.sub_user(SUB, &[&allow("*", "*")]).await;
            assert_eq!(client.send(SUB, params).await["code"], 4103);
            assert_eq!(client.send(OWNER, params).await["code"], 0);
            continue;
        }
        let (own, newer) = (format!("cdn:{action}"), format!("cdn:{newer}"));
        for name in [&own, &newer] {
            app.sub_user(SUB, &[&allow(name, &resource(action))]).await;
            let reply = client.send(SUB, params).await;
            assert_eq!(reply["code"], 0, "{name}: {reply}");
            app.sub_user(SUB, &[&allow(name, &domain("other.test.com"))]).await;
            let reply = client.send(SUB, params).await;
            assert_eq!(reply["code"], 4102, "{name}: {reply}");
            assert_eq!(reply["codeDesc"], "SecretidNotAuthAccessResource");
        }
        for (one, other) in [(&own, &newer), (&newer, &own)] {
            let policies = [allow(one, &resource(action)), deny(other, "*")];
            app.sub_user(SUB, &[&policies[0], &policies[1]]).await;
            let reply = client.send(SUB, params).await;
            assert_eq!(reply["code"], 4102, "{one} allowed, {other} denied: {reply}");
        }
    }
}

#[tokio::test]
async fn a_refusal_has_the_observed_sentence() {
    let app = App::new().await;
    let mut client = Client { app: &app, nonce: 0 };
    app.sub_user(SUB, &[&allow("cdn:CdnPusherV2", &domain("cn.test.com"))]).await;
    let reply = client.send(SUB, ACTIONS[0]).await;
    let message = reply["message"].as_str().unwrap();
    let (id, rest) = message.strip_prefix("[request id:").unwrap().split_once(']').unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(
        rest,
        "you are not authorized to perform operation (cdn:CdnPusherV2)\n\
         resource (qcs::cdn::uin/100000000001:domain/www.test.com) has no permission\n"
    );
}

#[tokio::test]
async fn parameters_that_cannot_be_read_are_the_actions_own_errors() {
    let app = App::new().await;
    let mut client = Client { app: &app, nonce: 0 };
    app.sub_user(SUB, &[&allow("cdn:*", &domain("www.test.com"))]).await;
    for (params, desc) in [
        (&[("Action", "CdnPusherV2")][..], "InvalidParameter"),
        (&[("Action", "CdnPusherV2"), ("urls.0", "x")], "9003"),
        (&[("Action", "CdnPusherV2"), ("urls.0", URL), ("limitRate", "0")], "9003"),
        (&[("Action", "RefreshCdnDir")], "InvalidParameter"),
    ] {
        assert_eq!(client.send(SUB, params).await["codeDesc"], desc, "{params:?}");
    }
}

fn quota(token: Option<&str>) -> Call {
    let call = Call::action("DescribePushQuota", "{}").key(TEMPORARY);
    token.map_or(call.clone(), |token| call.with("x-tc-token", token))
}

fn v1(token: Option<&str>) -> V1Call {
    let call = V1Call::new(&[
        ("Action", "DescribePushQuota"),
        ("Version", "2018-06-06"),
        ("SecretId", TEMPORARY),
    ]);
    token.map_or(call.clone(), |token| call.with("Token", token))
}

#[tokio::test]
async fn a_temporary_key_needs_its_token_while_it_lasts() {
    let app = App::new().await;
    app.temporary(None, Duration::from_secs(600), None).await;
    let wrong = "AuthFailure.TokenFailure";
    let mut nonce = 100;
    let mut v2 = async |token: &str| {
        nonce += 1;
        let call = V1Call::v2(&[("Action", "GetFlushQuota"), ("SecretId", TEMPORARY)]);
        app.v1(&call.with("Token", token).with("Nonce", &nonce.to_string())).await.json()
    };
    for (token, is_good) in
        [(Some(TOKEN), true), (None, false), (Some(""), false), (Some("another"), false)]
    {
        let expected = (!is_good).then_some(wrong);
        let response = app.call(&quota(token)).await.response();
        assert_eq!(response["Error"]["Code"].as_str(), expected, "{token:?}");
        let response = app.v1(&v1(token)).await.response();
        assert_eq!(response["Error"]["Code"].as_str(), expected, "{token:?}");
        let code = v2(token.unwrap_or_default()).await["code"].as_u64();
        assert_eq!(code, Some(if is_good { 0 } else { 4105 }), "{token:?}");
    }
    let admin = Call::admin(http::Method::GET, "nodes", "").key(TEMPORARY);
    assert_eq!(app.call(&admin).await.problem(), "bad-token");
    let good = admin.clone().with("x-tc-token", TOKEN);
    assert_eq!(app.call(&good).await.problem(), "root-key-needed");
    app.clock.advance(Duration::from_secs(601));
    assert_eq!(app.call(&quota(Some(TOKEN))).await.code(), wrong);
    assert_eq!(app.v1(&v1(Some(TOKEN))).await.code(), wrong);
    assert_eq!(v2(TOKEN).await["code"], 4105);
    assert_eq!(app.call(&admin.with("x-tc-token", TOKEN)).await.problem(), "bad-token");
}

#[tokio::test]
async fn the_token_is_looked_at_after_the_signature() {
    let app = App::new().await;
    app.temporary(None, Duration::from_secs(600), None).await;
    let mut request = quota(Some("another")).sign(app.clock.now());
    *request.body_mut() = axum::body::Body::from("{} ");
    assert_eq!(app.send(request).await.code(), "AuthFailure.SignatureFailure");
    let long_term = Call::action("DescribePushQuota", "{}").with("x-tc-token", TOKEN);
    assert_eq!(app.call(&long_term).await.code(), "AuthFailure.TokenFailure");
}

#[tokio::test]
async fn a_sessions_policy_narrows_and_never_widens() {
    let app = App::new().await;
    let push = |host: &str| {
        let content = format!(r#"{{"Urls":["http://{host}/a"]}}"#);
        Call::action("PushUrlsCache", content).key(TEMPORARY).with("x-tc-token", TOKEN)
    };
    let code = async |host: &str| {
        let response = app.call(&push(host)).await.response();
        response["Error"]["Code"].as_str().map(str::to_owned)
    };
    let lasts = Duration::from_secs(600);
    let host = Some("UnauthorizedOperation.CdnHostUnauthorized".to_owned());
    let user = app.sub_user(SUB, &[&allow("cdn:*", &domain("www.test.com"))]).await;
    // of a sub-user: both have to allow
    app.temporary(Some(&user), lasts, Some(&allow("cdn:*", "*"))).await;
    assert_eq!(code("www.test.com").await, None);
    assert_eq!(code("cn.test.com").await, host);
    app.temporary(Some(&user), lasts, Some(&allow("cdn:*", &domain("cn.test.com")))).await;
    assert_eq!(code("www.test.com").await, host);
    assert_eq!(code("cn.test.com").await, host);
    app.temporary(Some(&user), lasts, None).await;
    assert_eq!(code("www.test.com").await, None);
    // of the root user: the session's alone
    app.temporary(None, lasts, Some(&allow("cdn:*", &domain("cn.test.com")))).await;
    assert_eq!(code("cn.test.com").await, None);
    assert_eq!(code("www.test.com").await, host);
    let admin = Call::admin(http::Method::GET, "nodes", "").key(TEMPORARY);
    let admin = admin.with("x-tc-token", TOKEN);
    assert_eq!(app.call(&admin).await.problem(), "root-key-needed");
    app.temporary(None, lasts, None).await;
    assert_eq!(code("www.test.com").await, None);
    assert_eq!(app.call(&admin).await.problem(), "root-key-needed");
}
