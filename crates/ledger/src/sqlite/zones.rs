//! Zones, each kept whole as JSON beside what is searched for.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use stoker_domain::zone::{Zone, ZoneId};

use super::{Sqlite, columns::json, failure::Failure, ownership};
use crate::{Error, Zones};

#[async_trait]
impl Zones for Sqlite {
    async fn put_zone(&self, zone: &Zone) -> Result<(), Error> {
        let zone = zone.clone();
        self.write("put a zone", 1, move |c| put(c, &zone)).await
    }

    async fn zones(&self) -> Result<Vec<Zone>, Error> {
        self.read("list zones", list).await
    }

    async fn remove_zone(&self, id: &ZoneId) -> Result<bool, Error> {
        let id = id.clone();
        self.write("remove a zone", 1, move |c| remove(c, &id)).await
    }
}

/// Creates or replaces a zone, unless it claims what is related to another account's claims.
pub(super) fn put(connection: &Connection, zone: &Zone) -> Result<(), Failure> {
    if zone.claim.is_some() {
        ownership::check(connection, zone.account, &zone.name)?;
    }
    connection
        .prepare_cached(
            "/* put_zone */ INSERT INTO zone (id, account, settings) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET account = excluded.account, settings = excluded.settings",
        )?
        .execute(params![zone.id.0, zone.account.0, serde_json::to_string(zone)?])?;
    Ok(())
}

pub(super) fn list(connection: &Connection) -> Result<Vec<Zone>, Failure> {
    let mut statement =
        connection.prepare_cached("/* zones */ SELECT settings FROM zone ORDER BY id")?;
    let rows = statement.query_map([], |row| json(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn remove(connection: &Connection, id: &ZoneId) -> Result<bool, Failure> {
    let removed = connection
        .prepare_cached("/* remove_zone */ DELETE FROM zone WHERE id = ?1")?
        .execute([&id.0])?;
    Ok(removed > 0)
}
