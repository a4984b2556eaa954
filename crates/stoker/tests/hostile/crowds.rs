//! Clients who take connections and keep them: others are answered all the same.
//!
//! The server has few descriptors, so that a small crowd is a large one.

use std::{io::Write, net::TcpStream};

use crate::{
    App,
    raw::{PATIENCE, Place, get, metric},
    running::{Ports, Stoker, eventually},
};

/// More than API or node have places with so few descriptors.
const LIMITS: &str = "ulimit -n 256";
const CROWD: usize = 100;

/// Ways to keep a connection: what a client sends before it stops.
const SILENT: &str = "";
const NO_END_OF_HEAD: &str = "GET ¶ HTTP/1.1\r\nHost: $\r\nX-Slow: ";
const NO_CONTENT: &str = "POST / HTTP/1.1\r\nHost: $\r\n\
                          Content-Type: application/x-www-form-urlencoded\r\n\
                          Content-Length: 100\r\n\r\n";
const NO_END_OF_CONTENT: &str = "POST / HTTP/1.1\r\nHost: $\r\n\
                                 Content-Type: application/x-www-form-urlencoded\r\n\
                                 Transfer-Encoding: chunked\r\n\r\n64\r\nabc";
const TAKES_NOTHING: &str = "GET /large HTTP/1.1\r\nHost: $\r\n\r\n";

fn join(crowd: &mut Vec<TcpStream>, place: &Place, count: usize, says: &str) {
    let text = says.replace('¶', place.path).replace('$', place.host);
    for _ in 0..count {
        let mut stream = place.connect();
        // it may be closed already for the next
        let _ = stream.write_all(text.as_bytes());
        crowd.push(stream);
    }
}

fn app() -> App {
    App::open_with(|data| {
        let further = ["--cache-size", "64MiB", "--disk-reserve", "1MiB"];
        Stoker::start_under(data, Ports::free(), LIMITS, &further)
    })
}

/// Opens crowds of connections to `place` until one of them was closed for one of these reasons;
/// meanwhile others are answered.
fn crowd(app: &App, place: &Place, listener: &str, says: &str, reasons: &[&str]) {
    let mut crowd = Vec::new();
    let named = |name: &str, reason: &str| {
        let reason = if reason.is_empty() { "".into() } else { format!(",reason=\"{reason}\"") };
        format!("stoker_listen_{name}{{listener=\"{listener}\"{reason}}}")
    };
    let metrics = || get(app.stoker.ports().status(), "localhost", "/metrics");
    let places = metric(&metrics(), &named("connections_limit", ""));
    assert!(places < CROWD as u64, "{places}");
    let closed = || {
        let metrics = metrics();
        reasons.iter().map(|reason| metric(&metrics, &named("closed_total", reason))).sum::<u64>()
    };
    let before = closed();
    eventually(PATIENCE, "a full table closes connections for others", || {
        if crowd.len() > 2 * CROWD {
            crowd.clear();
        }
        join(&mut crowd, place, CROWD / 2, says);
        for _ in 0..3 {
            assert_eq!(place.ask(), Some(200), "{says:?}");
        }
        (closed() > before).then_some(())
    });
}

#[test]
fn callers_who_never_finish_keep_nobody_from_the_api() {
    let app = app();
    for (says, reason) in [
        (SILENT, "idle"),
        (NO_END_OF_HEAD, "idle"),
        (NO_CONTENT, "content"),
        (NO_END_OF_CONTENT, "content"),
    ] {
        crowd(&app, &app.api(), "api", says, &[reason]);
        // a program that signs its calls
        let told = app.stoker.json(&["domain", "list"]);
        assert!(told.to_string().contains(crate::HOST), "{told}");
    }
}

#[test]
fn no_crowd_of_callers_reaches_health_and_metrics() {
    let app = app();
    let mut crowded = Vec::new();
    for says in [SILENT, NO_END_OF_HEAD, NO_CONTENT, NO_END_OF_CONTENT] {
        join(&mut crowded, &app.api(), CROWD / 2, says);
    }
    let status = Place { port: app.stoker.ports().status(), ..app.api() };
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(Place { path, ..status }.ask(), Some(200), "{path}");
    }
    assert_eq!(Place { path: "/v2/index.php", ..status }.ask(), Some(404), "the API is not there");
    // and a crowd there keeps nobody out either
    crowd(&app, &status, "status", SILENT, &["idle"]);
}

/// Waits until the node has what others ask for meanwhile: a crowd of misses has bounds of its own.
fn until_stored(app: &App) {
    let Place { port, path, host } = app.node();
    eventually(PATIENCE, "it is a hit", || get(port, host, path).contains("; hit").then_some(()));
}

#[test]
fn viewers_who_never_finish_keep_nobody_from_a_node() {
    let app = app();
    until_stored(&app);
    for says in [SILENT, NO_END_OF_HEAD] {
        crowd(&app, &app.node(), "edge-mainland", says, &["idle"]);
    }
}

#[test]
fn viewers_who_take_nothing_keep_nobody_from_a_node() {
    let app = app();
    until_stored(&app);
    // on a slow machine they may be closed before another comes
    let reasons = ["stuck", "write-timeout"];
    crowd(&app, &app.node(), "edge-mainland", TAKES_NOTHING, &reasons);
}
