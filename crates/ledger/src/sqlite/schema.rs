//! The tables, and how an older file is brought up to them.
//!
//! `PRAGMA user_version` counts the migrations that a file has had; each runs once, in a transaction
//! of its own. A file that has had more than this version knows is refused, never touched.

use rusqlite::{Connection, TransactionBehavior};

use super::failure::Failure;

/// Marks the file as ours: `STKR`.
const APPLICATION_ID: i32 = 0x5354_4b52;

/// In order; a released one is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("zones.sql"),
    include_str!("purge.sql"),
    include_str!("quota.sql"),
    include_str!("task_limited.sql"),
    include_str!("identity.sql"),
    include_str!("purge_product.sql"),
    include_str!("target_failed.sql"),
    include_str!("sweep.sql"),
    include_str!("replay.sql"),
    include_str!("refusal.sql"),
    include_str!("task_bytes.sql"),
    include_str!("not_followed.sql"),
    include_str!("account_service.sql"),
    include_str!("replay_minutes.sql"),
    include_str!("task_fields.sql"),
    include_str!("ownership.sql"),
    include_str!("task_state.sql"),
];

/// The number of migrations that this version knows.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// What a file turned out to be.
#[derive(Debug)]
pub(super) enum FileKind {
    /// A ledger that this version can use.
    Ours,
    /// A database that some other program made.
    Foreign,
    /// A ledger that has had this many migrations, more than [`VERSION`].
    Newer(i64),
}

/// What a file is, before it is touched; an empty one counts as ours.
pub(super) fn look(connection: &Connection) -> rusqlite::Result<FileKind> {
    let version = pragma(connection, "user_version")?;
    if version > VERSION {
        return Ok(FileKind::Newer(version));
    }
    let tables: i64 = connection.query_row(
        "/* open: count tables */ SELECT count(*) FROM sqlite_schema",
        [],
        |row| row.get(0),
    )?;
    let is_empty = version == 0 && tables == 0;
    if !is_empty && pragma(connection, "application_id")? != i64::from(APPLICATION_ID) {
        return Ok(FileKind::Foreign);
    }
    Ok(FileKind::Ours)
}

/// Brings the database to [`VERSION`] if it is ours or empty.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<FileKind> {
    match look(connection)? {
        FileKind::Ours => {}
        other => return Ok(other),
    }
    let version = pragma(connection, "user_version")?;
    for (index, migration) in (1..).zip(MIGRATIONS).skip(usize::try_from(version).unwrap_or(0)) {
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step.execute_batch(migration)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", index)?;
        step.commit()?;
    }
    Ok(FileKind::Ours)
}

/// Writes the version that is there already.
pub(super) fn write_version(connection: &Connection) -> Result<(), Failure> {
    Ok(connection.pragma_update(None, "user_version", VERSION)?)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use stoker_domain::{
        account::{AccountId, Service},
        ownership::Ownership,
        task::TaskState,
        view::TaskFilter,
    };

    use super::*;
    use crate::sqlite::{accounts, domains, ownership, views, zones};

    /// A ledger as the version with so many migrations left it.
    fn file_of(migrations: usize) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for migration in &MIGRATIONS[..migrations] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", migrations as i64).unwrap();
        connection
    }

    #[test]
    fn an_account_of_an_older_file_is_served_and_may_use_everything() {
        let mut connection = file_of(11);
        let fill = "INSERT INTO account (id, uin, app_id, created_at) VALUES (1, 'u', 1, 1)";
        connection.execute_batch(fill).unwrap();
        assert!(matches!(migrate(&mut connection).unwrap(), FileKind::Ours));
        let account = accounts::list(&connection).unwrap().remove(0);
        assert_eq!((account.service, account.closed.len()), (Service::Active, 0));
    }

    #[test]
    fn domains_of_an_older_file_are_verified_and_its_zones_claim_nothing() {
        let mut connection = file_of(14);
        let zone = |name: &str, kept: &str| {
            format!(
                r#"{{"id":"{name}","account":2,"name":"{name}","area":"global","status":"online",
                     "created_at":1,"updated_at":1,"kept":{kept}}}"#
            )
        };
        let domain = r#"{"host":"www.a.com","account":2,"origin":{"scheme":"http","host":"o.a.com",
            "port":80,"base_path":"","host_header":null,"allow_private":false},"areas":"global",
            "status":"online","shield":"global","cache":{"default_lifetime_seconds":1},
            "created_at":1,"updated_at":1}"#;
        let (made, grouped) = (zone("a.com", r#"{"api":{"Type":"partial"}}"#), zone("b.com", "{}"));
        let fill = format!(
            "INSERT INTO account (id, uin, app_id, created_at) VALUES (2, 'u', 1, 1);
             INSERT INTO domain (host, account, settings) VALUES ('www.a.com', 2, '{domain}');
             INSERT INTO zone (id, account, settings) VALUES
                 ('a.com', 2, '{made}'), ('b.com', 2, '{grouped}')"
        );
        connection.execute_batch(&fill).unwrap();
        assert!(matches!(migrate(&mut connection).unwrap(), FileKind::Ours));
        assert!(!accounts::list(&connection).unwrap()[0].is_verification_waived);
        assert_eq!(domains::list(&connection).unwrap()[0].ownership, Ownership::Earlier);
        let zones = zones::list(&connection).unwrap();
        assert_eq!(zones.iter().map(|zone| zone.claim).collect::<Vec<_>>(), [None, None]);
        for (claim, is_free) in [("www.a.com", false), ("a.com", false), ("x.b.com", true)] {
            let found = ownership::check(&connection, AccountId(1), claim);
            assert_eq!(found.is_ok(), is_free, "{claim}");
        }
    }

    #[test]
    fn tasks_of_an_older_file_run_and_what_ended_as_canceled_is_counted() {
        let mut connection = file_of(17);
        let fill = "INSERT INTO account (id, uin, app_id, created_at) VALUES (1, 'u', 1, 1);
            INSERT INTO task (id, public_id, account, product, areas, options, created_at, targets,
                    done, failed, failed_origin, updated_at)
                VALUES (3660001 << 20, 't', 1, 'cdn', 'global', '{}', 3660001, 3, 0, 2, 0, 1);
            INSERT INTO task_fields (task, fields) VALUES (3660001 << 20, '{}');
            INSERT INTO target (id, task, account, host, url_hash, url, levels, nodes, progress,
                    outcome) VALUES
                (0, 3660001 << 20, 1, 1, 0, 'a', 0, 1, 2, 'canceled'),
                (1, 3660001 << 20, 1, 1, 0, 'b', 0, 1, 2, 'too_large'),
                (2, 3660001 << 20, 1, 1, 0, 'c', 0, 1, 0, NULL);
            INSERT INTO tally (account, host, span, bucket, areas, targets, done, failed,
                    failed_origin) VALUES
                (1, 0, 60000, 61, 'global', 3, 0, 2, 0), (1, 1, 3600000, 1, 'global', 3, 0, 2, 0),
                (1, 0, 60000, 60, 'global', 9, 0, 9, 9);";
        connection.execute_batch(fill).unwrap();
        assert!(matches!(migrate(&mut connection).unwrap(), FileKind::Ours));
        let filter = TaskFilter { limit: 9, ..TaskFilter::default() };
        let row = views::tasks(&connection, &filter).unwrap().rows.remove(0);
        assert_eq!((row.state, row.canceled, row.failed), (TaskState::Running, 1, 2));
        assert!(row.had_fields && row.retry_of.is_none());
        let sql = "SELECT group_concat(failed_canceled)
            FROM (SELECT * FROM tally ORDER BY host, span, bucket)";
        let counts: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(counts, "0,1,1");
    }

    #[test]
    fn a_success_that_is_not_kept_is_no_refusal_in_an_older_file_either() {
        let mut connection = file_of(10);
        // one task of the 61st minute: 204 and 404 of two hosts
        let fill = "INSERT INTO account (id, uin, app_id, created_at) VALUES (1, 'u', 1, 1);
            INSERT INTO task (id, public_id, account, product, areas, options, created_at, targets,
                    done, failed, failed_origin, updated_at)
                VALUES (3660001 << 20, 't', 1, 'cdn', 'global', '{}', 3660001, 4, 0, 4, 4, 1);
            INSERT INTO target (id, task, account, host, url_hash, url, levels, nodes, progress,
                    outcome) VALUES
                (0, 3660001 << 20, 1, 1, 0, 'a', 0, 1, 2, 'origin_status:204'),
                (1, 3660001 << 20, 1, 1, 0, 'b', 0, 1, 2, 'origin_status:404'),
                (2, 3660001 << 20, 1, 2, 0, 'c', 0, 1, 2, 'origin_status:404'),
                (3, 3660001 << 20, 1, 2, 0, 'd', 0, 1, 2, 'origin_status:201');
            INSERT INTO tally (account, host, span, bucket, areas, targets, done, failed,
                    failed_origin) VALUES
                (1, 0, 60000, 61, 'global', 4, 0, 4, 4), (1, 0, 3600000, 1, 'global', 4, 0, 4, 4),
                (1, 1, 60000, 61, 'global', 2, 0, 2, 2), (1, 2, 3600000, 1, 'global', 2, 0, 2, 2),
                (1, 0, 60000, 60, 'global', 9, 0, 9, 9);";
        connection.execute_batch(fill).unwrap();
        assert!(matches!(migrate(&mut connection).unwrap(), FileKind::Ours));
        let sql = "SELECT group_concat(failed_origin) FROM (SELECT failed_origin FROM task
                UNION ALL SELECT failed_origin FROM (SELECT * FROM tally ORDER BY host, span, bucket))";
        let counts: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(counts, "2,9,2,2,1,1");
    }
}
