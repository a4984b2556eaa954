//! A 304 that speaks of something else than what is stored keeps nothing alive: not for viewers,
//! not for a prefetch, not through a parent.

use std::time::Duration;

use stoker_testkit::{VerbatimOrigin, Wanted, verbatim};

use crate::support::{HOST, Net};

/// Fields of the first reply and of a 304, and whether the one confirms the other.
const CASES: [(&str, &str, bool); 8] = [
    ("ETag: \"v1\"", "ETag: \"v1\"", true),
    ("ETag: \"v1\"", "X-None: 1", true),
    ("ETag: \"v1\"", "ETag: W/\"v1\"", true),
    ("ETag: \"v1\"", "ETag: \"v2\"", false),
    ("ETag: W/\"v1\"", "ETag: W/\"v2\"", false),
    ("ETag: W/\"v1\"", "ETag: \"v1\"", false),
    (
        "Last-Modified: Sun, 06 Nov 1994 08:00:00 GMT",
        "Last-Modified: Sun, 06 Nov 1994 09:00:00 GMT",
        false,
    ),
    ("ETag: \"v1\"", "ETag: \"v1\"\r\nContent-Length: 77", false),
];

/// Each path is a case. To every condition it answers 304.
fn answer(wanted: &Wanted) -> Vec<u8> {
    let number: usize = wanted.path.rsplit('/').next().unwrap().parse().unwrap();
    let (first, not_modified, _) = CASES[number];
    let is_asked =
        !wanted.field("if-none-match").is_empty() || !wanted.field("if-modified-since").is_empty();
    let keep = "Cache-Control: max-age=10";
    match (is_asked, wanted.earlier) {
        (true, _) => verbatim(&format!("304 Not Modified\r\n{not_modified}\r\n{keep}"), b""),
        (false, 0) => {
            verbatim(&format!("200 OK\r\n{first}\r\n{keep}\r\nContent-Length: 3"), b"old")
        }
        (false, _) => {
            let head = "200 OK\r\nETag: \"v9\"\r\nCache-Control: max-age=10\r\nContent-Length: 3";
            verbatim(head, b"new")
        }
    }
}

#[tokio::test]
async fn a_304_of_another_representation_brings_the_content_anew() {
    let origin = VerbatimOrigin::start(answer);
    for (edge, net) in [("edge", Net::single().await), ("edge-overseas", Net::full().await)] {
        net.put_domain(|domain| domain.origin.port = origin.address().port());
        for (n, (first, not_modified, confirms)) in CASES.into_iter().enumerate() {
            let case = format!("{edge}: {first} then {not_modified}");
            let path = format!("/{edge}/prefetch/{n}");
            let url = format!("http://{HOST}{path}");
            let run = |id: usize| net.sources[edge].run(id as i64, &url, 0);
            assert_eq!(run(2 * n + 1).await.outcome.to_string(), "filled", "{case}");
            net.idle().await;
            net.clock.advance(Duration::from_secs(20));
            let report = run(2 * n + 2).await;
            let expected = if confirms { ("revalidated", "old") } else { ("filled", "new") };
            assert_eq!(report.outcome.to_string(), expected.0, "{case}: {:?}", report.detail);
            assert_eq!(net.until_hit(edge, &path, &[]).await.text(), expected.1, "{case}");
            let asked = origin.requests_for(&path);
            assert_eq!(asked.len(), if confirms { 2 } else { 3 }, "{case}");
            assert_eq!(
                asked.last().unwrap().field("if-none-match").is_empty(),
                !confirms,
                "{case}"
            );

            let path = format!("/{edge}/viewer/{n}");
            assert_eq!(net.get(edge, &path, &[]).await.text(), "old", "{case}");
            net.until_hit(edge, &path, &[]).await;
            net.idle().await;
            net.clock.advance(Duration::from_secs(20));
            assert_eq!(net.get(edge, &path, &[]).await.text(), expected.1, "{case}");
        }
    }
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_no_answer() {
    let net = Net::single().await;
    let origin = VerbatimOrigin::start(|_| verbatim("304 Not Modified\r\nETag: \"v1\"", b""));
    net.put_domain(|domain| domain.origin.port = origin.address().port());
    let report = net.sources["edge"].run(1, &format!("http://{HOST}/a"), 0).await;
    assert_eq!(report.outcome.to_string(), "origin_error:protocol", "{:?}", report.detail);
    assert_eq!(net.get("edge", "/b", &[]).await.status, 502);
}
