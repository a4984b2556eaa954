//! What the operator says of accounts and domains, and what the vendor's SDK is told of it, also after
//! a restart.

use serde_json::{Value, json};

use crate::{
    harness::Sdk,
    running::{Ports, Stoker},
};

const HOST: &str = "www.example.com";

fn run_json(stoker: &Stoker, arguments: &[&str]) -> Value {
    let ran = stoker.cli(arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn accounts_are_suspended_features_closed_and_domains_locked_by_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    let (data, ports) = (folder.path().join("data"), Ports::free());
    let stoker = Stoker::start_with(&data, ports, &[]);
    let made = run_json(&stoker, &["account", "add", "film", "--json"]);
    let uin = made["uin"].as_str().unwrap().to_owned();
    let sdk = Sdk::of(&stoker).with_made(&made);
    let origin = ["--origin", "http://127.0.0.1:1", "--allow-private-origin", "--account", &uin];
    let added = stoker.cli(&[&["domain", "add", HOST][..], &origin].concat());
    assert_eq!(added.code, Some(0), "{added:?}");
    let urls = json!([format!("http://{HOST}/1")]);
    let push = |sdk: &Sdk, further: Value| {
        let mut wish = json!({"Urls": urls, "Area": "overseas"});
        wish.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        let reply = sdk.call("PushUrlsCache", wish);
        reply["Error"]["Code"].as_str().unwrap_or("accepted").to_owned()
    };
    assert_eq!(push(&sdk, json!({})), "accepted");

    let suspended = run_json(&stoker, &["account", "suspend", &uin, "--json"]);
    assert_eq!(
        (&suspended["service"], &suspended["is_enabled"]),
        (&json!("suspended"), &json!(true))
    );
    assert_eq!(push(&sdk, json!({})), "UnauthorizedOperation.CdnUserIsSuspended");
    run_json(&stoker, &["account", "suspend", &uin, "--awaiting-approval", "--json"]);
    let named = ["domain", "lock", HOST, "--account", &uin, "--json"];
    assert_eq!(run_json(&stoker, &named)["lock"], "locked");
    let closed = run_json(&stoker, &["account", "feature", &uin, "disable-range", "off", "--json"]);
    assert_eq!(closed["features"]["disable-range"], false);

    stoker.terminate();
    let stoker = Stoker::start_with(&data, ports, &[]);
    assert_eq!(push(&sdk, json!({})), "UnauthorizedOperation.CdnUserAuthWait");
    run_json(&stoker, &["account", "resume", &uin, "--json"]);
    assert_eq!(push(&sdk, json!({})), "ResourceUnavailable.CdnHostIsLocked");
    let changing = ["domain", "lock", HOST, "--changing", "--account", &uin, "--json"];
    assert_eq!(run_json(&stoker, &changing)["lock"], "changing");
    assert_eq!(push(&sdk, json!({})), "ResourceInUse.CdnOpInProgress");
    let unlock = ["domain", "unlock", HOST, "--account", &uin, "--json"];
    assert_eq!(run_json(&stoker, &unlock).get("lock"), None);
    let whole = json!({"DisableRange": true});
    assert_eq!(push(&sdk, whole.clone()), "UnauthorizedOperation.CdnUserNoWhitelist");
    assert_eq!(push(&sdk, json!({})), "accepted");
    run_json(&stoker, &["account", "feature", &uin, "disable-range", "on", "--json"]);
    assert_eq!(push(&sdk, whole), "accepted");
}
