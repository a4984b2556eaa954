//! Limits, what was charged, and when days began.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use stoker_domain::{
    account::AccountId,
    area::Area,
    quota::{AreaLimits, Counter, Era, Limits, Product},
    time::Timestamp,
};

use super::{
    Sqlite,
    columns::{signed, unsigned, word},
    failure::Failure,
    session::Session,
};
use crate::{Charge, Error, ErrorKind, NewLimits, Quotas};

#[async_trait]
impl Quotas for Sqlite {
    async fn set_limits(&self, account: AccountId, new: NewLimits) -> Result<(), Error> {
        let set = self.write("set limits", 1, move |c| set_limits(c, account, new)).await;
        // also after a failure: it may have been written all the same
        self.parts.limits.forget();
        set
    }

    async fn limits(&self, account: AccountId, product: Product) -> Result<AreaLimits, Error> {
        let read = move |c: &Connection| limits(c, account, product);
        let read = self.parts.readers.run("read limits", read);
        // the cache too is behind the verb: a ledger that fails answers nothing
        self.run("read limits", self.parts.limits.find((account, product), read)).await
    }

    async fn used(&self, account: AccountId, counter: Counter) -> Result<u64, Error> {
        self.read("read a quota", move |c| used(c, account, counter)).await
    }

    async fn quota_eras(&self) -> Result<Vec<Era>, Error> {
        self.read("read the quota days", eras).await
    }

    async fn set_quota_eras(&self, eras: &[Era]) -> Result<(), Error> {
        let eras = eras.to_vec();
        let work = move |c: &Session| set_eras(c, &eras);
        self.write("set the quota days", 1, work).await
    }
}

fn set_limits(
    connection: &Connection,
    account: AccountId,
    NewLimits { product, areas, limits, is_default }: NewLimits,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "/* set_limits */ INSERT INTO quota_area_limit (account, product, area, batch, daily)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET batch = excluded.batch, daily = excluded.daily WHERE NOT ?6",
    )?;
    let (product, daily) = (product.as_str(), signed(limits.daily));
    for area in areas.areas() {
        let area = area.as_str();
        statement.execute(params![account.0, product, area, limits.batch, daily, is_default])?;
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
