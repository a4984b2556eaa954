//! What is not there, not allowed or not answered is said with its reason.

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt;
use stoker_domain::{
    domain::NodeDomain,
    outcome::{Block, OriginFault, Outcome},
};
use stoker_node::request::{Intent, Want};
use stoker_testkit::{Script, content};

use crate::fixture::{Fixture, domain};

#[tokio::test]
async fn a_status_is_the_outcome_and_readers_get_the_reply() {
    let fixture = Fixture::new().await;
    for status in [301, 403, 404, 500, 503] {
        let path = format!("/{status}");
        fixture.origin.on(&path, Script::status(status).field("location", "/elsewhere"));
        let (head, body) = fixture.get(&path).await.unwrap();
        assert_eq!(head.response.status.as_u16(), status);
        assert_eq!(body, format!("this is a {status}\n"));
        let filled = fixture.prefetch(&path).await;
        let outcome = Outcome::OriginStatus(status);
        if status != 301 {
            assert_eq!(head.not_kept, Some(outcome));
            assert_eq!(filled.outcome, outcome);
            assert!(filled.detail.unwrap().contains(&status.to_string()));
        }
    }
}

#[tokio::test]
async fn a_silent_origin_is_a_time_out() {
    let mut fixture = Fixture::new().await;
    fixture.time_outs.head = Duration::from_millis(50);
    fixture.restart_fills();
    fixture.origin.on("/x", Script::silent());
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::OriginError(OriginFault::Timeout));
    let fault = fixture.get("/x").await.unwrap_err();
    assert_eq!(fault.outcome(), filled.outcome);
    assert!(fault.detail().contains("no reply from origin"), "{fault}");
}

#[tokio::test]
async fn content_that_stands_still_is_a_time_out() {
    let mut fixture = Fixture::new().await;
    fixture.time_outs.idle = Duration::from_millis(50);
    fixture.restart_fills();
    fixture.origin.on("/x", Script::new(content(90_000, 1)).etag("\"a\"").hold_after(50_000));
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::OriginError(OriginFault::Timeout));
    // and a viewer learns it in the middle
    let mut reader = fixture.read("/x", Intent::Demand(Want::All)).await;
    reader.head().await.unwrap();
    let fault = reader.body(None).collect().await.unwrap_err();
    assert_eq!(fault.outcome(), Outcome::OriginError(OriginFault::Timeout));
}

#[tokio::test]
async fn a_slow_origin_that_never_rests_is_none() {
    let mut fixture = Fixture::new().await;
    fixture.time_outs.idle = Duration::from_millis(400);
    fixture.restart_fills();
    let script = Script::new(content(60, 1)).etag("\"a\"").pace(1, Duration::from_millis(10));
    fixture.origin.on("/x", script);
    assert_eq!(fixture.prefetch("/x").await.outcome, Outcome::Filled);
}

#[tokio::test]
async fn a_private_address_is_refused_before_it_is_asked() {
    let mut fixture = Fixture::new().await;
    fixture.origin.on("/x", Script::new("x").etag("\"a\""));
    // a pooled connection of a domain that may must not serve one that may not
    assert_eq!(fixture.prefetch("/x").await.outcome, Outcome::Filled);
    fixture.domain = domain(&fixture.origin, false);
    fixture.restart_fills();
    let filled = fixture.prefetch("/y").await;
    assert_eq!(filled.outcome, Outcome::Blocked(Block::PrivateAddress));
    assert!(filled.detail.unwrap().contains("127.0.0.1"));
    assert_eq!(fixture.origin.requests().len(), 1);
}

#[tokio::test]
async fn an_origin_that_cannot_be_reached_is_named() {
    let mut fixture = Fixture::new().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let reach = |url: String| {
        let mut origin: stoker_domain::domain::Origin = url.parse().unwrap();
        origin.allow_private = true;
        origin
    };
    for (url, fault) in [
        (format!("http://127.0.0.1:{port}"), OriginFault::Connect),
        (format!("https://{}", fixture.origin.address()), OriginFault::Tls),
        ("http://no-such-host.invalid".into(), OriginFault::Dns),
    ] {
        fixture.domain = Arc::new(NodeDomain {
            origin: reach(url.clone()),
            ..NodeDomain::clone(&fixture.domain)
        });
        let filled = fixture.prefetch("/x").await;
        assert_eq!(filled.outcome, Outcome::OriginError(fault), "{url} {:?}", filled.detail);
    }
}

#[tokio::test]
async fn what_does_not_speak_http_is_named() {
    let mut fixture = Fixture::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    stoker_testkit::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"220 mail.example ready\r\n\r\n").await;
        }
    });
    let mut domain = NodeDomain::clone(&fixture.domain);
    domain.origin.port = address.port();
    fixture.domain = Arc::new(domain);
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::OriginError(OriginFault::Protocol), "{:?}", filled.detail);
}

#[tokio::test]
async fn a_node_that_stops_tells_its_readers() {
    let fixture = Fixture::new().await;
    fixture.origin.on("/x", Script::silent());
    let reader = fixture.read("/x", Intent::Prefetch).await;
    fixture.fills.shutdown().await;
    assert_eq!(reader.durable().await.outcome, Outcome::Canceled);
}
