//! Keys and who stands behind them.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use stoker_domain::{
    account::{AccessKey, AccountId, Temporary, UserId},
    time::Timestamp,
};

use super::{
    Sqlite, accounts, columns::unsigned, failure::Failure, policies, session::Session, users,
    writer::Undo,
};
use crate::{Error, Identity, Keys};

/// The columns of [`read`], in order.
macro_rules! columns {
    () => {
        "secret_id, secret_key, account, user, is_enabled, created_at, last_used_at, token_hash, \
         expires_at, policy"
    };
}

#[async_trait]
impl Keys for Sqlite {
    async fn put_key(&self, key: AccessKey) -> Result<(), Error> {
        self.write("put a key", 1, move |c| put(c, &key)).await
    }

    async fn key(&self, secret_id: &str) -> Result<Option<AccessKey>, Error> {
        let secret_id = secret_id.to_owned();
        self.read("read a key", move |c| find(c, &secret_id)).await
    }

    async fn keys(&self, account: AccountId) -> Result<Vec<AccessKey>, Error> {
        self.read("list keys", move |c| list(c, account)).await
    }

    async fn temporary_keys(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<AccessKey>, Error> {
        let work = move |c: &Connection| temporary(c, account, now);
        self.read("list temporary keys", work).await
    }

    async fn remove_key(&self, secret_id: &str) -> Result<bool, Error> {
        let secret_id = secret_id.to_owned();
        self.write("remove a key", 1, move |c| remove(c, &secret_id)).await
    }

    async fn sweep_keys(
        &self,
        account: AccountId,
        now: Timestamp,
        most: u32,
    ) -> Result<u64, Error> {
        let work = move |c: &Session| sweep(c, account, now, most);
        self.write("sweep keys", 1, work).await
    }

    async fn keys_used(&self, uses: Vec<(String, Timestamp)>) -> Result<(), Error> {
        let rows = uses.len();
        self.write("note the use of keys", rows, move |c| used(c, &uses)).await
    }

    async fn identity(&self, secret_id: &str) -> Result<Option<Identity>, Error> {
        let secret_id = secret_id.to_owned();
        self.read("find a caller", move |c| identity(c, &secret_id)).await
    }

    async fn keys_after(&self, after: &str, most: u32) -> Result<Vec<AccessKey>, Error> {
        let after = after.to_owned();
        self.read("read keys", move |c| page(c, &after, most)).await
    }

    async fn reseal_keys(&self, secrets: Vec<(String, String)>) -> Result<(), Error> {
        const VERB: &str = "seal keys";
        let rows = secrets.len();
        let write = move |c: &Session| reseal(c, &secrets);
        self.run(VERB, async {
            self.parts.writer.run(VERB, rows, Undo::Verb, write).await?;
            // what was replaced may still stand in the log
            self.parts.readers.empty_log(VERB).await
        })
        .await
    }
}

pub(super) fn put(connection: &Connection, key: &AccessKey) -> Result<(), Failure> {
    let temporary = key.temporary.as_ref();
    connection
        .prepare_cached(
            "/* put_key */ INSERT INTO access_key (secret_id, secret_key, account, user,
                 is_enabled, created_at, last_used_at, token_hash, expires_at, policy)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT DO UPDATE SET secret_key = excluded.secret_key,
                 account = excluded.account, user = excluded.user,
                 is_enabled = excluded.is_enabled",
        )?
        .execute(params![
            key.secret_id,
            key.secret_key,
            key.account.0,
            key.user.map(|user| user.0),
            key.is_enabled,
            key.created_at.as_millis(),
            key.last_used_at.map(Timestamp::as_millis),
            temporary.map(|temporary| temporary.token_hash),
            temporary.map(|temporary| temporary.expires_at.as_millis()),
            temporary.and_then(|temporary| temporary.policy.as_deref()),
        ])?;
    Ok(())
}

pub(super) fn find(connection: &Connection, secret_id: &str) -> Result<Option<AccessKey>, Failure> {
    let key = connection
        .prepare_cached(concat!(
            "/* key */ SELECT ",
            columns!(),
            " FROM access_key WHERE secret_id = ?1"
        ))?
        .query_row([secret_id], read)
        .optional()?;
    Ok(key)
}

pub(super) fn list(connection: &Connection, account: AccountId) -> Result<Vec<AccessKey>, Failure> {
    let mut statement = connection.prepare_cached(concat!(
        "/* keys */ SELECT ",
        columns!(),
        " FROM access_key WHERE account = ?1 AND expires_at IS NULL ORDER BY created_at, secret_id"
    ))?;
    let rows = statement.query_map([account.0], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn temporary(
    connection: &Connection,
    account: AccountId,
    now: Timestamp,
) -> Result<Vec<AccessKey>, Failure> {
    let mut statement = connection.prepare_cached(concat!(
        "/* temporary_keys */ SELECT ",
        columns!(),
        " FROM access_key WHERE account = ?1 AND expires_at > ?2 ORDER BY expires_at, secret_id"
    ))?;
    let rows = statement.query_map(params![account.0, now.as_millis()], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn page(
    connection: &Connection,
    after: &str,
    most: u32,
) -> Result<Vec<AccessKey>, Failure> {
    let mut statement = connection.prepare_cached(concat!(
        "/* keys_after */ SELECT ",
        columns!(),
        " FROM access_key WHERE secret_id > ?1 ORDER BY secret_id LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![after, most], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn remove(connection: &Connection, secret_id: &str) -> Result<bool, Failure> {
    let removed = connection
        .prepare_cached("/* remove_key */ DELETE FROM access_key WHERE secret_id = ?1")?
        .execute([secret_id])?;
    Ok(removed > 0)
}

pub(super) fn sweep(
    connection: &Connection,
    account: AccountId,
    now: Timestamp,
    most: u32,
) -> Result<u64, Failure> {
    connection
        .prepare_cached(
            "/* sweep_keys */ DELETE FROM access_key WHERE secret_id IN (
                 SELECT secret_id FROM access_key
                 WHERE account = ?1 AND expires_at IS NOT NULL AND expires_at <= ?2
                 ORDER BY expires_at LIMIT ?3)",
        )?
        .execute(params![account.0, now.as_millis(), most])?;
    let left = connection
        .prepare_cached(
            "/* count temporary keys */ SELECT count(*) FROM access_key
             WHERE account = ?1 AND expires_at IS NOT NULL",
        )?
        .query_row([account.0], |row| unsigned(row, 0))?;
    Ok(left)
}

pub(super) fn used(connection: &Connection, uses: &[(String, Timestamp)]) -> Result<(), Failure> {
    // uses come in any order from several callers: the latest stays, and NULL is earlier than any
    let mut statement = connection.prepare_cached(
        "/* keys_used */ UPDATE access_key SET last_used_at = ?2
         WHERE secret_id = ?1 AND coalesce(last_used_at < ?2, TRUE)",
    )?;
    for (secret_id, at) in uses {
        statement.execute(params![secret_id, at.as_millis()])?;
    }
    Ok(())
}

pub(super) fn reseal(connection: &Connection, secrets: &[(String, String)]) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "/* reseal_keys */ UPDATE access_key SET secret_key = ?2 WHERE secret_id = ?1",
    )?;
    for (secret_id, sealed) in secrets {
        statement.execute([secret_id, sealed])?;
    }
    Ok(())
}

pub(super) fn identity(
    connection: &Connection,
    secret_id: &str,
) -> Result<Option<Identity>, Failure> {
    let Some(key) = find(connection, secret_id)? else { return Ok(None) };
    let account = accounts::find(connection, key.account)?;
    let user = key.user.map(|user| users::find(connection, user)).transpose()?;
    let policies = match key.user {
        Some(user) => policies::of_user(connection, user)?,
        None => Vec::new(),
    };
    Ok(Some(Identity { account, user, key, policies }))
}

fn read(row: &Row<'_>) -> rusqlite::Result<AccessKey> {
    let temporary = match row.get::<_, Option<[u8; 32]>>(7)? {
        Some(token_hash) => Some(Temporary {
            token_hash,
            expires_at: Timestamp::from_millis(row.get(8)?),
            policy: row.get(9)?,
        }),
        None => None,
    };
    Ok(AccessKey {
        secret_id: row.get(0)?,
        secret_key: row.get(1)?,
        account: AccountId(row.get(2)?),
        user: row.get::<_, Option<i64>>(3)?.map(UserId),
        is_enabled: row.get(4)?,
        created_at: Timestamp::from_millis(row.get(5)?),
        last_used_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
        temporary,
    })
}
