//! How often an account may call: 20 times a second and action, as the vendor says it.

use std::{sync::Arc, time::Duration};

use stoker_domain::time::Clock;
use stoker_gateway::{CallLimits, Config, Gateway, router};

use crate::{
    app::{App, Call, SMALL},
    v1_call::V1Call,
};

const QUOTA: &str = "DescribePushQuota";

async fn app(calls: CallLimits) -> App {
    let mut app = App::new().await;
    let config = Config { calls, ..Config::default() };
    let clock: Arc<dyn Clock> = Arc::new(app.clock.clone());
    app.gateway = Gateway::new(Arc::clone(&app.engine), clock, 7, config);
    app.router = router(app.gateway.clone());
    app
}

async fn refused(app: &App, call: &Call, count: usize) -> usize {
    let mut refused = 0;
    for _ in 0..count {
        let response = app.call(call).await.response();
        match response["Error"]["Code"].as_str() {
            None => {}
            Some("RequestLimitExceeded") => refused += 1,
            Some(other) => panic!("{other}"),
        }
    }
    refused
}

#[tokio::test]
async fn the_call_after_the_twentieth_in_a_second_is_refused_in_the_vendors_words() {
    let app = app(CallLimits::default()).await;
    let call = Call::action(QUOTA, "{}");
    assert_eq!(refused(&app, &call, 20).await, 0);
    let response = app.call(&call).await.response();
    assert_eq!(
        response["Error"]["Message"],
        "Your current request times equals to `21` in a second, which exceeds the frequency limit \
         `20` for a second. Please reduce the frequency of calls."
    );
    let response = app.call(&call.clone().without("x-tc-language")).await.response();
    assert_eq!(response["Error"]["Code"], "RequestLimitExceeded");
    assert_eq!(
        response["Error"]["Message"],
        "您当前每秒请求 `22` 次，超过了每秒频率上限 `20`，请稍后重试。"
    );
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(refused(&app, &call, 20).await, 0);
}

#[tokio::test]
async fn accounts_actions_and_generations_are_counted_apart() {
    let app = app(CallLimits { per_second: 2, ..CallLimits::default() }).await;
    let push = Call::action(QUOTA, "{}");
    assert_eq!(refused(&app, &push, 3).await, 1);
    assert_eq!(refused(&app, &push.clone().key(SMALL), 2).await, 0);
    assert_eq!(refused(&app, &Call::action("DescribePurgeQuota", "{}"), 2).await, 0);
    let old = V1Call::new(&[("Action", QUOTA), ("Version", "2018-06-06")]);
    let response = app.v1(&old).await.response();
    assert_eq!(response["Error"]["Code"], "RequestLimitExceeded", "signature v1 is no way round");
    assert_eq!(refused(&app, &Call::get(QUOTA, ""), 1).await, 1, "nor is GET");
}

#[tokio::test]
async fn the_limit_comes_before_the_parameters_and_after_the_action() {
    let app = app(CallLimits { per_second: 1, ..CallLimits::default() }).await;
    assert_eq!(app.call(&Call::action(QUOTA, "[")).await.code(), "InvalidParameter");
    assert_eq!(app.call(&Call::action(QUOTA, "[")).await.code(), "RequestLimitExceeded");
    assert_eq!(app.call(&Call::action("Nothing", "[")).await.code(), "InvalidAction");
}

#[tokio::test]
async fn api_v2_counts_some_actions_by_the_minute() {
    let app = app(CallLimits { per_second: 3, ..CallLimits::default() }).await;
    let call = async |action: &str, nonce: usize| {
        let call = V1Call::v2(&[("Action", action)]).with("Nonce", &nonce.to_string());
        app.v1(&call).await.json()
    };
    for nonce in 0..100 {
        assert_ne!(call("FlushOrPushOverall", nonce).await["code"], 4400);
    }
    let reply = call("FlushOrPushOverall", 100).await;
    assert_eq!(
        (&reply["code"], &reply["codeDesc"]),
        (&4400.into(), &"RequestLimitExceeded".into())
    );
    let message = reply["message"].as_str().unwrap();
    assert!(message.contains("每分钟请求 `101` 次"), "{message}");
    for nonce in 200..203 {
        assert_eq!(call("GetFlushQuota", nonce).await["code"], 0);
    }
    assert_eq!(call("GetFlushQuota", 203).await["code"], 4400);
}

#[tokio::test]
async fn the_admin_api_has_a_limit_of_its_own_and_a_limit_of_zero_is_none() {
    let strict = app(CallLimits { per_second: 1, ..CallLimits::default() }).await;
    for _ in 0..300 {
        let answer = strict.call(&Call::admin(http::Method::GET, "quota", "")).await;
        assert_eq!(answer.status, 200);
    }
    let free = app(CallLimits::OFF).await;
    assert_eq!(refused(&free, &Call::action(QUOTA, "{}"), 100).await, 0);
}
