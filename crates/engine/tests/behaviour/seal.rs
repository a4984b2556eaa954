//! Secrets in the ledger: sealed, moved to another key, and not there for who reads the file.

use std::{fs, path::Path, sync::Arc};

use stoker_domain::{account::AccessKey, outcome::Outcome, quota::Limits};
use stoker_engine::{Config, Engine, OpenError, SealKey, SealKeys, Submission};
use stoker_ledger::{Keys, Sqlite};
use stoker_testkit::FakeClock;

use crate::fixture::{Fixture, item, submission};

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
    engine.caller(&key.secret_id).await.unwrap().unwrap().key.secret_key.clone()
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

const FIELD: &str = "a-field-value-that-nobody-else-has";
const AGENT: &str = "an-agent-that-nobody-else-has";

fn secret_submission() -> Submission {
    let mut submission = submission(&["http://www.example.com/a"]);
    submission.options.headers = vec![("X-Token".into(), FIELD.into())];
    submission.options.user_agent = Some(AGENT.into());
    submission
}

fn with(keys: &[u8]) -> Config {
    Config { seal: seals(keys), ..Config::default() }
}

#[tokio::test]
async fn request_fields_are_sealed_while_their_task_runs_and_gone_when_it_is_finished() {
    let fixture = Fixture::with(with(&[1])).await;
    let secrets = [FIELD, AGENT];
    let receipt = fixture.engine.submit(&fixture.account, secret_submission()).await.unwrap();
    assert!(is_in_a_file(fixture.dir(), &receipt.task.0), "or this test proves nothing");
    let fields =
        async |fixture: &Fixture| fixture.ledger.task_fields_after(i64::MIN, 9).await.unwrap();
    let sealed = fields(&fixture).await.remove(0).1.options;
    assert!(SealKeys::is_sealed(&sealed.headers[0].1), "{sealed:?}");
    assert!(SealKeys::is_sealed(sealed.user_agent.as_deref().unwrap()), "{sealed:?}");

    let mut fixture = fixture;
    for keys in [&[1][..], &[2, 1], &[2]] {
        let options = &fixture.lease().await[0].options;
        assert_eq!(options.headers, [("X-Token".to_owned(), FIELD.to_owned())]);
        assert_eq!(options.user_agent.as_deref(), Some(AGENT));
        assert!(!secrets.iter().any(|secret| is_in_a_file(fixture.dir(), secret)), "{keys:?}");
        // as after a kill; the sealing key is changed meanwhile
        fixture = fixture.reopen(with(keys)).await;
    }
    assert!(fixture.task(&receipt.task).await.row.task.options.headers.is_empty());
    let job = fixture.lease().await.remove(0);
    assert_eq!(job.options.user_agent.as_deref(), Some(AGENT));
    fixture.report(&job, vec![item(0, Outcome::Filled)]).await;
    assert!(fixture.task(&receipt.task).await.row.finished_at.is_some());
    assert_eq!(fields(&fixture).await, []);
    // what was sealed is gone too, at the next start at the latest
    let fixture = fixture.reopen(with(&[2])).await;
    for (_, value) in &sealed.headers {
        assert!(!is_in_a_file(fixture.dir(), value));
    }
}

#[tokio::test]
async fn request_fields_that_are_in_clear_are_sealed_at_the_next_start() {
    let fixture = Fixture::with(with(&[])).await;
    fixture.engine.submit(&fixture.account, secret_submission()).await.unwrap();
    assert!(is_in_a_file(fixture.dir(), FIELD), "or this test proves nothing");
    let fixture = fixture.reopen(with(&[1])).await;
    assert_eq!(fixture.lease().await[0].options.headers[0].1, FIELD);
    assert!(![FIELD, AGENT].iter().any(|secret| is_in_a_file(fixture.dir(), secret)));
}

#[tokio::test]
async fn a_sealed_field_opens_in_no_other_task() {
    let fixture = Fixture::with(with(&[1])).await;
    fixture.engine.submit(&fixture.account, secret_submission()).await.unwrap();
    fixture.engine.submit(&fixture.account, secret_submission()).await.unwrap();
    let tasks = fixture.ledger.task_fields_after(i64::MIN, 9).await.unwrap();
    let (one, other) = (&tasks[0], &tasks[1]);
    fixture.ledger.reseal_tasks(vec![(other.0, one.1.options.clone())]).await.unwrap();
    let jobs = fixture.lease().await;
    assert_eq!(jobs.len(), 1, "the other waits: {jobs:?}");
    assert_eq!(jobs[0].task, one.1.id);
    let error =
        Engine::open(Arc::clone(&fixture.ledger), Arc::new(fixture.clock.clone()), 1, with(&[1]))
            .await
            .unwrap_err();
    assert!(error.to_string().contains(&other.1.id.0), "{error}");
}
