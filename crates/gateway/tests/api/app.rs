//! A gateway with everything behind it, and a client that signs.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use stoker_domain::{
    account::{AccessKey, Account},
    area::{Area, AreaScope, Tier},
    domain::{CacheRules, Domain, Shield},
    job::{ItemReport, Report},
    outcome::Outcome,
    placement::Node,
    quota::Limits,
    setting::Status,
    time::{Clock, Timestamp},
};
use stoker_engine::{Engine, Evidence, NewDomain};
use stoker_gateway::{CallLimits, Config, ContentBounds, Gateway, Language, Outgoing, router};
use stoker_ledger::{Ledger, Sqlite};
use stoker_testkit::FakeClock;
use tower_service::Service;

pub(crate) const JSON: &str = "application/json";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// What the host of a call is unless a test says otherwise.
pub(crate) const HOST: &str = "127.0.0.1:7700";
/// Secret of every key.
pub(crate) const SECRET: &str = "SKTESTTESTTESTTESTTESTTEST0001";
/// Key of the account with the vendor's default limits.
pub(crate) const OWNER: &str = "AKIDTESTTESTTESTTESTTESTTESTTEST0001";
/// Key of an account with two URLs a call and three a day.
pub(crate) const SMALL: &str = "AKIDTESTTESTTESTTESTTESTTESTSMALL001";
/// A key that was switched off.
pub(crate) const DISABLED: &str = "AKIDTESTTESTTESTTESTTESTTESTTEST0OFF";

pub(crate) struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) ledger: Arc<Sqlite>,
    pub(crate) clock: FakeClock,
    pub(crate) router: Router,
    pub(crate) gateway: Gateway,
    /// Removed with the app.
    _dir: tempfile::TempDir,
}

/// One call, to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) key: &'static str,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) content_type: String,
    pub(crate) service: &'static str,
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) content: Vec<u8>,
}

impl Call {
    /// A POST of JSON to an action of `cdn`, answered in English.
    pub(crate) fn action(action: &str, content: impl Into<Vec<u8>>) -> Self {
        Self {
            key: OWNER,
            method: Method::POST,
            path: "/".into(),
            query: String::new(),
            content_type: JSON.into(),
            service: "cdn",
            fields: vec![
                ("x-tc-action", action.into()),
                ("x-tc-version", "2018-06-06".into()),
                ("x-tc-language", "en-US".into()),
            ],
            content: content.into(),
        }
    }

    /// A GET of an action of `cdn`, answered in English.
    pub(crate) fn get(action: &str, query: &str) -> Self {
        Self {
            method: Method::GET,
            query: query.into(),
            content_type: FORM.into(),
            ..Self::action(action, "")
        }
    }

    /// A call of the admin API.
    pub(crate) fn admin(method: Method, target: &str, content: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            path: format!("/admin/v1/{path}"),
            query: query.into(),
            service: "admin",
            fields: Vec::new(),
            ..Self::action("", content)
        }
    }

    /// Adds a field, or replaces it.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.retain(|(known, _)| *known != name);
        self.fields.push((name, value.into()));
        self
    }

    /// Leaves a field out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| *known != name);
        self
    }

    pub(crate) fn key(mut self, key: &'static str) -> Self {
        self.key = key;
        self
    }

    /// The signed request.
    pub(crate) fn sign(&self, now: Timestamp) -> Request<Body> {
        self.sign_for(HOST, now)
    }

    /// The request to another host, signed.
    pub(crate) fn sign_for(&self, host: &str, now: Timestamp) -> Request<Body> {
        if self.path.starts_with("/admin/") && self.service == "admin" {
            return self.sign_once(host, now, nonce());
        }
        let outgoing = self.outgoing(host, now);
        let authorization = outgoing.authorize(self.key, SECRET, &self.content_type, self.service);
        self.request(
            host,
            [
                ("content-type", self.content_type.clone()),
                ("authorization", authorization),
                ("x-tc-timestamp", now.as_seconds().to_string()),
            ],
        )
    }

    /// The request as the admin API wants it, with this nonce.
    pub(crate) fn sign_once(&self, host: &str, now: Timestamp, nonce: [u8; 16]) -> Request<Body> {
        self.request(host, self.outgoing(host, now).sign_whole(self.key, SECRET, nonce))
    }

    fn outgoing<'a>(&'a self, host: &'a str, time: Timestamp) -> Outgoing<'a> {
        let Self { method, path, query, content, .. } = self;
        Outgoing { method, path, query, host, content, time }
    }

    fn request(
        &self,
        host: &str,
        signed: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Request<Body> {
        let target = match self.query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        };
        let mut request = Request::builder().method(&self.method).uri(target).header("host", host);
        let own = self.fields.iter().map(|(name, value)| (*name, value.clone()));
        for (name, value) in signed.into_iter().chain(own) {
            request = request.header(name, value);
        }
        request.body(Body::from(self.content.clone())).unwrap()
    }
}

/// One that no other call of this process has.
pub(crate) fn nonce() -> [u8; 16] {
    static LAST: AtomicU64 = AtomicU64::new(0);
    u128::from(LAST.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) content: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.content).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The fields of a reply of API 3.0, whose frame is checked.
    pub(crate) fn response(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK);
        assert_eq!(self.fields["content-type"], JSON);
        let mut json = self.json();
        let response = json["Response"].take();
        let id = response["RequestId"].as_str().unwrap();
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'), "{id} is not a UUID of version 4");
        response
    }

    /// The code of a refused call.
    pub(crate) fn code(&self) -> String {
        let response = self.response();
        response["Error"]["Code"].as_str().unwrap_or_else(|| panic!("{response}")).into()
    }

    /// The word of a problem document.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.fields["content-type"], "application/problem+json");
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        json["type"].as_str().unwrap().trim_start_matches("urn:stoker:problem:").into()
    }
}

impl App {
    /// With four nodes and five domains.
    pub(crate) async fn new() -> Self {
        let app = Self::without_nodes().await;
        for (area, tier) in [
            (Area::Mainland, Tier::Edge),
            (Area::Mainland, Tier::Middle),
            (Area::Overseas, Tier::Edge),
            (Area::Overseas, Tier::Middle),
        ] {
            let name = format!("{tier}-{area}");
            let node =
                Node { cluster: name.clone(), address: "127.0.0.1:1".into(), name, area, tier };
            app.engine.register(node, 1).await.unwrap();
        }
        app
    }

    pub(crate) async fn without_nodes() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Sqlite::open(dir.path().join("ledger.sqlite")).unwrap());
        let clock = FakeClock::default();
        let owner = seed(&*ledger, clock.now()).await;
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let engine = Engine::open(Arc::clone(&ledger) as _, Arc::clone(&shared), 7, waiving())
            .await
            .unwrap();
        for (host, areas) in [
            ("www.test.com", AreaScope::Global),
            ("cn.test.com", AreaScope::Mainland),
            ("sea.test.com", AreaScope::Overseas),
        ] {
            engine.add_domain(owner.id, domain(host, areas)).await.unwrap();
        }
        let limits = Limits { batch: 2, daily: 3 };
        let small = engine.create_account("100000000002".into(), 2, limits).await.unwrap();
        engine.put_key(key(SMALL, &small, true)).await.unwrap();
        engine.add_domain(small.id, domain("small.test.com", AreaScope::Global)).await.unwrap();
        let config = Config { calls: CallLimits::OFF, ..Config::default() };
        let gateway = Gateway::new(Arc::clone(&engine), shared, 7, config);
        let router = router(gateway.clone());
        Self { engine, ledger, clock, router, gateway, _dir: dir }
    }

    /// Damages the ledger: the table is no longer found.
    pub(crate) fn lose(&self, table: &str) {
        self.sql(&format!("ALTER TABLE {table} RENAME TO lost_{table}"));
    }

    /// Changes the ledger behind the engine's back.
    pub(crate) fn sql(&self, statement: &str) {
        let ledger = rusqlite::Connection::open(self._dir.path().join("ledger.sqlite")).unwrap();
        ledger.execute_batch(statement).unwrap();
    }

    /// All rows of the ledger by table, but for the calls that were taken.
    pub(crate) fn rows(&self) -> BTreeMap<String, BTreeSet<String>> {
        let ledger = rusqlite::Connection::open(self._dir.path().join("ledger.sqlite")).unwrap();
        let names =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'taken%'";
        let mut names = ledger.prepare(names).unwrap();
        let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let rows = |name: String| {
            let mut all = ledger.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = all.column_count();
            let row = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
                let values =
                    (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column));
                Ok(format!("{:?}", values.collect::<Result<Vec<_>, _>>()?))
            };
            let rows = all.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap();
            (name, rows)
        };
        names.map(|name| rows(name.unwrap())).collect()
    }

    /// Another process over the same ledger; its nodes have not registered yet.
    pub(crate) async fn restart(&mut self) {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let ledger = Arc::clone(&self.ledger);
        self.engine = Engine::open(ledger as _, Arc::clone(&clock), 8, waiving()).await.unwrap();
        let config = Config { calls: CallLimits::OFF, ..Config::default() };
        self.gateway = Gateway::new(Arc::clone(&self.engine), clock, 8, config);
        self.router = router(self.gateway.clone());
    }

    /// Another process that asks for proofs of ownership, and looks for them here.
    pub(crate) async fn ask_for_proofs(&mut self, evidence: Arc<dyn Evidence>) {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let ledger = Arc::clone(&self.ledger);
        let config = Default::default();
        self.engine = Engine::open(ledger as _, Arc::clone(&clock), 8, config).await.unwrap();
        self.engine.set_evidence(evidence);
        let config = Config { calls: CallLimits::OFF, ..Config::default() };
        self.gateway = Gateway::new(Arc::clone(&self.engine), clock, 8, config);
        self.router = router(self.gateway.clone());
    }

    /// Another engine over the same ledger, with other bounds.
    pub(crate) async fn bound(&mut self, bounds: stoker_engine::Config) {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let engine = Engine::open(Arc::clone(&self.ledger) as _, Arc::clone(&clock), 8, bounds);
        self.engine = engine.await.unwrap();
        let config = Config { calls: CallLimits::OFF, ..Config::default() };
        self.gateway = Gateway::new(Arc::clone(&self.engine), clock, 8, config);
        self.router = router(self.gateway.clone());
    }

    /// Another gateway, which answers in `language` where a caller names none.
    pub(crate) fn speak(&mut self, language: Language) {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let config = Config { calls: CallLimits::OFF, language, ..Config::default() };
        self.gateway = Gateway::new(Arc::clone(&self.engine), clock, 9, config);
        self.router = router(self.gateway.clone());
    }

    /// Another gateway, with these bounds of content.
    pub(crate) fn bound_content(&mut self, content: ContentBounds) {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let config = Config { calls: CallLimits::OFF, content, ..Config::default() };
        self.gateway = Gateway::new(Arc::clone(&self.engine), clock, 9, config);
        self.router = router(self.gateway.clone());
    }

    /// The zone of the owner's domains.
    pub(crate) fn zone(&self) -> String {
        self.engine
            .domain(stoker_domain::account::AccountId(1), "www.test.com")
            .map_or_else(String::new, |domain| domain.zone.as_ref().unwrap().to_string())
    }

    /// Signs and sends.
    pub(crate) async fn call(&self, call: &Call) -> Answer {
        self.send(call.sign(self.clock.now())).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let content = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, fields: parts.headers, content }
    }

    /// Adds `tagged.test.com` with the tag `team&video`, by the call that is returned.
    pub(crate) async fn add_tagged_domain(&self) -> Value {
        let tagged = serde_json::json!({
            "Domain": "tagged.test.com", "ServiceType": "web",
            "Origin": { "OriginType": "ip", "Origins": ["192.0.2.1"] },
            "Tag": [{ "TagKey": "team", "TagValue": "video" }],
        });
        let added = self.call(&Call::action("AddCdnDomain", tagged.to_string())).await.response();
        assert!(added["Error"].is_null(), "{added}");
        tagged
    }

    /// Plays all nodes: every job that waits is reported as `outcomes` says of the end of its URL,
    /// `filled` where it says nothing, and left waiting where it says `waiting`.
    pub(crate) async fn settle(&self, outcomes: &HashMap<String, String>) {
        self.clock.advance(Duration::from_secs(2));
        for node in self.engine.nodes() {
            let name = &node.node.name;
            for job in self.engine.lease(name, 100, Duration::ZERO).await.unwrap() {
                let of = |url: &str| {
                    let named = outcomes.iter().find(|(end, _)| url.ends_with(end.as_str()));
                    named.map_or("filled", |(_, outcome)| outcome.as_str())
                };
                let items = job
                    .items
                    .iter()
                    .filter(|item| of(&item.url) != "waiting")
                    .map(|item| self.item(item.position, of(&item.url).parse().unwrap()))
                    .collect();
                let report = Report { job: job.id, token: job.token, items, is_last: false };
                assert!(self.engine.report(report).await.unwrap());
            }
        }
    }

    /// Plays all nodes: up to `most` purge orders are confirmed.
    pub(crate) async fn purge(&self, most: usize) {
        let mut left = most;
        while left > 0 {
            let before = left;
            for node in self.engine.nodes() {
                let name = &node.node.name;
                for order in self.engine.purge_orders(name, Duration::ZERO).await.unwrap() {
                    if left > 0 {
                        self.engine.purged(name, order.number).await.unwrap();
                        left -= 1;
                    }
                }
            }
            if left == before {
                return;
            }
        }
    }

    fn item(&self, position: u16, outcome: Outcome) -> ItemReport {
        let now = self.clock.now();
        let held = outcome.is_success();
        ItemReport {
            size_bytes: held.then_some(4096),
            pulled_bytes: if held { 4096 } else { 0 },
            validator: held.then(|| "\"v1\"".into()),
            verified_at: held.then_some(now),
            fresh_until: held.then(|| now + Duration::from_secs(3600)),
            detail: (!held).then(|| "the origin said no".into()),
            ..ItemReport::new(position, outcome)
        }
    }
}

/// Ownership of hosts is the subject of `ownership` alone.
fn waiving() -> stoker_engine::Config {
    stoker_engine::Config { waives_verification: true, ..Default::default() }
}

/// What no verb of the engine makes: a disabled key and a domain that is offline.
async fn seed(ledger: &dyn Ledger, now: Timestamp) -> Account {
    let mut owner = Account::new("100000000001", 1, now);
    owner.id = ledger.create_account(owner.clone()).await.unwrap();
    ledger.put_key(key(OWNER, &owner, true)).await.unwrap();
    ledger.put_key(key(DISABLED, &owner, false)).await.unwrap();
    let new = domain("off.test.com", AreaScope::Global);
    let new_domain = Domain::new(new.host, owner.id, new.origin, now);
    let offline = Domain { status: Status::Offline, ..new_domain };
    ledger.put_domain(&offline).await.unwrap();
    owner
}

fn key(secret_id: &str, account: &Account, is_enabled: bool) -> AccessKey {
    AccessKey {
        secret_id: secret_id.into(),
        secret_key: SECRET.into(),
        account: account.id,
        user: None,
        is_enabled,
        created_at: account.created_at,
        last_used_at: None,
        temporary: None,
    }
}

fn domain(host: &str, areas: AreaScope) -> NewDomain {
    NewDomain {
        host: host.into(),
        origin: "http://origin.test.com".parse().unwrap(),
        areas,
        shield: Shield::default(),
        cache: CacheRules::default(),
        is_vouched_for: false,
    }
}
