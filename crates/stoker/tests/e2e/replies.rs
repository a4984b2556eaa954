//! Replies of an origin that contradict themselves, each other or the clock: what is called there
//! is the content, and the reason that is told is the true one.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use stoker_testkit::{VerbatimOrigin, Wanted, chunks, content, verbatim};

use crate::running::{Http, Stoker, pause};

const HOST: &str = "www.example.com";
const LARGE: usize = 24 << 20;
/// Of a part, at most, before anything is known of the whole.
const PROBE: u64 = 16 << 20;
/// Of a reply that is dropped: what sockets hold.
const ON_THE_WAY: u64 = 8 << 20;
const EDGE: &str = "edge-overseas";

#[expect(clippy::disallowed_methods, reason = "the nodes of `stoker up` go by the real clock")]
fn an_hour_ago() -> String {
    httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(3600))
}

fn answer(wanted: &Wanted) -> Vec<u8> {
    let small = content(5000, 1);
    let kept = "Cache-Control: max-age=600";
    match wanted.path.as_str() {
        "/chunked-with-length" => verbatim(
            &format!("200 OK\r\n{kept}\r\nTransfer-Encoding: chunked\r\nContent-Length: 100"),
            &chunks(&small),
        ),
        "/other-tag-in-304" if !wanted.field("if-none-match").is_empty() => {
            verbatim("304 Not Modified\r\nETag: \"v2\"\r\nCache-Control: max-age=600", b"")
        }
        "/other-tag-in-304" => {
            let (tag, body) = if wanted.earlier == 0 { ("v1", "old") } else { ("v2", "new") };
            let age = if wanted.earlier == 0 { 3 } else { 600 };
            let head = format!("200 OK\r\nETag: \"{tag}\"\r\nCache-Control: max-age={age}");
            verbatim(&format!("{head}\r\nContent-Length: 3"), body.as_bytes())
        }
        "/clock" => {
            let head = format!("200 OK\r\nETag: \"v1\"\r\nDate: {}\r\n{kept}", an_hour_ago());
            verbatim(&format!("{head}\r\nContent-Length: 5000"), &small)
        }
        path if path.starts_with("/tag-of-each-reply") => {
            let bytes = content(LARGE, 2);
            let head = format!("ETag: \"{}\"\r\n{kept}", wanted.earlier);
            match wanted.range.filter(|_| wanted.field("if-range").is_empty()) {
                None => verbatim(&format!("200 OK\r\n{head}\r\nContent-Length: {LARGE}"), &bytes),
                Some((start, end)) => {
                    let end = (end as usize).min(LARGE - 1);
                    let part = &bytes[start as usize..=end];
                    let range = format!("Content-Range: bytes {start}-{end}/{LARGE}");
                    let head = format!("206 Partial Content\r\n{head}\r\n{range}");
                    verbatim(&format!("{head}\r\nContent-Length: {}", part.len()), part)
                }
            }
        }
        _ => verbatim("404 Not Found\r\nContent-Length: 0", b""),
    }
}

/// Prefetches `path` to one edge; its outcome and the sentence beside it.
fn prefetch(stoker: &Stoker, path: &str) -> (String, String) {
    let url = format!("http://{HOST}{path}");
    let printed =
        stoker.json(&["prefetch", &url, "--area", "overseas", "--tier", "edge", "--wait"]);
    let task = printed[0]["task_id"].as_str().unwrap_or_else(|| panic!("{printed}"));
    let shown = stoker.json(&["task", "show", task]);
    let told = &shown["targets"][0]["outcomes"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&told["outcome"]), text(&told["detail"]))
}

#[test]
fn odd_replies_end_as_the_content_or_with_the_true_reason() {
    let origin = VerbatimOrigin::start(answer);
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start(&folder.path().join("data"));
    stoker.add_domain(HOST, &origin.url(), &[]);
    let held = |path: &str| {
        let reply = Http::new().get_cached(stoker.ports().node(EDGE), HOST, path).unwrap();
        assert!(reply.is_hit(), "{path}: {} {:?}", reply.status, reply.fields);
        reply.body
    };

    assert_eq!(prefetch(&stoker, "/chunked-with-length").0, "filled");
    assert!(held("/chunked-with-length") == content(5000, 1), "all of it, not 100 bytes");

    assert_eq!(prefetch(&stoker, "/other-tag-in-304").0, "filled");
    pause(Duration::from_millis(3100));
    assert_eq!(prefetch(&stoker, "/other-tag-in-304").0, "filled");
    assert_eq!(held("/other-tag-in-304"), "new", "the 304 was that of another version");

    let (outcome, detail) = prefetch(&stoker, "/clock");
    assert_eq!(outcome, "uncacheable:no-lifetime");
    assert!(detail.contains("clock is behind"), "{detail}");

    let before = origin.sent();
    let (outcome, detail) = prefetch(&stoker, "/tag-of-each-reply/1");
    assert_eq!(outcome, "filled", "{detail}");
    assert!(detail.contains("asked for whole"), "{detail}");
    let sent = origin.sent() - before;
    let asked = origin.requests_for("/tag-of-each-reply/1");
    let ranges: Vec<_> = asked.iter().map(|wanted| wanted.range).collect();
    let most = LARGE as u64 + PROBE + ON_THE_WAY;
    assert!(sent <= most, "{sent} bytes left the origin: {ranges:?}");
    let (outcome, detail) = prefetch(&stoker, "/tag-of-each-reply/2");
    assert_eq!(outcome, "filled", "{detail}");
    for path in ["/tag-of-each-reply/1", "/tag-of-each-reply/2"] {
        assert!(held(path) == content(LARGE, 2), "{path}");
    }
}
