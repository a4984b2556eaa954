//! Edge, middle and shield: what one node asks of another, and that the origin is read once.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use stoker_domain::{
    area::{Area, Tier},
    domain::{Scheme, Shield},
    key::Key,
    outcome::{OriginFault, Outcome},
    task::FetchOptions,
};
use stoker_testkit::{Script, content, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{HOST, Net, SECRET, SOON};

const LARGE: usize = (20 << 20) + 77;

#[tokio::test]
async fn two_areas_read_the_origin_once_and_every_byte_once() {
    let net = Net::full().await;
    let bytes = content(LARGE, 3);
    net.origin.on("/big", Script::new(bytes.clone()).etag("\"v1\""));
    for edge in ["edge-mainland", "edge-overseas"] {
        let reply = net.get(edge, "/big", &[]).await;
        assert!(reply.is_whole && reply.body == bytes, "{edge}: {}", reply.status);
        let status = reply.cache_status();
        assert!(status.contains(&format!("stoker-{edge}; fwd=uri-miss")), "{status}");
        assert!(status.starts_with("stoker-middle-"), "{status}");
    }
    for edge in ["edge-mainland", "edge-overseas"] {
        let hit = net.until_hit(edge, "/big", &[]).await;
        assert!(hit.body == bytes);
        let status = hit.cache_status();
        assert!(status.starts_with(&format!("stoker-{edge}; hit")), "{status}");
    }
    assert_eq!(net.origin.sent_for("/big"), LARGE as u64);
}

#[tokio::test]
async fn both_areas_at_once_read_the_origin_once() {
    let net = Net::full().await;
    let bytes = content(3 << 20, 3);
    net.origin.on("/a", Script::new(bytes.clone()).etag("\"v1\"").hold_after(100_000));
    let release = async {
        eventually(SOON, "the origin is asked", || async {
            (!net.origin.requests_for("/a").is_empty()).then_some(())
        })
        .await;
        net.origin.release();
    };
    let (a, b, ()) = tokio::join!(
        net.get("edge-mainland", "/a", &[]),
        net.get("edge-overseas", "/a", &[]),
        release
    );
    assert!(a.body == bytes && b.body == bytes);
    assert_eq!(net.origin.sent_for("/a"), 3 << 20);
}

#[tokio::test]
async fn per_area_reads_the_origin_once_in_each() {
    let net = Net::full().await;
    net.put_domain(|domain| domain.shield = Shield::PerArea);
    net.origin.on("/a", Script::new(content(1000, 1)).etag("\"v1\""));
    net.get("edge-mainland", "/a", &[]).await;
    net.get("edge-overseas", "/a", &[]).await;
    assert_eq!(net.origin.requests_for("/a").len(), 2);
}

#[tokio::test]
async fn age_adds_up_over_the_tiers() {
    let net = Net::full().await;
    let script = Script::new(content(1000, 1)).etag("\"v1\"").field("cache-control", "max-age=100");
    net.origin.on("/a", script);
    net.get("edge-mainland", "/a", &[]).await;
    net.clock.advance(Duration::from_secs(40));
    let reply = net.get("edge-overseas", "/a", &[]).await;
    assert_eq!(reply.field("age"), "40");
    net.until_hit("edge-overseas", "/a", &[]).await;
    net.clock.advance(Duration::from_secs(61));
    let stale = net.get("edge-overseas", "/a", &[("cache-control", "only-if-cached")]).await;
    assert_eq!(stale.status, 504);
}

#[tokio::test]
async fn a_fault_far_away_reaches_the_edge_by_name_and_the_viewer_without_detail() {
    let net = Net::full().await;
    net.put_domain(|domain| domain.origin.port = 1);
    let reply = net.get("edge-overseas", "/a", &[]).await;
    assert_eq!(reply.status, 502);
    let status = reply.cache_status();
    assert!(status.contains("stoker-edge-overseas; fwd=uri-miss"), "{status}");
    assert!(status.contains("detail=origin_error:connect"), "{status}");
    assert!(reply.fields.iter().all(|(name, _)| !name.starts_with("stoker-")), "{reply:?}");
}

#[tokio::test]
async fn a_status_far_away_stays_that_status() {
    let net = Net::full().await;
    let reply = net.get("edge-overseas", "/absent", &[]).await;
    assert_eq!(reply.status, 404);
    net.origin.on("/no-store", Script::new("x").field("cache-control", "no-store"));
    let reply = net.get("edge-overseas", "/no-store", &[]).await;
    assert_eq!((reply.status, reply.text()), (200, "x".to_owned()));
}

#[tokio::test]
async fn only_the_secret_makes_a_node_of_a_client() {
    let net = Net::full().await;
    net.put_domain(|domain| domain.origin.port = 1);
    let forged = [("stoker-peer", "guess"), ("stoker-hops", "200")];
    let reply = net.get("middle-mainland", "/a", &forged).await;
    assert_eq!((reply.status, reply.field("stoker-fault")), (502, String::new()));
    let shown = [("stoker-peer", SECRET), ("stoker-hops", "1")];
    let reply = net.get("middle-mainland", "/a", &shown).await;
    assert_eq!(reply.field("stoker-fault"), "origin_error:connect");
    assert!(!reply.field("stoker-fault-detail").is_empty());
}

#[tokio::test]
async fn a_request_that_goes_in_a_circle_is_refused() {
    let net = Net::full().await;
    net.origin.on("/a", Script::new("content"));
    let circle = [("stoker-peer", SECRET), ("stoker-hops", "5")];
    let reply = net.get("middle-mainland", "/a", &circle).await;
    assert_eq!(reply.status, 508);
    assert_eq!(reply.field("stoker-fault"), "origin_error:parent");
    assert_eq!(net.origin.requests().len(), 0);
    let far = [("stoker-peer", SECRET), ("stoker-hops", "3")];
    assert_eq!(net.get("middle-mainland", "/a", &far).await.status, 200);
}

#[tokio::test]
async fn options_of_a_task_travel_to_the_shield() {
    let net = Net::full().await;
    net.origin.on("/a", Script::new(content(100, 1)).etag("\"v1\"").field("vary", "x-token"));
    let options = FetchOptions {
        user_agent: Some("Agent/1".into()),
        headers: vec![("X-Token".into(), "1".into())],
        disable_range: true,
        ..FetchOptions::default()
    };
    let url = format!("http://{HOST}/a");
    // an edge whose middle node is not the shield: the longest way
    let directory = net.directory.borrow().clone();
    let domain = directory.domain(HOST).unwrap();
    let shield = directory.fleet().shield(domain, Key::new(HOST, "/a"), Area::Mainland).unwrap();
    let edge = match shield.area {
        Area::Mainland => "edge-overseas",
        Area::Overseas => "edge-mainland",
    };
    net.sources[edge].put(1, &[&url], 0, options);
    let report = net.sources[edge].ended(1).await.remove(0);
    assert!(report.outcome.is_success(), "{report:?}");
    let requests = net.origin.requests_for("/a");
    // whether the agent decides anything is asked without it
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].field("user-agent"), "Agent/1");
    assert_eq!((requests[0].field("x-token"), requests[0].field("range")), ("1", ""));
    assert_eq!((requests[1].field("x-token"), requests[1].field("range")), ("1", ""));
    assert_eq!(requests[0].field("stoker-options"), "");
    net.until_hit(edge, "/a", &[("x-token", "1")]).await;
}

#[tokio::test]
async fn a_viewer_who_joins_a_slow_prefetch_far_from_the_shield_is_not_slowed() {
    let bytes = content(LARGE, 9);
    let with_ranges = Script::new(bytes.clone()).etag("\"v1\"");
    join_slow_prefetch(
        &bytes,
        &with_ranges,
        &[("/head", 0), ("/early", 1), ("/late", 200_000), ("/middle", 1)],
    )
    .await;
}

#[tokio::test]
async fn nor_where_no_other_reply_can_continue_what_comes() {
    let bytes = content(LARGE, 10);
    let whole = Script::new(bytes.clone()).without_ranges();
    join_slow_prefetch(&bytes, &whole, &[("/head", 0), ("/early", 1), ("/middle", 1)]).await;
    let of_unknown_length = whole.chunked();
    join_slow_prefetch(&bytes, &of_unknown_length, &[("/head", 0), ("/early", 1)]).await;
}

/// Prefetches each path, at an edge as far from the shield as can be, so slowly that it would take
/// minutes; once the origin has sent so many bytes, a viewer joins there or, for `/middle`, on the
/// way.
async fn join_slow_prefetch(bytes: &Bytes, script: &Script, paths: &[(&str, u64)]) {
    let net = Net::full().await;
    net.directory.send_modify(|directory| {
        Arc::make_mut(directory).set_task_limits(HashMap::from([(HOST.into(), 1)]));
    });
    let directory = net.directory.borrow().clone();
    let domain = directory.domain(HOST).expect("it is there");
    for (id, (path, begun)) in (1..).zip(paths) {
        net.origin.on(path, script.clone());
        let shield = directory
            .fleet()
            .shield(domain, Key::new(HOST, path), Area::Mainland)
            .expect("a middle node");
        let far = match shield.area {
            Area::Mainland => "overseas",
            Area::Overseas => "mainland",
        };
        let edge = format!("edge-{far}");
        let url = format!("http://{HOST}{path}");
        net.sources[&edge].put(id, &[&url], 0, FetchOptions::default());
        eventually(SOON, "the prefetch goes on", || async {
            let is_leased = net.sources[&edge].leased().contains(&id);
            (is_leased && net.origin.sent_for(path) >= *begun).then_some(())
        })
        .await;
        assert!(net.origin.sent_for(path) < LARGE as u64 / 2, "{path}: it is held back");
        let viewed = if *path == "/middle" { format!("middle-{far}") } else { edge.clone() };
        let began = Instant::now();
        let reply = net.get(&viewed, path, &[]).await;
        let took = began.elapsed();
        assert!(reply.is_whole && reply.body == *bytes, "{path}: {}", reply.status);
        assert!(took < Duration::from_secs(60), "{path}: {took:?}");
        let report = net.sources[&edge].ended(id).await.remove(0);
        assert!(report.outcome.is_success(), "{report:?}");
        assert_eq!(net.origin.sent_for(path), LARGE as u64, "{path}: every byte once");
    }
}

#[tokio::test]
async fn a_dead_parent_is_named_as_such() {
    let mut net = Net::full().await;
    for middle in ["middle-mainland", "middle-overseas"] {
        net.take(middle).shutdown(SOON).await;
    }
    let reply = net.get("edge-mainland", "/a", &[]).await;
    assert_eq!(reply.status, 502);
    assert!(reply.cache_status().contains("detail=origin_error:parent"), "{reply:?}");
}

#[tokio::test]
async fn a_failure_is_shared_by_all_areas_and_a_later_attempt_asks_again() {
    let net = Net::full().await;
    let edges = ["edge-mainland", "edge-overseas"];
    let page = Script::status(404).field("cache-control", "no-store").field("set-cookie", "a=b");
    net.origin.on("/personal", page);
    net.origin.on("/500", Script::status(500));
    net.origin.on("/chunked", Script::status(404).chunked());
    for (id, path, status, requests) in [
        (1, "/absent", 404, 1),
        (2, "/personal", 404, 1),
        // of an unknown origin it is found out whether ranges are what it does not like
        (3, "/500", 500, 2),
        (4, "/chunked", 404, 1),
    ] {
        let url = format!("http://{HOST}{path}");
        for edge in edges {
            net.sources[edge].put(100 * id, &[&url], 0, FetchOptions::default());
        }
        for edge in edges {
            let report = net.sources[edge].ended(100 * id).await.remove(0);
            assert_eq!(report.outcome, Outcome::OriginStatus(status), "{path} {report:?}");
            assert!(report.detail.is_some_and(|detail| !detail.is_empty()));
        }
        assert_eq!(net.origin.requests_for(path).len(), requests, "{path}");
        let attempts = Cell::new(100 * id);
        eventually(SOON, "it is forgotten and asked for again", async || {
            attempts.set(attempts.get() + 1);
            let report = net.sources[edges[0]].run(attempts.get(), &url, 0).await;
            assert_eq!(report.outcome, Outcome::OriginStatus(status), "{path} {report:?}");
            (net.origin.requests_for(path).len() > requests).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn what_an_origin_answers_a_viewer_is_not_shared_with_another() {
    let net = Net::full().await;
    let page = Script::status(404).field("set-cookie", "a=b");
    net.origin.on("/cookie", page);
    for agent in ["one", "one", "two"] {
        let reply = net.get("edge-mainland", "/cookie", &[("user-agent", agent)]).await;
        assert_eq!((reply.status, reply.field("set-cookie").as_str()), (404, "a=b"));
    }
    assert_eq!(net.origin.requests_for("/cookie").len(), 3);
    // a plain error page is, with those who ask alike
    net.origin.on("/plain", Script::status(404));
    for agent in ["one", "one", "two"] {
        let reply = net.get("edge-mainland", "/plain", &[("user-agent", agent)]).await;
        assert_eq!((reply.status, reply.body.is_empty()), (404, false), "{reply:?}");
    }
    assert_eq!(net.origin.requests_for("/plain").len(), 2);
}

/// Edges of both areas before one middle node.
async fn two_edges() -> Net {
    Net::of(&[
        ("edge-mainland", Area::Mainland, Tier::Edge),
        ("edge-overseas", Area::Overseas, Tier::Edge),
        ("middle-mainland", Area::Mainland, Tier::Middle),
    ])
    .await
}

#[tokio::test]
async fn an_origin_that_asks_to_be_left_alone_is_not_asked_by_prefetches_of_any_node() {
    let net = two_edges().await;
    net.origin.on("/busy", Script::status(503).field("retry-after", "60"));
    net.origin
        .on("/mine", Script::status(429).field("retry-after", "60").field("set-cookie", "a=b"));
    net.origin.on("/other", Script::new(content(1000, 1)).etag("\"v1\""));
    let url = |path: &str| format!("http://{HOST}{path}");
    let busy = net.sources["edge-mainland"].run(1, &url("/busy"), 0).await;
    assert_eq!(busy.outcome, Outcome::OriginStatus(503));
    let wanted = busy.retry_after_seconds.expect("the edge is told what the origin asked for");
    assert!((55..=60).contains(&wanted), "{wanted}");
    assert_eq!(net.origin.requests_for("/busy").len(), 1);
    for (id, path) in [(2, "/other"), (3, "/mine")] {
        let left = net.sources["edge-overseas"].run(id, &url(path), 0).await;
        assert_eq!(left.outcome, Outcome::OriginStatus(503), "{path}");
        let wanted = left.retry_after_seconds.expect("how long is left");
        assert!((1..=60).contains(&wanted), "{path}: {wanted}");
        let detail = left.detail.unwrap();
        assert!(detail.contains("asked to be left alone for"), "{path}: {detail}");
        assert!(net.origin.requests_for(path).len() <= 1, "{path}");
    }
    assert!(net.origin.requests_for("/other").is_empty());
    // somebody waits for this one
    let reply = net.get("edge-overseas", "/other", &[]).await;
    assert_eq!((reply.status, reply.body.len()), (200, 1000));
}

#[tokio::test]
async fn what_a_hanging_origin_did_is_told_by_every_node_alike() {
    let net = Net::full().await;
    net.put_domain(|domain| domain.origin.pull.receive_timeout_seconds = Some(1));
    let url = |path: &str| format!("http://{HOST}{path}");
    for n in 0..4 {
        net.origin.on(&format!("/{n}"), Script::silent());
    }
    let edges = ["edge-mainland", "edge-overseas"];
    for (id, edge) in (1..).zip(edges) {
        let urls: Vec<_> = (0..4).map(|n| url(&format!("/{n}"))).collect();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        net.sources[edge].put(id, &urls, 0, FetchOptions::default());
    }
    for (id, edge) in (1..).zip(edges) {
        for item in net.sources[edge].ended(id).await {
            let detail = item.detail.unwrap_or_default();
            assert_eq!(
                item.outcome,
                Outcome::OriginError(OriginFault::Timeout),
                "{edge}: {detail}"
            );
            assert!(detail.contains("no reply from origin"), "{edge}: {detail}");
        }
    }
}

#[tokio::test]
async fn an_origin_that_cannot_be_reached_is_not_tried_by_every_target_of_a_job() {
    let net = two_edges().await;
    // it takes connections and speaks no TLS
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tried = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tried);
    stoker_testkit::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = stream.read(&mut [0; 2048]).await;
            let _ = stream.write_all(b"220 no TLS here\r\n").await;
        }
    });
    net.put_domain(|domain| {
        domain.origin.scheme = Scheme::Https;
        domain.origin.port = port;
    });
    let urls: Vec<_> = (0..500).map(|n| format!("http://{HOST}/{n}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    net.sources["edge-mainland"].put(1, &urls, 0, FetchOptions::default());
    let items = net.sources["edge-mainland"].ended(1).await;
    assert_eq!(items.len(), 500);
    let away = Outcome::OriginError(OriginFault::Tls);
    assert!(items.iter().all(|item| item.outcome == away), "{:?}", items[0]);
    let tried = tried.load(Ordering::Relaxed);
    assert!(tried < 250, "tried {tried} times");
}
