//! Heads of replies that are odd or large, and field values that are not ASCII.

use std::{collections::HashMap, sync::Arc, time::Duration};

use stoker_domain::{outcome::Outcome, task::FetchOptions};

use crate::{
    raw::{RawOrigin, has_line},
    support::{HOST, Net},
};

#[tokio::test]
async fn a_head_that_browsers_take_is_taken_at_any_pace_and_passes_all_tiers() {
    let net = Net::full().await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    let long = "v".repeat(24 << 10);
    let longest = format!("X-A: {}\r\nX-B: {long}", "v".repeat(200 << 10));
    let many: Vec<String> = (0..480).map(|n| format!("X-{n}: {n}")).collect();
    let heads: [(&str, &str, String); 6] = [
        ("x-xss-protection", "1", "X-XSS-Protection : 1".into()),
        ("x-folded", "one two", "X-Folded: one\r\n  two".into()),
        ("x-long", &long, format!("X-Long: {long}")),
        ("x-b", &long, longest),
        ("x-479", "479", many.join("\r\n")),
        ("x-cafe", "café", "X-Cafe: café".into()),
    ];
    for (number, is_paced) in [(0, false), (100, true)] {
        if is_paced {
            net.directory.send_modify(|directory| {
                Arc::make_mut(directory).set_task_limits(HashMap::from([(HOST.into(), 100)]));
            });
        }
        for (id, (name, value, head)) in (number..).zip(&heads) {
            origin.answers("200 OK", head.as_bytes());
            let path = format!("/{id}");
            let url = format!("http://{HOST}{path}");
            let report = net.sources["edge-mainland"].run(id, &url, 0).await;
            assert_eq!(report.outcome, Outcome::Filled, "{path} {name}: {:?}", report.detail);
            let hit = net.until_hit("edge-mainland", &path, &[]).await;
            assert_eq!(
                (hit.field(name).as_str(), hit.text().as_str()),
                (*value, "hallo"),
                "{name}"
            );
            let viewed = format!("/viewed-{id}");
            let reply = net.get("edge-overseas", &viewed, &[]).await;
            assert_eq!((reply.status, reply.field(name).as_str()), (200, *value), "{name}");
        }
    }
}

#[tokio::test]
async fn a_head_beyond_the_bounds_or_a_line_that_is_no_field_is_refused() {
    let net = Net::full().await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    let many = "X: 1\r\n".repeat(520);
    for (path, head) in [
        ("/long", format!("X-Long: {}", "v".repeat(257 << 10))),
        ("/longest", format!("X-Long: {}", "v".repeat(600 << 10))),
        ("/many", format!("{many}X: 2")),
        ("/no-field", "no-store".into()),
        ("/no-name", ": no-store".into()),
    ] {
        origin.answers("200 OK", head.as_bytes());
        let reply = net.get("edge-mainland", path, &[]).await;
        assert_eq!(reply.status, 502, "{path}");
        let status = reply.cache_status();
        assert!(status.contains("detail=origin_error:"), "{path}: {status}");
    }
}

#[tokio::test]
async fn bytes_outside_ascii_spoil_no_directive_but_their_own() {
    let net = Net::full().await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    for (id, (head, reason)) in (1..).zip([
        (&b"Cache-Control: no-store, note=\"caf\xe9\""[..], "no-store"),
        (b"Cache-Control: note=\"caf\xc3\xa9\", private", "private"),
        (b"Vary: caf\xe9, *", "vary-star"),
        (b"Set-Cookie: a=caf\xe9", "set-cookie"),
        (b"Cache-Control: max-age=0, note=\"caf\xe9\"", "no-lifetime"),
    ]) {
        origin.answers("200 OK", head);
        let (path, url) = (format!("/{id}"), format!("http://{HOST}/{id}"));
        let reply = net.get("edge-mainland", &path, &[]).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "hallo"), "{reason}");
        let report = net.sources["edge-mainland"].run(id, &url, 0).await;
        assert_eq!(report.outcome.to_string(), format!("uncacheable:{reason}"));
        let only = net.get("edge-mainland", &path, &[("cache-control", "only-if-cached")]).await;
        assert_eq!(only.status, 504, "{reason}");
    }
}

#[tokio::test]
async fn opaque_values_pass_through_the_store_byte_for_byte() {
    let net = Net::full().await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    origin
        .answers("200 OK", b"Cache-Control: max-age=60\r\nETag: \"caf\xc3\xa9 \xe9\"\r\nX-A: \xe9");
    net.get("edge-mainland", "/a", &[]).await;
    let hit = net.until_hit("edge-mainland", "/a", &[]).await;
    // the nodes behind it write on their own time
    for middle in ["middle-mainland", "middle-overseas"] {
        net.get(middle, "/a", &[]).await;
        net.until_hit(middle, "/a", &[]).await;
    }
    assert_eq!(hit.field("etag"), "\"café \u{fffd}\"");
    let etag = hit.field("etag");
    let same = net.get("edge-mainland", "/a", &[("if-none-match", &etag)]).await;
    assert_eq!(same.status, 200, "other bytes are another tag");
    origin.answers("304 Not Modified", b"Cache-Control: max-age=60");
    net.clock.advance(Duration::from_secs(61));
    let reply = net.get("edge-mainland", "/a", &[]).await;
    assert_eq!((reply.status, reply.field("etag")), (200, etag));
    let asked = origin.requests().pop().unwrap();
    assert!(has_line(&asked, b"if-none-match: \"caf\xc3\xa9 \xe9\""), "{}", asked.escape_ascii());
}

#[tokio::test]
async fn request_fields_of_a_task_pass_all_tiers_at_their_largest() {
    let net = Net::full().await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    origin.answers("200 OK", b"Vary: *");
    let headers: Vec<(String, String)> =
        (10..30).map(|n| (format!("x-{}{n}", "n".repeat(124)), "é".repeat(512))).collect();
    let options = FetchOptions { headers: headers.clone(), ..FetchOptions::default() };
    for edge in ["edge-mainland", "edge-overseas"] {
        let url = format!("http://{HOST}/{edge}");
        net.sources[edge].put(1, &[&url], 0, options.clone());
        let report = net.sources[edge].ended(1).await.remove(0);
        assert_eq!(report.outcome.to_string(), "uncacheable:vary-star", "{report:?}");
        let asked = origin.requests().pop().unwrap();
        for (name, value) in &headers {
            assert!(has_line(&asked, format!("{name}: {value}").as_bytes()), "{name}");
        }
    }
}
