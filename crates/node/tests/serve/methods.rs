//! Methods other than GET and HEAD, and content where it means nothing: neither fills the cache, nor
//! empties it, nor reaches the origin.

use stoker_testkit::{Script, content};

use crate::{
    raw::{RawOrigin, field, reply},
    support::{HOST, Net, raw},
};

const OTHERS: [&str; 15] = [
    "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PURGE", "BAN", "PROPFIND",
    "QUERY", "get", "Head", "GETX", "MKCOL",
];

/// Sends a request and content, and reads until the node closes; the status, if any came.
async fn status(net: &Net, node: &str, head: &str, content: &str) -> Option<u16> {
    let text = format!("{head}\r\nHost: {HOST}\r\nConnection: close\r\n{content}");
    raw(net.address(node), text.as_bytes()).await.map(|reply| reply.status)
}

#[tokio::test]
async fn other_methods_are_refused_and_neither_fill_nor_empty_anything() {
    for is_full in [false, true] {
        let net = Net::patient(is_full, &[]).await;
        let edge = if is_full { "edge-mainland" } else { "edge" };
        let only = [("cache-control", "only-if-cached")];
        for (number, method) in OTHERS.into_iter().enumerate() {
            let path = format!("/{number}");
            let bytes = content(2000, number as u64);
            net.origin.on(&path, Script::new(bytes.clone()).etag("\"v\""));
            for body in [
                "\r\n",
                "Content-Length: 5\r\n\r\nevil!",
                "Transfer-Encoding: chunked\r\n\r\n5\r\nevil!\r\n0\r\n\r\n",
            ] {
                let got = status(&net, edge, &format!("{method} {path} HTTP/1.1"), body).await;
                let is_refused = got.is_some_and(|status| (400..=501).contains(&status));
                assert!(is_refused, "{method} {body}: {got:?}");
            }
            assert_eq!(net.origin.requests_for(&path).len(), 0, "{method}");
            assert_eq!(net.get(edge, &path, &only).await.status, 504, "{method} filled something");
            let got = net.get(edge, &path, &[]).await;
            assert_eq!((got.status, &got.body[..]), (200, &bytes[..]), "{method}");
            net.until_hit(edge, &path, &[]).await;
            // what is there stays there (RFC 9111 section 4.4 is about methods that succeed)
            status(&net, edge, &format!("{method} {path} HTTP/1.1"), "\r\n").await;
            let hit = net.get(edge, &path, &only).await;
            assert_eq!((hit.status, &hit.body[..]), (200, &bytes[..]), "{method}");
            assert_eq!(net.origin.requests_for(&path).len(), 1, "{method}");
        }
    }
}

#[tokio::test]
async fn content_of_a_get_or_head_reaches_nobody_and_is_no_request() {
    for is_full in [false, true] {
        let net = Net::patient(is_full, &[]).await;
        let edge = if is_full { "edge-mainland" } else { "edge" };
        let origin = RawOrigin::start().await;
        origin.serve(&net);
        origin.answers("200 OK", b"Cache-Control: max-age=60\r\nETag: \"v\"");
        let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        let length = smuggled.len();
        let bodies = [
            format!("Content-Length: {length}\r\n\r\n{smuggled}"),
            format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{smuggled}\r\n0\r\n\r\n"),
        ];
        let mut number = 0;
        for method in ["GET", "HEAD"] {
            for body in &bodies {
                number += 1;
                let path = format!("/{number}");
                let got = status(&net, edge, &format!("{method} {path} HTTP/1.1"), body).await;
                assert_eq!(got, Some(200), "{method} {body}");
                let got = net.get(edge, &path, &[]).await;
                assert_eq!((got.status, got.text().as_str()), (200, "hallo"), "{method} {body}");
            }
        }
        for request in origin.requests() {
            let line = String::from_utf8_lossy(&request).lines().next().unwrap().to_owned();
            assert!(line.starts_with("GET /") && !line.contains("smuggled"), "{line}");
            for name in ["content-length", "transfer-encoding", "content-type", "expect"] {
                assert_eq!(field(&request, name), "", "{line}");
            }
        }
    }
}

#[tokio::test]
async fn a_head_fills_nothing_that_a_get_could_not() {
    for is_full in [false, true] {
        let net = Net::patient(is_full, &[]).await;
        let edge = if is_full { "edge-mainland" } else { "edge" };
        let origin = RawOrigin::start().await;
        origin.serve(&net);
        // it answers by the method that it is asked with, and by a range that a HEAD cannot have
        origin.answers_by(|request| {
            let is_get = request.starts_with(b"GET ");
            reply("200 OK", b"ETag: \"v\"", if is_get { "content" } else { "of another method" })
        });
        let head = net.ask(edge, "HEAD", "/a", &[("range", "bytes=2-3")]).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{head:?}");
        assert_eq!(head.field("content-length"), "7");
        let got = net.get(edge, "/a", &[]).await;
        assert_eq!((got.status, got.text().as_str()), (200, "content"), "{got:?}");
        assert!(origin.requests().iter().all(|request| request.starts_with(b"GET ")));
    }
}
