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
    house::{Answer, Call, FORM, HOST, House, SMALL},
    old::Old,
};

const MIB: usize = 1024 * 1024;
/// Longer than any test takes.
const FOREVER: Duration = Duration::from_secs(3600);
/// The largest content of which only the content tells the hash; no budget is smaller.
const LARGEST: usize = 10 * MIB;

async fn house(unverified_bytes: usize, patience: Duration) -> House {
    let mut house = House::new().await;
    house.bound_content(ContentBounds {
        unverified_bytes,
        verified_bytes: 0,
        unverified_patience: patience,
        verified_patience: patience,
        arrival: FOREVER,
    });
    house
}

/// The value of a metric.
async fn metric(house: &House, name: &str) -> usize {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let text = String::from_utf8(house.send(request).await.content).unwrap();
    let name = format!("stoker_gateway_content_{name} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&name));
    value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

async fn held(house: &House) -> usize {
    metric(house, "held_bytes{caller=\"unverified\"}").await
}

/// Waits until a metric has a value.
async fn becomes(house: &House, name: &str, expected: usize) {
    for _ in 0..6000 {
        if metric(house, name).await == expected {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{name} is {}, not {expected}", metric(house, name).await);
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
fn forged(house: &House, call: &Call) -> Request<Body> {
    let mut request = call.sign(house.clock.now());
    let other = Call { content: b"something else".to_vec(), ..call.clone() };
    let other = other.sign(house.clock.now()).headers()["authorization"].clone();
    request.headers_mut().insert("authorization", other);
    request
}

fn from(mut request: Request<Body>, address: &str) -> Request<Body> {
    let address: SocketAddr = address.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(address));
    request
}

/// Sends all of them at once.
fn spawn(house: &House, requests: Vec<Request<Body>>) -> JoinSet<Answer> {
    let mut calls = JoinSet::new();
    for request in requests {
        let mut router = house.router.clone();
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
    let house = house(16 * MIB, FOREVER).await;
    let gate = watch::Sender::new(false);
    let call = quota(2 * MIB);
    let request = |_| gated(forged(&house, &call), call.content.clone(), &gate);
    let calls = spawn(&house, (0..40).map(request).collect());
    becomes(&house, "waiting{caller=\"unverified\"}", 35).await;
    assert_eq!(held(&house).await, LARGEST, "a share is as large as the largest content");

    assert!(house.call(&quota(2)).await.response()["UrlPush"].is_array());
    assert!(house.call(&quota(8 * 1024)).await.response()["UrlPush"].is_array());
    // of another account
    assert!(house.call(&quota(MIB).key(SMALL)).await.response()["UrlPush"].is_array());
    // verified by its head
    let large = quota(3 * MIB);
    let large = large.clone().with("x-tc-content-sha256", &hash(&large.content));
    assert!(house.call(&large).await.response()["UrlPush"].is_array());

    gate.send_replace(true);
    for answer in calls.join_all().await {
        assert_eq!(answer.code(), "AuthFailure.SignatureFailure");
    }
    assert_eq!(held(&house).await, 0);
    let peak = metric(&house, "peak_bytes{caller=\"unverified\"}").await;
    assert!((LARGEST..=16 * MIB).contains(&peak), "{peak}");
    let signed = quota(MIB).sign(house.clock.now());
    assert!(house.send(from(signed, "192.0.2.9:1")).await.response()["UrlPush"].is_array());
}

#[tokio::test]
async fn forms_without_a_key_take_no_more_than_half() {
    let house = house(24 * MIB, FOREVER).await;
    let gate = watch::Sender::new(false);
    let form = || format!("Action={}", "x".repeat(MIB - 7)).into_bytes();
    let request = |number: usize| {
        let path = ["/", "/v2/index.php"][number % 2];
        let request = Request::post(path).header("host", HOST).header("content-type", FORM);
        gated(request.body(Body::empty()).unwrap(), form(), &gate)
    };
    let calls = spawn(&house, (0..60).map(request).collect());
    // each takes thrice its content
    becomes(&house, "waiting{caller=\"unverified\"}", 56).await;
    assert_eq!(held(&house).await, 12 * MIB);
    assert!(house.call(&quota(MIB)).await.response()["UrlPush"].is_array());
    assert!(house.old(&Old::v2(&[("Action", "GetFlushQuota")])).await.json()["code"] == 0);
    gate.send_replace(true);
    for answer in calls.join_all().await {
        let json = answer.json();
        assert!(json["code"] == 4000 || json["Response"]["Error"]["Code"] == "MissingParameter");
    }
    assert_eq!(held(&house).await, 0);
    // the one of the right caller came on top of theirs
    let peak = metric(&house, "peak_bytes{caller=\"unverified\"}").await;
    assert!((12 * MIB..=13 * MIB).contains(&peak), "{peak}");
}

#[tokio::test]
async fn one_address_takes_no_more_than_a_quarter() {
    let house = house(48 * MIB, FOREVER).await;
    let gate = watch::Sender::new(false);
    let call = quota(3 * MIB);
    let request = |_| from(gated(forged(&house, &call), padded(3 * MIB), &gate), "192.0.2.1:1");
    let calls = spawn(&house, (0..10).map(request).collect());
    becomes(&house, "waiting{caller=\"unverified\"}", 6).await;
    assert_eq!(held(&house).await, 12 * MIB);
    let signed = quota(9 * MIB).sign(house.clock.now());
    assert!(house.send(from(signed, "192.0.2.2:1")).await.response()["UrlPush"].is_array());
    gate.send_replace(true);
    assert_eq!(calls.join_all().await.len(), 10);
    assert_eq!(held(&house).await, 0);
}

#[tokio::test]
async fn whoever_hangs_up_early_gives_back_what_was_reserved() {
    let house = house(LARGEST, FOREVER).await;
    let gate = watch::Sender::new(false);
    for is_chunked in [false, true] {
        let mut body = gated(quota(MIB).sign(house.clock.now()), padded(MIB), &gate).into_body();
        if is_chunked {
            let begun = Gated {
                gate: Box::pin(async {}),
                content: Some(padded(9 * 1024).into()),
                is_chunked,
            };
            body = Body::new(Chained { first: begun, then: body });
        }
        let request = quota(MIB).sign(house.clock.now()).map(|_| body);
        let calls = spawn(&house, vec![request]);
        // what is not announced is paid for as the most that it may become
        let expected = if is_chunked { LARGEST } else { MIB };
        becomes(&house, "held_bytes{caller=\"unverified\"}", expected).await;
        drop(calls);
        becomes(&house, "held_bytes{caller=\"unverified\"}", 0).await;
    }
    assert!(house.call(&quota(LARGEST)).await.response()["UrlPush"].is_array());
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
    let house = house(LARGEST, Duration::ZERO).await;
    let gate = watch::Sender::new(false);
    let large = gated(forged(&house, &quota(LARGEST)), padded(LARGEST), &gate);
    let calls = spawn(&house, vec![large]);
    becomes(&house, "held_bytes{caller=\"unverified\"}", LARGEST).await;

    let bytes = 9 * 1024;
    let teo =
        Call::action("DescribePrefetchTasks", padded(bytes)).with("x-tc-version", "2022-09-01");
    let old = |call: Old| call.with("urls.0", &"x".repeat(bytes));
    let v1 = old(Old::new(&[("Action", "DescribePushQuota"), ("Version", "2018-06-06")]));
    for (answer, words) in [
        (house.call(&quota(bytes)).await, "try again in a moment"),
        (house.call(&teo).await, "try again in a moment"),
        // whose parameter `Language` was not read
        (house.old(&v1.with("Language", "en-US")).await, "请稍后重试"),
    ] {
        assert_eq!(answer.code(), "RequestLimitExceeded");
        assert_eq!(answer.fields["retry-after"], "1");
        let message = answer.response()["Error"]["Message"].to_string();
        assert!(message.contains(words), "{message}");
    }
    let v2 = house.old(&old(Old::v2(&[("Action", "GetFlushQuota")]))).await;
    assert_eq!((v2.status.as_u16(), &v2.fields["retry-after"]), (200, &"1".parse().unwrap()));
    assert_eq!(v2.json()["code"], 4400);
    assert_eq!(v2.json()["codeDesc"], "RequestLimitExceeded");
    assert_eq!(metric(&house, "refused_total{caller=\"unverified\",reason=\"share\"}").await, 2);
    assert_eq!(metric(&house, "refused_total{caller=\"unverified\",reason=\"budget\"}").await, 2);
    // what needs no room has it
    assert!(house.call(&quota(8 * 1024)).await.response()["UrlPush"].is_array());
    gate.send_replace(true);
    assert_eq!(calls.join_all().await.len(), 1);
    assert!(house.call(&quota(bytes)).await.response()["UrlPush"].is_array());
}

#[tokio::test]
async fn a_head_that_names_the_hash_is_verified_before_its_content() {
    let house = house(LARGEST, Duration::ZERO).await;
    let call = quota(LARGEST);
    let declared = call.clone().with("x-tc-content-sha256", &hash(&call.content));
    let forged = forged(&house, &declared);
    assert_eq!(house.send(forged).await.code(), "AuthFailure.SignatureFailure");
    assert!(house.call(&declared).await.response()["UrlPush"].is_array());
    let unsigned = call.clone().with("x-tc-content-sha256", "UNSIGNED-PAYLOAD");
    assert_eq!(house.call(&unsigned).await.code(), "AuthFailure.SignatureFailure");
    assert_eq!(metric(&house, "peak_bytes{caller=\"unverified\"}").await, 0);
    // other content than was signed, of the same length
    let mut other = declared.sign(house.clock.now());
    *other.body_mut() = Body::from(vec![b' '; LARGEST]);
    assert_eq!(house.send(other).await.code(), "AuthFailure.SignatureFailure");
    // what is no hash says nothing, as ever
    for word in ["", "STREAMING", &hash(b"").to_uppercase()] {
        let call = quota(2).with("x-tc-content-sha256", word);
        assert!(house.call(&call).await.response()["UrlPush"].is_array(), "{word}");
    }
}

#[tokio::test]
async fn wrong_signatures_cost_their_address_the_large_limit_and_nobody_else() {
    let house = house(LARGEST, FOREVER).await;
    let send = async |call: &Call, is_right: bool, address: &str| {
        let right = call.sign(house.clock.now());
        let request = if is_right { right } else { forged(&house, call) };
        house.send(from(request, address)).await
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
    assert_eq!(metric(&house, name).await, 2);
    // it passes, or ends with a right signature
    house.clock.advance(Duration::from_secs(60));
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
    let house = house(LARGEST, Duration::ZERO).await;
    let gate = watch::Sender::new(false);
    let largest = 64 * MIB;
    let mut content = br#"{"urls":["http://www.test.com/a"]}"#.to_vec();
    content.resize(largest, b' ');
    let submit = |content: &[u8]| Call {
        content: content.to_vec(),
        ..Call::admin(Method::POST, "tasks", "")
    };
    let signed = submit(&content).sign(house.clock.now());
    let calls = spawn(&house, vec![gated(signed, content, &gate)]);
    becomes(&house, "held_bytes{caller=\"verified\"}", 2 * largest).await;
    let small = br#"{"urls":["http://www.test.com/b"]}"#;
    assert_eq!(house.call(&submit(small)).await.status, 202);
    let mut much = small.to_vec();
    much.resize(64 * 1024 + 1, b' ');
    let answer = house.call(&submit(&much)).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (503, "busy"));
    assert_eq!(answer.fields["retry-after"], "1");
    gate.send_replace(true);
    for answer in calls.join_all().await {
        assert_eq!(answer.status, 202);
    }
    becomes(&house, "held_bytes{caller=\"verified\"}", 0).await;
    assert_eq!(house.call(&submit(&much)).await.status, 202);
}

#[tokio::test]
async fn what_would_become_large_by_being_read_is_refused() {
    let house = House::new().await;
    let many = |count: usize, one: &str| vec![one; count].join(",");
    let call = Call::action("DescribePushQuota", format!("[{}]", many(250_000, "0")));
    let answer = house.call(&call).await;
    assert_eq!(answer.code(), "InvalidParameter");
    assert!(answer.response()["Error"]["Message"].to_string().contains("too many parameters"));

    let pairs: String = (0..10_001).map(|number| format!("p{number}&")).collect();
    for (target, is_v2) in [("/", false), ("/v2/index.php", true)] {
        let request = Request::post(target).header("host", HOST).header("content-type", FORM);
        let answer = house.send(request.body(Body::from(pairs.clone())).unwrap()).await;
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
        let answer = house.call(&submit(path, name, count)).await;
        assert_eq!(answer.problem(), word, "{path} {count}");
        let said = answer.json()["detail"].to_string();
        assert!(said.contains(detail), "{said}");
    }
}
