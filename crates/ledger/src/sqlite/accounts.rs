//! Accounts and their keys.

use rusqlite::{Connection, OptionalExtension, params};
use stoker_domain::{
    account::{AccessKey, Account, AccountId},
    time::Timestamp,
};

use super::failure::Failure;

pub(super) fn create(connection: &Connection, account: &Account) -> Result<AccountId, Failure> {
    let id = connection
        .prepare_cached(
            "/* create_account */ INSERT INTO account (uin, app_id, created_at)
             VALUES (?1, ?2, ?3) RETURNING id",
        )?
        .query_row(params![account.uin, account.app_id, account.created_at.as_millis()], |row| {
            row.get(0)
        })?;
    Ok(AccountId(id))
}

pub(super) fn list(connection: &Connection) -> Result<Vec<Account>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* accounts */ SELECT id, uin, app_id, created_at FROM account ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Account {
            id: AccountId(row.get(0)?),
            uin: row.get(1)?,
            app_id: row.get(2)?,
            created_at: Timestamp::from_millis(row.get(3)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn put_key(connection: &Connection, key: &AccessKey) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "/* put_key */ INSERT INTO access_key (secret_id, secret_key, account, is_enabled)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET secret_key = excluded.secret_key,
                 account = excluded.account, is_enabled = excluded.is_enabled",
        )?
        .execute(params![key.secret_id, key.secret_key, key.account.0, key.is_enabled])?;
    Ok(())
}

pub(super) fn key(connection: &Connection, secret_id: &str) -> Result<Option<AccessKey>, Failure> {
    let key = connection
        .prepare_cached(
            "/* key */ SELECT secret_id, secret_key, account, is_enabled FROM access_key
             WHERE secret_id = ?1",
        )?
        .query_row([secret_id], |row| {
            Ok(AccessKey {
                secret_id: row.get(0)?,
                secret_key: row.get(1)?,
                account: AccountId(row.get(2)?),
                is_enabled: row.get(3)?,
            })
        })
        .optional()?;
    Ok(key)
}
