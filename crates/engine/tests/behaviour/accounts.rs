//! Accounts, users, groups, policies and keys: who stands behind a key and what it may do.

use std::{sync::Arc, time::Duration};

use stoker_domain::{
    account::{AccessKey, Principal},
    policy::{Action, Call, Context, Decision, Resource},
};
use stoker_engine::{Engine, IdentityError, IdentityKind, MAX_KEYS};

use crate::fixture::Fixture;

const PUSH: &str =
    r#"{"version":"2.0","statement":{"effect":"allow","action":"cdn:Push*","resource":"*"}}"#;
const ALL: &str = r#"{"version":"2.0","statement":{"effect":"allow","action":"*","resource":"*"}}"#;
const NO_PURGE: &str =
    r#"{"version":"2.0","statement":{"effect":"deny","action":"cdn:Purge*","resource":"*"}}"#;

fn action(name: &str) -> Action {
    Action { service: "cdn".into(), name: name.into() }
}

/// Whether the key may do this to a domain; nothing for a key that is not known.
async fn may(engine: &Engine, key: &AccessKey, name: &str) -> Option<bool> {
    let caller = engine.caller(&key.secret_id).await.unwrap()?;
    let action = action(name);
    let resources = [Resource::new("cdn", &caller.account.uin, "domain/www.example.com")];
    let call = Call { action: &action, resources: &resources, context: &Context::default() };
    let is_allowed = caller.decide(&call).is_allowed();
    assert_eq!(caller.may_somewhere(&action), is_allowed, "{name}");
    Some(is_allowed)
}

#[tokio::test]
async fn a_key_is_found_until_it_is_disabled() {
    let fixture = Fixture::new().await;
    let key = |secret: &str, is_enabled| AccessKey {
        secret_id: "id".into(),
        secret_key: secret.into(),
        account: fixture.account.id,
        user: None,
        is_enabled,
        created_at: fixture.account.created_at,
        last_used_at: None,
        temporary: None,
    };
    assert!(fixture.engine.caller("id").await.unwrap().is_none());
    fixture.engine.put_key(key("first", true)).await.unwrap();
    for _ in 0..2 {
        let caller = fixture.engine.caller("id").await.unwrap().unwrap();
        assert_eq!((&caller.account, caller.key.secret_key.as_str()), (&fixture.account, "first"));
    }
    fixture.engine.put_key(key("second", true)).await.unwrap();
    let caller = fixture.engine.caller("id").await.unwrap().unwrap();
    assert_eq!(caller.key.secret_key, "second");
    fixture.engine.put_key(key("second", false)).await.unwrap();
    assert!(fixture.engine.caller("id").await.unwrap().is_none());
}

#[tokio::test]
async fn a_user_may_do_what_its_policies_and_those_of_its_groups_say() {
    let Fixture { engine, account, .. } = &Fixture::new().await;
    let id = account.id;
    let user = engine.create_user(id, "ops").await.unwrap();
    assert!(user.uin.len() == 12 && user.uin != account.uin, "{}", user.uin);
    let key = engine.create_key(id, Some(user.id)).await.unwrap();
    let root = engine.create_key(id, None).await.unwrap();
    assert_eq!(may(engine, &root, "PurgeUrlsCache").await, Some(true));
    assert_eq!(may(engine, &key, "PushUrlsCache").await, Some(false));
    engine.put_policy(id, "push", PUSH).await.unwrap();
    engine.set_attachment(id, "push", Principal::User(user.id), true).await.unwrap();
    assert_eq!(may(engine, &key, "PushUrlsCache").await, Some(true));
    assert_eq!(may(engine, &key, "PurgeUrlsCache").await, Some(false));
    engine.create_group(id, "all").await.unwrap();
    engine.put_policy(id, "all", ALL).await.unwrap();
    engine.set_attachment(id, "all", Principal::Group("all".into()), true).await.unwrap();
    assert_eq!(may(engine, &key, "PurgeUrlsCache").await, Some(false));
    engine.set_member(id, "all", "ops", true).await.unwrap();
    assert_eq!(may(engine, &key, "PurgeUrlsCache").await, Some(true));
    // a change of the text holds at once, and a deny wins
    engine.put_policy(id, "push", NO_PURGE).await.unwrap();
    let caller = engine.caller(&key.secret_id).await.unwrap().unwrap();
    let purge = action("PurgeUrlsCache");
    let call = Call { action: &purge, resources: &[], context: &Context::default() };
    let decision = caller.decide(&call);
    assert_eq!(decision, Decision::Denied { policy: "push", statement: 1, resource: None });
    assert_eq!(caller.identity().uin, user.uin);
    // and so does everything that takes a policy away
    engine.set_attachment(id, "push", Principal::User(user.id), false).await.unwrap();
    assert_eq!(may(engine, &key, "PurgeUrlsCache").await, Some(true));
    engine.set_member(id, "all", &user.uin, false).await.unwrap();
    assert_eq!(may(engine, &key, "PurgeUrlsCache").await, Some(false));
    engine.set_member(id, "all", "ops", true).await.unwrap();
    engine.remove_group(id, "all").await.unwrap();
    assert_eq!(may(engine, &key, "PurgeUrlsCache").await, Some(false));
}

#[tokio::test]
async fn a_key_is_unknown_while_it_or_its_user_or_its_account_is_disabled() {
    let Fixture { engine, account: owner, .. } = &Fixture::new().await;
    let account = engine.add_account("second").await.unwrap();
    let (id, uin) = (account.id, account.uin.as_str());
    let user = engine.create_user(id, "u").await.unwrap();
    let key = engine.create_key(id, Some(user.id)).await.unwrap();
    let root = engine.create_key(id, None).await.unwrap();
    let known = async || {
        let known = [&key, &root].map(async |key| may(engine, key, "PushUrlsCache").await);
        let [key, root] = known;
        (key.await.is_some(), root.await.is_some())
    };
    assert_eq!(known().await, (true, true));
    engine.enable_user(id, "u", false).await.unwrap();
    assert_eq!(known().await, (false, true));
    engine.enable_user(id, "u", true).await.unwrap();
    engine.enable_account(uin, false).await.unwrap();
    assert_eq!(known().await, (false, false));
    engine.enable_account(uin, true).await.unwrap();
    engine.enable_key(id, &root.secret_id, false).await.unwrap();
    assert_eq!(known().await, (true, false));
    // its secret is still the same when it comes back
    engine.enable_key(id, &root.secret_id, true).await.unwrap();
    let caller = engine.caller(&root.secret_id).await.unwrap().unwrap();
    assert_eq!(caller.key.secret_key, root.secret_key);
    engine.remove_user(id, "u").await.unwrap();
    assert_eq!(known().await, (false, true));
    engine.remove_key(id, &root.secret_id).await.unwrap();
    assert_eq!(known().await, (false, false));
    let error = engine.enable_account(&owner.uin, false).await.unwrap_err();
    assert!(matches!(error, IdentityError::Owner { .. }), "{error}");
}

#[tokio::test]
async fn a_key_is_rotated_without_a_gap_or_with_one() {
    let Fixture { engine, account, clock, .. } = &Fixture::new().await;
    let id = account.id;
    let user = engine.create_user(id, "u").await.unwrap();
    let first = engine.create_key(id, Some(user.id)).await.unwrap();
    clock.advance(Duration::from_secs(5));
    let second = engine.rotate_key(id, &first.secret_id, false).await.unwrap();
    assert_eq!(second.user, Some(user.id));
    assert!(first.secret_id != second.secret_id && first.secret_key != second.secret_key);
    assert!(engine.caller(&first.secret_id).await.unwrap().is_some());
    let third = engine.rotate_key(id, &second.secret_id, true).await.unwrap();
    assert!(engine.caller(&second.secret_id).await.unwrap().is_none());
    let keys = engine.keys(id).await.unwrap();
    let listed: Vec<_> = keys.iter().map(|key| (&key.secret_id, key.is_enabled)).collect();
    assert_eq!(listed[0], (&first.secret_id, true), "the oldest first");
    assert!(listed.contains(&(&second.secret_id, false)), "it is kept, disabled");
    assert!(listed.contains(&(&third.secret_id, true)));
    assert!(keys.iter().all(|key| key.secret_key.is_empty()), "a list opens nothing");
    for _ in 3..MAX_KEYS {
        engine.create_key(id, Some(user.id)).await.unwrap();
    }
    let error = engine.rotate_key(id, &first.secret_id, true).await.unwrap_err();
    assert_eq!(error.to_string(), "the user has 5 keys: that is the limit");
    assert!(engine.caller(&first.secret_id).await.unwrap().is_some(), "nothing was changed");
    assert!(engine.create_key(id, None).await.is_ok(), "the root user's are counted apart");
}

#[tokio::test]
async fn the_use_of_keys_is_noted_in_memory_and_then_in_the_ledger() {
    let Fixture { engine, account, clock, .. } = &Fixture::new().await;
    let key = engine.create_key(account.id, None).await.unwrap();
    let last = async || engine.key(account.id, &key.secret_id).await.unwrap().last_used_at;
    assert_eq!(last().await, None);
    engine.key_used(&key.secret_id);
    let first = stoker_domain::time::Clock::now(clock);
    assert_eq!(last().await, Some(first));
    clock.advance(Duration::from_secs(9));
    engine.flush_key_uses().await.unwrap();
    assert_eq!(last().await, Some(first));
    engine.key_used(&key.secret_id);
    assert_eq!(
        engine.keys(account.id).await.unwrap()[0].last_used_at,
        Some(first + Duration::from_secs(9))
    );
}

#[tokio::test]
async fn a_temporary_key_is_narrowed_ends_and_is_swept() {
    let Fixture { engine, account, clock, .. } = &Fixture::new().await;
    let id = account.id;
    let minute = Duration::from_secs(60);
    let plain = engine.issue_key(id, None, minute, None).await.unwrap();
    assert_eq!(may(engine, &plain.key, "PurgeUrlsCache").await, Some(true));
    // a policy narrows the root user too
    let issued = engine.issue_key(id, None, minute, Some(PUSH.into())).await.unwrap();
    assert_eq!(may(engine, &issued.key, "PushUrlsCache").await, Some(true));
    assert_eq!(may(engine, &issued.key, "PurgeUrlsCache").await, Some(false));
    // and widens nobody
    let user = engine.create_user(id, "u").await.unwrap();
    let widened = engine.issue_key(id, Some(user.id), minute, Some(ALL.into())).await.unwrap();
    assert_eq!(may(engine, &widened.key, "PushUrlsCache").await, Some(false));
    let caller = engine.caller(&issued.key.secret_id).await.unwrap().unwrap();
    let temporary = caller.key.temporary.clone().unwrap();
    assert_eq!(temporary.expires_at, stoker_domain::time::Clock::now(clock) + minute);
    assert!(engine.keys(id).await.unwrap().is_empty(), "lists have lasting keys only");
    let running = engine.temporary_keys(id).await.unwrap();
    assert_eq!(running.len(), 3);
    assert!(running.iter().all(|key| key.secret_key.is_empty()));
    let shown = format!("{issued:?} {caller:?}", caller = caller.user);
    assert!(!shown.contains(&issued.token) && !shown.contains(&issued.key.secret_key), "{shown}");
    clock.advance(minute);
    assert!(engine.temporary_keys(id).await.unwrap().is_empty(), "all have ended");
    let found = engine.caller(&issued.key.secret_id).await.unwrap();
    assert!(found.is_some(), "it is known that it has ended");
    engine.issue_key(id, None, minute, None).await.unwrap();
    let error = engine.key(id, &issued.key.secret_id).await.unwrap_err();
    assert!(matches!(error, IdentityError::Unknown { kind: IdentityKind::Key, .. }), "{error}");
    for seconds in [0, 59, 36 * 3600 + 1] {
        let refused = engine.issue_key(id, None, Duration::from_secs(seconds), None).await;
        assert!(matches!(refused, Err(IdentityError::Lifetime { .. })), "{seconds}");
    }
    let refused = engine.issue_key(id, None, minute, Some("{}".into())).await;
    assert!(matches!(refused, Err(IdentityError::InvalidPolicy { .. })));
}

#[tokio::test]
async fn what_is_wrong_is_named_with_the_way_out() {
    let Fixture { engine, account, .. } = &Fixture::new().await;
    let id = account.id;
    let user = engine.create_user(id, "ops").await.unwrap();
    engine.put_policy(id, "all", ALL).await.unwrap();
    engine.create_group(id, "g").await.unwrap();
    engine.set_attachment(id, "all", Principal::User(user.id), true).await.unwrap();
    engine.set_attachment(id, "all", Principal::Group("g".into()), true).await.unwrap();
    let other = engine.add_account("other").await.unwrap().id;
    let foreign = Principal::User(user.id);
    let errors = [
        engine.create_user(id, "ops").await.unwrap_err(),
        engine.create_user(id, "o ps").await.unwrap_err(),
        engine.create_group(id, "g").await.unwrap_err(),
        engine.user(id, "nobody").await.unwrap_err(),
        engine.account("1").await.unwrap_err(),
        engine.set_member(id, "none", "ops", true).await.unwrap_err(),
        engine.remove_policy(id, "all").await.unwrap_err(),
        engine.remove_policy(id, "none").await.unwrap_err(),
        engine.put_policy(id, "bad", r#"{"version":"1.0"}"#).await.unwrap_err(),
        engine.put_policy(id, "long", &" ".repeat(40_000)).await.unwrap_err(),
        engine.create_key(other, Some(user.id)).await.unwrap_err(),
        engine.set_attachment(other, "all", foreign, true).await.unwrap_err(),
        engine.key(other, "AKIDnone").await.unwrap_err(),
    ];
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    let number = user.id;
    let expected = [
        "user `ops` exists already".into(),
        "`o ps` is not a name for a user".into(),
        "group `g` exists already".into(),
        "there is no user `nobody`".into(),
        "there is no account `1`".into(),
        "there is no group `none`".into(),
        "policy `all` is attached to user `ops`, group `g`".into(),
        "there is no policy `none`".into(),
        "policy `bad` cannot be used".into(),
        "policy `long` has 40000 bytes: the limit is 32768".into(),
        format!("there is no user `{number}`"),
        "there is no policy `all`".into(),
        "there is no key `AKIDnone`".into(),
    ];
    assert_eq!(texts, expected);
    assert!(errors.iter().all(|error| error.hint().is_some()));
}

#[tokio::test]
async fn what_a_policy_would_decide_is_told_without_attaching_it() {
    let Fixture { engine, account, .. } = &Fixture::new().await;
    engine.create_user(account.id, "ops").await.unwrap();
    let push = action("PushUrlsCache");
    let call = Call { action: &push, resources: &[], context: &Context::default() };
    let bare = engine.caller_like(account, Some("ops"), None).await.unwrap();
    assert_eq!(bare.decide(&call), Decision::NoMatch { resource: None });
    let with = engine.caller_like(account, Some("ops"), Some(("draft", PUSH))).await.unwrap();
    assert_eq!(with.decide(&call), Decision::Allowed { policy: "draft", statement: 1 });
    let root = engine.caller_like(account, None, None).await.unwrap();
    assert_eq!(root.decide(&call), Decision::Root);
    assert!(engine.policies(account.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn concurrent_creations_of_one_name_make_one_user() {
    let Fixture { engine, account, .. } = &Fixture::new().await;
    let mut creations = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (engine, id) = (Arc::clone(engine), account.id);
        creations.spawn(async move { engine.create_user(id, "ops").await.is_ok() });
    }
    let made = creations.join_all().await.into_iter().filter(|is_made| *is_made).count();
    assert_eq!((made, engine.users(account.id).await.unwrap().len()), (1, 1));
}
