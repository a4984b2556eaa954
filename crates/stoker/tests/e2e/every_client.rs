//! API 3.0 through each of the vendor's clients: what a program does in a day, and every way in
//! which it is refused.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    harness::{Client, Content, Nginx, Sdk, sha256},
    running::{Http, Ports, Stoker, Tls, eventually},
};

const CLIENTS: [(Client, &str); 4] = [
    (Client::Python, "python"),
    (Client::International, "intl"),
    (Client::Node, "node"),
    (Client::Tccli, "tccli"),
];
const NODES: [&str; 2] = ["edge-mainland", "edge-overseas"];
const PATIENCE: Duration = Duration::from_secs(120);
const FOREIGN: &str = "http://nobody.example/x";

/// An origin with one file, and a server.
struct Fixture {
    nginx: Nginx,
    file: Content,
    stoker: Stoker,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let nginx = Nginx::start();
        let file = Content::write(&nginx.www(), "/x/1", 200_000, 7);
        let folder = tempfile::tempdir().unwrap();
        let stoker = Stoker::start(&folder.path().join("data"));
        Self { nginx, file, stoker, _folder: folder }
    }

    /// An API cannot give leave to connect to a private address; the operator can.
    fn allow(&self, host: &str) {
        let set = self.stoker.cli(&["domain", "set", host, "--allow-private-origin"]);
        assert_eq!(set.code, Some(0), "{set:?}");
    }

    /// Whether the edge nodes hold the file under this host, all of them or none.
    fn is_held(&self, host: &str) -> bool {
        let held = NODES.map(|node| {
            let port = self.stoker.ports().node(node);
            let reply = Http::new().get_cached(port, host, &self.file.path).unwrap();
            assert!(!reply.is_hit() || sha256(&reply.body) == self.file.sha256);
            reply.is_hit()
        });
        assert_eq!(held[0], held[1], "{host}");
        held[0]
    }

    fn url(&self, host: &str) -> String {
        format!("http://{host}{}", self.file.path)
    }
}

#[test]
fn every_client_manages_prefetches_and_purges_through_cdn() {
    let fixture = Fixture::new();
    for (client, name) in CLIENTS {
        let sdk = Sdk::of(&fixture.stoker).with_client(client);
        let host = &format!("{name}.example.com");
        let named = json!({"Domain": host});
        let address = fixture.nginx.url().replace("http://", "");
        let origin =
            json!({"Origins": [address], "OriginType": "ip", "OriginPullProtocol": "http"});
        let new =
            json!({"Domain": host, "ServiceType": "web", "Area": "overseas", "Origin": origin});
        sdk.accepted("AddCdnDomain", new);
        sdk.accepted("UpdateDomainConfig", json!({"Domain": host, "Area": "global"}));
        let filter = json!({"Filters": [{"Name": "domain", "Value": [host]}]});
        for action in ["DescribeDomains", "DescribeDomainsConfig"] {
            let shown = &sdk.accepted(action, filter.clone())["Domains"][0];
            assert_eq!([&shown["Domain"], &shown["Area"]], [host, "global"], "{sdk:?} {action}");
            assert_eq!(shown["Origin"]["Origins"], origin["Origins"], "{sdk:?} {action}");
        }
        fixture.allow(host);

        let before = sdk.charged();
        let task =
            sdk.push(json!({"Urls": [fixture.url(host)], "Area": "global", "Layer": "edge"}));
        let records = sdk.wait(&task, PATIENCE);
        assert_eq!(records, [(fixture.url(host), "done".to_owned())], "{sdk:?}");
        assert!(fixture.is_held(host), "{sdk:?}");
        assert_eq!(sdk.charged(), (before.0 + 1, before.1 + 1), "{sdk:?}");

        let urls = json!({"Urls": [fixture.url(host)]});
        purge(&sdk, "PurgeUrlsCache", urls);
        assert!(!fixture.is_held(host), "{sdk:?}");
        let wish = json!({"Urls": [fixture.url(host)], "Area": "global", "Layer": "edge"});
        let task = sdk.push(wish);
        sdk.wait(&task, PATIENCE);
        assert!(fixture.is_held(host), "{sdk:?}");
        let paths = json!({"Paths": [format!("http://{host}/x/")], "FlushType": "delete"});
        purge(&sdk, "PurgePathCache", paths);
        assert!(!fixture.is_held(host), "{sdk:?}");

        sdk.accepted("StopCdnDomain", named.clone());
        let stopped = sdk.refused("PushUrlsCache", json!({"Urls": [fixture.url(host)]}));
        assert_eq!(stopped, "ResourceUnavailable.CdnHostIsNotOnline", "{sdk:?}");
        sdk.accepted("StartCdnDomain", named.clone());
        sdk.accepted("StopCdnDomain", named.clone());
        sdk.accepted("DeleteCdnDomain", named);
        assert_eq!(sdk.accepted("DescribeDomains", filter)["TotalNumber"], 0, "{sdk:?}");
    }
}

/// Purges, waits until it is done, and looks at what it cost.
fn purge(sdk: &Sdk, action: &str, parameters: Value) {
    let left = |sdk: &Sdk| {
        let quota = sdk.accepted("DescribePurgeQuota", json!({}));
        let side = if action == "PurgeUrlsCache" { "UrlPurge" } else { "PathPurge" };
        let areas = quota[side].as_array().unwrap().clone();
        areas.iter().map(|area| area["Available"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let before = left(sdk);
    let task = sdk.accepted(action, parameters)["TaskId"].clone();
    eventually(PATIENCE, "the purge is done", || {
        let logs = sdk.accepted("DescribePurgeTasks", json!({"TaskId": task}));
        let logs = logs["PurgeLogs"].as_array().unwrap().clone();
        let is_done = logs.iter().all(|log| log["Status"] == "done");
        (!logs.is_empty() && is_done).then_some(())
    });
    let after: Vec<_> = before.iter().map(|left| left - 1).collect();
    assert_eq!(left(sdk), after, "{sdk:?} {action}");
}

#[test]
fn every_client_manages_prefetches_purges_and_limits_through_teo() {
    let fixture = Fixture::new();
    let port: u16 = fixture.nginx.url().rsplit(':').next().unwrap().parse().unwrap();
    for (client, name) in CLIENTS {
        let sdk = Sdk::of(&fixture.stoker).with_client(client).with_teo();
        let zone_name = &format!("{name}.example");
        let host = &format!("www.{zone_name}");
        let new = json!({"Type": "partial", "ZoneName": zone_name, "Area": "global"});
        let zone = sdk.accepted("CreateZone", new)["ZoneId"].clone();
        let filter = json!({"Filters": [{"Name": "zone-name", "Values": [zone_name]}]});
        let shown = &sdk.accepted("DescribeZones", filter.clone())["Zones"][0];
        assert_eq!(shown["ZoneId"], zone, "{sdk:?}");
        let with = |further: Value| {
            let mut all = json!({"ZoneId": zone});
            all.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
            all
        };
        let settings = |port: u16| {
            with(json!({
                "DomainName": host,
                "OriginInfo": {"OriginType": "IP_DOMAIN", "Origin": "127.0.0.1"},
                "OriginProtocol": "HTTP",
                "HttpOriginPort": port,
            }))
        };
        sdk.accepted("CreateAccelerationDomain", settings(1));
        sdk.accepted("ModifyAccelerationDomain", settings(port));
        let shown = || {
            let reply = sdk.accepted("DescribeAccelerationDomains", with(json!({})));
            reply["AccelerationDomains"][0].clone()
        };
        assert_eq!(shown()["HttpOriginPort"], port, "{sdk:?}");
        fixture.allow(host);

        let left = || {
            let quota = sdk.accepted("DescribeContentQuota", with(json!({})));
            quota["PrefetchQuota"][0]["DailyAvailable"].as_i64().unwrap()
        };
        let before = left();
        let wish = with(json!({"Targets": [fixture.url(host)], "Mode": "edge"}));
        prefetch(&sdk, wish);
        assert!(fixture.is_held(host), "{sdk:?}");
        prefetch(&sdk, with(json!({"Targets": [fixture.url(host)]})));
        assert_eq!(left(), before - 1, "{sdk:?}: the allotment of `edge` is another one");

        let url = json!({"Type": "purge_url", "Targets": [fixture.url(host)]});
        finish(&sdk, ["CreatePurgeTask", "DescribePurgeTasks"], with(url));
        assert!(!fixture.is_held(host), "{sdk:?}");
        let whole = json!({"Type": "purge_host", "Targets": [host], "Method": "delete"});
        finish(&sdk, ["CreatePurgeTask", "DescribePurgeTasks"], with(whole));

        let limit = |bandwidth: u32, enabled: &str| {
            with(json!({"DomainName": host, "Area": "Overseas", "Bandwidth": bandwidth,
                "Enabled": enabled}))
        };
        sdk.accepted("ModifyPrefetchOriginLimit", limit(200, "on"));
        let limits = sdk.accepted("DescribePrefetchOriginLimit", with(json!({})));
        assert_eq!(limits["Limits"][0]["Bandwidth"], 200, "{sdk:?}: {limits}");
        sdk.accepted("ModifyPrefetchOriginLimit", limit(200, "off"));

        let names = json!({"DomainNames": [host], "Status": "offline"});
        sdk.accepted("ModifyAccelerationDomainStatuses", with(names));
        assert_eq!(shown()["DomainStatus"], "offline", "{sdk:?}");
        sdk.accepted("DeleteAccelerationDomains", with(json!({"DomainNames": [host]})));
        assert_eq!(shown(), Value::Null, "{sdk:?}");
        sdk.accepted("DeleteZone", with(json!({})));
        assert_eq!(sdk.accepted("DescribeZones", filter)["TotalCount"], 0, "{sdk:?}");
    }
}

/// Prefetches one target and waits until it is there.
fn prefetch(sdk: &Sdk, wish: Value) {
    finish(sdk, ["CreatePrefetchTask", "DescribePrefetchTasks"], wish);
}

/// Asks for something and then for it until it is done.
fn finish(sdk: &Sdk, [create, describe]: [&str; 2], wish: Value) {
    let job = sdk.accepted(create, wish.clone())["JobId"].clone();
    let filter =
        json!({"ZoneId": wish["ZoneId"], "Filters": [{"Name": "job-id", "Values": [job]}]});
    let status = eventually(PATIENCE, "the job is over", || {
        let reply = sdk.accepted(describe, filter.clone());
        assert_eq!(reply["TotalCount"], 1, "{sdk:?}");
        let status = reply["Tasks"][0]["Status"].clone();
        (status != "processing").then_some(status)
    });
    assert_eq!(status, "success", "{sdk:?}");
}

#[test]
fn every_client_is_told_why_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain("www.example.com", "http://127.0.0.1:1", &[]);
    for (client, _) in CLIENTS {
        let cdn = Sdk::of(&stoker).with_client(client);
        let teo = cdn.clone().with_teo();
        let filter = json!({"Filters": [{"Name": "zone-name", "Values": ["example.com"]}]});
        let zone = teo.accepted("DescribeZones", filter)["Zones"][0]["ZoneId"].clone();
        // in the SDKs and not in Stoker, so that tccli knows them
        let zoned = json!({"ZoneId": zone});
        let unknown = [("DescribeTrafficPackages", json!({})), ("DescribeDnsRecords", zoned)];
        for (sdk, (action, parameters)) in [&cdn, &teo].into_iter().zip(unknown) {
            let refused = |sdk: Sdk| {
                let code = sdk.refused(action, parameters.clone());
                (code, sdk)
            };
            assert_eq!(refused(sdk.clone()).0, "InvalidAction", "{sdk:?}");
            let wrong = sdk.clone().with_key("wrong");
            assert_eq!(refused(wrong).0, "AuthFailure.SignatureFailure", "{sdk:?}");
            let nobody = sdk.clone().with_id("AKIDnobody");
            assert_eq!(refused(nobody).0, "AuthFailure.SecretIdNotFound", "{sdk:?}");
            for clock_shift in [-400, 400] {
                let late = sdk.clone().with_clock_shift(clock_shift);
                assert_eq!(refused(late).0, "AuthFailure.SignatureExpire", "{sdk:?}");
            }
        }
        let urls = |count: u32| -> Vec<String> {
            (0..count).map(|n| format!("http://www.example.com/{n}")).collect()
        };
        let push = |urls: Value| cdn.refused("PushUrlsCache", json!({"Urls": urls}));
        assert_eq!(push(json!([FOREIGN])), "ResourceNotFound.CdnHostNotExists", "{cdn:?}");
        assert_eq!(push(json!(urls(501))), "LimitExceeded.CdnPushExceedBatchLimit", "{cdn:?}");
        let prefetch = |targets: Value| {
            teo.refused("CreatePrefetchTask", json!({"ZoneId": zone, "Targets": targets}))
        };
        assert_eq!(prefetch(json!([FOREIGN])), "InvalidParameter.DomainNotFound", "{teo:?}");
        assert_eq!(prefetch(json!(urls(3000))), "LimitExceeded.BatchQuota", "{teo:?}");
    }
    assert_eq!(Sdk::of(&stoker).charged(), (0, 0));
}

#[test]
fn every_client_is_told_that_the_day_is_used_up() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain("www.example.com", "http://127.0.0.1:1", &[]);
    for product in ["cdn", "teo", "cdn-purge-url", "cdn-purge-path", "teo-purge-url"] {
        let set = stoker.cli(&["quota", "set", product, "--daily", "1"]);
        assert_eq!(set.code, Some(0), "{set:?}");
    }
    let urls = ["http://www.example.com/1", "http://www.example.com/2"];
    let paths = ["http://www.example.com/1/", "http://www.example.com/2/"];
    for (client, _) in CLIENTS {
        let cdn = Sdk::of(&stoker).with_client(client);
        let push = json!({"Urls": urls, "Area": "overseas"});
        let code = cdn.refused("PushUrlsCache", push);
        assert_eq!(code, "LimitExceeded.CdnPushExceedDayLimit", "{cdn:?}");
        let code = cdn.refused("PurgeUrlsCache", json!({"Urls": urls}));
        assert_eq!(code, "LimitExceeded.CdnPurgeUrlExceedDayLimit", "{cdn:?}");
        let purge = json!({"Paths": paths, "FlushType": "delete"});
        let code = cdn.refused("PurgePathCache", purge);
        assert_eq!(code, "LimitExceeded.CdnPurgePathExceedDayLimit", "{cdn:?}");
        let teo = cdn.with_teo();
        let targets = json!({"ZoneId": "*", "Targets": urls});
        assert_eq!(
            teo.refused("CreatePrefetchTask", targets),
            "LimitExceeded.DailyQuota",
            "{teo:?}"
        );
        let targets = json!({"ZoneId": "*", "Type": "purge_url", "Targets": urls});
        assert_eq!(teo.refused("CreatePurgeTask", targets), "LimitExceeded.DailyQuota", "{teo:?}");
    }
    assert_eq!(Sdk::of(&stoker).charged(), (0, 0));
}

#[test]
fn every_client_is_told_that_it_calls_too_often() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    let own = Sdk::of(&stoker);
    // one that calls without pause, so that a slow client is one too many as well
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                own.call_once("DescribePushQuota", json!({}));
            }
        });
        for (client, _) in CLIENTS {
            let sdk = own.clone().with_client(client);
            let error = eventually(PATIENCE, "a call is one too many", || {
                let reply = sdk.call_once("DescribePushQuota", json!({}));
                reply.get("Error").cloned()
            });
            assert_eq!(error["Code"], "RequestLimitExceeded", "{sdk:?}");
            let message = error["Message"].as_str().unwrap();
            assert!(message.contains("`20`"), "{message}");
            // another action has its own count
            assert!(sdk.call_once("DescribeDomains", json!({})).get("Error").is_none());
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_python_sdk_may_send_a_form_of_parts() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain("www.example.com", "http://127.0.0.1:1", &[]);
    let sdk = Sdk::of(&stoker).with_multipart();
    let urls = ["http://www.example.com/1 2/中_文.jpg?a=b&c=d", "http://www.example.com/2"];
    let task = sdk.push(json!({"Urls": urls, "Area": "overseas", "UrlEncode": "true"}));
    // this form has no numbers, so the records are asked for with the other one
    assert_eq!(Sdk::of(&stoker).records(&task).len(), 2);
    let reply = sdk.accepted("DescribePushTasks", json!({"TaskId": task, "Area": "overseas"}));
    assert_eq!(reply["TotalCount"], 2);
    let code = sdk.with_key("wrong").refused("DescribePushTasks", json!({"TaskId": task}));
    assert_eq!(code, "AuthFailure.SignatureFailure");
}

#[test]
fn the_python_sdk_may_speak_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (stoker, tls) = Tls::start(folder.path());
    stoker.add_domain("www.example.com", "http://127.0.0.1:1", &[]);
    let sdk = Sdk::of(&stoker).with_tls(&stoker, &tls.authority_file());
    for sdk in [sdk.clone(), sdk.clone().with_get(), sdk.with_signature("HmacSHA1")] {
        let task = sdk.push(json!({"Urls": ["http://www.example.com/1"], "Area": "overseas"}));
        assert_eq!(sdk.records(&task).len(), 1);
        let code = sdk.with_key("wrong").refused("DescribePushQuota", json!({}));
        assert_eq!(code, "AuthFailure.SignatureFailure");
    }
}

#[test]
fn whoever_names_no_language_is_answered_in_that_of_his_host_or_of_the_installation() {
    let folder = tempfile::tempdir().unwrap();
    let is_english = |sdk: Sdk| {
        let reply = sdk.call("PushUrlsCache", json!({"Urls": [FOREIGN]}));
        let error = &reply["Error"];
        assert_eq!(error["Code"], "ResourceNotFound.CdnHostNotExists", "{reply}");
        error["Message"].as_str().unwrap().starts_with("domain `nobody.example`")
    };
    for (place, flags, default) in
        [("a", &[][..], false), ("b", &["--language", "en-US"][..], true)]
    {
        let stoker = Stoker::start_with(&folder.path().join(place), Ports::free(), flags);
        let international = Sdk::of(&stoker).with_client(Client::International);
        for sdk in [Sdk::of(&stoker), international.clone()] {
            assert_eq!(is_english(sdk.clone().with_language("")), default, "{sdk:?}");
            let named = sdk.with_host("cdn.intl.tencentcloudapi.com");
            let forms = [named.clone(), named.clone().with_get(), named.with_signature("HmacSHA1")];
            for sdk in forms {
                assert!(is_english(sdk.clone().with_language("")), "{sdk:?}");
                assert!(!is_english(sdk.clone().with_language("zh-CN")), "{sdk:?}");
            }
        }
        // what the SDKs ask for by themselves
        assert!(is_english(international) && !is_english(Sdk::of(&stoker)));
    }
}
