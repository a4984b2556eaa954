//! What the file of an older version held in plain is nowhere in the files after it was sealed.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{fs, path::Path};

use rusqlite::Connection;
use stoker_ledger::{Ledger, Sqlite};

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
