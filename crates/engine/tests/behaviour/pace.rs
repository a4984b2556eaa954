//! What nodes may read of an origin: never more than the lowest limit together, also after a restart.

use std::sync::Arc;

use stoker_domain::{
    account::Account,
    area::{Area, AreaScope, Tier},
    pace::{Demand, bytes_per_second},
    quota::Limits,
    task::FetchOptions,
};
use stoker_engine::{Config, Engine, Submission};
use stoker_ledger::Sqlite;
use stoker_testkit::FakeClock;

use crate::stage::{HOST, MIDDLE, domain, node, submission};

const OTHER: &str = "middle-overseas";

fn limited(url: &str, megabits: u32) -> Submission {
    let options = FetchOptions { limit_mbps: Some(megabits), ..FetchOptions::default() };
    Submission { options, ..submission(&[url]) }
}

async fn open(ledger: &Arc<Sqlite>) -> Arc<Engine> {
    let clock = Arc::new(FakeClock::default());
    let ledger = Arc::clone(ledger);
    let engine = Engine::open(ledger, clock, 1, Config::default()).await.unwrap();
    for area in Area::ALL {
        for tier in [Tier::Edge, Tier::Middle] {
            engine.register(node(area, tier), 1).await.unwrap();
        }
    }
    engine
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

#[tokio::test]
async fn two_nodes_share_the_lowest_limit_and_what_one_leaves_goes_to_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(Sqlite::open(dir.path().join("ledger.sqlite")).unwrap());
    let engine = open(&ledger).await;
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
    assert_eq!(ask(&engine, MIDDLE, u64::MAX), Some(limit), "it holds across a restart");
}
