//! A call of the admin API that somebody saw: sent again to the executable, also after it was killed,
//! it does nothing.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use http::Method;
use serde_json::Value;
use stoker_domain::time::Timestamp;
use stoker_gateway::Outgoing;

use crate::running::{Ports, Stoker};

/// A call as it travels, signed now.
fn captured(stoker: &Stoker, method: &Method, path: &str, content: &str) -> String {
    let credentials = stoker.credentials();
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    let host = format!("127.0.0.1:{}", stoker.ports().api());
    let now = jiff::Timestamp::now();
    let call = Outgoing {
        method,
        path,
        query: "",
        host: &host,
        content: content.as_bytes(),
        time: Timestamp::from_millis(now.as_millisecond()),
    };
    let nonce = now.as_nanosecond().to_be_bytes();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n",
        content.len()
    );
    for (name, value) in call.sign_whole(&text("secret_id"), &text("secret_key"), nonce) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request + "\r\n" + content
}

/// Sends it; status line and content of the answer.
fn send(stoker: &Stoker, request: &str) -> (String, Value) {
    let mut stream = TcpStream::connect(("127.0.0.1", stoker.ports().api())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, content) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.lines().next().unwrap().to_owned();
    (status, serde_json::from_str(content).unwrap_or_default())
}

#[test]
fn a_call_that_was_taken_is_refused_also_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ports = Ports::free();
    let mut stoker = Stoker::start_with(&data, ports, &[]);
    let add = captured(&stoker, &Method::POST, "/admin/v1/accounts", r#"{"name":"once"}"#);
    let list = captured(&stoker, &Method::GET, "/admin/v1/accounts", "");
    let (status, made) = send(&stoker, &add);
    assert_eq!(status, "HTTP/1.1 201 Created", "{made}");
    let (status, _) = send(&stoker, &list);
    assert_eq!(status, "HTTP/1.1 200 OK");
    for _ in 0..2 {
        for request in [&add, &list] {
            let (status, problem) = send(&stoker, request);
            assert_eq!(status, "HTTP/1.1 401 Unauthorized");
            assert_eq!(problem["type"], "urn:stoker:problem:nonce-taken");
        }
        let elsewhere = add.replace("/admin/v1/accounts HTTP", "/admin/v1/accounts?x HTTP");
        assert_eq!(send(&stoker, &elsewhere).1["type"], "urn:stoker:problem:bad-signature");
        stoker.kill();
        stoker = Stoker::start_with(&data, ports, &[]);
    }
    let accounts = stoker.json(&["account", "list"]);
    assert_eq!(accounts.as_array().map(Vec::len), Some(2), "{accounts}");
}
