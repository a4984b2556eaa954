//! Few file descriptors: nothing fails for want of them.

use stoker_testkit::{Origin, Script, content};
use tokio::runtime::Runtime;

use crate::running::{Http, Ports, Stoker};

const HOST: &str = "www.example.com";
/// More than there are descriptors, and enough for more segments than may be open.
const TARGETS: u64 = 400;
const LENGTH: usize = 60_000;

/// An origin with [`TARGETS`] paths; it lives as long as the runtime.
fn origin(runtime: &Runtime) -> Origin {
    runtime.block_on(async {
        let origin = Origin::start().await;
        for n in 0..TARGETS {
            let script = Script::new(content(LENGTH, n)).etag("\"a\"");
            origin.on(&format!("/{n}"), script.field("cache-control", "max-age=3600"));
        }
        origin
    })
}

#[test]
fn with_256_descriptors_hundreds_of_targets_are_done_and_read() {
    let runtime = Runtime::new().unwrap();
    let origin = origin(&runtime);
    let folder = tempfile::tempdir().unwrap();
    let stoker = Stoker::start_under(
        &folder.path().join("data"),
        Ports::free(),
        "ulimit -n 256",
        &["--cache-size", "64MiB", "--disk-reserve", "1MiB"],
    );
    stoker.add_domain(HOST, &origin.url(), &[]);
    let urls: Vec<_> = (0..TARGETS).map(|n| format!("http://{HOST}/{n}")).collect();
    let mut command = vec!["prefetch", "--tier", "edge", "--wait"];
    command.extend(urls.iter().map(String::as_str));
    let told = stoker.json(&command);
    assert_eq!(told[0]["task"]["done"], TARGETS, "{told}");
    assert_eq!(told[0]["task"]["failed"], 0, "{told}");

    let viewer = Http::new();
    for edge in ["edge-mainland", "edge-overseas"] {
        for n in 0..TARGETS {
            let path = format!("/{n}");
            let reply = viewer.get(stoker.ports().node(edge), HOST, &path).unwrap();
            assert!(reply.is_hit(), "{edge} {path}: {reply:?}");
            assert!(reply.body == content(LENGTH, n), "{edge} {path}");
        }
    }
    let metrics = viewer.get(stoker.ports().api(), "localhost", "/metrics").unwrap();
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let open = metrics.lines().find_map(|line| {
        line.strip_prefix("stoker_node_store_open_files{node=\"edge-mainland\"} ")
    });
    // four, and one that is written
    assert!(open.is_some_and(|open| (1..=5).contains(&open.parse::<u32>().unwrap())), "{open:?}");

    let log = stoker.log();
    assert!(log.contains("may open only 256 file descriptors"), "{log}");
    assert!(!log.contains("Too many open files"), "{log}");
}

#[test]
fn too_few_descriptors_are_refused_with_the_number_that_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ran = Stoker::refused_under(&data, Ports::free(), Some("ulimit -n 128"), &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("may open only 128 file descriptors, and 192 are needed"));
    assert!(ran.stderr.contains("ulimit -n"), "{ran:?}");
    assert!(!data.exists(), "nothing is begun");
}

#[test]
fn a_low_soft_limit_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let stoker = Stoker::start_under(&data, Ports::free(), "ulimit -Sn 64 && ulimit -Hn 5000", &[]);
    assert!(stoker.log().contains("limit=5000"), "{}", stoker.log());
    assert!(!stoker.log().contains("may open only"), "{}", stoker.log());
}
