//! What the actions promise beyond single replies: forms that agree, progress that is true.

use std::collections::HashMap;

use serde_json::{Value, json};
use stoker_domain::{
    quota::Product,
    task::{MediaPolicy, TaskId},
    view::TargetFilter,
};

use crate::app::{App, Call};

const PUSH: &str = "PushUrlsCache";
const TASKS: &str = "DescribePushTasks";

#[tokio::test]
async fn get_and_post_of_one_call_make_the_same_task() {
    let app = App::new().await;
    let post = json!({
        "Urls": ["http://www.test.com/1 2/中.jpg?a=b&c=d", "http://www.test.com/live.m3u8"],
        "Area": "global", "Layer": "edge", "ParseM3U8": true, "DisableRange": true,
        "UrlEncode": true, "UserAgent": "agent 1",
        "Headers": [{"Name": "X_A", "Value": "v 1"}],
    });
    let get = "Urls.1=http%3A%2F%2Fwww.test.com%2Flive.m3u8\
        &Urls.0=http%3A%2F%2Fwww.test.com%2F1+2%2F%E4%B8%AD.jpg%3Fa%3Db%26c%3Dd\
        &Area=global&Layer=edge&ParseM3U8=True&DisableRange=true&UrlEncode=1&UserAgent=agent%201\
        &Headers.0.Name=X_A&Headers.0.Value=v+1";
    let mut seen = Vec::new();
    for call in [Call::action(PUSH, post.to_string()), Call::get(PUSH, get)] {
        let response = app.call(&call).await.response();
        let task = TaskId(response["TaskId"].as_str().unwrap().into());
        let filter = TargetFilter { task: Some(task), limit: 10, ..TargetFilter::default() };
        let page = app.engine.targets(&filter).await.unwrap();
        let mut task = page.rows[0].row.task.clone();
        task.id = TaskId(String::new());
        assert_eq!(
            (task.product, task.options.media),
            (Product::DomainPrefetch, MediaPolicy::Segments)
        );
        let urls: Vec<_> = page.rows.iter().map(|view| view.row.url.clone()).collect();
        seen.push((task, urls));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].1[0], "http://www.test.com/1%202/%E4%B8%AD.jpg?a=b&c=d");
    // only the nodes are given the request fields
    let jobs = app.engine.lease("edge-mainland", 9, std::time::Duration::ZERO).await.unwrap();
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        assert_eq!(job.options.user_agent.as_deref(), Some("agent 1"));
        assert_eq!(job.options.headers, [("X_A".into(), "v 1".into())]);
    }
}

async fn push(app: &App, content: Value) -> String {
    let response = app.call(&Call::action(PUSH, content.to_string())).await.response();
    response["TaskId"].as_str().unwrap_or_else(|| panic!("{response}")).into()
}

async fn log(app: &App, task: &str) -> Value {
    let call = Call::action(TASKS, json!({ "TaskId": task }).to_string());
    app.call(&call).await.response()["PushLogs"][0].clone()
}

#[tokio::test]
async fn a_target_is_done_only_when_all_its_nodes_are() {
    let app = App::new().await;
    let urls = json!({ "Urls": ["http://www.test.com/a"], "Area": "global", "Layer": "edge" });
    let task = push(&app, urls).await;
    let before = log(&app, &task).await;
    assert_eq!((&before["Status"], &before["Percent"]), (&json!("process"), &json!(0)));
    assert_eq!(before["UpdateTime"], Value::Null);
    let leased = app.engine.lease("edge-mainland", 1, std::time::Duration::ZERO).await.unwrap();
    assert_eq!(leased.len(), 1, "the mainland edge has its job");
    let half = log(&app, &task).await;
    assert_eq!(half["Status"], "process");
    app.clock.advance(std::time::Duration::from_secs(60));
    app.settle(&HashMap::new()).await;
    let after = log(&app, &task).await;
    assert_eq!((&after["Status"], &after["Percent"]), (&json!("done"), &json!(100)));
    assert_eq!(after["UpdateTime"], "2025-06-15 23:07:42");
}

#[tokio::test]
async fn without_a_layer_mainland_stops_at_the_middle_and_overseas_at_the_edge() {
    let app = App::new().await;
    for (area, layer, holders) in [
        ("mainland", None, vec!["middle-mainland"]),
        ("overseas", None, vec!["edge-overseas"]),
        ("global", None, vec!["edge-overseas", "middle-mainland"]),
        ("overseas", Some("middle"), vec!["middle-overseas"]),
        ("global", Some(""), vec!["middle-mainland", "middle-overseas"]),
        ("mainland", Some("edge"), vec!["edge-mainland"]),
    ] {
        let mut content = json!({ "Urls": ["http://www.test.com/a"], "Area": area });
        if let Some(layer) = layer {
            content["Layer"] = layer.into();
        }
        push(&app, content).await;
        let mut found = Vec::new();
        for node in app.engine.nodes() {
            let name = node.node.name.clone();
            let jobs = app.engine.lease(&name, 9, std::time::Duration::ZERO).await.unwrap();
            if !jobs.is_empty() {
                found.push(name);
            }
        }
        found.sort();
        assert_eq!(found, holders, "{area} {layer:?}");
    }
}

#[tokio::test]
async fn a_global_task_costs_one_of_each_area_per_distinct_url() {
    let app = App::new().await;
    let twice = json!({ "Urls": ["http://www.test.com/a", "http://www.test.com/a"] });
    push(&app, twice).await;
    push(&app, json!({ "Urls": ["http://www.test.com/a"], "Area": "global" })).await;
    let quota = app.call(&Call::action("DescribePushQuota", "{}")).await.response();
    assert_eq!(
        quota["UrlPush"],
        json!([
            { "Batch": 500, "Total": 1000, "Available": 998, "Area": "mainland" },
            { "Batch": 500, "Total": 1000, "Available": 999, "Area": "overseas" },
        ])
    );
}
