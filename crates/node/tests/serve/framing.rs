//! Replies of the origin whose framing and lengths contradict each other: what is stored is the
//! content, or nothing.

use bytes::Bytes;
use stoker_testkit::{VerbatimOrigin, Wanted, chunks, content, verbatim};

use crate::support::{HOST, Net, Reply};

const SIZE: usize = 5000;

/// The outcome of a prefetch of `path`, then what a viewer gets.
async fn prefetch_and_get(net: &Net, id: i64, path: &str) -> (String, Option<u64>, Reply) {
    let report = net.sources["edge"].run(id, &format!("http://{HOST}{path}"), 0).await;
    (report.outcome.to_string(), report.size_bytes, net.get("edge", path, &[]).await)
}

fn reply(wanted: &Wanted, bytes: &[u8]) -> Vec<u8> {
    let coded = chunks(bytes);
    let ten = |head: &str, content: &[u8]| {
        let mut reply = format!("HTTP/1.0 200 OK\r\n{head}\r\n").into_bytes();
        reply.extend_from_slice(content);
        reply
    };
    match wanted.path.as_str() {
        "/coding-and-length" => {
            verbatim("200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 100", &coded)
        }
        "/length-and-coding" => {
            verbatim("200 OK\r\nContent-Length: 9000\r\nTransfer-Encoding: Chunked", &coded)
        }
        "/length-twice" => {
            verbatim("200 OK\r\nContent-Length: 5000\r\nContent-Length: 5000", bytes)
        }
        "/length-list" => verbatim("200 OK\r\nContent-Length: 5000, 5000", bytes),
        "/two-lengths" => verbatim("200 OK\r\nContent-Length: 100\r\nContent-Length: 5000", bytes),
        "/signed-length" => verbatim("200 OK\r\nContent-Length: +100", bytes),
        "/two-codings" => verbatim("200 OK\r\nTransfer-Encoding: gzip, chunked", &coded),
        "/gzip" => verbatim("200 OK\r\nTransfer-Encoding: gzip", bytes),
        "/identity" => {
            verbatim("200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 9", bytes)
        }
        "/until-close" => verbatim("200 OK", bytes),
        "/old-until-close" => ten("", bytes),
        "/old-length" => ten("Content-Length: 5000\r\n", bytes),
        "/old-short" => ten("Content-Length: 5000\r\n", &bytes[..100]),
        "/old-chunked" => ten("Transfer-Encoding: chunked\r\n", &coded),
        "/no-last-chunk" => {
            verbatim("200 OK\r\nTransfer-Encoding: chunked", &coded[..coded.len() - 5])
        }
        "/says-part" => verbatim(
            "200 OK\r\nContent-Range: bytes 0-99/5000\r\nContent-Length: 100",
            &bytes[..100],
        ),
        "/says-all" => {
            verbatim("200 OK\r\nContent-Range: bytes 0-4999/5000\r\nContent-Length: 5000", bytes)
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_is_stored_is_the_content_or_nothing() {
    let bytes = content(SIZE, 61);
    let sent = bytes.clone();
    let net = Net::single().await;
    let origin = VerbatimOrigin::start(move |wanted| reply(wanted, &sent));
    net.put_domain(|domain| domain.origin.port = origin.address().port());
    for (n, (path, outcome)) in [
        ("/coding-and-length", "filled"),
        ("/length-and-coding", "filled"),
        ("/length-twice", "filled"),
        ("/length-list", "filled"),
        ("/two-lengths", "origin_error:protocol"),
        ("/signed-length", "origin_error:protocol"),
        ("/two-codings", "origin_error:protocol"),
        ("/gzip", "origin_error:protocol"),
        ("/identity", "origin_error:protocol"),
        ("/until-close", "filled"),
        ("/old-until-close", "filled"),
        ("/old-length", "filled"),
        ("/old-short", "origin_error:truncated"),
        ("/old-chunked", "origin_error:protocol"),
        ("/no-last-chunk", "origin_error:truncated"),
        ("/says-part", "origin_error:length"),
        ("/says-all", "filled"),
    ]
    .into_iter()
    .enumerate()
    {
        let (found, size, seen) = prefetch_and_get(&net, n as i64 + 1, path).await;
        assert_eq!(found, outcome, "{path}");
        if outcome == "filled" {
            assert_eq!(size, Some(SIZE as u64), "{path}");
            assert!(seen.status_is_hit() && seen.body == bytes, "{path}");
        } else {
            assert!(seen.status == 502 || !seen.is_whole, "{path}: {}", seen.status);
            let only = net.get("edge", path, &[("cache-control", "only-if-cached")]).await;
            assert_eq!(only.status, 504, "{path}");
        }
    }
}

/// A part is as long as its framing and its `Content-Range` say alike, or the whole is asked for.
#[tokio::test]
async fn a_part_that_contradicts_itself_is_not_used() {
    let bytes = content(SIZE, 62);
    let sent = bytes.clone();
    let net = Net::single().await;
    let origin = VerbatimOrigin::start(move |wanted| part_of(wanted, &sent));
    for (n, path) in ["/more", "/less", "/length-beside-chunks", "/other-size"].iter().enumerate() {
        net.put_domain(|domain| {
            // what one path does must not tell on the next
            domain.origin.base_path = format!("/{n}");
            domain.origin.port = origin.address().port();
        });
        let (found, size, seen) = prefetch_and_get(&net, n as i64 + 1, path).await;
        assert_eq!((found.as_str(), size), ("filled", Some(SIZE as u64)), "{path}");
        assert!(seen.status_is_hit() && seen.body == bytes, "{path}");
    }
}

fn part_of(wanted: &Wanted, bytes: &Bytes) -> Vec<u8> {
    let (_, path) = wanted.path[1..].split_once('/').unwrap();
    if wanted.range.is_none() {
        return verbatim("200 OK\r\nETag: \"a\"\r\nContent-Length: 5000", bytes);
    }
    let head = "206 Partial Content\r\nETag: \"a\"\r\n";
    match path {
        "more" => verbatim(
            &format!("{head}Content-Range: bytes 0-99/100\r\nTransfer-Encoding: chunked"),
            &chunks(bytes),
        ),
        "less" => verbatim(
            &format!("{head}Content-Range: bytes 0-4999/5000\r\nContent-Length: 100"),
            &bytes[..100],
        ),
        "length-beside-chunks" => verbatim(
            &format!(
                "{head}Content-Range: bytes 0-4999/5000\r\nTransfer-Encoding: chunked\r\n\
                 Content-Length: 100"
            ),
            &chunks(bytes),
        ),
        "other-size" => verbatim(
            &format!("{head}Content-Range: bytes 0-4999/4000\r\nContent-Length: 5000"),
            bytes,
        ),
        other => panic!("{other}"),
    }
}
