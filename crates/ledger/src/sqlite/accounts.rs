//! Accounts, keys, limits, and what was charged.

use rusqlite::{Connection, OptionalExtension, Row, params};
use stoker_domain::{
    account::{AccessKey, Account, AccountId},
    quota::{Counter, Limits, Product},
    time::Timestamp,
};

use super::failure::Failure;
use crate::{Charge, ErrorKind};

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

pub(super) fn set_limits(
    connection: &Connection,
    account: AccountId,
    product: Product,
    limits: Limits,
) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "/* set_limits */ INSERT INTO quota_limit (account, product, batch, daily)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET batch = excluded.batch, daily = excluded.daily",
        )?
        .execute(params![account.0, product.as_str(), limits.batch, signed(limits.daily)])?;
    Ok(())
}

pub(super) fn limits(
    connection: &Connection,
    account: AccountId,
    product: Product,
) -> Result<Limits, Failure> {
    let set = connection
        .prepare_cached(
            "/* limits */ SELECT batch, daily FROM quota_limit WHERE account = ?1 AND product = ?2",
        )?
        .query_row(params![account.0, product.as_str()], |row| {
            Ok(Limits { batch: row.get(0)?, daily: unsigned(row, 1)? })
        })
        .optional()?;
    Ok(set.unwrap_or(product.default_limits()))
}

pub(super) fn used(
    connection: &Connection,
    account: AccountId,
    counter: Counter,
) -> Result<u64, Failure> {
    let used = connection
        .prepare_cached(
            "/* used */ SELECT used FROM quota_used
             WHERE account = ?1 AND product = ?2 AND area = ?3 AND day = ?4",
        )?
        .query_row(
            params![account.0, counter.product.as_str(), counter.area.as_str(), counter.day],
            |row| unsigned(row, 0),
        )
        .optional()?;
    Ok(used.unwrap_or(0))
}

/// How many more units the counter of `charge` has.
pub(super) fn available(
    connection: &Connection,
    account: AccountId,
    charge: &Charge,
) -> Result<u64, Failure> {
    Ok(charge.daily.saturating_sub(used(connection, account, charge.counter)?))
}

/// Takes `units` of every counter; nothing is checked here.
pub(super) fn charge(
    connection: &Connection,
    account: AccountId,
    charges: &[Charge],
    units: u64,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "/* charge */ INSERT INTO quota_used (account, product, area, day, used)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET used = used + excluded.used",
    )?;
    for Charge { counter, .. } in charges.iter().filter(|_| units > 0) {
        let (product, area) = (counter.product.as_str(), counter.area.as_str());
        statement.execute(params![account.0, product, area, counter.day, signed(units)])?;
    }
    Ok(())
}

/// The refusal of a charge of `needed` units, if some counter has fewer.
pub(super) fn refusal(
    connection: &Connection,
    account: AccountId,
    charges: &[Charge],
    needed: u64,
) -> Result<Option<Failure>, Failure> {
    for charge in charges {
        let available = available(connection, account, charge)?;
        if available < needed {
            let counter = charge.counter;
            let kind = ErrorKind::OverQuota { counter, available, needed };
            return Ok(Some(Failure::new(kind)));
        }
    }
    Ok(None)
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

/// SQLite has no unsigned numbers; what does not fit is as good as unlimited.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count that is never negative.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}
