//! Calls of API 3.0 and their replies: `tests/golden/<Action>.json` (see [`crate::cases`]).
//!
//! In a call, `<task-id>` stands for the task of the last submission, `<zone-id>` for the zone made
//! last, at first that of `test.com`.

use std::{collections::HashMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;
use stoker_domain::{
    account::AccountId,
    task::{TaskCommand, TaskId},
};

use crate::{
    app::{App, Call, OWNER, SMALL},
    cases::{Case, Outcome, golden_tests},
    identities::SUB,
};

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    /// All nodes report; outcomes by the end of the URL.
    Settle { settle: HashMap<String, String> },
    /// So much time passes.
    Wait { wait_seconds: u64 },
    /// The task is canceled.
    Cancel { cancel: String },
    /// All nodes carry out so many purge orders.
    Purge { purge_orders: usize },
    /// Another call, which has to succeed.
    Call(Sent),
}

#[derive(Deserialize)]
struct Sent {
    /// Where it is not the action of the file.
    action: Option<String>,
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
    fn call(&self, action: &str, task: &str, zone: &str) -> Call {
        let action = self.action.as_deref().unwrap_or(action);
        let fill = |text: &str| text.replace("<task-id>", task).replace("<zone-id>", zone);
        let mut call = match (&self.query, &self.body) {
            (Some(query), _) => Call::get(action, &fill(query)),
            (None, Some(body)) => Call::action(action, fill(&body.to_string())),
            (None, None) => Call::action(action, fill(self.content.as_deref().unwrap_or_default())),
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

async fn run(action: &str, case: &Case<Step, Sent>) -> Outcome {
    let app = App::new().await;
    let mut task = String::new();
    let mut zone = app.zone();
    for step in &case.before {
        match step {
            Step::Settle { settle } => app.settle(settle).await,
            Step::Wait { wait_seconds } => app.clock.advance(Duration::from_secs(*wait_seconds)),
            Step::Cancel { cancel } => {
                assert_eq!(cancel, "<task-id>");
                let id = TaskId(task.clone());
                assert!(app.engine.control(AccountId(1), &id, TaskCommand::Cancel).await.unwrap());
            }
            Step::Purge { purge_orders } => app.purge(*purge_orders).await,
            Step::Call(sent) => {
                let response = app.call(&sent.call(action, &task, &zone)).await.response();
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
    let mut call = case.call.call(action, &task, &zone);
    if case.adds_sub_user(&app, &zone).await {
        call = call.key(SUB);
    }
    let mut response = app.call(&call).await.response();
    normalise(&mut response);
    let fields = response.as_object_mut().unwrap();
    fields.remove("RequestId");
    let Some(error) = fields.remove("Error") else { return Ok(response) };
    assert!(fields.is_empty(), "{fields:?} beside an error");
    Err(error)
}

fn normalise(response: &mut Value) {
    match response {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
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

golden_tests!("golden", run, {
    access_cdn: "AccessCdn", 3 + 8;
    access_teo: "AccessTeo", 1 + 4;
    add_cdn_domain: "AddCdnDomain", 3 + 23;
    create_acceleration_domain: "CreateAccelerationDomain", 2 + 16;
    create_prefetch_task: "CreatePrefetchTask", 6 + 14;
    create_purge_task: "CreatePurgeTask", 11 + 19;
    create_zone: "CreateZone", 2 + 8;
    delete_acceleration_domains: "DeleteAccelerationDomains", 1 + 1;
    delete_cdn_domain: "DeleteCdnDomain", 1 + 3;
    delete_zone: "DeleteZone", 1 + 2;
    describe_acceleration_domains: "DescribeAccelerationDomains", 9 + 3;
    describe_content_quota: "DescribeContentQuota", 4 + 2;
    describe_domains: "DescribeDomains", 8 + 5;
    describe_domains_config: "DescribeDomainsConfig", 4 + 1;
    describe_prefetch_origin_limit: "DescribePrefetchOriginLimit", 5 + 4;
    describe_prefetch_tasks: "DescribePrefetchTasks", 14 + 13;
    describe_purge_quota: "DescribePurgeQuota", 2 + 1;
    describe_purge_tasks: "DescribePurgeTasks", 28 + 16;
    describe_push_quota: "DescribePushQuota", 5 + 1;
    describe_push_tasks: "DescribePushTasks", 22 + 15;
    describe_zones: "DescribeZones", 10 + 2;
    modify_acceleration_domain: "ModifyAccelerationDomain", 2 + 3;
    modify_acceleration_domain_statuses: "ModifyAccelerationDomainStatuses", 1 + 4;
    modify_prefetch_origin_limit: "ModifyPrefetchOriginLimit", 3 + 11;
    protocol: "Protocol", 1 + 5;
    purge_path_cache: "PurgePathCache", 3 + 13;
    purge_urls_cache: "PurgeUrlsCache", 5 + 16;
    push_urls_cache: "PushUrlsCache", 9 + 40;
    start_cdn_domain: "StartCdnDomain", 1 + 3;
    stop_cdn_domain: "StopCdnDomain", 1 + 3;
    update_domain_config: "UpdateDomainConfig", 1 + 6;
});
