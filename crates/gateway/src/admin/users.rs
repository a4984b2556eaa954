//! Users and groups: add, list, show, switch, remove, join and leave. The rules are the engine's.

use http::StatusCode;
use stoker_domain::account::{Account, Attachment, Group, Principal, User};
use stoker_engine::{IdentityError, IdentityKind};

use super::{
    api::identity as api,
    call::{Call, Reply},
    named_account,
    page::aged,
    problem::Error,
    time::rfc3339,
};

pub(super) async fn add(call: Call) -> Result<Reply, Error> {
    let new: api::NewName = call.json()?;
    let account = named_account::of_call(&call).await?;
    let user = call.gateway.engine.create_user(account.id, &new.name).await?;
    tracing::info!(account = account.uin, user = user.uin, "user added");
    let view = Roster::default().user(&user);
    Ok(Reply::json(StatusCode::CREATED, &view))
}

pub(super) async fn list(call: Call) -> Result<Reply, Error> {
    let (account, listing) = named_account::of_list(&call).await?;
    let roster = Roster::of(&call, &account).await?;
    // oldest first
    let page =
        listing.page(roster.users.iter().collect(), |user| aged(user.created_at, &user.uin))?;
    let users = page.rows.into_iter().map(|user| roster.user(user)).collect();
    Ok(Reply::json(StatusCode::OK, &api::Users { users, next: page.next }))
}

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let name = call.segment().await?;
    let account = named_account::of_call(&call).await?;
    let user = call.gateway.engine.user(account.id, &name).await?;
    Ok(Reply::json(StatusCode::OK, &Roster::of(&call, &account).await?.user(&user)))
}

pub(super) async fn change(mut call: Call) -> Result<Reply, Error> {
    let name = call.segment().await?;
    let api::Switch { is_enabled } = call.json()?;
    let account = named_account::of_call(&call).await?;
    let user = call.gateway.engine.enable_user(account.id, &name, is_enabled).await?;
    tracing::info!(account = account.uin, user = user.uin, is_enabled, "user switched");
    Ok(Reply::json(StatusCode::OK, &Roster::of(&call, &account).await?.user(&user)))
}

pub(super) async fn remove(mut call: Call) -> Result<Reply, Error> {
    let name = call.segment().await?;
    let account = named_account::of_call(&call).await?;
    let user = call.gateway.engine.remove_user(account.id, &name).await?;
    tracing::info!(account = account.uin, user = user.uin, "user removed");
    Ok(Reply::empty())
}

pub(super) async fn add_group(call: Call) -> Result<Reply, Error> {
    let new: api::NewName = call.json()?;
    let account = named_account::of_call(&call).await?;
    let group = call.gateway.engine.create_group(account.id, &new.name).await?;
    tracing::info!(account = account.uin, group = group.name, "group added");
    Ok(Reply::json(StatusCode::CREATED, &Roster::default().group(&group)))
}

pub(super) async fn list_groups(call: Call) -> Result<Reply, Error> {
    let (account, listing) = named_account::of_list(&call).await?;
    let roster = Roster::of(&call, &account).await?;
    let page = listing.page(roster.groups.iter().collect(), |group| group.name.clone())?;
    let groups = page.rows.into_iter().map(|group| roster.group(group)).collect();
    Ok(Reply::json(StatusCode::OK, &api::Groups { groups, next: page.next }))
}

pub(super) async fn show_group(mut call: Call) -> Result<Reply, Error> {
    let name = call.segment().await?;
    let account = named_account::of_call(&call).await?;
    group(&call, &account, &name).await
}

pub(super) async fn remove_group(mut call: Call) -> Result<Reply, Error> {
    let name = call.segment().await?;
    let account = named_account::of_call(&call).await?;
    call.gateway.engine.remove_group(account.id, &name).await?;
    tracing::info!(account = account.uin, group = name, "group removed");
    Ok(Reply::empty())
}

pub(super) async fn join(mut call: Call) -> Result<Reply, Error> {
    let name = call.segment().await?;
    let api::NewMember { user } = call.json()?;
    let account = named_account::of_call(&call).await?;
    call.gateway.engine.set_member(account.id, &name, &user, true).await?;
    tracing::info!(account = account.uin, group = name, user, "user joined a group");
    group(&call, &account, &name).await
}

pub(super) async fn leave(mut call: Call) -> Result<Reply, Error> {
    let (name, user) = call.segments().await?;
    let account = named_account::of_call(&call).await?;
    call.gateway.engine.set_member(account.id, &name, &user, false).await?;
    tracing::info!(account = account.uin, group = name, user, "user left a group");
    Ok(Reply::empty())
}

async fn group(call: &Call, account: &Account, name: &str) -> Result<Reply, Error> {
    let roster = Roster::of(call, account).await?;
    let Some(group) = roster.groups.iter().find(|group| group.name == name) else {
        return Err(IdentityError::Unknown { kind: IdentityKind::Group, name: name.into() }.into());
    };
    Ok(Reply::json(StatusCode::OK, &roster.group(group)))
}

/// Who is in an account and what they have, so that numbers get their names.
#[derive(Default)]
struct Roster {
    users: Vec<User>,
    groups: Vec<Group>,
    attachments: Vec<Attachment>,
}

impl Roster {
    async fn of(call: &Call, account: &Account) -> Result<Self, Error> {
        let engine = &call.gateway.engine;
        let users = engine.users(account.id).await?;
        let groups = engine.groups(account.id).await?;
        let attachments = engine.attachments(account.id).await?;
        Ok(Self { users, groups, attachments })
    }

    fn user(&self, user: &User) -> api::UserView {
        let groups = self.groups.iter().filter(|group| group.members.contains(&user.id));
        api::UserView {
            uin: user.uin.clone(),
            name: user.name.clone(),
            is_enabled: user.is_enabled,
            groups: groups.map(|group| group.name.clone()).collect(),
            policies: self.policies(&Principal::User(user.id)),
            created_at: rfc3339(user.created_at),
        }
    }

    fn group(&self, group: &Group) -> api::GroupView {
        let members = self.users.iter().filter(|user| group.members.contains(&user.id));
        api::GroupView {
            name: group.name.clone(),
            members: members.map(|user| user.name.clone()).collect(),
            policies: self.policies(&Principal::Group(group.name.clone())),
            created_at: rfc3339(group.created_at),
        }
    }

    fn policies(&self, of: &Principal) -> Vec<String> {
        let theirs = self.attachments.iter().filter(|attachment| attachment.to == *of);
        theirs.map(|attachment| attachment.policy.clone()).collect()
    }
}
