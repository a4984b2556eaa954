//! No account reaches what belongs to another one, through no call of any API and with no key: not to
//! see it, not to change it, not to learn whether it is there.
//!
//! Each call and action has its attempts in a table; one that has none fails here. Attempts are made
//! twice, on resources that are there and on some that are not, and must be answered alike. What the
//! ledger holds is compared row by row before and after. That an attempt would do something if it were
//! allowed is shown by the account that owns them.

pub(crate) mod admin;
pub(crate) mod vendor;

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};
use stoker_domain::{
    account::{AccessKey, Account, AccountId, Principal, Temporary, UserId},
    area::AreaScope,
    domain::{CacheRules, Shield},
    quota::{Limits, Product},
    setting::VendorSettings,
    time::Clock,
};
use stoker_engine::{NewDomain, NewZone, PurgeSubmission, Submission, ZoneChoice};
use stoker_gateway::{actions, admin::calls};

use crate::{
    app::{Answer, App, Call, OWNER, SECRET},
    v1_call::V1Call,
};

use vendor::V2;

/// What must become of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It is refused.
    Refused,
    /// As [`Self::Refused`]; who owns the resources may not do it either, but for the owner of the
    /// installation.
    OfOwner,
    /// It may be answered, with nothing of the other account.
    Empty,
    /// As [`Self::Empty`], and something comes to be in the caller's own account.
    Own,
    /// It is refused because the other account has the name, and cannot be refused otherwise.
    NameTaken,
}

impl Expected {
    fn named(name: &str) -> Self {
        match name {
            "Refused" => Self::Refused,
            "OfOwner" => Self::OfOwner,
            "Empty" => Self::Empty,
            "Own" => Self::Own,
            "NameTaken" => Self::NameTaken,
            other => panic!("{other} is not what may become of an attempt"),
        }
    }
}

/// The rows of a table of attempts: what becomes of each, and three cells.
fn rows(table: &'static str) -> impl Iterator<Item = (Expected, [&'static str; 3])> {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let mut cells = line.splitn(4, '|').map(str::trim);
        let mut next = || cells.next().unwrap_or_else(|| panic!("`{line}` has not four cells"));
        (Expected::named(next()), [next(), next(), next()])
    })
}

/// Whose resources are to be reached, and who tries.
pub(crate) const VICTIM: &str = "AKIDHIDDENROOTHIDDENROOTHIDDENROOT01";
const VICTIM_USER: &str = "AKIDHIDDENUSERHIDDENUSERHIDDENUSER01";
const ROOT: &str = "AKIDOTHERROOTOTHERROOTOTHERROOTOTH01";
const FULL: &str = "AKIDOTHERFULLOTHERFULLOTHERFULLOTH01";
pub(crate) const ROOT_SESSION: &str = "AKIDOTHERSESSIONOTHERSESSIONOTHERS01";
const USER_SESSION: &str = "AKIDHIDDENSESSIONHIDDENSESSIONHIDD01";
pub(crate) const TOKEN: &str = "TOKENTEST";
const ALLOW: &str =
    r#"{"version":"2.0","statement":[{"effect":"allow","action":"*","resource":"*"}]}"#;

/// One who tries: with another account's key, or with too little in the account itself.
const ATTACKERS: [(&str, bool, bool); 5] = [
    (ROOT, false, false),
    (FULL, false, false),
    (ROOT_SESSION, true, false),
    (VICTIM_USER, false, true),
    (USER_SESSION, true, true),
];

/// Two accounts with one of everything.
pub(crate) struct TwoAccounts {
    pub(crate) app: App,
    /// What names in braces stand for: what is there, and what is not.
    pub(crate) there: BTreeMap<&'static str, String>,
    nowhere: BTreeMap<&'static str, String>,
}

fn key(secret_id: &str, account: AccountId, user: Option<UserId>, app: &App) -> AccessKey {
    let is_temporary = [ROOT_SESSION, USER_SESSION].contains(&secret_id);
    AccessKey {
        secret_id: secret_id.into(),
        secret_key: SECRET.into(),
        account,
        user,
        is_enabled: true,
        created_at: app.clock.now(),
        last_used_at: None,
        temporary: is_temporary.then(|| Temporary {
            token_hash: Sha256::digest(TOKEN).into(),
            expires_at: app.clock.now() + std::time::Duration::from_secs(3600),
            policy: None,
        }),
    }
}

fn domain(host: &str) -> NewDomain {
    NewDomain {
        host: host.into(),
        origin: "http://192.0.2.9".parse().unwrap(),
        areas: AreaScope::Global,
        shield: Shield::default(),
        cache: CacheRules::default(),
        is_vouched_for: false,
    }
}

impl TwoAccounts {
    pub(crate) async fn new() -> Self {
        let app = App::new().await;
        let engine = &app.engine;
        let limits = Limits { batch: 100, daily: 1000 };
        let victim = engine.create_account("100000000077".into(), 77, limits).await.unwrap();
        let other = engine.create_account("100000000088".into(), 88, limits).await.unwrap();
        let (zone, empty_zone) = furnish(&app, &victim, "hidden").await;
        engine.ownership_record(victim.id, "hidden.com").await.unwrap();
        let (own_zone, open_zone) = furnish(&app, &other, "own").await;
        engine.rename_account(&victim.uin, "hidden account").await.unwrap();
        let document =
            ALLOW.replace(r#""resource":"*""#, r#""resource":"qcs::cdn:::domain/hidden""#);
        engine.put_policy(victim.id, "test", &document).await.unwrap();
        let user = engine.user(victim.id, "hidden").await.unwrap();
        let full = engine.user(other.id, "own").await.unwrap();
        engine.set_attachment(other.id, "own", Principal::User(full.id), true).await.unwrap();
        for (secret_id, account, user) in [
            (VICTIM, victim.id, None),
            (VICTIM_USER, victim.id, Some(user.id)),
            (USER_SESSION, victim.id, Some(user.id)),
            (ROOT, other.id, None),
            (FULL, other.id, Some(full.id)),
            (ROOT_SESSION, other.id, None),
        ] {
            engine.put_key(key(secret_id, account, user, &app)).await.unwrap();
        }
        let (task, purge) = submit(&app, &victim).await;
        let same = [("own_zone", own_zone), ("open_zone", open_zone)];
        let there = [
            ("account", victim.uin.clone()),
            ("host", "hidden.example".into()),
            ("site", "hidden.com".into()),
            ("zone", zone),
            ("zone_name", "hidden-zone".into()),
            ("empty_zone", empty_zone),
            ("task", task),
            ("purge", purge),
            ("user", "hidden".into()),
            ("user_uin", user.uin),
            ("group", "hidden".into()),
            ("policy", "hidden".into()),
            ("key", VICTIM_USER.into()),
            ("root_key", VICTIM.into()),
        ];
        let nowhere = [
            ("account", "100000000099"),
            ("host", "absent.example"),
            ("site", "absent.com"),
            ("zone", "zone-aaaaaaaaaaaa"),
            ("zone_name", "absent-zone"),
            ("empty_zone", "zone-bbbbbbbbbbbb"),
            ("task", "1000000000000000001"),
            ("purge", "1000000000000000002"),
            ("user", "absent"),
            ("user_uin", "299999999999"),
            ("group", "absent"),
            ("policy", "absent"),
            ("key", "AKIDABSENTUSERABSENTUSERABSENTUSER01"),
            ("root_key", "AKIDABSENTROOTABSENTROOTABSENTROOT01"),
        ];
        let there = there.into_iter().chain(same.clone()).collect();
        let nowhere = nowhere.map(|(name, value)| (name, value.into()));
        let nowhere = nowhere.into_iter().chain(same).collect();
        Self { app, there, nowhere }
    }
}

/// A task and a purge of the account, by name.
async fn submit(app: &App, account: &Account) -> (String, String) {
    let urls = vec!["http://hidden.example/hidden".to_owned()];
    let areas = Some(AreaScope::Global);
    let submission = Submission { areas, ..Submission::new(Product::DomainPrefetch, urls.clone()) };
    let task = app.engine.submit(account, submission).await.unwrap().task.0;
    let scope = stoker_domain::purge::Scope::Url;
    let purge = PurgeSubmission::new(Product::DomainPurgeUrl, scope, urls);
    let purge = app.engine.purge(account, purge).await.unwrap().task.0;
    (task, purge)
}

/// A domain in a zone, an empty zone, a user, a group and a policy, all called `name`. The ids of the
/// zones.
async fn furnish(app: &App, account: &Account, name: &str) -> (String, String) {
    let engine = &app.engine;
    let zone = async |name: String, settings: VendorSettings| {
        let new = NewZone { name, area: AreaScope::Global, settings };
        engine.add_zone(account.id, new).await.unwrap().id.clone()
    };
    let full = zone(format!("{name}-zone"), VendorSettings::new()).await;
    // one that takes hosts of any name
    let kept = serde_json::json!({ "teo": { "Type": "noDomainAccess" } });
    let open = zone(format!("{name}-open"), serde_json::from_value(kept).unwrap()).await;
    let choice = ZoneChoice::Existing(full.clone());
    let new = domain(&format!("{name}.example"));
    engine.add_domain_to(account.id, new, choice, VendorSettings::new()).await.unwrap();
    let user = engine.create_user(account.id, name).await.unwrap();
    engine.create_group(account.id, name).await.unwrap();
    engine.set_member(account.id, name, &user.uin, true).await.unwrap();
    engine.put_policy(account.id, name, ALLOW).await.unwrap();
    (full.0, open.0)
}

/// A text with names in braces filled in.
pub(crate) fn fill(text: &str, names: &BTreeMap<&'static str, String>) -> String {
    names
        .iter()
        .fold(text.into(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// An answer without what differs between two calls: the names that were given, and that of the call.
fn plain(answer: &Answer, given: &str, names: &BTreeMap<&'static str, String>) -> (u16, String) {
    let mut text = String::from_utf8(answer.content.clone()).unwrap();
    // users of the account itself are shown whom to ask
    text = text.replace("root user of account `100000000077`", "root user");
    for (name, value) in names.iter().filter(|(name, _)| given.contains(&format!("{{{name}}}"))) {
        text = text.replace(value.as_str(), name);
    }
    if let Some(begin) = text.find("[request id:") {
        text.replace_range(begin..begin + "[request id:]".len() + 36, "");
    }
    if let Ok(mut json) = serde_json::from_str::<Value>(&text) {
        forget(&mut json);
        text = json.to_string();
    }
    (answer.status.as_u16(), text)
}

/// Takes the names of calls out of an answer, at any depth.
fn forget(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "RequestId" && name != "request_id");
            fields.values_mut().for_each(forget);
        }
        Value::Array(values) => values.iter_mut().for_each(forget),
        _ => {}
    }
}

/// One attempt on resources of these names.
struct Attempt<'a> {
    what: String,
    names: &'a BTreeMap<&'static str, String>,
    /// All of the attempt, before names are filled in.
    given: String,
    expected: Expected,
}

/// Whether an answer refuses, whatever API gave it.
fn is_refused(answer: &Answer) -> bool {
    if answer.status.as_u16() >= 400 {
        return true;
    }
    match serde_json::from_slice::<Value>(&answer.content) {
        Ok(json) => {
            json["Response"]["Error"].is_object()
                || json["code"].as_i64().is_some_and(|code| code != 0)
        }
        Err(_) => false,
    }
}

impl Attempt<'_> {
    /// What is wrong with what became of it: something was shown, or changed.
    fn wrong(
        &self,
        answer: &Answer,
        is_bound: bool,
        [before, after]: [&BTreeMap<String, BTreeSet<String>>; 2],
    ) -> Vec<String> {
        let Self { what, names, given, expected } = self;
        let mut wrong = Vec::new();
        let (_, text) = plain(answer, given, names);
        if text.to_lowercase().contains("hidden") {
            wrong.push(format!("{what} shows {text}"));
        }
        let must_refuse = is_bound || !matches!(expected, Expected::Empty | Expected::Own);
        if must_refuse && !is_refused(answer) {
            wrong.push(format!("{what} is not refused: {text}"));
        }
        let is_own = *expected == Expected::Own && !is_bound;
        for (table, rows) in before {
            let gone: Vec<_> = rows.difference(&after[table]).collect();
            let new: Vec<_> = after[table].difference(rows).collect();
            // one row of the caller's own may be another one now
            let is_right = if is_own {
                gone.len() <= 1 && !gone.iter().any(|row| row.contains("hidden"))
            } else {
                gone.is_empty() && new.is_empty()
            };
            if !is_right {
                wrong.push(format!("{what} changes {table}: {gone:?} to {new:?}"));
            }
        }
        wrong
    }
}

fn method(name: &str) -> Method {
    name.parse().unwrap()
}

/// Makes attempts with each key, on what is there and on what is not.
async fn try_all(
    attempts: &[(String, String, Expected)],
    sends: impl AsyncFn(&App, &str, usize, &BTreeMap<&'static str, String>) -> Answer,
    is_for_root: bool,
) {
    let mut wrong = Vec::new();
    for (attacker, _, is_of_victim) in ATTACKERS {
        let accounts = TwoAccounts::new().await;
        let mut before = accounts.app.rows();
        let is_bound = is_of_victim || (is_for_root && attacker != ROOT);
        // what comes to be in the caller's own account would be seen by those behind it
        let last =
            |(_, (.., expected)): &(usize, &(String, String, Expected))| *expected == Expected::Own;
        let (own, first): (Vec<_>, Vec<_>) = attempts.iter().enumerate().partition(last);
        for (index, (what, given, expected)) in first.into_iter().chain(own) {
            let mut answers = Vec::new();
            for names in [&accounts.there, &accounts.nowhere] {
                // hosts that nobody has can be taken by anybody
                if *expected == Expected::NameTaken && *names == accounts.nowhere && !is_bound {
                    continue;
                }
                let what = format!("{attacker}: {what} {}", fill(given, names));
                let attempt = Attempt { what, names, given: given.clone(), expected: *expected };
                let answer = sends(&accounts.app, attacker, index, names).await;
                let after = accounts.app.rows();
                wrong.extend(attempt.wrong(&answer, is_bound, [&before, &after]));
                before = after;
                if *expected != Expected::Own {
                    answers.push(plain(&answer, given, names));
                }
            }
            if answers.windows(2).any(|two| two[0] != two[1]) {
                wrong.push(format!("{attacker}: {what} {given} shows what is there: {answers:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn admin_call(attempt: &admin::Attempt, names: &BTreeMap<&'static str, String>) -> Call {
    let (name, _, target, content, _) = attempt;
    Call::admin(method(name), &fill(target, names), &fill(content, names))
}

fn token(call: Call, key: &str) -> Call {
    let is_temporary = ATTACKERS.iter().any(|(known, is, _)| *known == key && *is);
    if is_temporary { call.with("x-tc-token", TOKEN) } else { call }
}

/// The key with this text, for calls, which want one that lasts.
fn of(key: &str) -> &'static str {
    [VICTIM, OWNER]
        .into_iter()
        .chain(ATTACKERS.map(|(known, ..)| known))
        .find(|it| *it == key)
        .unwrap()
}

#[test]
fn every_call_and_every_action_is_tried() {
    let tried: BTreeSet<(String, String)> = admin::attempts()
        .iter()
        .map(|(method, path, ..)| ((*method).into(), format!("/admin/v1/{path}")))
        .collect();
    let all = calls().map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    assert_eq!(tried, all, "tests/api/idor/admin.txt has a line for each call");
    let tried: BTreeSet<_> =
        vendor::attempts().into_iter().map(|(version, action, ..)| (version, action)).collect();
    let all = actions().into_iter().collect();
    assert_eq!(tried, all, "tests/api/idor/vendor.txt has a line for each action");
}

#[tokio::test]
async fn no_call_of_the_admin_api_reaches_another_account() {
    let attempts = admin::attempts();
    let described: Vec<_> = attempts
        .iter()
        .map(|(method, path, target, content, expected)| {
            (format!("{method} {path}"), format!("{target} {content}"), *expected)
        })
        .collect();
    let sends = async |app: &App, key: &str, index: usize, names: &BTreeMap<_, _>| {
        app.call(&token(admin_call(&attempts[index], names).key(of(key)), key)).await
    };
    try_all(&described, sends, true).await;
}

#[tokio::test]
async fn no_action_of_the_vendor_reaches_another_account() {
    let attempts = vendor::attempts();
    let described: Vec<_> = attempts
        .iter()
        .map(|(version, action, params, expected)| {
            (format!("{version} {action}"), params.clone(), *expected)
        })
        .collect();
    let sends = async |app: &App, key: &str, index: usize, names: &BTreeMap<_, _>| {
        send(app, key, &attempts[index], names).await
    };
    try_all(&described, sends, false).await;
}

async fn send(
    app: &App,
    key: &str,
    (version, action, params, _): &vendor::Attempt,
    names: &BTreeMap<&'static str, String>,
) -> Answer {
    let params = fill(params, names);
    if *version != V2 {
        let call = Call::action(action, params).with("x-tc-version", version).key(of(key));
        return app.call(&token(call, key)).await;
    }
    let pairs: Vec<(&str, &str)> =
        params.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let nonce = u128::from_be_bytes(crate::app::nonce()).to_string();
    let mut call =
        V1Call::v2(&pairs).with("Action", action).with("SecretId", key).with("Nonce", &nonce);
    if ATTACKERS.iter().any(|(known, is_temporary, _)| *known == key && *is_temporary) {
        call = call.with("Token", TOKEN);
    }
    app.v1(&call).await
}

/// What the tables try is right: it is refused to others because they are others.
#[tokio::test]
async fn the_owner_of_a_resource_may_do_what_is_tried() {
    let mut wrong = Vec::new();
    let mut accounts = TwoAccounts::new().await;
    for attempt in admin::attempts() {
        let (method, path, target, _, expected) = &attempt;
        if *method != "GET" {
            accounts = TwoAccounts::new().await;
        }
        let key = match expected {
            Expected::NameTaken | Expected::Own => continue,
            // another account's domain is named with its account alone
            Expected::OfOwner if target.contains("lock") && !target.contains('?') => continue,
            Expected::OfOwner => OWNER,
            _ if path.contains("tasks") && target.contains("{purge}") => continue,
            _ if path.contains("purges") && target.contains("{task}") => continue,
            _ => VICTIM,
        };
        let mut names = accounts.there.clone();
        // what is the attacker's own is the victim's own here
        let own = |text: &str| {
            text.replace("/own/", "/hidden/")
                .replace(r#""own""#, r#""hidden""#)
                .replace("own.example", "hidden.example")
                .replace("below.", "")
        };
        names.insert("own_zone", accounts.there["zone"].clone());
        let given = (*method, *path, own(target), own(&attempt.3));
        let call =
            Call::admin(given.0.parse().unwrap(), &fill(&given.2, &names), &fill(&given.3, &names));
        if given.2.contains("members") && method == &"POST" {
            accounts.app.engine.create_user(AccountId(3), "spare").await.unwrap();
        }
        let answer = accounts.app.call(&call.key(key)).await;
        let word = if answer.status.as_u16() < 400 { String::new() } else { answer.problem() };
        let in_use = [
            "zone-in-use",
            "policy-attached",
            "group-unknown",
            "domain-exists",
            "not-verified",
            "task-unfinished",
        ];
        if !word.is_empty() && !in_use.contains(&word.as_str()) {
            wrong.push(format!("{given:?}: {word}"));
        }
    }
    for attempt in vendor::attempts() {
        let (version, action, params, expected) = &attempt;
        if matches!(expected, Expected::NameTaken | Expected::Own) {
            continue;
        }
        if !["Describe", "Get"].iter().any(|prefix| action.starts_with(prefix)) {
            accounts = TwoAccounts::new().await;
        }
        let mut names = accounts.there.clone();
        names.insert("own_zone", accounts.there["zone"].clone());
        let given = (*version, *action, params.replace("own.example", "hidden.example"), *expected);
        let answer = send(&accounts.app, VICTIM, &given, &names).await;
        let text = String::from_utf8_lossy(&answer.content).into_owned();
        let in_use = [
            "CDNStatusInvalidDomain",
            "CdnHostIsNotOffline",
            "DomainNumberIsNotZero",
            "CdnTxtRecordValueNotMatch",
        ];
        if is_refused(&answer) && !in_use.iter().any(|code| text.contains(code)) {
            wrong.push(format!("{given:?}: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
