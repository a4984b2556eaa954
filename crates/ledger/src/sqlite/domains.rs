//! Domains, each kept whole as JSON beside what is searched for.

use rusqlite::{Connection, OptionalExtension, params};
use stoker_domain::{account::AccountId, domain::Domain};

use super::{failure::Failure, ownership};

/// Adds a domain that nobody has, unless another account's claims are related to it.
pub(super) fn add(connection: &Connection, domain: &Domain) -> Result<(), Failure> {
    ownership::check(connection, domain.account, &domain.name)?;
    connection
        .prepare_cached(
            "/* add_domain */ INSERT INTO domain (host, account, settings) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![domain.name, domain.account.0, serde_json::to_string(domain)?])?;
    Ok(())
}

pub(super) fn put(connection: &Connection, domain: &Domain) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "/* put_domain */ INSERT INTO domain (host, account, settings) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET account = excluded.account, settings = excluded.settings",
        )?
        .execute(params![domain.name, domain.account.0, serde_json::to_string(domain)?])?;
    Ok(())
}

pub(super) fn list(connection: &Connection) -> Result<Vec<Domain>, Failure> {
    let mut statement =
        connection.prepare_cached("/* domains */ SELECT settings FROM domain ORDER BY host")?;
    let mut rows = statement.query([])?;
    let mut domains = Vec::new();
    while let Some(row) = rows.next()? {
        domains.push(serde_json::from_str(row.get_ref(0)?.as_str().map_err(Failure::corrupt)?)?);
    }
    Ok(domains)
}

/// Removes a domain, and ends what its account has proved of its name.
pub(super) fn remove(connection: &Connection, host: &str) -> Result<bool, Failure> {
    let account: Option<i64> = connection
        .prepare_cached("/* remove_domain */ DELETE FROM domain WHERE host = ?1 RETURNING account")?
        .query_row([host], |row| row.get(0))
        .optional()?;
    if let Some(account) = account {
        ownership::end(connection, AccountId(account), host)?;
    }
    Ok(account.is_some())
}
