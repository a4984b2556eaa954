//! Policies: put, list, show, remove, attach and detach. The rules are the engine's.

use http::StatusCode;
use stoker_domain::account::{Account, Attachment, NamedPolicy, Principal, User};

use super::{
    api::identity as api,
    call::{Call, Reply},
    invalid::ContentError,
    named_account,
    problem::Error,
    time::rfc3339,
};

/// The word that stands where a policy's name would: policies of that name are served by the same
/// handlers without it.
pub(super) const TEST: &str = "test";

pub(super) async fn put(call: Call) -> Result<Reply, Error> {
    let new: api::NewPolicy = call.json()?;
    let account = named_account::of_call(&call).await?;
    let engine = &call.gateway.engine;
    let policy = engine.put_policy(account.id, &new.name, &new.document).await?;
    tracing::info!(account = account.uin, policy = policy.name, "policy put");
    shown(&call, &account, &policy.name).await
}

pub(super) async fn list(call: Call) -> Result<Reply, Error> {
    let (account, listing) = named_account::of_list(&call).await?;
    let engine = &call.gateway.engine;
    let users = engine.users(account.id).await?;
    let attachments = engine.attachments(account.id).await?;
    let policies = engine.policies(account.id).await?;
    let without_text = |policy: &NamedPolicy| api::PolicyView {
        document: None,
        ..view(&users, &attachments, policy)
    };
    let page = listing.page(policies, |policy| policy.name.clone())?;
    let policies = page.rows.iter().map(without_text).collect();
    Ok(Reply::json(StatusCode::OK, &api::Policies { policies, next: page.next }))
}

pub(super) async fn show(mut call: Call) -> Result<Reply, Error> {
    let name = name(&mut call).await?;
    let account = named_account::of_call(&call).await?;
    shown(&call, &account, &name).await
}

pub(super) async fn remove(mut call: Call) -> Result<Reply, Error> {
    let name = name(&mut call).await?;
    let account = named_account::of_call(&call).await?;
    call.gateway.engine.remove_policy(account.id, &name).await?;
    tracing::info!(account = account.uin, policy = name, "policy removed");
    Ok(Reply::empty())
}

pub(super) async fn attach(call: Call) -> Result<Reply, Error> {
    set(call, true).await
}

pub(super) async fn detach(call: Call) -> Result<Reply, Error> {
    set(call, false).await
}

async fn set(mut call: Call, is_attached: bool) -> Result<Reply, Error> {
    let name = name(&mut call).await?;
    let holder: api::Holder = call.json()?;
    let account = named_account::of_call(&call).await?;
    let engine = &call.gateway.engine;
    let to = match holder {
        api::Holder { user: Some(user), group: None } => {
            Principal::User(engine.user(account.id, &user).await?.id)
        }
        api::Holder { user: None, group: Some(group) } => Principal::Group(group),
        _ => return Err(ContentError::Nothing("either `user` or `group`").into()),
    };
    engine.set_attachment(account.id, &name, to, is_attached).await?;
    tracing::info!(account = account.uin, policy = name, is_attached, "attachment set");
    shown(&call, &account, &name).await
}

/// The name in the path.
async fn name(call: &mut Call) -> Result<String, Error> {
    match call.segment().await {
        Err(Error::Page) => Ok(TEST.into()),
        segment => segment,
    }
}

async fn shown(call: &Call, account: &Account, name: &str) -> Result<Reply, Error> {
    let engine = &call.gateway.engine;
    let policy = engine.policy(account.id, name).await?;
    let users = engine.users(account.id).await?;
    let attachments = engine.attachments(account.id).await?;
    Ok(Reply::json(StatusCode::OK, &view(&users, &attachments, &policy)))
}

fn view(users: &[User], attachments: &[Attachment], policy: &NamedPolicy) -> api::PolicyView {
    let mut view = api::PolicyView {
        name: policy.name.clone(),
        users: Vec::new(),
        groups: Vec::new(),
        document: Some(policy.text.clone()),
        created_at: rfc3339(policy.created_at),
        updated_at: rfc3339(policy.updated_at),
    };
    for attachment in attachments.iter().filter(|attachment| attachment.policy == policy.name) {
        match &attachment.to {
            Principal::User(id) => {
                let user = users.iter().find(|user| user.id == *id);
                view.users.extend(user.map(|user| user.name.clone()));
            }
            Principal::Group(name) => view.groups.push(name.clone()),
        }
    }
    view
}
