//! A corpus of raw replies of an origin: what a viewer sees of each, whether it is kept, and what a
//! prefetch of it comes to, each by a section of an RFC or for a reason that stands beside it.
//!
//! Each reply is asked for by a viewer, by a prefetch, and by a viewer while its bytes come one by
//! one; before one node, and before four. Framing that contradicts itself over ranges is in
//! `framing`, fields that decide a lifetime are in `lifetime`.

use std::sync::Arc;

use stoker_domain::area::{Area, Tier};
use stoker_testkit::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    replies_table::{CASES, Case, Expected},
    support::{LONG, Net, Reply, parse},
};

/// Cases that run at once.
const AT_ONCE: usize = 8;

/// Answers with the reply of the case that the host names; a path that begins with `/slow` byte by
/// byte.
async fn origin() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    stoker_testkit::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            stoker_testkit::spawn(async move {
                let Some(head) = stoker_testkit::read_head(&mut stream).await else { return };
                let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
                let number: usize = host[1..].split('.').next().unwrap().parse().unwrap();
                let reply = CASES[number].bytes();
                let step = if head.starts_with("get /slow") { 1 } else { reply.len().max(1) };
                for piece in reply.chunks(step) {
                    // who has enough may leave
                    if stream.write_all(piece).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
    });
    port
}

fn host(number: usize) -> String {
    format!("c{number}.example.com")
}

const CACHED: &str = "Cache-Control: only-if-cached\r\n";

/// What a viewer gets; status 0 where that is nothing.
async fn ask(net: &Net, edge: &str, host: &str, path: &str, line: &str) -> Reply {
    let mut stream = TcpStream::connect(net.address(edge)).await.unwrap();
    let text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{line}\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    parse(&answer).unwrap_or_default()
}

async fn check(net: &Net, edge: &str, number: usize) -> Result<(), String> {
    let (case, host) = (&CASES[number], host(number));
    let seen = ask(net, edge, &host, "/viewer", "").await;
    case.check_viewer(&seen, "viewer")?;
    let seen = ask(net, edge, &host, "/slow", "").await;
    case.check_viewer(&seen, "bytes one by one")?;
    let url = format!("http://{host}/prefetch");
    let report = net.sources[edge].run(number as i64 + 1, &url, 0).await;
    let outcome = report.outcome.to_string();
    // far away, content that is no HTTP is content that breaks off
    let is_far = net.directory.borrow().fleet().nodes().len() > 1;
    let is_broken = is_far && matches!(case.expected, Expected::Broken("origin_error:protocol"));
    let expected = case.expected.outcome();
    if outcome != expected && !(is_broken && outcome == "origin_error:truncated") {
        return Err(format!("outcome {outcome}: {:?}", report.detail));
    }
    if case.expected.is_kept() {
        // a viewer's fill ends after the viewer
        let kept = eventually(LONG, case.name, || async {
            let kept = ask(net, edge, &host, "/viewer", CACHED).await;
            kept.status_is_hit().then_some(kept)
        })
        .await;
        return case.check_viewer(&kept, "kept");
    }
    for path in ["/viewer", "/slow", "/prefetch"] {
        let kept = ask(net, edge, &host, path, CACHED).await;
        if kept.status != 504 {
            return Err(format!("{path} is kept as {}", kept.status));
        }
    }
    Ok(())
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        self.reply.replace('|', "\r\n").into_bytes()
    }

    fn check_viewer(&self, seen: &Reply, how: &str) -> Result<(), String> {
        let told = || format!("{how}: {} {:?} whole {}", seen.status, seen.text(), seen.is_whole);
        let is_right = match self.expected {
            Expected::Kept(status, content, _) | Expected::Passed(status, content, _) => {
                seen.status == status && seen.is_whole && seen.text() == content
            }
            Expected::Refused(_) => matches!(seen.status, 502 | 504 | 508),
            Expected::Broken(_) => matches!(seen.status, 502 | 504) || !seen.is_whole,
        };
        if is_right { Ok(()) } else { Err(told()) }
    }
}

async fn run(nodes: &[(&str, Area, Tier)], edge: &'static str) {
    let net = Arc::new(Net::of(nodes).await);
    let port = origin().await;
    for number in 0..CASES.len() {
        let host = host(number);
        net.put_named(&host, |domain| {
            domain.origin.port = port;
            // what one reply does must not tell on the next
            domain.origin.host_header = Some(host.clone());
        });
    }
    let mut failed = Vec::new();
    let mut running = JoinSet::new();
    for (number, case) in CASES.iter().enumerate() {
        while running.len() >= AT_ONCE {
            failed.extend(running.join_next().await.unwrap().unwrap());
        }
        let net = Arc::clone(&net);
        running.spawn(async move {
            let Case { name, rule, .. } = case;
            let checked = tokio::time::timeout(LONG, check(&net, edge, number)).await;
            let checked = checked.unwrap_or_else(|_| Err("takes too long".into()));
            checked.err().map(|why| format!("{name} ({rule}): {why}"))
        });
    }
    while let Some(one) = running.join_next().await {
        failed.extend(one.unwrap());
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), CASES.len(), failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_reply_is_taken_or_refused_by_its_rule() {
    run(&Net::EDGE, "edge").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_reply_is_taken_or_refused_by_its_rule_behind_other_nodes() {
    let nodes = [
        ("edge", Area::Mainland, Tier::Edge),
        ("middle", Area::Mainland, Tier::Middle),
        ("shield", Area::Overseas, Tier::Middle),
    ];
    run(&nodes, "edge").await;
}

#[test]
fn the_corpus_is_large_and_no_case_stands_twice() {
    assert!(CASES.len() >= 150, "{}", CASES.len());
    let names: std::collections::HashSet<_> = CASES.iter().map(|case| case.name).collect();
    let replies: std::collections::HashSet<_> = CASES.iter().map(|case| case.reply).collect();
    assert_eq!((names.len(), replies.len()), (CASES.len(), CASES.len()));
}
