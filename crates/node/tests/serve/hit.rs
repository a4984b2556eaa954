//! What a viewer gets of something that is stored.

use std::time::Duration;

use stoker_testkit::{Script, content};

use crate::support::{HOST, Net, Reply};

const LARGE: usize = (3 << 20) + 4321;

/// A node that holds `/file` with an entity tag.
async fn holding(length: usize) -> (Net, Vec<u8>) {
    let net = Net::single().await;
    let bytes = content(length, 1);
    let script = Script::new(bytes.clone())
        .etag("\"v1\"")
        .field("content-type", "video/mp2t")
        .field("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    net.origin.on("/file", script);
    assert_eq!(net.get("edge", "/file", &[]).await.body, bytes);
    net.until_hit("edge", "/file", &[]).await;
    (net, bytes.to_vec())
}

fn range(reply: &Reply) -> (u16, String, usize) {
    (reply.status, reply.field("content-range"), reply.body.len())
}

#[tokio::test]
async fn a_miss_becomes_a_hit_with_age_and_remaining_freshness() {
    let (net, bytes) = holding(4096).await;
    net.clock.advance(Duration::from_secs(5));
    let reply = net.get("edge", "/file", &[]).await;
    assert_eq!((reply.status, reply.is_whole), (200, true));
    assert_eq!(reply.body, bytes);
    assert_eq!(reply.field("age"), "5");
    let ttl = 30 * 86_400 - 5;
    assert_eq!(reply.cache_status(), format!("stoker-edge; hit; ttl={ttl}"));
    assert_eq!(reply.field("content-type"), "video/mp2t");
    assert_eq!(reply.field("accept-ranges"), "bytes");
    assert_eq!(reply.field("via"), "1.1 stoker");
    assert!(!reply.field("date").is_empty());
    assert_eq!(net.origin.requests_for("/file").len(), 1);
    let stats = net.running("edge").stats();
    assert!(stats.answered.hits >= 1 && stats.store.entries == 1, "{stats:?}");
}

#[tokio::test]
async fn large_content_is_served_byte_for_byte() {
    let (net, bytes) = holding(LARGE).await;
    let reply = net.get("edge", "/file", &[]).await;
    assert!(reply.status_is_hit() && reply.is_whole);
    assert!(reply.body == bytes);
    assert_eq!(net.origin.sent_for("/file"), LARGE as u64);
}

#[tokio::test]
async fn ranges_are_cut_from_what_is_stored() {
    let (net, bytes) = holding(LARGE).await;
    let size = LARGE;
    for (asked, start, end) in [
        ("bytes=0-0", 0, 0),
        ("bytes=1048570-1048585", 1_048_570, 1_048_585),
        ("bytes=-10", size - 10, size - 1),
        ("bytes=3145000-", 3_145_000, size - 1),
        ("bytes=5-99999999", 5, size - 1),
    ] {
        let reply = net.get("edge", "/file", &[("range", asked)]).await;
        let expected = (206, format!("bytes {start}-{end}/{size}"), end - start + 1);
        assert_eq!(range(&reply), expected, "{asked}");
        assert!(reply.body == bytes[start..=end], "{asked}");
        assert!(reply.status_is_hit());
    }
    let beyond = net.get("edge", "/file", &[("range", "bytes=99999999-")]).await;
    assert_eq!(range(&beyond), (416, format!("bytes */{size}"), 0));
    for ignored in ["bytes=0-1,4-5", "items=0-4", "bytes=5-4"] {
        let reply = net.get("edge", "/file", &[("range", ignored)]).await;
        assert_eq!((reply.status, reply.body.len()), (200, size), "{ignored}");
    }
    assert_eq!(net.origin.requests_for("/file").len(), 1);
}

#[tokio::test]
async fn if_range_decides_between_part_and_whole() {
    let (net, bytes) = holding(4096).await;
    for (validator, status) in [
        ("\"v1\"", 206),
        ("\"v2\"", 200),
        ("W/\"v1\"", 200),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 206),
        ("Sun, 06 Nov 1994 08:49:38 GMT", 200),
    ] {
        let fields = [("range", "bytes=0-9"), ("if-range", validator)];
        let reply = net.get("edge", "/file", &fields).await;
        assert_eq!(reply.status, status, "{validator}");
        let expected = if status == 206 { &bytes[..10] } else { &bytes[..] };
        assert!(reply.body == expected, "{validator}");
    }
}

#[tokio::test]
async fn conditions_are_answered_from_what_is_stored() {
    let (net, _) = holding(4096).await;
    for (name, value, status) in [
        ("if-none-match", "\"v1\"", 304),
        ("if-none-match", "W/\"v1\"", 304),
        ("if-none-match", "\"v2\"", 200),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("if-match", "\"v2\"", 412),
        ("if-match", "\"v1\"", 200),
        ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:36 GMT", 412),
    ] {
        let reply = net.get("edge", "/file", &[(name, value)]).await;
        assert_eq!(reply.status, status, "{name}: {value}");
        assert!(reply.status_is_hit(), "{name}: {value}");
        if status == 304 {
            assert_eq!(reply.field("etag"), "\"v1\"");
            assert_eq!((reply.field("content-type"), reply.body.len()), (String::new(), 0));
        }
    }
    assert_eq!(net.origin.requests_for("/file").len(), 1);
}

#[tokio::test]
async fn head_has_the_fields_of_get_and_no_content() {
    let (net, _) = holding(4096).await;
    let reply = net.ask("edge", "HEAD", "/file", &[("range", "bytes=0-1")]).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(reply.field("content-length"), "4096");
    assert!(reply.status_is_hit());
}

#[tokio::test]
async fn an_empty_representation_is_a_hit_too() {
    let (net, _) = holding(0).await;
    let reply = net.get("edge", "/file", &[]).await;
    assert_eq!((reply.status, reply.field("content-length")), (200, "0".to_owned()));
    assert!(reply.status_is_hit());
    let reply = net.get("edge", "/file", &[("range", "bytes=0-")]).await;
    assert_eq!(reply.status, 416);
}

#[tokio::test]
async fn host_is_compared_without_port_and_case_and_an_absolute_target_wins() {
    let (net, _) = holding(100).await;
    for host in ["WWW.Example.COM", "www.example.com:7801", "www.example.com."] {
        let reply = net.get("edge", "/file", &[("host", host)]).await;
        assert!(reply.status_is_hit(), "{host}: {reply:?}");
    }
    let target = format!("http://{HOST}/file");
    let reply = net.get("edge", &target, &[("host", "other.example")]).await;
    assert!(reply.status_is_hit(), "{reply:?}");
}

#[tokio::test]
async fn directives_of_a_viewer_are_honoured() {
    let (net, _) = holding(100).await;
    net.clock.advance(Duration::from_secs(60));
    let reply = net.get("edge", "/file", &[("cache-control", "max-age=60")]).await;
    assert!(reply.status_is_hit());
    let reply = net.get("edge", "/file", &[("cache-control", "max-age=59")]).await;
    let status = reply.cache_status();
    assert!(status.contains("fwd=request; fwd-status=304"), "{status}");
    assert_eq!(reply.field("age"), "0");
    let only = [("cache-control", "no-cache, only-if-cached")];
    assert_eq!(net.get("edge", "/file", &only).await.status, 504);
}

#[tokio::test]
async fn what_was_stored_is_a_hit_after_a_restart() {
    let (mut net, bytes) = holding(LARGE).await;
    net.restart("edge").await;
    let reply = net.get("edge", "/file", &[("cache-control", "only-if-cached")]).await;
    assert!(reply.status_is_hit() && reply.body == bytes, "{}", reply.status);
}
