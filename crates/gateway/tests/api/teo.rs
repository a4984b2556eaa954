//! The codes of `teo` that no single recorded call reaches, and calls that real clients made.

use http::Request;
use serde_json::{Value, json};
use stoker_domain::{account::AccountId, time::Timestamp};

use crate::app::{Answer, App, Call, JSON, OWNER, SMALL};

async fn call(app: &App, action: &str, content: Value) -> Answer {
    let call = Call::action(action, content.to_string()).with("x-tc-version", "2022-09-01");
    app.call(&call).await
}

/// Posted by the Python and the Node SDK.
#[tokio::test]
async fn python_and_node_pass_the_front_door_and_their_zone_is_refused() {
    let app = App::new().await;
    app.clock.jump(Timestamp::from_seconds(1_700_000_000));
    for (host, service, content, signature) in [
        (
            "teo.tencentcloudapi.com",
            "teo",
            r#"{"ZoneId": "zone-test", "Targets": ["http://www.test.com/a.txt"], "Mode": "edge", "EncodeUrl": true}"#,
            "429c0f6c57216a09db855ad8f953869860c4b45fca4d082d1ff83b940c187b25",
        ),
        (
            "127.0.0.1:8080",
            "127",
            r#"{"ZoneId":"zone-test","Targets":["http://www.test.com/a.txt"],"Mode":"edge","EncodeUrl":true}"#,
            "6e1bccce665f991df0f7adb38c429910f1b7de97ff5ff59d91aa2e2a3db9768d",
        ),
    ] {
        let authorization = format!(
            "TC3-HMAC-SHA256 Credential={OWNER}/2023-11-14/{service}/tc3_request, \
             SignedHeaders=content-type;host, Signature={signature}"
        );
        let request = Request::post("/")
            .header("host", host)
            .header("content-type", JSON)
            .header("x-tc-action", "CreatePrefetchTask")
            .header("x-tc-version", "2022-09-01")
            .header("x-tc-timestamp", "1700000000")
            .header("authorization", authorization)
            .body(content.into())
            .unwrap();
        assert_eq!(app.send(request).await.code(), "UnauthorizedOperation.NoPermission");
    }
}

#[tokio::test]
async fn a_job_has_twelve_lower_case_characters() {
    let app = App::new().await;
    let content = json!({ "ZoneId": "*", "Targets": ["http://www.test.com/a"] });
    let response = call(&app, "CreatePrefetchTask", content).await.response();
    let job = response["JobId"].as_str().unwrap();
    let is_plain = job.bytes().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase());
    assert!(job.len() == 12 && is_plain, "{job}");
}

#[tokio::test]
async fn an_account_without_domains_has_no_prefetch_tasks() {
    let app = App::new().await;
    let owner = AccountId(1);
    for domain in app.engine.domains(owner) {
        app.engine.remove_domain(owner, &domain.name).await.unwrap();
    }
    let content = json!({ "StartTime": "2025-06-15T00:00:00Z" });
    let answer = call(&app, "DescribePrefetchTasks", content).await;
    assert_eq!(answer.code(), "UnauthorizedOperation.DomainEmpty");
    let answer = call(&app, "DescribePrefetchTasks", json!({ "StartTime": "x" })).await;
    assert_eq!(answer.code(), "InvalidParameter.ParameterError");
}

#[tokio::test]
async fn a_cluster_without_nodes_and_a_full_disk_are_internal_errors() {
    let app = App::without_nodes().await;
    let content = json!({ "ZoneId": "*", "Targets": ["http://www.test.com/a"] });
    let answer = call(&app, "CreatePrefetchTask", content).await;
    assert_eq!(answer.code(), "InternalError.DomainConfig");
    let app = App::new().await;
    app.ledger.limit_pages(1).await.unwrap();
    let targets: Vec<String> =
        (0..500).map(|n| format!("http://www.test.com/{n}/{}", "x".repeat(3000))).collect();
    let content = json!({ "ZoneId": "*", "Targets": targets });
    let answer = call(&app, "CreatePrefetchTask", content).await;
    assert_eq!(answer.code(), "InternalError.BackendError");
}

#[tokio::test]
async fn a_query_and_a_key_that_cannot_be_read_are_plain_internal_errors() {
    let app = App::new().await;
    let range = json!({ "StartTime": "2025-06-15T00:00:00Z" });
    let zone = json!({ "ZoneId": app.zone() });
    for (table, action, content) in [
        ("tally", "DescribePrefetchTasks", &range),
        ("purge", "DescribePurgeTasks", &range),
        ("quota_used", "DescribeContentQuota", &zone),
    ] {
        assert!(call(&app, action, content.clone()).await.response()["Error"].is_null());
        app.lose(table);
        let answer = call(&app, action, content.clone()).await;
        assert_eq!(answer.code(), "InternalError", "{action}");
    }
    // of an account that has not called yet
    let zones = Call::action("DescribeZones", "{}").with("x-tc-version", "2022-09-01").key(SMALL);
    app.lose("access_key");
    assert_eq!(app.call(&zones).await.code(), "InternalError");
}

#[tokio::test]
async fn an_account_has_at_most_a_hundred_origin_limits() {
    let app = App::new().await;
    let zone = app.zone();
    for number in 0..51 {
        let name = format!("d{number}.test.com");
        let info = json!({ "OriginType": "IP_DOMAIN", "Origin": "o.example" });
        let content = json!({ "ZoneId": zone, "DomainName": name, "OriginInfo": info });
        let added = call(&app, "CreateAccelerationDomain", content).await.response();
        assert!(added["Error"].is_null(), "{added}");
        for area in ["MainlandChina", "Overseas"] {
            let content = json!({ "ZoneId": zone, "DomainName": name, "Area": area,
                                  "Bandwidth": 100, "Enabled": "on" });
            let answer = call(&app, "ModifyPrefetchOriginLimit", content).await;
            if number < 50 {
                assert!(answer.response()["Error"].is_null());
            } else {
                let code = "FailedOperation.PrefetchOriginLimitCountExceeded";
                assert_eq!(answer.code(), code);
            }
        }
    }
}
