//! What a viewer gets of something that is not stored, or stale.

use std::time::Duration;

use stoker_domain::{setting::Status, time::Clock};
use stoker_testkit::{Script, content};

use crate::support::{HOST, Net};

#[tokio::test]
async fn a_miss_is_fetched_and_kept() {
    let net = Net::single().await;
    let bytes = content(5000, 1);
    net.origin.on("/a?token=1", Script::new(bytes.clone()).etag("\"v1\""));
    let reply = net.get("edge", "/a?token=1", &[]).await;
    assert_eq!((reply.status, &reply.body[..]), (200, &bytes[..]));
    let status = reply.cache_status();
    assert!(status.starts_with("stoker-edge; fwd=uri-miss; fwd-status=20"), "{status}");
    assert!(status.contains("; stored"), "{status}");
    let hit = net.until_hit("edge", "/a?token=1", &[]).await;
    assert_eq!(hit.body, bytes);
    // another query is another target
    assert_eq!(net.get("edge", "/a?token=2", &[]).await.status, 404);
}

#[tokio::test]
async fn a_range_miss_gets_its_part_at_once() {
    let net = Net::single().await;
    let bytes = content(5 << 20, 2);
    net.origin.on("/big", Script::new(bytes.clone()).etag("\"v1\""));
    let reply = net.get("edge", "/big", &[("range", "bytes=3000000-3000099")]).await;
    assert_eq!(reply.status, 206);
    assert_eq!(reply.field("content-range"), format!("bytes 3000000-3000099/{}", 5 << 20));
    assert!(reply.body == bytes[3_000_000..3_000_100]);
    let whole = net.get("edge", "/big", &[]).await;
    assert!(whole.is_whole && whole.body == bytes);
    let suffix = net.get("edge", "/big", &[("range", "bytes=-7")]).await;
    assert!(suffix.body == bytes[bytes.len() - 7..]);
}

#[tokio::test]
async fn conditions_and_head_of_a_miss_are_answered_after_the_head_came() {
    let net = Net::single().await;
    for path in ["/inm", "/head", "/im", "/unsatisfiable"] {
        net.origin.on(path, Script::new(content(5000, 1)).etag("\"v1\""));
    }
    let reply = net.get("edge", "/inm", &[("if-none-match", "\"v1\"")]).await;
    assert_eq!((reply.status, reply.body.len()), (304, 0));
    let reply = net.get("edge", "/im", &[("if-match", "\"v2\"")]).await;
    assert_eq!((reply.status, reply.body.len()), (412, 0));
    let reply = net.ask("edge", "HEAD", "/head", &[]).await;
    assert_eq!((reply.status, reply.field("content-length")), (200, "5000".to_owned()));
    assert!(reply.body.is_empty());
    let reply = net.get("edge", "/unsatisfiable", &[("range", "bytes=5000-")]).await;
    assert_eq!((reply.status, reply.field("content-range")), (416, "bytes */5000".to_owned()));
}

#[tokio::test]
async fn content_of_unknown_length_is_passed_on_and_counted_when_it_is_there() {
    let net = Net::single().await;
    let bytes = content(300_000, 1);
    net.origin.on("/a", Script::new(bytes.clone()).etag("\"v1\"").without_ranges().chunked());
    let reply = net.ask("edge", "HEAD", "/a", &[]).await;
    assert_eq!((reply.status, reply.field("content-length")), (200, String::new()));
    let reply = net.get("edge", "/a", &[]).await;
    assert!(reply.is_whole && reply.body == bytes);
    let hit = net.until_hit("edge", "/a", &[]).await;
    assert_eq!(hit.field("content-length"), "300000");
    let part = net.get("edge", "/a", &[("range", "bytes=299990-")]).await;
    assert!(part.status == 206 && part.body == bytes[299_990..]);
}

#[tokio::test]
async fn a_status_without_content_has_no_length() {
    let net = Net::single().await;
    net.origin.on("/a", Script::status(204).field("cache-control", "max-age=60"));
    for _ in 0..2 {
        let reply = net.get("edge", "/a", &[]).await;
        assert_eq!((reply.status, reply.field("content-length")), (204, String::new()));
        assert!(reply.body.is_empty());
    }
}

#[tokio::test]
async fn a_stale_response_is_validated_and_fresh_again() {
    let net = Net::single().await;
    let bytes = content(5000, 1);
    let script = Script::new(bytes.clone()).etag("\"v1\"").field("cache-control", "max-age=60");
    net.origin.on("/a", script);
    net.get("edge", "/a", &[]).await;
    net.until_hit("edge", "/a", &[]).await;
    net.clock.advance(Duration::from_secs(61));
    let reply = net.get("edge", "/a", &[]).await;
    assert_eq!((reply.status, &reply.body[..]), (200, &bytes[..]));
    let status = reply.cache_status();
    assert!(status.contains("fwd=stale; fwd-status=304; ttl=60"), "{status}");
    assert!(net.until_hit("edge", "/a", &[]).await.body == bytes);
    let requests = net.origin.requests_for("/a");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].field("if-none-match"), "\"v1\"");
    assert_eq!(net.origin.sent_for("/a"), 5000);
}

#[tokio::test]
async fn what_is_stored_is_validated_when_the_clock_was_set_back() {
    let net = Net::single().await;
    let (old, new) = (content(5000, 1), content(6000, 2));
    let script = Script::new(old).etag("\"v1\"").field("cache-control", "max-age=60");
    net.origin.on("/a", script.changes(1, new.clone(), "\"v2\""));
    net.clock.advance(Duration::from_secs(24 * 3600));
    net.get("edge", "/a", &[]).await;
    net.until_hit("edge", "/a", &[]).await;
    // with a clock that is a day behind it would be fresh for a day and a minute
    net.clock.jump(net.clock.now() - Duration::from_secs(24 * 3600));
    let reply = net.get("edge", "/a", &[]).await;
    assert!(reply.body == new && reply.cache_status().contains("fwd=stale"), "{reply:?}");
    assert!(net.until_hit("edge", "/a", &[]).await.body == new);
}

#[tokio::test]
async fn a_changed_response_replaces_the_stale_one() {
    let net = Net::single().await;
    let (old, new) = (content(5000, 1), content(6000, 2));
    let script = Script::new(old).etag("\"v1\"").field("cache-control", "max-age=60");
    net.origin.on("/a", script.changes(1, new.clone(), "\"v2\""));
    net.get("edge", "/a", &[]).await;
    net.until_hit("edge", "/a", &[]).await;
    net.clock.advance(Duration::from_secs(61));
    let reply = net.get("edge", "/a", &[]).await;
    assert!(reply.body == new && reply.cache_status().contains("fwd=stale"), "{reply:?}");
    assert!(net.until_hit("edge", "/a", &[]).await.body == new);
}

#[tokio::test]
async fn other_request_fields_than_vary_selected_are_a_miss() {
    let net = Net::single().await;
    let script = Script::new(content(50, 1)).field("vary", "accept-language, accept-encoding");
    net.origin.on("/a", script);
    net.get("edge", "/a", &[("accept-language", "de")]).await;
    net.until_hit("edge", "/a", &[("accept-language", "de"), ("accept-encoding", "br")]).await;
    let reply = net.get("edge", "/a", &[("accept-language", "en")]).await;
    assert!(reply.cache_status().contains("fwd=vary-miss"), "{reply:?}");
    net.until_hit("edge", "/a", &[("accept-language", "en")]).await;
    let seen = net.origin.requests_for("/a");
    let languages: Vec<_> = seen.iter().map(|seen| seen.field("accept-language")).collect();
    assert_eq!(languages, ["", "de", "en"], "`Vary` is known from the first on");
    assert!(seen.iter().all(|seen| seen.field("accept-encoding").is_empty()));
    // the last took the place of the first
    assert_eq!(net.running("edge").stats().store.entries, 1);
    let reply = net.get("edge", "/a", &[("accept-language", "de")]).await;
    assert!(reply.cache_status().contains("fwd=vary-miss"), "{reply:?}");
}

#[tokio::test]
async fn what_may_not_be_kept_is_passed_on_and_says_why() {
    let net = Net::single().await;
    for (path, name, value, reason) in [
        ("/1", "cache-control", "no-store", "no-store"),
        ("/2", "cache-control", "private, max-age=60", "private"),
        ("/3", "vary", "*", "vary-star"),
        ("/4", "set-cookie", "a=b", "set-cookie"),
    ] {
        net.origin.on(path, Script::new(content(3000, 1)).etag("\"v1\"").field(name, value));
        for _ in 0..2 {
            let reply = net.get("edge", path, &[]).await;
            assert_eq!((reply.status, reply.body.len()), (200, 3000), "{path}");
            let status = reply.cache_status();
            assert!(status.contains(&format!("detail=uncacheable:{reason}")), "{status}");
            assert!(!status.contains("stored"), "{status}");
        }
        assert!(net.origin.requests_for(path).len() >= 2, "{path}");
    }
}

#[tokio::test]
async fn an_authorized_request_is_answered_but_not_kept_for_others() {
    let net = Net::single().await;
    net.origin.on("/a", Script::new("mine").etag("\"v1\"").field("cache-control", "max-age=60"));
    let reply = net.get("edge", "/a", &[("authorization", "Basic eDp5")]).await;
    assert!(reply.cache_status().contains("uncacheable:authorization"), "{reply:?}");
    assert_eq!(net.origin.requests_for("/a")[0].field("authorization"), "Basic eDp5");
    let only = net.get("edge", "/a", &[("cache-control", "only-if-cached")]).await;
    assert_eq!(only.status, 504);
}

#[tokio::test]
async fn errors_of_the_origin_are_passed_on_and_kept_only_with_leave() {
    let net = Net::single().await;
    net.origin.on("/gone", Script::status(410).field("cache-control", "max-age=60"));
    net.origin.on("/broken", Script::status(500));
    assert_eq!(net.get("edge", "/gone", &[]).await.status, 410);
    assert_eq!(net.until_hit("edge", "/gone", &[]).await.status, 410);
    let reply = net.get("edge", "/broken", &[]).await;
    assert_eq!(reply.status, 500);
    assert!(reply.text().starts_with("this is a 500"), "{}", reply.text());
    assert_eq!(net.get("edge", "/absent", &[]).await.status, 404);
}

#[tokio::test]
async fn only_if_cached_never_asks_upstream() {
    let net = Net::single().await;
    net.origin.on("/a", Script::new("content"));
    let reply = net.get("edge", "/a", &[("cache-control", "only-if-cached")]).await;
    assert_eq!(reply.status, 504);
    assert_eq!(reply.cache_status(), "stoker-edge; detail=only-if-cached");
    assert_eq!(net.origin.requests().len(), 0);
}

#[tokio::test]
async fn requests_that_are_not_for_a_cache_are_refused_with_a_sentence() {
    let net = Net::single().await;
    let reply = net.get("edge", "/a", &[("host", "other.example")]).await;
    assert_eq!(reply.status, 421);
    assert!(reply.text().contains("no domain of this host"), "{}", reply.text());
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PURGE"] {
        let reply = net.ask("edge", method, "/a", &[]).await;
        assert_eq!((reply.status, reply.field("allow")), (405, "GET, HEAD".to_owned()));
    }
    net.put_domain(|domain| domain.status = Status::Offline);
    let reply = net.get("edge", "/a", &[]).await;
    assert_eq!(reply.status, 403);
    assert!(reply.text().contains("stopped"), "{}", reply.text());
    assert_eq!(net.origin.requests().len(), 0);
}

#[tokio::test]
async fn an_origin_that_does_not_answer_is_a_502_that_names_the_kind_only() {
    let net = Net::single().await;
    net.put_domain(|domain| domain.origin.port = 1);
    let reply = net.get("edge", "/a?token=secret", &[]).await;
    assert_eq!(reply.status, 502);
    assert!(reply.cache_status().contains("detail=origin_error:connect"), "{reply:?}");
    assert_eq!(reply.field("stoker-fault"), "");
    assert!(!reply.text().contains("secret") && !reply.text().contains("127.0.0.1"));
}

#[tokio::test]
async fn what_must_be_validated_is_a_504_while_the_origin_cannot_be_reached() {
    let net = Net::single().await;
    for (path, rule, status) in [
        ("/must", "max-age=60, must-revalidate", 504),
        ("/proxy", "max-age=60, proxy-revalidate", 504),
        ("/may", "max-age=60", 502),
    ] {
        let script = Script::new(content(5000, 1)).etag("\"v1\"").field("cache-control", rule);
        net.put_domain(|_| {});
        net.origin.on(path, script);
        net.get("edge", path, &[]).await;
        net.until_hit("edge", path, &[]).await;
        net.clock.advance(Duration::from_secs(61));
        net.put_domain(|domain| domain.origin.port = 1);
        let reply = net.get("edge", path, &[]).await;
        assert_eq!(reply.status, status, "{path} {reply:?}");
        assert!(reply.cache_status().contains("detail=origin_error:connect"), "{reply:?}");
    }
}

#[tokio::test]
async fn fields_of_one_hop_end_at_it() {
    let net = Net::single().await;
    let script = Script::new("content")
        .field("stoker-fault", "origin_status:404")
        .field("connection", "x-private")
        .field("x-private", "1")
        .field("x-public", "2");
    net.origin.on("/a", script);
    let fields = [
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("stoker-peer", "guess"),
        ("stoker-options", "e30"),
        ("x-end", "2"),
    ];
    let reply = net.get("edge", "/a", &fields).await;
    assert_eq!(reply.status, 200);
    assert_eq!((reply.field("x-private"), reply.field("stoker-fault")), Default::default());
    assert_eq!(reply.field("x-public"), "2");
    let seen = &net.origin.requests_for("/a")[0];
    for name in ["x-hop", "te", "stoker-peer", "stoker-options", "stoker-hops"] {
        assert_eq!(seen.field(name), "", "{name}");
    }
    assert_eq!((seen.field("x-end"), seen.field("host")), ("", HOST));
    assert!(net.until_hit("edge", "/a", &[]).await.field("stoker-fault").is_empty());
}

#[tokio::test]
async fn what_has_come_of_a_running_fill_is_a_hit_for_those_who_want_no_more() {
    let net = Net::single().await;
    let bytes = content(4 << 20, 1);
    net.origin.on("/a", Script::new(bytes.clone()).etag("\"v1\"").hold_after(5 << 19));
    let whole = net.get("edge", "/a", &[]);
    let others = async {
        let part = net.until_hit("edge", "/a", &[("range", "bytes=1048500-1048699")]).await;
        assert!(part.status == 206 && part.body == bytes[1_048_500..1_048_700]);
        let same = net.get("edge", "/a", &[("if-none-match", "\"v1\"")]).await;
        assert!(same.status == 304 && same.status_is_hit(), "{same:?}");
        let head = net.ask("edge", "HEAD", "/a", &[]).await;
        assert_eq!((head.status, head.field("content-length")), (200, (4 << 20).to_string()));
        assert!(head.status_is_hit(), "{head:?}");
        // who asks whether it is cached asks about all of it
        let only = [("cache-control", "only-if-cached"), ("if-none-match", "\"v1\"")];
        for (method, fields) in [("GET", &only[..1]), ("HEAD", &only[..1]), ("GET", &only[..])] {
            let reply = net.ask("edge", method, "/a", fields).await;
            assert_eq!((reply.status, reply.status_is_hit()), (504, false), "{method} {fields:?}");
        }
        let later = [("range", "bytes=4000000-"), ("cache-control", "only-if-cached")];
        assert_eq!(net.get("edge", "/a", &later).await.status, 504);
        net.origin.release();
    };
    let (whole, ()) = tokio::join!(whole, others);
    assert!(whole.is_whole && whole.body == bytes);
    assert_eq!(net.origin.sent_for("/a"), 4 << 20);
}

#[tokio::test]
async fn many_viewers_of_one_target_share_one_request() {
    let net = Net::single().await;
    let bytes = content(200_000, 1);
    let script = Script::new(bytes.clone()).etag("\"v1\"").hold_after(1000);
    net.origin.on("/a", script);
    let viewers: Vec<_> = (0..8).map(|_| net.get("edge", "/a", &[])).collect();
    let release = async {
        stoker_testkit::eventually(Duration::from_secs(120), "all have asked", || async {
            (net.running("edge").stats().answered.requests == 8).then_some(())
        })
        .await;
        net.origin.release();
    };
    let (replies, ()) = tokio::join!(futures_util::future::join_all(viewers), release);
    assert!(replies.iter().all(|reply| reply.body == bytes));
    let collapsed = replies.iter().filter(|r| r.cache_status().contains("; collapsed")).count();
    assert_eq!(collapsed, 7);
    assert_eq!(net.origin.sent_for("/a"), 200_000);
}
