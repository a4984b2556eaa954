//! Domains, each kept whole as JSON beside what is searched for.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use stoker_domain::{account::AccountId, domain::Domain};

use super::{Sqlite, columns::json, failure::Failure, ownership};
use crate::{Domains, Error};

#[async_trait]
impl Domains for Sqlite {
    async fn add_domain(&self, domain: &Domain) -> Result<(), Error> {
        let domain = domain.clone();
        self.write("add a domain", 1, move |c| add(c, &domain)).await
    }

    async fn put_domain(&self, domain: &Domain) -> Result<(), Error> {
        let domain = domain.clone();
        self.write("put a domain", 1, move |c| put(c, &domain)).await
    }

    async fn domains(&self) -> Result<Vec<Domain>, Error> {
        self.read("list domains", list).await
    }

    async fn remove_domain(&self, host: &str) -> Result<bool, Error> {
        let host = host.to_owned();
        self.write("remove a domain", 1, move |c| remove(c, &host)).await
    }
}

/// Adds a domain that is not there yet, unless claims of another account are related to it.
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
    let rows = statement.query_map([], |row| json(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
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
