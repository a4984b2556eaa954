//! What only a socket shows: hosts that are no hosts, exact fields, probes and metrics.

use std::sync::Arc;

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use stoker_domain::time::{Clock, Timestamp};
use stoker_gateway::Outgoing;
use stoker_testkit::{documented_metrics, exposed_metrics};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    app::{App, Call, JSON, OWNER, SECRET},
    v1_call::V1Call,
};

/// Serves until the set is dropped.
async fn serve(app: &App) -> (std::net::SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = app.router.clone();
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, server)
}

/// Of a POST of `{}`.
fn authorization(host: &str, service: &str, time: Timestamp) -> String {
    let outgoing =
        Outgoing { method: &Method::POST, path: "/", query: "", host, content: b"{}", time };
    outgoing.authorize(OWNER, SECRET, JSON, service)
}

/// Sends text and reads until the server closes.
async fn converse(address: std::net::SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_host_with_a_scheme_is_served_and_the_content_type_is_exact() {
    let app = App::new().await;
    let (address, _server) = serve(&app).await;
    for host in [format!("http://{address}"), address.to_string(), "cdn.tencentcloudapi.com".into()]
    {
        let time = app.clock.now();
        let authorization = authorization(&host, "cdn", time);
        let answer = converse(
            address,
            &format!(
                "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: {JSON}\r\nContent-Length: 2\r\n\
                 X-TC-Action: DescribePushQuota\r\nX-TC-Version: 2018-06-06\r\n\
                 X-TC-Timestamp: {}\r\nAuthorization: {authorization}\r\nConnection: close\r\n\r\n{{}}",
                time.as_seconds()
            ),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\ncontent-type: application/json\r\n"), "{answer}");
        assert!(answer.contains("\"UrlPush\""), "{answer}");
    }
}

#[tokio::test]
async fn a_node_client_that_signs_its_host_without_the_port_is_served() {
    let app = App::new().await;
    let time = app.clock.now();
    let mut request = Call::action("DescribePushQuota", "{}").sign(time);
    let authorization = authorization("127.0.0.1", "127", time);
    request.headers_mut().insert("authorization", authorization.parse().unwrap());
    assert!(app.send(request).await.response()["Error"].is_null());
}

#[tokio::test]
async fn content_over_the_limit_is_answered_on_the_wire() {
    let app = App::new().await;
    let (address, mut server) = serve(&app).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    server.spawn(async move { drop(connection.await) });
    let call = Call::action("PushUrlsCache", vec![b' '; 12 * 1024 * 1024]);
    let (parts, _) = call.sign(app.clock.now()).into_parts();
    let body = Full::new(bytes::Bytes::from(call.content));
    let response = sender.send_request(Request::from_parts(parts, body)).await.unwrap();
    let content = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&content).contains("RequestSizeLimitExceeded"));
}

async fn get(app: &App, path: &str) -> crate::app::Answer {
    app.send(Request::get(path).body(axum::body::Body::empty()).unwrap()).await
}

#[tokio::test]
async fn probes_need_no_signature_and_draining_is_not_ready() {
    let app = App::new().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&app, path).await.status, 200, "{path}");
    }
    app.gateway.drain();
    assert_eq!(get(&app, "/healthz").await.status, 200);
    assert_eq!(get(&app, "/readyz").await.status, 503);
}

#[tokio::test]
async fn answers_are_counted_in_metrics_that_the_reference_lists() {
    let app = App::new().await;
    app.call(&Call::action("DescribePushQuota", "{}")).await;
    app.call(&Call::action("Nothing", "{}")).await;
    app.call(&Call::admin(Method::GET, "nodes", "")).await;
    app.gateway.expose(stoker_ledger::Metrics::new(Arc::clone(&app.ledger)));
    let answer = get(&app, "/metrics").await;
    let text = String::from_utf8(answer.content).unwrap();
    let value = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    };
    let commits = value("stoker_ledger_commits_total");
    assert!(0 < commits && commits <= value("stoker_ledger_verbs_total"), "{commits}");
    for line in [
        "stoker_engine_nodes{state=\"alive\"} 4",
        "stoker_engine_nodes{state=\"silent\"} 0",
        "stoker_gateway_requests_total{action=\"DescribePushQuota\",code=\"ok\"} 1",
        "stoker_gateway_requests_total{action=\"unknown\",code=\"InvalidAction\"} 1",
        "stoker_gateway_requests_total{action=\"admin.node.list\",code=\"ok\"} 1",
        "stoker_sweep_tasks_removed_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let reference = include_str!("../../../../docs/reference/metrics.md");
    let others = ["stoker_engine_", "stoker_ledger_", "stoker_listen_", "stoker_sweep_"];
    for prefix in others.into_iter().chain(["stoker_gateway_"]) {
        assert_eq!(exposed_metrics(&text, prefix), documented_metrics(reference, prefix));
    }
}

#[tokio::test]
async fn where_there_is_nothing_a_problem_says_so() {
    let app = App::new().await;
    for path in ["/v2", "/console", "/admin/v1/x"] {
        let answer = get(&app, path).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (404, "no-such-page"));
    }
}

#[tokio::test]
async fn messages_are_chinese_unless_english_is_asked_for() {
    let app = App::new().await;
    let message =
        |response: &serde_json::Value| response["Error"]["Message"].as_str().unwrap().to_owned();
    let call = Call::action("PushUrlsCache", r#"{"Urls":["http://www.test.com/a"],"Area":"moon"}"#);
    let en = message(&app.call(&call).await.response());
    assert_eq!(en, "parameter `Area`: `moon` is not one of `mainland`, `overseas`, `global`");
    let zh = "参数 `Area`：`moon` 不在可选值 `mainland`, `overseas`, `global` 之中";
    for other in ["zh-CN", "", "fr-FR"] {
        let call = call.clone().with("x-tc-language", other);
        assert_eq!(message(&app.call(&call).await.response()), zh, "{other}");
    }
    let silent = call.without("x-tc-language");
    assert_eq!(message(&app.call(&silent).await.response()), zh);
    // the field counts before the caller is known, too
    let unknown = silent.key("AKIDNOBODY");
    let answer = app.call(&unknown.clone().with("x-tc-language", "en-US")).await.response();
    assert!(message(&answer).starts_with("The SecretId is not found"), "{answer}");
    let answer = app.call(&unknown).await.response();
    assert!(message(&answer).starts_with("SecretId 不存在"), "{answer}");

    let old = V1Call::new(&[
        ("Action", "PushUrlsCache"),
        ("Version", "2018-06-06"),
        ("Urls.0", "http://www.test.com/a"),
        ("Area", "moon"),
    ]);
    for (word, expected) in [("en-US", en.as_str()), ("zh-CN", zh), ("", zh)] {
        let answer = app.v1(&old.clone().with("Language", word)).await.response();
        assert_eq!(message(&answer), expected, "{word}");
    }
    assert_eq!(message(&app.v1(&old).await.response()), zh);
}
