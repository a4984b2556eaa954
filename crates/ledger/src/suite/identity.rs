//! Keys, users, groups and policies.

use std::{collections::BTreeSet, sync::Arc};

use stoker_domain::account::{
    AccessKey, Account, AccountId, Attachment, Feature, Group, NamedPolicy, Principal, Service,
    Temporary, User, UserId,
};

use super::fixture::{Fixture, T0, at};
use crate::{ErrorKind, Ledger};

fn key(secret_id: &str, account: AccountId, user: Option<UserId>) -> AccessKey {
    AccessKey {
        secret_id: secret_id.into(),
        secret_key: "s3cret".into(),
        account,
        user,
        is_enabled: true,
        created_at: T0,
        last_used_at: None,
        temporary: None,
    }
}

fn new_user(account: AccountId, name: &str, uin: &str) -> User {
    User {
        id: UserId(0),
        account,
        uin: uin.into(),
        name: name.into(),
        is_enabled: true,
        created_at: at(3),
    }
}

/// Writes a user; what was written.
async fn user(ledger: &dyn Ledger, account: AccountId, name: &str, uin: &str) -> User {
    let mut user = new_user(account, name, uin);
    user.id = ledger.create_user(&user).await.expect("create a user");
    user
}

async fn group(ledger: &dyn Ledger, account: AccountId, name: &str) {
    let group = Group { account, name: name.into(), members: Vec::new(), created_at: at(4) };
    ledger.create_group(&group).await.expect("create a group");
}

async fn policy(ledger: &dyn Ledger, account: AccountId, name: &str, text: &str) -> NamedPolicy {
    let policy = NamedPolicy {
        account,
        name: name.into(),
        text: text.into(),
        created_at: at(5),
        updated_at: at(5),
    };
    ledger.put_policy(&policy).await.expect("put a policy");
    policy
}

fn attached(policy: &str, to: Principal) -> Attachment {
    Attachment { policy: policy.into(), to }
}

pub async fn an_account_is_named_and_disabled(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, .. } = Fixture::new(ledger).await;
    let accounts = ledger.accounts().await.expect("accounts");
    let service = Service::AwaitingApproval;
    let closed = BTreeSet::from([Feature::DisableRange, Feature::EdgePrefetch]);
    let name = "ops".into();
    let changed = Account { name, is_enabled: false, service, closed, ..accounts[0].clone() };
    assert_eq!(changed.id, account);
    ledger.change_account(&changed).await.expect("change");
    let after = ledger.accounts().await.expect("accounts");
    assert_eq!(after, [changed.clone(), accounts[1].clone()]);
    let nobody = Account { id: AccountId(404), ..changed };
    let error = ledger.change_account(&nobody).await.expect_err("nobody");
    assert_eq!(error.kind, ErrorKind::NotFound);
}

pub async fn a_key_is_found_by_its_public_half_and_replaced(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let key = key("AKIDexample", account, None);
    assert_eq!(ledger.key("AKIDexample").await.expect("key"), None);
    ledger.put_key(key.clone()).await.expect("put key");
    assert_eq!(ledger.key("AKIDexample").await.expect("key"), Some(key.clone()));
    let other =
        AccessKey { secret_key: "other".into(), account: stranger, is_enabled: false, ..key };
    let later = AccessKey { created_at: at(5), last_used_at: Some(at(6)), ..other.clone() };
    ledger.put_key(later).await.expect("put key");
    assert_eq!(ledger.key("AKIDexample").await.expect("key"), Some(other));
    assert_eq!(ledger.key("akidexample").await.expect("key"), None);
    assert!(ledger.remove_key("AKIDexample").await.expect("remove"));
    assert!(!ledger.remove_key("AKIDexample").await.expect("remove"));
    assert_eq!(ledger.key("AKIDexample").await.expect("key"), None);
}

pub async fn keys_are_listed_by_account_and_their_use_is_noted(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let user = user(&*ledger, account, "u", "200000000001").await;
    let mut first = key("b", account, None);
    let second = AccessKey { created_at: at(1), ..key("a", account, Some(user.id)) };
    for key in [&second, &first, &key("c", stranger, None)] {
        ledger.put_key(key.clone()).await.expect("put key");
    }
    let keys = async || ledger.keys(account).await.expect("keys");
    assert_eq!(keys().await, [first.clone(), second.clone()]);
    let note = async |seconds| {
        let uses = vec![("b".into(), at(seconds)), ("gone".into(), at(seconds))];
        ledger.keys_used(uses).await.expect("note");
    };
    for (noted, expected) in [(10, 10), (20, 20), (15, 20)] {
        note(noted).await;
        first.last_used_at = Some(at(expected));
        assert_eq!(keys().await, [first.clone(), second.clone()]);
    }
    let page = ledger.keys_after("a", 1).await.expect("keys");
    assert_eq!(page, [first]);
    assert_eq!(ledger.keys_after("c", 9).await.expect("keys"), []);
    let secrets = vec![("a".into(), "new".into()), ("gone".into(), "x".into())];
    ledger.reseal_keys(secrets).await.expect("reseal");
    let resealed = AccessKey { secret_key: "new".into(), ..second };
    assert_eq!(ledger.key("a").await.expect("key"), Some(resealed));
    assert_eq!(ledger.key("gone").await.expect("key"), None);
}

pub async fn temporary_keys_are_kept_apart_and_swept(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let temporary = |id: &str, account, end| {
        let policy = (end == 1).then(|| "{}".to_owned());
        let temporary = Temporary { token_hash: [7; 32], expires_at: at(end), policy };
        AccessKey { temporary: Some(temporary), ..key(id, account, None) }
    };
    ledger.put_key(key("lasting", account, None)).await.expect("put");
    for (id, account, end) in [
        ("1", account, 1),
        ("2", account, 2),
        ("3", account, 3),
        ("9", account, 9),
        ("s", stranger, 1),
    ] {
        let key = temporary(id, account, end);
        ledger.put_key(key.clone()).await.expect("put");
        assert_eq!(ledger.key(id).await.expect("key"), Some(key));
    }
    assert_eq!(ledger.keys(account).await.expect("keys").len(), 1);
    let of_account = async |now| ledger.temporary_keys(account, at(now)).await.expect("keys");
    let running = of_account(2).await;
    let ids: Vec<_> = running.iter().map(|key| key.secret_id.as_str()).collect();
    assert_eq!(ids, ["3", "9"], "those that have not ended, the soonest first");
    assert_eq!(running[0], temporary("3", account, 3));
    let sweep = async |now, most| ledger.sweep_keys(account, at(now), most).await.expect("sweep");
    assert_eq!(sweep(0, 10).await, 4);
    assert_eq!(sweep(3, 2).await, 2, "no more than two");
    assert_eq!(ledger.key("1").await.expect("key"), None, "the oldest first");
    assert!(ledger.key("3").await.expect("key").is_some());
    assert_eq!(sweep(3, 10).await, 1);
    assert!(ledger.key("s").await.expect("key").is_some(), "of another account");
    assert!(ledger.key("lasting").await.expect("key").is_some());
}

pub async fn users_are_kept_whole_with_names_of_their_account(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let one = user(&*ledger, account, "one", "200000000001").await;
    let mut two = user(&*ledger, account, "two", "200000000002").await;
    let other = user(&*ledger, stranger, "one", "200000000003").await;
    assert_eq!(ledger.users(account).await.expect("users"), [one.clone(), two.clone()]);
    assert_eq!(ledger.users(stranger).await.expect("users"), [other]);
    for (account, name, uin, kind) in [
        (account, "one", "200000000009", ErrorKind::Conflict),
        (account, "three", "200000000003", ErrorKind::Conflict),
        (AccountId(404), "three", "200000000009", ErrorKind::NotFound),
    ] {
        let new = new_user(account, name, uin);
        assert_eq!(ledger.create_user(&new).await.expect_err("refused").kind, kind);
    }
    two.is_enabled = false;
    two.name = "zwei".into();
    ledger.change_user(&two).await.expect("change");
    assert_eq!(ledger.users(account).await.expect("users"), [one, two.clone()]);
    assert!(ledger.remove_user(two.id).await.expect("remove"));
    assert!(!ledger.remove_user(two.id).await.expect("remove"));
    let error = ledger.change_user(&two).await.expect_err("it is gone");
    assert_eq!(error.kind, ErrorKind::NotFound);
    let next = user(&*ledger, account, "two", "200000000002").await;
    assert_ne!(next.id, two.id, "no number is given twice");
}

pub async fn groups_have_members_of_their_account(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let one = user(&*ledger, account, "one", "200000000001").await.id;
    let two = user(&*ledger, account, "two", "200000000002").await.id;
    let other = user(&*ledger, stranger, "one", "200000000003").await.id;
    group(&*ledger, account, "g").await;
    group(&*ledger, account, "empty").await;
    group(&*ledger, stranger, "g").await;
    let again = Group { account, name: "g".into(), members: Vec::new(), created_at: T0 };
    let error = ledger.create_group(&again).await.expect_err("it is there");
    assert_eq!(error.kind, ErrorKind::Conflict);
    for user in [two, one, one] {
        ledger.set_member(account, "g", user, true).await.expect("add");
    }
    for (group, user) in [("none", one), ("g", other), ("g", UserId(404))] {
        let error = ledger.set_member(account, group, user, true).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::NotFound);
    }
    let members = async || {
        let groups = ledger.groups(account).await.expect("groups");
        groups.into_iter().map(|group| (group.name, group.members)).collect::<Vec<_>>()
    };
    assert_eq!(members().await, [("empty".into(), vec![]), ("g".into(), vec![one, two])]);
    ledger.set_member(account, "g", one, false).await.expect("take out");
    ledger.set_member(account, "g", one, false).await.expect("take out");
    assert_eq!(members().await[1].1, [two]);
    ledger.remove_user(two).await.expect("remove");
    assert_eq!(members().await[1].1, []);
    assert!(ledger.remove_group(account, "g").await.expect("remove"));
    assert!(!ledger.remove_group(account, "g").await.expect("remove"));
    assert_eq!(ledger.groups(stranger).await.expect("groups").len(), 1);
}

pub async fn policies_are_kept_and_stay_while_they_are_attached(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, stranger } = Fixture::new(ledger).await;
    let user = user(&*ledger, account, "one", "200000000001").await.id;
    group(&*ledger, account, "g").await;
    let b = policy(&*ledger, account, "b", "{}").await;
    let mut a = policy(&*ledger, account, "a", "{}").await;
    policy(&*ledger, stranger, "a", "[]").await;
    a = NamedPolicy { text: "{ }".into(), updated_at: at(9), ..a };
    let late = NamedPolicy { created_at: at(9), ..a.clone() };
    ledger.put_policy(&late).await.expect("replace");
    assert_eq!(ledger.policies(account).await.expect("policies"), [a, b]);
    let all = [
        attached("a", Principal::User(user)),
        attached("a", Principal::Group("g".into())),
        attached("b", Principal::Group("g".into())),
    ];
    for attachment in all.iter().chain(&all) {
        ledger.set_attachment(account, attachment, true).await.expect("attach");
    }
    assert_eq!(ledger.attachments(account).await.expect("attachments"), all);
    assert_eq!(ledger.attachments(stranger).await.expect("attachments"), []);
    for wrong in [
        attached("none", Principal::User(user)),
        attached("a", Principal::User(UserId(404))),
        attached("a", Principal::Group("none".into())),
    ] {
        let error = ledger.set_attachment(account, &wrong, true).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::NotFound, "{wrong:?}");
    }
    let foreign = ledger.set_attachment(stranger, &all[0], true).await.expect_err("foreign");
    assert_eq!(foreign.kind, ErrorKind::NotFound);
    let error = ledger.remove_policy(account, "a").await.expect_err("it is attached");
    assert_eq!(error.kind, ErrorKind::InUse);
    for attachment in &all[..2] {
        ledger.set_attachment(account, attachment, false).await.expect("detach");
    }
    assert!(ledger.remove_policy(account, "a").await.expect("remove"));
    assert!(!ledger.remove_policy(account, "a").await.expect("remove"));
    ledger.remove_group(account, "g").await.expect("remove");
    assert!(ledger.remove_policy(account, "b").await.expect("nobody has it any more"));
}

pub async fn an_identity_has_the_policies_of_a_user_and_its_groups(ledger: Arc<dyn Ledger>) {
    let Fixture { ledger, account, .. } = Fixture::new(ledger).await;
    let user = user(&*ledger, account, "one", "200000000001").await;
    for name in ["direct", "both", "grouped", "elsewhere"] {
        policy(&*ledger, account, name, name).await;
    }
    for name in ["in", "out"] {
        group(&*ledger, account, name).await;
    }
    ledger.set_member(account, "in", user.id, true).await.expect("add");
    let (to, group) = (Principal::User(user.id), |name: &str| Principal::Group(name.into()));
    for attachment in [
        attached("direct", to.clone()),
        attached("both", to),
        attached("both", group("in")),
        attached("grouped", group("in")),
        attached("elsewhere", group("out")),
    ] {
        ledger.set_attachment(account, &attachment, true).await.expect("attach");
    }
    ledger.put_key(key("root", account, None)).await.expect("put");
    ledger.put_key(key("users", account, Some(user.id))).await.expect("put");
    let identity = async |id: &str| ledger.identity(id).await.expect("identity");
    let root = identity("root").await.expect("it is there");
    assert_eq!((root.account.id, root.user, root.policies), (account, None, vec![]));
    let found = identity("users").await.expect("it is there");
    assert_eq!((found.user, found.key.user), (Some(user.clone()), Some(user.id)));
    let expected = ["both", "direct", "grouped"].map(|name| (name.into(), name.into()));
    assert_eq!(found.policies, expected);
    assert_eq!(ledger.policies_of(user.id).await.expect("policies"), expected);
    assert_eq!(identity("nobody").await, None);
    ledger.remove_user(user.id).await.expect("remove");
    assert_eq!(identity("users").await, None, "keys go with their user");
}
