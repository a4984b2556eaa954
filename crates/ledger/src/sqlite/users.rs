//! Users and groups.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use stoker_domain::{
    account::{AccountId, Group, User, UserId},
    time::Timestamp,
};

use super::{Sqlite, failure::Failure, session::Session};
use crate::{Error, Users};

/// The columns of [`read`], in order.
macro_rules! columns {
    () => {
        "id, account, uin, name, is_enabled, created_at"
    };
}

#[async_trait]
impl Users for Sqlite {
    async fn create_user(&self, user: &User) -> Result<UserId, Error> {
        let user = user.clone();
        self.write("create a user", 1, move |c| create(c, &user)).await
    }

    async fn change_user(&self, user: &User) -> Result<(), Error> {
        let user = user.clone();
        self.write("change a user", 1, move |c| change(c, &user)).await
    }

    async fn remove_user(&self, user: UserId) -> Result<bool, Error> {
        self.write("remove a user", 1, move |c| remove(c, user)).await
    }

    async fn users(&self, account: AccountId) -> Result<Vec<User>, Error> {
        self.read("list users", move |c| list(c, account)).await
    }

    async fn create_group(&self, group: &Group) -> Result<(), Error> {
        let group = group.clone();
        self.write("create a group", 1, move |c| create_group(c, &group)).await
    }

    async fn remove_group(&self, account: AccountId, name: &str) -> Result<bool, Error> {
        let name = name.to_owned();
        let work = move |c: &Session| remove_group(c, account, &name);
        self.write("remove a group", 1, work).await
    }

    async fn groups(&self, account: AccountId) -> Result<Vec<Group>, Error> {
        self.read("list groups", move |c| groups(c, account)).await
    }

    async fn set_member(
        &self,
        account: AccountId,
        group: &str,
        user: UserId,
        is_member: bool,
    ) -> Result<(), Error> {
        let group = group.to_owned();
        let work = move |c: &Session| set_member(c, account, &group, user, is_member);
        self.write("change a group", 1, work).await
    }
}

pub(super) fn create(connection: &Connection, user: &User) -> Result<UserId, Failure> {
    let id = connection
        .prepare_cached(
            "/* create_user */ INSERT INTO user (account, uin, name, created_at, is_enabled)
             VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
        )?
        .query_row(
            params![
                user.account.0,
                user.uin,
                user.name,
                user.created_at.as_millis(),
                user.is_enabled
            ],
            |row| row.get(0),
        )?;
    Ok(UserId(id))
}

pub(super) fn change(connection: &Connection, user: &User) -> Result<(), Failure> {
    let changed = connection
        .prepare_cached(
            "/* change_user */ UPDATE user SET name = ?2, is_enabled = ?3 WHERE id = ?1",
        )?
        .execute(params![user.id.0, user.name, user.is_enabled])?;
    if changed == 0 { Err(Failure::not_found("no such user")) } else { Ok(()) }
}

pub(super) fn remove(connection: &Connection, user: UserId) -> Result<bool, Failure> {
    let removed = connection
        .prepare_cached("/* remove_user */ DELETE FROM user WHERE id = ?1")?
        .execute([user.0])?;
    Ok(removed > 0)
}

pub(super) fn list(connection: &Connection, account: AccountId) -> Result<Vec<User>, Failure> {
    let mut statement = connection.prepare_cached(concat!(
        "/* users */ SELECT ",
        columns!(),
        " FROM user WHERE account = ?1 ORDER BY id"
    ))?;
    let rows = statement.query_map([account.0], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn find(connection: &Connection, id: UserId) -> Result<User, Failure> {
    let user = connection
        .prepare_cached(concat!("/* user */ SELECT ", columns!(), " FROM user WHERE id = ?1"))?
        .query_row([id.0], read)?;
    Ok(user)
}

fn read(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId(row.get(0)?),
        account: AccountId(row.get(1)?),
        uin: row.get(2)?,
        name: row.get(3)?,
        is_enabled: row.get(4)?,
        created_at: Timestamp::from_millis(row.get(5)?),
    })
}

pub(super) fn create_group(connection: &Connection, group: &Group) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "/* create_group */ INSERT INTO user_group (account, name, created_at)
             VALUES (?1, ?2, ?3)",
        )?
        .execute(params![group.account.0, group.name, group.created_at.as_millis()])?;
    Ok(())
}

pub(super) fn remove_group(
    connection: &Connection,
    account: AccountId,
    name: &str,
) -> Result<bool, Failure> {
    let removed = connection
        .prepare_cached(
            "/* remove_group */ DELETE FROM user_group WHERE account = ?1 AND name = ?2",
        )?
        .execute(params![account.0, name])?;
    Ok(removed > 0)
}

pub(super) fn groups(connection: &Connection, account: AccountId) -> Result<Vec<Group>, Failure> {
    let mut statement = connection.prepare_cached(
        "/* groups */ SELECT name, created_at, user
         FROM user_group LEFT JOIN group_member ON user_group = user_group.id
         WHERE account = ?1 ORDER BY name, user",
    )?;
    let mut rows = statement.query([account.0])?;
    let mut groups = BTreeMap::<String, Group>::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let created_at = Timestamp::from_millis(row.get(1)?);
        let group = groups.entry(name.clone());
        let group = group.or_insert(Group { account, name, members: Vec::new(), created_at });
        group.members.extend(row.get::<_, Option<i64>>(2)?.map(UserId));
    }
    Ok(groups.into_values().collect())
}

pub(super) fn set_member(
    connection: &Connection,
    account: AccountId,
    group: &str,
    user: UserId,
    is_member: bool,
) -> Result<(), Failure> {
    let group = group_number(connection, account, group)?;
    let change = if is_member {
        check_user(connection, account, user)?;
        "/* add a member */ INSERT INTO group_member (user_group, user) VALUES (?1, ?2)
         ON CONFLICT DO NOTHING"
    } else {
        "/* remove a member */ DELETE FROM group_member WHERE user_group = ?1 AND user = ?2"
    };
    connection.prepare_cached(change)?.execute([group, user.0])?;
    Ok(())
}

/// The row number of a group.
pub(super) fn group_number(
    connection: &Connection,
    account: AccountId,
    name: &str,
) -> Result<i64, Failure> {
    connection
        .prepare_cached("/* group */ SELECT id FROM user_group WHERE account = ?1 AND name = ?2")?
        .query_row(params![account.0, name], |row| row.get(0))
        .optional()?
        .ok_or_else(|| Failure::not_found("no such group"))
}

/// Fails unless the user is in the account.
pub(super) fn check_user(
    connection: &Connection,
    account: AccountId,
    user: UserId,
) -> Result<(), Failure> {
    let is_there = connection
        .prepare_cached("/* is a user there */ SELECT 1 FROM user WHERE id = ?1 AND account = ?2")?
        .exists([user.0, account.0])?;
    if is_there { Ok(()) } else { Err(Failure::not_found("no such user")) }
}
