//! Refusals of API v2 that need a clock, a wrong key, a full disk or a long list.

use axum::body::Body;
use http::Request;
use serde_json::Value;
use stoker_domain::{area::Area, quota::Limits, quota::Product, time::Clock};

use crate::{
    app::{App, FORM, HOST, SECRET},
    v1_call::{V1Call, form, sign},
};

const PATH: &str = "/v2/index.php";
const URL: &str = "http://www.test.com/1";

/// `code` and `codeDesc`.
fn refusal(reply: &Value) -> (i64, &str) {
    assert!(reply.get("data").is_none(), "{reply}");
    (reply["code"].as_i64().unwrap(), reply["codeDesc"].as_str().unwrap())
}

async fn asked(app: &App, call: &V1Call) -> Value {
    app.v1(call).await.json()
}

#[tokio::test]
async fn a_wrong_late_or_repeated_call_gets_its_code() {
    let mut app = App::new().await;
    let call = V1Call::v2(&[("Action", "GetFlushQuota")]);
    let late = app.clock.now().as_seconds() - 7201;
    let late = asked(&app, &call.clone().with("Timestamp", &late.to_string())).await;
    assert_eq!(refusal(&late), (4200, "RequestExpired"));

    // what was signed is another Nonce
    let signed = sign("POST", PATH, &call.pairs(app.clock.now()));
    let mut pairs = call.clone().with("Nonce", "8").pairs(app.clock.now());
    pairs.push(("Signature".into(), signed));
    let forged = Request::post(PATH).header("host", HOST).header("content-type", FORM);
    let forged = app.send(forged.body(Body::from(form(&pairs))).unwrap()).await.json();
    assert_eq!(refusal(&forged), (4100, "AuthFailure"));
    assert!(!forged.to_string().contains(SECRET));

    assert_eq!(asked(&app, &call).await["code"], 0);
    assert_eq!(refusal(&asked(&app, &call).await), (4500, "ReplayAttack"));
    app.restart().await;
    assert_eq!(refusal(&asked(&app, &call).await), (4500, "ReplayAttack"));
}

#[tokio::test]
async fn a_purge_of_too_many_urls_is_refused_whole() {
    let app = App::new().await;
    let mut call = V1Call::v2(&[("Action", "RefreshCdnUrl")]);
    for number in 0..1001 {
        call = call.with(&format!("urls.{number}"), &format!("{URL}?{number}"));
    }
    assert_eq!(refusal(&asked(&app, &call).await), (4000, "22043"));

    let account = app.engine.accounts().await.unwrap().remove(0).id;
    let limits = Limits { batch: 1000, daily: 1 };
    let area = Some(Area::Mainland);
    app.engine.set_limits(account, Product::DomainPurgeUrl, area, limits).await.unwrap();
    let call = V1Call::v2(&[
        ("Action", "RefreshCdnUrl"),
        ("urls.0", URL),
        ("urls.1", "http://www.test.com/2"),
    ]);
    assert_eq!(refusal(&asked(&app, &call.with("Nonce", "8")).await), (4000, "22044"));
    let one = V1Call::v2(&[("Action", "RefreshCdnUrl"), ("urls.0", URL)]);
    assert_eq!(asked(&app, &one.with("Nonce", "9")).await["code"], 0);
}

#[tokio::test]
async fn a_full_disk_is_an_error_of_the_system() {
    let app = App::new().await;
    app.ledger.limit_pages(1).await.unwrap();
    let mut call = V1Call::v2(&[("Action", "CdnPusherV2")]);
    for number in 0..20 {
        let long = "x".repeat(4000);
        call = call.with(&format!("urls.{number}"), &format!("{URL}{number}/{long}"));
    }
    assert_eq!(refusal(&asked(&app, &call).await), (6000, "9000"));
}
