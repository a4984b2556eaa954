//! The division of `--memory`: who has which part, as the metrics tell.

use crate::running::{Http, Ports, Stoker};

#[test]
fn each_part_of_the_program_has_its_part_of_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--memory", "512MiB"];
    let stoker = Stoker::start_under(&folder.path().join("data"), Ports::free(), "true", &more);
    let metrics = Http::new().get(stoker.ports().api(), "localhost", "/metrics").unwrap();
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let node = "node=\"middle-overseas\"";
    for (metric, mebibytes) in [
        ("stoker_gateway_content_limit_bytes{caller=\"unverified\"}".to_owned(), 32),
        (format!("stoker_node_memory_limit_bytes{{{node},budget=\"slices\"}}"), 28),
        (format!("stoker_node_memory_limit_bytes{{{node},budget=\"passing\"}}"), 14),
        (format!("stoker_node_memory_limit_bytes{{{node},budget=\"windows\"}}"), 14),
    ] {
        let line = format!("{metric} {}", mebibytes << 20);
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
}
