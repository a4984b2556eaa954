//! What stands behind a measurement: a ledger on disk, an engine with nodes and domains, the router,
//! and a client that signs.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt;
use stoker_domain::{
    account::{AccessKey, Account},
    area::{Area, AreaScope, Tier},
    domain::{CacheRules, Shield},
    placement::Node,
    quota::Limits,
    time::{Clock, Timestamp},
};
use stoker_engine::{Engine, NewDomain};
use stoker_gateway::{CallLimits, Config, Gateway, Outgoing, router};
use stoker_ledger::Sqlite;
use tower_service::Service;

const HOST: &str = "127.0.0.1:7700";
const SECRET_ID: &str = "AKIDBENCHBENCHBENCHBENCHBENCHBENCH01";
const SECRET: &str = "SKBENCHBENCHBENCHBENCHBENCH0001";
/// Domains of the account.
pub(crate) const HOSTS: u64 = 10;
/// Two nodes that share what is asked for.
pub(crate) const NODES: [&str; 2] = ["middle-1", "middle-2"];
/// When the clocks begin to run, in seconds.
pub(crate) const START: i64 = 1_750_000_000;

/// Time that passes, without asking the system for it.
#[derive(Clone, Copy, Debug)]
struct Running(Instant);

impl Clock for Running {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(START) + self.0.elapsed()
    }
}

/// A gateway and what is behind it.
pub(crate) struct App {
    pub(crate) ledger: Arc<Sqlite>,
    pub(crate) account: Account,
    pub(crate) router: Router,
    clock: Running,
}

impl App {
    pub(crate) async fn open(path: &Path) -> Self {
        let ledger = Arc::new(Sqlite::open(path).expect("DIR can be written"));
        let clock = Running(Instant::now());
        let shared: Arc<dyn Clock> = Arc::new(clock);
        let engine =
            Engine::open(Arc::clone(&ledger) as _, Arc::clone(&shared), 7, Default::default());
        let engine = engine.await.expect("a new ledger");
        let account = furnish(&engine).await;
        let config = Config { calls: CallLimits::OFF, ..Config::default() };
        let router = router(Gateway::new(engine, shared, 7, config));
        Self { ledger, account, router, clock }
    }

    /// A signed call of an action of `cdn`.
    pub(crate) fn request(&self, action: &str, content: Vec<u8>) -> Request<Body> {
        request(action, content, self.clock.now())
    }
}

/// Calls and reads the answer.
pub(crate) async fn call(router: &mut Router, request: Request<Body>) -> Bytes {
    let reply = router.call(request).await.expect("the router answers everything");
    reply.into_body().collect().await.expect("the answer is in memory").to_bytes()
}

/// The host of a number.
pub(crate) fn host(number: u64) -> String {
    format!("media-{}.example.com", number % HOSTS)
}

/// The URL with number `n` of the call with number `call`.
pub(crate) fn url(call: u64, n: u64) -> String {
    format!("https://{}/video/{call:08}/segment-{n:05}.ts", host(call))
}

/// What took how long at the 99th percentile; sorts.
pub(crate) fn p99(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}

/// An account, ten domains, and two nodes that share what is asked for.
async fn furnish(engine: &Engine) -> Account {
    let limits = Limits { batch: 500, daily: 1 << 40 };
    let account = engine.create_account("100000000001".into(), 1, limits).await.expect("account");
    let key = AccessKey {
        secret_id: SECRET_ID.into(),
        secret_key: SECRET.into(),
        account: account.id,
        user: None,
        is_enabled: true,
        created_at: account.created_at,
        last_used_at: None,
        temporary: None,
    };
    engine.put_key(key).await.expect("key");
    for number in 0..HOSTS {
        let domain = NewDomain {
            host: host(number),
            origin: "http://origin.example.com".parse().expect("an origin"),
            areas: AreaScope::Mainland,
            shield: Shield::default(),
            cache: CacheRules::default(),
            is_vouched_for: false,
        };
        engine.add_domain(account.id, domain).await.expect("domain");
    }
    for name in NODES {
        let node = Node {
            name: name.into(),
            cluster: "middle".into(),
            address: "127.0.0.1:1".into(),
            area: Area::Mainland,
            tier: Tier::Middle,
        };
        engine.register(node, 1).await.expect("node");
    }
    account
}

fn request(action: &str, content: Vec<u8>, now: Timestamp) -> Request<Body> {
    let outgoing = Outgoing {
        method: &Method::POST,
        path: "/",
        query: "",
        host: HOST,
        content: &content,
        time: now,
    };
    Request::post("/")
        .header("host", HOST)
        .header("content-type", "application/json")
        .header("authorization", outgoing.authorize(SECRET_ID, SECRET, "application/json", "cdn"))
        .header("x-tc-timestamp", now.as_seconds().to_string())
        .header("x-tc-action", action)
        .header("x-tc-version", "2018-06-06")
        .body(Body::from(content))
        .expect("a request")
}
