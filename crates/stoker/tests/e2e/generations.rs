//! The newer API and the management of domains, through the vendor's SDKs for Python and Node.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    harness::{Content, Nginx, Sdk, sha256, tccli},
    running::{Http, Stoker, eventually},
};

const ZONE: &str = "example.com";
const HOST: &str = "www.example.com";
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_zone_and_a_domain_made_through_teo_are_prefetched_and_served() {
    let nginx = Nginx::start();
    let files = ["/1", "/2"].map(|path| Content::write(&nginx.www(), path, 3_000_000, 7));
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    let sdk = Sdk::of(&stoker).with_teo();

    let made = json!({"Type": "partial", "ZoneName": ZONE, "Area": "overseas"});
    let made = sdk.accepted("CreateZone", made);
    let zone = made["ZoneId"].as_str().unwrap();
    assert!(zone.starts_with("zone-"), "{zone}");
    assert_eq!(zone_id(&sdk), zone);
    sdk.accepted("CreateAccelerationDomain", acceleration_domain(zone, HOST, &nginx));
    let shown = &sdk.accepted("DescribeAccelerationDomains", json!({"ZoneId": zone}));
    let shown = &shown["AccelerationDomains"][0];
    assert_eq!((&shown["DomainName"], &shown["DomainStatus"]), (&json!(HOST), &json!("online")));
    assert_eq!(shown["OriginDetail"]["Origin"], "127.0.0.1");

    // a caller of the API cannot give leave to connect to a private address; the operator can
    let targets = files.each_ref().map(|file| format!("http://{HOST}{}", file.path));
    let (job, _) = prefetch(&sdk, json!({"ZoneId": zone, "Targets": [targets[0]]}));
    let task = &wait(&sdk, &job)[0];
    let outcome = [&task["Status"], &task["FailType"], &task["FailMessage"]];
    assert_eq!(outcome, ["failed", "accessDenied", "blocked:private-address"]);
    assert_eq!(nginx.log(), []);
    let set = stoker.cli(&["domain", "set", HOST, "--allow-private-origin"]);
    assert_eq!(set.code, Some(0), "{set:?}");

    let wish = json!({"ZoneId": zone, "Targets": targets, "Mode": "edge"});
    let (job, refused) = prefetch(&sdk, wish);
    assert_eq!(refused, json!([]));
    let tasks = wait(&sdk, &job);
    assert_eq!(tasks.len(), 2);
    for (task, url) in tasks.iter().zip(&targets) {
        assert_eq!([&task["Target"], &task["Status"]], [url.as_str(), "success"], "{task}");
        assert_eq!(task["Type"], "prefetch_url");
    }
    for file in &files {
        let node = stoker.ports().node("edge-overseas");
        let reply = Http::new().get_cached(node, HOST, &file.path).unwrap();
        assert!(reply.is_hit(), "{} {:?}", reply.status, reply.fields);
        assert_eq!(sha256(&reply.body), file.sha256);
        assert_eq!(nginx.pulled()[&file.path].bytes, file.size, "{} was pulled once", file.path);
    }
    // the allotment of `edge` is another one
    assert_eq!(charged(&sdk, zone), 1);
}

#[test]
fn of_a_list_for_teo_what_can_be_accepted_is_and_the_rest_is_named() {
    let nginx = Nginx::start();
    Content::write(&nginx.www(), "/there", 1000, 1);
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &nginx.url(), &[]);
    stoker.add_domain("www.example.org", &nginx.url(), &[]);
    let sdk = Sdk::of(&stoker).with_teo();
    let zone = zone_id(&sdk);

    let (there, gone) = (format!("http://{HOST}/there"), format!("http://{HOST}/gone"));
    let foreign = "http://nobody.example/1";
    let (outside, malformed) = ("http://www.example.org/there", "ftp://x");
    let targets = json!([there, foreign, gone, outside, malformed]);
    let (job, refused) = prefetch(&sdk, json!({"ZoneId": zone, "Targets": targets}));
    let expected = json!([
        {"Reason": "域名无效", "Targets": [foreign, outside]},
        {"Reason": "目标无效", "Targets": [malformed]},
    ]);
    assert_eq!(refused, expected);
    let tasks = wait(&sdk, &job);
    let found: Vec<_> = tasks.iter().map(|task| [&task["Target"], &task["Status"]]).collect();
    assert_eq!(found, [[there.as_str(), "success"], [gone.as_str(), "invalid"]]);
    assert_eq!(tasks[1]["FailMessage"], "origin_status:404");
    assert_eq!(charged(&sdk, &zone), 2, "what was refused costs nothing");

    let refused = |sdk: &Sdk, zone: &str, target: &str| {
        sdk.refused("CreatePrefetchTask", json!({"ZoneId": zone, "Targets": [target]}))
    };
    assert_eq!(refused(&sdk, &zone, foreign), "InvalidParameter.DomainNotFound");
    assert_eq!(refused(&sdk, &zone, outside), "InvalidParameter.DomainNotFound");
    assert_eq!(refused(&sdk, &zone, malformed), "InvalidParameter.Target");
    let nobodys = "zone-abcdefghijkl";
    assert_eq!(refused(&sdk, nobodys, &there), "UnauthorizedOperation.NoPermission");
    let stranger = sdk.clone().with_key("wrong");
    assert_eq!(refused(&stranger, &zone, &there), "AuthFailure.SignatureFailure");
    assert_eq!(charged(&sdk, &zone), 2);
    // every domain of the account, whatever its zone
    let (job, refused) = prefetch(&sdk, json!({"ZoneId": "*", "Targets": [outside]}));
    assert_eq!(refused, json!([]));
    assert_eq!(wait(&sdk, &job)[0]["Status"], "success");
}

#[test]
fn a_domain_lives_through_all_its_states_through_cdn() {
    let nginx = Nginx::start();
    Content::write(&nginx.www(), "/base/x", 1000, 1);
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    let sdk = Sdk::of(&stoker);
    let named = json!({"Domain": HOST});
    let origin = json!({
        "Origins": [nginx.url().trim_start_matches("http://")],
        "OriginType": "ip",
        "OriginPullProtocol": "http",
        "BasePath": "/base",
    });
    let new = json!({
        "Domain": HOST,
        "ServiceType": "web",
        "Area": "overseas",
        "Origin": origin,
    });
    sdk.accepted("AddCdnDomain", new.clone());
    assert_eq!(sdk.refused("AddCdnDomain", new), "ResourceInUse.CdnHostExists");
    let shown = || {
        let filter = json!({"Name": "domain", "Value": [HOST]});
        let reply = sdk.accepted("DescribeDomains", json!({"Filters": [filter]}));
        assert_eq!(reply["TotalNumber"], reply["Domains"].as_array().unwrap().len());
        reply["Domains"][0].clone()
    };
    let domain = shown();
    assert_eq!([&domain["Status"], &domain["Area"]], ["online", "overseas"]);
    assert_eq!(domain["Origin"]["Origins"], origin["Origins"]);
    let set = stoker.cli(&["domain", "set", HOST, "--allow-private-origin"]);
    assert_eq!(set.code, Some(0), "{set:?}");

    let wish = json!({"Urls": [format!("http://{HOST}/x")], "Area": "overseas"});
    let push = || {
        let task = sdk.push(wish.clone());
        sdk.wait(&task, PATIENCE).remove(0).1
    };
    assert_eq!(push(), "done");
    assert!(nginx.pulled().contains_key("/base/x"), "{:?}", nginx.log());

    sdk.accepted("StopCdnDomain", named.clone());
    assert_eq!(shown()["Status"], "offline");
    assert_eq!(
        sdk.refused("PushUrlsCache", wish.clone()),
        "ResourceUnavailable.CdnHostIsNotOnline"
    );
    let again = sdk.refused("StopCdnDomain", named.clone());
    assert_eq!(again, "InvalidParameter.CDNStatusInvalidDomain");
    sdk.accepted("StartCdnDomain", named.clone());
    assert_eq!(shown()["Status"], "online");
    assert_eq!(push(), "done");

    // another area, the same origin: what was allowed stays allowed
    sdk.accepted("UpdateDomainConfig", json!({"Domain": HOST, "Area": "global"}));
    assert_eq!(shown()["Area"], "global");
    let both = json!({"Urls": [format!("http://{HOST}/x")], "Area": "global"});
    let task = sdk.push(both);
    assert_eq!(sdk.wait(&task, PATIENCE)[0].1, "done");

    let online = sdk.refused("DeleteCdnDomain", named.clone());
    assert_eq!(online, "ResourceUnavailable.CdnHostIsNotOffline");
    sdk.accepted("StopCdnDomain", named.clone());
    sdk.accepted("DeleteCdnDomain", named);
    assert_eq!(shown(), Value::Null);
    assert_eq!(sdk.refused("PushUrlsCache", wish), "ResourceNotFound.CdnHostNotExists");
}

#[test]
fn tccli_prefetches_through_teo() {
    let nginx = Nginx::start();
    Content::write(&nginx.www(), "/x", 1000, 1);
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &nginx.url(), &[]);
    let sdk = Sdk::of(&stoker).with_teo();

    let targets = format!("[\"http://{HOST}/x\"]");
    let zone = zone_id(&sdk);
    let further = ["--ZoneId", &zone, "--Targets", &targets];
    let output = tccli(&stoker, "teo", "CreatePrefetchTask", &further);
    let reply = serde_json::from_slice::<Value>(&output.stdout).ok();
    let job = reply.as_ref().and_then(|reply| reply["JobId"].as_str());
    let job = job.unwrap_or_else(|| panic!("{output:?}"));
    assert_eq!(wait(&sdk, job)[0]["Status"], "success");

    let targets = "[\"http://nobody.example/x\"]";
    let further = ["--ZoneId", &zone, "--Targets", targets];
    let output = tccli(&stoker, "teo", "CreatePrefetchTask", &further);
    assert_eq!(output.status.code(), Some(255));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("code:InvalidParameter.DomainNotFound"), "{stderr}");
}

#[test]
fn the_node_sdk_pushes_and_asks_with_post_and_get() {
    let nginx = Nginx::start();
    Content::write(&nginx.www(), "/1 2/中_文.jpg", 1000, 1);
    Content::write(&nginx.www(), "/x", 1000, 2);
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &nginx.url(), &[]);
    let post = Sdk::of(&stoker).with_node();

    for (sdk, urls_so_far) in [(post.clone(), 2), (post.with_get(), 4)] {
        let urls = [format!("http://{HOST}/1 2/中_文.jpg?a=b&c=d"), format!("http://{HOST}/x")];
        let task = sdk.push(json!({"Urls": urls, "Area": "overseas", "UrlEncode": true}));
        let records = sdk.wait(&task, PATIENCE);
        assert_eq!(records.len(), 2);
        assert!(records.iter().all(|(_, status)| status == "done"), "{sdk:?}: {records:?}");
        assert_eq!(sdk.charged(), (0, urls_so_far), "{sdk:?}");

        let teo = sdk.clone().with_teo();
        let zone = zone_id(&teo);
        let (job, refused) = prefetch(&teo, json!({"ZoneId": zone, "Targets": [urls[1]]}));
        assert_eq!(refused, json!([]));
        assert_eq!(wait(&teo, &job)[0]["Status"], "success", "{teo:?}");

        let code = |sdk: Sdk| sdk.refused("DescribePushQuota", json!({}));
        assert_eq!(code(sdk.clone().with_key("wrong")), "AuthFailure.SignatureFailure");
        assert_eq!(code(sdk.clone().with_id("AKIDnobody")), "AuthFailure.SecretIdNotFound");
        assert_eq!(code(sdk.clone().with_clock_shift(-400)), "AuthFailure.SignatureExpire");
        let foreign = json!({"Urls": ["http://nobody.example/x"]});
        assert_eq!(sdk.refused("PushUrlsCache", foreign), "ResourceNotFound.CdnHostNotExists");
    }
}

#[test]
fn both_sdks_may_sign_the_older_way() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, "http://127.0.0.1:1", &[]);
    let python = Sdk::of(&stoker);
    for sdk in [python.clone(), python.with_node()] {
        for sdk in [sdk.clone(), sdk.with_get()] {
            for signature in ["HmacSHA1", "HmacSHA256"] {
                let sdk = sdk.clone().with_signature(signature);
                let urls = [
                    format!("http://{HOST}/1 2/中_文.jpg?a=b&c=d"),
                    format!("http://{HOST}/~*'()"),
                ];
                let wish = json!({"Urls": urls, "Area": "overseas", "UrlEncode": true});
                let task = sdk.push(wish.clone());
                assert_eq!(sdk.records(&task).len(), 2, "{sdk:?}");
                let teo = sdk.clone().with_teo();
                let zone = zone_id(&teo);
                let (_, refused) = prefetch(&teo, json!({"ZoneId": zone, "Targets": [urls[1]]}));
                assert_eq!(refused, json!([]), "{teo:?}");
                let wrong = sdk.with_key("wrong");
                let code = wrong.refused("PushUrlsCache", wish);
                assert_eq!(code, "AuthFailure.SignatureFailure", "{wrong:?}");
            }
        }
    }
}

/// What asks for a domain of `zone` with nginx as its origin.
fn acceleration_domain(zone: &str, host: &str, nginx: &Nginx) -> Value {
    let url = nginx.url();
    let port = url.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    json!({
        "ZoneId": zone,
        "DomainName": host,
        "OriginInfo": {"OriginType": "IP_DOMAIN", "Origin": "127.0.0.1"},
        "OriginProtocol": "HTTP",
        "HttpOriginPort": port.unwrap(),
    })
}

/// The id of the zone `ZONE`.
fn zone_id(teo: &Sdk) -> String {
    let filter = json!({"Name": "zone-name", "Values": [ZONE]});
    let reply = teo.accepted("DescribeZones", json!({"Filters": [filter]}));
    assert_eq!(reply["TotalCount"], 1, "{reply}");
    reply["Zones"][0]["ZoneId"].as_str().unwrap().to_owned()
}

/// Prefetches; the job, and what was refused.
fn prefetch(teo: &Sdk, parameters: Value) -> (String, Value) {
    let reply = teo.accepted("CreatePrefetchTask", parameters);
    (reply["JobId"].as_str().unwrap().to_owned(), reply["FailedList"].clone())
}

/// Asks for the targets of a job until none is under way.
fn wait(teo: &Sdk, job: &str) -> Vec<Value> {
    let filter = json!({"Name": "job-id", "Values": [job]});
    eventually(PATIENCE, "the job is over", || {
        let reply = teo.accepted("DescribePrefetchTasks", json!({"Filters": [filter]}));
        let tasks = reply["Tasks"].as_array().unwrap().clone();
        assert_eq!(reply["TotalCount"], tasks.len());
        tasks.iter().all(|task| task["Status"] != "processing").then_some(tasks)
    })
}

/// Targets charged so far today.
fn charged(teo: &Sdk, zone: &str) -> i64 {
    let reply = teo.accepted("DescribeContentQuota", json!({"ZoneId": zone}));
    let quota = &reply["PrefetchQuota"][0];
    assert_eq!(quota["Type"], "prefetch_url");
    quota["Daily"].as_i64().unwrap() - quota["DailyAvailable"].as_i64().unwrap()
}
