//! Every field of every request model of the vendor's SDK is taken, and what is only stored is
//! answered back as it was given; none is taken in another type than the model's.
//!
//! The fields are read from the SDK's own models, so a version of it that has more of them fails
//! here until they are taken and named in `docs/compat/tencent.md`.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    harness::python,
    running::{Ports, Stoker, Texts, name_server},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/every_field.py");
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compat/tencent.md");
const HOST: &str = "www.example.com";
const RANGE: (&str, &str) = ("2024-01-01 00:00:00", "2024-01-02 00:00:00");

#[test]
fn every_field_of_cdn_is_taken_and_what_is_stored_is_answered_back() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = start(&folder);
    let added = settings(&json!({"Domain": HOST, "Area": "global"}));
    let updated = settings(&json!({"Domain": HOST, "Area": "mainland", "ProjectId": 7}));
    let named = json!({"Domain": HOST});
    let pages = json!({"StartTime": RANGE.0, "EndTime": RANGE.1, "TaskId": "none", "Area": "global",
        "Keyword": HOST, "Status": "done"});
    let purges = json!({"StartTime": RANGE.0, "EndTime": RANGE.1, "TaskId": "1700000000-abcdefgh",
        "Area": "global", "Keyword": HOST, "Status": "done", "PurgeType": "url"});
    let all = json!({"Offset": 0, "Filters": null});
    let sorted =
        json!({"Offset": 0, "Filters": null, "Sort": {"Key": "createTime", "Sequence": "asc"}});
    let filtered =
        json!({"Filters": [{"Name": "domain", "Value": ["example"], "Fuzzy": true}], "Offset": 0});
    let calls = json!([
        ["cdn", "AddCdnDomain", added],
        ["cdn", "DescribeDomainsConfig", sorted],
        ["cdn", "UpdateDomainConfig", updated],
        ["cdn", "DescribeDomainsConfig", sorted],
        ["cdn", "DescribeDomains", filtered],
        ["cdn", "DescribeDomains", all],
        ["cdn", "PushUrlsCache", {"Urls": [format!("http://{HOST}/1")], "Area": "mainland",
            "Layer": "middle", "Headers": [{"Name": "X-A", "Value": "1"}]}],
        ["cdn", "DescribePushTasks", pages],
        ["cdn", "DescribePushQuota", {}],
        ["cdn", "PurgeUrlsCache", {"Urls": [format!("http://{HOST}/1")], "Area": "mainland"}],
        ["cdn", "PurgePathCache",
            {"Paths": [format!("http://{HOST}/a/")], "Area": "mainland", "FlushType": "flush"}],
        ["cdn", "DescribePurgeTasks", purges],
        ["cdn", "DescribePurgeQuota", {}],
        ["cdn", "StopCdnDomain", named],
        ["cdn", "StartCdnDomain", named],
        ["cdn", "StopCdnDomain", named],
        ["cdn", "DeleteCdnDomain", named],
    ]);
    let results = call(&stoker, &calls);
    all_taken(&calls, &results);

    for (change, view) in [(0, 1), (2, 3)] {
        let shown = &results[view]["reply"]["Domains"][0];
        let sent = results[change]["sent"].as_object().unwrap();
        assert!(sent.len() > 30, "the model has many fields: {}", sent.len());
        for (name, given) in sent {
            assert_eq!(&shown[name.as_str()], given, "{name} is answered back as it was given");
        }
    }
}

#[test]
fn every_field_of_proofs_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let texts = Texts::default();
    let server = name_server(&texts);
    let dns = server.address().to_string();
    let data = folder.path().join("data");
    let stoker =
        Stoker::start_with(&data, Ports::free(), &["--calls-per-second", "0", "--dns", &dns]);
    let calls = json!([
        ["cdn", "CreateVerifyRecord", {"Domain": HOST}],
        ["teo", "IdentifyZone", {"ZoneName": "example.com", "Domain": HOST}],
        ["teo", "DescribeIdentifications", {"Offset": 0,
            "Filters": [{"Name": "zone-name", "Values": ["example.com"]}]}],
    ]);
    let results = call(&stoker, &calls);
    all_taken(&calls, &results);
    let text = results[0]["reply"]["Record"].as_str().unwrap().to_owned();
    texts.lock().unwrap().insert("_cdnauth.example.com".into(), text);
    let calls = json!([
        ["cdn", "VerifyDomainRecord", {"Domain": HOST, "VerifyType": "dns"}],
        ["teo", "VerifyOwnership", {"Domain": HOST}],
    ]);
    all_taken(&calls, &call(&stoker, &calls));
}

#[test]
fn every_field_of_teo_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = start(&folder);
    let made = json!({"Type": "partial", "ZoneName": "example.com", "Area": "global"});
    let made = call(&stoker, &json!([["teo", "CreateZone", made]]));
    let zone = made[0]["reply"]["ZoneId"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned();
    let origin = json!({"OriginType": "IP_DOMAIN", "Origin": "192.0.2.1", "HostHeader": HOST});
    let domain = json!({"ZoneId": zone, "DomainName": HOST, "OriginInfo": origin,
        "OriginProtocol": "HTTP", "IPv6Status": "follow"});
    let limit = json!({"ZoneId": zone, "DomainName": HOST, "Area": "MainlandChina",
        "Bandwidth": 100, "Enabled": "on"});
    let named =
        |name: &str, value: &str| json!([{"Name": name, "Values": [value], "Fuzzy": false}]);
    let plainly = |name: &str, value: &str| json!([{"Name": name, "Values": [value]}]);
    let range = ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z");
    let url = format!("http://{HOST}/1");
    let calls = json!([
        ["teo", "DescribeZones", {"Offset": 0, "Filters": named("zone-name", "example.com"),
            "Order": "zone-name", "Direction": "asc"}],
        ["teo", "CreateAccelerationDomain", domain],
        ["teo", "ModifyAccelerationDomain", domain],
        ["teo", "DescribeAccelerationDomains", {"ZoneId": zone, "Offset": 0, "Match": "any",
            "Filters": named("domain-name", HOST), "Order": "domain-name", "Direction": "asc"}],
        ["teo", "ModifyPrefetchOriginLimit", limit],
        ["teo", "DescribePrefetchOriginLimit",
            {"ZoneId": zone, "Offset": 0, "Filters": plainly("domain-name", HOST)}],
        ["teo", "CreatePrefetchTask", {"ZoneId": zone, "Targets": [url], "Mode": "edge",
            "Headers": [{"Name": "X-A", "Value": "1"}], "PrefetchMediaSegments": "on"}],
        ["teo", "DescribePrefetchTasks", {"ZoneId": zone, "StartTime": range.0, "EndTime": range.1,
            "Offset": 0, "Filters": named("domains", HOST)}],
        ["teo", "CreatePurgeTask", {"ZoneId": zone, "Type": "purge_url", "Targets": [url],
            "Method": "invalidate", "CacheTag": {"Domains": [HOST]}}],
        ["teo", "DescribePurgeTasks", {"ZoneId": zone, "StartTime": range.0, "EndTime": range.1,
            "Offset": 0, "Filters": named("domains", HOST)}],
        ["teo", "DescribeContentQuota", {"ZoneId": zone}],
        ["teo", "ModifyAccelerationDomainStatuses",
            {"ZoneId": zone, "DomainNames": [HOST], "Status": "offline"}],
        ["teo", "DeleteAccelerationDomains", {"ZoneId": zone, "DomainNames": [HOST]}],
        ["teo", "DeleteZone", {"ZoneId": zone}],
        ["teo", "CreateZone", {"Type": "partial", "ZoneName": "example.org", "Area": "global"}],
    ]);
    let results = call(&stoker, &calls);
    all_taken(&calls, &results);
    let shown = &results[3]["reply"]["AccelerationDomains"][0];
    for name in ["PrivateAccess", "BackupOrigin", "PrivateParameters"] {
        assert_eq!(shown["OriginDetail"][name], results[1]["sent"]["OriginInfo"][name], "{name}");
    }
}

/// A server that takes calls as fast as they come: there is one for each field and type.
fn start(folder: &TempDir) -> Stoker {
    let data = folder.path().join("data");
    Stoker::start_with(&data, Ports::free(), &["--calls-per-second", "0"])
}

/// Origin, Cache and what else acts, with values that mean something.
fn settings(further: &Value) -> Value {
    let mut all = json!({
        "ServiceType": "web",
        "Origin": {"Origins": ["192.0.2.1"], "OriginType": "ip", "ServerName": HOST,
            "OriginPullProtocol": "http", "BackupOrigins": ["192.0.2.2"], "BasePath": "/base",
            "BackupOriginType": "ip", "BackupServerName": HOST, "CosPrivateAccess": "off"},
        "Cache": {"SimpleCache": {"FollowOrigin": "off", "IgnoreCacheControl": "off",
            "IgnoreSetCookie": "off", "CompareMaxAge": "off", "Revalidate": {"Switch": "off"},
            "CacheRules": [
                {"CacheType": "all", "CacheContents": ["*"], "CacheTime": 60},
                {"CacheType": "file", "CacheContents": ["jpg"], "CacheTime": 600}]}},
        "FollowRedirect": {"Switch": "off"},
        "RangeOriginPull": {"Switch": "on"},
        "RequestHeader": {"Switch": "on", "HeaderRules": [{"HeaderMode": "set", "HeaderName": "X-A",
            "HeaderValue": "1", "RuleType": "all", "RulePaths": ["*"]}]},
        "OriginPullTimeout": {"ConnectTimeout": 5, "ReceiveTimeout": 10},
    });
    let further = further.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(further);
    all
}

/// That no call was refused, and that the table of compatibility names every field in a section
/// that is about the action.
fn all_taken(calls: &Value, results: &[Value]) {
    let table = fs::read_to_string(Path::new(TABLE)).unwrap();
    let sections: Vec<Vec<_>> = table.split("\n## ").map(words).collect();
    for (call, result) in calls.as_array().unwrap().iter().zip(results) {
        let action = call[1].as_str().unwrap();
        assert!(result["reply"]["RequestId"].is_string(), "{action}: {result}");
        let taken = result["taken"].as_array().unwrap();
        assert!(taken.is_empty(), "{action} takes wrong types: {taken:#?}");
        let (wrong, fields) = (result["wrong"].as_u64(), result["fields"].as_array().unwrap());
        assert!(wrong >= Some(fields.len() as u64), "{action}: {wrong:?}");
        for field in result["fields"].as_array().unwrap() {
            let field = field.as_str().unwrap();
            let is_named = sections.iter().any(|it| it.contains(&action) && it.contains(&field));
            assert!(is_named, "no section of the table names {field} of {action}");
        }
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).collect()
}

fn call(stoker: &Stoker, calls: &Value) -> Vec<Value> {
    let credentials = stoker.credentials();
    let spec = json!({
        "endpoint": format!("127.0.0.1:{}", stoker.ports().api()),
        "secret_id": credentials["secret_id"],
        "secret_key": credentials["secret_key"],
        "calls": calls,
    });
    let mut python: Command = python();
    let mut child = python
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(spec.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}
