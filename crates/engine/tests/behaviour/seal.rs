//! Secrets in the ledger: sealed, moved to another key, and not there for who reads the file.

use std::{fs, path::Path, sync::Arc};

use stoker_domain::{account::AccessKey, quota::Limits};
use stoker_engine::{Config, Engine, OpenError, SealKey, SealKeys};
use stoker_ledger::{Ledger, Sqlite};
use stoker_testkit::FakeClock;

const SECRET: &str = "a-secret-that-nobody-else-has";

fn seals(keys: &[u8]) -> SealKeys {
    SealKeys::new(keys.iter().map(|byte| SealKey::new([*byte; 32])))
}

async fn open(dir: &Path, keys: &[u8]) -> Result<Arc<Engine>, OpenError> {
    let ledger = Arc::new(Sqlite::open(dir.join("ledger.sqlite")).unwrap());
    let config = Config { seal: seals(keys), ..Config::default() };
    Engine::open(ledger, Arc::new(FakeClock::default()), 1, config).await
}

/// Whether some file in the directory holds these bytes.
fn is_in_a_file(dir: &Path, text: &str) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

async fn add_key(engine: &Engine) -> AccessKey {
    let limits = Limits { batch: 1, daily: 1 };
    let account = engine.create_account("100000000001".into(), 1, limits).await.unwrap();
    let made = engine.create_key(account.id, None).await.unwrap();
    let key = AccessKey { secret_key: SECRET.into(), ..made };
    engine.put_key(key.clone()).await.unwrap();
    key
}

async fn secret_of(engine: &Engine, key: &AccessKey) -> String {
    engine.caller(&key.secret_id).await.unwrap().unwrap().key.secret_key
}

#[tokio::test]
async fn no_secret_and_no_token_is_in_the_files_of_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path(), &[1]).await.unwrap();
    let key = add_key(&engine).await;
    let lifetime = std::time::Duration::from_secs(600);
    let issued = engine.issue_key(key.account, None, lifetime, None).await.unwrap();
    assert_eq!(secret_of(&engine, &issued.key).await, issued.key.secret_key);
    assert!(is_in_a_file(dir.path(), &key.secret_id), "or this test proves nothing");
    for secret in [SECRET, &issued.key.secret_key, &issued.token] {
        assert!(!is_in_a_file(dir.path(), secret), "{secret}");
    }
    drop(engine);
    for secret in [SECRET, &issued.key.secret_key, &issued.token] {
        assert!(!is_in_a_file(dir.path(), secret), "{secret}");
    }
}

#[tokio::test]
async fn plain_secrets_are_sealed_at_the_next_start_and_gone_from_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let plain = open(dir.path(), &[]).await.unwrap();
    let key = add_key(&plain).await;
    assert!(is_in_a_file(dir.path(), SECRET), "or this test proves nothing");
    drop(plain);
    let engine = open(dir.path(), &[1]).await.unwrap();
    assert_eq!(secret_of(&engine, &key).await, SECRET);
    assert!(!is_in_a_file(dir.path(), SECRET));
}

#[tokio::test]
async fn a_new_sealing_key_takes_over_and_the_old_one_may_go() {
    let dir = tempfile::tempdir().unwrap();
    let key = add_key(&open(dir.path(), &[1]).await.unwrap()).await;
    for keys in [&[1][..], &[2, 1], &[2], &[3, 2], &[3]] {
        let engine = open(dir.path(), keys).await.unwrap();
        assert_eq!(secret_of(&engine, &key).await, SECRET, "{keys:?}");
    }
    for keys in [&[1][..], &[2, 1], &[]] {
        let error = open(dir.path(), keys).await.unwrap_err();
        assert!(matches!(error, OpenError::Sealed { .. }), "{error}");
        assert!(error.to_string().contains(&key.secret_id), "{error}");
    }
    assert!(open(dir.path(), &[3]).await.is_ok(), "a refusal changes nothing");
}

#[tokio::test]
async fn a_sealed_secret_opens_in_no_other_row() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path(), &[1]).await.unwrap();
    let key = add_key(&engine).await;
    let other = engine.create_key(key.account, None).await.unwrap();
    drop(engine);
    let ledger = Sqlite::open(dir.path().join("ledger.sqlite")).unwrap();
    let sealed = ledger.key(&key.secret_id).await.unwrap().unwrap().secret_key;
    ledger.reseal_keys(vec![(other.secret_id.clone(), sealed)]).await.unwrap();
    drop(ledger);
    let error = open(dir.path(), &[1]).await.unwrap_err();
    assert!(error.to_string().contains(&other.secret_id), "{error}");
}
