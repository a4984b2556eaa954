//! Zones, each kept whole as JSON beside what is searched for.

use rusqlite::{Connection, params};
use stoker_domain::zone::{Zone, ZoneId};

use super::{failure::Failure, ownership};

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
    let mut rows = statement.query([])?;
    let mut zones = Vec::new();
    while let Some(row) = rows.next()? {
        zones.push(serde_json::from_str(row.get_ref(0)?.as_str().map_err(Failure::corrupt)?)?);
    }
    Ok(zones)
}

pub(super) fn remove(connection: &Connection, id: &ZoneId) -> Result<bool, Failure> {
    let removed = connection
        .prepare_cached("/* remove_zone */ DELETE FROM zone WHERE id = ?1")?
        .execute([&id.0])?;
    Ok(removed > 0)
}
