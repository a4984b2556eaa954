//! A limit is a law: the origin's log shows no more, and hardly less, also across a kill.

use std::time::{Duration, Instant};

use crate::{
    harness::{Content, Nginx},
    running::{Ports, Stoker, pause},
};

const HOST: &str = "www.example.com";
/// Megabits per second, and the same in bytes.
const LIMIT: (&str, f64) = ("24", 3_000_000.0);

fn sent(nginx: &Nginx) -> f64 {
    nginx.pulled().values().map(|pulled| pulled.bytes as f64).sum()
}

/// Bytes that the origin gives in ten seconds from now, as a part of what the limit allows.
fn ten_seconds(nginx: &Nginx) -> f64 {
    let (began, before) = (Instant::now(), sent(nginx));
    pause(Duration::from_secs(10));
    let after = sent(nginx);
    (after - before) / (LIMIT.1 * began.elapsed().as_secs_f64())
}

#[test]
fn the_origin_sees_the_lower_of_two_limits_over_ten_seconds_and_across_a_kill() {
    let nginx = Nginx::start();
    let contents: Vec<_> = (0..12)
        .map(|n| Content::write(&nginx.www(), &format!("/{n}"), 8_000_000, n as u64))
        .collect();
    let urls: Vec<_> =
        contents.iter().map(|content| format!("http://{HOST}{}", content.path)).collect();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ports = Ports::free();
    let stoker = Stoker::start_with(&data, ports, &[]);
    stoker.add_domain(HOST, &nginx.url(), &[]);
    for (limit, urls) in [(LIMIT.0, &urls[..6]), ("800", &urls[6..])] {
        let mut command = vec!["prefetch", "--limit-rate", limit];
        command.extend(urls.iter().map(String::as_str));
        let submitted = stoker.cli(&command);
        assert_eq!(submitted.code, Some(0), "{submitted:?}");
    }
    pause(Duration::from_secs(1));
    let part = ten_seconds(&nginx);
    println!("{part:.3} of the limit");
    assert!((0.95..=1.02).contains(&part), "{part:.3} of the limit");
    stoker.kill();
    let (began, before) = (Instant::now(), sent(&nginx));
    let _stoker = Stoker::start_with(&data, ports, &[]);
    pause(Duration::from_secs(10));
    let part = (sent(&nginx) - before) / (LIMIT.1 * began.elapsed().as_secs_f64());
    println!("{part:.3} of the limit across a kill");
    assert!((0.3..=1.02).contains(&part), "{part:.3} of the limit across a kill");
}
