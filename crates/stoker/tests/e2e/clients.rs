//! The vendor's command line tool as a person runs it, and GET calls.

use serde_json::{Value, json};

use crate::{
    harness::{Content, Nginx, Sdk, tccli},
    running::Stoker,
};

const HOST: &str = "www.example.com";

#[test]
fn tccli_pushes_and_asks_with_nothing_but_another_endpoint() {
    let nginx = Nginx::start();
    Content::write(&nginx.www(), "/x", 1000, 1);
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &nginx.url(), &[]);
    let tool = |action: &str, further: &[&str]| {
        let output = tccli(&stoker, "cdn", action, further);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (serde_json::from_slice::<Value>(&output.stdout).ok(), stderr, output.status.code())
    };

    let urls = format!("[\"http://{HOST}/x\"]");
    let pushed = tool("PushUrlsCache", &["--Urls", &urls, "--Area", "overseas"]);
    let task = pushed.0.as_ref().and_then(|reply| reply["TaskId"].as_str());
    let task = task.unwrap_or_else(|| panic!("{pushed:?}"));
    Sdk::of(&stoker).wait(task, std::time::Duration::from_secs(120));
    let (asked, ..) = tool("DescribePushTasks", &["--TaskId", task]);
    let log = &asked.as_ref().unwrap()["PushLogs"][0];
    assert_eq!((&log["Status"], &log["Percent"]), (&json!("done"), &json!(100)), "{asked:?}");
    let (quota, ..) = tool("DescribePushQuota", &[]);
    assert_eq!(quota.unwrap()["UrlPush"].as_array().unwrap().len(), 2);

    let (_, stderr, code) = tool("PushUrlsCache", &["--Urls", "[\"http://nobody.example/x\"]"]);
    assert_eq!(code, Some(255));
    assert!(stderr.contains("code:ResourceNotFound.CdnHostNotExists"), "{stderr}");
}

#[test]
fn get_calls_are_signed_over_the_query_as_sent() {
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, "http://127.0.0.1:1", &[]);
    let sdk = Sdk::of(&stoker).with_get();
    let urls = [format!("http://{HOST}/1 2/中_文.jpg?a=b&c=d"), format!("http://{HOST}/2.jpg")];
    let task = sdk.push(json!({"Urls": urls, "Area": "overseas", "UrlEncode": true}));
    assert_eq!(sdk.records(&task).len(), 2);
}
