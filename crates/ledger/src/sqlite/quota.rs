//! Limits, what was charged, and when days began.

use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use stoker_domain::{
    account::AccountId,
    area::{Area, AreaScope},
    quota::{AreaLimits, Counter, Era, Limits, Product},
    time::Timestamp,
};

use super::{
    columns::{signed, unsigned, word},
    failure::Failure,
};
use crate::{Charge, ErrorKind};

pub(super) fn set_limits(
    connection: &Connection,
    account: AccountId,
    product: Product,
    areas: AreaScope,
    limits: Limits,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "/* set_limits */ INSERT INTO quota_area_limit (account, product, area, batch, daily)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET batch = excluded.batch, daily = excluded.daily",
    )?;
    write(&mut statement, (account, product, areas), limits)
}

pub(super) fn add_limits(
    connection: &Connection,
    account: AccountId,
    product: Product,
    areas: AreaScope,
    limits: Limits,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "/* add_limits */ INSERT INTO quota_area_limit (account, product, area, batch, daily)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )?;
    write(&mut statement, (account, product, areas), limits)
}

fn write(
    statement: &mut Statement<'_>,
    (account, product, areas): (AccountId, Product, AreaScope),
    limits: Limits,
) -> Result<(), Failure> {
    let product = product.as_str();
    for area in areas.areas() {
        let daily = signed(limits.daily);
        statement.execute(params![account.0, product, area.as_str(), limits.batch, daily])?;
    }
    Ok(())
}

pub(super) fn limits(
    connection: &Connection,
    account: AccountId,
    product: Product,
) -> Result<AreaLimits, Failure> {
    let mut statement = connection.prepare_cached(
        "/* limits */ SELECT area, batch, daily FROM quota_area_limit
         WHERE account = ?1 AND product = ?2",
    )?;
    let mut limits = AreaLimits::both(product.default_limits());
    let mut rows = statement.query(params![account.0, product.as_str()])?;
    while let Some(row) = rows.next()? {
        let set = Limits { batch: row.get(1)?, daily: unsigned(row, 2)? };
        match word(row, 0)? {
            Area::Mainland => limits.mainland = set,
            Area::Overseas => limits.overseas = set,
        }
    }
    Ok(limits)
}

pub(super) fn eras(connection: &Connection) -> Result<Vec<Era>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* quota_eras */ SELECT starts_at, first_day FROM quota_era ORDER BY starts_at",
    )?;
    let era = |row: &Row<'_>| {
        Ok(Era { starts_at: Timestamp::from_millis(row.get(0)?), first_day: row.get(1)? })
    };
    Ok(statement.query_map([], era)?.collect::<Result<_, _>>()?)
}

pub(super) fn set_eras(connection: &Connection, eras: &[Era]) -> Result<(), Failure> {
    connection.prepare_cached("/* set_quota_eras: clear */ DELETE FROM quota_era")?.execute([])?;
    let mut statement = connection.prepare_cached(
        "/* set_quota_eras */ INSERT INTO quota_era (starts_at, first_day) VALUES (?1, ?2)",
    )?;
    for era in eras {
        statement.execute(params![era.starts_at.as_millis(), era.first_day])?;
    }
    Ok(())
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
