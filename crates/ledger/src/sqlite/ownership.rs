//! Claims: what an account is to publish, what it has proved, and whether claims of two accounts are
//! related. The rule is `stoker_domain::ownership`'s; it is applied where the claim is written.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use stoker_domain::{
    account::AccountId,
    ownership::{Method, Proof, VerificationRecord, are_related},
    time::Timestamp,
};

use super::{Sqlite, failure::Failure, session::Session};
use crate::{Error, ErrorKind, Ownership};

/// The columns of [`read_record`], in order.
macro_rules! columns {
    () => {
        "account, name, token, created_at, expires_at"
    };
}

#[async_trait]
impl Ownership for Sqlite {
    async fn put_ownership_record(
        &self,
        new: &VerificationRecord,
        most: u32,
    ) -> Result<Option<VerificationRecord>, Error> {
        let new = new.clone();
        let work = move |c: &Session| put_record(c, &new, most);
        self.write("put a record of ownership", 1, work).await
    }

    async fn ownership_records(
        &self,
        account: AccountId,
    ) -> Result<Vec<VerificationRecord>, Error> {
        let read = move |c: &Connection| records(c, account);
        self.read("list records of ownership", read).await
    }

    async fn put_ownership_proof(&self, proof: &Proof, most: u32) -> Result<(), Error> {
        let proof = proof.clone();
        let work = move |c: &Session| put_proof(c, &proof, most);
        self.write("put a proof of ownership", 1, work).await
    }

    async fn ownership_proofs(&self, account: AccountId) -> Result<Vec<Proof>, Error> {
        let read = move |c: &Connection| proofs(c, account);
        self.read("list proofs of ownership", read).await
    }
}

/// Refuses a claim of `account` that is related to one of another account.
pub(super) fn check(
    connection: &Connection,
    account: AccountId,
    claim: &str,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "/* claims of others */ SELECT host FROM domain WHERE account <> ?1
         UNION ALL
         SELECT settings ->> '$.name' FROM zone
             WHERE account <> ?1 AND settings ->> '$.claim' IS NOT NULL",
    )?;
    let mut rows = statement.query([account.0])?;
    while let Some(row) = rows.next()? {
        let other = row.get_ref(0)?.as_str().map_err(Failure::corrupt)?;
        if are_related(claim, other) {
            return Err(Failure::new(ErrorKind::Conflict));
        }
    }
    Ok(())
}

/// The record that the account has for this name, or else `new`; nothing when it has `most` others.
pub(super) fn put_record(
    connection: &Connection,
    new: &VerificationRecord,
    most: u32,
) -> Result<Option<VerificationRecord>, Failure> {
    let now = new.created_at.as_millis();
    connection
        .prepare_cached(
            "/* put_record: forget */ DELETE FROM ownership_record
             WHERE account = ?1 AND expires_at <= ?2",
        )?
        .execute(params![new.account.0, now])?;
    if let Some(known) = record(connection, new.account, &new.name)? {
        return Ok(Some(known));
    }
    let count: u32 = connection
        .prepare_cached(
            "/* put_record: count */ SELECT count(*) FROM ownership_record WHERE account = ?1",
        )?
        .query_row([new.account.0], |row| row.get(0))?;
    if count >= most {
        return Ok(None);
    }
    connection
        .prepare_cached(
            "/* put_record */ INSERT INTO ownership_record (account, name, token, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            new.account.0,
            new.name,
            new.token,
            now,
            new.expires_at.as_millis()
        ])?;
    Ok(Some(new.clone()))
}

fn record(
    connection: &Connection,
    account: AccountId,
    name: &str,
) -> Result<Option<VerificationRecord>, Failure> {
    let found = connection
        .prepare_cached(concat!(
            "/* record */ SELECT ",
            columns!(),
            " FROM ownership_record WHERE account = ?1 AND name = ?2"
        ))?
        .query_row(params![account.0, name], read_record)
        .optional()?;
    Ok(found)
}

pub(super) fn records(
    connection: &Connection,
    account: AccountId,
) -> Result<Vec<VerificationRecord>, Failure> {
    let mut statement = connection.prepare_cached(concat!(
        "/* records */ SELECT ",
        columns!(),
        " FROM ownership_record WHERE account = ?1 ORDER BY name"
    ))?;
    let rows = statement.query_map([account.0], read_record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Writes a proof in place of an older one; of `most` others the one that ends first goes.
pub(super) fn put_proof(connection: &Connection, proof: &Proof, most: u32) -> Result<(), Failure> {
    let Proof { account, name, method, proved_at, expires_at } = proof;
    connection
        .prepare_cached(
            "/* put_proof */ INSERT INTO ownership_proof (account, name, method, proved_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET proved_at = excluded.proved_at, expires_at = excluded.expires_at",
        )?
        .execute(params![
            account.0,
            name,
            method.as_str(),
            proved_at.as_millis(),
            expires_at.as_millis()
        ])?;
    connection
        .prepare_cached(
            // `LIMIT -1` is no limit: SQLite has no OFFSET without one
            "/* put_proof: forget */ DELETE FROM ownership_proof WHERE account = ?1 AND
                 (expires_at <= ?2 OR (name, method) IN
                     (SELECT name, method FROM ownership_proof WHERE account = ?1
                      ORDER BY expires_at DESC, proved_at DESC LIMIT -1 OFFSET ?3))",
        )?
        .execute(params![account.0, proved_at.as_millis(), most])?;
    Ok(())
}

pub(super) fn proofs(connection: &Connection, account: AccountId) -> Result<Vec<Proof>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* proofs */ SELECT account, name, method, proved_at, expires_at
         FROM ownership_proof WHERE account = ?1 ORDER BY name, method",
    )?;
    let mut rows = statement.query([account.0])?;
    let mut proofs = Vec::new();
    while let Some(row) = rows.next()? {
        let method = match row.get_ref(2)?.as_str().map_err(Failure::corrupt)? {
            "dns" => Method::Dns,
            "file" => Method::File,
            _ => return Err(Failure::corrupt("a proof of an unknown kind")),
        };
        proofs.push(Proof {
            account: AccountId(row.get(0)?),
            name: row.get(1)?,
            method,
            proved_at: Timestamp::from_millis(row.get(3)?),
            expires_at: Timestamp::from_millis(row.get(4)?),
        });
    }
    Ok(proofs)
}

/// Ends what an account is to publish and has proved, where it is related to `claim`.
pub(super) fn end(connection: &Connection, account: AccountId, claim: &str) -> Result<(), Failure> {
    for record in records(connection, account)? {
        if are_related(&record.name, claim) {
            connection
                .prepare_cached(
                    "/* end record */ DELETE FROM ownership_record WHERE account = ?1 AND name = ?2",
                )?
                .execute(params![account.0, record.name])?;
        }
    }
    for proof in proofs(connection, account)? {
        if are_related(&proof.name, claim) {
            connection
                .prepare_cached(
                    "/* end proof */ DELETE FROM ownership_proof WHERE account = ?1 AND name = ?2",
                )?
                .execute(params![account.0, proof.name])?;
        }
    }
    Ok(())
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<VerificationRecord> {
    Ok(VerificationRecord {
        account: AccountId(row.get(0)?),
        name: row.get(1)?,
        token: row.get(2)?,
        created_at: Timestamp::from_millis(row.get(3)?),
        expires_at: Timestamp::from_millis(row.get(4)?),
    })
}
