//! Requests and replies in files: `tests/golden/<Action>/<case>.{request,response}.json`.
//!
//! A request file holds the call and what happened before it; `<task-id>` stands for the task of
//! the last submission, `<zone-id>` for the zone made last, at first that of `test.com`.

use std::{collections::HashMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    app::{App, Call, OWNER, SMALL},
    cases,
    identities::SUB,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Policies of a sub-user, who makes the call.
    #[serde(default)]
    policies: Vec<Value>,
    /// What happened before.
    #[serde(default)]
    before: Vec<Step>,
    #[serde(flatten)]
    call: Sent,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    /// All nodes report; outcomes by the end of the URL.
    Settle { settle: HashMap<String, String> },
    /// So much time passes.
    Wait { wait_seconds: u64 },
    /// All nodes carry out so many purge orders.
    Purge { purge_orders: usize },
    /// Another call, which has to succeed.
    Call(Sent),
}

#[derive(Deserialize)]
struct Sent {
    action: String,
    /// JSON content.
    body: Option<Value>,
    /// Content as it stands, when it is not JSON.
    content: Option<String>,
    /// Query of a GET call.
    query: Option<String>,
    #[serde(default)]
    fields: HashMap<String, String>,
    #[serde(default)]
    is_small: bool,
}

impl Sent {
    fn call(&self, task: &str, zone: &str) -> Call {
        let fill = |text: &str| text.replace("<task-id>", task).replace("<zone-id>", zone);
        let mut call = match (&self.query, &self.body) {
            (Some(query), _) => Call::get(&self.action, &fill(query)),
            (None, Some(body)) => Call::action(&self.action, fill(&body.to_string())),
            (None, None) => {
                Call::action(&self.action, fill(self.content.as_deref().unwrap_or_default()))
            }
        };
        for (name, value) in &self.fields {
            match name.as_str() {
                "content-type" => call.content_type.clone_from(value),
                "x-tc-version" => call = call.with("x-tc-version", value),
                "x-tc-language" => call = call.with("x-tc-language", value),
                "x-tc-token" => call = call.with("x-tc-token", value),
                other => panic!("{other} is not a field that cases may set"),
            }
        }
        call.key(if self.is_small { SMALL } else { OWNER })
    }
}

async fn run(case: &Case) -> Value {
    let app = App::new().await;
    let mut task = String::new();
    let mut zone = app.zone();
    for step in &case.before {
        match step {
            Step::Settle { settle } => app.settle(settle).await,
            Step::Wait { wait_seconds } => app.clock.advance(Duration::from_secs(*wait_seconds)),
            Step::Purge { purge_orders } => app.purge(*purge_orders).await,
            Step::Call(sent) => {
                let response = app.call(&sent.call(&task, &zone)).await.response();
                assert!(response["Error"].is_null(), "{response}");
                if let Some(id) = response["TaskId"].as_str().or(response["JobId"].as_str()) {
                    task = id.into();
                }
                if let Some(id) = response["ZoneId"].as_str() {
                    zone = id.into();
                }
                app.clock.advance(Duration::from_secs(1));
            }
        }
    }
    let mut call = case.call.call(&task, &zone);
    if !case.policies.is_empty() {
        let texts =
            case.policies.iter().map(|policy| policy.to_string().replace("<zone-id>", &zone));
        let texts: Vec<String> = texts.collect();
        app.sub_user(SUB, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
        call = call.key(SUB);
    }
    let mut response = app.call(&call).await.response();
    normalise(&mut response);
    serde_json::json!({ "Response": response })
}

fn normalise(response: &mut Value) {
    match response {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "RequestId" => *value = "<request-id>".into(),
                    "TaskId" | "JobId" => *value = "<task-id>".into(),
                    "ZoneId" => *value = "<zone-id>".into(),
                    "Message" => *value = without_zone(value.as_str().unwrap()).into(),
                    _ => normalise(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(normalise),
        _ => {}
    }
}

/// Names of zones are random.
fn without_zone(text: &str) -> String {
    match text.split_once(":zone/zone-") {
        Some((head, tail)) => format!("{head}:zone/<zone-id>{}", &tail[12..]),
        None => text.into(),
    }
}

#[tokio::test]
async fn every_recorded_request_gets_its_recorded_reply() {
    cases::check("golden", 150, run).await;
}
