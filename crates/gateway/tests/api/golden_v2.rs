//! Calls of API v2 and their replies: `tests/golden-v2/<Action>.json` (see [`crate::cases`]).
//!
//! In a call, `<task-id>` stands for the task of the last submission.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    app::{App, OWNER, SMALL},
    cases::{Case, Outcome, golden_tests},
    identities::SUB,
    v1_call::V1Call,
};

#[derive(Deserialize)]
struct Sent {
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

async fn run(_action: &str, case: &Case<Step, Sent>) -> Outcome {
    let app = App::new().await;
    let mut task = String::new();
    for (nonce, step) in case.before.iter().enumerate() {
        match step {
            Step::Settle { settle } => app.settle(settle).await,
            Step::Call { call: params } => {
                let reply = app.v1(&call(params, &task, nonce, case.call.is_small)).await.json();
                assert_eq!(reply["code"], 0, "{reply}");
                task = task_of(&reply).unwrap_or(task);
            }
        }
    }
    let mut last = call(&case.call.call, &task, 999, case.call.is_small);
    if case.adds_sub_user(&app, "").await {
        last = last.with("SecretId", SUB);
    }
    let answer = app.v1(&last).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.fields["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let mut reply = answer.json();
    normalise(&mut reply);
    if reply["code"] == 0 { Ok(reply) } else { Err(reply) }
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

golden_tests!("golden-v2", run, {
    access: "Access", 2 + 3;
    cdn_oversea_pushser: "CdnOverseaPushser", 1 + 1;
    cdn_pusher_v2: "CdnPusherV2", 5 + 14;
    cdn_url_pusher: "CdnUrlPusher", 1 + 0;
    flush_or_push_overall: "FlushOrPushOverall", 3 + 5;
    get_cdn_oversea_push_logs: "GetCdnOverseaPushLogs", 4 + 4;
    get_cdn_refresh_log: "GetCdnRefreshLog", 3 + 3;
    get_flush_quota: "GetFlushQuota", 3 + 0;
    get_push_logs: "GetPushLogs", 9 + 6;
    protocol: "Protocol", 0 + 6;
    refresh_cdn_dir: "RefreshCdnDir", 2 + 3;
    refresh_cdn_over_sea_dir: "RefreshCdnOverSeaDir", 1 + 1;
    refresh_cdn_over_sea_url: "RefreshCdnOverSeaUrl", 1 + 1;
    refresh_cdn_url: "RefreshCdnUrl", 1 + 3;
});
