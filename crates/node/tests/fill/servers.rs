//! Several servers of one origin: which is asked, what happens when one does not answer, and that
//! the content of two is never mixed.

use std::{net::TcpListener, sync::Arc, time::Duration};

use bytes::Bytes;
use stoker_domain::{
    domain::Server,
    key::Key,
    outcome::{Block, OriginFault, Outcome},
};
use stoker_testkit::{Origin, Script, content, eventually};

use crate::fixture::{Fixture, HOST, SLICE};

fn server(port: u16, weight: u32) -> Server {
    Server { host: "127.0.0.1".into(), port, weight }
}

/// A port on which nobody listens.
fn dead() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    server(listener.local_addr().unwrap().port(), 1)
}

/// A fixture whose domain has further servers.
async fn fixture(others: Vec<Server>, backups: Vec<Server>) -> Fixture {
    let mut fixture = Fixture::new().await;
    let origin = &mut Arc::make_mut(&mut fixture.domain).origin;
    (origin.others, origin.backups) = (others, backups);
    fixture.restart_fills();
    fixture
}

/// Paths whose first choice is the server at `port`.
fn paths_of(fixture: &Fixture, port: u16) -> impl Iterator<Item = String> {
    let origin = fixture.domain.origin.clone();
    let is_first = move |path: &String| origin.places(Key::new(HOST, path))[0].port == port;
    (0..).map(|n| format!("/{n}")).filter(is_first)
}

#[tokio::test]
async fn each_server_is_asked_for_its_share() {
    let other = Origin::start().await;
    let fixture = fixture(vec![server(other.address().port(), 3)], Vec::new()).await;
    for n in 0..40 {
        let path = format!("/{n}");
        for origin in [&fixture.origin, &other] {
            origin.on(&path, Script::new(content(1000, n)).etag("\"a\""));
        }
        assert_eq!(fixture.prefetch(&path).await.outcome, Outcome::Filled);
    }
    let (one, three) = (fixture.origin.requests().len(), other.requests().len());
    assert_eq!(one + three, 40);
    assert!((3..20).contains(&one), "{one} of 40 for a weight of 1 in 4");
}

#[tokio::test]
async fn a_server_that_is_down_is_replaced_by_the_others_and_then_by_the_backup() {
    let backup = Origin::start().await;
    let mut fixture = fixture(vec![dead()], vec![server(backup.address().port(), 1)]).await;
    let dead = fixture.domain.origin.others[0].port;
    let paths: Vec<String> = paths_of(&fixture, dead).take(3).collect();
    for path in &paths {
        fixture.origin.on(path, Script::new(content(1000, 1)).etag("\"a\""));
        assert_eq!(fixture.prefetch(path).await.outcome, Outcome::Filled, "{path}");
    }
    assert_eq!((fixture.origin.requests().len(), backup.requests().len()), (3, 0));

    let origin = &mut Arc::make_mut(&mut fixture.domain).origin;
    origin.host_header = Some("origin.example".into());
    origin.backup_host_header = Some("backup.example".into());
    origin.port = origin.others.remove(0).port;
    fixture.restart_fills();
    backup.on("/b", Script::new(content(1000, 2)).etag("\"b\""));
    assert_eq!(fixture.prefetch("/b").await.outcome, Outcome::Filled);
    assert_eq!(backup.requests()[0].field("host"), "backup.example");
    assert_eq!(fixture.origin.requests().len(), 3);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_replaced_too() {
    let backup = Origin::start().await;
    let mut fixture = fixture(Vec::new(), vec![server(backup.address().port(), 1)]).await;
    fixture.time_outs.head = Duration::from_millis(100);
    fixture.restart_fills();
    fixture.origin.on("/a", Script::silent());
    backup.on("/a", Script::new(content(1000, 3)).etag("\"a\""));
    assert_eq!(fixture.prefetch("/a").await.outcome, Outcome::Filled);
    assert_eq!(fixture.origin.requests().len(), 1);
}

#[tokio::test]
async fn what_a_server_answers_counts_whatever_it_is() {
    let backup = Origin::start().await;
    let fixture = fixture(Vec::new(), vec![server(backup.address().port(), 1)]).await;
    backup.on("/a", Script::new(content(1000, 4)));
    let filled = fixture.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::OriginStatus(404));
    assert_eq!(backup.requests().len(), 0);
}

#[tokio::test]
async fn when_none_answers_the_last_failure_is_told() {
    let mut fixture = fixture(Vec::new(), vec![dead()]).await;
    let origin = &mut Arc::make_mut(&mut fixture.domain).origin;
    origin.port = dead().port;
    fixture.restart_fills();
    let filled = fixture.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::OriginError(OriginFault::Connect));
    let backup = format!("127.0.0.1:{}", fixture.domain.origin.backups[0].port);
    assert!(filled.detail.as_ref().unwrap().contains(&backup), "{:?}", filled.detail);
}

#[tokio::test]
async fn every_server_needs_leave_for_a_private_address() {
    let backup = Origin::start().await;
    let mut fixture = fixture(Vec::new(), vec![server(backup.address().port(), 1)]).await;
    Arc::make_mut(&mut fixture.domain).origin.allow_private = false;
    fixture.restart_fills();
    let filled = fixture.prefetch("/a").await;
    assert_eq!(filled.outcome, Outcome::Blocked(Block::PrivateAddress));
    assert_eq!(backup.connections() + fixture.origin.connections(), 0);
}

/// Starts a fill of 6 slices at the second server, which goes down after half of the second slice,
/// and lets the first one bring the rest. Returns what is stored and what the first sent.
async fn after_a_break(first: (Bytes, &str), second: (Bytes, &str)) -> (Bytes, u64) {
    let other = Origin::start().await;
    let port = other.address().port();
    let fixture = fixture(vec![server(port, 1)], Vec::new()).await;
    let path = paths_of(&fixture, port).next().unwrap();
    let held = SLICE as u64 * 3 / 2;
    other.on(&path, Script::new(second.0).etag(second.1).hold_after(held));
    fixture.origin.on(&path, Script::new(first.0).etag(first.1));
    let prefetch = fixture.prefetch(&path);
    let breaks = async {
        let limit = Duration::from_secs(120);
        let sent = async || (other.sent_for(&path) >= held).then_some(());
        eventually(limit, "the second server sends", sent).await;
        drop(other);
    };
    let (filled, ()) = tokio::join!(prefetch, breaks);
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    (fixture.content_of(&path).await, fixture.origin.sent_for(&path))
}

#[tokio::test]
async fn content_of_two_servers_is_never_mixed() {
    let (one, two) = (content(6 * SLICE, 5), content(6 * SLICE, 6));
    let (stored, sent) = after_a_break((one.clone(), "\"one\""), (two, "\"two\"")).await;
    assert!(stored == one, "the stored content is that of the server that was there to the end");
    assert!(sent >= one.len() as u64);
}

#[tokio::test]
async fn the_same_content_is_continued_at_another_server() {
    let bytes = content(6 * SLICE, 7);
    let (stored, sent) = after_a_break((bytes.clone(), "\"a\""), (bytes.clone(), "\"a\"")).await;
    assert!(stored == bytes);
    assert!(sent < bytes.len() as u64, "what the other brought is not asked for again: {sent}");
}
