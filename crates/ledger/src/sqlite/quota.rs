//! Limits, and what was charged.

use rusqlite::{Connection, OptionalExtension, params};
use stoker_domain::{
    account::AccountId,
    quota::{Counter, Limits, Product},
};

use super::{
    failure::Failure,
    number::{signed, unsigned},
};
use crate::{Charge, ErrorKind};

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
