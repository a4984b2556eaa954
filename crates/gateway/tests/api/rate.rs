//! How often an account may call: 20 times a second and action, as the vendor says it.

use std::{sync::Arc, time::Duration};

use stoker_domain::time::Clock;
use stoker_gateway::{CallLimits, Config, Gateway, router};

use crate::{
    house::{Call, House, SMALL},
    old::Old,
};

const QUOTA: &str = "DescribePushQuota";

async fn house(calls: CallLimits) -> House {
    let mut house = House::new().await;
    let config = Config { calls, ..Config::default() };
    let clock: Arc<dyn Clock> = Arc::new(house.clock.clone());
    house.gateway = Gateway::new(Arc::clone(&house.engine), clock, 7, config);
    house.router = router(house.gateway.clone());
    house
}

async fn refused(house: &House, call: &Call, count: usize) -> usize {
    let mut refused = 0;
    for _ in 0..count {
        let response = house.call(call).await.response();
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
    let house = house(CallLimits::default()).await;
    let call = Call::action(QUOTA, "{}");
    assert_eq!(refused(&house, &call, 20).await, 0);
    let response = house.call(&call).await.response();
    assert_eq!(
        response["Error"]["Message"],
        "Your current request times equals to `21` in a second, which exceeds the frequency limit \
         `20` for a second. Please reduce the frequency of calls."
    );
    let response = house.call(&call.clone().without("x-tc-language")).await.response();
    assert_eq!(response["Error"]["Code"], "RequestLimitExceeded");
    assert_eq!(
        response["Error"]["Message"],
        "您当前每秒请求 `22` 次，超过了每秒频率上限 `20`，请稍后重试。"
    );
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(refused(&house, &call, 20).await, 0);
}

#[tokio::test]
async fn accounts_actions_and_generations_are_counted_apart() {
    let house = house(CallLimits { per_second: 2, ..CallLimits::default() }).await;
    let push = Call::action(QUOTA, "{}");
    assert_eq!(refused(&house, &push, 3).await, 1);
    assert_eq!(refused(&house, &push.clone().key(SMALL), 2).await, 0);
    assert_eq!(refused(&house, &Call::action("DescribePurgeQuota", "{}"), 2).await, 0);
    let old = Old::new(&[("Action", QUOTA), ("Version", "2018-06-06")]);
    let response = house.old(&old).await.response();
    assert_eq!(response["Error"]["Code"], "RequestLimitExceeded", "signature v1 is no way round");
    assert_eq!(refused(&house, &Call::get(QUOTA, ""), 1).await, 1, "nor is GET");
}

#[tokio::test]
async fn the_limit_comes_before_the_parameters_and_after_the_action() {
    let house = house(CallLimits { per_second: 1, ..CallLimits::default() }).await;
    assert_eq!(house.call(&Call::action(QUOTA, "[")).await.code(), "InvalidParameter");
    assert_eq!(house.call(&Call::action(QUOTA, "[")).await.code(), "RequestLimitExceeded");
    assert_eq!(house.call(&Call::action("Nothing", "[")).await.code(), "InvalidAction");
}

#[tokio::test]
async fn api_v2_counts_some_actions_by_the_minute() {
    let house = house(CallLimits { per_second: 3, ..CallLimits::default() }).await;
    let call = async |action: &str, nonce: usize| {
        let call = Old::v2(&[("Action", action)]).with("Nonce", &nonce.to_string());
        house.old(&call).await.json()
    };
    for nonce in 0..100 {
        assert_ne!(call("FlushOrPushOverall", nonce).await["code"], 4400);
    }
    let reply = call("FlushOrPushOverall", 100).await;
    assert_eq!(
        (&reply["code"], &reply["codeDesc"]),
        (&4400.into(), &"RequestLimitExceeded".into())
    );
    let told = reply["message"].as_str().unwrap();
    assert!(told.contains("每分钟请求 `101` 次"), "{told}");
    for nonce in 200..203 {
        assert_eq!(call("GetFlushQuota", nonce).await["code"], 0);
    }
    assert_eq!(call("GetFlushQuota", 203).await["code"], 4400);
}

#[tokio::test]
async fn the_admin_api_has_a_limit_of_its_own_and_a_limit_of_zero_is_none() {
    let strict = house(CallLimits { per_second: 1, ..CallLimits::default() }).await;
    for _ in 0..300 {
        let answer = strict.call(&Call::admin(http::Method::GET, "quota", "")).await;
        assert_eq!(answer.status, 200);
    }
    let free = house(CallLimits::OFF).await;
    assert_eq!(refused(&free, &Call::action(QUOTA, "{}"), 100).await, 0);
}
