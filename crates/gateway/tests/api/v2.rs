//! API v2: recorded calls in `tests/golden-v2/<Action>/<case>.{request,response}.json`, and what
//! needs more than one call.
//!
//! A request file holds the parameters and what happened before; `<task-id>` stands for the task
//! of the last submission.

use std::collections::{BTreeMap, HashMap};

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use serde::Deserialize;
use serde_json::Value;
use stoker_domain::{time::Clock, view::TaskFilter};

use crate::{
    app::{App, FORM, HOST, OWNER, SMALL},
    cases,
    identities::SUB,
    v1_call::{V1Call, sign},
};

const PATH: &str = "/v2/index.php";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Policies of a sub-user, who makes the call.
    #[serde(default)]
    policies: Vec<Value>,
    #[serde(default)]
    before: Vec<Step>,
    call: BTreeMap<String, String>,
    #[serde(default)]
    is_small: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    /// All nodes report; outcomes by the end of the URL.
    Settle { settle: HashMap<String, String> },
    /// Another call, which has to succeed.
    Call { call: BTreeMap<String, String> },
}

fn call(params: &BTreeMap<String, String>, task: &str, nonce: usize, is_small: bool) -> V1Call {
    let mut call = V1Call::v2(&[]).with("SecretId", if is_small { SMALL } else { OWNER });
    call = call.with("Nonce", &nonce.to_string());
    for (name, value) in params {
        call = call.with(name, &value.replace("<task-id>", task));
    }
    call
}

fn task_of(reply: &Value) -> Option<String> {
    let data = &reply["data"];
    let id = [&data["task_ids"][0]["task_id"], &data[0]["task_id"], &data["task_id"]];
    let id = id.into_iter().find(|id| !id.is_null())?;
    Some(id.as_str().map_or_else(|| id.to_string(), Into::into))
}

async fn run(case: &Case) -> Value {
    let app = App::new().await;
    let mut task = String::new();
    for (nonce, step) in case.before.iter().enumerate() {
        match step {
            Step::Settle { settle } => app.settle(settle).await,
            Step::Call { call: params } => {
                let reply = app.v1(&call(params, &task, nonce, case.is_small)).await.json();
                assert_eq!(reply["code"], 0, "{reply}");
                task = task_of(&reply).unwrap_or(task);
            }
        }
    }
    let mut wish = call(&case.call, &task, 999, case.is_small);
    if !case.policies.is_empty() {
        let texts: Vec<String> = case.policies.iter().map(Value::to_string).collect();
        app.sub_user(SUB, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
        wish = wish.with("SecretId", SUB);
    }
    let answer = app.v1(&wish).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.fields["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let mut reply = answer.json();
    normalise(&mut reply);
    reply
}

fn normalise(reply: &mut Value) {
    match reply {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), &value) {
                    ("task_id", Value::Number(_)) => *value = "<number>".into(),
                    ("id" | "task_id", _) => *value = "<text>".into(),
                    ("message", Value::String(text)) => {
                        if let Some((_, rest)) =
                            text.split_once("[request id:").and_then(|(_, it)| it.split_once(']'))
                        {
                            *value = format!("[request id:<request-id>]{rest}").into();
                        }
                    }
                    _ => normalise(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(normalise),
        _ => {}
    }
}

#[tokio::test]
async fn every_recorded_call_gets_its_recorded_reply() {
    cases::check("golden-v2", 30, run).await;
}

#[tokio::test]
async fn a_call_is_taken_once() {
    let app = App::new().await;
    let quota = V1Call::v2(&[("Action", "GetFlushQuota")]);
    assert_eq!(app.v1(&quota).await.json()["code"], 0);
    assert_eq!(app.v1(&quota).await.json()["code"], 4500);
    assert_eq!(app.v1(&quota.clone().with("Nonce", "8")).await.json()["code"], 0);
    // a call with a wrong signature uses nothing up
    let mut request = quota.clone().with("Nonce", "9").request(app.clock.now());
    *request.body_mut() = Body::from("SecretId=x&Timestamp=1&Nonce=9&Signature=x");
    assert_eq!(app.send(request).await.json()["code"], 4104);
    assert_eq!(app.v1(&quota.with("Nonce", "9")).await.json()["code"], 0);
}

#[tokio::test]
async fn a_timestamp_may_be_two_hours_off() {
    let app = App::new().await;
    let now = app.clock.now().as_seconds();
    for (off, code) in [(-7201, 4200), (-7200, 0), (7200, 0), (7201, 4200)] {
        let call = V1Call::v2(&[("Action", "GetFlushQuota")]);
        let call = call.with("Timestamp", &(now + off).to_string());
        assert_eq!(app.v1(&call).await.json()["code"], code, "{off}");
    }
}

#[tokio::test]
async fn sizes_are_bounded_and_answered_with_501() {
    let app = App::new().await;
    let request = Request::post(PATH).header("host", HOST).header("content-type", FORM);
    let body = Body::from("x".repeat(1024 * 1024 + 1));
    assert_eq!(app.send(request.body(body).unwrap()).await.status, 501);
    let long = format!("{PATH}?{}", "x".repeat(32 * 1024 + 1));
    assert_eq!(app.send(Request::get(long).body(Body::empty()).unwrap()).await.status, 501);
    let put = Request::put(PATH).body(Body::empty()).unwrap();
    assert_eq!(app.send(put).await.json()["code"], 4600);
}

#[tokio::test]
async fn get_and_multipart_are_read_like_a_form() {
    let app = App::new().await;
    let push = [("Action", "CdnPusherV2"), ("urls_0", "http://www.test.com/1 2.jpg")];
    let reply = app.v1(&V1Call::v2(&push).method(Method::GET)).await.json();
    assert_eq!(reply["code"], 0, "{reply}");
    let reply = app.send(as_multipart(&app, &V1Call::v2(&push).with("Nonce", "8"))).await.json();
    assert_eq!(reply["code"], 0, "{reply}");
    let mut purge = V1Call::v2(&[("Action", "RefreshCdnUrl")]).with("Nonce", "9");
    for number in 0..1000 {
        purge = purge.with(&format!("urls.{number}"), &format!("http://www.test.com/{number}"));
    }
    let reply = app.send(as_multipart(&app, &purge)).await.json();
    assert_eq!(reply["data"]["count"], 1000, "{reply}");
}

fn as_multipart(app: &App, call: &V1Call) -> Request<Body> {
    let mut pairs = call.pairs(app.clock.now());
    let signature = sign("POST", PATH, &pairs);
    pairs.push(("Signature".into(), signature));
    let part = |(name, value): &(String, String)| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let content: String = pairs.iter().map(part).chain(["--b--\r\n".into()]).collect();
    Request::post(PATH)
        .header("host", HOST)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(Body::from(content))
        .unwrap()
}

#[tokio::test]
async fn each_domain_gets_a_task_and_a_number_that_every_client_can_hold() {
    let app = App::new().await;
    let push = V1Call::v2(&[
        ("Action", "CdnPusherV2"),
        ("urls.0", "http://www.test.com/a"),
        ("urls.1", "http://cn.test.com/b"),
        ("urls.2", "http://www.test.com/c"),
        ("limitRate", "7"),
    ]);
    let reply = app.v1(&push).await.json();
    let tasks = reply["data"]["task_ids"].as_array().unwrap();
    let numbers: Vec<u64> = tasks.iter().map(|task| task["task_id"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), 2);
    assert!(numbers[0] != numbers[1] && numbers.iter().all(|number| *number < 1 << 53));
    let all = TaskFilter { limit: 9, ..TaskFilter::default() };
    for view in app.engine.tasks(&all).await.unwrap().rows {
        assert_eq!(view.row.task.options.limit_mbps, Some(7));
    }
    // a list that is refused leaves nothing behind
    let refused = push.with("urls.3", "http://nobody.test.com/d").with("Nonce", "8");
    assert_eq!(app.v1(&refused).await.json()["codeDesc"], "9110");
    let quota = app.v1(&V1Call::v2(&[("Action", "GetFlushQuota"), ("Nonce", "9")])).await.json();
    assert_eq!(quota["data"]["url_push"]["available"], 997);
}

#[tokio::test]
async fn the_log_of_purges_tells_running_overdue_and_done_apart() {
    let app = App::new().await;
    let purge = V1Call::v2(&[("Action", "RefreshCdnUrl"), ("urls.0", "http://www.test.com/1")]);
    let reply = app.v1(&purge).await.json();
    let task = reply["data"]["task_id"].as_str().unwrap().to_owned();
    let status = async |nonce: &str| {
        let log = V1Call::v2(&[("Action", "GetCdnRefreshLog"), ("taskId", &task)]);
        let reply = app.v1(&log.with("Nonce", nonce)).await.json();
        reply["data"]["logs"][0]["status"].as_i64()
    };
    assert_eq!(status("8").await, Some(0));
    app.clock.advance(Duration::from_secs(601));
    assert_eq!(status("9").await, Some(-1));
    app.purge(9).await;
    assert_eq!(status("10").await, Some(1));
}
