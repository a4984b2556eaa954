//! What nodes may read of an origin: never more than the lowest limit together, also after a restart.
//!
//! Time is paused. Every engine here is past its first lease, in which it grants nothing, unless a
//! test says so.

mod law;

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    account::Account,
    area::{Area, AreaScope, Tier},
    pace::{Demand, LEASE, bytes_per_second},
    placement::Node,
    quota::Limits,
    task::FetchOptions,
};
use stoker_engine::{Config, Engine, Submission};
use stoker_ledger::Sqlite;
use stoker_testkit::FakeClock;
use tempfile::TempDir;
use tokio::time::{Instant, advance};

use crate::fixture::{HOST, MIDDLE, domain, node, submission};

const OTHER: &str = "middle-overseas";
/// How often nodes ask.
const ROUND: Duration = Duration::from_millis(200);

fn limited(url: &str, megabits: u32) -> Submission {
    let options = FetchOptions { limit_mbps: Some(megabits), ..FetchOptions::default() };
    Submission { options, ..submission(&[url]) }
}

async fn open(ledger: &Arc<Sqlite>) -> Arc<Engine> {
    open_with(ledger, false).await
}

async fn open_with(ledger: &Arc<Sqlite>, nodes_begin_anew: bool) -> Arc<Engine> {
    let clock = Arc::new(FakeClock::default());
    let ledger = Arc::clone(ledger);
    let config = Config { nodes: nodes(), nodes_begin_anew, ..Config::default() };
    Engine::open(ledger, clock, 1, config).await.unwrap()
}

/// A middle node and an edge node in each area.
fn nodes() -> Vec<Node> {
    let of = |area| [Tier::Edge, Tier::Middle].map(|tier| node(area, tier));
    Area::ALL.into_iter().flat_map(of).collect()
}

async fn register_all(engine: &Engine) {
    for node in nodes() {
        engine.register(node, 1).await.unwrap();
    }
}

async fn account(engine: &Engine) -> Account {
    let limits = Limits { batch: 500, daily: 10 };
    let account = engine.create_account("100000000001".into(), 1, limits).await.unwrap();
    engine.add_domain(account.id, domain(HOST, AreaScope::Global)).await.unwrap();
    account
}

fn ask(engine: &Engine, node: &str, wanted: u64) -> Option<u64> {
    let grants = engine.pace(node, &[Demand { host: HOST.into(), wanted, used: 0 }]);
    grants.first().and_then(|grant| grant.bytes_per_second)
}

struct PacedEngine {
    engine: Arc<Engine>,
    ledger: Arc<Sqlite>,
    _dir: TempDir,
}

impl PacedEngine {
    /// All nodes have registered, and a task has a limit.
    async fn new(megabits: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Sqlite::open(dir.path().join("ledger.sqlite")).unwrap());
        let engine = open(&ledger).await;
        register_all(&engine).await;
        let account = account(&engine).await;
        engine.submit(&account, limited("http://www.example.com/a", megabits)).await.unwrap();
        advance(LEASE).await;
        Self { engine, ledger, _dir: dir }
    }

    fn ask(&self, node: &str, wanted: u64) -> Option<u64> {
        ask(&self.engine, node, wanted)
    }

    /// What is granted to `node`, which asks five times a second, at the end of `time`.
    async fn ask_for(&self, node: &str, wanted: u64, time: Duration) -> Option<u64> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            advance(ROUND).await;
            self.ask(node, wanted);
        }
        self.ask(node, wanted)
    }
}

#[tokio::test(start_paused = true)]
async fn two_nodes_share_the_lowest_limit_and_what_one_leaves_goes_to_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(Sqlite::open(dir.path().join("ledger.sqlite")).unwrap());
    let engine = open(&ledger).await;
    register_all(&engine).await;
    advance(LEASE).await;
    let account = account(&engine).await;
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), None, "nothing limits it");
    for (url, megabits) in [("http://www.example.com/a", 80), ("http://www.example.com/b", 40)] {
        engine.submit(&account, limited(url, megabits)).await.unwrap();
    }
    let limit = bytes_per_second(40);
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), Some(limit));
    assert_eq!(ask(&engine, OTHER, u64::MAX), Some(0), "all of it is out");
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), Some(limit / 2));
    assert_eq!(ask(&engine, OTHER, u64::MAX), Some(limit / 2));
    assert_eq!(ask(&engine, OTHER, 0), None);
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), Some(limit));
    drop(engine);

    let engine = open(&ledger).await;
    register_all(&engine).await;
    advance(LEASE).await;
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), Some(limit), "it holds across a restart");
}

#[tokio::test(start_paused = true)]
async fn what_a_node_has_no_use_for_is_granted_to_the_other_within_a_second() {
    let paced = PacedEngine::new(40).await;
    let limit = bytes_per_second(40);
    paced.ask(MIDDLE, u64::MAX);
    paced.ask_for(OTHER, u64::MAX, ROUND).await;
    paced.ask(MIDDLE, u64::MAX);
    assert_eq!(paced.ask(OTHER, u64::MAX), Some(limit / 2));
    assert_eq!(paced.ask(MIDDLE, 1000), Some(1000));
    let later = paced.ask_for(OTHER, u64::MAX, ROUND).await;
    assert_eq!(later, Some(limit - 1000), "a round later, long before the grant ends");
}

#[tokio::test(start_paused = true)]
async fn what_a_silent_node_holds_is_granted_to_others_when_its_grant_is_over_but_for_its_share() {
    let paced = PacedEngine::new(40).await;
    let limit = bytes_per_second(40);
    assert_eq!(paced.ask(MIDDLE, u64::MAX), Some(limit));
    let silent_since = Instant::now();
    while Instant::now() + ROUND < silent_since + LEASE {
        assert_eq!(paced.ask(OTHER, u64::MAX), Some(0), "after {:?}", silent_since.elapsed());
        advance(ROUND).await;
    }
    advance(silent_since + LEASE - Duration::from_millis(1) - Instant::now()).await;
    assert_eq!(paced.ask(OTHER, u64::MAX), Some(0), "it counts to the end");
    advance(Duration::from_millis(1)).await;
    assert_eq!(paced.ask(OTHER, u64::MAX), Some(limit / 2), "the other may read at its share");
    let long = paced.ask_for(OTHER, u64::MAX, Duration::from_secs(29)).await;
    assert_eq!(long, Some(limit / 2));
    let longer = paced.ask_for(OTHER, u64::MAX, Duration::from_secs(2)).await;
    assert_eq!(longer, Some(limit), "it is taken to be dead");
}

#[tokio::test(start_paused = true)]
async fn what_a_node_held_before_it_started_anew_is_granted_at_once() {
    let paced = PacedEngine::new(40).await;
    let limit = bytes_per_second(40);
    assert_eq!(paced.ask(MIDDLE, u64::MAX), Some(limit));
    paced.engine.register(node(Area::Mainland, Tier::Middle), 1).await.unwrap();
    assert_eq!(paced.ask(OTHER, u64::MAX), Some(0), "the same said twice");
    paced.engine.register(node(Area::Mainland, Tier::Middle), 2).await.unwrap();
    assert_eq!(paced.ask(OTHER, u64::MAX), Some(limit));
}

#[tokio::test(start_paused = true)]
async fn an_engine_grants_nothing_while_grants_of_one_before_it_may_count() {
    let PacedEngine { engine, ledger, _dir } = PacedEngine::new(40).await;
    let limit = bytes_per_second(40);
    assert_eq!(ask(&engine, OTHER, u64::MAX), Some(limit));
    drop(engine);
    let engine = open(&ledger).await;
    register_all(&engine).await;
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), None);
    advance(LEASE - Duration::from_millis(1)).await;
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), None, "the other may be reading at the limit");
    assert_eq!(ask(&engine, OTHER, u64::MAX), None);
    advance(Duration::from_millis(1)).await;
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), Some(limit / 2));
    assert_eq!(ask(&engine, OTHER, u64::MAX), Some(limit / 2));
}

#[tokio::test(start_paused = true)]
async fn an_engine_whose_nodes_begin_anew_grants_all_of_it_at_once() {
    let PacedEngine { engine, ledger, _dir } = PacedEngine::new(40).await;
    let limit = bytes_per_second(40);
    assert_eq!(ask(&engine, OTHER, u64::MAX), Some(limit));
    drop(engine);
    let engine = open_with(&ledger, true).await;
    // the first that registers need not wait for the others
    engine.register(node(Area::Mainland, Tier::Middle), 1).await.unwrap();
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), Some(limit));
    engine.register(node(Area::Overseas, Tier::Middle), 1).await.unwrap();
    assert_eq!(ask(&engine, OTHER, u64::MAX), Some(0), "all of it is out");
}

#[tokio::test(start_paused = true)]
async fn an_engine_leaves_their_share_to_nodes_that_it_has_not_heard_of() {
    let PacedEngine { engine, ledger, _dir } = PacedEngine::new(40).await;
    let limit = bytes_per_second(40);
    drop(engine);
    let engine = open(&ledger).await;
    advance(LEASE).await;
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), Some(limit / 2), "the other may read at its share");
    engine.register(node(Area::Mainland, Tier::Middle), 1).await.unwrap();
    assert_eq!(ask(&engine, OTHER, u64::MAX), Some(limit / 2), "who it is changes nothing");
    assert_eq!(ask(&engine, OTHER, 0), None);
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), Some(limit / 2), "it has not registered still");
    engine.register(node(Area::Overseas, Tier::Middle), 1).await.unwrap();
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), Some(limit));
}
