//! Accounts.

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};
use stoker_domain::account::{Account, AccountId};

use super::{
    Sqlite,
    columns::{json, moment},
    failure::Failure,
    session::Session,
};
use crate::{Accounts, Error};

/// The columns of [`read`], in order.
macro_rules! columns {
    () => {
        "id, uin, app_id, name, is_enabled, created_at, service, closed, is_verification_waived"
    };
}

#[async_trait]
impl Accounts for Sqlite {
    async fn create_account(&self, account: Account) -> Result<AccountId, Error> {
        let work = move |c: &Session| create(c, &account);
        self.write("create an account", 1, work).await
    }

    async fn change_account(&self, account: &Account) -> Result<(), Error> {
        let account = account.clone();
        let work = move |c: &Session| change(c, &account);
        self.write("change an account", 1, work).await
    }

    async fn accounts(&self) -> Result<Vec<Account>, Error> {
        self.read("list accounts", list).await
    }
}

pub(super) fn create(connection: &Connection, account: &Account) -> Result<AccountId, Failure> {
    let id = connection
        .prepare_cached(
            "/* create_account */ INSERT INTO account (uin, app_id, created_at, name, is_enabled,
                 service, closed, is_verification_waived)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
        )?
        .query_row(
            params![
                account.uin,
                account.app_id,
                account.created_at.as_millis(),
                account.name,
                account.is_enabled,
                serde_json::to_string(&account.service)?,
                serde_json::to_string(&account.closed)?,
                account.is_verification_waived,
            ],
            |row| row.get(0),
        )?;
    Ok(AccountId(id))
}

pub(super) fn change(connection: &Connection, account: &Account) -> Result<(), Failure> {
    let changed = connection
        .prepare_cached(
            "/* change_account */ UPDATE account
             SET name = ?2, is_enabled = ?3, service = ?4, closed = ?5,
                 is_verification_waived = ?6
             WHERE id = ?1",
        )?
        .execute(params![
            account.id.0,
            account.name,
            account.is_enabled,
            serde_json::to_string(&account.service)?,
            serde_json::to_string(&account.closed)?,
            account.is_verification_waived,
        ])?;
    if changed == 0 { Err(Failure::not_found("no such account")) } else { Ok(()) }
}

pub(super) fn list(connection: &Connection) -> Result<Vec<Account>, Failure> {
    let mut statement = connection.prepare_cached(concat!(
        "/* accounts */ SELECT ",
        columns!(),
        " FROM account ORDER BY id"
    ))?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn find(connection: &Connection, id: AccountId) -> Result<Account, Failure> {
    let account = connection
        .prepare_cached(concat!(
            "/* account */ SELECT ",
            columns!(),
            " FROM account WHERE id = ?1"
        ))?
        .query_row([id.0], read)?;
    Ok(account)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: AccountId(row.get(0)?),
        uin: row.get(1)?,
        app_id: row.get(2)?,
        name: row.get(3)?,
        is_enabled: row.get(4)?,
        created_at: moment(row, 5)?,
        service: json(row, 6)?,
        closed: json(row, 7)?,
        is_verification_waived: row.get(8)?,
    })
}
