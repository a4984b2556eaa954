//! Accounts, users, policies and keys: made with the command line, met by the vendor's clients.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    harness::{Content, Nginx, Sdk, V2Client},
    running::{Ports, Stoker, cli},
};

const HOST: &str = "www.example.com";
const OTHER: &str = "other.example.com";
const PATIENCE: Duration = Duration::from_secs(120);

/// A server with two domains and the user `ann`, who may do everything with the first of them.
struct Fixture {
    stoker: Stoker,
    nginx: Nginx,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let nginx = Nginx::start();
        let folder = tempfile::tempdir().unwrap();
        let stoker = Stoker::start(&folder.path().join("data"));
        for host in [HOST, OTHER] {
            stoker.add_domain(host, &nginx.url(), &[]);
        }
        let fixture = Self { stoker, nginx, folder };
        fixture.done(&["user", "add", "ann"], "");
        let resource = format!("qcs::cdn:::domain/{HOST}");
        fixture.put_policy("site", &[("allow", "cdn:*", &resource)]);
        fixture.done(&["policy", "attach", "site", "--user", "ann"], "");
        fixture
    }

    /// Runs a command that must succeed.
    fn done(&self, args: &[&str], input: &str) {
        let ran = self.stoker.cli_with_input(args, input);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
    }

    fn put_policy(&self, name: &str, statements: &[(&str, &str, &str)]) {
        let text = document(statements);
        self.done(&["policy", "put", name, "--file", "-"], &text);
    }

    /// A caller with a new key of ann's.
    fn ann(&self) -> (Sdk, Value) {
        let key = self.stoker.json(&["key", "add", "--user", "ann"]);
        (Sdk::of(&self.stoker).with_made(&key), key)
    }
}

fn document(statements: &[(&str, &str, &str)]) -> String {
    let statement = |(effect, action, resource): &(&str, &str, &str)| json!({"effect": effect, "action": action, "resource": resource});
    let statements: Vec<_> = statements.iter().map(statement).collect();
    json!({"version": "2.0", "statement": statements}).to_string()
}

fn urls(host: &str) -> Value {
    json!({"Urls": [format!("http://{host}/a")]})
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {value}"))
}

#[test]
fn a_user_may_do_what_policies_allow_and_nothing_else() {
    let fixture = Fixture::new();
    Content::write(&fixture.nginx.www(), "/a", 1000, 1);
    let (ann, key) = fixture.ann();
    for sdk in [ann.clone(), ann.clone().with_node()] {
        let task = sdk.push(urls(HOST));
        let records = sdk.wait(&task, PATIENCE);
        assert_eq!(records, [(format!("http://{HOST}/a"), "done".to_owned())]);
        let code = sdk.refused("PushUrlsCache", urls(OTHER));
        assert_eq!(code, "UnauthorizedOperation.CdnHostUnauthorized");
        // one that it may not is one too many
        let both = json!({"Urls": [format!("http://{HOST}/a"), format!("http://{OTHER}/a")]});
        let code = sdk.refused("PurgeUrlsCache", both);
        assert_eq!(code, "UnauthorizedOperation.CdnHostUnauthorized");
    }
    // quotas have no resource, and zones were never spoken of
    let code = ann.refused("DescribePushQuota", json!({}));
    assert_eq!(code, "AuthFailure.UnauthorizedOperation");
    let code = ann.clone().with_teo().refused("DescribeZones", json!({}));
    assert_eq!(code, "UnauthorizedOperation.CamUnauthorized");
    // what others have pushed is not ann's to see
    let owner = Sdk::of(&fixture.stoker);
    let both = json!({"Urls": [format!("http://{HOST}/a"), format!("http://{OTHER}/a")]});
    let task = owner.push(both);
    let seen: Vec<_> = ann.records(&task).into_iter().map(|(url, _)| url).collect();
    assert_eq!((seen, owner.records(&task).len()), (vec![format!("http://{HOST}/a")], 2));

    let older = V2Client::node(&fixture.stoker);
    let older = older.with_keys(text(&key, "secret_id"), text(&key, "secret_key"));
    let push = |host: &str| json!({"urls": [format!("http://{host}/a")]});
    older.accepted("CdnPusherV2", push(HOST));
    assert_eq!(older.refused("CdnPusherV2", push(OTHER)).0, 4102);
    assert_eq!(older.refused("CdnUrlPusher", push(HOST)).0, 4103);

    // the command line foretells all of it
    let test = |action: &str, further: &[&str]| {
        let args = [&["policy", "test", "--user", "ann", "--action", action], further].concat();
        fixture.stoker.cli(&args).code
    };
    let (mine, others) = (format!("domain/{HOST}"), format!("domain/{OTHER}"));
    for action in ["cdn:PushUrlsCache", "cdn:CdnPusherV2"] {
        assert_eq!(test(action, &["--resource", &mine]), Some(0));
        assert_eq!(test(action, &["--resource", &mine, "--resource", &others]), Some(1));
    }
    assert_eq!(test("cdn:DescribePushQuota", &[]), Some(1));
    assert_eq!(test("cdn:CdnUrlPusher", &["--resource", &mine]), Some(1));

    // what changes counts from the next call on
    fixture.done(&["group", "add", "barred"], "");
    fixture.put_policy("no-pushes", &[("deny", "cdn:Push*", "*")]);
    fixture.done(&["policy", "attach", "no-pushes", "--group", "barred"], "");
    ann.push(urls(HOST));
    fixture.done(&["group", "join", "barred", "ann"], "");
    assert!(ann.refused("PushUrlsCache", urls(HOST)).starts_with("UnauthorizedOperation.Cdn"));
    fixture.done(&["group", "leave", "barred", "ann"], "");
    ann.push(urls(HOST));
    fixture.put_policy("site", &[("allow", "cdn:*", &format!("qcs::cdn:::domain/{OTHER}"))]);
    ann.push(urls(OTHER));
    assert!(ann.refused("PushUrlsCache", urls(HOST)).starts_with("UnauthorizedOperation.Cdn"));
}

#[test]
fn a_key_is_known_until_it_is_disabled_rotated_or_ended() {
    const UNKNOWN: &str = "AuthFailure.SecretIdNotFound";
    let fixture = Fixture::new();
    let (ann, key) = fixture.ann();
    let id = text(&key, "secret_id");
    ann.push(urls(HOST));
    let keys = fixture.stoker.json(&["key", "list", "--user", "ann"]);
    assert!(keys[0]["last_used_at"].is_string(), "{keys}");
    fixture.done(&["key", "disable", id], "");
    assert_eq!(ann.refused("PushUrlsCache", urls(HOST)), UNKNOWN);
    fixture.done(&["key", "enable", id], "");
    ann.push(urls(HOST));
    let new = fixture.stoker.json(&["key", "rotate", id]);
    let newer = ann.clone().with_made(&new);
    newer.push(urls(HOST));
    assert_eq!(ann.refused("PushUrlsCache", urls(HOST)), UNKNOWN);
    assert_eq!(
        newer.refused("PushUrlsCache", urls(OTHER)).split('.').next_back(),
        Some("CdnHostUnauthorized")
    );
    fixture.done(&["user", "disable", "ann"], "");
    assert_eq!(newer.refused("PushUrlsCache", urls(HOST)), UNKNOWN);
    fixture.done(&["user", "enable", "ann"], "");

    // a session: with its token, and no more than ann and its own policy allow
    let make = ["key", "temporary", "--user", "ann", "--duration", "5m", "--policy-file", "-"];
    let only = document(&[("allow", "cdn:PushUrlsCache", "*")]);
    let made = fixture.stoker.cli_with_input(&[&make[..], &["--json"]].concat(), &only).stdout;
    let made: Value = serde_json::from_str(&made).unwrap();
    for sdk in [ann.clone(), ann.clone().with_node()] {
        let session = sdk.with_made(&made);
        session.push(urls(HOST));
        assert!(session.refused("PushUrlsCache", urls(OTHER)).ends_with("CdnHostUnauthorized"));
        let purge = session.refused("PurgeUrlsCache", urls(HOST));
        assert_eq!(purge, "UnauthorizedOperation.CdnCamUnauthorized");
        for token in [None, Some("x"), Some(text(&key, "secret_key"))] {
            let code = session.clone().with_token(token).refused("PushUrlsCache", urls(HOST));
            assert_eq!(code, "AuthFailure.TokenFailure", "{token:?}");
        }
    }
    fixture.done(&["key", "remove", text(&made, "secret_id")], "");
    let session = ann.with_made(&made);
    assert_eq!(session.refused("PushUrlsCache", urls(HOST)), UNKNOWN);
    fixture.done(&["user", "remove", "ann"], "");
    assert_eq!(newer.refused("PushUrlsCache", urls(HOST)), UNKNOWN);
}

#[test]
fn another_account_has_its_own_domains_and_the_vendors_quota() {
    let fixture = Fixture::new();
    let data = fixture.folder.path().join("film");
    fs::create_dir(&data).unwrap();
    let file = data.join("credentials.json");
    fixture.done(&["account", "add", "film", "--output", file.to_str().unwrap()], "");
    let made: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let film = Sdk::of(&fixture.stoker).with_made(&made);
    fixture.done(&["account", "verification", text(&made, "uin"), "waived"], "");
    assert_eq!(film.refused("PushUrlsCache", urls(HOST)), "ResourceNotFound.CdnHostNotExists");
    let url = fixture.nginx.url();
    let add = ["domain", "add", "film.example.com", "--origin", &url];
    let ran = cli(&data, &[&add[..], &["--allow-private-origin"]].concat(), "");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("--account UIN"), "{ran:?}");
    assert_eq!(cli(&data, &add, "").code, Some(0));
    let allow = ["domain", "set", "film.example.com", "--allow-private-origin", "--account"];
    fixture.done(&[&allow[..], &[text(&made, "uin")]].concat(), "");
    let batch = |from: usize, count: usize| {
        let url = |n: usize| format!("http://film.example.com/{n}");
        json!({"Urls": (from..from + count).map(url).collect::<Vec<_>>()})
    };
    film.push(batch(0, 500));
    film.push(batch(500, 499));
    let code = film.refused("PushUrlsCache", batch(999, 2));
    assert_eq!(code, "LimitExceeded.CdnPushExceedDayLimit");
    assert_eq!(film.charged(), (999, 0));
    film.push(batch(999, 1));
    // the other area and the other account have theirs
    let mut overseas = batch(0, 1);
    overseas["Area"] = "overseas".into();
    film.push(overseas);
    let owner = Sdk::of(&fixture.stoker);
    assert_eq!(owner.charged(), (0, 0));
    assert_eq!(owner.refused("PushUrlsCache", batch(0, 1)), "ResourceNotFound.CdnHostNotExists");
    fixture.done(&["quota", "set", "cdn", "--daily", "2000", "--account", text(&made, "uin")], "");
    film.push(batch(1000, 500));
    fixture.done(&["account", "disable", text(&made, "uin")], "");
    assert_eq!(film.refused("DescribePushQuota", json!({})), "AuthFailure.SecretIdNotFound");
}

#[test]
fn what_was_made_outlives_restarts_and_no_secret_is_in_any_file() {
    let Fixture { stoker, nginx: _nginx, folder } = {
        let fixture = Fixture::new();
        fixture.done(&["group", "add", "ops"], "");
        fixture.done(&["group", "join", "ops", "ann"], "");
        fixture
    };
    let (data, ports) = (stoker.data().to_owned(), stoker.ports());
    let made = [
        &["account", "add", "film"][..],
        &["key", "add"],
        &["key", "add", "--user", "ann"],
        &["key", "temporary", "--user", "ann"],
        &["key", "temporary", "--account", text(&stoker.credentials(), "uin")],
    ]
    .map(|args| stoker.json(args));
    let rotated = stoker.json(&["key", "rotate", text(&made[1], "secret_id")]);
    let mut secrets = vec![text(&stoker.credentials(), "secret_key").to_owned()];
    for made in made.iter().chain([&rotated]) {
        for name in ["secret_key", "token"] {
            secrets.extend(made[name].as_str().map(String::from));
        }
        // also known to the running server
        Sdk::of(&stoker).with_made(made).call("DescribePushQuota", json!({}));
    }
    assert_eq!(secrets.len(), 9);
    let shown = |stoker: &Stoker| {
        [
            &["account", "list"][..],
            &["user", "list"],
            &["group", "list"],
            &["policy", "show", "site"],
        ]
        .map(|args| stoker.json(args))
    };
    let before = shown(&stoker);
    assert_absent(&secrets, &data, &stoker.log());

    let (status, _) = stoker.terminate();
    assert_eq!(status.code(), Some(0));
    assert_absent(&secrets, &data, "");
    let stoker = Stoker::start_with(&data, ports, &[]);
    assert_eq!(shown(&stoker), before);
    stoker.kill();
    let stoker = Stoker::start_with(&data, ports, &[]);
    assert_eq!(shown(&stoker), before);
    assert_absent(&secrets, &data, &stoker.log());
    let sdk = Sdk::of(&stoker);
    sdk.clone().with_made(&made[2]).push(urls(HOST));
    sdk.clone().with_made(&made[3]).push(urls(HOST));
    sdk.clone().with_made(&made[4]).push(urls(OTHER));
    sdk.clone().with_made(&rotated).push(urls(OTHER));
    let code = sdk.with_made(&made[1]).refused("DescribePushQuota", json!({}));
    assert_eq!(code, "AuthFailure.SecretIdNotFound");
    let (_, printed) = stoker.terminate();
    assert!(secrets.iter().all(|secret| !printed.contains(secret)), "{printed}");

    another_sealing_key_opens_nothing(&data, ports);
    drop(folder);
}

#[test]
fn the_owners_key_stays_as_it_was_left_and_a_new_one_comes_with_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    let (data, ports) = (stoker.data().to_owned(), stoker.ports());
    let id = text(&stoker.credentials(), "secret_id").to_owned();
    // changed in the file too, before the old one ends
    assert_eq!(stoker.cli(&["key", "rotate", &id]).code, Some(0));
    let id = text(&stoker.credentials(), "secret_id").to_owned();
    let before = stoker.json(&["key", "list"]);
    assert!(before[0]["last_used_at"].is_string() && before[0]["is_enabled"] == false, "{before}");
    assert!(stoker.terminate().0.success());
    let stoker = Stoker::start_with(&data, ports, &[]);
    assert_eq!(stoker.json(&["key", "list"])[0], before[0]);

    assert_eq!(stoker.cli(&["key", "disable", &id]).code, Some(0));
    assert_eq!(stoker.cli(&["key", "list"]).code, Some(1));
    assert!(stoker.terminate().0.success());
    let stoker = Stoker::start_with(&data, ports, &[]);
    assert_eq!(stoker.cli(&["key", "list"]).code, Some(1));
    assert!(stoker.log().contains("key in credentials.json is disabled"));
    assert!(stoker.terminate().0.success());
    fs::remove_file(data.join("credentials.json")).unwrap();
    let stoker = Stoker::start_with(&data, ports, &[]);
    assert_eq!(stoker.json(&["key", "list"]).as_array().unwrap().len(), 3);
}

fn another_sealing_key_opens_nothing(data: &Path, ports: Ports) {
    let file = data.join("seal.key");
    let right = fs::read_to_string(&file).unwrap();
    fs::write(&file, "0123456789abcdef".repeat(4)).unwrap();
    let ran = Stoker::refused(data, ports, &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let told: Vec<_> = ran.stderr.lines().rev().take(2).collect();
    assert!(told[1].starts_with("error: ") && told[1].contains("seal.key"), "{ran:?}");
    assert!(told[0].starts_with("hint: restore the key of this ledger in"), "{ran:?}");
    // nothing was harmed: a new key above the right one takes its place
    fs::write(&file, "0123456789abcdef".repeat(4) + "\n" + &right).unwrap();
    let stoker = Stoker::start_with(data, ports, &[]);
    assert_eq!(stoker.cli(&["key", "list"]).code, Some(0));
}

/// The files of a data directory, but those that are there to hold secrets, and the log.
fn assert_absent(secrets: &[String], data: &Path, log: &str) {
    let mut folders = vec![data.to_owned()];
    let mut texts: Vec<(PathBuf, String)> = vec![("the log".into(), log.into())];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path != data.join("credentials.json") && path != data.join("seal.key") {
                let bytes = fs::read(&path).unwrap();
                texts.push((path, String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
    // what is no secret is found
    assert!(texts.iter().any(|(_, text)| text.contains(HOST)));
    for (path, text) in texts {
        for secret in secrets {
            assert!(!text.contains(secret.as_str()), "{} holds a secret", path.display());
        }
    }
}
