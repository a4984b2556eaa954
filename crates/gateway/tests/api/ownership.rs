//! Proofs of ownership through both vendor APIs and the admin API: what is answered, and every code.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};
use stoker_engine::{Evidence, EvidenceError};

use crate::app::{App, Call, OWNER, SMALL};

const TEO: &str = "2022-09-01";
const FILE: &str = "/.well-known/stoker-verification.txt";
const NOT_VERIFIED: &str = "UnauthorizedOperation.CdnDomainRecordNotVerified";

/// What is published: texts by the name of the record or the host of the file.
#[derive(Debug, Default)]
struct Published(Mutex<HashMap<String, String>>);

impl Published {
    fn put(&self, place: &str, text: &str) {
        self.0.lock().unwrap().insert(place.into(), text.into());
    }
}

#[async_trait]
impl Evidence for Published {
    async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, EvidenceError> {
        match self.0.lock().unwrap().get(name) {
            Some(text) => Ok(vec![text.clone().into_bytes()]),
            None => Err(EvidenceError::NoRecord(name.into())),
        }
    }

    async fn file(&self, host: &str, path: &str) -> Result<Vec<u8>, EvidenceError> {
        match self.0.lock().unwrap().get(&format!("{host}{path}")) {
            Some(text) => Ok(text.clone().into_bytes()),
            None => Err(EvidenceError::Status { host: host.into(), status: 404 }),
        }
    }
}

async fn app() -> (App, Arc<Published>) {
    let mut app = App::new().await;
    let published = Arc::new(Published::default());
    app.ask_for_proofs(Arc::clone(&published) as _).await;
    (app, published)
}

/// A call of the second account.
async fn cdn(app: &App, action: &str, body: Value) -> Value {
    app.call(&Call::action(action, body.to_string()).key(SMALL)).await.response()
}

async fn teo(app: &App, action: &str, body: Value) -> Value {
    let call = Call::action(action, body.to_string()).with("x-tc-version", TEO);
    app.call(&call.key(SMALL)).await.response()
}

fn code(reply: &Value) -> &str {
    reply["Error"]["Code"].as_str().unwrap_or_else(|| panic!("{reply}"))
}

fn new(host: &str) -> Value {
    let origin = json!({ "Origins": ["192.0.2.1"], "OriginType": "ip" });
    json!({ "Domain": host, "ServiceType": "web", "Origin": origin })
}

#[tokio::test]
async fn a_domain_is_added_after_its_record_was_found() {
    let (app, published) = app().await;
    let refused = cdn(&app, "AddCdnDomain", new("www.a.com")).await;
    assert_eq!(code(&refused), NOT_VERIFIED);
    let named = json!({ "Domain": "WWW.a.com" });
    let record = cdn(&app, "CreateVerifyRecord", named.clone()).await;
    let text = record["Record"].as_str().unwrap().to_owned();
    assert!(refused["Error"]["Message"].as_str().unwrap().contains(&text), "{refused}");
    let shown = json!([
        record["SubDomain"],
        record["RecordType"],
        record["FileVerifyUrl"],
        record["FileVerifyDomains"],
        record["FileVerifyName"],
    ]);
    let url = format!("http://www.a.com{FILE}");
    let expected = json!(["_cdnauth", "TXT", url, ["www.a.com"], "stoker-verification.txt"]);
    assert_eq!(shown, expected);
    assert_eq!(cdn(&app, "CreateVerifyRecord", named.clone()).await["Record"], text);

    let refused = cdn(&app, "VerifyDomainRecord", named.clone()).await;
    assert_eq!(code(&refused), "UnauthorizedOperation.CdnTxtRecordValueNotMatch");
    published.put("_cdnauth.a.com", &text);
    let found = cdn(&app, "VerifyDomainRecord", named).await;
    assert_eq!(found["Result"], true, "{found}");
    for host in ["www.a.com", "*.img.a.com"] {
        let added = cdn(&app, "AddCdnDomain", new(host)).await;
        assert!(added["Error"].is_null(), "{added}");
    }
    // those of the owner need none
    let own = app.call(&Call::action("AddCdnDomain", new("own.test.com").to_string())).await;
    assert!(own.response()["Error"].is_null());
}

#[tokio::test]
async fn a_file_proves_its_host_alone() {
    let (app, published) = app().await;
    let record = cdn(&app, "CreateVerifyRecord", json!({ "Domain": "www.a.com" })).await;
    published.put(&format!("www.a.com{FILE}"), record["Record"].as_str().unwrap());
    let verify = |host: &str, kind: &str| json!({ "Domain": host, "VerifyType": kind });
    let found = cdn(&app, "VerifyDomainRecord", verify("www.a.com", "file")).await;
    assert_eq!(found["Result"], true, "{found}");
    assert!(cdn(&app, "AddCdnDomain", new("www.a.com")).await["Error"].is_null());
    assert_eq!(code(&cdn(&app, "AddCdnDomain", new("img.a.com")).await), NOT_VERIFIED);
    let star = cdn(&app, "CreateVerifyRecord", json!({ "Domain": "*.a.com" })).await;
    assert_eq!(
        (&star["FileVerifyUrl"], &star["FileVerifyDomains"], &star["FileVerifyName"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    for (host, kind, expected) in [
        ("*.a.com", "file", "InvalidParameter.CdnParamError"),
        ("www.a.com", "mail", "InvalidParameter.CdnParamError"),
        ("www.a.com", "", "UnauthorizedOperation.CdnTxtRecordValueNotMatch"),
        ("www.b.com", "dns", NOT_VERIFIED),
        ("a b.com", "dns", "InvalidParameter.CdnConfigInvalidHost"),
        ("localhost", "dns", "InvalidParameter.CdnHostInternalHost"),
    ] {
        let reply = cdn(&app, "VerifyDomainRecord", verify(host, kind)).await;
        assert_eq!(code(&reply), expected, "{host} {kind}");
    }
}

#[tokio::test]
async fn what_nobody_can_prove_and_what_is_related_to_others_is_refused() {
    let (app, published) = app().await;
    for host in ["10.0.0.1", "localhost", "a.local", "co.uk", "*.github.io"] {
        let reply = cdn(&app, "AddCdnDomain", new(host)).await;
        assert_eq!(code(&reply), "InvalidParameter.CdnHostInternalHost", "{host}");
        let reply = cdn(&app, "CreateVerifyRecord", json!({ "Domain": host })).await;
        assert_eq!(code(&reply), "InvalidParameter.CdnHostInternalHost", "{host}");
    }
    assert_eq!(code(&cdn(&app, "AddCdnDomain", new("www.test.com")).await), NOT_VERIFIED);
    let record = cdn(&app, "CreateVerifyRecord", json!({ "Domain": "test.com" })).await;
    published.put("_cdnauth.test.com", record["Record"].as_str().unwrap());
    cdn(&app, "VerifyDomainRecord", json!({ "Domain": "test.com" })).await;
    for (host, expected) in [
        ("www.test.com", "UnauthorizedOperation.CdnHostIsUsedByOther"),
        ("x.www.test.com", "ResourceInUse.CdnConflictHostExists"),
        ("*.test.com", "ResourceInUse.CdnConflictHostExists"),
        ("small.test.com", "ResourceInUse.CdnHostExists"),
    ] {
        let reply = cdn(&app, "AddCdnDomain", new(host)).await;
        assert_eq!(code(&reply), expected, "{host}");
        let text = reply.to_string();
        assert!(!text.contains("100000000001"), "it must not name the owner: {text}");
    }
    for _ in 0..10 {
        cdn(&app, "VerifyDomainRecord", json!({ "Domain": "test.com" })).await;
    }
    let reply = cdn(&app, "VerifyDomainRecord", json!({ "Domain": "test.com" })).await;
    assert_eq!(code(&reply), "LimitExceeded.CdnHostOpTooOften");
    let reply = teo(&app, "VerifyOwnership", json!({ "Domain": "test.com" })).await;
    assert_eq!(code(&reply), "LimitExceeded.RateLimitExceeded");
    app.clock.advance(Duration::from_secs(60));
    let reply = teo(&app, "VerifyOwnership", json!({ "Domain": "test.com" })).await;
    assert_eq!(reply["Status"], "success", "{reply}");
}

#[tokio::test]
async fn a_zone_is_identified_and_verified() {
    let (app, published) = app().await;
    let made = json!({ "ZoneName": "a.com", "Type": "partial", "Area": "global" });
    let made = teo(&app, "CreateZone", made).await;
    let proof = &made["OwnershipVerification"];
    let text = proof["DnsVerification"]["RecordValue"].as_str().unwrap().to_owned();
    let ascription = json!({ "Subdomain": "_cdnauth", "RecordType": "TXT", "RecordValue": text });
    assert_eq!(proof["DnsVerification"], ascription);
    assert_eq!(proof["FileVerification"], json!({ "Path": FILE, "Content": text }));

    let zone = made["ZoneId"].clone();
    let info = json!({ "OriginType": "IP_DOMAIN", "Origin": "192.0.2.1" });
    let domain = json!({ "ZoneId": zone, "DomainName": "www.a.com", "OriginInfo": info });
    let reply = teo(&app, "CreateAccelerationDomain", domain.clone()).await;
    assert_eq!(code(&reply), "OperationDenied.OwnershipVerificationNotPassed");

    let of_zone = json!({ "ZoneName": "a.com", "Domain": "www.a.com" });
    let identified = teo(&app, "IdentifyZone", of_zone).await;
    assert_eq!(identified["Ascription"], ascription, "{identified}");
    let file = json!({ "IdentifyPath": FILE, "IdentifyContent": text });
    assert_eq!(identified["FileAscription"], file);
    let filter = |name: &str| json!({ "Filters": [{ "Name": "zone-name", "Values": [name] }] });
    let status = async |name: &str| {
        let reply = teo(&app, "DescribeIdentifications", filter(name)).await;
        assert_eq!(reply["TotalCount"], reply["Identifications"].as_array().unwrap().len());
        reply["Identifications"][0].clone()
    };
    let pending = status("a.com").await;
    assert_eq!((&pending["Status"], &pending["Ascription"]), (&json!("pending"), &ascription));
    assert_eq!(status("b.com").await, Value::Null);

    let failed = teo(&app, "VerifyOwnership", json!({ "Domain": "www.a.com" })).await;
    assert_eq!(failed["Status"], "fail");
    let reason = failed["Result"].as_str().unwrap();
    assert!(reason.contains("_cdnauth.a.com") && reason.contains("404"), "{reason}");
    published.put("_cdnauth.a.com", &text);
    let found = teo(&app, "VerifyOwnership", json!({ "Domain": "a.com" })).await;
    assert_eq!((&found["Status"], &found["Result"]), (&json!("success"), &json!("")));
    assert_eq!(status("a.com").await["Status"], "finished");
    let added = teo(&app, "CreateAccelerationDomain", domain).await;
    assert_eq!(added["OwnershipVerification"], Value::Null, "{added}");

    // from now on the zone is this account's alone
    let call = Call::action("AddCdnDomain", new("x.a.com").to_string());
    assert_eq!(app.call(&call).await.code(), "ResourceInUse.CdnConflictHostExists");
    let call = Call::action("CreateZone", json!({ "ZoneName": "a.com" }).to_string());
    assert_eq!(app.call(&call.with("x-tc-version", TEO)).await.code(), "ResourceInUse.Others");
}

#[tokio::test]
async fn teo_refuses_with_codes_of_its_own() {
    let (app, published) = app().await;
    for (action, body, expected) in [
        ("IdentifyZone", json!({}), "MissingParameter"),
        ("IdentifyZone", json!({ "ZoneName": "a b" }), "InvalidParameterValue.InvalidDomainName"),
        ("IdentifyZone", json!({ "ZoneName": "co.uk" }), "InvalidParameterValue.InvalidDomainName"),
        (
            "IdentifyZone",
            json!({ "ZoneName": "a.com", "Domain": "www.b.com" }),
            "InvalidParameterValue.DomainNotMatchZone",
        ),
        (
            "VerifyOwnership",
            json!({ "Domain": "localhost" }),
            "InvalidParameterValue.InvalidDomainName",
        ),
        ("DescribeIdentifications", json!({ "Limit": 1001 }), "InvalidParameter.ParameterError"),
        (
            "DescribeIdentifications",
            json!({ "Filters": [{ "Name": "zone-id", "Values": ["x"] }] }),
            "InvalidParameter.ParameterError",
        ),
    ] {
        assert_eq!(code(&teo(&app, action, body).await), expected, "{action}");
    }
    let unasked = teo(&app, "VerifyOwnership", json!({ "Domain": "www.z.com" })).await;
    assert_eq!(unasked["Status"], "fail", "{unasked}");
    let zone = teo(&app, "CreateZone", json!({ "ZoneName": "test.com", "Area": "global" })).await;
    // `test.com` is there already, made for `small.test.com`
    assert_eq!(code(&zone), "ResourceInUse.Zone");
    let zone = app.engine.zone(stoker_domain::account::AccountId(2), "test.com").unwrap();
    let record = teo(&app, "IdentifyZone", json!({ "ZoneName": "test.com" })).await;
    published.put("_cdnauth.test.com", record["Ascription"]["RecordValue"].as_str().unwrap());
    teo(&app, "VerifyOwnership", json!({ "Domain": "test.com" })).await;
    let info = json!({ "OriginType": "IP_DOMAIN", "Origin": "192.0.2.1" });
    for (host, expected) in [
        ("www.test.com", "ResourceInUse.Others"),
        ("a.www.test.com", "ResourceInUse.OthersHost"),
        ("small.test.com", "ResourceInUse.AlreadyExistsAsAnAccelerationDomain"),
    ] {
        let new = json!({ "ZoneId": zone.id, "DomainName": host, "OriginInfo": info });
        assert_eq!(code(&teo(&app, "CreateAccelerationDomain", new).await), expected, "{host}");
    }
}

#[tokio::test]
async fn the_admin_api_shows_what_to_publish_and_looks_for_it() {
    let (app, published) = app().await;
    let call = async |key, method, target: &str, body: Value| {
        let body = if method == Method::GET { String::new() } else { body.to_string() };
        app.call(&Call::admin(method, target, &body).key(key)).await
    };
    let new = json!({ "host": "www.a.com", "origin": "http://192.0.2.1" });
    let refused = call(SMALL, Method::POST, "domains", new.clone()).await;
    assert_eq!(refused.problem(), "not-verified");
    let target = "domains/www.a.com/verification";
    let shown = call(SMALL, Method::GET, target, Value::Null).await.json();
    let text = shown["text"].as_str().unwrap().to_owned();
    let hint = refused.json()["hint"].as_str().unwrap().to_owned();
    for part in ["_cdnauth.a.com", &text, "stoker domain verify www.a.com", FILE] {
        assert!(hint.contains(part), "{hint}");
    }
    assert_eq!(
        (&shown["is_needed"], &shown["record_name"], &shown["verified_by"]),
        (&json!(true), &json!("_cdnauth.a.com"), &Value::Null)
    );
    for (key, target, body, problem) in [
        (SMALL, target, json!({}), "not-verified"),
        (SMALL, "domains/www.b.com/verification", json!({}), "no-record"),
        (SMALL, "domains/*.a.com/verification", json!({ "method": "file" }), "no-file"),
        (SMALL, "domains/localhost/verification", json!({}), "host-unclaimable"),
        (SMALL, "domains/a%20b/verification", json!({}), "bad-host"),
        (SMALL, target, json!({ "method": "mail" }), "bad-content"),
        (SMALL, "domains/www.a.com/verification?account=100000000001", json!({}), "not-owner"),
    ] {
        let answer = call(key, Method::POST, target, body).await;
        assert_eq!(answer.problem(), problem, "{target}");
    }
    published.put("_cdnauth.a.com", &text);
    let found = call(SMALL, Method::POST, target, json!({ "method": "dns" })).await.json();
    assert_eq!((&found["verified_by"], &found["text"]), (&json!("dns"), &json!(text)));
    let added = call(SMALL, Method::POST, "domains", new).await;
    assert_eq!((added.status.as_u16(), &added.json()["ownership"]), (201, &json!("dns")));
    let own = call(OWNER, Method::GET, "domains/www.test.com", Value::Null).await.json();
    assert_eq!(own["ownership"], "owner");
    let waive = json!({ "is_verification_waived": true });
    let refused = call(SMALL, Method::POST, "accounts/100000000002", waive.clone()).await;
    assert_eq!(refused.problem(), "not-owner");
    let waived = call(OWNER, Method::POST, "accounts/100000000002", waive).await.json();
    assert_eq!(waived["is_verification_waived"], true);
    let new = json!({ "host": "intranet", "origin": "http://192.0.2.1" });
    let added = call(SMALL, Method::POST, "domains", new).await.json();
    assert_eq!(added["ownership"], "waived");
    let zone = json!({ "name": "test.com" });
    assert_eq!(call(OWNER, Method::POST, "zones", zone).await.problem(), "zone-exists");
    let zone = json!({ "name": "a.com" });
    assert_eq!(call(OWNER, Method::POST, "zones", zone).await.problem(), "zone-related");
}
