//! Signature v1 through the front door: API 3.0 at both paths, and what refuses it.

use axum::body::Body;
use http::{Method, Request};
use stoker_domain::time::Clock;

use crate::{
    app::{App, FORM, HOST},
    v1_call::{V1Call, form, sign},
};

const QUOTA: &[(&str, &str)] = &[("Action", "DescribePushQuota"), ("Version", "2018-06-06")];

#[tokio::test]
async fn api_3_is_served_with_either_hash_method_and_path() {
    let app = App::new().await;
    for path in ["/", "/v2/index.php"] {
        for method in [Method::GET, Method::POST] {
            for hash in ["HmacSHA1", "HmacSHA256"] {
                let call = V1Call::new(QUOTA)
                    .path(path)
                    .method(method.clone())
                    .with("SignatureMethod", hash);
                let response = app.v1(&call).await.response();
                assert!(response["UrlPush"].is_array(), "{path} {method} {hash}: {response}");
            }
        }
    }
}

#[tokio::test]
async fn flattened_parameters_of_a_form_reach_the_action() {
    let app = App::new().await;
    let call = V1Call::new(&[
        ("Action", "PushUrlsCache"),
        ("Version", "2018-06-06"),
        ("Urls.0", "http://www.test.com/1 2/a_b.jpg?a=b&c=d"),
        ("UrlEncode", "True"),
        ("Headers.0.Name", "X_A"),
        ("Headers.0.Value", "v_1"),
    ]);
    let response = app.v1(&call.clone()).await.response();
    assert!(response["TaskId"].is_string(), "{response}");
    let response = app.v1(&call.with("Nothing", "1")).await.response();
    assert_eq!(response["Error"]["Code"], "UnknownParameter");
}

#[tokio::test]
async fn each_flaw_has_its_code() {
    let app = App::new().await;
    let quota = || V1Call::new(QUOTA).with("Language", "en-US");
    for (call, code) in [
        (quota().with("Timestamp", ""), "MissingParameter"),
        (quota().with("Timestamp", "x"), "InvalidParameter"),
        (quota().with("Nonce", ""), "MissingParameter"),
        (quota().with("Nonce", "-1"), "InvalidParameter"),
        (quota().with("SecretId", ""), "MissingParameter"),
        (quota().with("SecretId", "AKIDNOBODY"), "AuthFailure.SecretIdNotFound"),
        (quota().with("Token", "T"), "AuthFailure.TokenFailure"),
        (quota().with("Action", ""), "MissingParameter"),
        (quota().with("Action", "Nothing"), "InvalidAction"),
        (quota().with("Version", "2018-06-07"), "NoSuchVersion"),
    ] {
        assert_eq!(app.v1(&call).await.code(), code, "{call:?}");
    }
    let now = app.clock.now().as_seconds();
    for (off, code) in [(-301, Some("AuthFailure.SignatureExpire")), (300, None)] {
        let call = quota().with("Timestamp", &(now + off).to_string());
        let response = app.v1(&call).await.response();
        assert_eq!(response["Error"]["Code"].as_str(), code, "{off}");
    }
}

#[tokio::test]
async fn a_form_over_the_limit_is_referred_to_the_new_signature() {
    let app = App::new().await;
    let request = |content: String| {
        Request::post("/")
            .header("host", HOST)
            .header("content-type", FORM)
            .body(Body::from(content))
    };
    let answer = app.send(request("x".repeat(1024 * 1024 + 1)).unwrap()).await;
    assert_eq!(answer.code(), "AuthFailure.SignatureFailure");
    assert!(answer.response()["Error"]["Message"].to_string().contains("TC3-HMAC-SHA256"));
    let answer = app.send(request("a=%ff".into()).unwrap()).await;
    assert_eq!(answer.code(), "InvalidParameter");
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_in_the_envelope_and_language_of_its_version() {
    let app = App::new().await;
    let send = |method: Method, target: &str, form: &str| {
        let request = Request::builder().method(method).uri(target).header("host", HOST);
        let request = request.header("content-type", FORM).body(Body::from(form.to_owned()));
        app.send(request.unwrap())
    };
    let query = "Version=2018-06-06&Language=en-US";
    let path = "/v2/index.php";
    let long = format!("{path}?{query}&x={}", "x".repeat(32 * 1024));
    for (answer, code) in [
        (send(Method::GET, &long, "").await, "RequestSizeLimitExceeded"),
        (send(Method::GET, &format!("{path}?{query}&a=1&a=2"), "").await, "InvalidParameter"),
        (send(Method::POST, path, &format!("a=%ff&{query}")).await, "InvalidParameter"),
        (send(Method::PUT, &format!("{path}?{query}"), "").await, "UnsupportedProtocol"),
        (send(Method::GET, &format!("/?{query}&a=1&a=2"), "").await, "InvalidParameter"),
        (send(Method::POST, "/", &format!("a=%ff&{query}")).await, "InvalidParameter"),
    ] {
        let error = &answer.response()["Error"];
        assert_eq!(error["Code"], code);
        assert!(error["Message"].as_str().unwrap().is_ascii(), "{error}");
    }
}

#[tokio::test]
async fn content_that_is_no_form_and_not_signed_is_one_without_credentials() {
    let app = App::new().await;
    for content in ["{}".to_owned(), format!("\"{}\"", "x".repeat(10 << 20))] {
        let request = Request::post("/").header("host", HOST).header("x-tc-language", "en-US");
        let request = request.header("content-type", "application/json");
        let answer = app.send(request.body(Body::from(content)).unwrap()).await;
        assert_eq!(answer.code(), "MissingParameter");
        let message = answer.response()["Error"]["Message"].to_string();
        assert!(message.contains("`Timestamp`") && message.is_ascii(), "{message}");
    }
}

#[tokio::test]
async fn a_parameter_that_was_not_signed_does_not_pass() {
    let app = App::new().await;
    let now = app.clock.now();
    let pairs = V1Call::new(QUOTA).pairs(now);
    let signature = sign("POST", "/", &pairs);
    let mut sent = pairs;
    sent.push(("Signature".into(), signature));
    sent.push(("Area".into(), "mainland".into()));
    let request = Request::post("/")
        .header("host", HOST)
        .header("content-type", FORM)
        .body(Body::from(form(&sent)))
        .unwrap();
    assert_eq!(app.send(request).await.code(), "AuthFailure.SignatureFailure");
}
