//! Clients that mean no good.

use std::time::Duration;

use stoker_testkit::{Script, content};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{HOST, Net, SOON, raw};

async fn refused(net: &Net, text: &str) -> Option<u16> {
    raw(net.address("edge"), text.as_bytes()).await.map(|reply| reply.status)
}

#[tokio::test]
async fn ambiguous_framing_is_refused() {
    let net = Net::single().await;
    net.origin.on("/a", Script::new("content"));
    for fields in [
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: +4",
        "Content-Length: 4\r\nTransfer-Encoding: gzip",
        "Transfer-Encoding: chunked, gzip",
        "Bad Name: x",
        "X: a\r\n b: folded",
    ] {
        let text = format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n\r\n");
        let status = refused(&net, &text).await;
        assert!(status.is_none_or(|status| status == 400), "{fields}: {status:?}");
    }
    assert_eq!(net.origin.requests().len(), 0);
}

#[tokio::test]
async fn a_request_hidden_in_content_is_not_answered() {
    let net = Net::single().await;
    net.origin.on("/a", Script::new("first"));
    net.origin.on("/hidden", Script::new("hidden"));
    let hidden = format!("GET /hidden HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    for framing in [
        format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len()),
        format!(
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{hidden}\r\n0\r\n\r\n",
            hidden.len()
        ),
    ] {
        let text = format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{framing}");
        raw(net.address("edge"), text.as_bytes()).await;
    }
    assert_eq!(net.origin.requests_for("/hidden").len(), 0);
}

#[tokio::test]
async fn a_request_needs_exactly_one_host() {
    let net = Net::single().await;
    for hosts in ["", "Host: a.example\r\nHost: b.example\r\n", "Host: \r\n", "Host: u@x\r\n"] {
        let text = format!("GET /a HTTP/1.1\r\nConnection: close\r\n{hosts}\r\n");
        assert_eq!(refused(&net, &text).await, Some(400), "{hosts:?}");
    }
}

#[tokio::test]
async fn heads_and_targets_beyond_measure_are_refused() {
    let net = Net::single().await;
    let long = "x".repeat(70_000);
    let text = format!("GET /{long} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let status = refused(&net, &text).await;
    assert!(matches!(status, None | Some(414 | 431)), "{status:?}");
    let text = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX: {long}\r\n\r\n");
    let status = refused(&net, &text).await;
    assert!(matches!(status, None | Some(431)), "{status:?}");
    let many = "X: 1\r\n".repeat(500);
    let text = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{many}\r\n");
    let status = refused(&net, &text).await;
    assert!(matches!(status, None | Some(431)), "{status:?}");
    assert_eq!(net.origin.requests().len(), 0);
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let net = Net::single().await;
    let mut stream = TcpStream::connect(net.address("edge")).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    let mut answer = Vec::new();
    timeout(SOON, stream.read_to_end(&mut answer)).await.expect("the node closes").unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{answer:?}");
}

#[tokio::test]
async fn a_client_that_leaves_does_not_end_what_others_wait_for() {
    let net = Net::single().await;
    let bytes = content(2 << 20, 1);
    net.origin.on("/a", Script::new(bytes.clone()).etag("\"v1\"").hold_after(1000));
    let mut first = TcpStream::connect(net.address("edge")).await.unwrap();
    let text = format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    first.write_all(text.as_bytes()).await.unwrap();
    let mut some = [0; 64];
    timeout(SOON, first.read(&mut some)).await.unwrap().unwrap();
    let second = net.get("edge", "/a", &[]);
    let leave = async {
        stoker_testkit::eventually(SOON, "both have asked", || async {
            (net.running("edge").stats().answered.requests == 2).then_some(())
        })
        .await;
        drop(first);
        net.origin.release();
    };
    let (reply, ()) = tokio::join!(second, leave);
    assert!(reply.is_whole && reply.body == bytes);
    assert_eq!(net.origin.sent_for("/a"), 2 << 20);
}

#[tokio::test]
async fn content_that_breaks_off_is_not_passed_off_as_whole() {
    let net = Net::single().await;
    // shorter than announced, every time
    let script = Script::new(content(100_000, 1)).without_ranges().wrong_length(50);
    net.origin.on("/a", script);
    let reply = net.get("edge", "/a", &[]).await;
    assert!(reply.status == 502 || !reply.is_whole, "{} {}", reply.status, reply.body.len());
    let only = net.get("edge", "/a", &[("cache-control", "only-if-cached")]).await;
    assert_eq!(only.status, 504);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let net = Net::single().await;
    net.origin.on("/a", Script::new("first"));
    net.origin.on("/b", Script::new("second"));
    let text = format!(
        "GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\nGET /b HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(net.address("edge")).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(Duration::from_secs(120), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (first, second) = (answer.find("first").unwrap(), answer.find("second").unwrap());
    assert!(first < second);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go() {
    let net = Net::single().await;
    net.origin.on("/a", Script::new(content(24 << 20, 1)).etag("\"v1\""));
    net.get("edge", "/a", &[]).await;
    net.until_hit("edge", "/a", &[]).await;
    let mut stream = TcpStream::connect(net.address("edge")).await.unwrap();
    let text = format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    // nothing is read; that the node has closed shows when bytes sent to it are refused
    let stream = tokio::sync::Mutex::new(stream);
    stoker_testkit::eventually(SOON, "the node closes", || async {
        stream.lock().await.write_all(b"G").await.err()
    })
    .await;
}
