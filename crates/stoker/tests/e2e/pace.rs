//! A limit is a law: over any ten seconds the origin's log shows no more, and hardly less, also across
//! a kill and where two shields read at the same time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    let first = eventually(Duration::from_secs(120), "the origin is read", || {
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
        assert!(low >= 0.8 && high <= 1.02, "{when} the kill {low:.4}..{high:.4}");
    }
    let (_, high) = extremes(&ends, 0.0, again + WATCHED);
    println!("never more than {high:.4} of the limit");
    assert!(high <= 1.02, "{high:.4} of the limit");
}

/// Submits 24 megabits per second for `area`.
fn prefetch(stoker: &Stoker, area: &str, contents: &[Content]) {
    let mut command = vec!["prefetch", "--limit-rate", LIMIT.0, "--area", area];
    let urls: Vec<_> =
        contents.iter().map(|content| format!("http://{HOST}{}", content.path)).collect();
    command.extend(urls.iter().map(String::as_str));
    let submitted = stoker.cli(&command);
    assert_eq!(submitted.code, Some(0), "{submitted:?}");
}

/// Bytes of paths that begin with `start` in replies that ended within `from..to`.
fn read_of(nginx: &Nginx, start: &str, from: f64, to: f64) -> u64 {
    let ends = nginx.ends().into_iter().zip(nginx.log());
    let within =
        ends.filter(|((at, _), (path, ..))| (from..to).contains(at) && path.starts_with(start));
    within.map(|((_, bytes), _)| bytes).sum()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the log of another process tells the time of day")]
fn a_limit_is_used_from_the_first_moment_on_after_a_first_start() {
    let nginx = Nginx::start();
    let contents: Vec<_> = (0..5)
        .map(|n| Content::write(&nginx.www(), &format!("/{n}"), 8_000_000, n as u64))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start_with(&folder.path().join("data"), Ports::free(), &[]);
    stoker.add_domain(HOST, &nginx.url(), &[]);
    prefetch(&stoker, "mainland", &contents);
    let accepted = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    watch(&nginx, 0.0);
    let read = read_of(&nginx, "/", accepted, accepted + WINDOW) as f64;
    let part = read / (WINDOW * LIMIT.1);
    println!("the first {WINDOW} s: {part:.4} of the limit");
    assert!((0.8..=1.02).contains(&part), "{part:.4} of the limit");
}

#[test]
fn two_shields_keep_to_a_limit_together_and_one_alone_has_all_of_it() {
    let nginx = Nginx::start();
    let contents = |name: &str, count: u64, size: usize| -> Vec<Content> {
        let path = |n| format!("/{name}/{n}");
        (0..count).map(|n| Content::write(&nginx.www(), &path(n), size, n)).collect()
    };
    let both = contents("both", 4, 1_000_000);
    let overseas = contents("overseas", 8, 1_500_000);
    let mainland = contents("mainland", 10, 8_000_000);
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start_with(&folder.path().join("data"), Ports::free(), &[]);
    stoker.add_domain(HOST, &nginx.url(), &["--shield", "per-area"]);
    prefetch(&stoker, "global", &both);
    prefetch(&stoker, "overseas", &overseas);
    prefetch(&stoker, "mainland", &mainland);

    let first = eventually(Duration::from_secs(120), "the origin is read", || {
        nginx.ends().first().map(|(at, _)| *at)
    });
    let size: u64 = overseas.iter().map(|content| content.size).sum();
    eventually(Duration::from_secs(60), "one shield has no work any more", || {
        (read_of(&nginx, "/overseas/", 0.0, f64::MAX) >= size).then_some(())
    });
    pause(Duration::from_secs_f64(WATCHED));
    let ends = nginx.ends();
    let last = ends.last().unwrap().0;
    let log = ends.iter().zip(nginx.log());
    let of_overseas = log.filter(|(_, (path, ..))| path.starts_with("/overseas/"));
    let alone = of_overseas.map(|((at, _), _)| *at).next_back().unwrap();

    let (low, high) = extremes(&ends, first + 0.2, last);
    println!("two shields, then one: {low:.4}..{high:.4} of the limit");
    assert!(low >= 0.8 && high <= 1.02, "{low:.4}..{high:.4} of the limit");
    assert!(last > alone + WINDOW, "it was read for {:.1} s", last - alone);
    let (low, high) = extremes(&ends, alone, last);
    println!("one alone: {low:.4}..{high:.4} of the limit");
    assert!(low >= 0.8 && high <= 1.02, "one alone {low:.4}..{high:.4} of the limit");
    let [all, shared, own] =
        ["/", "/both/", "/overseas/"].map(|start| read_of(&nginx, start, first, alone) as f64);
    let part = (own + shared / 2.0) / all;
    println!("both for {:.1} s, {part:.2} of it by one of them", alone - first);
    assert!((0.35..0.65).contains(&part), "{part:.2} of what both read while both had work");
    for content in &both {
        let read = read_of(&nginx, &content.path, 0.0, f64::MAX);
        assert_eq!(read, 2 * content.size, "{} once for each area", content.path);
    }
}
