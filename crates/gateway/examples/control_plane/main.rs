//! The speed of the control plane. `bench/README.md` says what is compared and what came out.
//!
//! `control_plane accept DIR ROUNDS [URLS]`: how fast signed calls are accepted, beside the same
//! rows written by SQLite's own bulk insert. `control_plane describe DIR TARGETS`: how long
//! `DescribePushTasks` takes with 10,000 and with TARGETS targets in the ledger. DIR keeps nothing.
//!
//! Calls are given to the router in process: HTTP is not measured.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

mod accept;
mod app;
mod cost;
mod describe;
mod peer;

use std::path::Path;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match arguments.as_slice() {
        ["accept", dir, rounds] => accept::run(Path::new(dir), number(rounds), None).await,
        ["accept", dir, rounds, urls] => {
            accept::run(Path::new(dir), number(rounds), Some(number(urls))).await;
        }
        ["describe", dir, targets] => describe::run(Path::new(dir), number(targets)).await,
        _ => println!("usage: control_plane accept DIR ROUNDS [URLS] | describe DIR TARGETS"),
    }
}

/// Removes a ledger and what SQLite keeps beside it.
fn remove(ledger: &Path) {
    for end in ["", "-wal", "-shm", ".lock"] {
        // mostly there is none
        drop(std::fs::remove_file(format!("{}{end}", ledger.display())));
    }
}
