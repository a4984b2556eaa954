//! Content of callers who are not verified: what it takes, who waits, who is refused and how, and
//! that it comes back.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{body::Body, extract::ConnectInfo};
use bytes::Bytes;
use http::{Method, Request};
use http_body::{Body as HttpBody, Frame, SizeHint};
use sha2::{Digest, Sha256};
use stoker_domain::time::Clock;
use stoker_gateway::ContentBounds;
use tokio::{sync::watch, task::JoinSet, time::sleep};
use tower_service::Service;

use crate::{
    app::{Answer, App, Call, FORM, HOST, SMALL},
    v1_call::V1Call,
};

const MIB: usize = 1024 * 1024;
/// Longer than any test takes.
const FOREVER: Duration = Duration::from_secs(3600);
/// The largest content whose hash only the content shows; no budget is smaller.
const LARGEST: usize = 10 * MIB;

async fn app(unverified_bytes: usize, patience: Duration) -> App {
    let mut app = App::new().await;
    app.bound_content(ContentBounds {
        unverified_bytes,
        verified_bytes: 0,
        unverified_patience: patience,
        verified_patience: patience,
        arrival: FOREVER,
    });
    app
}

/// The value of a metric.
async fn metric(app: &App, name: &str) -> usize {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let text = String::from_utf8(app.send(request).await.content).unwrap();
    let name = format!("stoker_gateway_content_{name} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&name));
    value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

async fn held(app: &App) -> usize {
    metric(app, "held_bytes{caller=\"unverified\"}").await
}

/// Waits until a metric has a value.
async fn becomes(app: &App, name: &str, expected: usize) {
    for _ in 0..6000 {
        if metric(app, name).await == expected {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{name} is {}, not {expected}", metric(app, name).await);
}

/// Content that does not come before a gate is opened.
struct Gated {
    gate: Pin<Box<dyn Future<Output = ()> + Send>>,
    content: Option<Bytes>,
    is_chunked: bool,
}

impl HttpBody for Gated {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.content.is_some() {
            ready!(self.gate.as_mut().poll(context));
        }
        Poll::Ready(self.content.take().map(|content| Ok(Frame::data(content))))
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.content.as_ref().map_or(0, Bytes::len) as u64;
        if self.is_chunked { SizeHint::default() } else { SizeHint::with_exact(rest) }
    }
}

/// The same request, its content behind a gate.
fn gated(request: Request<Body>, content: Vec<u8>, gate: &watch::Sender<bool>) -> Request<Body> {
    let mut gate = gate.subscribe();
    let gate = Box::pin(async move { _ = gate.wait_for(|is_open| *is_open).await });
    let body = Gated { gate, content: Some(content.into()), is_chunked: false };
    request.map(|_| Body::new(body))
}

fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// JSON of so many bytes that every action without parameters takes.
fn padded(bytes: usize) -> Vec<u8> {
    let mut content = b"{}".to_vec();
    content.resize(bytes, b' ');
    content
}

fn quota(bytes: usize) -> Call {
    Call::action("DescribePushQuota", padded(bytes))
}

/// As `call`, with a signature of something else.
fn forged(app: &App, call: &Call) -> Request<Body> {
    let mut request = call.sign(app.clock.now());
    let other = Call { content: b"something else".to_vec(), ..call.clone() };
    let other = other.sign(app.clock.now()).headers()["authorization"].clone();
    request.headers_mut().insert("authorization", other);
    request
}

fn from(mut request: Request<Body>, address: &str) -> Request<Body> {
    let address: SocketAddr = address.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(address));
    request
}

/// Sends all of them at once.
fn spawn(app: &App, requests: Vec<Request<Body>>) -> JoinSet<Answer> {
    let mut calls = JoinSet::new();
    for request in requests {
        let mut router = app.router.clone();
        calls.spawn(async move {
            let (parts, body) = router.call(request).await.unwrap().into_parts();
            let content = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
            Answer { status: parts.status, fields: parts.headers, content }
        });
    }
    calls
}

#[tokio::test]
async fn wrong_signatures_take_no_more_than_their_share_and_right_calls_pass_meanwhile() {
    let app = app(16 * MIB, FOREVER).await;
    let gate = watch::Sender::new(false);
    let call = quota(2 * MIB);
    let request = |_| gated(forged(&app, &call), call.content.clone(), &gate);
    let calls = spawn(&app, (0..40).map(request).collect());
    becomes(&app, "waiting{caller=\"unverified\"}", 35).await;
    assert_eq!(held(&app).await, LARGEST, "a share is as large as the largest content");

    assert!(app.call(&quota(2)).await.response()["UrlPush"].is_array());
    assert!(app.call(&quota(8 * 1024)).await.response()["UrlPush"].is_array());
    // of another account
    assert!(app.call(&quota(MIB).key(SMALL)).await.response()["UrlPush"].is_array());
    // verified by its head
    let large = quota(3 * MIB);
    let large = large.clone().with("x-tc-content-sha256", &hash(&large.content));
    assert!(app.call(&large).await.response()["UrlPush"].is_array());

    gate.send_replace(true);
    for answer in calls.join_all().await {
        assert_eq!(answer.code(), "AuthFailure.SignatureFailure");
    }
    assert_eq!(held(&app).await, 0);
    let peak = metric(&app, "peak_bytes{caller=\"unverified\"}").await;
    assert!((LARGEST..=16 * MIB).contains(&peak), "{peak}");
    let signed = quota(MIB).sign(app.clock.now());
    assert!(app.send(from(signed, "192.0.2.9:1")).await.response()["UrlPush"].is_array());
}

#[tokio::test]
async fn forms_without_a_key_take_no_more_than_half() {
    let app = app(24 * MIB, FOREVER).await;
    let gate = watch::Sender::new(false);
    let form = || format!("Action={}", "x".repeat(MIB - 7)).into_bytes();
    let request = |number: usize| {
        let path = ["/", "/v2/index.php"][number % 2];
        let request = Request::post(path).header("host", HOST).header("content-type", FORM);
        gated(request.body(Body::empty()).unwrap(), form(), &gate)
    };
    let calls = spawn(&app, (0..60).map(request).collect());
    // each takes thrice its content
    becomes(&app, "waiting{caller=\"unverified\"}", 56).await;
    assert_eq!(held(&app).await, 12 * MIB);
    assert!(app.call(&quota(MIB)).await.response()["UrlPush"].is_array());
    assert!(app.v1(&V1Call::v2(&[("Action", "GetFlushQuota")])).await.json()["code"] == 0);
    gate.send_replace(true);
    for answer in calls.join_all().await {
        let json = answer.json();
        assert!(json["code"] == 4000 || json["Response"]["Error"]["Code"] == "MissingParameter");
    }
    assert_eq!(held(&app).await, 0);
    // the one of the right caller came on top of theirs
    let peak = metric(&app, "peak_bytes{caller=\"unverified\"}").await;
    assert!((12 * MIB..=13 * MIB).contains(&peak), "{peak}");
}

#[tokio::test]
async fn one_address_takes_no_more_than_a_quarter() {
    let app = app(48 * MIB, FOREVER).await;
    let gate = watch::Sender::new(false);
    let call = quota(3 * MIB);
    let request = |_| from(gated(forged(&app, &call), padded(3 * MIB), &gate), "192.0.2.1:1");
    let calls = spawn(&app, (0..10).map(request).collect());
    becomes(&app, "waiting{caller=\"unverified\"}", 6).await;
    assert_eq!(held(&app).await, 12 * MIB);
    let signed = quota(9 * MIB).sign(app.clock.now());
    assert!(app.send(from(signed, "192.0.2.2:1")).await.response()["UrlPush"].is_array());
    gate.send_replace(true);
    assert_eq!(calls.join_all().await.len(), 10);
    assert_eq!(held(&app).await, 0);
}

#[tokio::test]
async fn a_caller_that_hangs_up_early_gives_back_what_was_reserved() {
    let app = app(LARGEST, FOREVER).await;
    let gate = watch::Sender::new(false);
    for is_chunked in [false, true] {
        let mut body = gated(quota(MIB).sign(app.clock.now()), padded(MIB), &gate).into_body();
        if is_chunked {
            let begun = Gated {
                gate: Box::pin(async {}),
                content: Some(padded(9 * 1024).into()),
                is_chunked,
            };
            body = Body::new(Chained { first: begun, then: body });
        }
        let request = quota(MIB).sign(app.clock.now()).map(|_| body);
        let calls = spawn(&app, vec![request]);
        // what is not announced is paid for as the most that it may become
        let expected = if is_chunked { LARGEST } else { MIB };
        becomes(&app, "held_bytes{caller=\"unverified\"}", expected).await;
        drop(calls);
        becomes(&app, "held_bytes{caller=\"unverified\"}", 0).await;
    }
    assert!(app.call(&quota(LARGEST)).await.response()["UrlPush"].is_array());
}

/// One content after another, without a length.
struct Chained {
    first: Gated,
    then: Body,
}

impl HttpBody for Chained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match ready!(Pin::new(&mut self.first).poll_frame(context)) {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            _ => Pin::new(&mut self.then).poll_frame(context),
        }
    }
}

#[tokio::test]
async fn each_api_says_in_its_own_words_that_there_is_no_room() {
    let app = app(LARGEST, Duration::ZERO).await;
    let gate = watch::Sender::new(false);
    let large = gated(forged(&app, &quota(LARGEST)), padded(LARGEST), &gate);
    let calls = spawn(&app, vec![large]);
    becomes(&app, "held_bytes{caller=\"unverified\"}", LARGEST).await;

    let bytes = 9 * 1024;
    let teo =
        Call::action("DescribePrefetchTasks", padded(bytes)).with("x-tc-version", "2022-09-01");
    let old = |call: V1Call| call.with("urls.0", &"x".repeat(bytes));
    let v1 = old(V1Call::new(&[("Action", "DescribePushQuota"), ("Version", "2018-06-06")]));
    for (answer, words) in [
        (app.call(&quota(bytes)).await, "try again in a moment"),
        (app.call(&teo).await, "try again in a moment"),
        // whose parameter `Language` was not read
        (app.v1(&v1.with("Language", "en-US")).await, "请稍后重试"),
    ] {
        assert_eq!(answer.code(), "RequestLimitExceeded");
        assert_eq!(answer.fields["retry-after"], "1");
        let message = answer.response()["Error"]["Message"].to_string();
        assert!(message.contains(words), "{message}");
    }
    let v2 = app.v1(&old(V1Call::v2(&[("Action", "GetFlushQuota")]))).await;
    assert_eq!((v2.status.as_u16(), &v2.fields["retry-after"]), (200, &"1".parse().unwrap()));
    assert_eq!(v2.json()["code"], 4400);
    assert_eq!(v2.json()["codeDesc"], "RequestLimitExceeded");
    assert_eq!(metric(&app, "refused_total{caller=\"unverified\",reason=\"share\"}").await, 2);
    assert_eq!(metric(&app, "refused_total{caller=\"unverified\",reason=\"budget\"}").await, 2);
    // what needs no room has it
    assert!(app.call(&quota(8 * 1024)).await.response()["UrlPush"].is_array());
    gate.send_replace(true);
    assert_eq!(calls.join_all().await.len(), 1);
    assert!(app.call(&quota(bytes)).await.response()["UrlPush"].is_array());
}

#[tokio::test]
async fn a_head_that_names_the_hash_is_verified_before_its_content() {
    let app = app(LARGEST, Duration::ZERO).await;
    let call = quota(LARGEST);
    let declared = call.clone().with("x-tc-content-sha256", &hash(&call.content));
    let forged = forged(&app, &declared);
    assert_eq!(app.send(forged).await.code(), "AuthFailure.SignatureFailure");
    assert!(app.call(&declared).await.response()["UrlPush"].is_array());
    let unsigned = call.clone().with("x-tc-content-sha256", "UNSIGNED-PAYLOAD");
    assert_eq!(app.call(&unsigned).await.code(), "AuthFailure.SignatureFailure");
    assert_eq!(metric(&app, "peak_bytes{caller=\"unverified\"}").await, 0);
    // other content than was signed, of the same length
    let mut other = declared.sign(app.clock.now());
    *other.body_mut() = Body::from(vec![b' '; LARGEST]);
    assert_eq!(app.send(other).await.code(), "AuthFailure.SignatureFailure");
    // what is no hash says nothing, as ever
    for word in ["", "STREAMING", &hash(b"").to_uppercase()] {
        let call = quota(2).with("x-tc-content-sha256", word);
        assert!(app.call(&call).await.response()["UrlPush"].is_array(), "{word}");
    }
}

#[tokio::test]
async fn wrong_signatures_cost_their_address_the_large_limit_and_nobody_else() {
    let app = app(LARGEST, FOREVER).await;
    let send = async |call: &Call, is_right: bool, address: &str| {
        let right = call.sign(app.clock.now());
        let request = if is_right { right } else { forged(&app, call) };
        app.send(from(request, address)).await
    };
    let (small, large) = (quota(64 * 1024), quota(64 * 1024 + 1));
    let strange = "192.0.2.1:1";
    for _ in 0..8 {
        let answer = send(&large, false, strange).await;
        assert_eq!(answer.code(), "AuthFailure.SignatureFailure");
    }
    for is_right in [false, true] {
        let answer = send(&large, is_right, strange).await;
        assert_eq!(answer.code(), "RequestLimitExceeded");
        let message = answer.response()["Error"]["Message"].to_string();
        assert!(message.contains("wrong signatures"), "{message}");
    }
    assert_eq!(send(&small, false, strange).await.code(), "AuthFailure.SignatureFailure");
    assert!(send(&large, true, "192.0.2.2:1").await.response()["UrlPush"].is_array());
    let other = large.clone().key(SMALL);
    assert!(send(&other, true, strange).await.response()["UrlPush"].is_array(), "another key");
    let name = "refused_total{caller=\"unverified\",reason=\"signatures\"}";
    assert_eq!(metric(&app, name).await, 2);
    // it passes, or ends with a right signature
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(send(&large, false, strange).await.code(), "AuthFailure.SignatureFailure");
    for _ in 0..8 {
        send(&small, false, strange).await;
    }
    assert_eq!(send(&large, true, strange).await.code(), "RequestLimitExceeded");
    assert!(send(&small, true, strange).await.response()["UrlPush"].is_array());
    assert!(send(&large, true, strange).await.response()["UrlPush"].is_array());
}

#[tokio::test]
async fn the_work_of_large_verified_calls_is_bounded() {
    let app = app(LARGEST, Duration::ZERO).await;
    let gate = watch::Sender::new(false);
    let largest = 64 * MIB;
    let mut content = br#"{"urls":["http://www.test.com/a"]}"#.to_vec();
    content.resize(largest, b' ');
    let submit = |content: &[u8]| Call {
        content: content.to_vec(),
        ..Call::admin(Method::POST, "tasks", "")
    };
    let signed = submit(&content).sign(app.clock.now());
    let calls = spawn(&app, vec![gated(signed, content, &gate)]);
    becomes(&app, "held_bytes{caller=\"verified\"}", 2 * largest).await;
    let small = br#"{"urls":["http://www.test.com/b"]}"#;
    assert_eq!(app.call(&submit(small)).await.status, 202);
    let mut much = small.to_vec();
    much.resize(64 * 1024 + 1, b' ');
    let answer = app.call(&submit(&much)).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (503, "busy"));
    assert_eq!(answer.fields["retry-after"], "1");
    gate.send_replace(true);
    for answer in calls.join_all().await {
        assert_eq!(answer.status, 202);
    }
    becomes(&app, "held_bytes{caller=\"verified\"}", 0).await;
    assert_eq!(app.call(&submit(&much)).await.status, 202);
}

#[tokio::test]
async fn what_would_become_large_by_being_read_is_refused() {
    let app = App::new().await;
    let many = |count: usize, one: &str| vec![one; count].join(",");
    let call = Call::action("DescribePushQuota", format!("[{}]", many(250_000, "0")));
    let answer = app.call(&call).await;
    assert_eq!(answer.code(), "InvalidParameter");
    assert!(answer.response()["Error"]["Message"].to_string().contains("too many parameters"));

    let pairs: String = (0..10_001).map(|number| format!("p{number}&")).collect();
    for (target, is_v2) in [("/", false), ("/v2/index.php", true)] {
        let request = Request::post(target).header("host", HOST).header("content-type", FORM);
        let answer = app.send(request.body(Body::from(pairs.clone())).unwrap()).await;
        if is_v2 {
            assert_eq!(answer.json()["code"], 4000);
            assert_eq!(answer.json()["codeDesc"], "InvalidParameter");
        } else {
            assert_eq!(answer.code(), "InvalidParameter");
        }
    }

    let submit = |path, name: &str, count: usize| {
        let scope = if path == "purges" { r#""scope":"path","# } else { "" };
        let content = format!(r#"{{{scope}"{name}":[{}]}}"#, many(count, r#""""#));
        Call::admin(Method::POST, path, &content)
    };
    for (path, name, count, word, detail) in [
        ("tasks", "urls", 100_001, "too-many-urls", "100001 URLs"),
        ("tasks", "urls", 3_000_000, "too-many-urls", "1000001 URLs"),
        ("check", "urls", 1_001, "too-many-urls", "1001 URLs"),
        ("purges", "targets", 1_000_001, "bad-content", "1000000 targets"),
    ] {
        let answer = app.call(&submit(path, name, count)).await;
        assert_eq!(answer.problem(), word, "{path} {count}");
        let shown = answer.json()["detail"].to_string();
        assert!(shown.contains(detail), "{shown}");
    }
}
