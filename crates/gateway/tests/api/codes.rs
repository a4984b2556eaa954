//! Every code that a caller can get is reached by a call.

use axum::body::Body;
use http::Request;
use stoker_domain::time::{Clock, Timestamp};
use stoker_gateway::Language;

use crate::app::{App, Call, DISABLED, FORM, HOST, JSON};

const QUOTA: &str = "DescribePushQuota";

fn raw(method: &str, target: &str, content_type: &str, content: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(target)
        .header("host", HOST)
        .header("content-type", content_type)
        .body(Body::from(content.to_owned()))
        .unwrap()
}

#[tokio::test]
async fn a_call_without_credentials_misses_its_timestamp() {
    let app = App::new().await;
    for request in [
        raw("POST", "/", JSON, "{}"),
        raw("GET", "/", FORM, ""),
        raw("POST", "/?Signature=in-the-query", JSON, "{}"),
    ] {
        let answer = app.send(request).await;
        assert_eq!(answer.code(), "MissingParameter");
        assert!(answer.response()["Error"]["Message"].as_str().unwrap().contains("`Timestamp`"));
    }
}

#[tokio::test]
async fn other_methods_are_an_unsupported_protocol() {
    let app = App::new().await;
    for method in ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"] {
        let answer = app.send(raw(method, "/", JSON, "{}")).await;
        if method != "HEAD" {
            assert_eq!(answer.code(), "UnsupportedProtocol", "{method}");
        }
    }
}

#[tokio::test]
async fn each_flaw_of_the_credentials_has_its_code() {
    let app = App::new().await;
    let now = app.clock.now();
    let good = || Call::action(QUOTA, "{}");
    let mut request = good().sign(now);
    request.headers_mut().insert("authorization", "SKIP".parse().unwrap());
    assert_eq!(app.send(request).await.code(), "AuthFailure.InvalidAuthorization");
    for key in ["AKIDNOBODY", DISABLED] {
        let code = app.call(&good().key(key)).await.code();
        assert_eq!(code, "AuthFailure.SecretIdNotFound", "{key}");
    }
    let mut request = good().sign(now);
    request.headers_mut().remove("x-tc-timestamp");
    assert_eq!(app.send(request).await.code(), "MissingParameter");
    let mut request = good().sign(now);
    request.headers_mut().insert("x-tc-timestamp", "soon".parse().unwrap());
    assert_eq!(app.send(request).await.code(), "InvalidParameter");
    for seconds in [-301, 301] {
        let time = Timestamp::from_seconds(now.as_seconds() + seconds);
        assert_eq!(app.send(good().sign(time)).await.code(), "AuthFailure.SignatureExpire");
    }
    let mut request = good().sign(now);
    *request.body_mut() = Body::from("{} ");
    assert_eq!(app.send(request).await.code(), "AuthFailure.SignatureFailure");
    let other = good().with("x-tc-token", "TOKENTEST");
    assert_eq!(app.call(&other).await.code(), "AuthFailure.TokenFailure");
}

#[tokio::test]
async fn the_language_of_a_message_follows_the_field() {
    let app = App::new().await;
    for (language, start) in [
        (Some("en-US"), "The provided"),
        (Some("zh-CN"), "请求签名验证失败"),
        (Some(""), "请求"),
        (None, "请求"),
    ] {
        let mut call = Call::action(QUOTA, "{}").without("x-tc-language");
        if let Some(language) = language {
            call = call.with("x-tc-language", language);
        }
        let mut request = call.sign(app.clock.now());
        *request.body_mut() = Body::from("changed");
        let response = app.send(request).await.response();
        let message = response["Error"]["Message"].as_str().unwrap();
        assert!(message.starts_with(start), "{language:?}: {message}");
    }
}

/// The sentence of a refused call that asks for no language, signed and sent to `host`.
async fn message_at(app: &App, host: &str, language: Option<&str>) -> String {
    let mut call = Call::action("Unknown", "{}").without("x-tc-language");
    if let Some(language) = language {
        call = call.with("x-tc-language", language);
    }
    let request = call.sign_for(host, app.clock.now());
    let response = app.send(request).await.response();
    assert_eq!(response["Error"]["Code"], "InvalidAction", "{response}");
    response["Error"]["Message"].as_str().unwrap().into()
}

#[tokio::test]
async fn an_international_host_and_the_installation_decide_the_language_where_none_is_named() {
    let (mut app, intl) = (App::new().await, "cdn.intl.tencentcloudapi.com");
    let (en, zh) = ("The request `Action`", "请求的 `Action`");
    for (host, language, start) in [
        (HOST, None, zh),
        ("cdn.tencentcloudapi.com", None, zh),
        (intl, None, en),
        (intl, Some("zh-CN"), zh),
        (intl, Some("en-US"), en),
        (intl, Some("fr-FR"), en),
        (HOST, Some("fr-FR"), zh),
        (HOST, Some("en-US"), en),
    ] {
        let message = message_at(&app, host, language).await;
        assert!(message.starts_with(start), "{host} {language:?}: {message}");
    }
    app.speak(Language::English);
    for (host, language, start) in
        [(HOST, None, en), (HOST, Some("zh-CN"), zh), (HOST, Some(""), en), (intl, None, en)]
    {
        let message = message_at(&app, host, language).await;
        assert!(message.starts_with(start), "{host} {language:?}: {message}");
    }
}

#[tokio::test]
async fn action_and_version_must_be_there_and_known() {
    let app = App::new().await;
    let good = || Call::action(QUOTA, "{}");
    for (call, code) in [
        (good().without("x-tc-action"), "MissingParameter"),
        (good().without("x-tc-version"), "MissingParameter"),
        (good().with("x-tc-version", "2022-01-06"), "NoSuchVersion"),
        (good().with("x-tc-version", "2022-09-01"), "InvalidAction"),
        (good().with("x-tc-version", "x"), "NoSuchVersion"),
        (good().with("x-tc-action", "ListTopData"), "InvalidAction"),
        (good().with("x-tc-action", "describepushquota"), "InvalidAction"),
    ] {
        assert_eq!(app.call(&call).await.code(), code, "{call:?}");
    }
}

#[tokio::test]
async fn sizes_are_bounded() {
    let app = App::new().await;
    let largest = 10 * 1024 * 1024;
    let fits = format!("{{}}{}", " ".repeat(largest - 2));
    assert!(app.call(&Call::action(QUOTA, fits.as_str())).await.response()["Error"].is_null());
    let answer = app.call(&Call::action(QUOTA, format!("{fits} "))).await;
    assert_eq!(answer.code(), "RequestSizeLimitExceeded");
    let fits = format!("A={}", "x".repeat(32 * 1024 - 2));
    assert_eq!(app.call(&Call::get(QUOTA, &fits)).await.code(), "UnknownParameter");
    let answer = app.call(&Call::get(QUOTA, &format!("{fits}x"))).await;
    assert_eq!(answer.code(), "RequestSizeLimitExceeded");
}

#[tokio::test]
async fn content_that_breaks_off_is_an_invalid_request() {
    let app = App::new().await;
    let mut request = Call::action(QUOTA, "{}").sign(app.clock.now());
    *request.body_mut() = Body::new(Broken(false));
    assert_eq!(app.send(request).await.code(), "InvalidRequest");
}

/// Content that begins and breaks off.
struct Broken(bool);

impl http_body::Body for Broken {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        let frame = if self.0 {
            Err(std::io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(http_body::Frame::data("{".into()))
        };
        self.0 = true;
        std::task::Poll::Ready(Some(frame))
    }
}

#[tokio::test]
async fn a_cluster_without_nodes_and_a_full_disk_are_internal_errors() {
    let app = App::without_nodes().await;
    let call = Call::action("PushUrlsCache", r#"{"Urls":["http://www.test.com/a"]}"#);
    assert_eq!(app.call(&call).await.code(), "InternalError.CdnConfigError");
    let app = App::new().await;
    app.ledger.limit_pages(1).await.unwrap();
    let urls: Vec<String> =
        (0..500).map(|n| format!("http://www.test.com/{n}/{}", "x".repeat(3000))).collect();
    let call = Call::action("PushUrlsCache", serde_json::json!({ "Urls": urls }).to_string());
    assert_eq!(app.call(&call).await.code(), "InternalError.CdnDbError");
    let quota = app.call(&Call::action(QUOTA, "{}")).await.response();
    assert_eq!(quota["UrlPush"][0]["Available"], 1000, "a refused task is not charged");
}

#[tokio::test]
async fn the_batch_limit_of_the_vendor_is_500() {
    let app = App::new().await;
    let call = |count| {
        let urls: Vec<_> = (0..count).map(|n| format!("http://www.test.com/{n}")).collect();
        Call::action("PushUrlsCache", serde_json::json!({ "Urls": urls }).to_string())
    };
    assert!(app.call(&call(500)).await.response()["TaskId"].is_string());
    assert_eq!(app.call(&call(501)).await.code(), "LimitExceeded.CdnPushExceedBatchLimit");
    assert!(app.call(&call(500)).await.response()["TaskId"].is_string());
    assert_eq!(app.call(&call(1)).await.code(), "LimitExceeded.CdnPushExceedDayLimit");
}

#[tokio::test]
async fn the_query_of_a_post_is_neither_signed_nor_read() {
    let app = App::new().await;
    let mut request = Call::action(QUOTA, "{}").sign(app.clock.now());
    *request.uri_mut() = "/?Area=mainland".parse().unwrap();
    assert!(app.send(request).await.response()["Error"].is_null());
    let mut request = Call::get(QUOTA, "").sign(app.clock.now());
    *request.uri_mut() = "/?Area=mainland".parse().unwrap();
    assert_eq!(app.send(request).await.code(), "AuthFailure.SignatureFailure");
}
