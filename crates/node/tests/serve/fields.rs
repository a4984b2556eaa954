//! Which fields of a request reach the origin, and that none decides unseen what others get.

use std::time::Duration;

use futures_util::future::join_all;
use stoker_domain::{outcome::Outcome, task::FetchOptions};
use stoker_node::peer::encode_options;
use stoker_testkit::{Script, content, eventually};

use crate::{
    raw::{RawOrigin, field, reply},
    support::{HOST, Net, Reply, SECRET, SOON},
};

const EDGE: &str = "edge-mainland";

/// Fields of a viewer that are not in the key, and a value of each.
const UNKEYED: [(&str, &str); 19] = [
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-scheme", "http"),
    ("x-host", "evil.example"),
    ("x-original-url", "/admin"),
    ("x-rewrite-url", "/admin"),
    ("x-http-method-override", "DELETE"),
    ("forwarded", "host=evil.example"),
    ("true-client-ip", "192.0.2.1"),
    ("cookie", "a=b"),
    ("accept", "text/html"),
    ("accept-language", "de"),
    ("accept-encoding", "br"),
    ("user-agent", "Viewer/1"),
    ("referer", "http://evil.example/"),
    ("origin", "http://evil.example"),
    ("x-requested-with", "evil"),
    ("x-unknown", "evil"),
];

fn reaches(net: &Net, path: &str) -> Vec<&'static str> {
    let seen = net.origin.requests_for(path);
    let is_there = |(name, value): &&(&str, &str)| {
        seen.iter().any(|seen| seen.fields.get_all(*name).iter().any(|found| found == *value))
    };
    UNKEYED.iter().filter(is_there).map(|(name, _)| *name).collect()
}

#[tokio::test]
async fn no_field_that_is_not_in_the_key_reaches_the_origin_whatever_is_asked() {
    for net in [Net::single().await, Net::full().await] {
        let edge = if net.sources.contains_key(EDGE) { EDGE } else { "edge" };
        let script = Script::new(content(3 << 20, 1)).etag("\"v1\"");
        let script = script.field("cache-control", "max-age=60");
        for path in ["/whole", "/range", "/head", "/shared"] {
            net.origin.on(path, script.clone());
        }
        net.origin.on("/absent", Script::status(500));
        assert_eq!(net.get(edge, "/whole", &UNKEYED).await.status, 200);
        let ranged = [&UNKEYED[..], &[("range", "bytes=2000000-2000009")]].concat();
        assert_eq!(net.get(edge, "/range", &ranged).await.status, 206);
        assert_eq!(net.ask(edge, "HEAD", "/head", &UNKEYED).await.status, 200);
        assert_eq!(net.get(edge, "/absent", &UNKEYED).await.status, 500);
        let together = join_all([(); 4].map(|()| net.get(edge, "/shared", &UNKEYED))).await;
        assert!(together.iter().all(|reply| reply.status == 200));
        net.until_hit(edge, "/whole", &UNKEYED).await;
        net.clock.advance(Duration::from_secs(61));
        let again = net.get(edge, "/whole", &UNKEYED).await;
        assert!(again.cache_status().contains("fwd=stale; fwd-status=304"), "{again:?}");
        for path in ["/whole", "/range", "/head", "/absent", "/shared"] {
            let agent = net.origin.requests_for(path)[0].field("user-agent").to_owned();
            assert!(agent.starts_with("Stoker/"), "{path}: {agent}");
            assert!(!net.origin.requests_for(path).is_empty(), "{path}");
            assert_eq!(reaches(&net, path), [""; 0], "{path}");
        }
    }
}

#[tokio::test]
async fn a_field_that_vary_names_reaches_the_origin_and_selects() {
    let net = Net::full().await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    origin.answers_by(|request| {
        let language = field(request, "accept-language");
        let head = "Vary: Accept-Language, X-Forwarded-Host\r\nETag: \"1\"";
        reply("200 OK", head.as_bytes(), &format!("in {language}"))
    });
    let ask = async |node: &str, language: &str| {
        let fields = [("accept-language", language), ("cookie", "a"), ("x-forwarded-host", "e")];
        net.get(node, "/a", &fields).await
    };
    for (node, language, requests) in
        [(EDGE, "de", 2), (EDGE, "de", 2), ("edge-overseas", "de", 2), (EDGE, "fr", 3)]
    {
        let got = ask(node, language).await;
        assert_eq!((got.status, got.text()), (200, format!("in {language}")), "{node}");
        net.until_hit(node, "/a", &[("accept-language", language)]).await;
        assert_eq!(origin.requests().len(), requests, "{node} {language}");
    }
    for request in origin.requests() {
        assert_eq!(
            (field(&request, "cookie"), field(&request, "x-forwarded-host")),
            <_>::default()
        );
    }
    // who sends none gets neither
    assert_eq!(net.get(EDGE, "/a", &[]).await.text(), "in ");
}

#[tokio::test]
async fn what_is_not_kept_is_asked_for_with_all_fields_and_stays_with_its_viewer() {
    let net = Net::full().await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    // an answer that says nothing of the cookies that decide it
    origin.answers_by(|request| match field(request, "cookie").as_str() {
        "" => reply("302 Found", b"Location: /login", ""),
        cookie => reply("200 OK", b"ETag: \"1\"", &format!("page of {cookie}")),
    });
    for name in ["ann", "bob", "ann"] {
        let got = net.get(EDGE, "/home", &[("cookie", name), ("x-forwarded-host", "evil")]).await;
        assert_eq!((got.status, got.text()), (200, format!("page of {name}")));
        assert!(got.cache_status().contains("detail=uncacheable:private"), "{got:?}");
        assert_eq!(got.field("stoker-alone"), "");
    }
    assert_eq!(origin.requests().len(), 4, "once without fields, then each with its own");
    for request in origin.requests() {
        assert_eq!(field(&request, "x-forwarded-host"), "");
    }
    let stranger = net.get(EDGE, "/home", &[]).await;
    assert_eq!((stranger.status, stranger.field("location")), (302, "/login".to_owned()));
    for node in [EDGE, "middle-mainland", "middle-overseas"] {
        let only = net.get(node, "/home", &[("cache-control", "only-if-cached")]).await;
        assert_eq!(only.status, 504, "{node}");
    }
}

#[tokio::test]
async fn a_viewer_who_wants_nothing_kept_does_not_keep_others_from_it() {
    let net = Net::full().await;
    net.origin.on("/a", Script::new("x").etag("\"v1\""));
    let fields = [("cache-control", "no-store"), ("cookie", "a=b")];
    assert_eq!(net.get(EDGE, "/a", &fields).await.status, 200);
    assert_eq!(net.origin.requests_for("/a").len(), 1);
    net.get(EDGE, "/a", &[("cookie", "a=b")]).await;
    net.until_hit(EDGE, "/a", &[]).await;
    assert_eq!(net.origin.requests_for("/a")[1].field("cookie"), "");
}

/// What becomes of a prefetch with one request field, of an origin that answers `by` it or not.
async fn prefetched(id: i64, header: (&str, &str), head: &'static str, by: bool) -> (Net, String) {
    let net = Net::full().await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    let name = header.0.to_owned();
    origin.answers_by(move |request| {
        let seen = if by { field(request, &name) } else { String::new() };
        let tag = format!("\"{seen}\"");
        if field(request, "if-none-match") == tag {
            return b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_vec();
        }
        let head = head.replace("TAG", &tag);
        reply("200 OK", head.as_bytes(), &format!("for {seen}."))
    });
    let options = FetchOptions {
        headers: vec![(header.0.into(), header.1.into())],
        ..FetchOptions::default()
    };
    net.sources[EDGE].put(id, &[&format!("http://{HOST}/a")], 0, options);
    let report = net.sources[EDGE].ended(id).await.remove(0);
    let outcome = report.outcome.to_string();
    if outcome.ends_with("request-headers") {
        assert!(report.detail.is_some_and(|detail| detail.contains("Vary")));
        for node in [EDGE, "middle-mainland", "middle-overseas"] {
            let only = net.get(node, "/a", &[("cache-control", "only-if-cached")]).await;
            assert_eq!(only.status, 504, "{node}");
        }
    }
    // the origin is asked anew where nothing is kept
    let viewer = net.get(EDGE, "/a", &[]).await;
    assert_eq!(viewer.status, 200);
    (net, format!("{outcome} {}", viewer.text()))
}

#[tokio::test]
async fn what_a_task_carries_does_not_decide_what_viewers_get() {
    let (token, language) = (("X-Token", "t"), ("Accept-Language", "de"));
    let (referer, secret) = (("Referer", "r"), ("Authorization", "Basic eDp5"));
    let agent = ("User-Agent", "Agent/1");
    for (id, (header, head, by, expected)) in (1..).zip([
        // the answer is the same without the field
        (token, "ETag: TAG", false, "filled for ."),
        (token, "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", false, "filled for ."),
        // nobody can tell
        (token, "X: 1", false, "uncacheable:request-headers for ."),
        // it is another one
        (token, "ETag: TAG", true, "uncacheable:request-headers for ."),
        (token, "ETag: TAG\r\nCache-Control: public", true, "uncacheable:request-headers for ."),
        (language, "ETag: TAG", true, "uncacheable:request-headers for ."),
        (("X-Forwarded-Host", "e"), "ETag: TAG", true, "uncacheable:request-headers for ."),
        // `Vary` says so
        (language, "ETag: TAG\r\nVary: accept-language", true, "filled for ."),
        // it tells who asks, and selects nothing that can be seen
        (referer, "X: 1", false, "filled for ."),
        (agent, "X: 1", false, "filled for ."),
        (agent, "ETag: TAG", false, "filled for ."),
        // it does
        (referer, "X: 1", true, "uncacheable:request-headers for ."),
        (referer, "ETag: TAG", true, "uncacheable:request-headers for ."),
        (agent, "ETag: TAG", true, "uncacheable:request-headers for Stoker/0.1.0."),
        (("X-Request-Id", "1"), "X: 1", true, "uncacheable:request-headers for ."),
        (("Cache-Control", "evil"), "X: 1", true, "uncacheable:request-headers for ."),
        (("Cookie", "a=b"), "ETag: TAG\r\nVary: Cookie", true, "uncacheable:request-headers for ."),
        // leave to share (RFC 9111 section 3.5)
        (secret, "ETag: TAG", true, "uncacheable:authorization for ."),
        (secret, "ETag: TAG\r\nCache-Control: public", true, "filled for Basic eDp5."),
    ]) {
        let (_net, got) = prefetched(id, header, head, by).await;
        assert_eq!(got, expected, "{header:?} {head}");
    }
}

/// What two nodes get from the shield that ask it at once for a task with one request field; the
/// origin answers by that field and says `head` of it.
async fn asked_at_once(header: (&str, &str), head: &'static str) -> Vec<Reply> {
    let net = Net::single().await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    let name = header.0.to_owned();
    origin.answers_by(move |request| {
        let seen = field(request, &name);
        let head = head.replace("TAG", &format!("\"{seen}\""));
        reply("200 OK", head.as_bytes(), &format!("for {seen}."))
    });
    let options = FetchOptions {
        headers: vec![(header.0.into(), header.1.into())],
        ..FetchOptions::default()
    };
    let options = encode_options(&options).expect("they are not the defaults");
    let options = options.to_str().expect("base64");
    let fields = [("stoker-peer", SECRET), ("stoker-options", options)];
    origin.hold(true);
    let both = join_all([(); 2].map(|()| net.get("edge", "/a", &fields)));
    let release = async {
        eventually(SOON, "both wait for one reply", || async {
            (net.running("edge").stats().readers == 2).then_some(())
        })
        .await;
        assert!(origin.requests().len() <= 1, "they share a request");
        origin.hold(false);
    };
    let (replies, ()) = tokio::join!(both, release);
    let stored = net.get("edge", "/a", &[("cache-control", "only-if-cached")]).await;
    assert_eq!(stored.status, 504, "{header:?}");
    replies
}

#[tokio::test]
async fn of_two_nodes_that_ask_at_once_neither_keeps_what_fields_of_a_task_select() {
    for (header, head) in [
        // nobody can tell
        (("X-Token", "t"), "X: 1"),
        // it is another one
        (("X-Token", "t"), "ETag: TAG"),
        // cookies selected it, and nothing says that it may be kept nevertheless
        (("Cookie", "t"), "ETag: TAG\r\nVary: Cookie"),
    ] {
        let replies = asked_at_once(header, head).await;
        let collapsed = |reply: &Reply| reply.cache_status().contains("collapsed");
        assert!(!replies.iter().any(collapsed), "each has a request of its own: {replies:?}");
        for reply in replies {
            assert_eq!((reply.status, reply.text().as_str()), (200, "for t."), "{header:?}");
            let why = reply.field("stoker-alone");
            assert_eq!(why, "uncacheable:request-headers", "{header:?} {head}");
        }
    }
}

#[tokio::test]
async fn the_agent_that_an_api_names_for_all_costs_the_origin_no_further_request() {
    let net = Net::full().await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    origin.answers("200 OK", b"ETag: \"a\"");
    let default_user_agent = Some("Agent/2".into());
    let options = FetchOptions { default_user_agent, ..FetchOptions::default() };
    net.sources[EDGE].put(1, &[&format!("http://{HOST}/a")], 0, options);
    let report = net.sources[EDGE].ended(1).await.remove(0);
    assert_eq!(report.outcome.to_string(), "filled");
    let agents: Vec<_> =
        origin.requests().iter().map(|request| field(request, "user-agent")).collect();
    assert_eq!(agents, ["Agent/2"]);
}

#[tokio::test]
async fn a_task_finds_what_vary_selects_for_it_and_viewers_alike() {
    let header = ("Accept-Language", "de");
    let (net, _) = prefetched(1, header, "ETag: TAG\r\nVary: accept-language", true).await;
    net.until_hit(EDGE, "/a", &[]).await;
    let options =
        FetchOptions { headers: vec![(header.0.into(), "de".into())], ..FetchOptions::default() };
    net.sources[EDGE].put(2, &[&format!("http://{HOST}/a")], 0, options);
    assert_eq!(net.sources[EDGE].ended(2).await.remove(0).outcome, Outcome::Filled);
    let hit = net.until_hit(EDGE, "/a", &[("accept-language", "de")]).await;
    assert_eq!(hit.text(), "for de.");
}

#[tokio::test]
async fn a_prefetch_that_joins_a_viewer_gets_its_own_representation() {
    let net = Net::single().await;
    let script = Script::new(content(2 << 20, 1)).etag("\"v1\"").field("vary", "accept-language");
    net.origin.on("/a", script.hold_after(1000));
    let viewer = net.get("edge", "/a", &[("accept-language", "de")]);
    let prefetch = async {
        eventually(SOON, "the viewer's request with the field", || async {
            let seen = net.origin.requests_for("/a");
            seen.iter().any(|seen| seen.field("accept-language") == "de").then_some(())
        })
        .await;
        net.sources["edge"].put(1, &[&format!("http://{HOST}/a")], 0, FetchOptions::default());
        eventually(SOON, "it is leased", || async {
            net.sources["edge"].leased().contains(&1).then_some(())
        })
        .await;
        net.origin.release();
        net.sources["edge"].ended(1).await.remove(0)
    };
    let (viewer, report) = tokio::join!(viewer, prefetch);
    assert!(viewer.is_whole && viewer.status == 200);
    assert_eq!(report.outcome, Outcome::Filled, "{report:?}");
    net.until_hit("edge", "/a", &[]).await;
}

#[tokio::test]
async fn a_viewers_field_that_breaks_the_origin_breaks_nothing_for_others() {
    let net = Net::full().await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    origin.answers_by(|request| match field(request, "x-evil").as_str() {
        "" => reply("200 OK", b"Cache-Control: no-store", "fine"),
        _ => b"nonsense\r\n\r\n".to_vec(),
    });
    let evil = net.get(EDGE, "/a", &[("x-evil", "1")]).await;
    assert_eq!(evil.status, 502, "{evil:?}");
    let other = net.get(EDGE, "/a", &[("x-other", "1")]).await;
    assert_eq!((other.status, other.text().as_str()), (200, "fine"));
    eventually(SOON, "the origin saw both", || async {
        (origin.requests().len() >= 3).then_some(())
    })
    .await;
}
