//! Policies and to whom they are attached.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use stoker_domain::{
    account::{AccountId, Attachment, NamedPolicy, Principal, UserId},
    time::Timestamp,
};

use super::{
    Sqlite,
    failure::{self, Failure},
    session::Session,
    users,
};
use crate::{Error, ErrorKind, Policies};

#[async_trait]
impl Policies for Sqlite {
    async fn put_policy(&self, policy: &NamedPolicy) -> Result<(), Error> {
        let policy = policy.clone();
        self.write("put a policy", 1, move |c| put(c, &policy)).await
    }

    async fn remove_policy(&self, account: AccountId, name: &str) -> Result<bool, Error> {
        let name = name.to_owned();
        let work = move |c: &Session| remove(c, account, &name);
        self.write("remove a policy", 1, work).await
    }

    async fn policies(&self, account: AccountId) -> Result<Vec<NamedPolicy>, Error> {
        self.read("list policies", move |c| list(c, account)).await
    }

    async fn policies_of(&self, user: UserId) -> Result<Vec<(String, String)>, Error> {
        self.read("list the policies of a user", move |c| of_user(c, user)).await
    }

    async fn set_attachment(
        &self,
        account: AccountId,
        attachment: &Attachment,
        is_attached: bool,
    ) -> Result<(), Error> {
        let attachment = attachment.clone();
        let work = move |c: &Session| set_attachment(c, account, &attachment, is_attached);
        self.write("attach a policy", 1, work).await
    }

    async fn attachments(&self, account: AccountId) -> Result<Vec<Attachment>, Error> {
        self.read("list attachments", move |c| attachments(c, account)).await
    }
}

pub(super) fn put(connection: &Connection, policy: &NamedPolicy) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "/* put_policy */ INSERT INTO policy (account, name, document, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (account, name) DO UPDATE
             SET document = excluded.document, updated_at = excluded.updated_at",
        )?
        .execute(params![
            policy.account.0,
            policy.name,
            policy.text,
            policy.created_at.as_millis(),
            policy.updated_at.as_millis()
        ])?;
    Ok(())
}

pub(super) fn remove(
    connection: &Connection,
    account: AccountId,
    name: &str,
) -> Result<bool, Failure> {
    let removed = connection
        .prepare_cached("/* remove_policy */ DELETE FROM policy WHERE account = ?1 AND name = ?2")?
        .execute(params![account.0, name]);
    match removed {
        Ok(removed) => Ok(removed > 0),
        // the foreign keys of attachments refuse, which elsewhere means that something is missing
        Err(error) if failure::kind(&error) == ErrorKind::NotFound => {
            Err(Failure::new(ErrorKind::InUse))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn list(
    connection: &Connection,
    account: AccountId,
) -> Result<Vec<NamedPolicy>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* policies */ SELECT name, document, created_at, updated_at
         FROM policy WHERE account = ?1 ORDER BY name",
    )?;
    let rows = statement.query_map([account.0], |row| {
        Ok(NamedPolicy {
            account,
            name: row.get(0)?,
            text: row.get(1)?,
            created_at: Timestamp::from_millis(row.get(2)?),
            updated_at: Timestamp::from_millis(row.get(3)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Name and text of all policies of a user and its groups, each once, by name.
pub(super) fn of_user(
    connection: &Connection,
    user: UserId,
) -> Result<Vec<(String, String)>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* policies of a user */ SELECT name, document FROM policy
         WHERE id IN (SELECT policy FROM policy_user WHERE user = ?1)
            OR id IN (SELECT policy FROM group_member JOIN policy_group USING (user_group)
                      WHERE user = ?1)
         ORDER BY name",
    )?;
    let rows = statement.query_map([user.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn set_attachment(
    connection: &Connection,
    account: AccountId,
    attachment: &Attachment,
    is_attached: bool,
) -> Result<(), Failure> {
    let policy: i64 = connection
        .prepare_cached("/* policy */ SELECT id FROM policy WHERE account = ?1 AND name = ?2")?
        .query_row(params![account.0, attachment.policy], |row| row.get(0))
        .optional()?
        .ok_or_else(|| Failure::not_found("no such policy"))?;
    let (holder, add, remove) = match &attachment.to {
        Principal::User(user) => {
            users::check_user(connection, account, *user)?;
            (
                user.0,
                "/* attach to a user */ INSERT INTO policy_user (policy, user) VALUES (?1, ?2)
                 ON CONFLICT DO NOTHING",
                "/* detach from a user */ DELETE FROM policy_user WHERE policy = ?1 AND user = ?2",
            )
        }
        Principal::Group(group) => (
            users::group_number(connection, account, group)?,
            "/* attach to a group */ INSERT INTO policy_group (policy, user_group) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
            "/* detach from a group */ DELETE FROM policy_group
             WHERE policy = ?1 AND user_group = ?2",
        ),
    };
    let change = if is_attached { add } else { remove };
    connection.prepare_cached(change)?.execute([policy, holder])?;
    Ok(())
}

pub(super) fn attachments(
    connection: &Connection,
    account: AccountId,
) -> Result<Vec<Attachment>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* attachments */ SELECT name, user, NULL
             FROM policy JOIN policy_user ON policy = policy.id WHERE account = ?1
         UNION ALL SELECT policy.name, NULL, user_group.name
             FROM policy JOIN policy_group ON policy = policy.id
             JOIN user_group ON user_group = user_group.id WHERE policy.account = ?1",
    )?;
    let mut rows = statement.query([account.0])?;
    let mut attachments = Vec::new();
    while let Some(row) = rows.next()? {
        let to = match row.get::<_, Option<i64>>(1)? {
            Some(user) => Principal::User(UserId(user)),
            None => Principal::Group(row.get(2)?),
        };
        attachments.push(Attachment { policy: row.get(0)?, to });
    }
    attachments.sort();
    Ok(attachments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema;

    #[test]
    fn a_policy_is_in_use_only_where_an_attachment_keeps_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let fill = "INSERT INTO account (id, uin, app_id, created_at) VALUES (1, 'u', 1, 1);
            INSERT INTO user (id, account, uin, name, is_enabled, created_at)
                VALUES (1, 1, 'v', 'v', 1, 1);
            INSERT INTO policy (id, account, name, document, created_at, updated_at)
                VALUES (1, 1, 'p', '{}', 1, 1);
            INSERT INTO policy_user (policy, user) VALUES (1, 1);";
        connection.execute_batch(fill).unwrap();
        let remove = || remove(&connection, AccountId(1), "p");
        let refusal = || remove().unwrap_err().into_error("remove a policy").kind;
        assert_eq!(refusal(), ErrorKind::InUse);
        connection.execute_batch("DELETE FROM policy_user; PRAGMA query_only = 1").unwrap();
        assert_eq!(refusal(), ErrorKind::ReadOnly);
        connection.execute_batch("PRAGMA query_only = 0").unwrap();
        assert!(remove().unwrap());
    }
}
