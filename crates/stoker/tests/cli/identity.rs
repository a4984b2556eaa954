//! Accounts, users, groups, keys and policies against a running server.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{
    results::Session,
    running::{Ran, Stoker, cli},
};

const RULES: &str = r#"{"version": "2.0", "statement": [
  {"effect": "allow", "action": "cdn:*", "resource": "qcs::cdn:::domain/www.example.com",
   "condition": {"ip_equal": {"qcs:ip": "10.0.0.0/8"}}},
  {"effect": "deny", "action": "cdn:Purge*", "resource": "*"}]}
"#;

#[test]
fn people_and_what_they_may_are_shown_and_secrets_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new(Stoker::start(&folder.path().join("data")));
    let uin = session.stoker.credentials()["uin"].as_str().unwrap().to_owned();
    session.names.push((uin, "[UIN]".into()));
    users_and_groups(&mut session);
    assert_snapshot!("users", session.taken());
    policies(&mut session);
    assert_snapshot!("policies", session.taken());
    keys(&mut session);
    assert_snapshot!("keys", session.taken());
}

fn users_and_groups(session: &mut Session) {
    session.record(&["user", "list"]);
    let ran = session.stoker.cli(&["user", "add", "ann"]);
    let number = ran.stdout.trim().trim_start_matches("added ann: ").to_owned();
    session.names.push((number, "[ANN]".into()));
    session.write(&["user", "add", "ann"], &ran);
    session.record(&["user", "add", "ann"]);
    session.record(&["user", "disable", "ann"]);
    session.record(&["user", "enable", "ann", "--json"]);
    session.record(&["user", "show", "nobody"]);
    session.record(&["group", "list"]);
    session.record(&["group", "add", "ops"]);
    session.record(&["group", "join", "ops", "ann"]);
    session.record(&["group", "join", "ops", "nobody"]);
    session.record(&["group", "list"]);
    session.record(&["group", "list", "--json"]);
    session.record(&["user", "show", "ann"]);
    session.record(&["user", "list", "--json"]);
}

fn policies(session: &mut Session) {
    session.record(&["policy", "list"]);
    session.feed(&["policy", "put", "site", "--file", "-"], RULES);
    session.feed(&["policy", "put", "site", "--file", "-"], r#"{"version": "1.0"}"#);
    session.record(&["policy", "attach", "site", "--group", "ops"]);
    session.record(&["policy", "attach", "site", "--user", "ann"]);
    session.record(&["policy", "list"]);
    session.record(&["policy", "show", "site"]);
    session.record(&["policy", "list", "--json"]);
    session.record(&["policy", "remove", "site"]);
    session.record(&["policy", "detach", "site", "--user", "ann"]);
    session.record(&["user", "list"]);
    let test = ["policy", "test", "--user", "ann", "--resource", "domain/www.example.com"];
    let push = [&test[..], &["--action", "cdn:PushUrlsCache"]].concat();
    session.record(&[&push[..], &["--ip", "10.1.2.3"]].concat());
    session.record(&[&push[..], &["--ip", "192.0.2.1"]].concat());
    session.record(&[&push[..], &["--ip", "10.1.2.3", "--json"]].concat());
    session.record(&[&test[..], &["--action", "cdn:PurgeUrlsCache"]].concat());
    session.record(&[&test[..], &["--action", "cdn:CdnUrlPusher"]].concat());
    session.record(&["policy", "test", "--user", "nobody", "--action", "cdn:PushUrlsCache"]);
    let test = ["policy", "test", "--policy-file", "-", "--action", "cdn:PurgePathCache"];
    session.feed(&test, RULES);
}

fn keys(session: &mut Session) {
    session.record(&["key", "list", "--user", "ann"]);
    let made = make(session, &["key", "add", "--user", "ann"], "ANN");
    assert!(made["secret_key"].as_str().is_some_and(|secret| secret.len() == 32));
    let id = made["secret_id"].as_str().unwrap();
    session.record(&["key", "disable", id]);
    session.record(&["key", "list", "--user", "ann"]);
    session.record(&["key", "list", "--user", "ann", "--json"]);
    session.record(&["key", "enable", id]);
    let new = make(session, &["key", "rotate", id], "ANN-2");
    session.record(&["key", "list", "--user", "ann"]);
    session.record(&["key", "remove", new["secret_id"].as_str().unwrap()]);
    session.record(&["key", "remove", new["secret_id"].as_str().unwrap()]);
    make(session, &["key", "temporary", "--user", "ann", "--duration", "60s"], "SHORT");
    session.record(&["key", "list", "--temporary", "--user", "ann"]);
    session.record(&["key", "temporary", "--duration", "59s"]);
    session.record(&["user", "remove", "ann"]);
    session.record(&["key", "list", "--user", "ann"]);
    session.record(&["group", "remove", "ops"]);
    session.record(&["policy", "remove", "site"]);
}

#[test]
fn an_account_gets_its_own_file_and_acts_for_itself_alone() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    let data = folder.path().join("film");
    fs::create_dir(&data).unwrap();
    let file = data.join("credentials.json");
    let add = ["account", "add", "Film & Co", "--output", file.to_str().unwrap()];
    let ran = stoker.cli(&add);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let kept: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let text = |name: &str| kept[name].as_str().unwrap_or_default();
    assert!(ran.stdout.contains(text("secret_id")) && !ran.stdout.contains(text("secret_key")));
    assert_eq!(
        (text("endpoint"), text("name")),
        (stoker.credentials()["endpoint"].as_str().unwrap(), "Film & Co")
    );
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // nothing is overwritten, and no account made
    let ran = stoker.cli(&add);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(stoker.json(&["account", "list"]).as_array().unwrap().len(), 2);

    let film = |args: &[&str]| as_account(&data, args);
    assert_eq!(film(&["user", "add", "bob"]).code, Some(0));
    let theirs = stoker.json(&["user", "list", "--account", text("uin")]);
    assert_eq!(theirs[0]["name"], "bob");
    assert_eq!(stoker.json(&["user", "list"]), json!([]));
    assert_eq!(film(&["account", "show", text("uin")]).code, Some(0));
    let owner = stoker.credentials()["uin"].as_str().unwrap().to_owned();
    for refused in [&["account", "list"][..], &["user", "list", "--account", &owner]] {
        let ran = film(refused);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("hint: use the key of"), "{ran:?}");
    }
    // its own key, changed in its own file
    let ran = film(&["key", "rotate", text("secret_id")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("disabled"), "{ran:?}");
    assert!(!fs::read_to_string(&file).unwrap().contains(text("secret_id")));
    assert_eq!(film(&["user", "list"]).code, Some(0));
    assert_eq!(stoker.cli(&["account", "disable", text("uin")]).code, Some(0));
    assert_eq!(film(&["user", "list"]).code, Some(1));
    let ran = stoker.cli(&["account", "disable", &owner]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

fn as_account(data: &Path, args: &[&str]) -> Ran {
    cli(data, args, "")
}

/// Makes a key, shown without what is secret or new in it; what it is.
fn make(session: &mut Session, args: &[&str], name: &str) -> Value {
    let args = [args, &["--json"]].concat();
    let ran = session.stoker.cli(&args);
    let made: Value = serde_json::from_str(&ran.stdout).unwrap();
    for field in ["secret_id", "secret_key", "token"] {
        if let Some(value) = made[field].as_str() {
            session.names.push((value.into(), format!("[{name} {field}]")));
        }
    }
    session.write(&args, &ran);
    made
}
