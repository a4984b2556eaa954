//! A limit is a law: over any ten seconds the origin's log shows no more, and hardly less, also across
//! a kill.

use std::time::Duration;

use crate::{
    harness::{Content, Nginx},
    running::{Ports, Stoker, eventually, pause},
};

const HOST: &str = "www.example.com";
/// Megabits per second, and the same in bytes.
const LIMIT: (&str, f64) = ("24", 3_000_000.0);
const WINDOW: f64 = 10.0;
/// How long the flow is watched on either side of the kill: some windows and a moment to begin.
const WATCHED: f64 = 10.8;

/// Lowest and highest flow over all windows of ten seconds that begin or end with a reply and lie
/// within `from..=to`, as parts of the limit.
fn extremes(ends: &[(f64, u64)], from: f64, to: f64) -> (f64, f64) {
    let flow = |from: f64| {
        let within = ends.iter().filter(|(at, _)| (from..from + WINDOW).contains(at));
        within.map(|(_, bytes)| *bytes as f64).sum::<f64>() / (WINDOW * LIMIT.1)
    };
    // a window that begins with a reply holds the most, one that begins after it the least
    let starts = ends.iter().flat_map(|(at, _)| [*at, at + 0.000_5, at - WINDOW]);
    let flows = starts.filter(|at| *at >= from && at + WINDOW <= to).map(flow);
    flows.fold((f64::MAX, 0.0), |(low, high), flow| (low.min(flow), high.max(flow)))
}

/// When the flow after `after` was begun and had gone on for long enough.
fn watch(nginx: &Nginx, after: f64) -> f64 {
    let first = eventually(Duration::from_secs(20), "the origin is read", || {
        nginx.ends().iter().map(|(at, _)| *at).find(|at| *at > after)
    });
    pause(Duration::from_secs_f64(WATCHED));
    first
}

#[test]
fn the_origin_sees_the_lower_of_two_limits_over_any_ten_seconds_and_across_a_kill() {
    let nginx = Nginx::start();
    let contents: Vec<_> = (0..14)
        .map(|n| Content::write(&nginx.www(), &format!("/{n}"), 8_000_000, n as u64))
        .collect();
    let urls: Vec<_> =
        contents.iter().map(|content| format!("http://{HOST}{}", content.path)).collect();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ports = Ports::free();
    let stoker = Stoker::start_with(&data, ports, &[]);
    stoker.add_domain(HOST, &nginx.url(), &[]);
    for (limit, urls) in [(LIMIT.0, &urls[..9]), ("800", &urls[9..])] {
        let mut command = vec!["prefetch", "--limit-rate", limit];
        command.extend(urls.iter().map(String::as_str));
        let submitted = stoker.cli(&command);
        assert_eq!(submitted.code, Some(0), "{submitted:?}");
    }
    let first = watch(&nginx, 0.0);
    let last = first + WATCHED;
    stoker.kill();
    let _stoker = Stoker::start_with(&data, ports, &[]);
    let again = watch(&nginx, last + 0.2);
    let ends = nginx.ends();
    println!("read again {:.1} s after the kill", again - last);
    for (when, from, to) in [("before", first, last), ("after", again, again + WATCHED)] {
        let (low, high) = extremes(&ends, from + 0.2, to);
        println!("{when} the kill {low:.4}..{high:.4} of the limit");
        assert!(low >= 0.95 && high <= 1.02, "{when} the kill {low:.4}..{high:.4}");
    }
    let (_, high) = extremes(&ends, 0.0, again + WATCHED);
    println!("never more than {high:.4} of the limit");
    assert!(high <= 1.02, "{high:.4} of the limit");
}
