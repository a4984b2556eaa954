//! SQLite passes the behaviour suite, and what only it can show: the file, the lock, the commits.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{sync::Arc, time::Duration};

use rusqlite::Connection;
use stoker_domain::{
    area::Area,
    job::LeasedJob,
    outcome::Outcome,
    task::Progress,
    view::{TargetFilter, TaskFilter},
};
use stoker_ledger::{
    ErrorKind, Ledger, OpenError, Sqlite, ledger_suite,
    suite::fixture::{Fixture, T0, at, item, targets, urls},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

async fn open() -> (Arc<dyn Ledger>, TempDir) {
    let (sqlite, dir) = fresh();
    (sqlite, dir)
}

ledger_suite!(open);

fn fresh() -> (Arc<Sqlite>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(dir.path().join("ledger.db")).unwrap();
    (Arc::new(sqlite), dir)
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let (sqlite, dir) = fresh();
    let mut fixture = Fixture::new(sqlite).await;
    fixture.submit("1", &urls("a.example", 3), &["edge"]).await;
    let job = fixture.lease_one("edge", T0).await;
    fixture.settle(&job, &[(0, Outcome::Filled)], at(1)).await;
    let (row, rows) = (fixture.row("1").await, fixture.targets("1").await);
    drop(std::mem::replace(&mut fixture.ledger, fresh().0));
    fixture.ledger = Arc::new(Sqlite::open(dir.path().join("ledger.db")).unwrap());
    assert_eq!(fixture.row("1").await, row);
    assert_eq!(fixture.targets("1").await, rows);
    assert_eq!(fixture.used(Area::Mainland).await, 3);
    assert!(!fixture.settle_all(&job, Outcome::Filled, at(2)).await.is_stale, "the lease lasts");
}

#[tokio::test]
async fn an_older_file_gets_the_sums_of_bytes_that_it_would_have() {
    let (sqlite, dir) = fresh();
    let mut fixture = Fixture::new(sqlite).await;
    fixture.submit("1", &urls("a.example", 700), &["edge-1", "edge-2"]).await;
    fixture.submit("2", &urls("a.example", 3), &["edge-1"]).await;
    fixture.submit("3", &urls("a.example", 1), &["edge-3"]).await;
    for job in fixture.lease("edge-1", 1000, T0).await {
        fixture.settle(&job, &[(0, Outcome::Filled)], at(1)).await;
        fixture.report(&job, [(item(1, Outcome::Timeout), false)], false, at(2)).await.unwrap();
        fixture.settle(&job, &[(1, Outcome::TooLarge)], at(3)).await;
        fixture.settle_all(&job, Outcome::AlreadyFresh, at(4)).await;
    }
    for job in fixture.lease("edge-2", 1000, T0).await {
        fixture.settle_all(&job, Outcome::Filled, at(5)).await;
    }
    let mut rows = Vec::new();
    for id in ["1", "2", "3"] {
        rows.push(fixture.row(id).await);
    }
    assert!(rows[0].done_bytes > 0 && rows[0].held_bytes > rows[0].done_bytes);
    drop(std::mem::replace(&mut fixture.ledger, fresh().0));
    let path = dir.path().join("ledger.db");
    let file = Connection::open(&path).unwrap();
    for column in ["done_bytes", "held_bytes", "pulled_bytes", "not_followed"] {
        file.execute_batch(&format!("ALTER TABLE task DROP COLUMN {column}")).unwrap();
    }
    file.execute_batch(include_str!("../src/sqlite/task_bytes.sql")).unwrap();
    file.execute_batch(include_str!("../src/sqlite/not_followed.sql")).unwrap();
    drop(file);
    fixture.ledger = Arc::new(Sqlite::open(&path).unwrap());
    for row in rows {
        assert_eq!(fixture.row(&row.task.id.0).await, row);
    }
}

#[tokio::test]
async fn concurrent_verbs_share_commits() {
    let (sqlite, _dir) = fresh();
    let fixture = Fixture::new(Arc::clone(&sqlite) as Arc<dyn Ledger>).await;
    let before = sqlite.stats();
    let mut submits = JoinSet::new();
    for number in 0..200 {
        let fixture = fixture.clone();
        submits.spawn(async move {
            fixture.submit(&number.to_string(), &urls("a.example", 1), &["edge"]).await
        });
    }
    submits.join_all().await;
    let after = sqlite.stats();
    assert_eq!(after.verbs - before.verbs, 200);
    let commits = after.commits - before.commits;
    assert!(commits < 100, "{commits} commits for 200 verbs");
}

#[tokio::test]
async fn a_verb_that_fails_undoes_only_itself() {
    let (sqlite, _dir) = fresh();
    let fixture = Fixture::new(sqlite).await;
    let mut submits = JoinSet::new();
    for number in 0..100 {
        let fixture = fixture.clone();
        submits.spawn(async move {
            // each id is taken twice, so every second verb fails after it has written
            let task = fixture.task(&(number / 2).to_string());
            let new = fixture.new_task(task, targets(&urls("a.example", 4), &["edge"]));
            fixture.ledger.submit(new).await
        });
    }
    let results = submits.join_all().await;
    let failed: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert_eq!(failed.len(), 50);
    assert!(failed.iter().all(|error| error.kind == ErrorKind::Conflict));
    assert_eq!(fixture.used(Area::Mainland).await, 200);
    assert_eq!(fixture.lease("edge", 1000, T0).await.len(), 50);
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_nothing_is_half_written() {
    let (sqlite, dir) = fresh();
    let fixture = Fixture::new(Arc::clone(&sqlite) as Arc<dyn Ledger>).await;
    fixture.submit("before", &urls("a.example", 10), &["edge"]).await;
    let job: LeasedJob = fixture.lease_one("edge", T0).await;
    sqlite.limit_pages(130).await.unwrap();
    let mut accepted = vec![String::from("before")];
    let mut submits = JoinSet::new();
    for number in 0..100 {
        let fixture = fixture.clone();
        submits.spawn(async move {
            let id = number.to_string();
            let new = targets(&urls("full.example", 7 * (1 + number % 20)), &["edge"]);
            (fixture.ledger.submit(fixture.new_task(fixture.task(&id), new)).await, id)
        });
    }
    for (result, id) in submits.join_all().await {
        match result {
            Ok(_) => accepted.push(id),
            Err(error) => assert_eq!(error.kind, ErrorKind::Full, "{error:?}"),
        }
    }
    assert!((5..80).contains(&accepted.len()), "{} accepted", accepted.len());
    consistent(&fixture, &accepted).await;
    sqlite.limit_pages(1 << 30).await.unwrap();
    fixture.submit("after", &urls("a.example", 500), &["edge"]).await;
    accepted.push("after".into());
    assert!(fixture.settle_all(&job, Outcome::Filled, at(1)).await.finished_task.is_some());
    consistent(&fixture, &accepted).await;
    drop((fixture, sqlite));
    let file = Connection::open(dir.path().join("ledger.db")).unwrap();
    let check: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

/// Exactly `accepted` is there, and rows, counts, tally and quota agree.
async fn consistent(fixture: &Fixture, accepted: &[String]) {
    let filter = TaskFilter { limit: u64::MAX, ..TaskFilter::default() };
    let page = fixture.ledger.tasks(&filter).await.unwrap();
    let mut ids: Vec<_> = page.rows.iter().map(|row| row.task.id.0.clone()).collect();
    let mut accepted = accepted.to_vec();
    ids.sort();
    accepted.sort();
    assert_eq!(ids, accepted);
    let mut sum = 0;
    for row in &page.rows {
        let rows = fixture.targets(&row.task.id.0).await;
        let done = rows.iter().filter(|row| row.progress == Progress::Done).count();
        assert_eq!((rows.len() as u64, done as u64), (row.targets, row.done));
        sum += row.targets;
    }
    assert_eq!(fixture.used(Area::Mainland).await, sum);
    let filter = TargetFilter { account: Some(fixture.account), ..TargetFilter::default() };
    assert_eq!(fixture.ledger.targets(&filter).await.unwrap().total, sum);
}

#[test]
fn a_ledger_is_opened_once_at_a_time() {
    let (sqlite, dir) = fresh();
    let path = dir.path().join("ledger.db");
    let error = Sqlite::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("ledger.db"), "{error}");
    drop(sqlite);
    Sqlite::open(&path).unwrap();
}

#[test]
fn what_cannot_be_a_ledger_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let error = Sqlite::open(dir.path().join("absent/ledger.db")).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");

    let text = dir.path().join("text.db");
    std::fs::write(&text, "not a database, and long enough to be looked at. ".repeat(99)).unwrap();
    let error = Sqlite::open(&text).unwrap_err();
    assert!(matches!(error, OpenError::NotALedger { .. }), "{error:?}");

    let foreign = dir.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let error = Sqlite::open(&foreign).unwrap_err();
    assert!(matches!(error, OpenError::NotALedger { .. }), "{error:?}");
    let untouched = Connection::open(&foreign).unwrap();
    let tables = "SELECT count(*) FROM sqlite_schema";
    assert_eq!(untouched.query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap(), 1);

    let newer = dir.path().join("newer.db");
    drop(Sqlite::open(&newer).unwrap());
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Sqlite::open(&newer).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, known: 2.., .. }), "{error:?}");
    assert!(!error.hint().is_empty());
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_sqlite, dir) = fresh();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn a_write_that_is_tried_reaches_the_file() {
    let (sqlite, dir) = fresh();
    let ledger: Arc<dyn Ledger> = sqlite;
    let file = Connection::open(dir.path().join("ledger.db")).unwrap();
    // changes with every commit of another connection that wrote something
    let version =
        || -> i64 { file.pragma_query_value(None, "data_version", |row| row.get(0)).unwrap() };
    let before = version();
    ledger.open_jobs().await.unwrap();
    assert_eq!(version(), before);
    ledger.try_write().await.unwrap();
    assert_ne!(version(), before);
}

#[tokio::test]
async fn a_view_does_not_wait_for_the_writer() {
    let (sqlite, dir) = fresh();
    let fixture = Fixture::new(Arc::clone(&sqlite) as Arc<dyn Ledger>).await;
    fixture.submit("1", &urls("a.example", 3), &["edge"]).await;
    // another connection holds the write lock, as a backup tool may
    let blocker = Connection::open(dir.path().join("ledger.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut writing = JoinSet::new();
    let writer = fixture.clone();
    writing.spawn(async move { writer.submit("2", &urls("a.example", 3), &["edge"]).await });
    assert_eq!(fixture.row("1").await.targets, 3);
    assert_eq!(fixture.targets("1").await.len(), 3);
    assert!(writing.try_join_next().is_none());
    blocker.execute_batch("ROLLBACK").unwrap();
    let written = tokio::time::timeout(Duration::from_secs(60), writing.join_next()).await;
    let written = written.unwrap().unwrap().unwrap();
    assert_eq!(written.targets, 3);
}
