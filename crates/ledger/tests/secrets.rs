//! What the file of an older version held in plain is nowhere in the files after it was sealed.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{fs, path::Path};

use rusqlite::Connection;
use stoker_domain::view::TaskFilter;
use stoker_ledger::{Keys, RequestFields, Sqlite, TaskViews};

/// The tables before there were users, as they were made then.
const OLD: [&str; 4] = [
    include_str!("../src/sqlite/schema.sql"),
    include_str!("../src/sqlite/zones.sql"),
    include_str!("../src/sqlite/purge.sql"),
    include_str!("../src/sqlite/quota.sql"),
];

/// The files in a directory that hold these bytes somewhere.
fn files_with(dir: &Path, text: &str) -> Vec<String> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let holds = |path: &Path| {
        fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    };
    files
        .filter(|file| holds(&file.path()))
        .map(|file| file.file_name().into_string().unwrap())
        .collect()
}

fn old_ledger(path: &Path) -> Connection {
    let old = Connection::open(path).unwrap();
    old.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
    for tables in OLD {
        old.execute_batch(tables).unwrap();
    }
    old.pragma_update(None, "application_id", 0x5354_4b52).unwrap();
    old.pragma_update(None, "user_version", 4).unwrap();
    old.execute_batch(
        "INSERT INTO account (uin, app_id, created_at) VALUES ('100000000001', 1, 7000);
         INSERT INTO access_key VALUES ('AKIDone', 'plain-secret-0', 1, 1);
         INSERT INTO access_key VALUES ('AKIDtwo', 'plain-secret-of-two', 1, 0);
         UPDATE access_key SET secret_key = 'plain-secret-of-one' WHERE secret_id = 'AKIDone';
         INSERT INTO access_key VALUES ('AKIDgone', 'plain-secret-of-gone', 1, 1);
         DELETE FROM access_key WHERE secret_id = 'AKIDgone';",
    )
    .unwrap();
    old
}

#[tokio::test]
async fn no_plain_secret_of_an_older_file_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    drop(old_ledger(&path));
    assert!(!files_with(dir.path(), "plain-secret").is_empty(), "or this test proves nothing");
    let ledger = Sqlite::open(&path).unwrap();
    let keys = ledger.keys_after("", 10).await.unwrap();
    let found: Vec<_> = keys
        .iter()
        .map(|key| (key.secret_id.as_str(), key.secret_key.as_str(), key.is_enabled))
        .collect();
    let expected =
        [("AKIDone", "plain-secret-of-one", true), ("AKIDtwo", "plain-secret-of-two", false)];
    assert_eq!(found, expected);
    assert!(keys.iter().all(|key| key.created_at.as_seconds() == 7), "as old as their account");
    let sealed = keys.iter().map(|key| (key.secret_id.clone(), "sealed".to_owned())).collect();
    ledger.reseal_keys(sealed).await.unwrap();
    assert_eq!(files_with(dir.path(), "plain-secret"), [""; 0], "while it is open");
    assert_eq!(ledger.key("AKIDone").await.unwrap().unwrap().secret_key, "sealed");
    drop(ledger);
    assert_eq!(files_with(dir.path(), "plain-secret"), [""; 0]);
}

#[tokio::test]
async fn a_crash_between_the_writes_and_the_wipe_is_made_good_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    drop(old_ledger(&path));
    drop(Sqlite::open(&path).unwrap());
    // the log of a process that was killed: its bytes are beside the file
    let killed = Connection::open(&path).unwrap();
    killed.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(())).unwrap();
    killed.pragma_update_and_check(None, "secure_delete", true, |_| Ok(())).unwrap();
    killed.execute("UPDATE access_key SET secret_key = 'plain-secret-late'", []).unwrap();
    killed.execute("UPDATE access_key SET secret_key = 'sealed'", []).unwrap();
    let ledger = Sqlite::open(&path).unwrap();
    ledger.reseal_keys(Vec::new()).await.unwrap();
    assert_eq!(files_with(dir.path(), "plain-secret-late"), [""; 0]);
    drop(killed);
}

#[tokio::test]
async fn no_plain_request_field_of_an_older_file_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let old = old_ledger(&path);
    let options = |value: &str| {
        format!(r#"{{"user_agent":"{value}-agent","headers":[["X-A","{value}"]],"media":"off"}}"#)
    };
    let insert = "INSERT INTO task (id, public_id, account, product, areas, options, created_at,
             targets, done, failed, failed_origin, updated_at, finished_at)
         VALUES (?1, ?2, 1, 'cdn', 'global', ?3, 1, 1, 0, 0, 0, 1, ?4)";
    let bare = r#"{"limit_mbps":8}"#.to_owned();
    for (id, options, finished_at) in [
        (1, options("plain-field-of-one"), None),
        (2, options("plain-field-of-two"), Some(9)),
        (3, bare, None),
    ] {
        old.execute(insert, (id, id.to_string(), options, finished_at)).unwrap();
    }
    drop(old);
    assert!(!files_with(dir.path(), "plain-field").is_empty(), "or this test proves nothing");
    let ledger = Sqlite::open(&path).unwrap();
    let tasks = ledger.task_fields_after(i64::MIN, 10).await.unwrap();
    let [(1, task)] = &tasks[..] else { panic!("{tasks:?}") };
    assert_eq!(task.options.headers, [("X-A".to_owned(), "plain-field-of-one".to_owned())]);
    assert_eq!(task.options.user_agent.as_deref(), Some("plain-field-of-one-agent"));
    let filter = TaskFilter { limit: 10, ..TaskFilter::default() };
    let rows = ledger.tasks(&filter).await.unwrap().rows;
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].task.options.limit_mbps, Some(8), "the rest stays");
    let mut sealed = task.options.clone();
    (sealed.headers[0].1, sealed.user_agent) = ("sealed".into(), None);
    ledger.reseal_tasks(vec![(1, sealed)]).await.unwrap();
    ledger.reseal_keys(Vec::new()).await.unwrap();
    assert_eq!(files_with(dir.path(), "plain-field"), [""; 0]);
}
