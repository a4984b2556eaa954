//! What is not there, not allowed or not answered is said with its reason.

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt;
use stoker_domain::{
    domain::NodeDomain,
    outcome::{Block, OriginFault, Outcome},
};
use stoker_node::request::{Intent, Want};
use stoker_testkit::{Script, content};

use crate::house::{House, domain};

#[tokio::test]
async fn a_status_is_the_outcome_and_readers_get_the_reply() {
    let house = House::new().await;
    for status in [301, 403, 404, 500, 503] {
        let path = format!("/{status}");
        house.origin.on(&path, Script::status(status).field("location", "/elsewhere"));
        let (head, body) = house.get(&path).await.unwrap();
        assert_eq!(head.response.status.as_u16(), status);
        assert_eq!(body, format!("this is a {status}\n"));
        let filled = house.prefetch(&path).await;
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
    let mut house = House::new().await;
    house.time_outs.head = Duration::from_millis(50);
    house.restart_fills();
    house.origin.on("/x", Script::silent());
    let filled = house.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::OriginError(OriginFault::Timeout));
    let fault = house.get("/x").await.unwrap_err();
    assert_eq!(fault.outcome(), filled.outcome);
    assert!(fault.detail().contains("no reply from origin"), "{fault}");
}

#[tokio::test]
async fn content_that_stands_still_is_a_time_out() {
    let mut house = House::new().await;
    house.time_outs.idle = Duration::from_millis(50);
    house.restart_fills();
    house.origin.on("/x", Script::new(content(90_000, 1)).etag("\"a\"").hold_after(50_000));
    let filled = house.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::OriginError(OriginFault::Timeout));
    // and a viewer learns it in the middle
    let mut reader = house.read("/x", Intent::Demand(Want::All)).await;
    reader.head().await.unwrap();
    let fault = reader.body(None).collect().await.unwrap_err();
    assert_eq!(fault.outcome(), Outcome::OriginError(OriginFault::Timeout));
}

#[tokio::test]
async fn a_slow_origin_that_never_rests_is_none() {
    let mut house = House::new().await;
    house.time_outs.idle = Duration::from_millis(400);
    house.restart_fills();
    let script = Script::new(content(60, 1)).etag("\"a\"").pace(1, Duration::from_millis(10));
    house.origin.on("/x", script);
    assert_eq!(house.prefetch("/x").await.outcome, Outcome::Filled);
}

#[tokio::test]
async fn a_private_address_is_refused_before_it_is_asked() {
    let mut house = House::new().await;
    house.origin.on("/x", Script::new("x").etag("\"a\""));
    // a pooled connection of a domain that may must not serve one that may not
    assert_eq!(house.prefetch("/x").await.outcome, Outcome::Filled);
    house.domain = domain(&house.origin, false);
    house.restart_fills();
    let filled = house.prefetch("/y").await;
    assert_eq!(filled.outcome, Outcome::Blocked(Block::PrivateAddress));
    assert!(filled.detail.unwrap().contains("127.0.0.1"));
    assert_eq!(house.origin.requests().len(), 1);
}

#[tokio::test]
async fn an_origin_that_cannot_be_reached_is_named() {
    let mut house = House::new().await;
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
        (format!("https://{}", house.origin.address()), OriginFault::Tls),
        ("http://no-such-host.invalid".into(), OriginFault::Dns),
    ] {
        house.domain =
            Arc::new(NodeDomain { origin: reach(url.clone()), ..NodeDomain::clone(&house.domain) });
        let filled = house.prefetch("/x").await;
        assert_eq!(filled.outcome, Outcome::OriginError(fault), "{url} {:?}", filled.detail);
    }
}

#[tokio::test]
async fn what_does_not_speak_http_is_named() {
    let mut house = House::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    stoker_testkit::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"220 mail.example ready\r\n\r\n").await;
        }
    });
    let mut domain = NodeDomain::clone(&house.domain);
    domain.origin.port = address.port();
    house.domain = Arc::new(domain);
    let filled = house.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::OriginError(OriginFault::Protocol), "{:?}", filled.detail);
}

#[tokio::test]
async fn a_node_that_stops_tells_its_readers() {
    let house = House::new().await;
    house.origin.on("/x", Script::silent());
    let reader = house.read("/x", Intent::Prefetch).await;
    house.fills.shutdown().await;
    assert_eq!(reader.durable().await.outcome, Outcome::Canceled);
}
