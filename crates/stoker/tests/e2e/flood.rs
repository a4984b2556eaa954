//! Floods: what a crowd may cost, in memory and descriptors, and what it may cost others.
//!
//! Each test lets a crowd in, asks as somebody else meanwhile, and compares what the process used
//! with the bounds of `docs/limits.md`. The times that others waited are printed and, as times
//! depend on the machine, judged only with `STOKER_FLOOD_TIMES=1`, which `check.sh --long` sets.

mod crowd;
mod others;
mod process;

use std::time::Duration;

use crate::{
    harness::{Content, Nginx},
    running::{Ports, Stoker, eventually},
};

use self::{
    crowd::{Crowd, Hanging},
    others::Others,
    process::Process,
};

const HOST: &str = "www.example.com";
/// The domain of the others.
const OTHER: &str = "other.example.com";
const MIB: u64 = 1 << 20;
/// Connections of a crowd: fewer than the descriptors that this test may have by default.
const MANY: usize = 300;

/// A server with two domains: one for the crowd, one for everybody else.
struct Flooded {
    stoker: Stoker,
    nginx: Nginx,
    process: Process,
    _folder: tempfile::TempDir,
}

impl Flooded {
    fn new(further: &[&str]) -> Self {
        Self::under("true", further)
    }

    /// The same, after `limits`, which are commands of the shell, were set.
    fn under(limits: &str, further: &[&str]) -> Self {
        let nginx = Nginx::start();
        Content::write(&nginx.www(), "/small", 4000, 1);
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let stoker = Stoker::start_under(&data, Ports::free(), limits, further);
        stoker.add_domain(OTHER, &nginx.url(), &[]);
        let warmed = stoker.cli(&[
            "prefetch",
            "--wait",
            "--area",
            "global",
            "--tier",
            "edge",
            &format!("http://{OTHER}/small"),
        ]);
        assert_eq!(warmed.code, Some(0), "{warmed:?}");
        let process = Process::of(&stoker);
        Self { stoker, nginx, process, _folder: folder }
    }

    /// What others get while the crowd is there, and what the process uses at most.
    fn others(&self, name: &str) -> Others {
        Others::ask(name, &self.stoker, OTHER, "/small")
    }

    fn edge(&self) -> u16 {
        self.stoker.ports().node("edge-mainland")
    }

    fn api(&self) -> u16 {
        self.stoker.ports().api()
    }
}

#[test]
fn calls_that_never_send_their_content_keep_nobody_out() {
    let flooded = Flooded::new(&[]);
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{";
    let crowds: Vec<_> = (0..2).map(|_| Crowd::gather(flooded.api(), MANY, head)).collect();
    let others = flooded.others("calls without content");
    drop(crowds);
    others.judge();
    // the bound of docs/limits.md and what the process has open when nobody is there
    assert!(flooded.process.descriptors() < 4096, "{}", flooded.process.descriptors());
}

#[test]
fn content_with_a_wrong_signature_takes_little_memory() {
    let flooded = Flooded::new(&[]);
    let secret_id = flooded.stoker.credentials()["secret_id"].as_str().unwrap().to_owned();
    let now = jiff::Timestamp::now();
    let head = format!(
        "POST /admin/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         X-TC-Timestamp: {}\r\nAuthorization: TC3-HMAC-SHA256 Credential={secret_id}/{}/admin/tc3_request, \
         SignedHeaders=content-type;host, Signature={}\r\nContent-Length: {}\r\n\r\n",
        now.as_second(),
        now.strftime("%Y-%m-%d"),
        "0".repeat(64),
        63 * MIB,
    );
    let before = flooded.process.peak_memory();
    let crowd = Crowd::sending(flooded.api(), 24, &head, 63 * MIB);
    let others = flooded.others("63 MiB with a wrong signature");
    crowd.wait();
    let growth = flooded.process.peak_memory() - before;
    println!("63 MiB with a wrong signature, 24 times: {} MiB more", growth / MIB);
    others.judge();
    assert!(growth < 200 * MIB, "{} MiB", growth / MIB);
}

#[test]
fn forms_without_a_key_take_little_memory() {
    let flooded = Flooded::new(&[]);
    let head = format!(
        "POST /v2/index.php HTTP/1.1\r\nHost: x\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {MIB}\r\n\r\n"
    );
    let before = flooded.process.peak_memory();
    let crowd = Crowd::sending(flooded.api(), 300, &head, MIB);
    let others = flooded.others("forms without a key");
    crowd.wait();
    let growth = flooded.process.peak_memory() - before;
    println!("forms of 1 MiB without a key, 300 times: {} MiB more", growth / MIB);
    others.judge();
    assert!(growth < 150 * MIB, "{} MiB", growth / MIB);
}

#[test]
fn misses_of_large_content_stay_within_the_memory_of_the_nodes() {
    let flooded = Flooded::new(&["--memory", "512MiB"]);
    Content::write(&flooded.nginx.www(), "/large", 64 << 20, 2);
    flooded.stoker.add_domain(HOST, &flooded.nginx.url(), &[]);
    let head =
        |n: usize| format!("GET /large?{n} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    // they take the head and then nothing
    let crowd = Crowd::of_each(flooded.edge(), 200, head);
    let others = flooded.others("200 misses of 64 MiB");
    let peak = flooded.process.peak_memory();
    println!("200 misses of 64 MiB: {} MiB at most", peak / MIB);
    drop(crowd);
    others.judge();
    assert!(peak < 1024 * MIB, "{} MiB", peak / MIB);
}

#[test]
fn silent_connections_cost_a_node_nothing() {
    let flooded = Flooded::under("ulimit -n 1024", &[]);
    let crowds: Vec<_> = (0..2).map(|_| Crowd::gather(flooded.edge(), MANY, "")).collect();
    let others = flooded.others("silent connections");
    let descriptors = flooded.process.descriptors();
    drop(crowds);
    others.judge();
    assert!(descriptors < 700, "{descriptors} descriptors: ledger, API and caches have theirs");
}

#[test]
fn misses_at_a_hanging_origin_are_bounded() {
    let flooded = Flooded::new(&[]);
    let hanging = Hanging::new();
    flooded.stoker.add_domain(HOST, &hanging.url(), &[]);
    let before = flooded.process.descriptors();
    let head = |n: usize| format!("GET /{n} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let crowd = Crowd::of_each(flooded.edge(), MANY, head);
    eventually(Duration::from_secs(60), "the origin is asked", || {
        (hanging.connections() > 0).then_some(())
    });
    let others = flooded.others("misses at a hanging origin");
    let (connections, descriptors) = (hanging.connections(), flooded.process.descriptors());
    println!(
        "{MANY} misses at a hanging origin: {connections} connections to it, {descriptors} descriptors, {before} before"
    );
    drop(crowd);
    others.judge();
    assert!(connections <= 128, "{connections} connections to the origin");
}
