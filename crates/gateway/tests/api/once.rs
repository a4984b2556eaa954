//! A call of the admin API is taken once, as its caller signed it and no otherwise: what an attacker
//! who saw one may try, without success.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Method, Request, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stoker_domain::{
    account::AccountId,
    time::{Clock, Timestamp},
};
use stoker_gateway::{CallLimits, Config, Gateway, router};
use tokio::task::JoinSet;

use crate::app::{Answer, App, Call, HOST, OWNER, SECRET, SMALL, nonce};

/// A request that can be sent again.
#[derive(Clone, Debug)]
struct Captured {
    parts: http::request::Parts,
    content: Vec<u8>,
}

impl Captured {
    fn of(call: &Call, now: Timestamp) -> Self {
        let (parts, _) = call.sign(now).into_parts();
        Self { parts, content: call.content.clone() }
    }

    fn request(&self) -> Request<Body> {
        Request::from_parts(self.parts.clone(), Body::from(self.content.clone()))
    }

    fn to(mut self, target: &str) -> Self {
        self.parts.uri = target.parse().unwrap();
        self
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.parts.headers.insert(name, HeaderValue::try_from(value).unwrap());
        self
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn keys(app: &App, account: i64) -> usize {
    app.engine.keys(AccountId(account)).await.unwrap().len()
}

#[tokio::test]
async fn a_captured_call_cannot_be_sent_again_nor_to_another_account() {
    let mut app = App::new().await;
    let captured = Captured::of(&Call::admin(Method::POST, "keys", "{}"), app.clock.now());
    let (own, theirs) = (keys(&app, 1).await, keys(&app, 2).await);
    let elsewhere = captured.clone().to("/admin/v1/keys?account=100000000002");
    assert_eq!(app.send(elsewhere.request()).await.problem(), "bad-signature");
    assert_eq!(app.send(captured.request()).await.status, StatusCode::CREATED);
    for _ in 0..3 {
        let answer = app.send(captured.request()).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (401, "nonce-taken".into()));
        assert_eq!(app.send(elsewhere_of(&captured)).await.problem(), "bad-signature");
        app.restart().await;
    }
    app.clock.advance(Duration::from_secs(300));
    assert_eq!(app.send(captured.request()).await.problem(), "nonce-taken");
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(app.send(captured.request()).await.problem(), "expired");
    assert_eq!((keys(&app, 1).await, keys(&app, 2).await), (own + 1, theirs));
}

fn elsewhere_of(captured: &Captured) -> Request<Body> {
    captured.clone().to("/admin/v1/keys?account=100000000002").request()
}

#[tokio::test]
async fn a_call_that_reads_is_taken_once_too() {
    let mut app = App::new().await;
    let captured = Captured::of(&Call::admin(Method::GET, "keys", ""), app.clock.now());
    assert_eq!(app.send(captured.request()).await.status, StatusCode::OK);
    for _ in 0..2 {
        assert_eq!(app.send(captured.request()).await.problem(), "nonce-taken");
        app.restart().await;
    }
}

#[tokio::test]
async fn a_clock_that_is_set_ahead_and_back_makes_no_call_good_again() {
    let mut app = App::new().await;
    let start = app.clock.now();
    let captured = Captured::of(&Call::admin(Method::POST, "keys", "{}"), start);
    assert_eq!(app.send(captured.request()).await.status, StatusCode::CREATED);
    app.clock.advance(Duration::from_secs(86_400));
    // with each call some old ones may be forgotten
    for _ in 0..5 {
        assert_eq!(app.call(&Call::admin(Method::GET, "quota", "")).await.status, 200);
    }
    app.restart().await;
    assert_eq!(app.call(&Call::admin(Method::GET, "quota", "")).await.status, 200);
    app.clock.jump(start);
    assert_eq!(app.send(captured.request()).await.problem(), "nonce-taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_exactly_one_is_taken() {
    let app = Arc::new(App::new().await);
    let accounts = async || app.engine.accounts().await.unwrap().len();
    let before = accounts().await;
    // before the ledger decides, and without the memory in front of it: another process
    let clock: Arc<dyn Clock> = Arc::new(app.clock.clone());
    let config = Config { calls: CallLimits::OFF, ..Config::default() };
    let other = router(Gateway::new(Arc::clone(&app.engine), clock, 11, config));
    for _ in 0..4 {
        let captured = Captured::of(&Call::admin(Method::POST, "accounts", "{}"), app.clock.now());
        let mut calls = JoinSet::new();
        for number in 0..24 {
            let (app, mut other, request) = (Arc::clone(&app), other.clone(), captured.request());
            calls.spawn(async move {
                match number % 2 {
                    0 => app.send(request).await.status,
                    _ => tower_service::Service::call(&mut other, request).await.unwrap().status(),
                }
            });
        }
        let mut taken = 0;
        for status in calls.join_all().await {
            match status {
                StatusCode::CREATED => taken += 1,
                status => assert_eq!(status, StatusCode::UNAUTHORIZED),
            }
        }
        assert_eq!(taken, 1);
    }
    assert_eq!(accounts().await, before + 4);
}

#[tokio::test]
async fn no_part_of_a_call_can_be_changed() {
    let app = App::new().await;
    let now = app.clock.now();
    let new = json!({ "name": "ann" }).to_string();
    let good = || Captured::of(&Call::admin(Method::POST, "users?account=100000000002", &new), now);
    let mut other_method = good();
    other_method.parts.method = Method::PUT;
    let mut other_content = good();
    other_content.content = json!({ "name": "bob" }).to_string().into();
    let hash = |content: &[u8]| hex(&Sha256::digest(content));
    let other_hash = other_content.clone();
    let other_hash = other_hash.with("x-tc-content-sha256", &hash(br#"{"name":"bob"}"#));
    let mut get = Captured::of(&Call::admin(Method::GET, "users", ""), now);
    get.content = b"{}".to_vec();
    for (call, word) in [
        (good().to("/admin/v1/users"), "bad-signature"),
        (good().to("/admin/v1/users?account=100000000001"), "bad-signature"),
        (good().to("/admin/v1/users?account=100000000002&x"), "bad-signature"),
        (good().to("/admin/v1/users?account=10000000000%32"), "bad-signature"),
        (good().to("/admin/v1/groups?account=100000000002"), "bad-signature"),
        (good().to("/admin/v1/user%73?account=100000000002"), "no-such-page"),
        (good().with("host", "127.0.0.1"), "bad-signature"),
        (good().with("host", "other:7700"), "bad-signature"),
        (good().with("content-type", "application/JSON"), "bad-signature"),
        (good().with("stoker-nonce", &"0".repeat(32)), "bad-signature"),
        (good().with("x-tc-timestamp", &(now.as_seconds() + 1).to_string()), "bad-signature"),
        (other_hash, "bad-signature"),
        (other_content, "content-differs"),
        (get, "content-differs"),
        (good().with("x-tc-content-sha256", "UNSIGNED-PAYLOAD"), "unsigned-payload"),
        (good().with("x-tc-content-sha256", &"A".repeat(64)), "bad-content-hash"),
        (good().with("stoker-nonce", "1"), "bad-nonce"),
    ] {
        assert_eq!(app.send(call.request()).await.problem(), word, "{:?}", call.parts);
    }
    // no route, so that no caller is verified
    assert_eq!(app.send(other_method.request()).await.problem(), "wrong-method");
    for account in [1, 2] {
        assert!(app.engine.users(AccountId(account)).await.unwrap().is_empty());
    }
    assert_eq!(app.send(good().request()).await.status, StatusCode::CREATED);
}

/// Signs as the reference says, and by nothing of the program's own: whatever these say.
struct ByHand<'a> {
    method: &'a str,
    target: &'a str,
    content: &'a [u8],
    hash: String,
    service: &'a str,
    signed: Vec<(&'a str, String)>,
}

impl ByHand<'_> {
    fn send(&self, now: Timestamp) -> Request<Body> {
        let hmac = |key: &[u8], text: &str| -> Vec<u8> {
            let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.chain_update(text).finalize().into_bytes().to_vec()
        };
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let (method, hash) = (self.method, &self.hash);
        let lines: String = self.signed.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        let names: Vec<&str> = self.signed.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{hash}");
        let time = now.as_seconds();
        // the day of the clock of the app
        let scope = format!("2025-06-15/{}/tc3_request", self.service);
        let canonical = hex(&Sha256::digest(canonical));
        let text = format!("TC3-HMAC-SHA256\n{time}\n{scope}\n{canonical}");
        let key = hmac(format!("TC3{SECRET}").as_bytes(), "2025-06-15");
        let key = hmac(&hmac(&key, self.service), "tc3_request");
        let mut request = Request::builder().method(method).uri(self.target);
        for (name, value) in &self.signed {
            request = request.header(*name, value);
        }
        let authorization = format!(
            "TC3-HMAC-SHA256 Credential={OWNER}/{scope}, SignedHeaders={names}, Signature={}",
            hex(&hmac(&key, &text))
        );
        request
            .header("authorization", authorization)
            .header("x-tc-timestamp", time)
            .body(Body::from(self.content.to_vec()))
            .unwrap()
    }
}

#[tokio::test]
async fn only_a_signature_as_the_reference_describes_is_served() {
    let app = App::new().await;
    let now = app.clock.now();
    let call = |leave_out: &[&str], hash: &str, service: &'static str| {
        let nonce = hex(&nonce());
        let hash = match hash {
            "" => hex(&Sha256::digest(b"{}")),
            hash => hash.into(),
        };
        let signed = [
            ("content-type", "text/plain".into()),
            ("host", HOST.into()),
            ("stoker-nonce", nonce),
            ("x-tc-content-sha256", hash.clone()),
        ];
        let signed =
            signed.into_iter().filter(|(name, _)| !leave_out.contains(name)).collect::<Vec<_>>();
        let target = "/admin/v1/keys?account=100000000002";
        ByHand { method: "POST", target, content: b"{}", hash, service, signed }.send(now)
    };
    let before = keys(&app, 2).await;
    let unsigned = hex(&Sha256::digest(b"UNSIGNED-PAYLOAD"));
    for (request, word) in [
        (call(&[], "", "cdn"), "wrong-service"),
        (call(&["stoker-nonce"], "", "admin"), "no-nonce"),
        (call(&["x-tc-content-sha256"], "", "admin"), "no-content-hash"),
        (call(&["x-tc-content-sha256", "stoker-nonce"], "", "admin"), "no-nonce"),
        (call(&["host"], "", "admin"), "bad-authorization"),
        (call(&["content-type"], "", "admin"), "bad-authorization"),
        (call(&[], "UNSIGNED-PAYLOAD", "admin"), "unsigned-payload"),
        (call(&[], &unsigned, "admin"), "content-differs"),
    ] {
        let answer = app.send(request).await;
        assert_eq!(answer.problem(), word);
        assert!(answer.json()["hint"].is_string(), "{word} has no way out");
    }
    assert_eq!(keys(&app, 2).await, before);
    assert_eq!(app.send(call(&[], "", "admin")).await.status, StatusCode::CREATED);
    assert_eq!(keys(&app, 2).await, before + 1);
}

#[tokio::test]
async fn while_the_ledger_takes_no_writes_reads_are_answered_once_and_writes_not_at_all() {
    let app = App::new().await;
    app.lose("taken_call_minutes");
    let captured = Captured::of(&Call::admin(Method::GET, "domains", ""), app.clock.now());
    assert_eq!(app.send(captured.request()).await.status, StatusCode::OK);
    assert_eq!(app.send(captured.request()).await.problem(), "nonce-taken");
    let before = keys(&app, 1).await;
    let write = app.call(&Call::admin(Method::POST, "keys", "{}")).await;
    assert!(write.status.is_server_error(), "{write:?}");
    assert_eq!(keys(&app, 1).await, before);
}

#[tokio::test]
async fn an_account_that_calls_too_often_gets_the_time_to_retry() {
    let mut app = App::new().await;
    let clock: Arc<dyn Clock> = Arc::new(app.clock.clone());
    let config = Config { calls: CallLimits::OFF, admin_calls_per_second: 3, ..Config::default() };
    app.gateway = Gateway::new(Arc::clone(&app.engine), clock, 7, config);
    app.router = router(app.gateway.clone());
    let quota = Call::admin(Method::GET, "quota", "");
    let captured = Captured::of(&quota, app.clock.now());
    assert_eq!(app.send(captured.request()).await.status, StatusCode::OK);
    // repeating calls of others uses up nothing
    for _ in 0..20 {
        assert_eq!(app.send(captured.request()).await.problem(), "nonce-taken");
    }
    for _ in 0..2 {
        assert_eq!(app.call(&quota).await.status, StatusCode::OK);
    }
    let answer: Answer = app.call(&quota).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (429, "too-often".into()));
    assert_eq!(answer.fields["retry-after"], "1");
    let problem: Value = answer.json();
    assert!(problem["detail"].as_str().unwrap().contains("3 are allowed"), "{problem}");
    assert_eq!(app.call(&quota.clone().key(SMALL)).await.status, StatusCode::OK);
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(app.call(&quota).await.status, StatusCode::OK);
}
