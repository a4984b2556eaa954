//! API v2: what needs more than one call. Single calls are in `golden_v2`.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use stoker_domain::{time::Clock, view::TaskFilter};

use crate::{
    app::{App, FORM, HOST},
    v1_call::{V1Call, sign},
};

const PATH: &str = "/v2/index.php";

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
async fn the_log_of_purges_distinguishes_running_overdue_and_done() {
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
