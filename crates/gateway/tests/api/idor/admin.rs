//! What somebody may try through each call of the admin API on what belongs to another account.

use super::Expected::{self, Empty, OfOwner, Own, Refused, Told};

/// One attempt: method and path of the call, its target below `/admin/v1/`, its content, and what
/// becomes of it. A name in braces is that of a thing of the other account.
pub(crate) type Attempt = (&'static str, &'static str, &'static str, Expected);

const NEW: &str = r#"{"host":"new.example","origin":"http://192.0.2.1"}"#;
const ALLOW: &str = r#"{\"version\":\"2.0\",\"statement\":[{\"effect\":\"allow\",\"action\":\"*\",\"resource\":\"*\"}]}"#;

/// All attempts. The document in them is [`ALLOW`].
pub(crate) fn attempts() -> Vec<(&'static str, &'static str, &'static str, String, Expected)> {
    let filled = |(call, target, content, expected): Attempt| {
        let (method, path) = call.split_once(' ').unwrap();
        let content = content.replace("NEW", NEW).replace("ALLOW", ALLOW);
        (method, path, target, content, expected)
    };
    [DOMAINS, TASKS, ACCOUNTS, USERS, KEYS, POLICIES].concat().into_iter().map(filled).collect()
}

const DOMAINS: &[Attempt] = &[
    ("POST domains", "domains?account={account}", "NEW", Refused),
    // the names of hosts are the same for all accounts
    ("POST domains", "domains", r#"{"host":"{host}","origin":"http://192.0.2.1"}"#, Told),
    (
        "POST domains",
        "domains",
        r#"{"host":"new.example","origin":"http://192.0.2.1","zone":"{zone_name}"}"#,
        Own,
    ),
    ("GET domains", "domains?account={account}", "", Refused),
    ("GET domains", "domains", "", Empty),
    ("GET domains/{host}", "domains/{host}", "", Refused),
    ("GET domains/{host}", "domains/below.{host}", "", Refused),
    ("GET domains/{host}", "domains/{host}?account={account}", "", Refused),
    ("POST domains/{host}", "domains/{host}", r#"{"shield":"per-area"}"#, Refused),
    ("POST domains/{host}", "domains/{host}", r#"{"discard_cached":true}"#, Refused),
    (
        "POST domains/{host}",
        "domains/{host}?account={account}",
        r#"{"shield":"per-area"}"#,
        Refused,
    ),
    ("POST domains/{host}", "domains/own.example", r#"{"zone":"{zone_name}"}"#, Own),
    ("DELETE domains/{host}", "domains/{host}", "", Refused),
    ("DELETE domains/{host}", "domains/{host}?account={account}", "", Refused),
    ("POST domains/{host}/lock", "domains/{host}/lock", r#"{"lock":"locked"}"#, OfOwner),
    (
        "POST domains/{host}/lock",
        "domains/{host}/lock?account={account}",
        r#"{"lock":"locked"}"#,
        OfOwner,
    ),
    ("DELETE domains/{host}/lock", "domains/{host}/lock", "", OfOwner),
    ("DELETE domains/{host}/lock", "domains/{host}/lock?account={account}", "", OfOwner),
    (
        "GET domains/{host}/verification",
        "domains/{site}/verification?account={account}",
        "",
        Refused,
    ),
    ("GET domains/{host}/verification", "domains/www.new.com/verification", "", Own),
    (
        "POST domains/{host}/verification",
        "domains/{site}/verification?account={account}",
        "{}",
        Refused,
    ),
    ("POST zones", "zones", r#"{"name":"{zone_name}"}"#, Own),
    ("POST zones", "zones?account={account}", r#"{"name":"new"}"#, Refused),
    ("GET zones", "zones?account={account}", "", Refused),
    ("GET zones", "zones", "", Empty),
    ("GET zones/{zone}", "zones/{zone}", "", Refused),
    ("GET zones/{zone}", "zones/{zone_name}", "", Refused),
    ("DELETE zones/{zone}", "zones/{zone}", "", Refused),
    ("DELETE zones/{zone}", "zones/{empty_zone}", "", Refused),
];

const TASKS: &[Attempt] = &[
    ("POST purges", "purges", r#"{"scope":"url","targets":["http://{host}/a"]}"#, Refused),
    ("POST purges", "purges", r#"{"scope":"path","targets":["http://{host}/"]}"#, Refused),
    (
        "POST purges",
        "purges",
        r#"{"scope":"url","targets":["http://own.example/","http://{host}/a"]}"#,
        Refused,
    ),
    ("GET purges", "purges", "", Empty),
    ("GET purges", "purges?after={purge}", "", Empty),
    ("GET purges/{purge}", "purges/{purge}", "", Refused),
    ("GET purges/{purge}", "purges/{task}", "", Refused),
    ("POST check", "check", r#"{"urls":["http://{host}/a"]}"#, Refused),
    ("GET ledger", "ledger", "", OfOwner),
    ("GET nodes", "nodes", "", Empty),
    ("POST tasks", "tasks", r#"{"urls":["http://{host}/a"]}"#, Refused),
    ("POST tasks", "tasks", r#"{"urls":["http://own.example/a","http://{host}/a"]}"#, Refused),
    ("GET tasks", "tasks", "", Empty),
    ("GET tasks", "tasks?after={task}", "", Empty),
    ("GET tasks/{task}", "tasks/{task}", "", Refused),
    ("GET tasks/{task}", "tasks/{purge}", "", Refused),
    ("GET tasks/{task}/targets", "tasks/{task}/targets", "", Refused),
    ("GET quota", "quota?account={account}", "", Refused),
    ("POST quota", "quota", r#"{"account":"{account}","product":"cdn","daily":1}"#, OfOwner),
    ("POST quota/day", "quota/day", r#"{"begins_at":"01:00+08:00"}"#, OfOwner),
];

const ACCOUNTS: &[Attempt] = &[
    ("POST accounts", "accounts", r#"{"name":"new"}"#, OfOwner),
    ("GET accounts", "accounts", "", OfOwner),
    ("GET accounts/{account}", "accounts/{account}", "", Refused),
    ("POST accounts/{account}", "accounts/{account}", r#"{"is_enabled":false}"#, OfOwner),
    ("POST accounts/{account}", "accounts/{account}", r#"{"service":"suspended"}"#, OfOwner),
];

const USERS: &[Attempt] = &[
    ("POST users", "users?account={account}", r#"{"name":"new"}"#, Refused),
    ("GET users", "users?account={account}", "", Refused),
    ("GET users", "users", "", Empty),
    ("GET users/{user}", "users/{user}", "", Refused),
    ("GET users/{user}", "users/{user_uin}", "", Refused),
    ("POST users/{user}", "users/{user}", r#"{"is_enabled":false}"#, Refused),
    ("POST users/{user}", "users/{user_uin}", r#"{"is_enabled":false}"#, Refused),
    ("POST users/{user}", "users/{user}?account={account}", r#"{"is_enabled":false}"#, Refused),
    ("DELETE users/{user}", "users/{user}", "", Refused),
    ("DELETE users/{user}", "users/{user_uin}", "", Refused),
    ("POST groups", "groups?account={account}", r#"{"name":"new"}"#, Refused),
    ("GET groups", "groups?account={account}", "", Refused),
    ("GET groups", "groups", "", Empty),
    ("GET groups/{group}", "groups/{group}", "", Refused),
    ("DELETE groups/{group}", "groups/{group}", "", Refused),
    ("DELETE groups/{group}", "groups/{group}?account={account}", "", Refused),
    ("POST groups/{group}/members", "groups/{group}/members", r#"{"user":"own"}"#, Refused),
    ("POST groups/{group}/members", "groups/own/members", r#"{"user":"{user}"}"#, Refused),
    ("POST groups/{group}/members", "groups/own/members", r#"{"user":"{user_uin}"}"#, Refused),
    ("DELETE groups/{group}/members/{user}", "groups/{group}/members/{user}", "", Refused),
    ("DELETE groups/{group}/members/{user}", "groups/own/members/{user_uin}", "", Refused),
];

const KEYS: &[Attempt] = &[
    ("POST keys", "keys?account={account}", "{}", Refused),
    ("POST keys", "keys", r#"{"user":"{user}"}"#, Refused),
    ("POST keys", "keys", r#"{"user":"{user_uin}"}"#, Refused),
    ("GET keys", "keys?account={account}", "", Refused),
    ("GET keys", "keys?user={user}", "", Refused),
    ("GET keys", "keys", "", Empty),
    ("POST keys/temporary", "keys/temporary?account={account}", "{}", Refused),
    ("POST keys/temporary", "keys/temporary", r#"{"user":"{user}"}"#, Refused),
    ("GET keys/temporary", "keys/temporary?account={account}", "", Refused),
    ("GET keys/temporary", "keys/temporary?user={user_uin}", "", Refused),
    ("GET keys/temporary", "keys/temporary", "", Empty),
    ("GET keys/{key}", "keys/{key}", "", Refused),
    ("GET keys/{key}", "keys/{root_key}", "", Refused),
    ("POST keys/{key}", "keys/{key}", r#"{"is_enabled":false}"#, Refused),
    ("POST keys/{key}", "keys/{root_key}", r#"{"is_enabled":false}"#, Refused),
    ("POST keys/{key}", "keys/{key}?account={account}", r#"{"is_enabled":false}"#, Refused),
    ("DELETE keys/{key}", "keys/{key}", "", Refused),
    ("DELETE keys/{key}", "keys/{root_key}", "", Refused),
    ("POST keys/{key}/rotate", "keys/{key}/rotate", "{}", Refused),
    ("POST keys/{key}/rotate", "keys/{root_key}/rotate", "{}", Refused),
];

const POLICIES: &[Attempt] = &[
    (
        "POST policies",
        "policies?account={account}",
        r#"{"name":"{policy}","document":"ALLOW"}"#,
        Refused,
    ),
    ("GET policies", "policies?account={account}", "", Refused),
    ("GET policies", "policies", "", Empty),
    ("GET policies/{policy}", "policies/{policy}", "", Refused),
    ("DELETE policies/{policy}", "policies/{policy}", "", Refused),
    ("DELETE policies/{policy}", "policies/{policy}?account={account}", "", Refused),
    (
        "POST policies/test",
        "policies/test",
        r#"{"user":"{user}","action":"cdn:PushUrlsCache"}"#,
        Refused,
    ),
    (
        "POST policies/test",
        "policies/test?account={account}",
        r#"{"user":"{user}","action":"cdn:PushUrlsCache"}"#,
        Refused,
    ),
    (
        "POST policies/test",
        "policies/test",
        r#"{"document":"ALLOW","action":"cdn:PushUrlsCache","resources":["qcs::cdn::uin/{account}:domain/{host}"]}"#,
        Empty,
    ),
    ("GET policies/test", "policies/test", "", Refused),
    ("DELETE policies/test", "policies/test", "", Refused),
    ("DELETE policies/test", "policies/test?account={account}", "", Refused),
    ("POST policies/{policy}/attach", "policies/{policy}/attach", r#"{"user":"own"}"#, Refused),
    ("POST policies/{policy}/attach", "policies/own/attach", r#"{"user":"{user}"}"#, Refused),
    ("POST policies/{policy}/attach", "policies/own/attach", r#"{"user":"{user_uin}"}"#, Refused),
    ("POST policies/{policy}/attach", "policies/own/attach", r#"{"group":"{group}"}"#, Refused),
    ("POST policies/{policy}/detach", "policies/{policy}/detach", r#"{"user":"{user}"}"#, Refused),
    ("POST policies/{policy}/detach", "policies/own/detach", r#"{"user":"{user}"}"#, Refused),
    (
        "POST policies/{policy}/detach",
        "policies/{policy}/detach?account={account}",
        r#"{"user":"{user}"}"#,
        Refused,
    ),
];
