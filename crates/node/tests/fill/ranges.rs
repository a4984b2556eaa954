//! Origins whose parts cannot be put together though they give the whole: one request for that, and
//! no more ranges for a while.

use std::sync::Arc;

use bytes::Bytes;
use stoker_domain::{domain::NodeDomain, outcome::Outcome};
use stoker_testkit::{VerbatimOrigin, Wanted, chunks, content, verbatim};

use crate::fixture::{Fixture, SLICE};

async fn fixture_before(origin: &VerbatimOrigin) -> Fixture {
    let mut fixture = Fixture::new().await;
    let mut domain = NodeDomain::clone(&fixture.domain);
    domain.origin.port = origin.address().port();
    fixture.domain = Arc::new(domain);
    fixture
}

fn whole(tag: &str, bytes: &[u8]) -> Vec<u8> {
    verbatim(&format!("200 OK\r\nETag: \"{tag}\"\r\nContent-Length: {}", bytes.len()), bytes)
}

fn part(tag: &str, (start, end): (u64, u64), bytes: &[u8]) -> Vec<u8> {
    let end = end.min(bytes.len() as u64 - 1);
    let head = format!(
        "206 Partial Content\r\nETag: \"{tag}\"\r\nContent-Range: bytes {start}-{end}/{}\r\n\
         Content-Length: {}",
        bytes.len(),
        end - start + 1
    );
    verbatim(&head, &bytes[start as usize..=end as usize])
}

#[tokio::test]
async fn a_tag_of_each_backend_costs_the_first_target_one_probe_and_the_others_nothing() {
    for heeds_if_range in [true, false] {
        let bytes = content(24 * SLICE, 71);
        let sent = bytes.clone();
        let answer = move |wanted: &Wanted| {
            let tag = format!("{}-{}", wanted.path.len(), wanted.earlier);
            let if_range = wanted.field("if-range");
            match wanted.range {
                Some(range) if if_range.is_empty() || !heeds_if_range => part(&tag, range, &sent),
                _ => whole(&tag, &sent),
            }
        };
        let origin = VerbatimOrigin::start(answer);
        let fixture = fixture_before(&origin).await;
        let filled = fixture.prefetch("/first").await;
        assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
        assert!(fixture.content_of("/first").await == bytes);
        assert!(origin.requests_for("/first").len() <= 3, "{heeds_if_range}");
        let most = 24 + 16 + if heeds_if_range { 0 } else { 8 };
        assert!(origin.sent() <= (most * SLICE + 9999) as u64, "{} bytes", origin.sent());
        let detail = filled.detail.unwrap_or_default();
        assert!(detail.contains("asked for whole") && detail.contains("validator"), "{detail}");

        let before = origin.sent();
        for path in ["/second", "/third"] {
            let filled = fixture.prefetch(path).await;
            assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
            let asked = origin.requests_for(path);
            assert_eq!((asked.len(), asked[0].range), (1, None), "{path}");
            assert!(filled.detail.is_some_and(|detail| detail.contains("asked for whole")));
        }
        assert!(origin.sent() - before <= (48 * SLICE + 9999) as u64);
    }
}

/// What is odd about each path's replies to ranges.
const ODD: [&str; 12] = [
    "/no-content-range",
    "/another-range",
    "/several-ranges",
    "/never-satisfied",
    "/bad-request",
    "/forbidden",
    "/not-implemented",
    "/failing",
    "/silence",
    "/garbage",
    "/gzip",
    "/part-as-200",
];

fn odd(path: &str, (start, end): (u64, u64), bytes: &Bytes) -> Vec<u8> {
    let size = bytes.len();
    let end = end.min(size as u64 - 1);
    let some = &bytes[start as usize..=end as usize];
    let length = format!("ETag: \"a\"\r\nContent-Length: {}", some.len());
    match path {
        "/no-content-range" => verbatim(&format!("206 Partial Content\r\n{length}"), some),
        "/another-range" => {
            let range = format!("Content-Range: bytes {}-{}/{size}", start + 1, end + 1);
            verbatim(&format!("206 Partial Content\r\n{length}\r\n{range}"), some)
        }
        "/several-ranges" => verbatim(
            "206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=b\r\n\
             Content-Length: 9",
            b"--b--\r\n\r\n",
        ),
        "/never-satisfied" => verbatim("416 Range Not Satisfiable\r\nContent-Length: 0", b""),
        "/bad-request" => verbatim("400 Bad Request\r\nContent-Length: 2", b"no"),
        "/forbidden" => verbatim("403 Forbidden\r\nContent-Length: 2", b"no"),
        "/not-implemented" => verbatim("501 Not Implemented\r\nContent-Length: 2", b"no"),
        "/failing" => verbatim("500 Internal Server Error\r\nContent-Length: 2", b"no"),
        "/silence" => Vec::new(),
        "/garbage" => b"ranges? never heard of them\r\n\r\n".to_vec(),
        "/gzip" => {
            verbatim("206 Partial Content\r\nTransfer-Encoding: gzip, chunked", &chunks(some))
        }
        "/part-as-200" => {
            let range = format!("Content-Range: bytes {start}-{end}/{size}");
            verbatim(&format!("200 OK\r\n{length}\r\n{range}"), some)
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn odd_answers_to_ranges_lead_to_the_whole_for_viewers_and_prefetches() {
    let bytes = content(17 * SLICE, 72);
    let sent = bytes.clone();
    let origin = VerbatimOrigin::start(move |wanted| match wanted.range {
        Some(range) => odd(&wanted.path.replace("/viewer", ""), range, &sent),
        None => whole("a", &sent),
    });
    for path in ODD {
        let mut fixture = fixture_before(&origin).await;
        let filled = fixture.prefetch(path).await;
        assert_eq!(filled.outcome, Outcome::Filled, "{path}: {:?}", filled.detail);
        assert!(fixture.content_of(path).await == bytes, "{path}");
        let detail = filled.detail.unwrap_or_default();
        assert!(detail.contains("asked for whole"), "{path}: {detail}");
        let ranges = origin.requests_for(path).iter().filter(|r| r.range.is_some()).count();
        assert_eq!(ranges, 1, "{path}");

        fixture.restart_fills();
        let path = format!("/viewer{path}");
        let (_, body) = fixture.get(&path).await.unwrap();
        assert!(body == bytes, "{path}");
        assert!(fixture.get_range(&path, 5, 9).await == bytes[5..10], "{path}");
    }
}

/// A change in the middle is found with one further transfer, and its reply is used.
#[tokio::test]
async fn odd_answers_to_later_ranges_lead_to_the_whole_too() {
    let bytes = content(40 * SLICE, 73);
    let sent = bytes.clone();
    let origin = VerbatimOrigin::start(move |wanted| match wanted.range {
        Some(range) if range.0 == 0 => part("a", range, &sent),
        Some(range) => odd(&wanted.path, range, &sent),
        None => whole("a", &sent),
    });
    for path in ODD.into_iter().filter(|path| !["/failing", "/silence"].contains(path)) {
        let fixture = fixture_before(&origin).await;
        let filled = fixture.prefetch(path).await;
        assert_eq!(filled.outcome, Outcome::Filled, "{path}: {:?}", filled.detail);
        assert!(fixture.content_of(path).await == bytes, "{path}");
        let asked = origin.requests_for(path);
        assert!(asked.len() <= 7, "{path}: {} requests", asked.len());
    }
}

/// An error that is the target's own is asked about once more, and not for each target.
#[tokio::test]
async fn an_error_that_is_no_matter_of_ranges_stays_what_it_is() {
    let origin = VerbatimOrigin::start(|_| verbatim("403 Forbidden\r\nContent-Length: 2", b"no"));
    let fixture = fixture_before(&origin).await;
    for (path, requests) in [("/first", 2), ("/second", 1), ("/third", 1)] {
        assert_eq!(fixture.prefetch(path).await.outcome, Outcome::OriginStatus(403), "{path}");
        assert_eq!(origin.requests_for(path).len(), requests, "{path}");
    }
}

#[tokio::test]
async fn a_file_that_truly_changes_costs_no_trust() {
    let bytes = content(40 * SLICE, 74);
    let (old, new) = (bytes.slice(..39 * SLICE), bytes.clone());
    let origin = VerbatimOrigin::start(move |wanted| {
        let is_old = wanted.path == "/changes" && wanted.earlier == 0;
        let (tag, bytes) = if is_old { ("old", &old) } else { ("new", &new) };
        let is_same =
            [String::new(), format!("\"{tag}\"")].iter().any(|t| t == wanted.field("if-range"));
        match wanted.range {
            Some(range) if is_same => part(tag, range, bytes),
            _ => whole(tag, bytes),
        }
    });
    let fixture = fixture_before(&origin).await;
    for path in ["/changes", "/other"] {
        let filled = fixture.prefetch(path).await;
        assert_eq!((filled.outcome, filled.detail), (Outcome::Filled, None), "{path}");
        assert!(fixture.content_of(path).await == bytes, "{path}");
    }
    assert!(origin.requests_for("/other").iter().all(|wanted| wanted.range.is_some()));
}
