//! Paths below the base path of an origin stay below it, however they are written.

use stoker_testkit::{VerbatimOrigin, verbatim};

use crate::support::{HOST, Net};

/// Paths that, in some reading, lead above.
const ABOVE: [&str; 30] = [
    "/../secret",
    "/a/../../secret",
    "/./../secret",
    "/..",
    "/../../../../etc/passwd",
    "/%2e%2e/secret",
    "/%2E%2E/secret",
    "/.%2e/secret",
    "/%2e./secret",
    "/a/%2e%2e/%2e%2e/secret",
    "/..%2fsecret",
    "/..%2Fsecret",
    "/a%2f..%2f..%2fsecret",
    "/%2e%2e%2fsecret",
    "/..%5csecret",
    "/..%5Csecret",
    "/a%5c..%5c..%5csecret",
    "/%2e%2e%5csecret",
    "/..\\secret",
    "/a\\..\\..\\secret",
    "/%252e%252e/secret",
    "/%252e%252e%252fsecret",
    "/..%252fsecret",
    "/..%255csecret",
    "/%25252e%25252e%25252fsecret",
    "/..;/secret",
    "/..;x=y/secret",
    "/%2e%2e;/secret",
    "/a/..;/..;/secret",
    "/..%3b/secret",
];

#[tokio::test]
async fn no_path_leads_above_the_base_path() {
    let net = Net::single().await;
    let origin = VerbatimOrigin::start(|wanted| {
        let path = wanted.path.as_str();
        assert!(path.starts_with("/base/path/"), "{path}");
        for read in readings(path) {
            assert!(!read.split(['/', '\\']).any(is_above), "{path} may be read as {read}");
        }
        verbatim("200 OK\r\nContent-Length: 2", b"ok")
    });
    net.put_domain(|domain| {
        domain.origin.port = origin.address().port();
        domain.origin.base_path = "/base/path".into();
    });
    let mut served = 0;
    for path in ABOVE.iter().chain(&["/a?x=/../b", "/a..b/c", "/...", "/a%2fb", "/a;b/c"]) {
        let seen = net.get("edge", path, &[]).await;
        // either the path in normal form, below the base, or nothing
        assert!(matches!(seen.status, 200 | 400 | 502), "{path}: {seen:?}");
        served += usize::from(seen.status == 200);
        assert_eq!(seen.status == 200, seen.text() == "ok", "{path}: {seen:?}");
    }
    assert!(served >= 14, "what stays below is served: {served}");
    let detail = net.sources["edge"].run(1, &format!("http://{HOST}/..%2fsecret"), 0).await.detail;
    assert!(detail.unwrap().contains("base path"));
}

fn is_above(segment: &str) -> bool {
    segment.split(';').next() == Some("..")
}

/// The path, decoded again and again.
fn readings(path: &str) -> Vec<String> {
    let path = path.split('?').next().unwrap_or_default();
    let mut readings = vec![path.to_owned()];
    for _ in 0..4 {
        let last = readings.last().expect("one").clone();
        readings.push(decoded(&last));
    }
    readings
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *byte == b'%') {
            Some(value) => {
                bytes.push(value);
                rest = &after[2..];
            }
            None => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
