//! Every field of a request, in every form in which it may be answered: what one viewer sends decides
//! nothing for another.
//!
//! The origin tells in its answer what it got. So what others get must be what it answers to a request
//! without any of these fields, word by word.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use stoker_domain::{outcome::Outcome, task::FetchOptions};
use stoker_testkit::eventually;

use crate::{
    raw::{RawOrigin, field},
    support::{HOST, Net, SOON, raw},
};

/// Fields of one request.
type Attack = &'static [(&'static str, &'static str)];

/// Requests that are under way at once.
const AT_ONCE: usize = 10;

/// What one viewer sends beyond a plain request. `MARK` stands for what nobody else may see.
const ATTACKS: &[Attack] = &[
    &[("X-Forwarded-Host", "MARK.example")],
    &[("X-Forwarded-For", "192.0.2.77, MARK")],
    &[("X-Forwarded-For", "192.0.2.77")],
    &[("X-Forwarded-Proto", "MARK")],
    &[("X-Forwarded-Port", "77")],
    &[("X-Forwarded-Scheme", "MARK")],
    &[("X-Forwarded-Server", "MARK")],
    &[("X-Forwarded-Prefix", "/MARK")],
    &[("X-Forwarded", "MARK")],
    &[("Forwarded", "for=192.0.2.77;host=MARK;proto=https")],
    &[("X-Host", "MARK")],
    &[("X-Original-Host", "MARK")],
    &[("X-Original-URL", "/MARK")],
    &[("X-Rewrite-URL", "/MARK")],
    &[("X-HTTP-DestinationURL", "http://MARK/")],
    &[("X-HTTP-Method-Override", "DELETE")],
    &[("X-HTTP-Method", "MARK")],
    &[("X-Method-Override", "POST")],
    &[("X-Real-IP", "192.0.2.77")],
    &[("True-Client-IP", "192.0.2.77")],
    &[("Client-IP", "192.0.2.77")],
    &[("X-Client-IP", "192.0.2.77")],
    &[("X-Cluster-Client-IP", "192.0.2.77")],
    &[("CF-Connecting-IP", "192.0.2.77")],
    &[("Fastly-Client-IP", "192.0.2.77")],
    &[("Front-End-Https", "on")],
    &[("X-Url-Scheme", "MARK")],
    &[("Proxy", "http://MARK/")],
    &[("Proxy-Authorization", "Basic MARK")],
    &[("Cookie", "session=MARK")],
    &[("Cookie", "a=b"), ("Cookie", "c=MARK")],
    &[("Cookie2", "MARK")],
    &[("Accept", "text/MARK")],
    &[("Accept-Language", "de, MARK")],
    &[("Accept-Encoding", "br, MARK")],
    &[("Accept-Charset", "MARK")],
    &[("Accept-Datetime", "MARK")],
    &[("Origin", "http://MARK.example")],
    &[("Referer", "http://MARK.example/")],
    &[("User-Agent", "MARK/1")],
    &[("Authorization", "Basic MARK")],
    &[("Range", "bytes=1-2")],
    &[("Range", "bytes=1-2"), ("Range", "bytes=0-0")],
    &[("Range", "bytes=0-0,2-3")],
    &[("Range", "MARK=1-2")],
    &[("Range", "bytes=1-2"), ("If-Range", "\"MARK\"")],
    &[("Range", "bytes=1-2"), ("If-Range", "\"v\""), ("If-Range", "\"MARK\"")],
    &[("If-Match", "\"MARK\"")],
    &[("If-None-Match", "\"MARK\"")],
    &[("If-None-Match", "\"v\"")],
    &[("If-None-Match", "*")],
    &[("If-Modified-Since", "Sun, 06 Nov 2044 08:49:37 GMT")],
    &[("If-Modified-Since", "MARK"), ("If-Modified-Since", "Sun, 06 Nov 2044 08:49:37 GMT")],
    &[("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")],
    &[("Cache-Control", "no-transform, max-age=77, MARK")],
    &[("Cache-Control", "no-store, MARK=1")],
    &[("Pragma", "MARK")],
    &[("TE", "trailers, MARK")],
    &[("Trailer", "MARK")],
    &[("Upgrade", "MARK")],
    &[("Connection", "Upgrade"), ("Upgrade", "websocket")],
    &[("Connection", "X-Named"), ("X-Named", "MARK")],
    &[("Connection", "Host, Authorization, Via, CDN-Loop, X-Forwarded-For")],
    &[("Keep-Alive", "MARK")],
    &[("Proxy-Connection", "MARK")],
    &[("Max-Forwards", "0")],
    &[("Expect", "MARK")],
    &[("Content-Type", "text/MARK")],
    &[("Content-Language", "MARK")],
    &[("Date", "MARK")],
    &[("Age", "77")],
    &[("Warning", "199 - MARK")],
    &[("From", "MARK@example.com")],
    &[("DNT", "1")],
    &[("Save-Data", "on")],
    &[("Sec-CH-UA", "MARK")],
    &[("Sec-Fetch-Mode", "MARK")],
    &[("Sec-GPC", "1")],
    &[("Priority", "u=7, MARK")],
    &[("Upgrade-Insecure-Requests", "1")],
    &[("X-Requested-With", "MARK")],
    &[("X-Api-Version", "MARK")],
    &[("X-Debug", "MARK")],
    &[("X-Wap-Profile", "http://MARK/")],
    &[("X-ATT-DeviceId", "MARK")],
    &[("X-Amz-Meta-Mark", "MARK")],
    &[("X-Unknown", "MARK")],
    &[("X-\u{7e}odd!#$%&'*+.^_`|", "MARK")],
    &[("Via", "1.1 MARK")],
    &[("CDN-Loop", "MARK")],
    &[("Depth", "infinity")],
    &[("Destination", "http://MARK/")],
    &[("Surrogate-Capability", "MARK=\"Surrogate/1.0\"")],
    &[("Traceparent", "00-MARK")],
    &[("Vary", "MARK")],
    &[("Set-Cookie", "MARK=1")],
    &[("Stoker-Peer", "MARK")],
    &[("Stoker-Peer", "MARK"), ("Stoker-Options", "eyJkaXNhYmxlX3JhbmdlIjp0cnVlfQ")],
    &[("Stoker-Alone", "private"), ("Stoker-Fault", "blocked:offline")],
    &[("Stoker-Hops", "250"), ("Priority", "u=7"), ("Stoker-Errors-Since", "9999999999999")],
    &[("Stoker-Client", "https 192.0.2.77")],
    &[("Stoker-Mark", "MARK")],
];

/// What differs between the requests that a node makes of its own accord; and `CDN-Loop`, which has to
/// travel whoever said it (RFC 8586 section 2).
const OF_THE_NODE: [&str; 6] =
    ["range", "if-range", "if-none-match", "connection", "content-length", "cdn-loop"];

/// What the origin got, as it tells: every line of the head but those.
fn told(request: &[u8]) -> String {
    let head = String::from_utf8_lossy(request).to_ascii_lowercase();
    let lines = head.lines().skip(1).filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !line.is_empty() && !OF_THE_NODE.contains(&name)
    });
    lines.collect::<BTreeSet<_>>().into_iter().fold(String::new(), |text, line| text + line + "\n")
}

/// The answer of an origin that says nothing of what its answer depends on. Paths tell the form.
fn answer(request: &[u8], lines: &str) -> Vec<u8> {
    let path = String::from_utf8_lossy(request).split(' ').nth(1).unwrap_or_default().to_owned();
    let content = told(request);
    let status = if path.starts_with("/gone") { "404 Not Found" } else { "200 OK" };
    let close = "Connection: close\r\nCache-Control: max-age=60";
    let is_same = field(request, "if-none-match").contains("\"v\"");
    if path.starts_with("/confirmed") && is_same {
        return format!("HTTP/1.1 304 Not Modified\r\n{close}{lines}\r\nETag: \"v\"\r\n\r\n")
            .into();
    }
    let (status, range) = match ranged(&field(request, "range"), content.len()) {
        Some((start, end)) if path.starts_with("/parts") => {
            let range = format!("\r\nContent-Range: bytes {start}-{end}/{}", content.len());
            ("206 Partial Content", (start, end + 1, range))
        }
        _ => (status, (0, content.len(), String::new())),
    };
    let (start, end, line) = range;
    let head = format!("HTTP/1.1 {status}\r\n{close}{lines}\r\nETag: \"v\"{line}");
    let content = &content[start..end];
    format!("{head}\r\nContent-Length: {}\r\n\r\n{content}", content.len()).into()
}

fn ranged(range: &str, size: usize) -> Option<(usize, usize)> {
    let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end): (usize, usize) = (start.parse().ok()?, end.parse().ok()?);
    (start < size).then_some((start, end.min(size - 1)))
}

/// A net whose origin answers so, the node that viewers ask, and another one.
async fn stage(is_full: bool, lines: &'static str) -> (Net, RawOrigin, [&'static str; 2]) {
    let net = Net::patient(is_full, &[]).await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    origin.answers_by(move |request| answer(request, lines));
    let nodes = if is_full { ["edge-mainland", "edge-overseas"] } else { ["edge", "edge"] };
    (net, origin, nodes)
}

/// What whoever sends nothing of his own gets of a form.
async fn neutral(net: &Net, node: &str, form: &str) -> String {
    net.get(node, &format!("/{form}-neutral"), &[]).await.text()
}

fn path(form: &str, attack: usize) -> String {
    format!("/{form}-{attack}")
}

/// Each attack at its own path of `form`.
async fn attacked(net: &Net, node: &str, form: &str, method: &str) {
    let one = |(number, lines): (usize, Attack)| {
        let mut text = format!("{method} {} HTTP/1.1\r\nHost: {HOST}\r\n", path(form, number));
        for (name, value) in lines {
            text += &format!("{name}: {value}\r\n");
        }
        text += "Connection: close\r\n\r\n";
        let address = net.address(node);
        async move { raw(address, text.as_bytes()).await.unwrap() }
    };
    for some in numbered().chunks(AT_ONCE) {
        join_all(some.iter().copied().map(one)).await;
    }
}

fn numbered() -> Vec<(usize, Attack)> {
    ATTACKS.iter().copied().enumerate().collect()
}

/// What others get afterwards at the paths of `form`, at each of these nodes.
async fn check(net: &Net, nodes: [&str; 2], form: &str, expected: &str) {
    assert!(!expected.contains("mark") && !expected.is_empty(), "{expected}");
    for some in numbered().chunks(AT_ONCE) {
        let one = async |(number, lines): (usize, Attack)| {
            for node in nodes {
                let got = net.get(node, &path(form, number), &[("accept", "text/html")]).await;
                assert_eq!(got.text(), expected, "{form} at {node} after {lines:?}: {got:?}");
            }
        };
        join_all(some.iter().copied().map(one)).await;
    }
}

#[test]
fn there_are_enough_fields() {
    let names: BTreeSet<_> =
        ATTACKS.iter().flat_map(|lines| lines.iter()).map(|(name, _)| *name).collect();
    assert!(names.len() >= 75, "{}", names.len());
}

#[tokio::test]
async fn no_field_decides_what_others_get_in_any_form() {
    for is_full in [false, true] {
        let (net, _origin, nodes) = stage(is_full, "").await;
        for (form, method) in
            [("whole", "GET"), ("parts", "GET"), ("head", "HEAD"), ("gone", "GET")]
        {
            let expected = neutral(&net, nodes[0], form).await;
            attacked(&net, nodes[0], form, method).await;
            check(&net, nodes, form, &expected).await;
        }
    }
}

#[tokio::test]
async fn no_field_decides_what_a_stale_response_is_replaced_by() {
    for is_full in [false, true] {
        let (net, _origin, nodes) = stage(is_full, "").await;
        for form in ["replaced", "confirmed"] {
            let expected = neutral(&net, nodes[0], form).await;
            check(&net, nodes, form, &expected).await;
            net.idle().await;
            net.clock.advance(Duration::from_secs(61));
            attacked(&net, nodes[0], form, "GET").await;
            check(&net, nodes, form, &expected).await;
        }
    }
}

#[tokio::test]
async fn no_field_decides_what_others_get_who_ask_at_the_same_time() {
    for is_full in [false, true] {
        let (net, _origin, nodes) = stage(is_full, "").await;
        let expected = neutral(&net, nodes[0], "together").await;
        for (number, lines) in ATTACKS.iter().enumerate() {
            let path = path("together", number);
            // who comes first is left to chance, on purpose
            let (_, one, other) = tokio::join!(
                net.get(nodes[0], &path, lines),
                net.get(nodes[0], &path, &[]),
                net.get(nodes[1], &path, &[]),
            );
            for other in [one, other] {
                // who is asked for alone is told of himself
                let own = ["x-forwarded-for: 127.0.0.1\n", "x-forwarded-proto: http\n"];
                let text = own.iter().fold(other.text(), |text, line| text.replace(line, ""));
                assert_eq!(text, expected, "{lines:?}: {other:?}");
            }
        }
        check(&net, nodes, "together", &expected).await;
    }
}

#[tokio::test]
async fn a_prefetch_after_an_attack_brings_and_keeps_what_is_neutral() {
    for is_full in [false, true] {
        let (net, _origin, nodes) = stage(is_full, "").await;
        let expected = neutral(&net, nodes[0], "prefetched").await;
        attacked(&net, nodes[0], "prefetched", "GET").await;
        let urls: Vec<_> = (0..ATTACKS.len())
            .map(|number| format!("http://{HOST}{}", path("prefetched", number)))
            .collect();
        let urls: Vec<_> = urls.iter().map(String::as_str).collect();
        net.sources[nodes[0]].put(1, &urls, 0, FetchOptions::default());
        for (report, lines) in net.sources[nodes[0]].ended(1).await.iter().zip(ATTACKS) {
            let is_there = matches!(report.outcome, Outcome::Filled | Outcome::AlreadyFresh);
            assert!(is_there, "{lines:?}: {report:?}");
        }
        for (number, lines) in numbered() {
            let only = [("cache-control", "only-if-cached")];
            let hit = net.get(nodes[0], &path("prefetched", number), &only).await;
            assert!(hit.status_is_hit(), "{lines:?}: {hit:?}");
            assert_eq!(hit.text(), expected, "{lines:?}");
        }
        check(&net, nodes, "prefetched", &expected).await;
    }
}

#[tokio::test]
async fn the_same_fields_of_a_task_decide_nothing_for_viewers() {
    for is_full in [false, true] {
        let (net, _origin, nodes) = stage(is_full, "").await;
        let expected = neutral(&net, nodes[0], "tasked").await;
        let source = &net.sources[nodes[0]];
        for (number, lines) in numbered() {
            let headers = lines.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            let options = FetchOptions { headers: headers.collect(), ..FetchOptions::default() };
            let url = format!("http://{HOST}{}", path("tasked", number));
            source.put(1 + number as i64, &[&url], 0, options);
        }
        let mut kept = 0;
        for (number, lines) in numbered() {
            let report = source.ended(1 + number as i64).await.remove(0);
            let is_refused = matches!(report.outcome, Outcome::Uncacheable(_));
            assert!(is_refused || report.outcome == Outcome::Filled, "{lines:?}: {report:?}");
            kept += usize::from(!is_refused);
        }
        assert!((10..60).contains(&kept), "{kept} decide nothing, as the origin answers the same");
        check(&net, nodes, "tasked", &expected).await;
    }
}

#[tokio::test]
async fn what_is_not_kept_carries_the_field_to_nobody_else() {
    for is_full in [false, true] {
        for lines in ["\r\nCache-Control: no-store", "\r\nSet-Cookie: a=b", "\r\nVary: *"] {
            let (net, _origin, nodes) = stage(is_full, lines).await;
            attacked(&net, nodes[0], "personal", "GET").await;
            for (number, attack) in ATTACKS.iter().enumerate() {
                for node in nodes {
                    let got = net.get(node, &path("personal", number), &[]).await;
                    let text = got.text();
                    assert!(got.status == 200 && !text.contains("mark"), "{attack:?}: {got:?}");
                    assert!(!text.contains("192.0.2.77"), "{attack:?}: {got:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_field_that_breaks_the_origin_breaks_nothing_for_those_who_ask_with_it() {
    for is_full in [false, true] {
        let (net, origin, nodes) = stage(is_full, "").await;
        // both are sent in any case, or because of an earlier `Vary`
        origin.answers_by(|request| {
            let is_evil = ["authorization", "accept-language"]
                .iter()
                .any(|name| field(request, name).contains("evil"));
            match is_evil {
                true => b"nonsense\r\n\r\n".to_vec(),
                false => answer(request, "\r\nVary: Accept-Language"),
            }
        });
        for number in 0..20 {
            let evil = [(["authorization", "accept-language"][number % 2], "evil")];
            let path = path("broken", number);
            let (evil, one, other) = tokio::join!(
                net.get(nodes[0], &path, &evil),
                net.get(nodes[0], &path, &[]),
                net.get(nodes[1], &path, &[]),
            );
            for other in [one, other] {
                assert_eq!(other.status, 200, "after {evil:?}: {other:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_field_that_vary_names_no_more_decides_nothing() {
    for is_full in [false, true] {
        let (net, origin, nodes) = stage(is_full, "\r\nVary: Accept-Language").await;
        let german = [("accept-language", "de")];
        let first = net.get(nodes[0], "/a", &german).await;
        assert!(first.text().contains("accept-language: de"), "{first:?}");
        net.until_hit(nodes[0], "/a", &german).await;
        // who joins a fill that still ends at a middle node is asked for alone
        net.idle().await;
        // from now on it answers by it and does not say so
        origin.answers_by(|request| answer(request, ""));
        let other = net.get(nodes[0], "/a", &[("accept-language", "mark")]).await;
        assert!(!other.text().contains("mark"), "{other:?}");
        net.until_hit(nodes[0], "/a", &[]).await;
        for node in nodes {
            let got = net.get(node, "/a", &[]).await;
            assert!(!got.text().contains("accept-language"), "{got:?}");
        }
    }
}

#[tokio::test]
async fn what_cookies_select_is_kept_only_with_leave() {
    for is_full in [false, true] {
        for (lines, is_kept) in
            [("\r\nVary: Cookie", false), ("\r\nVary: Cookie\r\nCache-Control: public", true)]
        {
            let (net, origin, nodes) = stage(is_full, lines).await;
            for cookie in ["a=ann", "a=bob", "a=ann"] {
                let got = net.get(nodes[0], "/a", &[("cookie", cookie)]).await;
                assert!(got.text().contains(cookie), "{lines}: {got:?}");
                let other = net.get(nodes[1], "/a", &[]).await;
                assert!(!other.text().contains("cookie"), "{lines}: {other:?}");
            }
            // what is kept last takes the place of what was there
            net.idle().await;
            net.get(nodes[0], "/a", &[("cookie", "a=ann")]).await;
            net.idle().await;
            let only = [("cache-control", "only-if-cached"), ("cookie", "a=ann")];
            let kept = net.get(nodes[0], "/a", &only).await;
            assert_eq!(kept.status_is_hit(), is_kept, "{lines}: {kept:?}");
            assert!(!origin.requests().is_empty());
        }
    }
}

#[tokio::test]
async fn the_origin_hears_who_the_viewer_is_where_it_is_asked_for_him_alone() {
    for is_full in [false, true] {
        let (net, origin, nodes) = stage(is_full, "\r\nCache-Control: no-store").await;
        let claims = [("x-forwarded-for", "192.0.2.77"), ("x-forwarded-proto", "https")];
        let fields = [&claims[..], &[("user-agent", "Viewer/1")]].concat();
        let got = net.get(nodes[0], "/a", &fields).await;
        for line in ["x-forwarded-for: 127.0.0.1\n", "x-forwarded-proto: http\n"] {
            assert!(got.text().contains(line), "{got:?}");
        }
        assert!(got.text().contains("user-agent: viewer/1"), "{got:?}");
        let asked: Vec<_> = origin.requests().iter().map(|r| field(r, "x-forwarded-for")).collect();
        assert_eq!(asked, ["", "127.0.0.1"], "not with the request whose answer might be kept");
        // an answer that is kept never has it
        origin.answers_by(|request| answer(request, ""));
        let got = net.get(nodes[0], "/b", &fields).await;
        assert!(!got.text().contains("x-forwarded"), "{got:?}");
    }
}

#[tokio::test]
async fn proxies_that_are_trusted_are_believed() {
    let net = Net::patient(true, &["127.0.0.0/8", "10.0.0.0/8"]).await;
    let origin = RawOrigin::start().await;
    origin.serve(&net);
    origin.answers_by(|request| answer(request, "\r\nCache-Control: no-store"));
    let fields = [
        ("x-forwarded-for", "198.51.100.1, 203.0.113.9, 10.0.0.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "mark"),
        ("user-agent", "Viewer/1"),
    ];
    for node in ["edge-mainland", "middle-mainland"] {
        let got = net.get(node, &format!("/{node}"), &fields).await.text();
        assert!(got.contains("x-forwarded-for: 203.0.113.9, 10.0.0.2, 127.0.0.1\n"), "{got}");
        assert!(got.contains("x-forwarded-proto: https\n") && !got.contains("mark"), "{got}");
    }
}

#[tokio::test]
async fn what_one_viewer_is_told_to_wait_for_is_not_said_to_a_prefetch() {
    let (net, origin, nodes) = stage(true, "").await;
    origin.answers_by(|request| match field(request, "x-forwarded-for").as_str() {
        "" => answer(request, "\r\nCache-Control: no-store"),
        _ => b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\
               Connection: close\r\n\r\n"
            .to_vec(),
    });
    let got = net.get(nodes[0], "/a", &[("user-agent", "Viewer/1")]).await;
    assert_eq!(got.status, 429, "{got:?}");
    origin.answers_by(|request| answer(request, ""));
    let report = net.sources[nodes[0]].run(1, &format!("http://{HOST}/b"), 0).await;
    assert_eq!(report.outcome, Outcome::Filled, "{report:?}");
    eventually(SOON, "it is there", || async {
        let hit = net.get(nodes[0], "/b", &[("cache-control", "only-if-cached")]).await;
        hit.status_is_hit().then_some(())
    })
    .await;
}
